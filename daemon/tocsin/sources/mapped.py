"""Any JSON, form, XML or text, by a mapping in the settings.

Format: whatever a platform posts. The source's options say where the fields of an alert stand in it, as paths (`alert.host.name`) or
JMESPath expressions (https://jmespath.org/specification.html), with regular expressions, tables and defaults; the README in
`config/sources/mapped/` has three examples. Without options the fields are named as those of an alert: `resource`, `check`, `status` …
Authentication: whatever the sender can do.
Identity: the values of the option `identity`; resource and check unless said.
Resolved: what the option `status` finds is a word for it (ok, resolved, closed, cleared, recovered …), or its table says so.
Delivery: the sender's business; 503 means send it again.
Limits: 100 000 entries in each message; expressions of 1 000 characters.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import _build, _documents, _identity, _mapping, _paths, _read, _regex, _severity, _times
from tocsin.sources._mapping import Found, Made, Spec, Step, Traced
from tocsin.sources._options import ZonedOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    Tell = Callable[[Made], None]
    """Takes down how a field came about."""

__all__ = ["Options", "Step", "Traced", "parse", "trace"]

MEDIA_TYPES = frozenset({"*/*"})

MAX_ENTRIES = 100_000
"""How many entries a message may have."""

OVER = _severity.CLEAR | {
    "close",
    "closed",
    "recover",
    "recovered",
    "inactive",
    "end",
    "ended",
    "fixed",
    "solved",
    "healthy",
}
"""Words of a status that say that a problem is over; every other says that there is one."""


def _at(path: str) -> Found:
    return Found(path=path)


def _all(value: Any) -> Any:
    return {"*": value} if isinstance(value, str) else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


Values = Annotated[
    tuple[Annotated[str, BeforeValidator(_mapping.word)], ...],
    BeforeValidator(lambda value: value if isinstance(value, (list, tuple)) else [value]),
]


class Options(ZonedOptions):
    """The mapping: each field of an alert is a path, or `{path, paths, regex, table, else, constant}`."""

    format: _documents.Form | None = None
    """What the messages are: `json`, `form`, `xml`, `text`, or `lines`; unless said, the body and its content type tell."""

    pattern: _regex.Expression | None = None
    """Regular expression (RE2) for `text` and `lines`: its named captures, `(?P<host>…)`, are the fields, and `text` is all of it."""

    unpack: tuple[str, ...] = ()
    """Fields at the top of the message that hold JSON as a text."""

    entries: _paths.Expression | None = None
    """The list of alerts in the message; unless said, the message itself, or each of its elements when it is a list."""

    ignore: dict[_paths.Expression, Values] = Field(default={})
    """What is no alert: expression → value or values, `{event.type: [ack, comment]}`."""

    resource: Spec = _at("resource")
    """What the alert is about: a host, a service."""

    check: Spec = _at("check")
    """What is wrong with it."""

    identity: Annotated[tuple[Spec, ...], BeforeValidator(_listed)] = ()
    """What makes it the same problem again, in this order; resource and check unless said. Never a text for people."""

    status: Spec = _at("status")
    """Whether there is a problem; its table says `firing` or `resolved`."""

    severity: Spec = _at("severity")
    """How severe it is; its table says `critical`, `major`, `minor`, `warning` or `info`."""

    summary: Spec = _at("summary")
    """One line for people."""

    description: Spec = _at("description")
    """More for people."""

    labels: Annotated[dict[str, Spec], BeforeValidator(_all)] = Field(default={"*": _at("labels")})
    """Path to an object or a list of names and values; or each label by its name, where `*` is such a path."""

    starts_at: Spec = _at("starts_at")
    """When the problem began."""

    ends_at: Spec = _at("ends_at")
    """When it ended; of one that fires, when it is over unless said again."""

    said_at: Spec = _at("said_at")
    """When the platform said this, and not when the problem began: a time with an offset, or an epoch; of two messages the
    newer one counts."""

    url: Spec = _at("url")
    """Where to see it."""

    @field_validator("severity")
    @classmethod
    def _ours(cls, spec: Found) -> Found:
        _only(spec, tuple(Severity))
        return spec

    @field_validator("status")
    @classmethod
    def _firing_or_resolved(cls, spec: Found) -> Found:
        _only(spec, tuple(Status))
        return spec

    @model_validator(mode="after")
    def _pattern_for_text(self) -> Self:
        if self.pattern and self.format in {"json", "form", "xml"}:
            raise ValueError(f"`pattern` is for text and lines: it says nothing of {self.format}")
        return self

    @cached_property
    def regex(self) -> _regex.Regex | None:
        """The pattern, compiled."""
        return _regex.compiled(self.pattern) if self.pattern else None


def _only(spec: Found, words: tuple[str, ...]) -> None:
    for word in spec.words():
        if word not in words:
            raise ValueError(f"{word!r} is none of {', '.join(words)}")


class _Entries(NamedTuple):
    """The entries of a message."""

    found: list[_paths.Scope | PayloadError]
    alone: bool
    """Whether it is one, and no list of them."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of a message; in a list or lines, an entry that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it cannot be read otherwise, has no entries, or is one entry that cannot be read.
    """
    entries = _entries(payload, options)
    found: list[Alert | Unreadable] = []
    for entry in entries.found:
        try:
            alert = None if _ignored(_scope(entry), options) else _alert(_scope(entry), payload, options)
        except PayloadError as error:
            if entries.alone:
                raise
            found.append(Unreadable(position=len(found), problem=_read.said(str(error))))
        else:
            found += [] if alert is None else [alert]
    return found


def trace(payload: Payload, options: Options, now: datetime) -> list[Traced]:  # noqa: ARG001
    """What the mapping makes of a message: for each entry and field the expression, what it found, what became of it.

    Raises:
        PayloadError: the body cannot be read at all, or has no entries.
    """
    found: list[Traced] = []
    for position, entry in enumerate(_entries(payload, options).found):
        steps: list[Made] = []
        ignored = ""
        outcome: Alert | Unreadable | None = None
        try:
            ignored = _ignored(_scope(entry), options)
            outcome = None if ignored else _alert(_scope(entry), payload, options, steps.append)
        except PayloadError as error:
            outcome = Unreadable(position=position, problem=_read.said(str(error)))
        shown = "" if isinstance(entry, PayloadError) else _identity.encode(entry.entry).decode()
        found.append(Traced(position, shown, tuple(made.step() for made in steps), ignored, outcome))
    return found


def _entries(payload: Payload, options: Options) -> _Entries:
    documents = _documents.documents(payload, options.format, options.regex, options.unpack)
    found: list[_paths.Scope | PayloadError] = []
    alone = len(documents) == 1
    for document in documents:
        if isinstance(document, PayloadError):
            found.append(document)
            continue
        told = document
        if options.entries is not None:
            told = _mapping.look("entries", options.entries, _paths.Scope(document, document))
            if not isinstance(told, (dict, list)):
                raise PayloadError(_read.said(f"entries: `{options.entries}` finds no list of alerts in the message"))
        alone = alone and not isinstance(told, list)
        found += [_paths.Scope(one, document) for one in (told if isinstance(told, list) else [told])]
    if len(found) > MAX_ENTRIES:
        raise PayloadError(f"the message has {len(found)} entries, at most {MAX_ENTRIES} are taken")
    return _Entries(found, alone)


def _scope(entry: _paths.Scope | PayloadError) -> _paths.Scope:
    if isinstance(entry, PayloadError):
        raise entry
    return entry


def _ignored(scope: _paths.Scope, options: Options) -> str:
    """The condition under which the entry is no alert; empty when none holds."""
    for expression, values in options.ignore.items():
        if (value := _mapping.plain(_mapping.look("ignore", expression, scope)).lower()) in values:
            return f"{expression}: {value}"
    return ""


def _alert(scope: _paths.Scope, payload: Payload, options: Options, tell: Tell | None = None) -> Alert:
    def told(made: Made) -> str:
        if tell:
            tell(made)
        return made.value

    def identifying(name: str, spec: Found) -> str:
        return told(_mapping.apply(name, spec, scope))

    def describing(name: str) -> Made:
        return _mapping.described(name, getattr(options, name), scope)

    resource, check = identifying("resource", options.resource), identifying("check", options.check)
    identity = [identifying(f"identity[{position}]", spec) for position, spec in enumerate(options.identity)]
    if options.identity and not any(identity):
        raise PayloadError("identity is missing: none of its expressions finds anything")
    resolved = _is_resolved(_mapping.apply("status", options.status, scope), tell)
    severity = _how_severe(describing("severity"), options, tell)
    summary, description = (told(describing(name)) for name in ("summary", "description"))
    labels, made = _mapping.labels(options.labels, scope)
    for one in made if tell else ():
        told(one)
    starts_at, ends_at, said_at = (
        _date(describing(name), options, tell) for name in ("starts_at", "ends_at", "said_at")
    )
    return _build.alert(
        payload,
        options,
        identity=identity[0] if len(identity) == 1 else identity or (resource, check),
        resolved=resolved,
        severity=severity,
        resource=resource,
        check=check,
        summary=summary,
        description=description,
        labels=labels,
        starts_at=starts_at,
        ends_at=ends_at,
        said_at=said_at,
        url=told(describing("url")),
    )


def _is_resolved(made: Made, tell: Tell | None) -> bool:
    """A status that is missing fires."""
    resolved = made.value.lower() in OVER
    if tell:
        told = Status.RESOLVED if resolved else Status.FIRING
        tell(made._replace(how=made.how if made.value else "default", value=told.value))
    return resolved


def _how_severe(made: Made, options: Options, tell: Tell | None) -> Severity:
    """A word that nobody knows means the default."""
    known = _severity.WORDS.get(made.value.lower())
    severity = known or options.severity_default
    if tell:
        tell(made._replace(how=made.how if known or made.how == "failed" else "default", value=severity.value))
    return severity


def _date(made: Made, options: Options, tell: Tell | None) -> datetime | None:
    """A moment; one without an offset is in the zone, and says nothing of which message is the newer."""
    moment = None
    if made.value:
        moment = _times.moment(made.value) if made.field == "said_at" else _times.local(made.value, options.zone)
    if tell:
        how = made.how if moment or made.how == "failed" else "missing"
        tell(made._replace(how=how, value=moment.isoformat() if moment else ""))
    return moment
