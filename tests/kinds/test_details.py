from __future__ import annotations

from typing import Any

import pytest

from tocsin.sources import _details


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ({"Host Name": "db1", "SERVICE_DESC": "disk"}, ("db1", "disk")),
        ({"instance": "db1:9100", "alertname": "Disk"}, ("db1", "Disk")),
        ({"service": "shop"}, ("shop", "")),
        ({"service": "shop", "alertname": "Latency"}, ("shop", "Latency")),
        ({"host": "db1", "service": "shop"}, ("db1", "shop")),
        ({"host": "{HOST.NAME}", "ip": "192.0.2.1"}, ("192.0.2.1", "")),
        ({"host": ["db1"], "rule": {"a": 1}}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_known_names_say_what_it_is_about(fields: dict[str, Any], about: tuple[str, str]) -> None:
    assert _details.about(fields) == about


@pytest.mark.parametrize(
    "text", ["{EVENT.ID}", "$HOSTNAME$", "$ALERT_ID", "${VAR}", "{{ alert.id }}", "<no value>", "null", ""]
)
def test_what_was_left_unexpanded_says_nothing(text: str) -> None:
    assert _details.said({"a": text}, "a") == ""


@pytest.mark.parametrize("text", ["$5 fee", "{a}", "EVENT", "{id} x"])
def test_other_texts_do(text: str) -> None:
    assert _details.said({"a": text}, "a") == text


def test_ways_lead_into_objects_and_lists() -> None:
    document = {"a": {"b": [{"c": "x"}]}, "d.e": 7, "f": {}}
    assert _details.told(document, ("f", "a.b.0.c")) == "x"
    assert _details.told(document, ("d.e",)) == "7"
    assert _details.told(document, ("a.b.1.c", "z", "a")) == ""
    assert _details.told([1], ("0",)) == ""


def test_secrets_are_no_labels() -> None:
    assert _details.labels({"a": 1, "api-key": "x", "Auth Token": "y"}) == {"a": "1"}
    assert _details.labels("text") == {}


@pytest.mark.parametrize(("identifier", "readable"), [("db1 disk", True), ("0f" * 16, False), ("deadbeef", True)])
def test_hashes_are_not_for_people(identifier: str, *, readable: bool) -> None:
    assert _details.is_readable(identifier) is readable
    assert not _details.is_readable("25c55e7c-0b2a-4fdc-a1c3-5c1a7a1bd1aa")


@pytest.mark.parametrize(
    ("key", "about"),
    [
        ("event_source=service;host_name=db1;service_desc=disk /var", ("db1", "disk /var")),
        ("cpu:host=db1", ("db1", "")),
        ("db1/disk", ("", "")),
        ("a=b", ("", "")),
    ],
)
def test_an_id_of_names_and_values_says_what_it_is_about(key: str, about: tuple[str, str]) -> None:
    assert _details.in_key(key) == about
