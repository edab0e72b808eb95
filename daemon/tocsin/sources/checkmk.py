"""Checkmk: notifications of hosts, services and the Event Console.

Format: the variables of a notification script (`NOTIFY_WHAT`, `NOTIFY_HOSTNAME` …), with or without `NOTIFY_`, as JSON (one
object, a list of them, or a list under `contexts`), as form fields, or as lines of text, as bulk notifications have them
(https://docs.checkmk.com/latest/en/notifications.html). Variables left unexpanded (`$SERVICEDESC$`) do not count. Scripts of
other people that call them `host`, `service`, `notification_type` and so on are understood, too.
Authentication: whatever the script can send; the one in `config/sources/checkmk/` sends a bearer token.
Identity: host and service, or `EC_ID` of an Event Console's event. Of a host itself `host check` is the check.
Resolved: NOTIFICATIONTYPE is RECOVERY, or the state is OK or UP. UNKNOWN and UNREACHABLE are problems. Acknowledgements,
downtimes, flapping and alert handlers (`ACKNOWLEDGEMENT`, `DOWNTIMESTART`, `ALERTHANDLER` …) are no alerts. An event of the
Event Console is over when another cancels it, if its rule notifies of that; when people archive it, nobody is told.
Delivery: the script says with its exit status 1 that Checkmk should try again, which it does for some time.
Limits: several events of one host and application share a check: a rule that should keep them apart has `labels.EC_ID` in its key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec import Raw
from msgspec.structs import replace
from pydantic import Field

from tocsin.errors import PayloadError
from tocsin.model import Status
from tocsin.sources import _lines, _macros, _read, _texts, _times
from tocsin.sources._options import ZonedOptions
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _macros.MEDIA_TYPES

_PREFIX = "NOTIFY_"
_PREFIXED = slice(len(_PREFIX), None)
_BATCHES = ("contexts", "notifications")
_NO_ALERT = "ALERTHANDLER"
"""A type of Checkmk's own, what an alert handler has done: `ALERTHANDLER (OK)`."""
_NO_LABELS = frozenset({"CONTACTEMAIL", "CONTACTPAGER", "MAIL_COMMAND", "LOGDIR", "OMD_ROOT", "PARAMETERS"})
_PARAMETER = "PARAMETER_"
"""The parameters of a script: its secrets may be among them."""
_SPELT = frozenset(
    {
        *("NOTIFICATIONTYPE", "HOSTNAME", "HOSTSTATE", "HOSTOUTPUT", "LONGHOSTOUTPUT", "LASTHOSTSTATE", "LONGOUTPUT"),
        *("SERVICEDESC", "SERVICESTATE", "SERVICEOUTPUT", "LONGSERVICEOUTPUT", "LASTSERVICESTATE", "SHORTDATETIME"),
        *("LASTHOSTSTATECHANGE", "LASTSERVICESTATECHANGE", "LONGDATETIME", "NOTIFICATIONCOMMENT"),
    }
)
"""Variables that scripts of other people spell otherwise; `HOST_FILENAME` is Checkmk's own."""

_TAGGED = re.compile(r"(?:HOST|SERVICE)(?:LABEL|TAG)_")
_AGO = "_REL"
"""How long ago something was, in words."""


class Options(ZonedOptions):
    """How notifications of Checkmk are read."""

    server: str = Field(default="", pattern=r"^(https?://.*[^/])?$")
    """Address of the server, such as `https://checkmk.example.net`: with it, alerts link to their host's or service's page."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of each notification; none for one whose type is no alert.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one notification, and cannot be read.
    """

    def build(told: object) -> Alert | None:
        variables = _object(told)
        kind = variables.get("NOTIFY_NOTIFICATIONTYPE")
        if isinstance(kind, str) and kind in _macros.NO_ALERTS:
            return None  # told fast: about as often as a problem
        return _alert(_named(variables), payload, options)

    told = _notifications(payload)
    if len(told) > 1:
        return _lines.each(told, build)
    alert = build(told[0]) if told else None
    return [alert] if alert else []


