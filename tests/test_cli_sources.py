"""`tocsin source`: what platforms send, whether it works, what to paste on their side."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands import FINE, SETTINGS, SILENT, TOKEN, WRONG, House, printed, tocsin
from tocsin import yaml12
from tocsin.cli import proving, shipped
from tocsin.cli.shifted import SAMPLED_AT, shifted
from tocsin.errors import SettingsError
from tocsin.settings import Source
from tocsin.sources import kinds

SAMPLES = Path(__file__).parent / "sources"
SNIPPETS = Path(__file__).parents[1] / "config" / "sources"
NOW = SAMPLED_AT + timedelta(days=1, seconds=5)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


# --- list, kinds, snippet -------------------------------------------------------------------------------------------------


def test_the_sources_of_the_settings_are_listed_with_what_is_known_of_them(house: House) -> None:
    house.settings(
        sources={
            "generic": {"kind": "generic", "open": True, "expect_every": "10m"},
            "logs": {"kind": "splunk", "auth": {"parameter": {"token_file": "source.token"}}},
            "am": {"kind": "alertmanager", "poll": {"url": "http://127.0.0.1:1"}},
        }
    )
    before = printed(house.tocsin("source", "list", "--json"))
    assert [(one["source"], one["auth"], one["expect_every"], one["heard"]) for one in before] == [
        ("generic", "open", "10m", None),
        ("logs", "parameter", "", None),
        ("am", "asked only", "", None),
    ]
    assert before[1]["expire_after"]
    assert before[0]["address"] == f"http://127.0.0.1:{house.port}/hooks/generic"


def test_what_was_heard_and_what_fires_is_listed_once_the_service_ran(house: House) -> None:
    with house.serving() as process:
        assert house.tocsin("source", "test", "generic").exit_code == FINE
        process.terminate()
        process.wait(20)
    line = printed(house.tocsin("source", "list", "--json"))[0]
    heard = datetime.fromisoformat(line["heard"])
    assert abs(datetime.now(UTC) - heard) < timedelta(minutes=1)
    assert (line["firing"], line["rejected"]) == (0, 0)
    assert "generic" in house.tocsin("source", "list").stdout


def test_the_kinds_are_listed_with_what_they_say_of_themselves() -> None:
    told = {one["kind"]: one for one in printed(tocsin("source", "kinds", "--json"))}
    assert set(told) == set(kinds())
    assert told["pagerduty"]["paths"][0] == "POST /v2/enqueue"
    assert all(one["identity"] for one in told.values())


@pytest.mark.parametrize("kind", kinds())
def test_what_to_paste_has_the_address_of_the_source_and_no_secret(kind: str, house: House) -> None:
    house.settings(sources={"mine": {"kind": kind, "auth": {"bearer": {"token_file": "source.token"}}}})
    told = printed(house.tocsin("source", "snippet", kind, "--json"))
    text = "".join(one["text"] for one in told)
    assert "{{url}}" not in text
    assert "{{base}}" not in text
    assert TOKEN not in text
    assert f"127.0.0.1:{house.port}" in text
    assert house.tocsin("source", "snippet", kind).stdout.strip()


def test_what_to_paste_keeps_its_places_where_no_settings_are(tmp_path: Path) -> None:
    result = tocsin("--config", str(tmp_path / "none.yaml"), "source", "snippet", "generic")
    assert result.exit_code == FINE
    assert "{{url}}" in result.stdout


# --- test -------------------------------------------------------------------------------------------------------------------


def outcomes(told: list[dict[str, Any]]) -> list[str]:
    return [fate["outcome"] for one in told for fate in one["alerts"]]


@pytest.mark.parametrize(
    "auth",
    [
        {"bearer": {"token_file": "source.token"}},
        {"bearer": {"token_file": "source.token", "scheme": "GenieKey"}},
        {"header": {"name": "X-Key", "token_file": "source.token"}},
        {"basic": {"user": "me", "password_file": "source.token"}},
        {"parameter": {"token_file": "source.token"}},
        {"hmac": {"header": "X-Sig", "secret_file": "source.token", "prefix": "sha256="}},
        {"hmac": {"header": "X-Sig", "secret_file": "source.token", "algorithm": "sha1", "encoding": "base64"}},
        {"hmac": {"header": "X-Sig", "secret_file": "source.token", "timestamp_header": "X-Time", "separator": "."}},
    ],
    ids=["bearer", "another word", "header", "basic", "parameter", "hmac", "hmac base64", "hmac with time"],
)
def test_a_source_is_tested_with_the_credentials_it_asks_for(auth: dict[str, Any], house: House) -> None:
    house.settings(sources={"one": {"kind": "alertmanager", "auth": auth}})
    with house.serving():
        told = printed(house.tocsin("source", "test", "one", "--json"))
    assert [one["case"] for one in told] == list(shipped.CASES)
    assert outcomes(told) == ["recorded", "recorded", "resolved"]


def test_tokens_in_the_body_and_in_the_path_are_sent_where_the_platform_has_them(house: House) -> None:
    house.settings(
        sources={
            "pd": {"kind": "pagerduty", "auth": {"field": {"name": "routing_key", "token_file": "source.token"}}},
            "nrdp": {"kind": "nrdp", "auth": {"field": {"name": "token", "token_file": "source.token"}}},
        }
    )
    with house.serving():
        for name in ("pd", "nrdp"):
            told = printed(house.tocsin("source", "test", name, "--json"))
            assert outcomes(told)[-1] == "resolved", told


def options_of(kind: str) -> dict[str, Any]:
    """Those that the samples are read with, where they need some."""
    file = SAMPLES / kind / "options.yaml"
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def test_every_kind_can_be_tested_with_its_samples(house: House) -> None:
    names = list(kinds())
    house.settings(sources={name: {"kind": name, "open": True, "options": options_of(name)} for name in names})
    found = {}
    with house.serving():
        for name in names:
            told = printed(house.tocsin("source", "test", name, "--json"))
            found[name] = outcomes(told)
    begun = {name for name, told in found.items() if told[0] in {"recorded", "quarantined", "opened", "held"}}
    assert begun == set(names)
    ended = {name for name, told in found.items() if told[-1] == "resolved"}
    assert ended >= {name for name in names if kinds()[name].expire_after is None}


def test_what_becomes_of_a_sample_is_shown_for_people(house: House) -> None:
    with house.serving():
        result = house.tocsin("source", "test", "generic")
    assert result.exit_code == FINE
    assert re.search(r"^problem +202 +recorded +fallback", result.stdout, re.MULTILINE)
    assert "nobody asked for it" in result.stdout


def test_a_message_of_ones_own_is_sent_as_it_is(house: House, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text(json.dumps({"resource": "web1", "check": "disk", "severity": "critical"}))
    with house.serving():
        told = printed(house.tocsin("source", "test", "generic", "--file", str(own), "--json"))
        own.write_text("hello")
        refused = house.tocsin("source", "test", "generic", "--file", str(own))
    assert outcomes(told) == ["opened"]
    assert refused.exit_code == WRONG
    assert "not JSON" in refused.stdout


def test_a_test_says_when_it_cannot_be_made(house: House) -> None:
    unknown = house.tocsin("source", "test", "generik")
    assert (unknown.exit_code, "generic" in unknown.stderr) == (SETTINGS, True)
    assert house.tocsin("source", "test", "generic").exit_code == SILENT
    house.settings(sources={"aws": {"kind": "sns", "auth": {"certificate": {}}}})
    signed = house.tocsin("source", "test", "aws")
    assert (signed.exit_code, "only that can sign" in signed.stderr) == (SETTINGS, True)


# --- try ----------------------------------------------------------------------------------------------------------------


def examples() -> list[tuple[dict[str, Any], str, str]]:
    """The worked examples of the README: settings, message, and the message's language."""
    text = (SNIPPETS / "mapped" / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    pairs = itertools.pairwise(blocks)
    found = [
        (yaml12.read(one.encode(), "README")[0], told, word) for (kind, one), (word, told) in pairs if kind == "yaml"
    ]
    return [
        (settings, told, word) for settings, told, word in found if isinstance(settings, dict) and "sources" in settings
    ]


@pytest.mark.parametrize("number", range(4))
def test_the_worked_examples_can_be_tried(number: int, house: House, tmp_path: Path) -> None:
    settings, told, word = examples()[number]
    (name,) = settings["sources"]
    house.settings(sources={name: settings["sources"][name] | {"auth": {"bearer": {"token_file": "source.token"}}}})
    message = tmp_path / f"message.{ {'json': 'json', 'xml': 'xml'}.get(word, 'txt') }"
    message.write_text(told, encoding="utf-8")
    extra = ["--content-type", "application/x-www-form-urlencoded"] if "=" in told.split()[0] and word == "text" else []
    result = house.tocsin("source", "try", name, str(message), *extra)
    assert result.exit_code == FINE, result.stdout + result.stderr
    assert "→ firing:" in result.stdout or "→ resolved:" in result.stdout
    assert re.search(r"^ +resource +\S", result.stdout, re.MULTILINE)


def test_a_mapping_is_tried_before_it_is_in_the_settings(house: House, tmp_path: Path) -> None:
    mapping, message = tmp_path / "mapping.yaml", tmp_path / "message.json"
    mapping.write_text(
        "resource: host\ncheck: {path: what, regex: '^(\\w+)'}\nstatus: {path: ok, table: {'true': resolved}}\n"
    )
    message.write_text('[{"host": "web1", "what": "disk full", "ok": false}, {"what": "cpu"}]')
    told = printed(house.tocsin("source", "try", "new", str(message), "--mapping", str(mapping), "--json"))
    assert told[0]["outcome"]["check"] == "disk"
    assert [step["how"] for step in told[0]["steps"] if step["field"] == "check"] == ["captured"]
    assert "resource" in told[1]["outcome"]["problem"]
    shown = house.tocsin("source", "try", "new", str(message), "--mapping", str(mapping))
    assert "→ no alert" in shown.stdout


def test_a_mapping_that_finds_nothing_says_so(house: House, tmp_path: Path) -> None:
    mapping, message = tmp_path / "mapping.yaml", tmp_path / "message.json"
    mapping.write_text("resource: hots\n")
    message.write_text('{"host": "web1"}')
    result = house.tocsin("source", "try", "new", str(message), "--mapping", str(mapping))
    assert result.exit_code == WRONG
    assert "missing" in result.stdout
    mapping.write_text("resource: 'a[?'\n")
    wrong = house.tocsin("source", "try", "new", str(message), "--mapping", str(mapping))
    assert wrong.exit_code == SETTINGS
    assert "options.resource" in wrong.stderr


# --- what a test is made of ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampled", "now"),
    [
        ('"2026-11-23T08:00:00Z"', '"2026-11-24T08:00:05Z"'),
        ('"2026-11-22T07:41:00.123+01:00"', '"2026-11-23T07:41:05.123+01:00"'),
        ('"2026-11-23 08:00:00"', '"2026-11-24 08:00:05"'),
        ("1795420800", "1795507205"),
        ("1795420800123", "1795507205123"),
        ('"1795420800"', '"1795507205"'),
        ('"2020-01-01T00:00:00Z"', '"2020-01-01T00:00:00Z"'),
        ('"0001-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"'),
        ("1234567890", "1234567890"),
        ('"id-1795420800-x"', '"id-1795420800-x"'),
        ("17954208001", "17954208001"),
    ],
)
def test_a_sample_is_as_old_as_it_was_and_nothing_else_is_changed(sampled: str, now: str) -> None:
    assert shifted(b'{"at": ' + sampled.encode() + b"}", NOW) == b'{"at": ' + now.encode() + b"}"


