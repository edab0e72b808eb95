"""Uptime Kuma, webhook notification.

Format: `{heartbeat, monitor, msg}` as JSON, in the field `data` of a form, or in the address of a GET; a custom body may
have `heartbeatJSON` and `monitorJSON`, or a flat `status`, `monitor_id`, `name` and `hostnameOrURL`
(https://github.com/louislam/uptime-kuma/wiki/Notification-Methods). Its test has neither heartbeat nor monitor, and is no
alert. Nor have warnings of certificates and domains: `[monitor][address] … certificate … will expire in 7 days` and
`Domain name … will expire in 7 days` become alerts of their own, which are over when those days are.
Authentication: any header, as JSON in the field *Additional Headers*; or basic, in the address.
Identity: the monitor's id, without one its name and address; of a certificate or domain, its name and the monitor's.
Resolved: status 1 (up). 0 is down; 2 (pending) and 3 (maintenance) are no alerts.
Delivery: once, without another try. *Resend Notification* says again what is still down.
Limits: one monitor in each message. It never says that a certificate or domain was renewed.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _forms, _labels, _read, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _forms.MEDIA_TYPES
PATHS = ("GET /",)

_DOWN, _UP, _PENDING, _MAINTENANCE = "down", "up", "pending", "maintenance"
_STATES = {"0": _DOWN, "1": _UP, "2": _PENDING, "3": _MAINTENANCE, "false": _DOWN, "true": _UP}
_WORD = re.compile(rf"\W*({_DOWN}|{_UP}|{_PENDING}|{_MAINTENANCE}|test)\W*", re.ASCII)
"""What templates write instead of a number: `🔴 Down`, `✅ Up`, `⚠️ Test`."""

_EXPIRES = re.compile(
    r"(?:\[(?P<name>.{1,300}?)\](?:\[(?P<address>[^\]\s]{0,1000})\])? )?(?P<what>.{1,300}?)"
    r" will (?:be expired|expire) in (?P<days>-?\d{1,4}) days?",
    re.DOTALL,
)
_BY_ADDRESS = frozenset({"", "http", "keyword", "json-query", "real-browser", "grpc-keyword", "websocket-upgrade"})
"""Types of monitors that have an address; for others the form's `https://` may be all that is left in it."""

_PUSHED = "Heartbeat"
"""What Kuma writes for the address of a monitor that is pushed to."""

_MONITOR = (
    *("id", "name", "type", "hostname", "port", "pathName", "parent", "description", "method", "keyword", "interval"),
    *("maxretries", "resendInterval", "upsideDown", "dns_resolve_type", "docker_container", "game", "maintenance"),
)
_HEARTBEAT = ("ping", "duration", "important", "retries", "timezone", "localDateTime")


class Options(SourceOptions):
    """How notifications of Uptime Kuma are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The one alert of a notification; none for a test, and for a monitor that is pending or under maintenance.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is no notification.
    """
    told = _told(payload)
    heartbeat, monitor = _part(told, "heartbeat"), _part(told, "monitor")
    if not heartbeat and "status" not in told:
        return _of_certificate(payload, options, told, now)
    heartbeat, monitor = heartbeat or told, monitor or _flat(told)
    state = _state(heartbeat)
    if state in {_DOWN, _UP}:
        return [_alert(payload, options, (heartbeat, monitor), _dig.text(told, "msg"), resolved=state == _UP)]
    return []


def _told(payload: Payload) -> dict[str, Any]:
    told = _forms.fields(payload, "a notification of Uptime Kuma: {heartbeat, monitor, msg}")
    if "heartbeat" not in told and isinstance(data := told.get("data"), str):
        told = _forms.inner(data, "the JSON of the field data")
    if not {"heartbeat", "heartbeatJSON", "monitor", "monitorJSON", "msg", "status"} & told.keys():
        raise PayloadError("heartbeat, monitor and msg are missing: this is no notification of Uptime Kuma")
    return told


