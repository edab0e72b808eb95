from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, _regex, _syslog, syslog

HANGS = pytest.mark.timeout(60)  # what is not linear takes many minutes with these

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SNIPPETS = Path(__file__).parents[2] / "config" / "sources" / "syslog"


def parse(body: bytes | str | Any, media: str = "text/plain", **options: Any) -> list[Alert | Unreadable]:
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    payload = Payload(body=body, content_type=media, source="logs")
    return syslog.parse(payload, syslog.Options.model_validate(options), NOW)


def one(body: Any, **options: Any) -> Alert:
    (alert,) = parse(body, **options)
    assert isinstance(alert, Alert)
    return alert


def line(text: str, priority: int = 27, app: str = "app", msgid: str = "-", host: str = "web1") -> str:
    return f"<{priority}>1 2026-11-23T07:41:12Z {host} {app} 12 {msgid} - {text}"


@pytest.mark.parametrize(
    ("number", "word", "severity"),
    [
        (0, "emerg", Severity.CRITICAL),
        (1, "alert", Severity.CRITICAL),
        (2, "crit", Severity.CRITICAL),
        (3, "err", Severity.MAJOR),
        (4, "warning", Severity.WARNING),
        (5, "notice", Severity.INFO),
        (6, "info", Severity.INFO),
        (7, "debug", Severity.INFO),
    ],
)
@pytest.mark.parametrize("facility", [0, 3, 23])
def test_the_priority_says_severity_and_facility(number: int, word: str, severity: Severity, facility: int) -> None:
    alert = one(line("x", facility * 8 + number), least="debug")
    assert (alert.severity, alert.labels["severity"]) == (severity, word)
    assert alert.labels["facility"] == {0: "kern", 3: "daemon", 23: "local7"}[facility]


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"severity": 2}, "crit"),
        ({"severity": "CRIT"}, "crit"),
        ({"severity": "Error"}, "err"),
        ({"severity_label": "Emergency"}, "emerg"),
        ({"syslogseverity": "4"}, "warning"),
        ({"syslogseverity-text": "warn"}, "warning"),
        ({"level": 1}, "alert"),
        ({"PRIORITY": "3"}, "err"),
        ({"PRIORITY": "err"}, "err"),
        ({"pri": "165"}, "notice"),
        ({"priority": 13, "severity": 5}, "notice"),
        ({"log": {"syslog": {"severity": {"code": 0}}}}, "emerg"),
        ({"severity": "weird"}, ""),
        ({"severity": None}, ""),
        ({}, ""),
    ],
)
def test_a_severity_has_many_names_in_json(fields: dict[str, Any], severity: str) -> None:
    alert = one({"host": "web1", "message": "x", **fields}, least="debug")
    assert alert.labels.get("severity", "") == severity


@pytest.mark.parametrize("least", _syslog.SEVERITIES)
def test_what_is_less_severe_is_no_alert(least: str) -> None:
    lines = [line("x", number) for number in range(8)]
    told = parse("\n".join(lines), least=least)
    assert len(told) == _syslog.SEVERITIES.index(least) + 1


def test_errors_are_alerts_unless_said_and_so_is_what_has_no_severity() -> None:
    assert [len(parse(line("x", number))) for number in (3, 4)] == [1, 0]
    assert one("Nov 23 07:41:12 web1 app: x").severity == Severity.MAJOR


