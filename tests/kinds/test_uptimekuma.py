from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Unreadable
from tocsin.sources import uptimekuma

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HEARTBEAT = {"monitorID": 12, "status": 0, "time": "2026-11-23 07:44:11.127", "msg": "timeout", "important": True}
MONITOR = {
    "id": 12,
    "name": "Shop",
    "type": "http",
    "url": "https://shop.example.net:8443/start",
    "hostname": None,
    "tags": [],
}


def parse(message: Any) -> list[Alert | Unreadable]:
    return uptimekuma.parse(Payload(body=json.dumps(message).encode()), uptimekuma.Options(), NOW)


def only(heartbeat: dict[str, Any] | None = None, monitor: dict[str, Any] | None = None) -> Alert:
    told = {
        "heartbeat": HEARTBEAT | (heartbeat or {}),
        "monitor": MONITOR | (monitor or {}),
        "msg": "[Shop] [Down] timeout",
    }
    (alert,) = parse(told)
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (0, ("firing", "critical")),
        ("0", ("firing", "critical")),
        (1, ("resolved", "info")),
        (True, ("resolved", "info")),
        ("🔴 Down", ("firing", "critical")),
        ("✅ Up", ("resolved", "info")),
    ],
)
def test_the_status_of_the_heartbeat_decides(status: Any, told: tuple[str, str]) -> None:
    alert = only({"status": status})
    assert (alert.status, alert.severity) == told


@pytest.mark.parametrize("status", [2, 3, "⚠️ Test", "🔧 Maintenance"])
def test_pending_maintenance_and_tests_are_no_alerts(status: Any) -> None:
    assert parse({"heartbeat": HEARTBEAT | {"status": status}, "monitor": MONITOR, "msg": "x"}) == []


@pytest.mark.parametrize(
    ("monitor", "resource"),
    [
        ({}, "shop.example.net"),
        ({"type": "ping", "url": "https://", "hostname": "gw1.example.net"}, "gw1.example.net"),
        ({"type": "port", "url": "https://old.example.net", "hostname": "db1.example.net"}, "db1.example.net"),
        ({"type": "push", "url": "https://"}, "Shop"),
        ({"type": "docker", "url": "https://", "docker_container": "shop-1"}, "shop-1"),
        ({"url": "http://[broken"}, "Shop"),
        ({"url": "http://user:made-up@[2001:db8::7]/"}, "2001:db8::7"),
    ],
)
def test_the_resource_is_the_host_that_is_watched(monitor: dict[str, Any], resource: str) -> None:
    alert = only(monitor=monitor)
    assert (alert.resource, alert.check) == (resource, "Shop")
    assert "made-up" not in str(alert.labels)


def test_only_the_id_of_the_monitor_identifies() -> None:
    assert (
        only(
            {"msg": "refused", "time": "2026-11-23 09:00:00"}, {"name": "Store", "url": "https://x.example.net"}
        ).fingerprint
        == only().fingerprint
    )
    assert only(monitor={"id": 13}).fingerprint != only().fingerprint


def test_what_is_resent_does_not_tell_when_it_began() -> None:
    at = datetime(2026, 11, 23, 7, 44, 11, 127_000, tzinfo=UTC)
    assert (only().starts_at, only().said_at) == (at, at)
    assert (only({"important": False}).starts_at, only({"important": False}).said_at) == (None, at)
    assert (only({"status": 1}).starts_at, only({"status": 1}).ends_at) == (None, at)


def test_tags_become_labels_and_secrets_do_not() -> None:
    tags = [{"name": "team", "value": "web"}, {"name": "customer-facing", "value": ""}]
    secrets = {"pushToken": "made-up", "basic_auth_pass": "made-up", "headers": "made-up", "screenshot": "/made-up.png"}
    labels = only(monitor={"tags": tags} | secrets).labels
    assert (labels["team"], labels["customer-facing"], labels["monitor_type"]) == ("web", "true", "http")
    assert "made-up" not in str(labels)


@pytest.mark.parametrize("verb", ["will be expired", "will expire"])
def test_a_certificate_that_expires_is_a_problem_until_it_has(verb: str) -> None:
    msg = f"[Shop][https://shop.example.net/] server certificate shop.example.net {verb} in 7 days"
    (alert,) = parse({"heartbeat": None, "monitor": None, "msg": msg})
    assert isinstance(alert, Alert)
    assert (alert.resource, alert.check) == ("shop.example.net", "server certificate shop.example.net")
    assert (alert.severity, alert.ends_at) == ("warning", NOW + timedelta(days=7))
    (later,) = parse({"heartbeat": None, "monitor": None, "msg": msg.replace("7", "6")})
    assert isinstance(later, Alert)
    assert later.fingerprint == alert.fingerprint


@pytest.mark.parametrize("msg", ["tocsin Testing", "", None])
def test_a_message_without_heartbeat_is_a_test(msg: str | None) -> None:
    assert parse({"heartbeat": None, "monitor": None, "msg": msg}) == []


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "heartbeat, monitor and msg are missing"),
        ({"heartbeat": {"monitorID": 1}, "monitor": MONITOR}, "heartbeat.status is ''"),
        ({"heartbeat": HEARTBEAT | {"status": 9}, "monitor": MONITOR}, "heartbeat.status is '9'"),
        ({"heartbeat": {"status": 0}, "monitor": {"hostname": "x"}}, "id and name of the monitor are missing"),
        ({"heartbeat": [1], "monitor": None}, "heartbeat is no object"),
        ({"Title": "x", "Body": "y", "status": 0}, "id and name of the monitor are missing"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


def test_a_monitor_without_a_name_has_its_number() -> None:
    assert only(monitor={"name": None, "url": None}).resource == "monitor 12"


@pytest.mark.parametrize("days", [14, 1, 0, -3])
def test_a_domain_that_expires_is_a_problem_for_a_day_at_least(days: int) -> None:
    (alert,) = parse({"heartbeat": None, "monitor": None, "msg": f"Domain name example.net will expire in {days} days"})
    assert isinstance(alert, Alert)
    assert (alert.resource, alert.check) == ("example.net", "Domain name example.net")
    assert alert.ends_at == NOW + timedelta(days=max(days, 1))


def test_a_body_without_an_id_is_known_by_name_and_address() -> None:
    def flat(status: str, name: str = "Shop", address: str = "https://shop.example.net/start") -> Alert:
        (alert,) = parse({"status": status, "name": name, "hostnameOrURL": address, "msg": "timeout"})
        assert isinstance(alert, Alert)
        return alert

    down, up = flat("🔴 Down"), flat("✅ Up")
    assert (down.status, up.status, down.resource) == ("firing", "resolved", "shop.example.net")
    assert down.fingerprint == up.fingerprint
    assert flat("🔴 Down", name="Store").fingerprint != down.fingerprint
    assert flat("🔴 Down", address="db1.example.net:5432").resource == "db1.example.net"
    assert flat("🔴 Down", address="Heartbeat").resource == "Shop"


def test_a_name_that_is_too_long_is_cut() -> None:
    told = only(monitor={"name": "n" * 600, "url": None})
    assert (len(told.check), len(told.resource), told.fingerprint) == (512, 512, "12")