def _notifications(payload: Payload) -> list[Any]:
    """The notifications of a message, each still to be looked at."""
    if not _macros.is_json(payload):
        return _bulk(payload.body) or [_macros.fields(payload)]
    message = _read.whole(payload.body, _read.OBJECT)
    if message is None:
        documents = _lines.documents(payload.body)
        if len(documents) != 1:
            return list(documents)
        message = _object(documents[0])
    return next((message[name] for name in _BATCHES if isinstance(message.get(name), list)), [message])


def _object(told: object) -> dict[str, Any]:
    if isinstance(told, (bytes, Raw)):
        return _read.entry(_lines.read(told), _read.OBJECT, "an object of a notification's variables")
    if isinstance(told, dict):
        return told
    raise PayloadError("this is not an object of a notification's variables")


def _bulk(body: bytes) -> list[dict[str, str]]:
    """What the script of a bulk notification is given: common parameters, then the notifications, each after a blank line.

    Empty when it is something else.
    """
    if b"\n\n" not in body.replace(b"\r", b""):
        return []
    blocks = (dict(_pairs(block)) for block in _lines.text(body).split("\n\n"))
    return [block for block in blocks if "HOSTNAME" in block or f"{_PREFIX}HOSTNAME" in block]


def _pairs(block: str) -> list[tuple[str, str]]:
    pairs = (line.partition("=") for line in block.split("\n"))
    return [(name.strip(), value.replace("\1", "\n")) for name, sets, value in pairs if sets]


def _named(told: Mapping[str, Any]) -> dict[str, str]:
    """The variables that say something, without their prefix; those of a service only when it is about one."""
    macros = _macros.named(told, _prefixed if any(map(_is_prefixed, told)) else _names)
    if macros.get("WHAT", "").upper() == "HOST":
        return {name: text for name, text in macros.items() if "SERVICE" not in name}
    return macros


@remembered(4_096)
def _is_prefixed(name: str) -> bool:
    return name.upper().startswith(_PREFIX)


@remembered(4_096)
def _prefixed(variable: str) -> tuple[str, str]:
    """As `_names`; nothing for what has no prefix, where others have one: it is the script's own environment."""
    return _names(variable[_PREFIXED]) if _is_prefixed(variable) else ("", "")


@remembered(4_096)
def _names(variable: str) -> tuple[str, str]:
    """As `_macros.names`; nothing for parameters and the like.

    `HOSTLABEL_cmk/os_family` stays as it is: the names of labels and tags are the operator's.
    """
    name = variable.upper()
    if name in _NO_LABELS or name.startswith(_PARAMETER) or name.endswith(_AGO):
        return "", ""
    told, canonical = _macros.names(variable)
    head = _TAGGED.match(told)
    if head:
        return head[0] + variable[head.end() :], ""
    return told, canonical if canonical in _SPELT else ""


def _alert(macros: dict[str, str], payload: Payload, options: Options) -> Alert | None:
    if macros.get("NOTIFICATIONTYPE", "").upper().startswith(_NO_ALERT):
        return None
    event = macros.get("EC_ID", "")
    alert = _macros.alert(
        macros, payload, options, lambda host, service: ("Event Console", "EC_ID", event) if event else (host, service)
    )
    if alert is None:
        return None
    said_at = _times.moment(macros.get("MICROTIME")) or alert.said_at
    when = alert.starts_at or alert.ends_at or said_at or _times.local(macros.get("SHORTDATETIME"), options.zone)
    over = alert.status is Status.RESOLVED
    return replace(
        alert,
        said_at=said_at,
        starts_at=None if over else when,
        ends_at=when if over else None,
        url=alert.url or _page(macros, options),
    )


def _page(macros: Mapping[str, str], options: Options) -> str:
    """The page of the service, or of the host, on the server."""
    path = macros.get("SERVICEURL") or macros.get("HOSTURL", "")
    return _texts.link(options.server + path) if options.server and path[:1] == "/" else ""
