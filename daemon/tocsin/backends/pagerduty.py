"""PagerDuty incidents over the Events API, version 2.

STATUS: proven against a fake that misbehaves, modelled on the public documentation; not on the vendor's system.

An incident of ours is a trigger whose `dedup_key` is our reference, and closing it resolves that key; told twice, the
same is done once. PagerDuty takes events in and makes incidents of them later, so their own numbers are never known: the
reference stands for the number. The impact is the severity. What is told in between is not sent, because an event for a
key that somebody has resolved would page people anew; a service that fails again after it was closed does just that,
and should. The account needs an integration "Events API v2" of the service that is paged; its key is the only secret.

What people do comes back by a webhook (version 3, signed): the Events API has no way to read an incident, so the message
itself is believed. It is known by its key or, since incidents that hold alerts have none there, by our reference, which
each summary ends in. Format: PagerDuty's "PagerDuty V2 Events API", "Webhooks Overview".
"""

from __future__ import annotations

import re
from datetime import UTC
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

import msgspec
from pydantic import Field, field_validator

from tocsin.backends import _login, _texts
from tocsin.backends._api import Api, as_json
from tocsin.backends._can import Can
from tocsin.backends._http import Answer, Request, excerpt, refusal
from tocsin.backends._moments import moment
from tocsin.backends._named import heard_object
from tocsin.backends._options import Address, Common
from tocsin.backends._scale import Scale
from tocsin.backends._shape import an_object, at, required, strange
from tocsin.backends._system import TicketSystem, Wanted
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Delivery, DeliveryAction, Impact, Payload, Receipt, Record, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.backends import Outside

_SILENT = "the Events API answers no questions"
_ANEW = "an event for a key that somebody has resolved meanwhile would open a new incident and page people again"
_SHOWN = {
    "triggered": TicketStatus.DECLARED,
    "acknowledged": TicketStatus.IN_PROGRESS,
    "resolved": TicketStatus.CLOSED,
}
_SUMMARY = 1024
_MARK = re.compile(r"\(tocsin (\S{1,200})\)$")
"""Ends each summary, which becomes the title of the incident: what its webhooks can be known by."""
_NO_KEY = re.compile(r"routing[ _]key", re.IGNORECASE)
"""A key that is none is named as a field; one that is nobody's is answered `Invalid routing key`, as plain text."""
_SEVERITIES = ("critical", "error", "warning", "info")
_IMPACTS = {
    Impact.INTERRUPTED: "critical",
    Impact.SEVERE: "error",
    Impact.DEGRADED: "warning",
    Impact.BACKUP: "info",
    Impact.NONE: "info",
}
_ACTIONS = {
    TicketStatus.DECLARED: "trigger",
    TicketStatus.CLOSED: "resolve",
    TicketStatus.CANCELLED: "resolve",
}


class Options(Common):
    """What a PagerDuty backend can be told; README.md in this folder says what each option means."""

    url: Address = "https://events.pagerduty.com"
    """Address of the Events API; `https://events.eu.pagerduty.com` for accounts in the EU."""
    routing_key_file: str
    """File with the integration key (32 characters) of the service's "Events API v2" integration."""
    client: str = Field(default="tocsin", min_length=1)
    """Name that PagerDuty shows as the sender."""
    client_url: str = Field(default="", pattern=r"^(https?://.*)?$")
    """Address behind that name, such as tocsin's console; may hold `{reference}` and `{element}`. None unless given."""
    links: dict[str, str] = Field(default={})
    """Links of each incident, text to address, which may hold `{reference}` and `{element}`."""
    impacts: dict[Impact, str] = Field(default={})
    """Severity for each impact (`critical`, `error`, `warning`, `info`), where it differs from critical interrupted,
    error severe, warning degraded, info backup and none."""

    @field_validator("impacts")
    @classmethod
    def _severities(cls, words: dict[Impact, str]) -> dict[Impact, str]:
        if unknown := sorted(set(words.values()) - set(_SEVERITIES)):
            raise ValueError(f"{', '.join(unknown)} is no severity of PagerDuty: use {', '.join(_SEVERITIES)}")
        return words

    @field_validator("links")
    @classmethod
    def _addresses(cls, links: dict[str, str]) -> dict[str, str]:
        if any(not address.startswith(("http://", "https://")) for address in links.values()):
            raise ValueError("every link must be an http:// or https:// address")
        return links


