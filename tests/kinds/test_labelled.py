from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _labelled, alertmanager, prometheus

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LABELS = {"alertname": "Down", "instance": "app07:9100", "job": "node", "severity": "critical"}


def pushed(*entries: dict[str, Any], **options: Any) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps(entries).encode(), source="prom")
    return prometheus.parse(payload, prometheus.Options(**options), NOW)


def only(found: list[Alert | Unreadable]) -> Alert:
    (alert,) = found
    assert isinstance(alert, Alert), alert
    return alert


def notified(*entries: dict[str, Any]) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps({"version": "4", "status": "firing", "alerts": entries}).encode(), source="am")
    return alertmanager.parse(payload, alertmanager.Options(), NOW)


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("app07.example.net:9100", "app07.example.net"),
        ("app07", "app07"),
        ("10.0.0.5:8080", "10.0.0.5"),
        ("[2001:db8::1]:9100", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::1", "::1"),
        ("https://shop.example.net/health", "https://shop.example.net/health"),
        ("https://shop.example.net:8443", "https://shop.example.net:8443"),
        ("redis://cache:6379", "redis://cache:6379"),
        ("app07:http", "app07:http"),
        (":9100", ":9100"),
        ("", ""),
    ],
)
def test_an_instance_loses_its_port_and_nothing_else(instance: str, host: str) -> None:
    assert _labelled.host_of(instance) == host


@pytest.mark.parametrize(
    ("labels", "resource"),
    [
        ({"instance": "app07:9100", "pod": "cart-1"}, "app07"),
        ({"instance": "ksm:8080", "node": "worker-3"}, "worker-3"),
        ({"host": "", "pod": "cart-1", "service": "cart", "job": "cart"}, "cart-1"),
        ({"job": "node"}, "node"),
        ({"namespace": "shop"}, "prom"),
    ],
)
def test_the_first_label_that_names_a_resource_does(labels: dict[str, str], resource: str) -> None:
    assert only(pushed({"labels": {"alertname": "X", **labels}})).resource == resource


def test_a_team_may_choose_the_labels_that_name_the_resource() -> None:
    entry = {"labels": {**LABELS, "cluster": "caen", "prio": "p1"}}
    alert = only(pushed(entry, resource_labels=("cluster",), severity_label="prio"))
    assert (alert.resource, alert.severity) == ("caen", Severity.CRITICAL)


@pytest.mark.parametrize(("labels", "severity"), [({}, "minor"), ({"severity": "oops"}, "minor"), (LABELS, "critical")])
def test_a_missing_or_unknown_severity_is_the_default_one(labels: dict[str, str], severity: str) -> None:
    entry = {"labels": {"alertname": "X", **labels}}
    assert only(pushed(entry, severity_default="minor")).severity == severity


@pytest.mark.parametrize(
    ("ends_at", "status", "until"),
    [
        ({"endsAt": "2026-11-23T08:00:00.001Z"}, Status.FIRING, timedelta(milliseconds=1)),
        ({"endsAt": "2026-11-23T08:00:00Z"}, Status.RESOLVED, timedelta(0)),
        ({"endsAt": "2026-11-23T09:00:00+02:00"}, Status.RESOLVED, timedelta(hours=-1)),
        ({"endsAt": "0001-01-01T00:00:00Z"}, Status.FIRING, timedelta(minutes=5)),
        ({"endsAt": None}, Status.FIRING, timedelta(minutes=5)),
        ({"endsAt": ""}, Status.FIRING, timedelta(minutes=5)),
        ({}, Status.FIRING, timedelta(minutes=5)),
    ],
)
def test_prometheus_says_by_the_end_whether_it_fires(ends_at: dict[str, Any], status: Status, until: timedelta) -> None:
    alert = only(pushed({"labels": LABELS, **ends_at}))
    assert (alert.status, alert.ends_at) == (status, NOW + until)


def test_replicas_of_prometheus_tell_one_problem() -> None:
    one, other = (only(pushed({"labels": {**LABELS, "replica": name}})) for name in "ab")
    assert one == other
    assert "replica" not in one.labels
    apart = (only(pushed({"labels": {**LABELS, "replica": name}}, drop_labels=())) for name in "ab")
    assert len({alert.fingerprint for alert in apart}) == 2


