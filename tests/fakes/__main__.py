"""Serves the fake of a kind of ticket system, to try a backend by hand: `python tests/fakes redmine`.

Prints its address and the options of a backend as one JSON line, the secrets' files into the folder named second, and
serves until it is ended. `POST /-/person/NUMBER` with JSON such as {"status": "closed"} does what a person would.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from importlib import import_module
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from aiohttp import web  # noqa: E402 - the folder above is where the fakes are found

from fakes.core import Does, Face, Now, Route, Server  # noqa: E402


def _face(kind: str) -> type[Face]:
    found = vars(import_module(f"fakes.{kind}")).values()
    return next(one for one in found if isinstance(one, type) and getattr(one, "KIND", "") == kind)


def _with_people(face: type[Face]) -> type[Face]:
    class WithPeople(face):  # type: ignore[valid-type, misc]
        def routes(self) -> list[Route]:
            return [*super().routes(), Route("POST", "/-/person/{number}", self._person, Does.CHECK)]

        async def _person(self, request: web.Request) -> web.Response:
            self.person(request.match_info["number"], **await request.json())
            return web.json_response({})

    return WithPeople


async def _serve(kind: str, folder: Path) -> None:
    server = Server(_with_people(_face(kind)), clock=Now())
    for name, secret in server.face.SECRETS.items():
        (folder / name).write_bytes(secret)
        (folder / name).chmod(0o600)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server.serving():
        sys.stdout.write(json.dumps({"url": server.url, "options": server.face.options()}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else ".")))
