from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.model import Alert, Payload
from tocsin.sources import _labelled, _labels, _secret, _texts, generic, pagerduty, snmp, truesight

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "token",
            "API-Key",
            "_HOSTSNMP_COMMUNITY",
            "x.authorization",
            "Cookie",
            "db_pwd",
            "UnsubscribeURL",
            "SubscribeURL",
        ),
        *("routing_key", "service_key", "integrationKey", "AWS_ACCESS_KEY_ID", "privateKey", "bearer"),
    ],
)
def test_a_name_says_that_its_value_is_secret(name: str) -> None:
    assert _secret.is_secret(name)
    assert _labels.fit({name: "x", "host": "db1"}) == {"host": "db1"}


@pytest.mark.parametrize("name", ["host", "key", "signature", "team", "keyspace", "author", "passage", "pwd_age"])
def test_other_names_are_labels(name: str) -> None:
    assert _labels.fit({name: "x"}) == {name: "x"}


def test_of_too_many_labels_secrets_take_no_place() -> None:
    labels = {f"a_token_{number}": "x" for number in range(300)} | {"host": "db1"}
    assert _labels.fit(labels) == {"host": "db1"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:word@db1.example.net/x?id=7", "https://db1.example.net/x?id=7"),
        ("https://a.example.net/x?access_token=abc&id=7#y", "https://a.example.net/x?access_token=&id=7#y"),
        ("https://a.example.net/x?id=7&api_key=abc", "https://a.example.net/x?id=7&api_key="),
        ("https://a.example.net/#/x?sig=abc", "https://a.example.net/#/x?sig="),
        ("https://a.example.net/x?X-Amz-Signature=abc;id=7", "https://a.example.net/x?X-Amz-Signature=;id=7"),
        ("https://a.example.net/x?expr=a%3Db&mail=a@b", "https://a.example.net/x?expr=a%3Db&mail=a@b"),
        ("https://a.example.net/@x?design=1", "https://a.example.net/@x?design=1"),
    ],
)
def test_an_address_loses_what_authenticates(address: str, shown: str) -> None:
    assert _texts.link(address) == shown
    assert _texts.summary(f"see {address}") == _texts.description(f"see {address}") == f"see {shown}"
    assert _labels.fit({"page": address}) == {"page": shown}


def test_a_monitored_address_names_no_password_as_resource() -> None:
    told = {"summary": "down", "source": "https://user:word@db1.example.net/", "class": "http"}
    event = {"event_action": "trigger", "dedup_key": "k", "payload": told}
    assert only(pagerduty, event).resource == "https://db1.example.net/"


def test_a_variable_of_a_trap_that_is_secret_is_neither_label_nor_text() -> None:
    told = {
        "host": "sw1",
        "trap": "X-MIB::changed",
        "varbinds": {"X-MIB::userPassword": "word", "X-MIB::user": "admin"},
    }
    alert = only(snmp, told)
    assert "word" not in f"{alert.description}{alert.labels}"
    assert "admin" in alert.description


def test_a_slot_that_is_secret_is_no_label() -> None:
    labels = only(truesight, {"mc_host": "h", "mc_object": "x", "api_token": "t", "mc_tool": "t"}).labels
    assert "api_token" not in labels
    assert labels["mc_tool"] == "t"


def test_a_generic_message_may_say_a_secret_and_it_is_not_kept() -> None:
    labels = {"team": "web", "token": "t", "page": "https://u:w@db1.example.net/?token=t"}
    alert = only(generic, {"resource": "https://u:w@db1.example.net/", "check": "http", "labels": labels})
    assert alert.labels == {"team": "web", "page": "https://db1.example.net/?token="}
    assert alert.resource == "https://db1.example.net/"


def test_an_instance_with_a_password_is_a_host_without() -> None:
    assert _labelled.host_of("https://u:w@db1.example.net/health") == "https://db1.example.net/health"


def only(kind: Any, message: Any) -> Alert:
    (alert,) = kind.parse(Payload(body=json.dumps(message).encode()), kind.Options(), NOW)
    assert isinstance(alert, Alert)
    return alert
