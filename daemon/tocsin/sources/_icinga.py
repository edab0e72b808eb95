"""What Icinga 2's API says about hosts and services: events of its stream, and objects as they are listed.

Both tell the same states: numbers, hard or soft. Knows the API; what a notification command or Icinga Notifications sends is
not its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _dig, _identity, _labels, _macros, _read, _secret, _texts, _times

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.model import Alert, Payload
    from tocsin.sources._options import SourceOptions

STATES = frozenset({"StateChange", "CheckResult", "Notification"})
"""Events that may be alerts."""

OTHERS = frozenset(
    {
        *("AcknowledgementSet", "AcknowledgementCleared", "CommentAdded", "CommentRemoved", "Flapping"),
        *(
            "DowntimeAdded",
            "DowntimeRemoved",
            "DowntimeStarted",
            "DowntimeTriggered",
            "ObjectCreated",
            "ObjectModified",
        ),
    }
)
"""Events that say what people or Icinga do about a problem, or that an object came or changed."""

DELETED = "ObjectDeleted"
"""The event after which nobody will say that a problem is over."""

EVENTS = STATES | OTHERS | {DELETED}

_SERVICE = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_HOST = ("UP", "DOWN", "UNREACHABLE")
_HOST_CHECK = ("UP", "UP", "DOWN", "DOWN")
"""The state of a host by the state of its check, which is told as if it were one of a service."""

_MANY = 1_000_000
"""More than any number of downtimes."""

_ATTRIBUTES = (
    *("display_name", "groups", "zone", "check_command", "address", "address6", "notes", "acknowledgement"),
    *("downtime_depth", "flapping", "state", "state_type", "last_hard_state", "check_attempt", "max_check_attempts"),
)
"""Attributes of an object that are labels, beside `vars`."""


def identity(host: str, service: str) -> str:
    """The name of a problem: `host!service`, or the host for its own; as Icinga names objects."""
    return f"{host}!{service}" if service else host


def fingerprint(host: str, service: str = "") -> str:
    """The fingerprint of the problem of a host, or of a service on it, in whatever form it is told."""
    name = identity(host, service)
    return name if len(name) <= _identity.MAX_NAME else _identity.fingerprint(_identity.encode((name,)))


def event(told: Mapping[str, Any], payload: Payload, options: SourceOptions, *, suppressed: bool) -> Alert | None:
    """The alert that an event of the stream is; None for a soft state, and for what is no state.

    Args:
        told: the event.
        payload: what it came in.
        options: the source's.
        suppressed: take what Icinga would not notify: problems in a downtime, and of what cannot be reached.

    Raises:
        PayloadError: it has no host, or no state.
    """
    kind = _dig.text(told, "type")
    if kind in OTHERS:
        return None
    if kind == DELETED:
        return _deleted(told, payload, options)
    host, service = _identity.name(_dig.text(told, "host"), "host"), _dig.text(told, "service")
    result = _dig.mapping(told, "check_result")
    after = _dig.mapping(result, "vars_after")
    word = _notified(told) if kind == "Notification" else ""
    if word == "none":
        return None
    state = _event_state(told, kind, service)
    state_type = _number(told.get("state_type", after.get("state_type")))
    resolved = word == "RECOVERY" or state in {"OK", "UP"}
    if kind != "Notification" and (state_type == 0 or not (resolved or suppressed or _is_told(told, after))):
        return None
    said_at = _times.moment(told.get("timestamp"))
    before = _word(_dig.at(result, "vars_before", "state"), _SERVICE if service else _HOST_CHECK)
    return _build.alert(
        payload,
        options,
        identity=identity(host, service),
        resolved=resolved,
        severity=(before or state) if resolved else state,
        resource=host,
        check=service or _macros.HOST_CHECK,
        **_output(result),
        labels=_event_labels(told, result, state),
        starts_at=said_at if kind == "StateChange" and not resolved else None,
        ends_at=(_times.moment(result.get("execution_end")) or said_at) if resolved else None,
        said_at=said_at,
    )


def listed(told: Any, payload: Payload, options: SourceOptions) -> Alert | None:
    """The alert that a host or service is, as the API lists it; None while it was never checked.

    Of one whose state is soft, its last hard state counts. Problems in a downtime are told: the list says what there is.

    Raises:
        PayloadError: it is no host or service, or has no state.
    """
    attributes = _dig.mapping(told, "attrs")
    name = _dig.text(told, "name") or _dig.text(attributes, "__name")
    kind = _dig.text(told, "type") or _dig.text(attributes, "type")
    if kind not in {"Host", "Service", ""}:
        raise PayloadError(_read.said(f"its type is {kind!r}, expected a Host or a Service"))
    host, _, service = _identity.name(name, "name").partition("!")
    checked = attributes.get("last_check", 1)
    if attributes.get("last_check_result", "") is None or (isinstance(checked, (int, float)) and checked <= 0):
        return None
    which = "last_hard_state" if _number(attributes.get("state_type")) == 0 else "state"
    state = _word(attributes.get(which), _SERVICE if service else _HOST)
    if not state:
        raise PayloadError(f"{which} is missing, or is no state")
    changed = _times.moment(attributes.get("last_hard_state_change"))
    resolved = state in {"OK", "UP"}
    links = (_texts.link(_dig.text(attributes, link)) for link in ("notes_url", "action_url"))
    return _build.alert(
        payload,
        options,
        identity=identity(host, service),
        resolved=resolved,
        severity=state,
        resource=_identity.name(host, "name"),
        check=service or _macros.HOST_CHECK,
        **_output(_dig.mapping(attributes, "last_check_result")),
        labels={"host": host, "service": service} | _object_labels(told, attributes),
        starts_at=None if resolved else changed,
        ends_at=changed if resolved else None,
        said_at=_times.moment(checked),
        url=next(filter(None, links), ""),
    )


def _deleted(told: Mapping[str, Any], payload: Payload, options: SourceOptions) -> Alert | None:
    """A host or service that is no longer watched has no problem any more."""
    if _dig.text(told, "object_type") not in {"Host", "Service"}:
        return None
    host, _, service = _identity.name(_dig.text(told, "object_name"), "object_name").partition("!")
    when = _times.moment(told.get("timestamp"))
    return _build.alert(
        payload,
        options,
        identity=identity(host, service),
        resolved=True,
        severity="",
        resource=_identity.name(host, "object_name"),
        check=service or _macros.HOST_CHECK,
        labels={"host": host, "service": service} | _labels.flat(told, skip=("timestamp",)),
        ends_at=when,
        said_at=when,
    )


def _notified(told: Mapping[str, Any]) -> str:
    """The type of a notification: one of `_macros.ALERTS`, or `none` for one that is no alert."""
    word = _dig.text(told, "notification_type").upper()
    if word in _macros.NO_ALERTS:
        return "none"
    if word not in _macros.ALERTS:
        raise PayloadError(_read.said(f"notification_type is {word!r}, expected one such as PROBLEM or RECOVERY"))
    return word


def _event_state(told: Mapping[str, Any], kind: str, service: str) -> str:
    """The word for the state that an event tells: a state change its own, others that of their check."""
    result = _dig.mapping(told, "check_result")
    own = told.get("state") if kind == "StateChange" else None
    state = _word(own, _SERVICE if service else _HOST)
    state = state or _word(
        _dig.at(result, "vars_after", "state") or result.get("state"), _SERVICE if service else _HOST_CHECK
    )
    if not (state or kind == "Notification"):
        raise PayloadError("state is missing, or is no state")
    return state


def _is_told(told: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether Icinga would notify a problem: no downtime is in effect, and it can be reached."""
    return not (_number(told.get("downtime_depth"), most=_MANY) or after.get("reachable") is False)


