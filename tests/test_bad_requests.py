"""Ten thousand bad requests over a real socket: 4xx each, never 5xx, and the service goes on serving."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from typing import TYPE_CHECKING, Any

from service import Service, running, session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import aiohttp

COUNT = 10_000
SEED = 20261123
RULES = "rules: []\nfallback: {action: record}\n"
ELEMENTS = "reference,name\nDF1,One\n"
SECRET = "s3cret"
LIMIT = 64 * 1024

GOOD: dict[str, Any] = {
    "generic": {"status": "firing", "severity": "major", "resource": "r", "check": "c", "summary": "s"},
    "alertmanager": {
        "version": "4",
        "status": "firing",
        "alerts": [{"status": "firing", "labels": {"alertname": "a"}}],
    },
    "prometheus": [{"labels": {"alertname": "a", "instance": "i"}}],
    "truesight": {
        "mc_host": "h",
        "mc_object": "o",
        "severity": "CRITICAL",
        "status": "OPEN",
        "msg": "m",
        "mc_ueid": "u",
    },
    "nagios": {"NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "h", "HOSTSTATE": "DOWN"},
}
Request = tuple[str, bytes, dict[str, str]]
JSON = {"Content-Type": "application/json"}


def settings(folder: Path) -> dict[str, Any]:
    (folder / "token").write_text(SECRET)
    sources = {kind: {"kind": kind, "open": True} for kind in GOOD}
    locked = {"kind": "generic", "auth": {"bearer": {"token_file": str(folder / "token")}}}
    return {
        "sources": {**sources, "locked": locked},
        "intake": {"body_limit": "64KiB", "inflated_limit": "256KiB"},
        "log": {"level": "error"},
    }


def truncated(dice: random.Random) -> Request:
    kind = dice.choice(list(GOOD))
    body = json.dumps(GOOD[kind]).encode()
    return f"/hooks/{kind}", body[: dice.randrange(len(body))], JSON


def wrong_types(dice: random.Random) -> Request:
    kind = dice.choice(list(GOOD))
    strange = dice.choice(
        [None, 7, "text", [1, [2]], {"a": {"b": []}}, [None], True, [{"labels": 3}], {"alerts": 1}, [[]]]
    )
    return f"/hooks/{kind}", json.dumps(strange).encode(), JSON


def deep(dice: random.Random) -> Request:
    levels = dice.choice([70, 500, 5_000, 30_000])
    left, right = dice.choice([(b"[", b"]"), (b'{"a":', b"}")])
    closed = right * levels if dice.random() < 0.5 else b""
    return f"/hooks/{dice.choice(list(GOOD))}", (left * levels + b"1" + closed)[:LIMIT], JSON


def huge(dice: random.Random) -> Request:
    return f"/hooks/{dice.choice(list(GOOD))}", b"[" + b" " * (LIMIT + dice.randrange(LIMIT)), JSON


def wrong_encoding(dice: random.Random) -> Request:
    body = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 200)))
    encoding = dice.choice(["", "gzip", "deflate", "br", "gzip, gzip", "nonsense"])
    headers = {**JSON, "Content-Encoding": encoding} if encoding else JSON
    return f"/hooks/{dice.choice(list(GOOD))}", body, headers


def bomb(dice: random.Random) -> Request:
    flat = b" " * 2_000_000
    encoding = dice.choice(["gzip", "deflate"])
    body = gzip.compress(flat, 1) if encoding == "gzip" else zlib.compress(flat, 1)
    cut = dice.choice([len(body), len(body) // 2])
    return f"/hooks/{dice.choice(list(GOOD))}", body[:cut], {**JSON, "Content-Encoding": encoding}


def wrong_type(dice: random.Random) -> Request:
    kind = dice.choice(list(GOOD))
    content_type = dice.choice(["text/html", "image/png", "application/x-protobuf", "nonsense", "multipart/form-data"])
    return f"/hooks/{kind}", json.dumps(GOOD[kind]).encode(), {"Content-Type": content_type}


def stranger(dice: random.Random) -> Request:
    token = dice.choice(["", "Bearer", "Bearer wrong", f"Basic {SECRET}", f"bearer{SECRET}", "Bearer \u00e9"])
    return (
        "/hooks/locked",
        json.dumps(GOOD["generic"]).encode(),
        {**JSON, "Authorization": token.encode().decode("latin-1")},
    )


def nowhere(dice: random.Random) -> Request:
    path = dice.choice(["/hooks/none", "/hooks/", "/hooks/..%2f", "/hooks/%00", "/nothing", "/-/deliveries/x/resend"])
    return path, b"{}", JSON


def broken_form(dice: random.Random) -> Request:
    body = dice.choice([b"%zz=%", b"&" * 3000, b"a=1&" * 2000, b"=", b"\xff\xfe=1", b"NOTIFICATIONTYPE=PROBLEM"])
    return "/hooks/nagios", body, {"Content-Type": "application/x-www-form-urlencoded"}


KINDS: list[Callable[[random.Random], Request]] = [
    truncated, wrong_types, deep, huge, wrong_encoding, bomb, wrong_type, stranger, nowhere, broken_form,
]  # fmt: skip


async def send(http: aiohttp.ClientSession, service: Service, request: Request) -> int:
    path, body, headers = request
    async with http.post(f"{service.url}{path}", data=body, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_ten_thousand_bad_requests_are_refused_and_the_service_goes_on(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    folder = tmp_path / "house"
    tmp_path.joinpath("secrets").mkdir()
    async with running(folder, settings(tmp_path / "secrets"), RULES, ELEMENTS) as service, session(60) as http:
        made = [(kind.__name__, kind(dice)) for kind in dice.choices(KINDS, k=COUNT)]
        wrong: list[tuple[str, int, bytes]] = []

        async def worker() -> None:
            while made:
                name, request = made.pop()
                status = await send(http, service, request)
                # A random body may by chance be one that is fine: an empty list, say. It is never our fault.
                if not 400 <= status < 500 and not (status in (200, 202) and _is_harmless(name, request)):
                    wrong.append((name, status, request[1][:80]))

        await asyncio.gather(*(worker() for _ in range(16)))
        assert not wrong, wrong[:5]
        good = json.dumps(GOOD["generic"]).encode()
        assert await send(http, service, ("/hooks/generic", good, JSON)) == 202
        authorised = {**JSON, "Authorization": f"Bearer {SECRET}"}
        assert await send(http, service, ("/hooks/locked", good, authorised)) == 202
        assert "Traceback" not in service.log.read_text()
        assert SECRET not in service.log.read_text()


def _is_harmless(name: str, request: Request) -> bool:
    return (name == "wrong_types" and request[1] in (b"[]", b"{}")) or (
        name == "broken_form" and b"TYPE=" not in request[1]
    )
