"""Centreon: stream connectors and notification commands.

Format: the events of a stream connector as JSON: `host_status`, `service_status` and `ba_status` with the names of Centreon
Broker (https://docs.centreon.com/docs/developer/developer-broker-mapping/), of the certified connectors, bare or as the
`event` of Splunk's, with Canopsis' or SIGNL4's names, or of a template (`config/sources/centreon/`); one, a list, or several one after the other. And the
macros of a notification command, as JSON, form fields or lines, as `nagios` reads them.
Authentication: stream connector: the token of the connector (`Authorization: Splunk …`); command: whatever curl can send.
Identity: `host_id` and `service_id`, or `ba_id`; where they are not sent, the names of host and service, or business activity.
Resolved: state 0, OK or UP; or, of a notification command, NOTIFICATIONTYPE is RECOVERY. UNKNOWN and UNREACHABLE are
problems. Soft states, PENDING, acknowledgements and downtimes are no alerts.
Delivery: a stream connector takes 200 only as success; what fails the broker keeps and sends again, before anything else. So
a message that cannot be read is answered 200, too: it is kept among those that were rejected.
Limits: a service's event without `service_id` and description cannot be told from others and is refused.
"""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _labels, _lines, _macros, _read, _secret, _severity, _times
from tocsin.sources._options import SourceOptions
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from msgspec import Raw

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = _macros.MEDIA_TYPES
STATUS = 200
"""The certified connectors take nothing else as success."""
REFUSAL = 200
"""After any other answer the broker says the same again for ever, and nothing else any more."""

BUSINESS_CHECK = "business activity"
"""The check of a business activity."""

_STATES = {
    "host": {"0": "UP", "1": "DOWN", "2": "UNREACHABLE", "4": "PENDING"},
    "service": {"0": "OK", "1": "WARNING", "2": "CRITICAL", "3": "UNKNOWN", "4": "PENDING"},
    "ba": {"0": "OK", "1": "WARNING", "2": "CRITICAL", "3": "UNKNOWN"},
}
_NO_ALERTS = ("ack", "downtime", "flapping", "comment")
"""What `event_type` or `element` begins with when it is no state."""

_OF_A_COMMAND = ("notificationtype", "hoststate", "servicestate")
"""What tells the macros of a notification command from an event."""

_KIND = ("eventtype", "element")
_HOST = ("hostname", "host", "component")
_SERVICE = ("servicedescription", "service", "servicedesc")
_BUSINESS = ("baname", "ba")
_STATE = ("state", "currentstate", "status")
_SAYS = ("lastupdate", "lastcheck", "eventtimestamp", "timestamp", "time")
_STARTS = ("lasthardstatechange", "laststatechange", *_SAYS)
_OUTPUT = ("output", "pluginoutput", "message")
"""Names of fields in lower case, without signs."""

_NO_LABELS = frozenset({"output", "pluginoutput", "message", "longoutput", "perfdata"})
_NO_EVENTS = frozenset({"index", "create"})
"""What alone is in the lines between events, as Elasticsearch wants them."""

_SOFT = frozenset({"0", "0.0", "SOFT"})

_BETWEEN = re.compile(r"[\s,]*")
_decode = JSONDecoder().raw_decode


class Options(SourceOptions):
    """How the events and notifications of Centreon are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of each event or notification; none for one that is no alert.

    Raises:
        NotJsonError: the body should be JSON and is not.
        PayloadError: it is one event or notification, and cannot be read.
    """

    def build(told: bytes | Raw) -> Alert | None:
        event = _read.entry(_lines.read(told), _read.OBJECT, "an event or a notification of Centreon")
        return _alert(event, payload, options)

    if not _macros.is_json(payload):
        return _one(_notified(_macros.fields(payload), payload, options))
    message = _read.whole(payload.body, _read.OBJECT)
    if message is not None:
        return _one(_alert(message, payload, options))
    documents = _documents(payload.body)
    return _one(build(documents[0])) if len(documents) == 1 else _lines.each(documents, build)


def _one(alert: Alert | None) -> list[Alert | Unreadable]:
    return [alert] if alert else []


def _documents(body: bytes) -> Sequence[bytes | Raw]:
    """The events of a body; connectors join them with a comma, or with nothing."""
    try:
        return _lines.documents(body)
    except _read.NotJsonError:
        joined = _joined(body)
        if len(joined) < 2:  # noqa: PLR2004 - one is what has just failed
            raise
        return joined


def _joined(body: bytes) -> list[bytes]:
    """Objects that follow one another; none when the body is something else."""
    text = _lines.text(body)
    if not _read.is_shallow(body):
        return []
    found: list[bytes] = []
    position = _past_separators(text, 0)
    while position < len(text) and len(found) < _lines.MAX_LINES:
        try:
            _, end = _decode(text, position)
        except ValueError:
            return []
        found.append(text[position:end].encode())
        position = _past_separators(text, end)
    return found


