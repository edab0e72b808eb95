"""Pingdom, webhook integration: uptime and transaction checks.

Format: the state change webhook as JSON (https://www.pingdom.com/resources/webhooks/), of uptime checks and of
transaction checks; and the older BeepManager webhook, whose parameter `message` holds `{check, checkname, host,
incidentid, action, description}`, in the address of a GET or in a form. Unconfirmed states and pauses are no alerts.
Authentication: none but the address of the webhook: a token in its query.
Identity: the check's id, the same in both webhooks.
Resolved: current_state UP or SUCCESS; of the older webhook, action `notify_of_close`. DOWN, FAILING and an unknown state
are problems.
Delivery: not documented; a state change is told once, and again only where the check says *Resend alert every*.
Limits: one check in each message.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _forms, _labels, _read, _secret, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _forms.MEDIA_TYPES
PATHS = ("GET /",)
STATUS = 200

_OVER = frozenset({"UP", "SUCCESS", "SUCCESSFUL"})
_WRONG = frozenset({"DOWN", "FAILING", "FAILED", "UNKNOWN"})
_NO_ALERTS = frozenset({"UNCONFIRMED", "UNCONFIRMED_DOWN", "PAUSED"})
_SEVERITIES = {"HIGH": "critical", "LOW": "warning"}
"""By the importance that the check was given; the words mean no more than that."""

_CLOSE = "notify_of_close"
_ACTIONS = frozenset({"assign", "notify_user", _CLOSE, ""})
"""What the older webhook says about a problem itself; other actions are what people do about it."""

_NO_PARAMETERS = frozenset({"header", "headers", "request_headers", "requestheaders", "post_data", "postdata", "auth"})
"""Parameters of a check that may hold what it authenticates with."""

_LONG = ("description", "long_description", "custom_message", "tags", "check_params")


class Options(SourceOptions):
    """How webhooks of Pingdom are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The one alert of a message; none for a state that is not confirmed, or an action on an incident told before.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is no message of Pingdom.
    """
    told = _forms.fields(payload, "a webhook message of Pingdom")
    message = told.get("message", told.get("data", told.get("payload")))
    if isinstance(message, str) and "check_id" not in told:
        told = _forms.inner(_bare(message), "the JSON of message")
    elif isinstance(message, dict):
        told = message
    if "check_id" in told or "current_state" in told:
        return _changed(payload, options, told)
    if "check" in told or "incidentid" in told:
        return _incident(payload, options, told)
    raise PayloadError("check_id and current_state are missing: this is no webhook message of Pingdom")


def _bare(message: str) -> str:
    """The message without what Pingdom's own Python once wrote around it: `(u'{…}',)`."""
    return message[3:-3] if message.startswith("(u'") and message.endswith("',)") else message


def _changed(payload: Payload, options: Options, told: dict[str, Any]) -> list[Alert | Unreadable]:
    state = _dig.text(told, "current_state").upper()
    if state in _NO_ALERTS:
        return []
    if state not in _OVER | _WRONG:
        raise PayloadError(_read.said(f"current_state is {state!r}, expected UP, DOWN, SUCCESS or FAILING"))
    resolved = state in _OVER
    number = _dig.text(told, "check_id")
    name = _dig.text(told, "check_name") or (f"check {number}" if number else "")
    stamp = _times.moment(_dig.text(told, "state_changed_timestamp"))
    at = stamp or _times.local(_dig.text(told, "state_changed_utc_time"), UTC)
    return [
        _build.alert(
            payload,
            options,
            identity=number,
            resolved=resolved,
            severity=_SEVERITIES.get(_dig.text(told, "importance_level").upper(), "critical"),
            resource=_details.short(_resource(_dig.mapping(told, "check_params")) or name),
            check=_details.short(name),
            summary=_summary(name, state, _dig.text(told, "description")),
            description=_lines(_dig.text(told, "long_description"), _dig.text(told, "custom_message")),
            labels=_of(told, _unsaid(payload)),
            starts_at=None if resolved else at,
            ends_at=at if resolved else None,
            said_at=at,
        )
    ]


def _summary(name: str, state: str, description: str) -> str:
    return f"{name} is {state}: {description}" if description else f"{name} is {state}"


def _lines(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))


def _resource(parameters: dict[str, Any]) -> str:
    """The host that is checked; of an address its host."""
    named = _dig.first(parameters, "hostname", "host", "full_url", "url", "target")
    try:
        return urlsplit(named).hostname or "" if "://" in named else named.partition("/")[0]
    except ValueError:
        return ""


def _unsaid(payload: Payload) -> tuple[str, ...]:
    """The parameters of the address, one of which is the token, where the message is in the body."""
    return tuple(payload.given) if payload.body.strip() else ()


def _of(told: dict[str, Any], unsaid: tuple[str, ...]) -> dict[str, str]:
    parameters = {
        name: _public(value) if "url" in name else value
        for name, value in _dig.mapping(told, "check_params").items()
        if name.lower() not in _NO_PARAMETERS and not _secret.is_secret(name)
    }
    tags = _labels.tags(_dig.items(told, "tags"))
    return tags | _details.labels(told, skip=(*_LONG, *unsaid)) | _labels.flat({"check_params": parameters})


def _public(address: Any) -> Any:
    """An address, or a list of them, without what may be secret in it: its query; nothing of one with a password."""
    if isinstance(address, list):
        return [_public(one) for one in address]
    if not isinstance(address, str):
        return address
    where = address.partition("?")[0]
    return None if "@" in where else where


def _incident(payload: Payload, options: Options, told: dict[str, Any]) -> list[Alert | Unreadable]:
    """A BeepManager message: who is assigned an incident, and that it is over."""
    action, state = _dig.text(told, "action").lower(), _dig.text(told, "description").lower()
    if not action and state not in {"up", "down"}:
        raise PayloadError("action is missing: nothing says whether there is a problem")
    if action not in _ACTIONS:
        return []
    resolved = action == _CLOSE or state == "up"
    number = _dig.text(told, "check") or _dig.text(told, "incidentid")
    name = _dig.text(told, "checkname") or (f"check {number}" if number else "")
    return [
        _build.alert(
            payload,
            options,
            identity=number,
            resolved=resolved,
            severity="critical",
            resource=_details.short(_resource({"host": told.get("host")}) or name),
            check=_details.short(name),
            summary=f"{name} is {state or action}",
            labels=_details.labels(told, skip=_unsaid(payload)),
        )
    ]