MESSAGE = proving.Message("http://127.0.0.1/hooks/one", {}, b'{"a": 1}')


def proven(auth: dict[str, Any], message: proving.Message = MESSAGE) -> proving.Message:
    return proving.proven(message, "one", Source.model_validate({"kind": "x", "auth": auth}), lambda _: b"t0ken", NOW)


def test_a_token_in_the_address_stands_in_the_path_or_the_query() -> None:
    auth = {"parameter": {"name": "api_key", "token_file": "x"}}
    assert proven(auth).url == "http://127.0.0.1/hooks/one?api_key=t0ken"
    in_path = MESSAGE._replace(url="http://127.0.0.1/hooks/one/{api_key}/ops")
    assert proven(auth, in_path).url == "http://127.0.0.1/hooks/one/t0ken/ops"


def test_a_token_in_the_body_stands_in_json_or_in_a_form() -> None:
    auth = {"field": {"name": "token", "token_file": "x"}}
    assert json.loads(proven(auth).body) == {"a": 1, "token": "t0ken"}
    assert proven(auth, MESSAGE._replace(body=b"token=old&a=1")).body == b"token=t0ken&a=1"


def test_a_signature_is_made_as_the_settings_say() -> None:
    auth = {"hmac": {"header": "X-Sig", "secret_file": "x", "encoding": "base64", "timestamp_header": "X-Time"}}
    headers = proven(auth).headers
    stamp = str(int(NOW.timestamp()))
    digest = hmac.new(b"t0ken", stamp.encode() + b":" + MESSAGE.body, hashlib.sha256).digest()
    assert headers == {"X-Sig": base64.b64encode(digest).decode(), "X-Time": stamp}


def test_what_only_the_platform_can_sign_is_not_sent() -> None:
    with pytest.raises(SettingsError, match="only that can sign"):
        proven({"certificate": {}})
