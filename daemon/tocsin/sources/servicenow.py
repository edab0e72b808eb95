"""ServiceNow Event Management: events as its clients push them.

Format: events of the table `em_event` (https://www.servicenow.com/docs, "Pushing events to the instance using web
service API"), `{records: [...]}`, a list of them, or one alone, at the addresses of an instance or of a MID server:
`/api/global/em/jsonv2`, `/api/mid/em/jsonv2`, `/em_event.do`, the Table API, and the push connector's `inbound_event`
with the same fields.
Authentication: basic, as its clients have it; or bearer.
Identity: `message_key`; without one source, node, type, resource and metric name together, as ServiceNow does it.
Resolved: severity 0 (clear), or `resolution_state` Closing. Severity 5 is information about something that is there.
Delivery: the client's business; MID servers and most products queue and send again on 5xx.
Limits: a record that cannot be read does not lose the others; `time_of_event` is in UTC, whatever the client's clock
says.
"""

from __future__ import annotations

from datetime import UTC
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from msgspec import Raw
from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.model import Alert, Severity
from tocsin.sources import _answers, _build, _details, _dig, _read, _severity, _times
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tocsin.model import Payload, Unreadable
    from tocsin.sources._answers import Answer

_TABLE = ("/api/now/table/em_event", "/api/now/v1/table/em_event", "/api/now/v2/table/em_event")
_DO = "/em_event.do"

PATHS = (
    *("/api/global/em/jsonv2", "/api/mid/em/jsonv2"),
    *("/api/sn_em_connector/em/inbound_event", "/api/global/em/inbound_event", "/api/mid/em/inbound_event"),
    *_TABLE,
    _DO,
)

STATUS = 200

_SEVERITIES = {
    "1": Severity.CRITICAL,
    "2": Severity.MAJOR,
    "3": Severity.MINOR,
    "4": Severity.WARNING,
    "5": Severity.INFO,
    "0": Severity.INFO,
}

_IDENTIFYING = ("source", "node", "type", "resource", "metric_name")
_CI_NAMES = ("name", "fqdn", "host_name", "ip_address", "mac_address", "serial_number")
_FIELDS: Decoder[dict[str, Raw]] = Decoder(dict[str, Raw])
_ANY: Decoder[Any] = Decoder()


class Options(SourceOptions):
    """How events of ServiceNow's clients are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alerts of one message; among several records, one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is one event, and cannot be read; or no event at all.
    """

    def build(raw: Raw) -> Alert:
        event = _read.entry(raw, _read.OBJECT, "an event of ServiceNow")
        return _alert(payload, options, event)

    raw = _read.unread(payload.body)
    if _is_list(raw):
        events = _read.entry(raw, _read.LIST, "a list of events")
        return _read.each(events, build)
    records = _read.entry(raw, _FIELDS, "an event of ServiceNow, or records of them").get("records")
    if records is None:
        return [build(raw)]
    if _is_list(records):
        events = _read.entry(records, _read.LIST, "a list of events")
        return _read.each(events, build)
    return [build(records)]


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> Answer:
    """What an instance says: the Table API and `em_event.do` give the records back, the others count them."""
    taken = [entry for entry in entries if isinstance(entry, Alert)]
    if payload.path in _TABLE:
        kept = _kept(payload, entries)
        headers = {"Location": f"{payload.path}/{kept[0]['sys_id']}"} if kept else {}
        told = _answers.json({"result": kept[0] if len(kept) == 1 else kept}, status=201)
        return _answers.Answer(status=told.status, body=told.body, headers=headers)
    if payload.path == _DO:
        return _answers.json({"records": [record | {"__status": "success"} for record in _kept(payload, entries)]})
    return _answers.json({"result": {"Default Bulk Endpoint": f"{len(taken)} events were inserted"}})


def _kept(payload: Payload, entries: Sequence[Alert | Unreadable]) -> list[dict[str, Any]]:
    """The records that were taken, each with the id that an instance would have given it."""
    found = _read.entry(_read.unread(payload.body), _ANY, "JSON")
    records = found.get("records", found) if isinstance(found, dict) else found
    told = records if isinstance(records, list) else [records]
    return [
        {**record, "sys_id": _sys_id(entry.fingerprint), "state": "Ready"}
        for record, entry in zip(told, entries, strict=False)
        if isinstance(entry, Alert) and isinstance(record, dict)
    ]


def _sys_id(fingerprint: str) -> str:
    """32 hexadecimal digits, as every id of ServiceNow has them."""
    return blake2b(fingerprint.encode(), digest_size=16).hexdigest()


def _is_list(raw: Raw) -> bool:
    return bytes(raw).lstrip()[:1] == b"["


def _alert(payload: Payload, options: Options, event: Mapping[str, Any]) -> Alert:
    word = _dig.text(event, "severity")
    resolved = _is_clear(word) or _dig.text(event, "resolution_state").lower() in {"closing", "closed"}
    at = _times.local(_dig.text(event, "time_of_event"), UTC)
    told = _dig.text(event, "description")
    info = _object(event.get("additional_info"))
    return _build.alert(
        payload,
        options,
        identity=_identity(event),
        resolved=resolved,
        severity=_SEVERITIES.get(word[:1]) or _severity.severity(word, options.severity_default),
        resource=_details.short(_about(event)),
        check=_details.short(_dig.first(event, "metric_name", "type", "event_class", "resource") or "event"),
        summary=told.partition("\n")[0],
        description=told,
        labels=_details.labels(
            {**event, "additional_info": info, "ci_identifier": _object(event.get("ci_identifier"))},
            skip=("description",),
        ),
        starts_at=None if resolved else at,
        ends_at=at if resolved else None,
        said_at=at if resolved else None,  # many clients write the start, which comes again when it opens again
        url=_dig.first(info, "url", "URL", "link", "ProblemURL"),
    )


def _is_clear(word: str) -> bool:
    """0, also as `0 - Clear`, or a word for it."""
    return word[:1] == "0" or _severity.is_clear(word)


def _identity(event: Mapping[str, Any]) -> str | tuple[str, ...]:
    """The key by which ServiceNow itself tells events apart.

    Raises:
        PayloadError: nothing does.
    """
    if key := _dig.text(event, "message_key"):
        return key
    parts = tuple(_dig.text(event, name) for name in _IDENTIFYING)
    if not any(parts[1:]):
        raise PayloadError("message_key is missing, and node, type, resource and metric_name, too")
    return parts


def _about(event: Mapping[str, Any]) -> str:
    """The node; else what identifies the configuration item; else the resource on it."""
    identifier = _object(event.get("ci_identifier"))
    return (
        _dig.first(event, "node")
        or _dig.first(identifier, *_CI_NAMES)
        or _dig.first(event, "resource", "cmdb_ci", "source")
    )


def _object(value: Any) -> Any:
    """An object, also one written as text; any other value as it is."""
    if not (isinstance(value, str) and value.lstrip()[:1] == "{"):
        return value
    try:
        return _read.entry(_read.unread(value.encode()), _read.OBJECT, "an object")
    except PayloadError:
        return value
