"""The contract that every kind of source keeps, and its goldens: real payloads and the alerts they become.

A folder `sources/KIND/` holds `CASE.json` (or `.form`, `.xml`, `.txt`), perhaps `CASE.head` with the request line and
headers it came with, and `CASE.expected.json`. Every kind has the cases `problem`, `problem-again` and `problem-over`: one
problem told, told again, and over; a kind whose platform never says that it is over (`EXPIRE_AFTER`) needs no last one.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import PARTS, Kind, NotJsonError, _requests, kinds
from tocsin.sources import generic as generic_kind
from tocsin.sources._requests import GUESSED

HERE = Path(__file__).parent / "sources"
SNIPPETS = Path(__file__).parents[1] / "config" / "sources"
README = Path(generic_kind.__file__).with_name("README.md")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
MEDIA = {".json": "application/json", **GUESSED}
GOLDENS = sorted(path for path in HERE.glob("*/*") if path.suffix in MEDIA and not path.name.endswith(".expected.json"))
RESOLVES_BY_ID = ("opsgenie", "pagerduty")
"""Kinds whose resolve may carry nothing but the identity: what it is about, only the firing tells."""

BY_NAME = pytest.mark.parametrize("kind", kinds().values(), ids=list(kinds()))
IDENTIFYING = ("fingerprint", "resource", "check")
SHOWN = (
    *("resource", "check", "severity", "status", "fingerprint", "starts_at", "ends_at", "said_at"),
    *("summary", "description", "labels", "url"),
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
any_json = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def parse(kind: Kind, body: bytes, media: str = "application/json", now: datetime = NOW) -> list[Alert | Unreadable]:
    return kind.parse(Payload(body=body, content_type=media, source="supervision"), options_of(kind), now)


def outcome(kind: Kind, body: bytes, media: str = "application/json") -> list[Alert | Unreadable] | PayloadError:
    return outcome_of(kind, Payload(body=body, content_type=media, source="supervision"))


def outcome_of(kind: Kind, payload: Payload) -> list[Alert | Unreadable] | PayloadError:
    """What the contract allows, and has been looked at; any other exception breaks the test."""
    try:
        entries = kind.parse(payload, options_of(kind), NOW)
    except PayloadError as error:
        refusal = error
    else:
        check_sound(entries)
        return entries
    assert 0 < len(str(refusal)) < 500
    return refusal


def options_of(kind: Kind) -> Any:
    """The usual options; a kind that cannot do without some has them beside its goldens."""
    file = HERE / kind.name / "options.yaml"
    return kind.options.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {})


def golden_payload(path: Path, body: bytes | None = None) -> Payload:
    head = path.with_suffix(".head")
    kind = kinds()[path.parent.name]
    told = head.read_text(encoding="utf-8") if head.exists() else ""
    body = path.read_bytes() if body is None else body
    return _requests.payload(kind, body, told, source="supervision", guessed=MEDIA[path.suffix])


def parse_golden(path: Path) -> list[Alert | Unreadable]:
    kind = kinds()[path.parent.name]
    return kind.parse(golden_payload(path), options_of(kind), NOW)


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
        assert all(time is None or time.tzinfo is UTC for time in (entry.starts_at, entry.ends_at, entry.said_at))
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
    for part in PARTS:
        assert kind.documented(part), f"its docstring has no paragraph that begins with `{part}: `"
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
    routes = [route for kind in kinds().values() for route in kind.routes if route.path != "/"]
    assert len(routes) == len(set(routes))
    assert all(route.path.startswith("/") for route in routes)


def test_a_module_with_an_underscore_is_no_kind() -> None:
    files = {path.stem for path in README.parent.glob("*.py")}
    assert set(kinds()) == {name for name in files if not name.startswith("_")}
    assert {"_read", "_build"} <= files


@BY_NAME
def test_one_problem_keeps_its_fingerprint_from_first_to_last(kind: Kind) -> None:
    cases = ("problem", "problem-again") + (() if kind.expire_after else ("problem-over",))
    told = [golden(kind, case) for case in cases]
    about = told[:2] if kind.name in RESOLVES_BY_ID else told
    assert len({alert.fingerprint for alert in told}) == len({(alert.resource, alert.check) for alert in about}) == 1
    assert [alert.status for alert in told] == [Status.FIRING, Status.FIRING, Status.RESOLVED][: len(told)]


@BY_NAME
def test_another_problem_of_the_same_platform_has_another_fingerprint(kind: Kind) -> None:
    entries = [entry for path in GOLDENS if path.parent.name == kind.name for entry in parse_golden(path)]
    alerts = [entry for entry in entries if isinstance(entry, Alert)]
    if kind.name in RESOLVES_BY_ID:
        alerts = [alert for alert in alerts if alert.status == Status.FIRING]
    found = {(alert.resource, alert.check): alert.fingerprint for alert in alerts}
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


OPEN_OBJECTS = frozenset(
    {"fields", "group_by_fields", "labels", "annotations", "commonLabels", "groupLabels", "result", "tags"}
)
"""Objects whose names are the operator's: one more name is no unknown field."""


