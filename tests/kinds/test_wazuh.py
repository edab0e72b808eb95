from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Unreadable
from tocsin.sources import NotJsonError, wazuh

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ALERT = {
    "timestamp": "2026-11-23T07:44:11.937+0000",
    "rule": {"id": "5763", "level": 10, "description": "sshd: brute force"},
    "agent": {"id": "004", "name": "web1"},
    "manager": {"name": "wazuh1"},
    "location": "/var/log/auth.log",
}


def parse(message: Any) -> list[Alert | Unreadable]:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return wazuh.parse(Payload(body=body), wazuh.Options(), NOW)


def only(message: dict[str, Any]) -> Alert:
    (alert,) = parse(message)
    assert isinstance(alert, Alert)
    return alert


def rule(number: str, level: int = 3, **more: Any) -> dict[str, Any]:
    return ALERT | {"rule": {"id": number, "level": level, "description": "x"}} | more


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        *((0, "info"), (3, "info"), (4, "warning"), (6, "warning"), (7, "minor"), (11, "minor"), (12, "major")),
        *((14, "major"), (15, "critical"), (16, "critical"), ("13", "major"), (None, "major"), ("high", "major")),
    ],
)
def test_the_level_is_the_severity(level: Any, severity: str) -> None:
    assert only(rule("5763", level)).severity == severity


@pytest.mark.parametrize(
    "change",
    [
        {"id": "9.9", "timestamp": "2026-11-23T09:00:00.000+0000", "full_log": "x", "location": "journald"},
        {"rule": {"id": "5763", "level": 12, "description": "other words", "firedtimes": 7}},
        {"manager": {"name": "wazuh2"}, "cluster": {"node": "worker"}, "data": {"srcip": "192.0.2.1"}},
    ],
)
def test_agent_and_rule_identify_and_nothing_else(change: dict[str, Any]) -> None:
    assert only(ALERT | change).fingerprint == only(ALERT).fingerprint


@pytest.mark.parametrize(
    "change",
    [{"agent": {"id": "005", "name": "web2"}}, {"rule": {"id": "5764"}}, {"syscheck": {"path": "/etc/passwd"}}],
)
def test_another_agent_rule_or_file_is_another_problem(change: dict[str, Any]) -> None:
    assert only(ALERT | change).fingerprint != only(ALERT).fingerprint


PAIRS = [
    *(("504", "503"), ("504", "501"), ("506", "503"), ("504", "505")),
    *(("202", "205"), ("203", "205"), ("204", "205"), ("231", "234"), ("233", "234"), ("236", "238")),
]


@pytest.mark.parametrize(("first", "last"), PAIRS)
def test_some_rules_open_a_problem_and_others_end_it(first: str, last: str) -> None:
    opened, ended = only(rule(first)), only(rule(last))
    assert (opened.status, ended.status) == ("firing", "resolved")
    assert (opened.fingerprint, opened.check) == (ended.fingerprint, ended.check)
    assert (opened.ends_at, ended.ends_at) == (None, datetime(2026, 11, 23, 7, 44, 11, 937_000, tzinfo=UTC))


def test_the_problems_of_one_agent_are_told_apart() -> None:
    assert len({only(rule(number)).fingerprint for number in ("504", "204", "233", "237", "5763")}) == 5


def test_the_manager_may_speak_for_an_agent_that_is_gone() -> None:
    gone = rule("504", agent={"id": "000", "name": "wazuh1"}, full_log="ossec: Agent disconnected: 'web-1-192.0.2.14'.")
    back = rule("503", agent={"id": "004", "name": "web-1"}, full_log="ossec: Agent started: 'web-1->192.0.2.14'.")
    assert only(gone).resource == "web-1"
    assert only(gone).fingerprint == only(back).fingerprint


def test_a_vulnerability_is_over_when_it_is_solved_and_a_policy_check_when_it_passes() -> None:
    def cve(status: str, package: str = "openssl") -> Alert:
        return only(
            rule(
                "23505",
                data={"vulnerability": {"cve": "CVE-2026-0001", "status": status, "package": {"name": package}}},
            )
        )

    def check(result: str, number: int = 33190) -> Alert:
        return only(rule("19007", data={"sca": {"policy_id": "cis", "check": {"id": number, "result": result}}}))

    for one in (cve, check):
        assert (one("Active").status, one("Active").fingerprint) == ("firing", one("failed").fingerprint)
    assert (cve("Solved").status, cve("Solved").fingerprint) == ("resolved", cve("Active").fingerprint)
    assert (check("passed").status, check("passed").fingerprint) == ("resolved", check("failed").fingerprint)
    assert cve("Active", "curl").fingerprint != cve("Active").fingerprint
    assert check("failed", 2).fingerprint != check("failed").fingerprint