def _past_separators(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


def _alert(event: dict[str, Any], payload: Payload, options: Options) -> Alert | None:
    inner = event.get("event")
    if isinstance(inner, dict):
        event = {"time": event.get("time")} | inner
    elif inner == "metric" or (event and event.keys() <= _NO_EVENTS):
        return None
    if any(map(_is_of_a_command, event)):
        return _notified(event, payload, options)
    said: dict[str, str] = {}
    labels: dict[str, str] = {}
    for name in sorted(event):
        value = event[name]
        text = "" if isinstance(value, (dict, list)) else _read.text(value).strip()
        if text:
            plain = _details.plain(name)
            said.setdefault(plain, text)
            if plain not in _NO_LABELS and not _secret.is_secret(name):
                labels[name] = text
    return None if _is_no_state(said) else _status(said, labels, _dig.mapping(event, "cache"), payload, options)


@remembered(4_096)
def _is_of_a_command(name: str) -> bool:
    return _details.plain(name).endswith(_OF_A_COMMAND)


def _notified(told: Mapping[str, Any], payload: Payload, options: Options) -> Alert | None:
    """The alert of a notification command."""
    return _macros.alert(_macros.named(told), payload, options, lambda host, service: (host, service))


def _is_no_state(said: Mapping[str, str]) -> bool:
    """Whether it is an acknowledgement, a downtime or the like, of which the broker sends events as well."""
    return _first(said, _KIND).lower().startswith(_NO_ALERTS) or ("author" in said and "entrytime" in said)


def _status(
    said: Mapping[str, str], labels: dict[str, str], cache: Mapping[str, Any], payload: Payload, options: Options
) -> Alert | None:
    """The alert of a state; None for one that is not known to be a problem."""
    about, identity, resource, check = _subject(said, cache)
    state = _word(_first(said, _STATE), about)
    if not state:
        raise PayloadError("state is missing or empty")
    over = _severity.is_clear(state)
    if state.upper() == "PENDING" or (not over and said.get("statetype", "").upper() in _SOFT):
        return None
    changed = _first_moment(said, _STARTS)
    first, _, rest = _first(said, _OUTPUT).partition("\n")
    return _build.alert(
        payload,
        options,
        identity=identity,
        resolved=over,
        severity=_before(said, about) or state if over else state,
        resource=resource,
        check=check,
        summary=first,
        description="\n".join(filter(None, (rest.strip(), said.get("longoutput", "")))),
        labels=_cached(cache) | labels | {"state": state},
        starts_at=None if over else changed,
        ends_at=changed if over else None,
        said_at=_first_moment(said, _SAYS),
        url=_first(said, ("url", "notesurl", "actionurl")),
    )


def _subject(said: Mapping[str, str], cache: Mapping[str, Any]) -> tuple[str, tuple[str, ...], str, str]:
    """What the event is about: host, service or business activity; its identity, resource and check."""
    ba = _first(said, _BUSINESS) or _dig.text(cache, "ba", "ba_name")
    ba_id = _number(said, "baid")
    if ba or ba_id:
        return "ba", ("ba", ba_id or ba), ba or f"business activity {ba_id}", BUSINESS_CHECK
    host, host_id = _first(said, _HOST) or _dig.text(cache, "host", "name"), _number(said, "hostid")
    service = _first(said, _SERVICE) or (said.get("resource", "") if "component" in said else "")
    service, service_id = service or _dig.text(cache, "service", "description"), _number(said, "serviceid")
    if not (host or host_id):
        raise PayloadError("host_id and the name of the host are missing")
    resource = host or f"host {host_id}"
    if not (service or service_id):
        if _first(said, _KIND).lower().startswith("service"):
            raise PayloadError("service_id and the description of the service are missing")
        return "host", ("id", host_id, "") if host_id else (host, ""), resource, _macros.HOST_CHECK
    identity = ("id", host_id, service_id) if host_id and service_id else (host or host_id, service or service_id)
    return "service", identity, resource, service or f"service {service_id}"


def _first(said: Mapping[str, str], names: Sequence[str]) -> str:
    for name in names:
        if name in said:
            return said[name]
    return ""


def _number(said: Mapping[str, str], name: str) -> str:
    """An id, without the fraction that Lua may give it; 0 is none."""
    found = said.get(name, "").removesuffix(".0")
    return "" if found == "0" else found


def _word(state: str, about: str) -> str:
    """The word for a state, which may be a number."""
    return _STATES[about].get(state.removesuffix(".0"), state)


def _before(said: Mapping[str, str], about: str) -> str:
    """The state before it was over, where the event says it."""
    state = _word(_first(said, ("lasthardstate", "previousstate")), about)
    return "" if _severity.is_clear(state) else state


def _first_moment(said: Mapping[str, str], names: Sequence[str]) -> datetime | None:
    for name in names:
        if name in said and (moment := _times.moment(said[name])):
            return moment
    return None


def _cached(cache: Mapping[str, Any]) -> dict[str, str]:
    """Groups, poller and severity, which the broker knows beside the event."""
    if not cache:
        return {}
    groups = {
        name: [_dig.text(group, "group_name") for group in _dig.items(cache, name)]
        for name in ("hostgroups", "servicegroups")
    }
    return _labels.flat(groups | {name: cache.get(name) for name in ("poller", "instance", "severity")})
