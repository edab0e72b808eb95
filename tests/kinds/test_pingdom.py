from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Unreadable
from tocsin.sources import pingdom

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
DOWN = {
    "check_id": 77,
    "check_name": "Shop",
    "check_type": "HTTP",
    "check_params": {"hostname": "shop.example.net", "full_url": "https://shop.example.net/"},
    "current_state": "DOWN",
    "importance_level": "HIGH",
    "state_changed_timestamp": 1795419851,
}
INCIDENT = {
    "check": "77",
    "checkname": "Shop",
    "host": "shop.example.net",
    "incidentid": 3,
    "action": "assign",
    "description": "down",
}


def parse(message: Any) -> list[Alert | Unreadable]:
    return pingdom.parse(Payload(body=json.dumps(message).encode()), pingdom.Options(), NOW)


def only(message: dict[str, Any]) -> Alert:
    (alert,) = parse(message)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ("firing", "critical")),
        ({"importance_level": "LOW"}, ("firing", "warning")),
        ({"importance_level": None}, ("firing", "critical")),
        ({"current_state": "up"}, ("resolved", "critical")),
        ({"current_state": "FAILING"}, ("firing", "critical")),
        ({"current_state": "SUCCESS"}, ("resolved", "critical")),
        ({"current_state": "UNKNOWN"}, ("firing", "critical")),
    ],
)
def test_the_state_decides_and_the_importance_is_the_severity(change: dict[str, Any], told: tuple[str, str]) -> None:
    alert = only(DOWN | change)
    assert (alert.status, alert.severity) == told


@pytest.mark.parametrize("state", ["UNCONFIRMED_DOWN", "PAUSED"])
def test_what_is_not_confirmed_or_paused_is_no_alert(state: str) -> None:
    assert parse(DOWN | {"current_state": state}) == []


def test_the_check_identifies_and_nothing_else() -> None:
    other = {"check_name": "Store", "current_state": "UP", "check_params": {"hostname": "x.example.net"}}
    assert only(DOWN | other).fingerprint == only(DOWN).fingerprint == only(INCIDENT).fingerprint
    assert only(DOWN | {"check_id": 78}).fingerprint != only(DOWN).fingerprint
    assert only(INCIDENT | {"incidentid": 4}).fingerprint == only(INCIDENT).fingerprint


@pytest.mark.parametrize(
    ("action", "description", "status"),
    [
        ("assign", "down", "firing"),
        ("notify_of_close", "up", "resolved"),
        ("notify_user", "down", "firing"),
        ("", "up", "resolved"),
    ],
)
def test_the_older_webhook_assigns_and_closes(action: str, description: str, status: str) -> None:
    assert only(INCIDENT | {"action": action, "description": description}).status == status


def test_other_actions_are_what_people_do() -> None:
    assert parse(INCIDENT | {"action": "acknowledge"}) == []


@pytest.mark.parametrize(
    ("parameters", "resource"),
    [
        ({"hostname": "a.example.net", "url": "/x"}, "a.example.net"),
        ({"full_url": "https://b.example.net:444/x"}, "b.example.net"),
        ({"url": "c.example.net/x"}, "c.example.net"),
        ({"full_url": "http://[broken"}, "Shop"),
        ({}, "Shop"),
        (None, "Shop"),
    ],
)
def test_the_resource_is_the_host_that_is_checked(parameters: Any, resource: str) -> None:
    assert only(DOWN | {"check_params": parameters}).resource == resource


def test_tags_become_labels_and_headers_do_not() -> None:
    labels = only(
        DOWN | {"tags": ["shop", "team:web"], "check_params": {"header": "Authorization: made-up", "auth": "made-up"}}
    ).labels
    assert (labels["shop"], labels["team"], labels["check_type"]) == ("true", "web", "HTTP")
    assert "made-up" not in str(labels)


def test_a_time_without_an_offset_is_utc() -> None:
    told = DOWN | {"state_changed_timestamp": None, "state_changed_utc_time": "2026-11-23T07:44:11"}
    assert (
        only(told).starts_at
        == only(told).said_at
        == only(DOWN).starts_at
        == datetime(2026, 11, 23, 7, 44, 11, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "check_id and current_state are missing"),
        ({"check_id": 1}, "current_state is ''"),
        (DOWN | {"check_id": None}, "identity of the problem is missing"),
        ({"message": "{"}, "the JSON of message is no JSON"),
        ({"check": 1}, "action is missing"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_neither_the_token_of_the_address_nor_that_of_an_url_is_a_label() -> None:
    parameters = {
        "hostname": "shop.example.net",
        "url": "/start?token=made-up",
        "full_url": "https://someone:made-up@shop.example.net/",
        "additional_urls": ["https://shop.example.net/a?key=made-up", "https://shop.example.net/b"],
    }
    body = json.dumps(DOWN | {"check_params": parameters}).encode()
    (alert,) = pingdom.parse(Payload(body=body, given={"key": "made-up"}), pingdom.Options(), NOW)
    assert isinstance(alert, Alert)
    assert "made-up" not in str(alert)
    assert alert.labels["check_params_additional_urls"] == "https://shop.example.net/a, https://shop.example.net/b"


def test_a_name_that_is_too_long_is_cut() -> None:
    told = only(DOWN | {"check_name": "n" * 600, "check_params": {}})
    assert (len(told.check), len(told.resource)) == (512, 512)