class Backend(TicketSystem):
    """A service of PagerDuty as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {
        Can.LOOK_UP: f"{_SILENT}; it needs none: the same key is the same incident, however often it is told",
        Can.READ: _SILENT,
        Can.NOTE: _ANEW,
        Can.IMPACT: _ANEW,
        Can.REPAIRED: "PagerDuty knows triggered, acknowledged and resolved only",
        Can.REOPEN: "a resolved incident stays resolved; its key is triggered again, which opens a new one",
        Can.ATTACH: "events hold links and details, and no files",
        Can.NOTES_BACK: _SILENT,
        Can.CHANGES: _SILENT,
        Can.CHECK: f"{_SILENT}, and every event that it takes pages people",
    }
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=_SUMMARY, text=60_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses, self.impacts = Scale(_ACTIONS), Scale(_IMPACTS).over(options.impacts)
        self._options = options
        self._key = _login.secret(name, "routing_key_file", options.routing_key_file, outside)
        login = _login.Fixed({}, (self._key,))
        self._api = Api(options.url, outside, timeout=options.timeout, login=login, judge=judge)

    async def deliver(self, delivery: Delivery) -> Receipt:
        """As for all; what is opened again is triggered again, so that people are paged again."""
        if delivery.action == DeliveryAction.REOPEN:
            record = await self.create(delivery.body)
            return Receipt(number=record.number, status=record.status)
        return await super().deliver(delivery)

    async def create(self, body: Snapshot) -> Record:
        """Trigger the key."""
        await self._send("trigger", body.reference, **self._told(body))
        return Record(number=body.reference, reference=body.reference)

    async def search(self, reference: str) -> list[Record]:  # noqa: ARG002 - there is nobody to ask
        """None: to trigger a key again makes nothing new as long as its incident is open."""
        return []

    async def read(self, number: str) -> Record | None:
        """Nothing can be read."""
        raise NotImplementedError(f"{self.name}: {_SILENT} about {number}")

    async def change(self, record: Record, wanted: Wanted) -> None:
        """Resolve the key; one that is resolved already stays so."""
        await self._send(self.statuses.word(wanted.status or record.status) or "resolve", record.reference)

    # --- within -----------------------------------------------------------------------------------------------------

    async def _own(self, delivery: Delivery) -> Record:
        """The delivery's incident, open as far as is known: the key is ours alone."""
        reference = delivery.body.reference
        return Record(number=delivery.number or reference, reference=reference)

    async def _send(self, action: str, key: str, **more: Any) -> None:
        event = {"routing_key": self._key, "event_action": action, "dedup_key": key, **more}
        said = an_object(await self._api.ask("POST", "v2/enqueue", as_json(event)), "", self.name)
        if required(said, "status", self.name) != "success" or at(said, "dedup_key") not in (key, ""):
            raise strange(self.name, "neither success nor our key")

    def _told(self, body: Snapshot) -> dict[str, Any]:
        written, element, options = self.written(body), body.element, self._options
        details = {
            "description": written.text,
            "reference": body.reference,
            "element": element.reference,
            "impact": body.impact.value,
            "site": element.site,
            "contract": element.contract,
            "source": body.source,
            "previous": body.previous,
        }
        payload = {
            "summary": _marked(written.title, body.reference),
            "source": element.name or element.reference,
            "severity": self.impacts.word(body.impact),
            "timestamp": f"{body.opened_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "component": element.reference,
            "group": element.offer or element.contract,
            "class": body.rule,
            "custom_details": {key: value for key, value in details.items() if value},
        }
        links = [{"href": _filled(href, body), "text": text} for text, href in options.links.items()]
        return {
            "payload": {key: value for key, value in payload.items() if value},
            "client": options.client,
            **({"client_url": _filled(options.client_url, body)} if options.client_url else {}),
            **({"links": links} if links else {}),
        }


def _marked(title: str, reference: str) -> str:
    mark = f" (tocsin {reference})"
    return _texts.cut(title, _SUMMARY - len(mark), "…") + mark


def _filled(address: str, body: Snapshot) -> str:
    """An address with its names filled in: quoted, for PagerDuty refuses an event with an address that is none."""
    for name, value in (("reference", body.reference), ("element", body.element.reference)):
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    return address


def judge(answer: Answer, request: Request, now: datetime) -> DeliveryError | None:
    """What an answer means: a key or an address that is not one is wrong for every event, however it is told. Pure."""
    error = refusal(answer, request, now)
    errors = _errors(answer)
    if error is None and not errors:
        return None
    told = f"{request.where}: {answer.status} {excerpt(answer.body, request)!r}"
    plain = "" if error is None or errors else answer.body[:_SUMMARY].decode("utf-8", "replace")
    if (error is None or error.reason == Reason.REFUSED) and any(map(_NO_KEY.search, [*errors, plain])):
        return DeliveryError(Reason.UNAUTHORIZED, f"{told}; correct the integration key", retry=False, stops=True)
    if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return DeliveryError(Reason.MISCONFIGURED, f"{told}; correct `url`", retry=False, stops=True, harmless=True)
    if error is None:
        why = f"{request.where}: {answer.status}, but {excerpt(answer.body, request)!r}; the event is not taken"
        return DeliveryError(Reason.REFUSED, why, retry=False)
    return error


def _errors(answer: Answer) -> list[str]:
    """What PagerDuty finds wrong with an event."""
    if b'"errors"' not in answer.body:
        return []
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    found = said.get("errors") if isinstance(said, dict) else None
    return [str(one) for one in found] if isinstance(found, list) else []


def believed(payload: Payload) -> list[Record]:
    """The incident that an event of a webhook (version 3) shows; none of a test, or of what is not ours or has no status.

    Raises:
        PayloadError: it is no such event.
    """
    said = heard_object(payload)
    if not at(said, "event.event_type"):
        raise PayloadError("the message has no event.event_type: is this a webhook of PagerDuty, version 3?")
    marked = _MARK.search(at(said, "event.data.title"))
    key = at(said, "event.data.incident_key") or (marked[1] if marked else "")
    status = _SHOWN.get(at(said, "event.data.status"))
    if not key or status is None:
        return []
    # Whom it is assigned to is not told: PagerDuty assigns and escalates by itself, and to nobody when it is resolved.
    return [
        Record(
            number=key,
            reference=key,
            url=at(said, "event.data.html_url"),
            status=status,
            state=at(said, "event.data.status"),
            priority=at(said, "event.data.priority.summary"),
            changed_at=moment(at(said, "event.occurred_at")),
            actor=at(said, "event.agent.summary"),
        )
    ]
