"""What a small mapping makes of a document: the fields of an alert, each found, captured, translated or said.

Knows documents and the fields of an alert; no platform and no form of bodies. Everything that is decided is kept as a `Step`, so that a
mapping can be tried and understood: reading and explaining are one.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tocsin.errors import PayloadError
from tocsin.model import Alert, Unreadable
from tocsin.sources import _dig, _identity, _labels, _paths, _read, _regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHOWN = 2_000
"""Most characters of what was found, in a step."""

_NAME_KEYS = ("name", "key", "label", "tag", "@name", "@key")
_VALUE_KEYS = ("value", "text", "#text", "@value")
_PLACEHOLDER = _regex.Regex(r"\A(?:\{\{.*\}\}|\{[A-Z0-9_.#]+\}|\$\{?[A-Z][A-Z0-9_.]*\}?\$?|%[A-Z_]+%)\z")
"""A template's variable that the platform left as it is."""


class Step(Struct, frozen=True):
    """How one field of an alert came about."""

    field: str
    """`resource`, `labels.team`, `identity[0]` …"""
    expression: str
    """The one that counted: the first that found something, else the first; empty where there is none."""
    found: str
    """What it found, as JSON; empty for nothing; of one that failed, why."""
    how: str
    """`found`, `captured`, `translated`, `else`, `constant`, `default` for a value of ours, `missing`, or `failed`."""
    value: str
    """What became of it."""


class Traced(Struct, frozen=True):
    """What became of one entry of a message."""

    position: int
    """Index of the entry in the message, from 0."""
    entry: str
    """The entry, as JSON."""
    steps: tuple[Step, ...]
    """The fields, in the order of the options; those up to the one that failed, where one did."""
    ignored: str
    """The condition under which it is no alert; empty where none held."""
    outcome: Alert | Unreadable | None
    """The alert; None where it is ignored."""


