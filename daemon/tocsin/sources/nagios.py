"""Nagios and Icinga: host and service notifications.

Format: the notification macros as one JSON object or as form fields, named as in a command (`HOSTNAME`) or as in the
environment (`NAGIOS_HOSTNAME`), in any case (https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html);
Icinga 2's `SERVICENAME` is read as `SERVICEDESC`. Empty macros and those left unexpanded (`$SERVICEDESC$`) do not count.
Authentication: whatever curl can send; the command in `config/sources/nagios/` sends a bearer token.
Identity: host and service; a host's own notification has no service, and `host check` as its check.
Resolved: NOTIFICATIONTYPE is RECOVERY, or the state is OK or UP; the words in the plugin's output never decide.
Other types, such as ACKNOWLEDGEMENT, FLAPPINGSTART or DOWNTIMESTART, say what people or Nagios do about a problem that
was told before: they are understood, and no alert.
Delivery: once, unless curl is told to try again (`--retry`).
Limits: one notification in each message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Status, Unreadable
from tocsin.sources import _identity, _read, _severity, _texts, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime

FORM = "application/x-www-form-urlencoded"
MEDIA_TYPES = frozenset({"application/json", FORM})

HOST_CHECK = "host check"
"""The check of a host's own notifications."""

_ALERTS = frozenset({"PROBLEM", "RECOVERY", "CUSTOM"})
_NO_ALERTS = frozenset(
    {
        "ACKNOWLEDGEMENT",
        "FLAPPINGSTART",
        "FLAPPINGSTOP",
        "FLAPPINGEND",
        "FLAPPINGDISABLED",
        "DOWNTIMESTART",
        "DOWNTIMEEND",
        "DOWNTIMECANCELLED",
        "DOWNTIMEREMOVED",
    }
)


class Options(SourceOptions):
    """How notifications of Nagios are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a notification, or none when its type is no alert.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is no notification.
    """
    macros = _macros(_fields(payload))
    kind = macros.get("NOTIFICATIONTYPE", "").upper()
    if kind in _NO_ALERTS:
        return []
    if kind and kind not in _ALERTS:
        raise PayloadError(_read.said(f"NOTIFICATIONTYPE is {kind!r}, expected one of {sorted(_ALERTS | _NO_ALERTS)}"))
    return [_alert(macros, kind, options, payload.source)]


def _fields(payload: Payload) -> dict[str, Any]:
    if payload.content_type == FORM:
        return dict(_read.form(payload.body))
    return _read.entry(_read.unread(payload.body), _read.OBJECT, "an object of Nagios macros")


def _macros(fields: dict[str, Any]) -> dict[str, str]:
    """The macros that say something, under the names of Nagios' manual."""
    nested = next((key for key, value in fields.items() if isinstance(value, (dict, list))), None)
    if nested is not None:
        raise PayloadError(_read.said(f"{nested} is nested; a macro is a text"))
    texts = {key.upper().removeprefix("NAGIOS_"): _read.text(value).strip() for key, value in fields.items()}
    macros = {key: value for key, value in texts.items() if value and value != f"${key}$"}
    service = macros.get("SERVICEDESC") or macros.get("SERVICENAME")
    return macros | {"SERVICEDESC": service} if service else macros


def _alert(macros: dict[str, str], kind: str, options: Options, source: str) -> Alert:
    service = macros.get("SERVICEDESC", "")
    about = "SERVICE" if service else "HOST"
    resource = _identity.name(macros.get("HOSTNAME", ""), "HOSTNAME")
    state = macros.get(f"{about}STATE", "")
    if not (kind or state):
        raise PayloadError(f"NOTIFICATIONTYPE and {about}STATE are missing: nothing says whether there is a problem")
    resolved = kind == "RECOVERY" or _severity.is_clear(state)
    worst = macros.get(f"LAST{about}STATE", state) if resolved else state
    names = (f"LAST{about}STATECHANGE", "TIMET", "LONGDATETIME")
    changed = next(filter(None, (_times.moment(macros.get(name)) for name in names)), None)
    return Alert(
        source=source,
        fingerprint=_identity.fingerprint(_identity.encode((resource, service))),
        status=Status.RESOLVED if resolved else Status.FIRING,
        severity=_severity.severity(worst, options.severity_default),
        resource=resource,
        check=_identity.name(service or HOST_CHECK, "SERVICEDESC"),
        summary=_texts.summary(macros.get(f"{about}OUTPUT", "")) or f"{service or HOST_CHECK}: {resource}",
        description=_description(macros, about),
        labels=_identity.tidy(macros),
        starts_at=None if resolved else changed,
        ends_at=changed if resolved else None,
        url=_texts.link(macros.get(f"{about}NOTESURL", "")),
    )


def _description(macros: dict[str, str], about: str) -> str:
    """What the plugin said beyond its first line, then what a person added to a custom notification."""
    output = macros.get(f"LONG{about}OUTPUT", "").replace("\\n", "\n")
    return _texts.description("\n\n".join(filter(None, (output, macros.get("NOTIFICATIONCOMMENT", "")))))
