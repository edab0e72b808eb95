"""Who may listen, and where they are told: `callback` and `query` of a subscription.

A client could make this machine ask anything inside the network, so only hosts on the list of the settings are told, and
no address holds credentials. Pure, but for the handlers at the end.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from tocsin.desk.events import Kind
from tocsin.desk.hub import MOST
from tocsin.web.tmf621 import v4, v5
from tocsin.web.tmf621.answers import Code, Refused, missing, wrong
from tocsin.web.tmf621.service import Answer, Face, Service
from tocsin.web.tmf621.writing import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.desk.hub import Subscription

EVENTS = {
    Kind.CREATED: "TroubleTicketCreateEvent",
    Kind.CHANGED: "TroubleTicketAttributeValueChangeEvent",
    Kind.STATUS: "TroubleTicketStatusChangeEvent",
    Kind.RESOLVED: "TroubleTicketResolvedEvent",
    Kind.INFORMATION_REQUIRED: "TroubleTicketInformationRequiredEvent",
}
"""What happened → the standard's `eventType`."""
_PORTS = {"http": 80, "https": 443}


def address(callback: str, event: str) -> str:
    """Where a listener is told of an event.

    Below the callback, at `listener/<event>`, where the standard has its listeners; a callback that ends in `/listener`
    is not given a second one, and one that goes on after `/listener/` is a listener's whole address already.
    """
    base = callback.rstrip("/")
    path = urlsplit(base).path
    if "/listener/" in path:
        return base
    name = event[:1].lower() + event[1:]
    return f"{base}/{name}" if path.endswith("/listener") else f"{base}/listener/{name}"


def unfit(callback: str, hosts: Iterable[str]) -> str:
    """Why an address may not be told anything; empty when it may."""
    try:
        split = urlsplit(callback)
        name = _name(split)
    except ValueError:
        return "the address cannot be read"
    if split.scheme not in _PORTS or not split.hostname:
        return "the address must begin with http:// or https://, and name a host"
    if "@" in split.netloc or split.query or split.fragment:
        return "the address must hold no credentials, query or fragment: it is kept and shown"
    if not callback.isascii() or re.search(r"[\s\\\x00-\x1f\x7f]", callback):
        return "the address has characters that none has"
    if not any(_glob(host).fullmatch(name) for host in hosts):
        return f"{name[:100]} is not among the hosts that may be told; see `desk.tmf621.listeners`"
    return ""


def events_of(query: str) -> frozenset[str] | None:
    """The events that a query wants, in the standard's words; all when it is empty. None when it cannot be read."""
    if not query.strip():
        return frozenset(EVENTS.values())
    found = re.fullmatch(r"\s*eventType\s*=\s*(\S.*?)\s*", query)
    names = frozenset(name.strip() for name in found.group(1).split(",")) if found else frozenset()
    return names if names and names <= set(EVENTS.values()) else None


async def subscribe(service: Service, face: Face, language: str, body: bytes) -> Answer:
    """201 with the subscription and where it is. Raises Refused (400, 403, 409) and StoreError."""
    asked = _asked(decoded(body), face)
    query = "" if asked.query is msgspec.UNSET else asked.query
    if events_of(query) is None:
        raise wrong(f"query: {query[:100]!r} is more than is supported: eventType={','.join(EVENTS.values())}")
    problem = unfit(asked.callback, service.terms.listeners)
    if problem:
        raise Refused(403, Code.FORBIDDEN, f"callback: {problem}")
    for known in service.hub.subscriptions.values():
        if (known.face, known.callback, known.query) == (face.name, asked.callback, query):
            place = _place(service, face, known)
            raise Refused(409, Code.DUPLICATE, f"it is told already: {place}", {"Location": place})
    added = await service.hub.add(face.name, language, (asked.callback, query), service.clock())
    if added is None:
        raise Refused(409, Code.BAD_STATE, f"{MOST} listen already: let one go first")
    return Answer(201, _told(service, face, added), {"Location": _place(service, face, added)})


def subscription(service: Service, face: Face, key: str) -> Answer:
    """200 with a subscription. Raises Refused (404)."""
    return Answer(200, _told(service, face, _known(service, face, key)), {})


async def unsubscribe(service: Service, face: Face, key: str) -> Answer:
    """204 once nobody is told any more. Raises Refused (404) and StoreError."""
    await service.hub.remove(_known(service, face, key).key)
    return Answer(204, None, {})


def _asked(sent: Any, face: Face) -> Any:
    kind = v5.HubCreate if face.typed else v4.EventSubscriptionInput
    try:
        return msgspec.convert(sent, kind)
    except msgspec.ValidationError as error:
        raise wrong(str(error)) from None


def _known(service: Service, face: Face, key: str) -> Subscription:
    known = service.hub.subscriptions.get(key)
    if known is None or known.face != face.name:
        raise missing(f"nobody listens as {key[:80]}")
    return known


def _place(service: Service, face: Face, one: Subscription) -> str:
    return service.view(face, one.language).link(f"/hub/{one.key}")


def _told(service: Service, face: Face, one: Subscription) -> dict[str, str]:
    told = {"id": one.key, "callback": one.callback, "query": one.query}
    return {"@type": "Hub", **told, "href": _place(service, face, one)} if face.typed else told


def _name(split: SplitResult) -> str:
    """The host as lists have it: with its port unless that is the usual one."""
    host = f"[{split.hostname}]" if ":" in (split.hostname or "") else split.hostname or ""
    port = split.port
    return host if port in (None, _PORTS.get(split.scheme)) else f"{host}:{port}"


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", "[a-z0-9-]+"), re.IGNORECASE | re.ASCII)
