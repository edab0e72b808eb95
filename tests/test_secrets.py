"""Secrets stay where they are: nothing that the service writes, answers or stores while every kind is told holds one."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest

from fakes.core import Behaviour, Does, Now, Server
from kit import REMOTE, face, server
from service import Service, running, session, stored, until

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
rules:
  - id: any
    match: {source: test}
    element: {lookup: '{{ resource }}'}
    impact: interrupted
    backend: redmine
    inform: [INFORM]
    close: {after: 1s}
fallback: {action: record}
"""
WEATHER = {"ok": 6, "failed": 1, "lost": 1, "garbage": 1, "wrong": 1, "down": 1, "dropped": 1}


WAITING = """
select distinct backend from deliveries as waits where state in ('pending', 'leased') and not exists
  (select 1 from deliveries as dead where dead.backend = waits.backend and dead.state = 'dead')
"""
"""Backends with something to be told that waits for no dead delivery before it."""


def secrets() -> list[str]:
    return [secret.decode().strip() for kind in REMOTE for secret in face(kind).SECRETS.values()]


def options(one: Server, folder: Path) -> dict[str, Any]:
    """The face's options, its secrets in files."""
    for name, secret in one.face.SECRETS.items():
        path = folder / name
        path.write_bytes(secret)
        path.chmod(0o600)
    text = json.dumps({**one.face.options(), **one.face.OPTIONS})
    for name in one.face.SECRETS:
        text = text.replace(f'"{name}"', json.dumps(str(folder / name)))
    return dict(json.loads(text))


def settings(servers: dict[str, Server], folder: Path) -> dict[str, Any]:
    return {
        "sources": {"test": {"kind": "generic", "open": True}},
        "default_backend": "redmine",
        "log": {"level": "debug", "format": "json"},
        "backends": {
            name: {"kind": name, "poll": "1s", "options": options(one, folder)} for name, one in servers.items()
        },
        "delivery": {"first_retry": "100ms", "longest_retry": "500ms", "doubt": "100ms", "breaker": {"failures": 50}},
    }


async def command(service: Service, *words: str) -> bytes:
    """What a command prints, on both its outputs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tocsin",
        "--config",
        str(service.config),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return said


async def everything(service: Service) -> bytes:
    """All that the service wrote, stored and answers."""
    reference = stored(service, "select id from incidents limit 1")[0][0]
    said = service.log.read_bytes()
    said += b"".join(path.read_bytes() for path in sorted(service.state.rglob("*")) if path.is_file())
    for words in (
        ("deliveries", "--json"),
        ("tickets", "--json"),
        ("backend", "list", "--json"),
        ("backend", "kinds", "--json"),
        ("reconcile", "--json"),
        ("explain", reference, "--json"),
        ("check", "--json"),
    ):
        said += await command(service, *words)
    async with session(60) as http:
        for path in ("/metrics", "/-/backends", "/readyz"):
            async with http.get(service.url + path) as answer:
                said += await answer.read()
    return said


@pytest.mark.timeout(180)
async def test_nothing_that_is_written_stored_or_answered_holds_a_secret(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        servers = {kind.name: server(kind, clock=Now()) for kind in REMOTE}
        for one in servers.values():
            await stack.enter_async_context(one.serving())
            one.script(Does.CREATE, "unauthorized", "forbidden", "refused")
            one.plan.faults = {
                Behaviour(name): weight for name, weight in WEATHER.items() if Behaviour(name) not in one.face.CANNOT
            }
        rules = RULES.replace("INFORM", ", ".join(name for name in servers if name != "redmine"))
        service = await stack.enter_async_context(
            running(tmp_path / "tocsin", settings(servers, tmp_path), rules, "reference,name\nweb1,Web one\n")
        )
        async with session() as http:
            await _push(http, service, "firing")
            for _ in range(3):  # two refusals stop the backend, and a person says that it may go on
                await until(lambda: _asked(servers), 30, "every kind to be asked")
                await _resume(http, service)
                await until(lambda: _quiet(service), 60, "what can be told to be told")
            await _push(http, service, "resolved")
            await until(lambda: _quiet(service), 60, "what can be told to be told")
        said = await everything(service)
    assert len(servers) > 10
    for secret in secrets():
        assert secret.encode() not in said


async def _push(http: Any, service: Service, status: str) -> None:
    alert = {
        "fingerprint": "f",
        "status": status,
        "severity": "critical",
        "resource": "web1",
        "check": "c",
        "summary": "s",
    }
    async with http.post(f"{service.url}/hooks/test", json=[alert]) as answer:
        assert answer.status == 202, await answer.text()


async def _resume(http: Any, service: Service) -> None:
    async with http.get(f"{service.url}/-/backends") as answer:
        found = (await answer.json())["backends"]
    for one in found:
        if one["state"] == "stopped":
            asked = {"actor": "night", "reason": "new token"}
            async with http.post(f"{service.url}/-/backends/{one['backend']}/resume", json=asked) as answer:
                assert answer.status < 300, await answer.text()


async def _asked(servers: dict[str, Server]) -> bool:
    silent = [name for name, one in servers.items() if not one.seen]
    return not silent


async def _quiet(service: Service) -> bool:
    """Nothing is due: what is left waits for a person or for its backend to be resumed."""
    async with session() as http, http.get(f"{service.url}/-/backends") as answer:
        states = {one["backend"]: one["state"] for one in (await answer.json())["backends"]}
    waiting = stored(service, WAITING)
    return all(states.get(backend) == "stopped" for (backend,) in waiting)
