from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import NotJsonError, slack

HANGS = pytest.mark.timeout(60)  # what is not linear takes many minutes with these

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LINK = "https://alertmanager.example.net/#/alerts?receiver=all"


def parse(message: Any, **options: Any) -> list[Alert | Unreadable]:
    return slack.parse(Payload(body=json.dumps(message).encode(), source="chat"), slack.Options(**options), NOW)


def only(message: Any, **options: Any) -> Alert:
    (alert,) = parse(message, **options)
    assert isinstance(alert, Alert)
    return alert


def attached(**fields: Any) -> dict[str, Any]:
    return {"attachments": [fields]}


def test_json_form_and_json_that_is_called_a_form_are_the_same_message() -> None:
    message = {"text": "CRITICAL: load on db1 is 48 & more"}
    body = json.dumps(message).encode()
    form = urlencode({"payload": body.decode()}).encode()
    for told in (
        Payload(body=form, content_type=slack.FORM, source="chat"),
        Payload(body=form, content_type="text/plain", source="chat"),
        Payload(body=body, content_type=slack.FORM, source="chat"),
        Payload(body=urlencode(message).encode(), content_type=slack.FORM, source="chat"),
    ):
        assert slack.parse(told, slack.Options(), NOW) == [only(message)]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ({"text": "RESOLVED: disk full on db1"}, Status.RESOLVED),
        ({"text": "disk full on db1"}, Status.FIRING),
        (attached(title="disk full on db1", color="good"), Status.RESOLVED),
        (attached(title="disk full on db1", color="danger"), Status.FIRING),
        (attached(title="disk full on db1", color="#2eb886"), Status.RESOLVED),
        (attached(title="disk full on db1", color="#0a0"), Status.RESOLVED),
        (attached(title="disk full on db1", color="#888888"), Status.FIRING),
        (attached(title="disk full on db1", color="#439FE0"), Status.FIRING),
        (attached(title="[FIRING] disk full on db1", color="good"), Status.FIRING),
        (attached(title="disk full on db1", fields=[{"title": "Status", "value": "OK"}]), Status.RESOLVED),
        (attached(title="disk full on db1", fields=[{"title": "State", "value": "OK -> CRITICAL"}]), Status.FIRING),
        ({"text": "✅ disk full on db1"}, Status.RESOLVED),
        ({"text": "disk full on db1 :large_green_circle:"}, Status.RESOLVED),
        ({"text": "Low available memory on db1"}, Status.FIRING),
        ({"text": "*RESOLVED*\ndisk full on db1"}, Status.RESOLVED),
    ],
)
def test_words_then_fields_then_the_colour_say_the_state(message: Any, status: Status) -> None:
    assert only(message).status == status


@pytest.mark.parametrize(
    "title",
    [
        "[FIRING:1] DiskFull prod-a (/var db1 critical)",
        "[FIRING:7] DiskFull prod-a (critical)",
        "[RESOLVED] DiskFull prod-a",
    ],
)
def test_a_group_is_known_by_its_grouping_labels_however_its_members_change(title: str) -> None:
    told = attached(title=title, title_link=LINK, fallback=f"{title} | {LINK}", color="danger")
    own = attached(title="Disk almost full", title_link=LINK, fallback=f"{title} | {LINK}", color="danger")
    first = only(attached(title="[FIRING:2] DiskFull prod-a (/var critical)", title_link=LINK))
    assert only(told).fingerprint == only(own).fingerprint == first.fingerprint
    other = attached(title="[FIRING:1] DiskFull prod-b (/var db1 critical)", title_link=LINK)
    assert only(other).fingerprint != first.fingerprint


def test_a_heading_of_another_tool_keeps_what_stands_in_brackets() -> None:
    one = only({"text": "[FIRING:1] DiskFull (db1)"})
    assert one.fingerprint == only({"text": "[RESOLVED] DiskFull (db1)"}).fingerprint
    assert one.fingerprint != only({"text": "[FIRING:1] DiskFull (db2)"}).fingerprint


def test_a_group_of_grafana_is_known_by_its_grouping_labels_too() -> None:
    footer = "Grafana v11.3.0"
    one = only(attached(title="[FIRING:1] CPU Servers (web02)", footer=footer))
    two = only(attached(title="[FIRING:1, RESOLVED:1] CPU Servers ", footer=footer))
    over = only(attached(title="[RESOLVED] CPU Servers (web03)", footer=footer))
    assert one.fingerprint == two.fingerprint == over.fingerprint
    assert (two.status, over.status) == (Status.FIRING, Status.RESOLVED)


def test_a_group_without_grouping_labels_is_known_by_its_receiver() -> None:
    one = only(attached(title="[FIRING:1]  (DiskFull db1)", title_link=LINK))
    assert (one.check, one.fingerprint) == ("all", only(attached(title="[RESOLVED]  (X)", title_link=LINK)).fingerprint)


def test_fields_for_host_and_check_identify_without_any_text() -> None:
    fields = [
        {"title": "Host", "value": "<https://m.example.net|db1> (192.0.2.1)"},
        {"title": "Service", "value": "Disk"},
    ]
    one = only(attached(title="something is wrong: 7", fields=fields))
    assert (one.resource, one.check) == ("db1", "Disk")
    assert one.fingerprint == only(attached(title="all is well", color="good", fields=fields)).fingerprint
    lines = {"text": "Recovery!\nHost: db1\n*Service:* Disk\nState: OK"}
    assert (only(lines).fingerprint, only(lines).status) == (one.fingerprint, Status.RESOLVED)


