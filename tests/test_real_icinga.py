"""Debian's own Icinga 2 pushes to the real service through the command we ship; what its API says is the same problem."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import icinga
from programs import ELEMENTS, RULES, has, tickets
from service import running, until
from tocsin.model import Alert, Payload, Status
from tocsin.sources import icinga as kind

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from icinga import Icinga

TOKEN = "made-up-token"


def settings(folder: Path) -> dict[str, Any]:
    (folder / "icinga.token").write_text(TOKEN)
    (folder / "icinga.token").chmod(0o600)
    return {"sources": {"icinga": {"kind": "icinga", "auth": {"bearer": {"token_file": str(folder / "icinga.token")}}}}}


def shipped(folder: Path, url: str) -> str:
    """The configuration we ship, its placeholders replaced and its paths made those of a test."""
    curl = folder / "tocsin.curl"
    curl.write_text((icinga.SNIPPETS / "tocsin.curl").read_text().replace("{{url}}", url).replace("{{token}}", TOKEN))
    config = (icinga.SNIPPETS / "tocsin.conf").read_text()
    config = config.replace("/etc/icinga2/tocsin.curl", str(curl))
    script = icinga.SNIPPETS / "tocsin-notification.sh"
    return config.replace("/etc/icinga2/scripts/tocsin-notification.sh", str(script))


def parsed(body: bytes) -> list[Alert]:
    payload = Payload(body=body, content_type="application/json", source="icinga")
    alerts = kind.parse(payload, kind.Options(), datetime.now(UTC))
    assert all(isinstance(alert, Alert) for alert in alerts)
    return [alert for alert in alerts if isinstance(alert, Alert)]


async def hear(real: Icinga, http: aiohttp.ClientSession, lines: list[bytes], listening: asyncio.Event) -> None:
    """The stream of events, line by line, for ever; Icinga may hold a line back for five seconds."""
    asked = {"queue": "tocsin", "types": ["StateChange", "CheckResult", "Notification"]}
    async with http.post(f"{real.url}/v1/events", json=asked, server_hostname=icinga.NODE) as answer:
        listening.set()
        async for line in answer.content:
            lines.append(line)  # noqa: PERF401 - each as it comes


async def test_a_real_icinga_notifies_a_problem_and_its_recovery_into_one_ticket(tmp_path: Path) -> None:
    folder = tmp_path / "icinga"
    folder.mkdir()
    async with running(tmp_path / "tocsin", settings(tmp_path), RULES, ELEMENTS) as service:
        config = shipped(folder, f"{service.url}/hooks/icinga")
        async with icinga.running(folder, config) as real, real.session() as http:
            await real.result(http, "http", 2, "HTTP CRITICAL: refused")
            await until(lambda: has(service, ("declared", "interrupted")), 15, "the ticket")
            (ticket,) = tickets(service)
            assert "http on Web one" in ticket.name
            await real.result(http, "http", 2, "HTTP CRITICAL: still refused")
            await real.ask(
                http, "POST", "/v1/actions/acknowledge-problem",
                type="Service", service="web1!http", author="on-call", comment="on it",
            )  # fmt: skip
            await real.result(http, "http", 0, "HTTP OK: 200")
            await until(lambda: has(service, ("closed", "interrupted")), 15, "the ticket to be closed")


async def test_the_stream_and_the_list_of_a_real_icinga_tell_the_same_problem(tmp_path: Path) -> None:
    lines: list[bytes] = []

    async def heard(status: Status) -> bool:
        return bool(lines) and any(alert.status is status for alert in parsed(b"".join(lines)))

    async with icinga.running(tmp_path / "icinga", attempts=2) as real, real.session() as http, real.session() as ear:
        listening = asyncio.Event()
        stream = asyncio.create_task(hear(real, ear, lines, listening))
        await asyncio.wait_for(listening.wait(), 10)
        await real.result(http, "http", 0, "HTTP OK: 200")
        await real.result(http, "http", 2, "HTTP CRITICAL: refused, for the first time")
        listed = await real.ask(http, "GET", "/v1/objects/services")
        assert [alert.status for alert in parsed(json.dumps(listed).encode())] == [Status.RESOLVED], "the state is soft"
        await real.result(http, "http", 2, "HTTP CRITICAL: refused")
        listed = await real.ask(http, "GET", "/v1/objects/services")
        (told,) = parsed(json.dumps(listed).encode())
        await until(lambda: heard(Status.FIRING), 10, "the event")
        stream.cancel()
        events = parsed(b"".join(lines))
    assert told.status is Status.FIRING
    assert told.starts_at
    assert {(alert.fingerprint, alert.resource, alert.check) for alert in [told, *events]} == {
        (kind.fingerprint("web1", "http"), "web1", "http")
    }
