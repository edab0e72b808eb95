"""The mapping of Orange's Incident API filled in from the vendor's Swagger 2.0 file. Pure.

Operations are found by the resources in their paths, fields and parameters by their names, words by their likeness to
labels of ours. What has a name that was expected counts as confirmed; what is only alike stays assumed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
import yaml
from msgspec import Struct
from pydantic import ValidationError

from tocsin.backends import Finding, _swagger
from tocsin.backends import _orange_names as names
from tocsin.backends._likeness import SAME, likeness, matched, words
from tocsin.backends._orange_findings import base, sections, unfilled
from tocsin.backends._orange_mapping import (
    PARAMETER,
    PATH,
    Attachment,
    Call,
    Impacts,
    Layer,
    Parameter,
    Place,
    Statuses,
    Time,
)
from tocsin.backends._orange_mapping import Mapping as Wire
from tocsin.errors import Code, RuleError
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tocsin.backends._orange_mapping import Asked, Operation, Several, Told
    from tocsin.backends._swagger import Leaf

    Found = Mapping[Operation, _swagger.Operation]

_NAME, _WORD = 0.6, 0.45
"""From how much likeness on a name, or a value, is taken for ours."""
_ENOUGH = 3
"""So many values that are alike make a field the impact, whatever it is called."""


class Imported(Struct, frozen=True, kw_only=True):
    """What a Swagger file says of the mapping."""

    mapping: Wire
    """The whole: what the file says, over what was given."""
    text: str
    """A mapping file with what the Swagger file says: the option `mapping` reads it."""
    findings: tuple[Finding, ...]
    """What was found, what was not, and what the API requires and nothing of ours fills."""


def import_swagger(text: str, mapping: Wire) -> Imported:
    """Fill a mapping from the text of a Swagger 2.0 file in JSON. Raises RuleError with a sentence when it is none."""
    document = _document(text)
    found = _found(document)
    if "list" not in found and "create" not in found:
        raise RuleError(
            "the Swagger file has no operation on incidents: is it the Incident API's?", code=Code.MISSING_KEY
        )
    info = document.get("info")
    source = f"Swagger {info.get('version', '') if isinstance(info, dict) else ''}".strip()
    try:
        layer = _layer(found, mapping, source)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        why = f"the Swagger file has a name that cannot be used: it {problem}"
        raise RuleError(why, code=Code.WRONG_VALUE) from None
    merged = mapping.over(layer)
    findings = (*base(document), *sections(found, layer), *unfilled(_leaves(found, "create"), merged))
    return Imported(mapping=merged, text=_written(layer, source), findings=findings)


def _document(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RuleError(f"the Swagger file is not JSON ({error}): download it anew", code=Code.SYNTAX) from None
    if not isinstance(document, dict) or str(document.get("swagger")) != "2.0":
        raise RuleError('not a Swagger 2.0 file: its key `swagger` must say "2.0"', code=Code.WRONG_VALUE)
    return document


# --- operations -----------------------------------------------------------------------------------------------------


def _found(document: Mapping[str, Any]) -> dict[Operation, _swagger.Operation]:
    """The operations on incidents; a PATCH is preferred to a PUT."""
    found: dict[Operation, _swagger.Operation] = {}
    for one in _swagger.operations(document):
        name = _classified(one)
        if name and (name not in found or (one.verb == "PATCH" and found[name].verb == "PUT")):
            found[name] = one
    return found


def _classified(one: _swagger.Operation) -> Operation | None:
    """Which of ours an operation is, by the resources its path goes through."""
    steps = [step for step in one.path.split("/") if step]
    resources = [words(step) for step in steps if not step.startswith("{")]
    if ("incident",) not in resources or not _PLAIN.fullmatch(one.path):
        return None
    of_one = steps[-1].startswith("{")
    name = _RESOURCES.get(("*" if of_one else "", *resources[-1]), {}).get(one.verb)
    return name if len(one.placeholders) == (name not in ("list", "create")) else None


_PLAIN = re.compile(r"/[^\s?#]*")
_RESOURCES: dict[tuple[str, ...], dict[str, Operation]] = {
    ("", "incident"): {"GET": "list", "POST": "create"},
    ("*", "incident"): {"GET": "read", "PATCH": "update", "PUT": "update"},
    ("", "note"): {"GET": "notes", "POST": "add_note"},
    ("", "attachment"): {"POST": "attach"},
    ("", "close"): dict.fromkeys(("POST", "PUT", "PATCH"), "close"),
    ("", "reopen"): dict.fromkeys(("POST", "PUT", "PATCH"), "reopen"),
}
"""The last resource of a path, after `*` when it is one of them → verb → operation."""


def _calls(found: Found, place: str, source: str) -> dict[Operation, Call]:
    """The operations as the mapping writes them; closing and opening again are updates where they are not their own."""
    calls: dict[Operation, Call] = {}
    for name, one in found.items():
        path = one.path
        for given in one.placeholders:
            path = path.replace(f"{{{given}}}", f"{{{place}}}")
        calls[name] = Call(method=one.verb, path=path, known="confirmed", source=source)  # type: ignore[arg-type]
    for name in ("close", "reopen"):
        if name not in calls and "update" in calls:
            calls[name] = calls["update"].model_copy(update={"known": "assumed", "source": f"{source}: as update"})
    return calls


# --- fields ---------------------------------------------------------------------------------------------------------


def _layer(found: Found, mapping: Wire, source: str) -> Layer:
    """What the operations say that were found."""
    listed = _leaves(found, "list", "read", answers=True)
    number, key = _number(found, listed)
    sent = _leaves(found, "create")
    impact = _by_words(sent, mapping)
    sends = {**_cleared(sent, source), **_places(names.SENT, sent, source)}
    sends |= _places(names.SENT_LATER, _leaves(found, "update"), source)
    sends |= _places(names.SENT_AS_NOTE, _leaves(found, "add_note"), source)
    tells: dict[Told, Place] = {**_places(names.TOLD, listed, source), **_lists(found, source)}
    if impact:
        sends["impact"] = Place(path=impact.path, source=f"{source}: its values")
    if shown := _by_words(listed, mapping):
        tells["impact"] = Place(path=shown.path, source=f"{source}: its values")
    tells |= _places(names.TOLD_OF_NOTES, _leaves(found, "notes", answers=True), source)
    tells |= {what: Place(path=path, source=source) for what, path in (("number", number), ("key", key)) if path}  # type: ignore[misc]
    return Layer(
        operations=_calls(found, "key" if key else "number", source),
        sends=sends,
        impacts=_impacts(impact or _leaf(sent, sends.get("impact")), mapping, source),
        statuses=_statuses(_leaf(listed, tells.get("status")), mapping, source),
        asks=_asks(found, source),
        tells=tells,
        time=_time(_leaf(sent, sends.get("occurred_at")), source),
        file=_file(found, source),
    )


def _leaves(found: Found, *operations: Operation, answers: bool = False) -> tuple[Leaf, ...]:
    """The leaves of the first of the operations that has any."""
    every = (found[name].answers if answers else found[name].sends for name in operations if name in found)
    plain = (tuple(leaf for leaf in leaves if PATH.fullmatch(leaf.path)) for leaves in every)
    return next((leaves for leaves in plain if leaves), ())


def _leaf(leaves: Iterable[Leaf], place: Place | None) -> Leaf | None:
    return next((leaf for leaf in leaves if place and leaf.path == place.path), None)


def _places(known: Mapping[Any, Sequence[str]], leaves: Iterable[Leaf], source: str) -> dict[Any, Place]:
    return {
        ours: Place(path=path, known="confirmed" if score >= SAME else "assumed", source=source)
        for ours, (path, score) in matched(known, [leaf.path for leaf in leaves], _NAME).items()
    }


def _cleared(leaves: Sequence[Leaf], source: str) -> dict[Any, Place]:
    """Nothing is sent any more to where the file has nothing."""
    return {ours: Place(path="", source=f"{source}: not there") for ours in names.SENT} if leaves else {}


def _lists(found: Found, source: str) -> dict[Told, Place]:
    every: tuple[tuple[Told, Operation], ...] = (("list", "list"), ("note_list", "notes"))
    where = {what: found[name].listed for what, name in every if name in found}
    return {
        what: Place(path=path, source=source)
        for what, path in where.items()
        if path is not None and PATH.fullmatch(path)
    }


def _number(found: Found, listed: Sequence[Leaf]) -> tuple[str, str]:
    """Where the number stands, and what addresses need instead when that is something else."""
    paths = [leaf.path for leaf in listed]
    given = found["read"].placeholders[-1:] if "read" in found else ()
    key = matched({"key": (*given, "id")}, paths, _NAME).get("key", ("", 0))[0]
    number = matched({"number": names.NUMBER}, paths, SAME).get("number", ("", 0))[0]
    if not number or number == key or any(likeness(number, one) >= SAME for one in given):
        return number or key, ""
    return number, key


def _asks(found: Found, source: str) -> dict[Asked, Parameter]:
    """The query parameters; none for what the list does not offer, so that nothing is asked that it may refuse."""
    if "list" not in found:
        return {}
    offered = matched(names.ASKED, [name for name in found["list"].query if PARAMETER.fullmatch(name)], _NAME)
    since = offered.get("since", ("", 0))[0]
    if not names.SINCE & set(words(since)):
        offered.pop("since", None)
    return {
        ours: Parameter(
            name=offered[ours][0] if ours in offered else "",
            known="confirmed" if ours not in offered or offered[ours][1] >= SAME else "assumed",
            source=source,
        )
        for ours in names.ASKED
    }


def _time(leaf: Leaf | None, source: str) -> Time | None:
    if leaf is None:
        return None
    if leaf.kind.startswith(("integer", "number")):
        return Time.model_validate({"as": "milliseconds", "known": "assumed", "source": f"{source}: a number"})
    return Time(source=source) if leaf.kind == "string date-time" else None


def _file(found: Found, source: str) -> Attachment | None:
    if "attach" not in found:
        return None
    if files := found["attach"].files:
        return Attachment(part=files[0], source=source)
    parts = matched(names.FILE, [leaf.path for leaf in _leaves(found, "attach")], _NAME)
    if "content" not in parts:
        return None
    where = {part: path for part, (path, _) in parts.items()}
    return Attachment.model_validate({"as": "base64", **where, "known": "assumed", "source": source})


# --- values ---------------------------------------------------------------------------------------------------------


def _labels(tables: Impacts | Statuses) -> dict[Any, tuple[str, ...]]:
    """Every label of ours for a value, in both languages, and its own word."""
    every = {*tables.en, *tables.fr}
    return {
        ours: (ours.value, *tables.en.get(ours, ()), *tables.fr.get(ours, ()), *names.WORDS[ours.value])
        for ours in every
    }


def _by_words(leaves: Iterable[Leaf], mapping: Wire) -> Leaf | None:
    """The field whose listed values are most like our impacts."""
    scored = [(len(matched(_labels(mapping.impacts), leaf.words, _WORD)), leaf) for leaf in leaves if leaf.words]
    best = max(scored, key=lambda one: one[0], default=(0, None))
    return best[1] if best[0] >= _ENOUGH else None


def _table(leaf: Leaf | None, tables: Impacts | Statuses) -> dict[Any, str]:
    found = matched(_labels(tables), leaf.words, _WORD) if leaf else {}
    return {ours: word for ours, (word, _) in found.items()}


def _impacts(leaf: Leaf | None, mapping: Wire, source: str) -> Impacts | None:
    """The words for impacts; one that has none of its own takes that of the next lower."""
    table: dict[Impact, str] = _table(leaf, mapping.impacts)
    if not table:
        return None
    lowest = next(table[impact] for impact in Impact if impact in table)
    for impact in Impact:
        lowest = table.setdefault(impact, lowest)
    return Impacts(**_both(table, mapping.impacts), known="assumed", source=f"{source}: by likeness")


def _statuses(leaf: Leaf | None, mapping: Wire, source: str) -> Statuses | None:
    table: dict[TicketStatus, str] = _table(leaf, mapping.statuses)
    if not table:
        return None
    return Statuses(**_both(table, mapping.statuses), known="assumed", source=f"{source}: by likeness")


def _both(table: Mapping[Any, str], tables: Impacts | Statuses) -> dict[str, dict[Any, Several]]:
    """Both languages: the file's word is written, and the labels are still read."""
    return {
        language: {
            ours: tuple(dict.fromkeys((word, *getattr(tables, language).get(ours, ())))) for ours, word in table.items()
        }
        for language in ("en", "fr")
    }


def _written(layer: Layer, source: str) -> str:
    """The layer as a mapping file."""
    said = layer.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    text = yaml.safe_dump(said, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None)
    return f"# The Incident API's wire form, from its {source} file. What is `assumed` was taken by likeness: compare it.\n{text}"
