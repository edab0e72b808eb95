"""Alertmanager's API v2, as far as who sends alerts sees it: an alert is its labels. Source: a real 0.25."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from fakes.core import Behaviour, Does, Face, Route, Server, Truth

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Alertmanager(Face):
    KIND = "alertmanager"
    SECRETS: ClassVar = {"alertmanager-token": b"t0ken-of-the-proxy"}
    CANNOT = frozenset({Behaviour.INSIDE, Behaviour.EMPTY})

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.alerts: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "token_file": "alertmanager-token", "labels": {"team": "operations"}}

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/api/v2/alerts", self._take, self._does),
            Route("GET", "/api/v2/alerts", self._list, Does.CHECK),
            Route("GET", "/api/v2/status", self._status, Does.CHECK),
        ]

    def _does(self, _: web.Request, body: bytes) -> Does:
        reference = re.search(rb'"reference":"([^"]+)"', body)
        known = {dict(labels)["reference"].encode() for labels in self.alerts}
        return Does.CHANGE if reference and reference[1] in known else Does.CREATE

    def tickets(self) -> list[Truth]:
        now = self.server.clock()
        return [
            Truth(
                number=dict(labels)["reference"],
                reference=dict(labels)["reference"],
                status="closed" if datetime.fromisoformat(alert["endsAt"]) <= now else "declared",
                title=alert["annotations"]["summary"],
                text=alert["annotations"]["description"],
                impact=alert["annotations"]["impact"],
                element=dict(labels)["element"],
            )
            for labels, alert in self.alerts.items()
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        """People silence alerts; that changes none."""

    def forget(self, number: str) -> None:
        self.alerts = {labels: one for labels, one in self.alerts.items() if dict(labels)["reference"] != number}

    def disown(self, number: str, reference: str) -> None:
        """Labels are what an alert is: there is no way to change one."""

    def refused(self) -> web.StreamResponse:
        return web.json_response("start time must be before end time", status=400)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer t0ken-of-the-proxy":
            return self.unauthorized(request)
        for given in await request.json():
            labels = given["labels"]
            if not all(NAME.fullmatch(name) for name in labels) or not labels:
                return web.json_response("invalid label set", status=400)
            known = self.alerts.get(key := tuple(sorted(labels.items())), {})
            alert = {"startsAt": known.get("startsAt", given["endsAt"]), **given}
            if datetime.fromisoformat(alert["startsAt"]) > datetime.fromisoformat(alert["endsAt"]):
                return self.refused()
            self.alerts[key] = alert
        return web.Response()

    async def _list(self, request: web.Request) -> web.StreamResponse:
        """What fires; a filter is a matcher such as `reference="K7F3Q2"`."""
        if request.headers.get("Authorization") != "Bearer t0ken-of-the-proxy":
            return self.unauthorized(request)
        name, _, value = request.query["filter"].partition("=")
        fires = [one for one in self.alerts.values() if datetime.fromisoformat(one["endsAt"]) > self.server.clock()]
        return web.json_response([one for one in fires if f'"{one["labels"].get(name)}"' == value])

    async def _status(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"versionInfo": {"version": "0.25.0"}, "cluster": {"status": "ready"}})
