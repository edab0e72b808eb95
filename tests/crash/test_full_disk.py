"""A full disk: 503, nothing lost, and well again by itself when there is room."""

from __future__ import annotations

import resource
import sqlite3
from typing import TYPE_CHECKING

import pytest

from service import running, session, until

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

    from service import Service

RULES = "rules:\n  - {id: any, match: {source: test}, element: host1, impact: degraded, key: [fingerprint]}\nfallback: {action: record}\n"
ELEMENTS = "reference,name\nhost1,Host\n"
SETTINGS = {"sources": {"test": {"kind": "generic", "open": True}}}


def limit_files(service: Service, size: int) -> None:
    """What a full disk does to writing, done to one process: no file may grow beyond this."""
    assert service.process is not None
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def push(http: aiohttp.ClientSession, service: Service, number: int) -> int:
    alert = {
        "status": "firing",
        "severity": "major",
        "resource": "host1",
        "check": "c",
        "summary": f"s{number} {'x' * 2000}",
    }
    async with http.post(f"{service.url}/hooks/test", json={**alert, "fingerprint": f"f{number}"}) as answer:
        assert answer.status in (202, 503), await answer.text()
        assert answer.status == 202 or answer.headers["Retry-After"]
        return answer.status


@pytest.mark.crash
async def test_a_full_disk_is_answered_503_and_heals_by_itself(tmp_path: Path) -> None:
    async with running(tmp_path, SETTINGS, RULES, ELEMENTS) as service, session() as http:
        promised = [number for number in range(20) if await push(http, service, number) == 202]
        assert len(promised) == 20
        limit_files(service, sum(path.stat().st_size for path in service.state.iterdir()) // 2)
        answers = [await push(http, service, number) for number in range(100, 130)]
        assert 503 in answers
        promised += [number for number, status in enumerate(answers, start=100) if status == 202]
        async with http.get(f"{service.url}/healthz") as answer:
            assert answer.status == 200
        limit_files(service, resource.RLIM_INFINITY)

        async def taken() -> bool:
            return await push(http, service, 200) == 202

        await until(taken, 10, "the service to take alerts again")
        async with http.get(f"{service.url}/metrics") as answer:
            assert "tocsin_store_up 1.0" in await answer.text()
        status, seconds = await service.stop()
        assert (status, seconds < 10) == (0, True)
        connection = sqlite3.connect(service.state / "tocsin.db")
        kept = {name for (name,) in connection.execute("select fingerprint from texts")}
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        connection.close()
        assert {f"f{number}" for number in [*promised, 200]} <= kept