@pytest.mark.parametrize(
    ("written", "host", "app", "procid", "msgid", "text"),
    [
        ("<27>1 2026-11-23T07:41:12Z web1 app 12 ID1 - x y", "web1", "app", "12", "ID1", "x y"),
        ('<27>1 2026-11-23T07:41:12Z web1 app - - [a b="c"] \ufeffx', "web1", "app", "", "", "x"),
        ("<27>1 - web1 - - - -", "web1", "", "", "", ""),
        ("<27>1 - web1 app - - [not closed x", "web1", "app", "", "", "[not closed x"),
        ("<27>Nov 23 07:41:12 web1 app[12]: x", "web1", "app", "12", "", "x"),
        ("<27>Nov  3 07:41:12 web1 app: x: y", "web1", "app", "", "", "x: y"),
        ("<27>Nov 23 07:41:12 2001:db8::1 app: x", "2001:db8::1", "app", "", "", "x"),
        ("<27>Nov 23 07:41:12 web1 no tag here", "web1", "", "", "", "no tag here"),
        ("<27>2026-11-23T08:41:12.123+01:00 web1 /usr/sbin/cron[7]: x", "web1", "/usr/sbin/cron", "7", "", "x"),
        ("Nov 23 07:41:12 web1 app: x", "web1", "app", "", "", "x"),
        ("<187>Nov 23 07:41:12 sw1 %LINK-3-UPDOWN: x", "sw1", "", "", "LINK-3-UPDOWN", "x"),
        ("<187>9: sw1: *Nov 23 07:41:12.1 UTC: %LINK-3-UPDOWN: x", "sw1", "", "", "LINK-3-UPDOWN", "x"),
        ("<187>Nov 23 07:41:12 sw1 9: Nov 23 06:41:12: %A-B-2-C_D: x", "sw1", "", "", "A-B-2-C_D", "x"),
        ("<187>Nov 23 2026 07:41:12 fw1 : %ASA-1-103001: x", "fw1", "", "", "ASA-1-103001", "x"),
    ],
)
def test_lines_are_read_in_every_form(written: str, host: str, app: str, procid: str, msgid: str, text: str) -> None:
    told = _syslog.from_line(written, UTC, NOW)
    assert (told.host, told.app, told.procid, told.msgid, told.text) == (host, app, procid, msgid, text)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("-", {}),
        ("[a]", {}),
        ('[a b="c" d="e f"]', {"a.b": "c", "a.d": "e f"}),
        ('[a@1 b="c"][d b="x"]', {"a@1.b": "c", "d.b": "x"}),
        (r'[a b="1\"2\]3\\4\n"]', {"a.b": r'1"2]3\4\n'}),
        ('[a b=""]', {"a.b": ""}),
    ],
)
def test_structured_data_become_labels(data: str, found: dict[str, str]) -> None:
    told = _syslog.from_line(f"<27>1 - web1 app - - {data} text", UTC, NOW)
    assert (told.data, told.text) == (found, "text")


def test_octet_counting_keeps_line_feeds() -> None:
    frames = [line("a\nb é"), line("c", host="web2")]
    body = b"".join(b"%d %s" % (len(frame.encode()), frame.encode()) for frame in frames)
    for between in (body, body.replace(b"8 <", b"8 <", 1) + b"\n"):
        told = parse(between)
        assert [alert.summary for alert in told if isinstance(alert, Alert)] == ["a\nb é", "c"]


@pytest.mark.parametrize(
    ("written", "zone", "starts_at"),
    [
        ("Nov 23 07:41:12", "UTC", "2026-11-23T07:41:12Z"),
        ("Nov 23 08:41:12", "Europe/Paris", "2026-11-23T07:41:12Z"),
        ("Nov 24 07:00:00", "UTC", "2026-11-24T07:00:00Z"),
        ("Dec 31 23:59:59", "UTC", "2025-12-31T23:59:59Z"),
        ("Feb 29 10:00:00", "UTC", None),
    ],
)
def test_a_time_without_a_year_is_the_latest_that_has_been(written: str, zone: str, starts_at: str | None) -> None:
    alert = one(f"<27>{written} web1 app: x", zone=zone)
    assert alert.starts_at == (datetime.fromisoformat(starts_at) if starts_at else None)
    assert alert.said_at is None