@pytest.mark.parametrize("entry", [{"labels": {**LABELS, "shard": 7}}, {"labels": LABELS, "endsAt": None}])
def test_an_entry_read_slowly_is_the_alert_that_a_fast_one_is(entry: dict[str, Any]) -> None:
    labels = {name: str(value) for name, value in entry["labels"].items()}
    assert only(pushed(entry)) == only(pushed({"labels": labels}))


@pytest.mark.parametrize("text", ["5m", "1h30m"])
def test_the_resolve_timeout_is_written_as_other_spans(text: str) -> None:
    alert = only(pushed({"labels": LABELS}, resolve_timeout=text))
    assert alert.ends_at in {NOW + timedelta(minutes=5), NOW + timedelta(minutes=90)}


def test_other_annotations_join_the_labels_and_do_not_identify() -> None:
    plain = only(pushed({"labels": LABELS, "annotations": {"summary": "down"}}))
    alert = only(pushed({"labels": LABELS, "annotations": {"summary": "down", "runbook_url": "https://r", "job": "x"}}))
    assert alert.labels == {**LABELS, "runbook_url": "https://r"}
    assert alert.fingerprint == plain.fingerprint
    assert plain.labels == LABELS


@pytest.mark.parametrize(
    ("annotations", "summary"),
    [
        ({"summary": "s", "message": "m", "description": "d"}, "s"),
        ({"message": "m", "description": "d"}, "m"),
        ({"description": "d"}, "d"),
        ({"summary": "  "}, "Down: app07"),
        ({}, "Down: app07"),
    ],
)
def test_the_summary_is_the_best_text_there_is(annotations: dict[str, str], summary: str) -> None:
    assert only(pushed({"labels": LABELS, "annotations": annotations})).summary == summary


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"labels": {}}, "labels is empty"),
        ({"labels": {**LABELS, "alertname": "x" * 513}}, "labels.alertname has 513 characters"),
        ({"labels": {**LABELS, "a": {"b": 1}}}, "labels.a is nested"),
        ({"labels": LABELS, "annotations": {"a": [1]}}, "annotations.a is nested"),
        ({"labels": {"alertname": "X"} | {f"l{n}": "" for n in range(256)}}, "257 labels"),
        ({"labels": LABELS, "endsAt": "later"}, "endsAt"),
        ({"annotations": {}}, "labels"),
        (None, "this is not an alert"),
    ],
)
def test_a_bad_entry_is_told_and_does_not_lose_its_neighbours(entry: Any, problem: str) -> None:
    before, bad, after = pushed({"labels": LABELS}, entry, {"labels": LABELS})
    assert isinstance(before, Alert)
    assert isinstance(after, Alert)
    assert isinstance(bad, Unreadable)
    assert bad.position == 1
    assert problem in bad.problem


def test_an_alert_without_a_name_is_told_from_others_by_its_labels() -> None:
    one, other = (only(pushed({"labels": {"job": job}})) for job in ("node", "web"))
    assert one.check == other.check == "alert"
    assert one.fingerprint != other.fingerprint


def test_a_long_label_identifies_whole_and_is_kept_cut() -> None:
    one, other = (only(pushed({"labels": {**LABELS, "path": "x" * 5_000 + end}})) for end in "ab")
    assert one.fingerprint != other.fingerprint
    assert one.labels["path"] == other.labels["path"] == "x" * 2_047 + "…"


def test_alertmanager_keeps_no_end_for_what_fires() -> None:
    entry = {"status": "firing", "labels": LABELS, "endsAt": "2026-11-23T08:04:00Z", "fingerprint": "f1"}
    assert only(notified(entry)).ends_at is None
    assert only(notified({**entry, "status": "resolved"})).ends_at == NOW + timedelta(minutes=4)


def test_without_a_fingerprint_the_labels_identify() -> None:
    entry = {"status": "firing", "labels": LABELS}
    first, empty, other = notified(entry, {**entry, "fingerprint": ""}, {**entry, "labels": {**LABELS, "job": "b"}})
    assert isinstance(first, Alert)
    assert isinstance(other, Alert)
    assert first == empty
    assert first.fingerprint != other.fingerprint


def test_a_message_of_the_wrong_platform_says_what_was_expected() -> None:
    with pytest.raises(PayloadError, match=r"webhook receiver \(version 4\).*alerts"):
        alertmanager.parse(Payload(body=b'{"receiver": "x"}'), alertmanager.Options(), NOW)
    with pytest.raises(PayloadError, match="list of alerts"):
        prometheus.parse(Payload(body=b'{"alerts": []}'), prometheus.Options(), NOW)
