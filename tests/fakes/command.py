"""A ticket system behind a local program: curl hands each call to the fake, and what it answers becomes an exit status."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from fakes.core import Behaviour, Does, Face, Route, Server, Truth

PROGRAM = Path(__file__).with_name("command-program")
DOES = {
    "create": Does.CREATE,
    "search": Does.SEARCH,
    "read": Does.READ,
    "change": Does.CHANGE,
    "changes": Does.LIST,
    "check": Does.CHECK,
}


class Program(Face):
    KIND = "command"
    NUMBERS_LATER = True
    CANNOT = frozenset({Behaviour.INSIDE, Behaviour.REDIRECT, Behaviour.LIMITED, Behaviour.DATED, Behaviour.BUSY})
    MEANINGS: ClassVar = {Behaviour.FAILED: "no_answer", Behaviour.MALFORMED: "no_answer"}

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.kept: dict[str, dict[str, Any]] = {}

    def options(self) -> dict[str, Any]:
        return {"command": [str(PROGRAM), self.server.url]}

    def routes(self) -> list[Route]:
        return [Route("POST", "/", self._run, lambda _, body: DOES[json.loads(body)["operation"]])]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=one["number"],
                reference=one["reference"],
                status=one["status"],
                title=one["title"],
                text=one["text"],
                impact=one["impact"],
                element=one["element"]["reference"],
                notes=[note["text"] for note in one["notes"]],
            )
            for one in self.kept.values()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        one = self.kept[number]
        self._change(one, {"status": status, "note": note}, "Ines Martin")
        one["assignee"] = assignee or one["assignee"]
        one["priority"] = priority or one["priority"]

    def forget(self, number: str) -> None:
        del self.kept[number]

    def disown(self, number: str, reference: str) -> None:
        self.kept[number]["reference"] = reference

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "not known"}, status=401)

    async def _run(self, request: web.Request) -> web.StreamResponse:
        said = json.loads(await request.read())
        operation = getattr(self, f"_{said['operation']}_")
        return web.json_response(operation(said))

    def _create_(self, said: dict[str, Any]) -> dict[str, Any]:
        number, now = f"C{len(self.kept) + 1}", self.server.clock().isoformat()
        self.kept[number] = {
            **said["ticket"],
            "number": number,
            "status": "declared",
            "notes": [],
            "assignee": "",
            "priority": "",
            "changed_at": now,
            "made_at": now,
        }
        return {"number": "" if self.server.pending else number}

    def _search_(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        found = [
            one
            for one in self.kept.values()
            if said["reference"].lower() in one["reference"].lower()
            and self.server.visible(datetime.fromisoformat(one["made_at"]))
        ]
        return [] if self.server.pending else self.server.ordered(found)

    def _read_(self, said: dict[str, Any]) -> dict[str, Any] | None:
        return self.kept.get(said["number"])

    def _change_(self, said: dict[str, Any]) -> None:
        self._change(self.kept[said["number"]], said, "tocsin")

    def _changes_(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        since = datetime.fromisoformat(said["since"])
        found = [one for one in self.kept.values() if datetime.fromisoformat(one["changed_at"]) >= since]
        return self.server.ordered(found)

    def _check_(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"level": "fine", "what": "login", "told": "works as tocsin"}]

    def _change(self, one: dict[str, Any], said: dict[str, Any], actor: str) -> None:
        now = self.server.clock().isoformat()
        one["status"] = said.get("status") or one["status"]
        one["impact"] = said.get("impact") or one["impact"]
        one["changed_at"] = now
        if said.get("note"):
            note = {"id": str(len(one["notes"]) + 1), "actor": actor, "text": said["note"], "at": now}
            one["notes"].append(note)