def test_the_clock_of_the_log_daemon_says_which_message_is_the_newer() -> None:
    told = {"host": "web1", "message": "x", "time": "2026-11-23T07:00:00Z", "received": "2026-11-23T07:41:12.5Z"}
    alert = one(told)
    assert (alert.starts_at, alert.said_at) == (
        datetime(2026, 11, 23, 7, tzinfo=UTC),
        datetime(2026, 11, 23, 7, 41, 12, 500_000, tzinfo=UTC),
    )
    assert one(line("x")).said_at == datetime(2026, 11, 23, 7, 41, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Failed password for root from 192.0.2.7 port 5022", "Failed password for root from 198.51.100.9 port 61"),
        ("peer fe80::1 lost", "peer 2001:db8::77 lost"),
        ("request 123e4567-e89b-12d3-a456-426614174000 failed", "request 00000000-0000-4000-8000-0000000000ff failed"),
        ("segfault at 0 ip 00007f5064222600 sp 0x7ffd", "segfault at 8 ip 00007f5064222aaa sp 0x1"),
        ("disk is 97% full after 12ms, (code=3)", "disk is 8% full after 1200ms, (code=44)"),
    ],
)
def test_numbers_and_addresses_do_not_identify(first: str, second: str) -> None:
    assert one(line(first)).fingerprint == one(line(second)).fingerprint


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("link eth0 lost", "link eth1 lost"),
        ("I/O error on sda1", "I/O error on sdb1"),
        ("/srv/d1 is full", "/srv/d2 is full"),
        ("unit nginx failed", "unit postgres failed"),
    ],
)
def test_names_do(first: str, second: str) -> None:
    assert one(line(first)).fingerprint != one(line(second)).fingerprint


def test_a_msgid_identifies_whatever_the_text() -> None:
    first, again, other = (one(line(text, msgid=msgid)) for text, msgid in [("a", "M1"), ("b", "M1"), ("a", "M2")])
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert (first.check, one(line("x")).check, one(line("x", app="-")).check) == ("app/M1", "app", "syslog")


@pytest.mark.parametrize("change", [{"host": "web2"}, {"app": "other"}])
def test_host_and_application_identify(change: dict[str, str]) -> None:
    assert one(line("x", **change)).fingerprint != one(line("x")).fingerprint  # type: ignore[arg-type]
    assert one(line("x", msgid="M", **change)).fingerprint != one(line("x", msgid="M")).fingerprint  # type: ignore[arg-type]


def test_severity_and_process_do_not_identify() -> None:
    assert one(line("x", 26)).fingerprint == one(line("x").replace(" 12 ", " 13 ")).fingerprint


PAIR = {"check": "link", "firing": r"link (?P<port>\S+) is down", "resolved": r"link (?P<port>\S+) is up"}


def test_a_pair_begins_and_ends_one_problem_for_each_capture() -> None:
    texts = [("a link p1 is down", 3), ("link p1 is down again", 6), ("link p1 is up", 6), ("link p2 is down", 3)]
    began, again, over, other = (one(line(text, 8 + number, msgid=text[0]), pairs=[PAIR]) for text, number in texts)
    assert began.fingerprint == again.fingerprint == over.fingerprint != other.fingerprint
    assert [alert.status for alert in (began, again, over)] == [Status.FIRING, Status.FIRING, Status.RESOLVED]
    assert {(alert.check, alert.labels["port"], alert.ends_at is None) for alert in (began, again)} == {
        ("link", "p1", True)
    }
    assert over.ends_at == datetime(2026, 11, 23, 7, 41, 12, tzinfo=UTC)


def test_a_pair_may_be_of_one_application_and_say_the_severity() -> None:
    pairs = [{**PAIR, "app": "kernel", "severity": "critical"}]
    assert one(line("link p1 is down", 14, app="kernel"), pairs=pairs).severity == Severity.CRITICAL
    assert parse(line("link p1 is down", 14), pairs=pairs) == []


def test_the_first_pair_counts_and_of_both_sides_the_end() -> None:
    pairs = [{"check": "one", "firing": "down", "resolved": "down and up"}, {"check": "two", "firing": "up"}]
    assert one(line("down and up"), pairs=pairs).status == Status.RESOLVED
    assert [one(line(text), pairs=pairs).check for text in ("down", "up")] == ["one", "two"]


def test_what_nothing_ends_is_believed_for_a_while() -> None:
    assert one(line("x")).ends_at == NOW + timedelta(hours=1)
    assert one(line("x"), forget_after="10m").ends_at == NOW + timedelta(minutes=10)
    assert one(line("link p1 is down"), pairs=[{**PAIR, "resolved": None}]).ends_at == NOW + timedelta(hours=1)