def _spec(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _texts(value: Any) -> Any:
    """A table whose keys and values are as JSON writes them: `{1: critical, true: firing}`."""
    if not isinstance(value, dict):
        return value
    return {word(key): inner for key, inner in value.items()}


def word(value: Any) -> str:
    return (_read.text(value) if isinstance(value, (str, int, float)) or value is None else str(value)).strip().lower()


Table = Annotated[dict[str, str], BeforeValidator(_texts)]


class Found(BaseModel):
    """How one field is found: a path, or a path and what to make of it, or a constant."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: _paths.Expression | None = None
    """Where it stands: a path or a JMESPath expression."""
    paths: tuple[_paths.Expression, ...] = ()
    """Several places; the first that says something counts."""
    regex: _regex.Expression | None = None
    """Regular expression (RE2) that what was found must fit; its first capture counts, without one all that fits."""
    table: Table = Field(default={})
    """What was found → our word; case does not matter."""
    otherwise: str | None = Field(default=None, alias="else")
    """The value where nothing was found, or the expression or the table do not know it."""
    constant: str | None = None
    """The value, whatever the message says."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = (self.path is not None) + bool(self.paths) + (self.constant is not None)
        if given != 1:
            raise ValueError("give exactly one of path, paths, constant")
        if self.constant is not None and (self.regex or self.table or self.otherwise is not None):
            raise ValueError("a constant needs no regex, table or else")
        return self

    @cached_property
    def places(self) -> tuple[str, ...]:
        """Its expressions, in their order."""
        return self.paths if self.path is None else (self.path,)

    @cached_property
    def ways(self) -> tuple[_paths.Path, ...]:
        """The same, compiled."""
        return tuple(map(_paths.path, self.places))

    def words(self) -> Iterable[str]:
        """Every value that it can say by itself."""
        return (*self.table.values(), *(word for word in (self.otherwise, self.constant) if word is not None))


Spec = Annotated[Found, BeforeValidator(_spec)]
"""A field as the settings say it: an expression, or a `Found`."""


class Made(NamedTuple):
    """What became of one field; `Step` says the same for people."""

    field: str
    expression: str
    found: Any
    how: str
    value: str

    def step(self) -> Step:
        """The same, to be printed."""
        found = "" if self.found is None else _identity.cut(_identity.encode(self.found).decode(), _SHOWN)
        return Step(self.field, self.expression, found, self.how, self.value)


def described(field: str, spec: Found, scope: _paths.Scope) -> Made:
    """What a field is that only describes: an expression that cannot be applied loses no alert."""
    try:
        return apply(field, spec, scope)
    except PayloadError as error:
        return Made(field, ", ".join(spec.places), str(error), "failed", spec.otherwise or "")


def apply(field: str, spec: Found, scope: _paths.Scope) -> Made:
    """What a field is in a scope.

    Raises:
        PayloadError: its expression cannot be applied; the sentence names the field.
    """
    if spec.constant is not None:
        return Made(field, "", None, "constant", spec.constant)
    expression, found, text = spec.places[0], None, ""
    for way in spec.ways:
        value = _led(field, way, scope)
        if value is None:
            continue
        if text := plain(value):
            expression, found = way.text, value
            break
        found = value if found is None else found
    how = "found" if text else "missing"
    if text and spec.regex:
        how, text = _captured(spec.regex, text)
    if text and spec.table:
        how, text = _translated(spec, text, how)
    if not text and spec.otherwise is not None:
        how, text = "else", spec.otherwise
    return Made(field, expression, found, how, text)


def look(field: str, expression: str, scope: _paths.Scope) -> Any:
    """What an expression points to.

    Raises:
        PayloadError: it cannot be applied; the sentence names the field.
    """
    return _led(field, _paths.path(expression), scope)


def _led(field: str, way: _paths.Path, scope: _paths.Scope) -> Any:
    try:
        return way.find(scope)
    except PayloadError as error:
        raise PayloadError(_read.said(f"{field}: {error}")) from error


def plain(value: Any) -> str:
    """A value as text: a list of scalars joined, nothing for an object or what a template left unfilled."""
    if type(value) is not str:
        if isinstance(value, dict) or value is None:
            return ""
        if isinstance(value, list):
            return ", ".join(_dig.texts(value))
        value = _read.text(value)
    text = value.strip()
    return "" if text[:1] in "{$%" and _PLACEHOLDER.search(text) is not None else text


def labels(spec: Mapping[str, Found], scope: _paths.Scope) -> tuple[dict[str, str], list[Made]]:
    """The labels: with `*` all that an object or a list of names and values holds, and each that is named."""
    told: dict[str, str] = {}
    made: list[Made] = []
    for name, how in spec.items():
        if name == "*":
            all_of, one = _all_labels(how, scope)
            told = all_of | told
        else:
            one = described(f"labels.{name}", how, scope)
            told[name] = one.value
        made.append(one)
    return _labels.fit(told), made


def _all_labels(how: Found, scope: _paths.Scope) -> tuple[dict[str, str], Made]:
    """The first of the places that holds names and values."""
    place, value = "", None
    for place in how.places:
        try:
            value = look("labels", place, scope)
        except PayloadError as error:
            return {}, Made("labels", place, str(error), "failed", "")
        if told := named(value):
            return told, Made("labels", place, value, "found", ", ".join(told))
    return {}, Made("labels", place, value, "missing", "")


def named(value: Any) -> dict[str, str]:
    """Names and values out of an object, a list of objects that hold a name and a value, or a list of tags."""
    if isinstance(value, dict):
        return _labels.flat(value)
    if not isinstance(value, list):
        return {}
    found: dict[str, str] = {}
    for pair in value:
        if isinstance(pair, dict):
            name = next((pair[key] for key in _NAME_KEYS if isinstance(pair.get(key), str)), "")
            text = next((text for key in _VALUE_KEYS if (text := plain(pair.get(key)))), "")
            if name and text:
                found[name] = text
    tags = [tag for tag in value if isinstance(tag, str)]
    separator = "=" if any("=" in tag for tag in tags) else ":"
    return found | _labels.tags(tags, separator)


def _captured(regex: str, text: str) -> tuple[str, str]:
    compiled = _regex.compiled(regex)
    found = compiled.search(text)
    return ("captured", compiled.first(found).strip()) if found is not None else ("missing", "")


def _translated(spec: Found, text: str, how: str) -> tuple[str, str]:
    """A word that the table does not know stays, unless there is an `else`."""
    known = spec.table.get(text.lower())
    if known is not None:
        return "translated", known
    return ("missing", "") if spec.otherwise is not None else (how, text)
