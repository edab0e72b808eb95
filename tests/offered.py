"""A service that offers its desk to other programs (TMF621), and a way to speak to it in either version."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

from service import session
from tocsin import settings as settings_of
from tocsin.app import App, utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from pathlib import Path

    import aiohttp

RULES = """
rules:
  - id: disk
    match: {check: disk}
    element: {lookup: '{{ resource }}'}
    impact: degraded
    close: {after: 15m}
    ticket:
      name: {en: 'Disk of {{ element.name }}', fr: 'Disque de {{ element.name }}'}
      description: {en: 'It is full.', fr: 'Il est plein.'}
fallback: {action: record}
"""
FLEET = "reference,name,contract,criticality,aliases\nDF1,Web one,OCB001,high,web1\nDF2,Web two,OCB002,normal,web2\n"
ALERT = {"status": "firing", "severity": "major", "resource": "web1", "check": "disk", "summary": "disk is full"}
TYPED = {"note": "Note", "attachment": "Attachment", "externalIdentifier": "ExternalIdentifier"}
"""What objects in lists are in version 5."""


class Client:
    """A client of one version."""

    def __init__(self, app: App, http: aiohttp.ClientSession, version: int) -> None:
        self.app = app
        self.http = http
        self.version = version
        self.base = f"/tmf-api/troubleTicket/v{version}"
        self.token = ""
        """What it shows, if anything."""
        self.headers: dict[str, str] = {}
        """Of the last answer."""

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and answer; `body` is JSON, or bytes as they are; `path` is below the version's, or whole."""
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **more.pop("headers", {})}
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            more = {"data": io.BytesIO(data), **more}
            headers = {"Content-Type": "application/json", **headers}
        whole = path if path.startswith("/tmf-api") else self.base + path
        async with self.http.request(method, self.app.address + whole, headers=headers, **more) as answer:
            self.headers = dict(answer.headers)
            said = await answer.read()
            assert answer.status in (204, 500) or answer.content_type == "application/json", said
            assert answer.status != 503 or answer.headers["Retry-After"]
            return answer.status, json.loads(said) if said else None

    async def get(self, path: str, **more: Any) -> Any:
        """What is answered with 200."""
        status, said = await self.ask("GET", path, **more)
        assert status == 200, said
        return said

    async def new(self, **facts: Any) -> Any:
        """A new ticket, as answered."""
        status, said = await self.ask("POST", "/troubleTicket", self.said(facts))
        assert status == 201, said
        return said

    async def change(self, number: str, expected: int = 200, /, **facts: Any) -> Any:
        """What a merge patch is answered."""
        body = self.typed(facts)
        headers = {"Content-Type": "application/merge-patch+json"}
        got, said = await self.ask("PATCH", f"/troubleTicket/{number}", body, headers=headers)
        assert got == expected, said
        return said

    def said(self, facts: dict[str, Any]) -> dict[str, Any]:
        """A new ticket of this version, with what the standard requires."""
        usual = {"description": "nothing works", "severity": "Major", "ticketType": "incident"}
        return self.typed({**usual, **facts})

    def typed(self, facts: dict[str, Any]) -> dict[str, Any]:
        """As this version has it: with the types that version 5 wants."""
        if self.version == 4:
            return facts
        inner = {
            name: [{"@type": TYPED[name], **one} for one in value] if name in TYPED and value else value
            for name, value in facts.items()
        }
        return {"@type": "TroubleTicket", **inner}

    def on(self, element: str, role: str = "affectedService") -> list[dict[str, Any]]:
        """A related entity that is an element of the fleet."""
        if self.version == 4:
            return [{"id": element, "role": role, "@referredType": "Service"}]
        return [{"@type": "RelatedEntity", "role": role, "entity": {"@type": "EntityRef", "id": element}}]

    def called(self, identifier: str) -> dict[str, Any]:
        """What a client calls a ticket."""
        if self.version == 4:
            return {"externalId": identifier}
        return {"externalIdentifier": [{"@type": "ExternalIdentifier", "id": identifier}]}

    async def declared(self) -> str:
        """The number of a ticket that tocsin declares itself."""
        return await alerted(self.app, self.http)


async def alerted(app: App, http: aiohttp.ClientSession, **facts: Any) -> str:
    """Let an alert come in; returns the number of its ticket."""
    async with http.post(f"{app.address}/hooks/generic", json={**ALERT, **facts}) as answer:
        said = await answer.json()
        assert answer.status == 202, said
        return str(said["alerts"][0].get("ticket", ""))


def written(folder: Path, **tmf621: Any) -> Path:
    """The settings of a service that offers its desk, with its files beside them."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "fleet").mkdir(exist_ok=True)
    (folder / "rules" / "10.yaml").write_text(RULES)
    (folder / "fleet" / "fleet.csv").write_text(FLEET)
    (folder / "client.token").write_text("t0ken\n")
    settings = {
        "listen": {"port": 0},
        "state": str(folder / "var"),
        "rules": {"path": "rules"},
        "fleet": {"path": "fleet"},
        "sources": {"generic": {"kind": "generic", "open": True}},
        "desk": {"tmf621": {"enabled": True, **tmf621}},
    }
    (folder / "tocsin.yaml").write_text(json.dumps(settings))
    return folder / "tocsin.yaml"


@contextlib.asynccontextmanager
async def serving(
    folder: Path, clock: Callable[[], datetime] = utc_now, **tmf621: Any
) -> AsyncIterator[tuple[App, aiohttp.ClientSession]]:
    """A service that offers its desk on these terms; the same folder is the same service after a restart."""
    path = written(folder, **tmf621)
    app = App(settings_of.load(path, {}), settings_of.secret_reader(path, {}), {}, clock)
    await app.start()
    try:
        async with session(30) as http:
            yield app, http
    finally:
        await app.stop()


@contextlib.asynccontextmanager
async def offered(
    folder: Path, version: int = 4, clock: Callable[[], datetime] = utc_now, **tmf621: Any
) -> AsyncIterator[Client]:
    """A client of a service that offers its desk on these terms."""
    async with serving(folder, clock, **tmf621) as (app, http):
        yield Client(app, http, version)
