"""The wire form of Orange Business' Incident API as data: read strictly, and laid over what is shipped. Pure."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tocsin import yaml12
from tocsin.errors import Code
from tocsin.model import Impact, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

    from tocsin.errors import RuleError

SHIPPED = "_orange_mapping.yaml"
PATH = re.compile(r"([^.\s{}]+(\.[^.\s{}]+)*)?")
PARAMETER = re.compile(r"[^\s&=#]*")
_PLACES = ("number", "key")


def _path(text: str) -> str:
    if not PATH.fullmatch(text):
        raise ValueError("must be names and list positions joined by dots, such as contacts.0.email")
    return text


def _parameter(text: str) -> str:
    if not PARAMETER.fullmatch(text):
        raise ValueError("must be a query parameter's name, without & and =")
    return text


def _address(text: str) -> str:
    if not text.startswith("/") or re.search(r"[\s?#]", text):
        raise ValueError("must be a path that begins with / and has no query")
    for name in re.findall(r"\{([^}]*)\}?", text):
        if name not in _PLACES:
            raise ValueError(f"{{{name}}} means nothing here; it may hold {{number}} or {{key}}")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("must be a time zone's name, such as Europe/Paris") from None
    return text


def _times(text: str) -> str:
    if text not in ("iso", "seconds", "milliseconds") and not all(part in text for part in ("yyyy", "MM", "dd")):
        raise ValueError("must be iso, seconds, milliseconds, or a pattern with yyyy, MM and dd")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return text


def _several(words: Any) -> Any:
    return [words] if isinstance(words, str) else words


Path = Annotated[str, AfterValidator(_path)]
Several = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_several), Field(min_length=1)]
Operation = Literal["list", "create", "read", "update", "close", "reopen", "notes", "add_note", "attach"]
Sent = Literal[
    "title",
    "text",
    "reference",
    "impact",
    "status",
    "element",
    "contract",
    "occurred_at",
    "users_affected",
    "main_usage",
    "contact_last_name",
    "contact_first_name",
    "contact_phone",
    "contact_email",
    "contact_availability",
    "notify",
    "note",
]
Asked = Literal["offset", "limit", "reference", "number", "since"]
Told = Literal[
    "list",
    "number",
    "key",
    "reference",
    "status",
    "impact",
    "priority",
    "assignee",
    "changed_at",
    "page",
    "note_list",
    "note_id",
    "note_author",
    "note_text",
    "note_at",
]


class Entry(BaseModel):
    """One thing that is known of the API, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    known: Literal["confirmed", "assumed"] = "confirmed"
    """How sure it is. In a user's own file nothing needs to be said: they have read it."""
    source: str = ""


class Call(Entry):
    """An operation."""

    method: Literal["GET", "POST", "PUT", "PATCH"]
    path: Annotated[str, AfterValidator(_address)]
    offered: bool = True
    """Whether the API has it at all."""
    always: dict[Path, Any] = Field(default={})
    """Values that its body always holds, by path."""


class Place(Entry):
    """Where something stands in JSON; empty for nowhere, or for the whole."""

    path: Path


class Parameter(Entry):
    """A query parameter; empty when there is none."""

    name: Annotated[str, AfterValidator(_parameter)]


class Impacts(Entry):
    """The API's words for impacts; of several the first is written."""

    en: dict[Impact, Several]
    fr: dict[Impact, Several]


class Statuses(Entry):
    """The API's words for statuses; of several the first is written."""

    en: dict[TicketStatus, Several]
    fr: dict[TicketStatus, Several]


class Time(Entry):
    """How moments are written."""

    written: Annotated[str, AfterValidator(_times)] = Field(alias="as", default="iso")
    """`iso`, `seconds`, `milliseconds`, or a pattern of dd MM yyyy HH mm ss."""
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class Attachment(Entry):
    """How files are sent."""

    written: Literal["multipart", "base64"] = Field(alias="as", default="multipart")
    part: str = Field(default="file", min_length=1)
    """Name of the part that is the file."""
    name: Path = "name"
    """Where the file's name stands beside its content in base64."""
    content: Path = "content"
    media_type: Path = "mimeType"


