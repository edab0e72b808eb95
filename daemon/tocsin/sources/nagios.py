"""Nagios, Naemon and their relatives: host and service notifications.

Format: the notification macros as JSON (one object, a list, or one in each line), as form fields, or as lines of text like
`env` prints them; named as in a command (`HOSTNAME`) or as in the environment (`NAGIOS_HOSTNAME`), in any case
(https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/macrolist.html); Icinga's `SERVICENAME` is read as
`SERVICEDESC`. Empty macros and those left unexpanded (`$SERVICEDESC$`) do not count. Of what is nested only `host`, `service`,
`notification` and `check_result` are opened, and what is all in `payload` or `data`.
Authentication: whatever curl can send; the commands in `config/sources/nagios/` send a bearer token.
Identity: host and service; a host's own notification has no service, and `host check` as its check.
Resolved: NOTIFICATIONTYPE is RECOVERY, or the state is OK or UP; the words in the plugin's output never decide. UNKNOWN and
UNREACHABLE are problems. Other types, such as ACKNOWLEDGEMENT, FLAPPINGSTART or DOWNTIMESTART, say what people or Nagios do
about a problem that was told before: they are understood, and no alert. So are soft states without a type, of an event handler.
Delivery: once, unless curl is told to try again (`--retry`, as the commands do); `notification_interval` says a problem again.
Limits: while a host is DOWN its services' notifications are held back, the recovery of a service too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.sources import _lines, _macros, _read
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from msgspec import Raw

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _macros.MEDIA_TYPES
HEARTBEATS = ("tocsin-heartbeat",)
"""A service that is a problem for ever, and is said again and again; see `config/sources/nagios/`."""

FORM = _macros.FORM
HOST_CHECK = _macros.HOST_CHECK


class Options(SourceOptions):
    """How notifications of Nagios are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of each notification; none for one whose type is no alert.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one notification, and cannot be read.
    """

    def build(told: dict[str, Any]) -> Alert | None:
        return _macros.alert(_macros.named(_macros.opened(told)), payload, options, _identity)

    if not _macros.is_json(payload):
        return _none_or_one(build(_macros.fields(payload)))
    message = _read.whole(payload.body, _read.OBJECT)
    if message is not None:
        return _none_or_one(build(message))
    documents = _lines.documents(payload.body)
    if len(documents) == 1:
        return _none_or_one(build(_object(documents[0])))
    return _lines.each(documents, lambda document: build(_object(document)))


def _object(document: bytes | Raw) -> dict[str, Any]:
    return _read.entry(_lines.read(document), _read.OBJECT, "an object of Nagios macros")


def _none_or_one(alert: Alert | None) -> list[Alert | Unreadable]:
    return [alert] if alert else []


def _identity(host: str, service: str) -> tuple[str, str]:
    return (host, service)