@st.composite
def rearranged(draw: st.DrawFn, value: Any, name: str = "") -> Any:
    """The same JSON, its keys in another order and with unknown ones between."""
    if isinstance(value, list):
        return [draw(rearranged(inner)) for inner in value]
    if not isinstance(value, dict):
        return value
    told = {key: draw(rearranged(value[key], key)) for key in draw(st.permutations(sorted(value)))}
    unknown = {} if name in OPEN_OBJECTS else {"zz_unknown": draw(st.sampled_from([1, "x", None, [1], {"a": 1}]))}
    return unknown | told


def essence(entry: Alert | Unreadable) -> Any:
    """What must not depend on how a message is laid out."""
    return shown(entry) | {"labels": None, "description": None}


@pytest.mark.parametrize(
    "kind", [kind for kind in kinds().values() if kind.name != "generic"], ids=lambda kind: kind.name
)
@given(data=st.data())
def test_order_unknown_fields_and_white_space_change_nothing(kind: Kind, data: st.DataObject) -> None:
    """`generic` refuses unknown fields on purpose."""
    paths = [path for path in GOLDENS if path.parent.name == kind.name and path.suffix == ".json"]
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    document = data.draw(rearranged(json.loads(path.read_bytes())))
    body = json.dumps(document, indent=data.draw(st.sampled_from([None, 1, 4]))).encode()
    entries = kind.parse(golden_payload(path, body), options_of(kind), NOW)
    before = parse_golden(path)
    assert [essence(entry) for entry in entries] == [essence(entry) for entry in before]
    for entry, old in zip(entries, before, strict=True):
        if isinstance(entry, Alert) and isinstance(old, Alert):
            assert old.labels.items() <= entry.labels.items()


@st.composite
def bent(draw: st.DrawFn, kind: str) -> Any:
    """A golden of the kind, with up to three of its values replaced by something else."""
    paths = [path for path in GOLDENS if path.parent.name == kind and path.suffix == ".json"]
    if not paths:
        return draw(any_json)
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


@BY_NAME
@given(data=st.data())
def test_a_strange_request_gives_a_list_a_handshake_or_a_payload_error(kind: Kind, data: st.DataObject) -> None:
    """Any path and header of the kind, with any values, around a golden; what is answered is one answer, too."""
    paths = [path for path in GOLDENS if path.parent.name == kind.name]
    path = data.draw(st.sampled_from(paths))
    route = data.draw(st.sampled_from(kind.routes)) if kind.routes else None
    text = st.text(max_size=20)
    names = [name.replace("*", "x") for name in kind.headers]
    payload = msgspec.structs.replace(
        golden_payload(path),
        method=route.method if route else "POST",
        path=route.path if route and route.path != "/" else "",
        given=data.draw(
            st.dictionaries(st.sampled_from(["identifier", "id", "alias", "token"]) | text, text, max_size=4)
        ),
        headers=data.draw(st.dictionaries(st.sampled_from(names), text)) if names else {},
    )
    options = options_of(kind)
    if kind.greet:
        kind.greet(payload, options)
    if kind.prove:
        with contextlib.suppress(PayloadError):
            kind.prove(payload)
    entries = outcome_of(kind, payload)
    if kind.answer and not isinstance(entries, PayloadError):
        told = kind.answer(payload, entries)
        assert told is None or 200 <= told.status < 300


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


READS_JSON_ONLY = [kind for kind in kinds().values() if kind.media_types <= {"application/json", FORM}]


@pytest.mark.parametrize("kind", READS_JSON_ONLY, ids=lambda kind: kind.name)
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


def row_of(kind: Kind) -> str:
    paste = f"[files](../../../config/sources/{kind.name}/)" if (SNIPPETS / kind.name).is_dir() else "nothing"
    cells = (f"`{kind.name}`", kind.title, paste, *map(kind.documented, ("Authentication", "Identity", "Limits")))
    return f"| {' | '.join(cells)} |"


def test_the_readme_has_the_table_of_the_kinds(request: pytest.FixtureRequest) -> None:
    text = README.read_text(encoding="utf-8")
    begin, end = text.index("<!-- kinds:"), text.index("<!-- end of kinds")
    head = "| kind | platform | to paste | authentication | what identifies a problem | limits |"
    heading = f"{text[begin:].partition(chr(10))[0]}\n{head}\n{'| --- ' * 6}|\n"
    table = heading + "".join(f"{row_of(kind)}\n" for kind in kinds().values())
    if request.config.getoption("--update-goldens"):
        README.write_text(text[:begin] + table + text[end:], encoding="utf-8")
        return
    assert text[begin:end] == table


def test_the_readme_has_a_row_for_each_field_of_the_generic_format() -> None:
    text = README.read_text(encoding="utf-8")
    fields = re.findall(r"^\| `(\w+)` \|", text.partition("## The generic")[2], re.MULTILINE)
    assert fields == [field.name for field in msgspec.structs.fields(generic_kind.Message)]


@BY_NAME
def test_a_table_cell_of_the_documentation_is_one(kind: Kind) -> None:
    assert all("|" not in kind.documented(part) for part in PARTS)


def test_the_time_is_an_argument() -> None:
    body = (HERE / "prometheus" / "problem.json").read_bytes()
    (early,) = parse(kinds()["prometheus"], body)
    (late,) = parse(kinds()["prometheus"], body, now=NOW + timedelta(hours=1))
    assert isinstance(early, Alert)
    assert isinstance(late, Alert)
    assert (early.status, late.status) == (Status.FIRING, Status.RESOLVED)