@pytest.mark.parametrize(
    ("message", "resource"),
    [
        (ALERT | {"agent": None, "location": "(db1) 192.0.2.20->/var/log/auth.log"}, "db1"),
        (ALERT | {"agent": None, "location": "web7->/var/log/auth.log"}, "web7"),
        (ALERT | {"agent": None, "hostname": "web8"}, "web8"),
        (
            ALERT | {"agent": {"id": "000", "name": "m"}, "location": "192.0.2.1", "predecoder": {"hostname": "fw1"}},
            "fw1",
        ),
        (ALERT | {"agent": {"id": "000", "name": "m"}, "location": "2001:db8::1"}, "2001:db8::1"),
        (ALERT | {"agent": {}}, "wazuh1"),
    ],
)
def test_the_resource_is_the_agent_or_who_sent_the_log(message: dict[str, Any], resource: str) -> None:
    assert only(message).resource == resource


def test_json_lines_are_read_line_by_line() -> None:
    lines = b"\n".join((json.dumps(ALERT).encode(), b"", b"not JSON", b"[1]", json.dumps(rule("550")).encode()))
    first, second, third, fourth = parse(lines + b"\n")
    assert isinstance(first, Alert)
    assert isinstance(second, Unreadable)
    assert isinstance(third, Unreadable)
    assert (second.position, third.position) == (1, 2)
    assert isinstance(fourth, Alert)


@pytest.mark.parametrize("body", [b"", b"a\nb\n", b"{"])
def test_lines_of_something_else_are_no_json(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        parse(body)


@pytest.mark.parametrize("envelope", ["all_fields", "_source", "alert"])
def test_an_envelope_is_opened(envelope: str) -> None:
    assert only({"title": "x", envelope: ALERT}).fingerprint == only(ALERT).fingerprint


def test_an_empty_search_is_no_alert() -> None:
    assert parse([]) == []


def test_a_monitor_of_the_indexer_is_known_by_its_trigger() -> None:
    told = {
        "monitor": {"name": "logins"},
        "trigger": {"name": "many", "severity": "1"},
        "period_end": "2026-11-23T07:44:11Z",
    }
    assert (only(told).severity, only(told).check, only(told).status) == ("critical", "many", "firing")
    assert only(told | {"state": "COMPLETED"}).fingerprint == only(told | {"message": "y"}).fingerprint
    assert only(told | {"state": "COMPLETED"}).status == "resolved"
    assert only(told | {"trigger": "few"}).fingerprint != only(told).fingerprint


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "rule.id is missing"),
        ({"rule": {"level": 3}}, "rule.id is missing"),
        ({"rule": {"id": 1}}, "resource is missing"),
        (1, "rule.id"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_secrets_of_an_event_are_no_labels() -> None:
    labels = only(ALERT | {"data": {"srcuser": "shop", "password": "made-up"}}).labels
    assert labels["data_srcuser"] == "shop"
    assert "made-up" not in str(labels)


def test_each_file_that_rootcheck_finds_is_a_problem_of_its_own() -> None:
    def found(data: dict[str, str]) -> Alert:
        return only(rule("510", 7, location="rootcheck", data=data))

    first = found({"title": "File is owned by root and may be written by anyone.", "file": "/opt/a"})
    assert first.check == "rule 510 /opt/a"
    assert first.fingerprint == found({"title": "Other words.", "file": "/opt/a"}).fingerprint
    assert first.fingerprint != found({"title": "Other words.", "file": "/opt/b"}).fingerprint
    assert found({"title": "Trojaned version of file detected."}).check == "rule 510 Trojaned version of file detected."


def test_what_the_slack_integration_shows_is_the_same_problem() -> None:
    def shown(**fields: str) -> list[Alert | Unreadable]:
        listed = [{"title": name, "value": value} for name, value in fields.items()]
        return parse({"attachments": [{"pretext": "WAZUH Alert", "fields": listed, "ts": "1795419851.6780"}]})

    (told,) = shown(**{"Agent": "(004) - web1", "Rule ID": "5763 _(Level 10)_"})
    assert isinstance(told, Alert)
    assert told.fingerprint == only(ALERT).fingerprint
    (told,) = shown(**{"Agentless Host": "(sw1) 192.0.2.9", "Rule ID": "5763 _(Level 10)_"})
    assert isinstance(told, Alert)
    assert told.resource == "(sw1) 192.0.2.9"
    with pytest.raises(PayloadError, match=r"rule\.id is missing"):
        shown(Agent="(004) - web1")


def test_a_body_of_too_many_lines_is_refused() -> None:
    with pytest.raises(PayloadError, match="at most 100000 are taken"):
        wazuh.parse(Payload(body=b"a\n" * 100_001, content_type="text/plain"), wazuh.Options(), NOW)