def test_a_host_alone_leaves_the_check_to_the_line() -> None:
    def told(text: str) -> str:
        return only(attached(text=text, fields=[{"title": "Host", "value": "db1"}])).fingerprint

    assert told("Problem: disk full") == told("Resolved: disk full")
    assert told("Problem: disk full") != told("Problem: load")


def test_the_options_name_what_identifies() -> None:
    def told(title: str, rule: str) -> Alert:
        return only(
            {"rule": {"id": rule}} | attached(title=title, fields=[{"title": "Ticket", "value": "7"}]),
            identity_fields=("rule.id",),
            resource_fields=("attachments.0.title",),
            check_fields=("Ticket",),
        )

    one = told("a is down", "r1")
    assert (one.resource, one.check) == ("a is down", "7")
    assert one.fingerprint == told("nothing alike", "r1").fingerprint
    assert one.fingerprint != told("a is down", "r2").fingerprint
    assert (
        only({"text": "x is down"}, identity_fields=("rule.id",)).fingerprint == only({"text": "x is up"}).fingerprint
    )


def test_figures_identify_only_where_the_options_say_so() -> None:
    one, other = {"text": "queue has 1200 messages"}, {"text": "queue has 3 messages"}
    assert only(one).fingerprint == only(other).fingerprint
    assert only(one, mask_numbers=False).fingerprint != only(other, mask_numbers=False).fingerprint


@pytest.mark.parametrize(
    "message",
    [
        {"text": "ACKNOWLEDGEMENT: disk on db1 is CRITICAL"},
        {"text": "x is down", "attachments": [{"title": "DOWNTIMESTART"}]},
        attached(title="db1 is DOWN", fields=[], pretext="Acknowledged by the team"),
    ],
)
def test_what_people_do_about_a_problem_is_no_alert(message: Any) -> None:
    assert parse(message) == []


@pytest.mark.parametrize(
    ("message", "severity"),
    [
        (attached(title="x is wrong", fields=[{"title": "Severity", "value": "minor"}]), "minor"),
        ({"text": "CRITICAL: x"}, "critical"),
        (attached(title="x is wrong", color="warning"), "warning"),
        (attached(title="x is wrong", color="#FFDD00"), "warning"),
        (attached(title="x is wrong", color="danger"), "major"),
        (attached(title="x is wrong", color="#D63232"), "major"),
    ],
)
def test_severities(message: Any, severity: str) -> None:
    assert only(message).severity == severity


def test_the_answer_is_what_slack_says() -> None:
    told = slack.answer(Payload(body=b"{}"), [])
    assert (told.status, told.body, told.media_type) == (200, b"ok", "text/plain")


@pytest.mark.parametrize(
    "message",
    [{}, {"text": ""}, {"text": None, "attachments": [{}]}, {"blocks": [{"type": "divider"}]}, {"attachments": 7}],
)
def test_a_message_that_says_nothing_is_refused(message: Any) -> None:
    with pytest.raises(PayloadError, match="the message says nothing"):
        parse(message)


def test_a_form_without_a_message_is_refused() -> None:
    told = Payload(body=b"token=x&a=b", content_type=slack.FORM)
    with pytest.raises(PayloadError, match="no field `payload`"):
        slack.parse(told, slack.Options(), NOW)
    with pytest.raises(NotJsonError):
        slack.parse(Payload(body=b"payload=hello", content_type=slack.FORM), slack.Options(), NOW)


@pytest.mark.parametrize(
    "text",
    ["Problem: disk full on db1\nAcknowledged: No", "Acknowledged: no\ndisk full on db1", "x is down\nMuted until 9"],
)
def test_a_line_that_only_mentions_an_acknowledgement_loses_no_alert(text: str) -> None:
    assert only({"text": text}).status == Status.FIRING


def test_only_grafana_and_an_end_say_when_they_were_said() -> None:
    stamp = 1_795_419_660
    when = datetime.fromtimestamp(stamp, UTC)
    for footer, said_at in (("Grafana v11.3.0", when), ("netdata", None)):
        told = only(attached(title="[FIRING] disk full on db1", ts=stamp, footer=footer))
        assert told.said_at == said_at
    assert only(attached(title="[RESOLVED] disk full on db1", ts=stamp)).said_at == when


@HANGS
@pytest.mark.parametrize(
    "line", ["Ho" + " " * 50_000 + "st x:", "_" * 50_000 + "a:", "a" * 50_000 + ": b", "é" * 50_000]
)
def test_a_long_line_costs_no_more_than_reading_it(line: str) -> None:
    parse({"text": f"disk full on db1\n{line}", "attachments": [{"title": line, "text": f"x {line}"}]})


@HANGS
def test_many_lines_cost_no_more_than_a_few() -> None:
    lines = "\n".join("-> " * 130 + str(number) for number in range(8))
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"{at}\n{lines}"}} for at in range(50)]
    parse({"blocks": blocks, "attachments": [{"blocks": blocks}] * 50})