class Number(Entry):
    """What a ticket's number looks like."""

    pattern: Annotated[str, AfterValidator(_pattern)] = ""


class Layer(BaseModel):
    """What a file says of the API: all of it, or what differs from what is shipped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operations: dict[Operation, Call] = Field(default={})
    sends: dict[Sent, Place] = Field(default={})
    impacts: Impacts | None = None
    statuses: Statuses | None = None
    asks: dict[Asked, Parameter] = Field(default={})
    tells: dict[Told, Place] = Field(default={})
    time: Time | None = None
    file: Attachment | None = None
    number: Number | None = None

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Every entry with its name, such as `sends.title`."""
        for section, held in self.sections().items():
            if isinstance(held, dict):
                yield from ((f"{section}.{name}", entry) for name, entry in held.items())
            elif held is not None:
                yield section, held

    def sections(self) -> dict[str, Any]:
        """What it holds, by section."""
        return {name: getattr(self, name) for name in Layer.model_fields}


class Mapping(Layer):
    """The whole wire form."""

    impacts: Impacts
    statuses: Statuses
    time: Time
    file: Attachment
    number: Number

    def over(self, layer: Layer) -> Mapping:
        """The same with the entries of a layer in place of these."""
        mine, theirs = self.sections(), layer.sections()
        merged: dict[str, Any] = {
            name: {**held, **theirs[name]} if isinstance(held, dict) else theirs[name] or held
            for name, held in mine.items()
        }
        return Mapping(**merged)


@cache
def shipped() -> Mapping:
    """The mapping that comes with tocsin."""
    text = files("tocsin.backends").joinpath(SHIPPED).read_text("utf-8")
    return Mapping(**parse(text, SHIPPED).sections())


def parse(text: str | bytes, file: str) -> Layer:
    """What a mapping file says. Raises RuleError with file, line, column and the nearest known word."""
    data, positions = yaml12.read(text, file)
    try:
        return Layer.model_validate({} if data is None else data)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
    raise _problem(problems, positions)


_ENTRIES: dict[str, type[Entry]] = {
    "operations": Call,
    "sends": Place,
    "asks": Parameter,
    "tells": Place,
    "impacts": Impacts,
    "statuses": Statuses,
    "time": Time,
    "file": Attachment,
    "number": Number,
}
_NAMES: dict[str, tuple[str, ...]] = {
    "operations": get_args(Operation),
    "sends": get_args(Sent),
    "asks": get_args(Asked),
    "tells": get_args(Told),
    "impacts": tuple(Impact),
    "statuses": tuple(TicketStatus),
}


def _problem(problems: Sequence[ErrorDetails], positions: yaml12.Positions) -> RuleError:
    """The first of the problems, a misspelt word before all, and how many more there are."""
    first = next((one for one in problems if _misspelt(one)), problems[0])
    place = first["loc"]
    path = tuple(step for step in place if step != "[key]")
    told, code, hint, key = first["msg"].removeprefix("Value error, "), Code.WRONG_VALUE, "", False
    name = str(path[-1]) if path else ""
    if _misspelt(first):
        known = _known(path, entry=first["type"] == "extra_forbidden" and len(path) > 1)
        told, code, key = f"{name!r} is not known here", Code.UNKNOWN_KEY, True
        hint = yaml12.nearest(name, known) or f"known are: {', '.join(known)}"
    elif first["type"] == "missing":
        told, code = f"{name!r} is missing", Code.MISSING_KEY
    elif not path:
        told = "must be a mapping of sections such as operations and sends"
    more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
    where = ".".join(str(step) for step in path)
    return positions.problem(f"{where}: {told}{more}" if where else told, path, key=key, hint=hint, code=code)


def _misspelt(problem: ErrorDetails) -> bool:
    return problem["loc"][-1:] == ("[key]",) or problem["type"] == "extra_forbidden"


def _known(path: tuple[int | str, ...], *, entry: bool) -> tuple[str, ...]:
    """The words that may stand at a place."""
    section = str(path[0])
    if len(path) == 1:
        return tuple(Layer.model_fields)
    if entry:
        return tuple(field.alias or name for name, field in _ENTRIES[section].model_fields.items())
    return _NAMES[section]