def _number(value: Any, most: int = 3) -> int | None:
    """A number of the API, which may be written with a fraction or as text; None for anything else."""
    text = _read.text(value).strip() if isinstance(value, (int, float, str)) and not isinstance(value, bool) else ""
    whole = text.removesuffix(".0")
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 10 and int(whole) <= most else None  # noqa: PLR2004 - more digits are no number of the API


def _word(value: Any, words: tuple[str, ...]) -> str:
    number = _number(value)
    return words[number] if number is not None and number < len(words) else ""


def _output(result: Mapping[str, Any]) -> dict[str, str]:
    """First line of the plugin's output, and what it says beyond that; performance data is neither."""
    first, _, more = _dig.text(result, "output").partition("\n")
    return {"summary": first.partition("|")[0].strip(), "description": more.partition("|")[0].strip()}


def _event_labels(told: Mapping[str, Any], result: Mapping[str, Any], state: str) -> dict[str, str]:
    labels = _labels.flat(told, skip=("check_result", "timestamp", "state"))
    words = _HOST if state in _HOST else _SERVICE
    more = {
        "state": words.index(state) if state else None,
        "state_type": _number(told.get("state_type", _dig.at(result, "vars_after", "state_type"))),
        "downtime_depth": _number(told.get("downtime_depth"), most=_MANY),
        "check_source": _dig.text(result, "check_source"),
        "reachable": _dig.at(result, "vars_after", "reachable"),
    }
    return labels | _labels.flat(more)


def _object_labels(told: Any, attributes: Mapping[str, Any]) -> dict[str, str]:
    kept: dict[str, Any] = {name: attributes[name] for name in _ATTRIBUTES if name in attributes}
    for name in ("state", "state_type", "last_hard_state", "acknowledgement", "downtime_depth"):
        if (number := _number(kept.get(name), most=_MANY)) is not None:
            kept[name] = number
    kept["vars"] = _dig.mapping(attributes, "vars")
    kept["check_source"] = _dig.text(attributes, "last_check_result", "check_source")
    kept["reachable"] = attributes.get("last_reachable")
    labels = _labels.flat(kept | _dig.mapping(told, "joins"))
    return {name: value for name, value in labels.items() if not _secret.is_secret(name)}
