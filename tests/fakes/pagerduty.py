"""PagerDuty's Events API v2, as far as a sender sees it. Source: PagerDuty's api-schema, reference/events-v2 and
reference/REST (`incident_key`), and the answers and webhooks (v3) that public senders and receivers quote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from fakes.core import Does, Face, Route, Server, Truth

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = b"0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SEVERITIES = ("critical", "error", "warning", "info")
OURS = {"triggered": "declared", "acknowledged": "in_progress", "resolved": "closed"}
THEIRS = {"declared": "triggered", "in_progress": "acknowledged", "closed": "resolved", "repaired": "resolved"}
LONGEST = 512_000


@dataclass
class Incident:
    key: str
    event: dict[str, Any]
    status: str = "triggered"
    log: list[dict[str, Any]] = field(default_factory=list)


class PagerDuty(Face):
    KIND = "pagerduty"
    SECRETS: ClassVar = {"pagerduty-key": KEY}
    OPTIONS: ClassVar = {
        "client_url": "https://tocsin.example.net/incidents/{reference}",
        "links": {"Runbook": "https://wiki.example.net/{element}"},
    }

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.incidents: list[Incident] = []
        self.without_alerts = False  # whether the service makes incidents without alerts: only those have a key

    def options(self) -> dict[str, Any]:
        return {"url": self.server.url, "routing_key_file": "pagerduty-key"}

    def routes(self) -> list[Route]:
        return [Route("POST", "/v2/enqueue", self._enqueue, _purpose)]

    def tickets(self) -> list[Truth]:
        return [
            Truth(
                number=one.key,
                reference=one.key,
                status=OURS[one.status],
                title=one.event["payload"]["summary"],
                text=one.event["payload"].get("custom_details", {}).get("description", ""),
                impact=one.event["payload"]["severity"],
                element=one.event["payload"]["source"],
            )
            for one in self.incidents
        ]

    def person(self, number: str, *, status: str = "", note: str = "", assignee: str = "", priority: str = "") -> None:
        self._last(number).status = THEIRS.get(status, self._last(number).status)

    def forget(self, number: str) -> None:
        self.incidents.remove(self._last(number))

    def disown(self, number: str, reference: str) -> None:
        self._last(number).key = reference

    def hook(self, number: str) -> tuple[Mapping[str, str], bytes]:
        one = self._last(number)
        said = {
            "event": {
                "id": "01BZYH1JJY09P9LEIST8HG2PMN",
                "event_type": f"incident.{one.status}",
                "resource_type": "incident",
                "occurred_at": "2026-11-22T10:05:00.816Z",
                "agent": {"id": "PJ0LVEB", "summary": "Ines Martin", "type": "user_reference"},
                "client": None,
                "data": {
                    "id": "PCPZE64",
                    "type": "incident",
                    "html_url": "https://example.pagerduty.com/incidents/PCPZE64",
                    "number": 6,
                    "status": one.status,
                    "incident_key": one.key if self.without_alerts else None,
                    "title": one.event["payload"]["summary"],
                    "service": {"id": "PA2P440", "summary": "Platform", "type": "service_reference"},
                    "urgency": "high",
                },
            }
        }
        headers = {"Content-Type": "application/json", "X-PagerDuty-Signature": "v1=00,v1=11", "X-Webhook-Id": "1"}
        return headers, json.dumps(said).encode()

    # --- how PagerDuty says no ----------------------------------------------------------------------------------------

    def not_found(self) -> web.StreamResponse:
        return web.Response(status=404, text="Not Found")

    def refused(self) -> web.StreamResponse:
        return _invalid("'payload.summary' is missing or blank")

    def inside(self) -> web.StreamResponse:
        """Not known to happen; judged all the same."""
        return _invalid("'payload.severity' is invalid", status=202)

    def unauthorized(self, request: web.Request) -> web.StreamResponse:
        """The key is in the body; how it says that one is not good."""
        return _invalid("Length of 'routing_key' is incorrect (should be 32 characters)", KEY.decode())

    def limited(self) -> web.StreamResponse:
        said = {"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly."}
        return web.json_response(said, status=429)

    # --- its API ------------------------------------------------------------------------------------------------------

    async def _enqueue(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            event = json.loads(body)
        except ValueError:
            return web.json_response(
                {
                    "status": "Unrecognized object",
                    "message": "Event object format is unrecognized",
                    "errors": ["JSON parse error"],
                },
                status=400,
            )
        if len(body) > LONGEST:
            return web.Response(status=413)
        if problems := _problems(event):
            return _invalid(*problems)
        if event["routing_key"] != KEY.decode():
            return web.Response(status=400, text="Invalid routing key")
        self._take(event)
        said = {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}
        return web.json_response(said, status=202)

    def _take(self, event: dict[str, Any]) -> None:
        """A key whose incident is open gets the event; a trigger for any other opens one; the rest is ignored."""
        key, action = event["dedup_key"], event["event_action"]
        live = next((one for one in self.incidents if one.key == key and one.status != "resolved"), None)
        if action == "trigger":
            if live is None:
                live = Incident(key, event)
                self.incidents.append(live)
            live.log.append(event)
        elif live is not None:
            live.status = {"resolve": "resolved", "acknowledge": "acknowledged"}[action]

    def _last(self, key: str) -> Incident:
        return next(one for one in reversed(self.incidents) if one.key == key)


def _invalid(*errors: str, status: int = 400) -> web.Response:
    said = {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)}
    return web.json_response(said, status=status)


def _problems(event: dict[str, Any]) -> list[str]:
    key = event.get("routing_key", "")
    if len(key) != 32:
        return ["Length of 'routing_key' is incorrect (should be 32 characters)"]
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        return ["'event_action' is invalid"]
    dedup = event.get("dedup_key", "")
    problems = [] if 0 < len(dedup) <= 255 else ["'dedup_key' is invalid"]
    if event["event_action"] != "trigger":
        return problems
    payload = event.get("payload", {})
    problems += [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
    problems += [] if payload.get("severity") in SEVERITIES else ["'payload.severity' is invalid"]
    problems += [] if len(payload.get("summary", "")) <= 1024 else ["'payload.summary' is too long"]
    links = [link.get("href", "") for link in event.get("links", [])]
    problems += [] if all(link and not re.search(r'[\s"<>]', link) for link in links) else ["'links' is invalid"]
    return problems


def _purpose(_: web.Request, body: bytes) -> Does:
    return Does.CREATE if b'"trigger"' in body else Does.CHANGE
