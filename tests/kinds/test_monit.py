from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Unreadable
from tocsin.sources import monit

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
AT = datetime(2026, 11, 23, 7, 44, 11, 250_000, tzinfo=UTC)
HOOK = {
    "MONIT_HOST": "web1",
    "MONIT_SERVICE": "worker",
    "MONIT_EVENT": "Does not exist",
    "MONIT_DATE": "Mon, 23 Nov 2026 08:44:11",
}


def document(event: dict[str, Any] | None = None, *, identifier: str = "4f1d", host: str = "web1") -> bytes:
    fields = {
        "collected_sec": 1795419851,
        "collected_usec": 250000,
        "service": "backup",
        "type": 7,
        "id": 0x200000,
        "state": 1,
    }
    fields |= {"action": 1, "message": "status failed"} | (event or {})
    told = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    server = (
        f"<server><localhostname>{host}</localhostname><credentials><password>made-up</password></credentials></server>"
    )
    head = f'<?xml version="1.0" encoding="ISO-8859-1"?><monit id="{identifier}" version="5.33.0">{server}<services></services>'
    return f"{head}{'' if event is None else f'<event>{told}</event>'}</monit>".encode("latin-1")


def parse(body: bytes | dict[str, Any], **options: Any) -> list[Alert | Unreadable]:
    told = json.dumps(body).encode() if isinstance(body, dict) else body
    return monit.parse(Payload(body=told, content_type="text/xml"), monit.Options(**options), NOW)


def only(body: bytes | dict[str, Any], **options: Any) -> Alert:
    (alert,) = parse(body, **options)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(("state", "status"), [(0, "resolved"), (1, "firing"), (2, "firing"), (3, "resolved")])
def test_the_state_of_the_event_decides(state: int, status: str) -> None:
    assert only(document({"id": 1, "state": state})).status == status


@pytest.mark.parametrize(
    "event",
    [
        None,
        {"id": 0x10000, "state": 2, "service": "Monit", "message": "Monit started"},
        {"id": 0x20000, "state": 2, "message": "monitor action done"},
        {"id": 0x40000, "state": 2, "message": "process PID changed"},
        {"id": 0x80000, "state": 2},
        {"state": 4},
    ],
)
def test_a_status_a_start_an_action_and_another_process_number_are_no_alerts(event: dict[str, Any] | None) -> None:
    assert parse(document(event)) == []


@pytest.mark.parametrize(
    ("number", "check", "severity"),
    [
        (0x1, "backup checksum", "major"),
        (0x2, "backup resource", "major"),
        (0x4, "backup timeout", "critical"),
        (0x20, "backup connection", "critical"),
        (0x200, "backup existence", "critical"),
        (0x4000, "backup ping", "critical"),
        (0x40000, "backup pid", "major"),
        (0x200000, "backup status", "major"),
        (0x800000, "backup link", "critical"),
        (0x20000000, "backup upload packets", "major"),
        (0x40000000, "backup presence", "major"),
        (0x80000000, "backup event 2147483648", "major"),
        ("x", "backup event x", "major"),
    ],
)
def test_the_event_is_the_check_and_what_does_not_answer_is_critical(number: Any, check: str, severity: str) -> None:
    alert = only(document({"id": number}))
    assert (alert.check, alert.severity, alert.resource) == (check, severity, "web1")


def test_only_monit_service_and_event_identify() -> None:
    first = only(document({}))
    assert (
        only(document({"state": 0, "message": "x", "collected_sec": 1795420000}, host="renamed")).fingerprint
        == first.fingerprint
    )
    others = (document({}, identifier="9"), document({"service": "b"}), document({"id": 0x200}))
    assert first.fingerprint not in {only(other).fingerprint for other in others}


def test_a_change_is_over_after_a_while_because_monit_never_says_so() -> None:
    changed = document({"id": 1, "state": 2})
    assert (only(changed).severity, only(changed).ends_at) == ("warning", AT + timedelta(hours=1))
    assert only(changed, changes_last=timedelta(minutes=5)).ends_at == AT + timedelta(minutes=5)
    assert only(document({})).ends_at is None


