"""From the settings of sources to sources that can be listened to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tocsin.errors import SettingsError
from tocsin.settings import Settings
from tocsin.sourcing import configured, questions
from tocsin.web import auth

POLL = {"url": "http://127.0.0.1:9093", "auth": {"basic": {"user": "me", "password_file": "x"}}}


def made(**told: Any) -> Any:
    settings = Settings.model_validate({"sources": {"one": told}})
    (source,) = configured(settings, lambda _: b"t0ken")
    return source


@pytest.mark.parametrize(
    ("told", "scheme"),
    [
        ({"open": True}, auth.Open()),
        ({"poll": POLL}, auth.Closed()),
        ({"open": True, "poll": POLL}, auth.Open()),
        ({"auth": {"bearer": {"token_file": "x"}}, "poll": POLL}, auth.Bearer(b"t0ken")),
        ({"auth": {"bearer": {"token_file": "x", "scheme": "Token"}}}, auth.Bearer(b"t0ken", "Token")),
        ({"auth": {"parameter": {"token_file": "x"}}}, auth.Parameter("token", b"t0ken")),
        ({"auth": {"field": {"name": "key", "token_file": "x"}}}, auth.Field("key", b"t0ken")),
    ],
)
def test_a_source_lets_in_whom_the_settings_name_and_nobody_else(told: dict[str, Any], scheme: auth.Scheme) -> None:
    assert made(kind="alertmanager", **told).scheme == scheme


def test_hosts_of_a_kind_count_unless_the_settings_name_some() -> None:
    usual = made(kind="sns", auth={"certificate": {}}).scheme
    own = made(kind="sns", auth={"certificate": {"hosts": ["sns.eu-west-3.amazonaws.com"], "max_age": "1h"}}).scheme
    assert all(host.startswith("sns.") for host in usual.hosts)
    assert own == auth.Certificate(("sns.eu-west-3.amazonaws.com",), (), timedelta(hours=1))


@pytest.mark.parametrize(
    ("kind", "told", "expires"),
    [
        ("splunk", {}, timedelta(hours=24)),
        ("splunk", {"expire_after": "2h"}, timedelta(hours=2)),
        ("splunk", {"expire_after": "0s"}, None),
        ("generic", {}, None),
        ("generic", {"expire_after": "2h"}, timedelta(hours=2)),
        ("alertmanager", {"expire_after": "2h", "poll": POLL}, None),
    ],
)
def test_how_long_a_firing_is_believed_the_settings_say_else_the_kind(
    kind: str, told: dict[str, Any], expires: timedelta | None
) -> None:
    """A platform that is asked says itself what is over."""
    assert made(kind=kind, open=True, **told).expire_after == expires


@pytest.mark.parametrize(
    ("told", "heartbeats"), [({}, "Watchdog"), ({"heartbeats": []}, ""), ({"heartbeats": ["A"]}, "A")]
)
def test_which_checks_are_heartbeats_the_settings_say_else_the_kind(told: dict[str, Any], heartbeats: str) -> None:
    assert "".join(made(kind="prometheus", open=True, **told).heartbeats[:1]) == heartbeats


def test_who_is_asked_is_asked_with_credentials() -> None:
    settings = Settings.model_validate({"sources": {"one": {"kind": "alertmanager", "poll": POLL}}})
    ((source, asked),) = questions(settings, configured(settings, lambda _: b"pa55"), lambda _: b"pa55")
    assert (source.name, asked.headers) == ("one", {"Authorization": "Basic bWU6cGE1NQ=="})


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"kind": "nothing", "open": True}, "sources.one.kind: 'nothing' is not known"),
        ({"kind": "generic", "open": True, "options": {"x": 1}}, "sources.one.options: x"),
        ({"kind": "generic", "auth": {"certificate": {}}}, "carry no signature"),
    ],
)
def test_what_cannot_be_used_is_told(told: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        made(**told)