def _part(told: dict[str, Any], name: str) -> dict[str, Any]:
    """The heartbeat or the monitor: an object, or its JSON in a text, where it came in an address or a template."""
    found = told.get(name) or told.get(f"{name}JSON")
    if isinstance(found, str):
        return _forms.inner(found, f"the JSON of {name}")
    if found is not None and not isinstance(found, dict):
        raise PayloadError(f"{name} is no object")
    return found or {}


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    """The monitor of a custom body that names its fields at the top."""
    names = {"id": ("monitor_id", "monitorID", "id"), "name": ("monitor_name", "monitorName", "name")}
    found = {name: _dig.first(told, *names.get(name, (name,))) for name in (*_MONITOR, "url")}
    shown = _dig.first(told, "hostnameOrURL", "HOSTNAME_OR_URL")
    if "://" in shown:
        found["url"] = found["url"] or shown
    elif shown != _PUSHED:
        found["hostname"] = found["hostname"] or shown.partition(":")[0]
    return found


def _state(heartbeat: dict[str, Any]) -> str:
    status = _dig.text(heartbeat, "status").lower()
    word = _WORD.fullmatch(status)
    state = _STATES.get(status) or (word[1] if word else "")
    if not state:
        raise PayloadError(_read.said(f"heartbeat.status is {status!r}, expected 0 (down), 1 (up), 2 or 3"))
    return state


def _alert(
    payload: Payload,
    options: Options,
    parts: tuple[dict[str, Any], dict[str, Any]],
    summary: str,
    *,
    resolved: bool,
) -> Alert:
    heartbeat, monitor = parts
    number = _dig.text(monitor, "id") or _dig.first(heartbeat, "monitorID", "monitor_id")
    name = _dig.first(monitor, "name", "pathName") or (f"monitor {number}" if number else "")
    if not name:
        raise PayloadError("id and name of the monitor are missing: nothing tells this monitor from others")
    resource = _resource(monitor) or name
    at = _times.local(_dig.text(heartbeat, "time"), UTC)
    first = _dig.text(heartbeat, "important") not in {"false", "0"}
    return _build.alert(
        payload,
        options,
        identity=number or ("monitor", name, resource),
        resolved=resolved,
        severity=_UP if resolved else _DOWN,
        resource=_details.short(resource),
        check=_details.short(name),
        summary=summary.partition("\n")[0],
        description=_dig.first(heartbeat, "msg"),
        labels=_of(heartbeat, monitor),
        starts_at=at if first and not resolved else None,
        ends_at=at if resolved else None,
        said_at=at,
    )


def _resource(monitor: dict[str, Any]) -> str:
    address, host = _host(_dig.text(monitor, "url")), _dig.text(monitor, "hostname")
    first, second = (address, host) if _dig.text(monitor, "type") in _BY_ADDRESS else (host, address)
    return first or second or _dig.text(monitor, "docker_container")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _of(heartbeat: dict[str, Any], monitor: dict[str, Any]) -> dict[str, str]:
    """Tags under their own names, and what is no secret of the monitor and the heartbeat: named, so that none slips in."""
    picked = {
        "monitor": {name: monitor.get(name) for name in _MONITOR},
        "heartbeat": {name: heartbeat.get(name) for name in _HEARTBEAT},
    }
    tags = _labels.named(_dig.items(monitor, "tags"))
    address = _dig.text(monitor, "url").partition("?")[0]
    shown = {} if "@" in address or not _host(address) else {"monitor_url": address}
    return {name: value or "true" for name, value in tags.items()} | _labels.flat(picked) | shown


def _of_certificate(
    payload: Payload, options: Options, told: dict[str, Any], now: datetime
) -> list[Alert | Unreadable]:
    """The alert of a certificate, or domain, that expires; none for a test, or any other message without a monitor."""
    found = _EXPIRES.match(_dig.text(told, "msg"))
    if found is None:
        return []
    name, address, what = (found[part] or "" for part in ("name", "address", "what"))
    days = int(found["days"])
    return [
        _build.alert(
            payload,
            options,
            identity=("certificate", name, address, what),
            resolved=False,
            severity="warning",
            resource=_host(address) or name or what.rpartition(" ")[2],
            check=what,
            summary=found.string,
            labels={"monitor_name": name, "days_remaining": found["days"]},
            ends_at=now + timedelta(days=max(days, 1)),
        )
    ]
