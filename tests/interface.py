"""A service with some of the rules and the fleet that come with tocsin, some alerts in it, and a way to ask its interface."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service import session
from tocsin import settings as settings_of
from tocsin.app import App, utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    import aiohttp

ROOT = Path(__file__).parents[1]
SAID = {"status": "firing", "severity": "critical", "check": "PostgresqlDown", "summary": "no answer on port 5432"}
ALERTS: list[dict[str, Any]] = [
    {**SAID, "resource": "db1.example.com"},
    {**SAID, "resource": "unknown9", "check": "Strange", "summary": "what is this"},
    {
        **SAID,
        "resource": "shop.example.com",
        "check": "Expired",
        "summary": "certificate of shop.example.com has expired",
    },
]
SUBJECTS = ("40-certificate.yaml", "60-database.yaml", "90-fallback.yaml")
"""The files of rules it has: enough, and quickly read."""
STRANGE = "rules:\n  - {id: strange, match: {check: Strange}, action: record}\n"


class Interface:
    """The interface of one service."""

    def __init__(self, app: App, http: aiohttp.ClientSession) -> None:
        self.app = app
        self.http = http

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        """Status and answer; `body` is JSON, or bytes as they are."""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            more = {
                "data": io.BytesIO(data),
                **more,
                "headers": {"Content-Type": "application/json", **more.get("headers", {})},
            }
        address = path if path.startswith("http") else f"{self.app.address}{path}"
        async with self.http.request(method, address, **more) as answer:
            assert answer.content_type == "application/json"
            assert answer.status != 503 or answer.headers["Retry-After"]
            return answer.status, json.loads(await answer.read() or b"null")

    async def get(self, path: str, **more: Any) -> Any:
        """The answer, which is 200."""
        status, answer = await self.ask("GET", f"/api/v1{path}", **more)
        assert status == 200, answer
        return answer

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """The answer, which has this status."""
        got, answer = await self.ask("POST", f"/api/v1{path}", body)
        assert got == status, answer
        return answer

    async def push(self, *alerts: dict[str, Any]) -> None:
        """Let alerts come in."""
        for alert in alerts:
            status, answer = await self.ask("POST", "/hooks/generic", alert)
            assert status == 202, answer


def written(folder: Path, **more: Any) -> Path:
    """The settings of a service, with its files beside them."""

    for name in ("rules", "next"):
        (folder / name).mkdir()
        shutil.copytree(ROOT / "rules" / "tables", folder / name / "tables")
        for file in SUBJECTS:
            shutil.copy(ROOT / "rules" / file, folder / name)
    (folder / "next" / "05-strange.yaml").write_text(STRANGE)
    (folder / "token").write_text("t0ken\n")
    usual = {
        "listen": {"port": 0},
        "state": str(folder / "var"),
        "rules": {"path": "rules", "shadow": "next"},
        "fleet": {"path": str(ROOT / "config" / "fleet")},
        "sources": {"generic": {"kind": "generic", "open": True}, "nagios": {"kind": "nagios", "open": True}},
    }
    (folder / "tocsin.yaml").write_text(json.dumps({**usual, **more}))
    return folder / "tocsin.yaml"


@contextlib.asynccontextmanager
async def interface(
    folder: Path,
    *alerts: dict[str, Any],
    clock: Callable[[], datetime] = utc_now,
    **more: Any,
) -> AsyncIterator[Interface]:
    """A service that these alerts came in to."""
    path = written(folder, **more)
    app = App(settings_of.load(path, {}), settings_of.secret_reader(path, {}), {}, clock)
    await app.start()
    try:
        async with session(60) as http:
            there = Interface(app, http)
            await there.push(*alerts)
            yield there
    finally:
        await app.stop()