def test_a_counted_repeat_is_the_message() -> None:
    assert one(line("message repeated 3 times: [ disk full]")).fingerprint == one(line("disk full")).fingerprint


@pytest.mark.parametrize("app", ["sshd[12]:", "sshd[12]", "sshd:", "sshd"])
def test_a_tag_is_an_application(app: str) -> None:
    told = _syslog.from_json({"host": "web1", "msg": " x ", "syslogtag": app, "procid": "-"})
    assert (told.app, told.procid, told.text) == ("sshd", "12" if "12" in app else "", "x")


def test_a_long_text_is_not_cut_before_it_is_a_summary() -> None:
    assert len(_syslog.from_json({"host": "web1", "message": "x" * 9_000}).text) == 9_000


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("hello", "no line of syslog"),
        ("<27>hello", "no line of syslog"),
        ({"host": "web1"}, "no text"),
        ({"message": "x"}, "host is missing"),
        ("<27>1 - - app - - - x", "host is missing"),
    ],
)
def test_what_is_missing_is_named(body: Any, sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        parse(body)


def test_lines_and_json_are_told_apart_by_the_body() -> None:
    assert one({"host": "web1", "message": "x"}, severity_default="minor").severity == Severity.MINOR
    with pytest.raises(NotJsonError):
        parse(line("x"), "application/json")
    assert parse(" \n\n", "text/plain") == []


def test_a_broken_line_loses_no_other() -> None:
    found = parse(f"{line('a')}\nhello\n{line('b', 30)}\n{line('c')}\n")
    assert [type(entry) for entry in found] == [Alert, Unreadable, Alert]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pairs": [{"check": "a", "firing": "("}]}, "not a regular expression of RE2"),
        ({"pairs": [{"check": "a", "firing": "(?=a)"}]}, "neither ahead nor behind"),
        ({"pairs": [{"check": "a", "firing": "a" * 3_000}]}, "shorten it"),
        ({"pairs": [{"check": "", "firing": "a"}]}, "at least 1 character"),
        ({"pairs": [{"firing": "a"}]}, "Field required"),
        ({"least": "bad"}, "emerg"),
        ({"forget_after": "0s"}, "greater than"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        syslog.Options.model_validate(options)


def test_the_shipped_settings_are_right() -> None:
    settings = yaml.safe_load((SNIPPETS / "tocsin.yaml").read_text(encoding="utf-8"))["sources"]["syslog"]
    options = settings["options"]
    sw1 = "<187>Nov 23 07:41:12 sw1 %LINK-3-UPDOWN: Interface Gi0/3, changed state to"
    began, over = one(f"{sw1} down", **options), one(f"{sw1} up", **options)
    assert (began.fingerprint, began.check, over.status) == (over.fingerprint, "interface", Status.RESOLVED)
    assert set(options) | {"severity_default"} == set(syslog.Options.model_fields)


def test_several_expressions_are_looked_for_at_once() -> None:
    several = _regex.Several(["down", "up$", "é"])
    assert (several.found("é down"), several.found("\ud800"), _regex.Several([]).found("x")) == ([0, 2], [], [])


@given(st.text(alphabet='<>0123456789abc :[]="\\-.%NovT', max_size=80))
def test_any_line_is_read_or_refused(text: str) -> None:
    for prefix in ("", "<27>1 2026-11-23T07:41:12Z web1 app - - ", "<27>Nov 23 07:41:12 "):
        try:
            told = _syslog.from_line(prefix + text, UTC, NOW)
        except PayloadError as error:
            assert "no line of syslog" in str(error)  # noqa: PT017 - most are refused, and none may break
        else:
            assert all(isinstance(part, str) for part in (told.host, told.app, told.procid, told.msgid, told.text))


@HANGS
def test_structured_data_without_end_cost_no_more_than_reading_them() -> None:
    head = "<27>1 2026-11-23T07:41:12Z web1 app - - "
    for data in ("[a]" * 1_000_000, '[a b="c"]' * 300_000, "[a" + " " * 3_000_000, '[a b="\\' * 300_000):
        assert _syslog.from_line(head + data, UTC, NOW).host == "web1"
