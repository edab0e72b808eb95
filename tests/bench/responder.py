"""A server that reads a request and answers 200, and does nothing else: what the generator could do at best.

Knows just enough HTTP to find where a request ends. Run as `python tests/bench/responder.py PORT`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Responder(asyncio.Protocol):
    """One connection: counts the bytes of each request and answers when it is whole."""

    def __init__(self) -> None:
        self._head = b""
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._missing:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            length = self._head.lower().find(b"content-length:") + 15
            announced = int(self._head[length : self._head.find(b"\r", length)])
            self._missing = end + 4 + announced - len(self._head)
            self._head = b""
        else:
            self._missing -= len(data)
        if not self._missing:
            self._transport.write(ANSWER)


async def serve(port: int) -> None:
    """Answers on loopback until the process is stopped."""
    server = await asyncio.get_running_loop().create_server(Responder, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(serve(int(sys.argv[1])))
