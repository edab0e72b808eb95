from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status
from tocsin.sources import kapacitor

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
WHEN = datetime(2026, 11, 23, 7, 31, 10, tzinfo=UTC)
ALERT = {"id": "cpu:host=web1", "level": "CRITICAL", "previousLevel": "OK", "time": "2026-11-23T07:31:10Z"}


def series(tags: Any, columns: Any = (), *values: Any) -> dict[str, Any]:
    return {"data": {"series": [{"name": "cpu", "tags": tags, "columns": columns, "values": values}]}}


def parse(message: Any, **options: Any) -> Alert:
    payload = Payload(body=json.dumps(message).encode(), source="tick")
    (alert,) = kapacitor.parse(payload, kapacitor.Options(**options), NOW)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("level", "previous", "status", "severity"),
    [
        ("CRITICAL", "OK", Status.FIRING, Severity.CRITICAL),
        ("WARNING", "CRITICAL", Status.FIRING, Severity.WARNING),
        ("INFO", "OK", Status.FIRING, Severity.INFO),
        ("OK", "CRITICAL", Status.RESOLVED, Severity.CRITICAL),
        ("ok", "", Status.RESOLVED, Severity.MAJOR),
    ],
)
def test_the_level_decides(level: str, previous: str, status: Status, severity: Severity) -> None:
    alert = parse(ALERT | {"level": level, "previousLevel": previous})
    assert (alert.status, alert.severity) == (status, severity)


@pytest.mark.parametrize(
    ("identity", "tags", "resource", "check"),
    [
        ("cpu:host=web1", {"host": "web1"}, "web1", "cpu"),
        ("cpu:nil", {"host": "web1"}, "web1", "cpu"),
        ("disk:host=web1,path=/srv", {"host": "web1", "path": "/srv"}, "web1", "disk:path=/srv"),
        (
            "http:url=https://shop.example.net/",
            {"url": "https://shop.example.net/"},
            "https://shop.example.net/",
            "http",
        ),
        ("cpu:instance=web1:9100", {"instance": "web1:9100"}, "web1", "cpu"),
        ("load of web1", {"host": "web1"}, "web1", "load of web1"),
        ("web1: load: high", {"host": "web1"}, "web1", "web1: load: high"),
        ("queue", {}, "tick", "queue"),
        (":", {}, "tick", ":"),
    ],
)
def test_the_check_is_the_id_without_the_host(identity: str, tags: dict[str, str], resource: str, check: str) -> None:
    alert = parse(ALERT | {"id": identity} | series(tags))
    assert (alert.fingerprint, alert.resource, alert.check) == (identity, resource, check)


def test_a_team_may_choose_the_tag_that_names_the_resource() -> None:
    alert = parse(ALERT | {"id": "cpu:site=caen"} | series({"host": "web1", "site": "caen"}), resource_tags=("site",))
    assert (alert.resource, alert.check) == ("caen", "cpu")


def test_tags_and_the_last_point_are_labels() -> None:
    told = parse(ALERT | series({"host": "web1"}, ["time", "idle", "busy"], ["t", 9, 1], ["t", 4.5, None]))
    assert told.labels == {"idle": "4.5", "name": "cpu", "host": "web1"} | {
        name: ALERT[name] for name in ("id", "level", "previousLevel")
    }


@pytest.mark.parametrize(
    "data", [None, {}, {"series": None}, {"series": [None]}, {"series": [{"columns": 3, "values": [1]}]}]
)
def test_strange_data_are_no_labels(data: Any) -> None:
    assert parse(ALERT | {"data": data}).labels.keys() <= {"id", "level", "previousLevel"}


@pytest.mark.parametrize(
    ("duration", "start"),
    [
        (0, WHEN),
        (300_250_000_000, WHEN - timedelta(seconds=300.25)),
        (-1, WHEN),
        (10**30, WHEN),
        ("5m", WHEN),
        (None, WHEN),
    ],
)
def test_the_problem_began_a_duration_before(duration: Any, start: datetime) -> None:
    alert = parse(ALERT | {"duration": duration})
    assert (alert.starts_at, alert.said_at, alert.ends_at) == (start, WHEN, None)
    assert parse(ALERT | {"level": "OK", "duration": duration}).ends_at == WHEN


@pytest.mark.parametrize(
    ("details", "description"),
    [
        ("plain", "plain"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("{&#34;Name&#34;:&#34;cpu&#34;}\n", ""),
        ('{"Name":"cpu"}', ""),
        ("<p>one</p><p>two &amp; three</p>", "one\ntwo & three"),
        ("load < 3", "load < 3"),
    ],
)
def test_details_lose_their_html(details: str, description: str) -> None:
    assert parse(ALERT | {"details": details}).description == description


@pytest.mark.parametrize("missing", ["id", "level"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(PayloadError, match=f"{missing} is missing"):
        parse({name: value for name, value in ALERT.items() if name != missing})


def test_points_are_no_alert() -> None:
    with pytest.raises(PayloadError, match="id is missing"):
        parse(series({"host": "web1"})["data"])
