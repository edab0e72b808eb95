"""LibreNMS, API transport.

Format: the variables of alert templates under their own names (https://docs.librenms.org/Alerting/Transports/Api/,
https://docs.librenms.org/Alerting/Templates/): as options in the address, with the text of the alert as the body; as JSON,
in which texts may have unescaped line breaks; or as form fields. Needed are `state`, `hostname` and `name`.
Authentication: any header, basic, or an option in the address.
Identity: device_id and rule_id; else alert_id, which is one for each rule on each device; else hostname and rule.
Resolved: state 0. 1 is a new alert, 3 worse, 4 better, 5 changed: problems; 2, an acknowledgement, is no alert. Nor is the
transport's test.
Delivery: not tried again when refused; the next run says it again only where the rule has an interval.
Limits: one alert in each message, for all faults of a rule on a device. Times are in LibreNMS's own zone.
"""

from __future__ import annotations

from html import unescape
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _dig, _forms, _identity, _labels, _read, _secret, _times
from tocsin.sources._options import ZonedOptions
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _forms.MEDIA_TYPES
PATHS = ("GET /", "PUT /")

_OVER = frozenset({"0", "ok", "clear", "cleared", "recovered", "recovery", "resolved"})
_ACKNOWLEDGED = frozenset({"2", "ack", "acknowledged", "acknowledge"})
_WRONG = frozenset({"1", "3", "4", "5", "alert", "active", "worse", "better", "changed", "critical", "warning"})
_TEST = "000"
"""The ids of the alert that *Test transport* sends."""

_NO_LABELS = frozenset(
    {
        *("msg", "message", "title", "faults", "contacts", "builder", "debug", "template", "string", "diff"),
        "alert_notes",
    }
)
_TELLING = ("desc", "ifname", "ifalias", "msg", "message", "perc", "current", "limit", "status", "oper", "admin")
"""What is shown of the first fault: a row of LibreNMS's database, which also has what the device is queried with."""

_HIDDEN = ("auth", "crypto", "community", "snmp")


class Options(ZonedOptions):
    """How alerts of LibreNMS are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a message; none for an acknowledgement and for a test.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is no alert of LibreNMS.
    """
    told = _told(payload)
    state = _dig.first(told, "state", "alert_state").lower()
    if _dig.first(told, "alert_id", "uid", "id") == _TEST or state in _ACKNOWLEDGED:
        return []
    if state not in _OVER | _WRONG:
        raise PayloadError(_read.said(f"state is {state!r}, expected 0 to 5: send {{{{ $state }}}} as the field state"))
    return [_alert(payload, options, told, resolved=state in _OVER)]


def _told(payload: Payload) -> dict[str, Any]:
    """The variables that were filled in: one that LibreNMS does not know stays as it is, or empty.

    Where the address has the state, the body may be the text of the alert, and nothing else.
    """
    if "state" in payload.given and payload.body.lstrip()[:1] != b"{":
        told: dict[str, Any] = payload.given | {"msg": payload.body.decode(errors="replace").replace("\0", "\ufffd")}
    else:
        told = _forms.fields(payload, "an object of LibreNMS' template variables")
    if b"{{" not in payload.body and not payload.given:
        return told
    return {name: value for name, value in told.items() if not _is_placeholder(value)}


def _is_placeholder(value: object) -> bool:
    return isinstance(value, str) and value[:2] == "{{" and value[-2:] == "}}"


def _alert(payload: Payload, options: Options, told: dict[str, Any], *, resolved: bool) -> Alert:
    host = _dig.first(told, "hostname", "sysName", "display", "ip")
    rule = _dig.first(told, "name", "rule_name", "rule")
    number = _dig.first(told, "rule_id")
    alert = _dig.first(told, "alert_id")
    check = _unescaped(rule) or (f"rule {number}" if number else f"alert {alert}" if alert else "")
    faults = _faults(told)
    at = _times.local(_dig.text(told, "timestamp"), options.zone)
    new = _dig.first(told, "state", "alert_state").lower() in {"1", "alert", "active"}
    return _build.alert(
        payload,
        options,
        identity=_identifying(told, host, rule),
        resolved=resolved,
        severity=_dig.text(told, "severity"),
        resource=host,
        check=_identity.cut(check, _identity.MAX_NAME),
        summary=_unescaped(_dig.text(told, "title")),
        description=_unescaped(_description(told, faults)),
        labels=_labelled(told, faults),
        starts_at=at if new else None,
        ends_at=at if resolved else None,
        url=_dig.first(told, "url", "alert_url", "device_url", "proc"),
    )


def _identifying(told: dict[str, Any], host: str, rule: str) -> tuple[str, ...]:
    """What stays the same for one rule on one device; `id` and `uid` are of an entry of the log, and change."""
    device, number, alert = (_dig.first(told, name) for name in ("device_id", "rule_id", "alert_id"))
    if device and number:
        return ("device", device, number)
    if alert:
        return ("alert", alert)
    if number or rule:
        return ("host", host, number or rule)
    raise PayloadError("name is missing, and so are rule_id and alert_id: nothing tells this alert from others")


def _description(told: dict[str, Any], faults: list[dict[str, Any]]) -> str:
    parts = [_dig.first(told, "msg", "message"), *(_dig.text(fault, "string") for fault in faults)]
    if not faults:
        parts.append(_dig.text(told, "faults"))
    return "\n\n".join(dict.fromkeys(filter(None, parts)))


def _unescaped(text: str) -> str:
    """The text without what LibreNMS's templates make of characters that mean something in HTML: `&gt;`."""
    return unescape(text) if "&" in text else text


def _faults(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that a rule found: a list, or an object numbered from 1."""
    faults = told.get("faults")
    if isinstance(faults, dict):
        faults = [faults[number] for number in sorted(faults, key=lambda name: name.zfill(6)) if number.isdecimal()]
    return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []


def _labelled(told: dict[str, Any], faults: list[dict[str, Any]]) -> dict[str, str]:
    """The first fault in short, and the variables that are neither texts nor secrets."""
    first = {name: value for name, value in faults[0].items() if _is_telling(name)} if faults else {}
    public = {name: value for name, value in told.items() if name not in _NO_LABELS and not _secret.is_secret(name)}
    return _labels.flat({"fault": first} | public)


@remembered(1_024)
def _is_telling(column: str) -> bool:
    """Whether a column of a fault may be shown, and is worth it."""
    plain = column.lower()
    return any(word in plain for word in _TELLING) and not any(word in plain for word in _HIDDEN)
