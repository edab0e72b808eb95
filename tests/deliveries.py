"""Deliveries to try backends on, and webhooks in a world that stands still: what the backend tests share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ticketserver import Plan, TicketServer
from tocsin.backends import Outside, open_session
from tocsin.backends.webhook import Backend, Options
from tocsin.model import Delivery, DeliveryAction, Element, Impact, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
REFERENCE = "K7F3Q2"
SNAPSHOT = Snapshot(
    reference=REFERENCE,
    action=DeliveryAction.OPEN,
    name={"en": "Processes missing on vfcanubkpm01", "fr": "Processus absents sur vfcanubkpm01"},
    description={"en": "28 processes with args '/usr…'", "fr": "28 processus avec les arguments '/usr…'"},
    element=Element(reference="DF000J1ADE", name="Cloud Infra Platform", contract="OCB001", aliases=("vfcanubkpm01",)),
    impact=Impact.INTERRUPTED,
    status=TicketStatus.DECLARED,
    declarant="Supervision",
    source="truesight",
    rule="process-count",
    rule_set="5f0c2d",
    opened_at=NOW,
)


def delivery(action: str = "open", **changes: Any) -> Delivery:
    """A delivery of this action; later ones have a ticket number already."""
    body = replace(SNAPSHOT, action=DeliveryAction(action), reference=changes.pop("reference", REFERENCE))
    first = Delivery(
        id=17,
        incident=body.reference,
        backend="portal",
        action=body.action,
        body=body,
        due_at=NOW,
        number="" if action == "open" else "T000001",
    )
    return replace(first, **changes)


FILES = {
    "hmac-key": b"an hmac key\n",
    "token": b"t0ken-t0ken\n",
    "api-key": b"k3y-k3y-k3y",
    "nothing": b"\n",
    "two-lines": b"one\ntwo",
}
SIGNED = {"secret_file": "hmac-key", "token_file": "token", "header_files": {"X-API-Key": "api-key"}}


class Pauses(list[float]):
    """The waits asked for, none of them waited out."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def outside(session: aiohttp.ClientSession, secrets: Mapping[str, bytes] | None = None) -> Outside:
    """A world that stands still at NOW, whose files are `secrets` and whose pauses take no time."""
    return Outside(session=session, read_secret=(secrets or {}).__getitem__, clock=lambda: NOW, pause=Pauses())


def addresses(url: str) -> dict[str, str]:
    """The options that point a webhook to a ticket server."""
    return {
        "url": f"{url}/tickets",
        "update_url": f"{url}/tickets/{{number}}",
        "find_url": f"{url}/tickets?reference={{reference}}",
    }


def webhook(session: aiohttp.ClientSession, url: str, **options: Any) -> Backend:
    return Backend("portal", Options(**{**addresses(url), **options}), outside(session, FILES))


@asynccontextmanager
async def served(*script: str, **options: Any) -> AsyncIterator[tuple[TicketServer, Backend]]:
    """A signing webhook and the server it speaks to, which demands signature and token and follows this script."""
    server = TicketServer(Plan(script), secret=b"an hmac key", token="t0ken-t0ken")
    async with server.serving(), open_session() as session:
        yield server, webhook(session, server.url, **{**SIGNED, **options})
