"""The message of Alertmanager's webhook: a group, and its alerts, each with a status of its own.

Grafana sends the same shape with more in each alert. Knows how such a message is read and which alerts are over; what an
alert becomes is the business of `_labelled` and of the kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Raw, Struct
from msgspec.json import Decoder

from tocsin.model import Alert, Status, Unreadable
from tocsin.sources import _dig, _labelled, _read, _times

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Notified(_labelled.Entry, kw_only=True, gc=False):
    """One alert of a notification."""

    status: Status | None = None
    """Old versions document none: see `is_over`."""
    fingerprint: str = ""


N = TypeVar("N", bound=Notified)


class Group(Struct):
    """What a notification says of all its alerts."""

    status: Any = None
    """`firing` as long as one of its alerts is."""
    commonLabels: Any = None  # noqa: N815 - the name in the message
    groupLabels: Any = None  # noqa: N815


class Unread(Group, kw_only=True):
    """A notification whose alerts are still to be read, one by one."""

    alerts: list[Raw] | None


_UNREAD = Decoder(Unread)
_TIMES = ("startsAt", "endsAt")


def alerts(
    body: bytes, fast: Decoder[Any], kind: type[N], build: Callable[[N, object], Alert], what: str
) -> list[Alert | Unreadable]:
    """The alerts of a message; one that cannot be read is `Unreadable` in its place.

    Args:
        body: the message.
        fast: reads it when it is as documented, into `alerts: list[kind]` and `status`.
        kind: what an alert becomes that has to be read loosely.
        build: makes an alert of one, and of the group's status.
        what: what the message should be, for the sentence that says that it is not.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no such message.
    """
    notification = _read.fast(body, fast)
    if notification is not None:
        told = notification.alerts or ()
        return _read.each(told, lambda entry: build(_named(entry, notification), notification.status))
    unread = _read.entry(_read.unread(body), _UNREAD, what)
    return _read.each(
        unread.alerts or (), lambda raw: build(_named(_labelled.read(raw, kind, _TIMES), unread), unread.status)
    )


def _named(entry: N, group: Group) -> N:
    """The entry, named as its group where it has no name of its own: a template may have left that to the group."""
    if "alertname" not in entry.labels:
        name = _dig.text(group.commonLabels, "alertname") or _dig.text(group.groupLabels, "alertname")
        if name:
            entry.labels["alertname"] = name
    return entry


def is_over(entry: Notified, group: object, now: datetime) -> bool:
    """What its own status says; without one, an end that is past, or that the whole group is over."""
    if entry.status is not None:
        return entry.status is Status.RESOLVED
    ends_at = _times.known(entry.endsAt)
    return (ends_at is not None and ends_at <= now) or group == Status.RESOLVED


def alert(entry: Notified, group: object, now: datetime, options: _labelled.LabelOptions, source: str) -> Alert:
    """The alert that an entry is; its labels are taken over, so it is read once only.

    Raises:
        PayloadError: see `_labelled.alert`.
    """
    over = is_over(entry, group, now)
    status, ends_at = (Status.RESOLVED, _times.known(entry.endsAt)) if over else (Status.FIRING, None)
    return _labelled.alert(entry, entry.fingerprint, status, ends_at, options, source)
