"""A small ticket system with a JSON API, such as the webhook kind is made for; it demands token and signature."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, ClassVar

from aiohttp import web

from fakes.core import Behaviour, Does, Face, Route, Server, Truth

TOKEN, KEY = b"t0ken-t0ken", b"an hmac key"


class Portal(Face):
    KIND = "webhook"
    SECRETS: ClassVar = {"token": TOKEN, "hmac-key": KEY}
    CANNOT = frozenset({Behaviour.INSIDE})

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.kept: dict[str, dict[str, Any]] = {}

    def options(self) -> dict[str, Any]:
        return {
            "url": f"{self.server.url}/tickets",
            "update_url": f"{self.server.url}/tickets/{{number}}",
            "find_url": f"{self.server.url}/tickets?reference={{reference}}",
            "secret_file": "hmac-key",
            "token_file": "token",
        }

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/tickets", self._create, Does.CREATE),
            Route("POST", "/tickets/{number}", self._change, Does.CHANGE),
            Route("GET", "/tickets", self._find, Does.SEARCH),
        ]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=number,
                reference=one["told"]["reference"],
                status=one["status"],
                title=" / ".join(one["opened"]["name"].values()) or number,
                text=" / ".join(one["opened"]["description"].values()),
                impact=one["told"]["impact"],
                element=one["opened"]["element"]["reference"],
                notes=[text["en"] for text in one["notes"]],
            )
            for number, one in self.kept.items()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        self.kept[number]["status"] = status or self.kept[number]["status"]

    def forget(self, number: str) -> None:
        del self.kept[number]

    def disown(self, number: str, reference: str) -> None:
        self.kept[number]["told"]["reference"] = reference

    def hook(self, number: str) -> tuple[dict[str, str], bytes]:
        return {"Content-Type": "application/json"}, f'{{"number": "{number}"}}'.encode()

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if not await self._knows(request):
            return self.unauthorized(request)
        said = await request.json()
        number = f"T{len(self.kept) + 1:06}"
        self.kept[number] = {
            "told": said,
            "opened": said,
            "status": said["status"],
            "notes": [],
            "at": self.server.clock(),
        }
        return web.json_response(self._shown(number), status=201)

    async def _change(self, request: web.Request) -> web.StreamResponse:
        if not await self._knows(request):
            return self.unauthorized(request)
        number = request.match_info["number"]
        if number not in self.kept:
            return self.not_found()
        said, one = await request.json(), self.kept[number]
        status = one["status"] if said["action"] == "note" else said["status"]
        one.update(told=said, status=status, notes=[*one["notes"], *said["notes"]])
        return web.json_response(self._shown(number))

    async def _find(self, request: web.Request) -> web.StreamResponse:
        if not await self._knows(request):
            return self.unauthorized(request)
        wanted = request.query["reference"]
        found = [
            number
            for number, one in self.kept.items()
            if one["told"]["reference"] == wanted and self.server.visible(one["at"])
        ]
        return web.json_response([self._shown(number) for number in self.server.ordered(found)])

    def _shown(self, number: str) -> dict[str, Any]:
        one = self.kept[number]
        return {"number": number, "reference": one["told"]["reference"], "status": one["status"]}

    async def _knows(self, request: web.Request) -> bool:
        stamp = request.headers.get("X-Tocsin-Timestamp", "")
        digest = hmac.new(KEY, stamp.encode() + b"." + await request.read(), hashlib.sha256).hexdigest()
        signed = request.headers.get("X-Tocsin-Signature") == f"sha256={digest}"
        return signed and request.headers.get("Authorization") == f"Bearer {TOKEN.decode()}"