def test_the_moment_is_exact() -> None:
    assert (only(document({})).starts_at, only(document({})).said_at) == (AT, AT)
    assert (only(document({"state": 0})).ends_at, only(document({"state": 0})).starts_at) == (AT, None)
    assert only(document({"collected_sec": "", "collected_usec": "x"})).said_at is None


def test_what_monits_own_pages_are_opened_with_is_no_label() -> None:
    assert "made-up" not in str(only(document({})))


@pytest.mark.parametrize(
    ("said", "check", "status"),
    [
        ("Does not exist", "worker existence", "firing"),
        ("Exists", "worker existence", "resolved"),
        ("Connection failed", "worker connection", "firing"),
        ("Connection succeeded", "worker connection", "resolved"),
        ("ICMP failed", "worker ping", "firing"),
        ("Ping succeeded", "worker ping", "resolved"),
        ("Resource limit matched", "worker resource", "firing"),
        ("Resource limit succeeded", "worker resource", "resolved"),
        ("CPU usage matched limit", "worker cpu usage", "firing"),
        ("CPU usage ok", "worker cpu usage", "resolved"),
        ("Invalid type", "worker type", "firing"),
        ("Type succeeded", "worker type", "resolved"),
        ("Timeout", "worker timeout", "firing"),
        ("Timeout recovery", "worker timeout", "resolved"),
        ("Link down", "worker link", "firing"),
        ("Link up", "worker link", "resolved"),
        ("Data access error", "worker data access", "firing"),
        ("Upload bytes exceeded", "worker upload bytes", "firing"),
        ("Upload bytes ok", "worker upload bytes", "resolved"),
        ("Content match", "worker content", "firing"),
        ("Content doesn't match", "worker content", "resolved"),
        ("Checksum changed", "worker checksum", "firing"),
        ("Checksum not changed", "worker checksum", "resolved"),
        ("Something new", "worker something new", "firing"),
    ],
)
def test_the_words_of_the_exec_hook_are_monits_own(said: str, check: str, status: str) -> None:
    alert = only(HOOK | {"MONIT_EVENT": said})
    assert (alert.check, alert.status) == (check, status)


def test_of_a_whole_environment_only_monits_variables_count() -> None:
    assert only({"HOST": "shell", "PATH": "/bin", "EVENT": "x"} | HOOK) == only(HOOK)
    assert only({name.removeprefix("MONIT_").lower(): text for name, text in HOOK.items()}) == only(HOOK)


@pytest.mark.parametrize("said", ["PID changed", "Action done", "Monit instance changed"])
def test_the_exec_hook_tells_of_things_that_are_no_alerts_too(said: str) -> None:
    assert parse(HOOK | {"MONIT_EVENT": said}) == []


def test_the_date_of_the_exec_hook_is_in_the_zone_of_the_source() -> None:
    assert only(HOOK, zone=ZoneInfo("Europe/Paris")).starts_at == datetime(2026, 11, 23, 7, 44, 11, tzinfo=UTC)
    assert only(HOOK | {"MONIT_DATE": HOOK["MONIT_DATE"] + " +0100"}).starts_at == datetime(
        2026, 11, 23, 7, 44, 11, tzinfo=UTC
    )
    assert only(HOOK | {"MONIT_DATE": "yesterday"}).starts_at is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html></html>", "expected Monit's document"),
        (b"<monit></monit>", "expected Monit's document"),
        (b"<monit><event><service>a</service></event></monit>", "event.service, event.id or event.state is missing"),
        (b"<monit", "not XML"),
        ({}, "MONIT_EVENT is missing"),
        ({"MONIT_EVENT": "Exists", "MONIT_HOST": "a"}, "MONIT_SERVICE is missing"),
    ],
)
def test_what_is_missing_is_named(body: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(body)


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n", b"  \t\n"])
def test_what_stands_before_the_document_does_not_matter(before: bytes) -> None:
    assert only(before + document({})) == only(document({}))
