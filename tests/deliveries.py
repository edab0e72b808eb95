"""What the backend tests share: deliveries, webhooks in a world that stands still, and any kind on a scripted server."""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web
from msgspec.structs import replace

from ticketserver import Plan, TicketServer
from tocsin import backends
from tocsin.backends import Backend as Remote
from tocsin.backends import Kind, Outside, build, kinds, open_session
from tocsin.backends._webhook_options import Options
from tocsin.backends.webhook import Backend
from tocsin.model import Delivery, DeliveryAction, Element, Impact, Receipt, Snapshot, TicketStatus

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
    """A delivery of this action as it is claimed the first time; later ones have a ticket number already."""
    body = replace(SNAPSHOT, action=DeliveryAction(action), reference=changes.pop("reference", REFERENCE))
    first = Delivery(
        id=17,
        incident=body.reference,
        backend="portal",
        action=body.action,
        body=body,
        due_at=NOW,
        attempts=1,
        number="" if action == "open" else "T000001",
    )
    return replace(first, **changes)


async def hand_over(backend: Remote, told: Delivery) -> Receipt:
    """The road to a ticket system, at the moment at which these tests' world stands still."""
    return await backends.hand_over(backend, told, NOW)


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


SAMPLES = Path(__file__).parent / "backends"
CONTRACTED = [kinds()["webhook"]]
"""Kinds that speak in one request a delivery, so that answers can be scripted; all kinds pass the kit."""


def contract(kind: Kind) -> dict[str, Any]:
    """How the contract is spoken to this kind."""
    path = SAMPLES / kind.name / "contract.yaml"
    assert path.exists(), f"kind {kind.name} needs {path.relative_to(SAMPLES.parent)}: see backends/README.md"
    return yaml.safe_load(path.read_text("utf-8"))


def placed(kind: Kind, url: str) -> dict[str, Any]:
    """The contract's options, with SERVER replaced."""
    options = contract(kind)["options"]
    return {name: value.replace("SERVER", url) if isinstance(value, str) else value for name, value in options.items()}


class Scripted:
    """A server that gives these answers in order, None hanging up, and keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = deque(answers)
        self.asked: list[dict[str, Any]] = []

    @property
    def methods(self) -> list[str]:
        return [asked["method"] for asked in self.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name not in ("Host", "Content-Length")}
        self.asked.append(
            {"method": request.method, "path": request.path_qs, "headers": headers, "body": body.decode()}
        )
        answer = self.answers.popleft()
        if answer is None:
            request.transport.close()
            return web.Response()
        if isinstance(answer.get("body"), bytes):
            return web.Response(**answer)
        return web.json_response(**{("data" if key == "body" else key): value for key, value in answer.items()})


@asynccontextmanager
async def scripted(kind: Kind, *answers: Any, **options: Any) -> AsyncIterator[tuple[Scripted, Remote]]:
    """A backend of this kind against a server that gives these answers."""
    server = Scripted(*answers)
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with open_session() as session:
            yield server, build(kind.name, "portal", {**placed(kind, url), **options}, outside(session, FILES))
    finally:
        await runner.cleanup()
