"""The contract that every kind of source keeps, and its goldens: real payloads and the alerts they become.

A folder `sources/KIND/` holds `CASE.json` or `CASE.form` and `CASE.expected.json`. Every kind has the cases `problem`,
`problem-again` and `problem-over`: one problem told, told again, and over.
"""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import Kind, NotJsonError, kinds
from tocsin.sources import generic as generic_kind

HERE = Path(__file__).parent / "sources"
README = Path(generic_kind.__file__).with_name("README.md")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MEDIA = {".json": "application/json", ".form": "application/x-www-form-urlencoded"}
GOLDENS = sorted(path for path in HERE.glob("*/*") if path.suffix in MEDIA and not path.name.endswith(".expected.json"))
BY_NAME = pytest.mark.parametrize("kind", kinds().values(), ids=list(kinds()))
IDENTIFYING = ("fingerprint", "resource", "check")
SHOWN = (
    *("resource", "check", "severity", "status", "fingerprint", "starts_at", "ends_at"),
    *("summary", "description", "labels", "url"),
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
any_json = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def parse(kind: Kind, body: bytes, media: str = "application/json", now: datetime = NOW) -> list[Alert | Unreadable]:
    return kind.parse(Payload(body=body, content_type=media, source="supervision"), kind.options(), now)


def outcome(kind: Kind, body: bytes, media: str = "application/json") -> list[Alert | Unreadable] | PayloadError:
    """What the contract allows, and has been looked at; any other exception breaks the test."""
    try:
        entries = parse(kind, body, media)
    except PayloadError as error:
        refusal = error
    else:
        check_sound(entries)
        return entries
    assert 0 < len(str(refusal)) < 500
    return refusal


def parse_golden(path: Path) -> list[Alert | Unreadable]:
    return parse(kinds()[path.parent.name], path.read_bytes(), MEDIA[path.suffix])


def golden(kind: Kind, case: str) -> Alert:
    (path,) = [path for path in GOLDENS if path.parent.name == kind.name and path.stem == case]
    (alert,) = parse_golden(path)
    assert isinstance(alert, Alert)
    return alert


def shown(entry: Alert | Unreadable) -> dict[str, Any]:
    fields = msgspec.to_builtins(entry)
    return {key: fields[key] for key in SHOWN} if isinstance(entry, Alert) else fields


def check_sound(entries: list[Alert | Unreadable]) -> None:
    """What every part behind a source relies on."""
    for position, entry in enumerate(entries):
        if isinstance(entry, Unreadable):
            assert entry.position == position
            assert 0 < len(entry.problem) <= 300
            continue
        for name in (entry.fingerprint, entry.resource, entry.check):
            assert name.strip()
            assert len(name) <= 512
        assert all(type(text) is str for pair in entry.labels.items() for text in pair)
        assert len(entry.labels) <= 256
        assert len(entry.summary) <= 2_000
        assert len(entry.description) <= 20_000
        assert entry.url == "" or entry.url.startswith(("http://", "https://"))
        assert all(time is None or time.tzinfo is UTC for time in (entry.starts_at, entry.ends_at))
        assert b"\\u0000" not in msgspec.json.encode(entry)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_golden_becomes_the_alerts_beside_it(path: Path, request: pytest.FixtureRequest) -> None:
    expected = path.with_name(f"{path.stem}.expected.json")
    entries = parse_golden(path)
    check_sound(entries)
    told = [shown(entry) for entry in entries]
    if request.config.getoption("--update-goldens"):
        assert all(entry[key] for entry in told if "problem" not in entry for key in IDENTIFYING), (
            "an identity vanished"
        )
        expected.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert told == json.loads(expected.read_text(encoding="utf-8"))


def test_no_expected_file_has_lost_its_golden() -> None:
    expected = {path.name.removesuffix(".expected.json") for path in HERE.glob("*/*.expected.json")}
    assert expected == {path.stem for path in GOLDENS}
    assert {path.parent.name for path in GOLDENS} == set(kinds())


@BY_NAME
def test_a_kind_says_what_it_is(kind: Kind) -> None:
    assert 3 < len(kind.title) < 80
    assert not kind.title.endswith(".")
    for part in ("Format:", "Identity:", "Resolved:"):
        assert part in kind.documentation
    assert kind.media_types
    assert all(media == media.lower() for media in kind.media_types)


@BY_NAME
def test_the_options_of_a_kind_are_documented_frozen_and_strict(kind: Kind) -> None:
    options = kind.options()
    assert kind.options.__doc__
    assert all(field.description for field in kind.options.model_fields.values())
    with pytest.raises(ValidationError):
        kind.options(no_such_option=1)
    with pytest.raises(ValidationError):
        options.severity_default = "info"  # type: ignore[attr-defined]


def test_no_two_kinds_answer_the_same_path() -> None:
    paths = [path for kind in kinds().values() for path in kind.paths]
    assert len(paths) == len(set(paths))
    assert all(path.startswith("/") for path in paths)


def test_a_module_with_an_underscore_is_no_kind() -> None:
    assert list(kinds()) == ["alertmanager", "generic", "nagios", "prometheus", "truesight"]


@BY_NAME
def test_one_problem_keeps_its_fingerprint_from_first_to_last(kind: Kind) -> None:
    first, again, over = (golden(kind, case) for case in ("problem", "problem-again", "problem-over"))
    assert first.fingerprint == again.fingerprint == over.fingerprint
    assert (first.resource, first.check) == (over.resource, over.check)
    assert [alert.status for alert in (first, again, over)] == [Status.FIRING, Status.FIRING, Status.RESOLVED]


@BY_NAME
def test_another_problem_of_the_same_platform_has_another_fingerprint(kind: Kind) -> None:
    entries = [entry for path in GOLDENS if path.parent.name == kind.name for entry in parse_golden(path)]
    found = {(entry.resource, entry.check): entry.fingerprint for entry in entries if isinstance(entry, Alert)}
    assert len(set(found.values())) == len(found) > 1


@BY_NAME
@given(body=st.binary())
def test_any_bytes_give_a_list_or_a_payload_error(kind: Kind, body: bytes) -> None:
    for media in kind.media_types:
        outcome(kind, body, media)


@BY_NAME
@given(document=any_json)
def test_any_json_gives_a_list_or_a_payload_error(kind: Kind, document: Any) -> None:
    assert not isinstance(outcome(kind, json.dumps(document).encode()), NotJsonError)


@st.composite
def bent(draw: st.DrawFn, kind: str) -> Any:
    """A golden of the kind, with up to three of its values replaced by something else."""
    paths = [path for path in GOLDENS if path.parent.name == kind and path.suffix == ".json"]
    document = [copy.deepcopy(json.loads(draw(st.sampled_from(paths)).read_bytes()))]
    for _ in range(draw(st.integers(1, 3))):
        node: Any = document
        while True:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if not isinstance(node[key], (dict, list)) or not node[key] or draw(st.booleans()):
                break
            node = node[key]
        node[key] = draw(any_json | st.sampled_from(["", "0", "9" * 13, "0001-01-01T00:00:00Z", 1e300, 10**30, "\0"]))
    return document[0]


@BY_NAME
@given(data=st.data())
def test_a_message_with_strange_values_gives_a_list_or_a_payload_error(kind: Kind, data: st.DataObject) -> None:
    body = json.dumps(data.draw(bent(kind.name))).encode()
    entries = outcome(kind, body)
    assert not isinstance(entries, NotJsonError)
    assert isinstance(entries, PayloadError) or entries == parse(kind, body), "parsing is pure"


DEEP = [
    pytest.param(b"[" * 100_000, id="open arrays"),
    pytest.param(b"[" * 65 + b"]" * 65, id="65 arrays"),
    pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, id="65 objects"),
    pytest.param(b'{"a":[' * 100_000 + b"]}" * 100_000, id="200 000 of both"),
    pytest.param(b'[{"labels":' + b"[" * 500 + b"]" * 500 + b"}]", id="where labels are expected"),
    pytest.param(b'{"alerts":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="where nobody looks"),
]
BROKEN = [
    pytest.param(b"", id="empty"),
    pytest.param(b"hello", id="a word"),
    pytest.param(b"[1,", id="cut"),
    pytest.param(b'{"a":1} {"b":2}', id="two documents"),
    pytest.param(b"NaN", id="no number"),
    pytest.param(b'["\xff"]', id="not UTF-8"),
    pytest.param('["é"]'.encode("utf-16"), id="UTF-16"),
    pytest.param(b'"\\ud800"', id="half a surrogate pair"),
    pytest.param(b'{"alerts":[],"receiver":"\xe9"}', id="Latin-1 where nobody looks"),
]


@BY_NAME
@pytest.mark.parametrize("body", DEEP + BROKEN)
def test_what_is_no_json_or_too_deep_is_told_apart(kind: Kind, body: bytes) -> None:
    with pytest.raises(NotJsonError) as caught:
        parse(kind, body)
    assert len(str(caught.value)) < 300


@BY_NAME
@pytest.mark.parametrize("body", [b"null", b"1", b'"text"', b'{"unrelated": true}', b"[" * 64 + b"]" * 64])
def test_json_of_another_shape_is_no_message_of_the_platform(kind: Kind, body: bytes) -> None:
    entries = outcome(kind, body)
    assert not isinstance(entries, NotJsonError)
    assert isinstance(entries, PayloadError) or [type(entry) for entry in entries] == [Unreadable]


@pytest.mark.parametrize("body", [b"[]", b'{"alerts": []}', b" [ ] ", b"\xef\xbb\xbf[]"])
def test_an_empty_list_is_no_alert_and_no_error(body: bytes) -> None:
    kind = kinds()["alertmanager" if b"alerts" in body else "prometheus"]
    assert parse(kind, body) == []


@BY_NAME
def test_the_source_is_named_in_each_alert(kind: Kind) -> None:
    assert golden(kind, "problem").source == "supervision"


@pytest.mark.parametrize("position", range(2))
def test_the_examples_of_the_readme_are_read_as_they_stand(position: int) -> None:
    example = re.findall(r"```json\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[position]
    entries = parse(kinds()["generic"], example.encode())
    assert entries
    assert all(isinstance(entry, Alert) for entry in entries)


def test_the_readme_has_a_row_for_each_kind_and_each_field_of_the_generic_format() -> None:
    text = README.read_text(encoding="utf-8")
    titles = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", text.partition("## The generic")[0], re.MULTILINE)
    assert titles == [(kind.name, kind.title) for kind in kinds().values()]
    fields = re.findall(r"^\| `(\w+)` \|", text.partition("## The generic")[2], re.MULTILINE)
    assert fields == [field.name for field in msgspec.structs.fields(generic_kind.Message)]


def test_the_time_is_an_argument() -> None:
    body = (HERE / "prometheus" / "problem.json").read_bytes()
    (early,) = parse(kinds()["prometheus"], body)
    (late,) = parse(kinds()["prometheus"], body, now=NOW + timedelta(hours=1))
    assert isinstance(early, Alert)
    assert isinstance(late, Alert)
    assert (early.status, late.status) == (Status.FIRING, Status.RESOLVED)
