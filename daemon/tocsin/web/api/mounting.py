"""The interface on the web server: each path once, guarded, its methods told apart, its work kept away from the intake.

Knows aiohttp; what is done is the handlers' business.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from tocsin.errors import StoreError
from tocsin.web.api import document, reading
from tocsin.web.api.operations import OPERATIONS
from tocsin.web.api.problem import Problem, Refused, missing
from tocsin.web.hooks import RETRY_AFTER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from tocsin.web.api.operation import Asked, Operation
    from tocsin.web.api.service import Service
    from tocsin.web.guard import Guard

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_encode = msgspec.json.Encoder().encode


def routes(service: Service, guard: Guard) -> list[web.RouteDef]:
    """Everything below `/api`. Mount it after other routes there: the last one takes all that is left."""
    described = _encode(document.document(OPERATIONS))
    mounted = [
        web.route("*", _pattern(path), _Path(guard, {one.method: _handler(service, one) for one in there}).answer)
        for path, there in _by_path(OPERATIONS).items()
    ]

    async def describe(_: web.Request) -> web.StreamResponse:
        return _json(described)

    async def unknown(request: web.Request) -> web.StreamResponse:
        raise missing(f"there is no {request.path[:200]}; /api/openapi.json says what there is")

    return [
        *mounted,
        web.route("*", "/api/openapi.json", _Path(guard, {"GET": describe}).answer),
        web.route("*", r"/api/{tail:[\s\S]*}", _Path(guard, dict.fromkeys(_METHODS, unknown)).answer),
    ]


_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")


class _Path:
    """One path: who may, and which method is meant."""

    def __init__(self, guard: Guard, methods: Mapping[str, Handler]) -> None:
        self._guard = guard
        self._methods = methods
        self._allow = ", ".join(sorted({*methods, *({"HEAD"} if "GET" in methods else ())}))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request; whatever is wrong is a Problem."""
        refused = self._guard.refused(request)
        if refused:
            return _json(_encode(Problem(error=refused.text)), refused.status)
        handler = self._methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            text = f"{request.method[:20]} is not possible here: {self._allow}"
            return _json(_encode(Problem(error=text)), 405, {"Allow": self._allow})
        try:
            return await handler(request)
        except Refused as refusal:
            return _json(_encode(refusal.problem), refusal.status, refusal.headers)
        except StoreError as error:
            return _json(_encode(Problem(error=str(error))), 503, {"Retry-After": RETRY_AFTER})


def _handler(service: Service, operation: Operation) -> Handler:
    """The operation as aiohttp wants it: what blocks waits for its turn in a thread."""
    asynchronous = iscoroutinefunction(operation.handler)

    def blocking(asked: Asked) -> bytes:
        return _encode(operation.handler(service, asked))

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = await reading.read(request, operation, service.clock())
        if asynchronous:
            done = await operation.handler(service, asked)
            return _json(await service.turns.run(_encode, done), operation.status)
        return _json(await service.turns.run(blocking, asked), operation.status)

    return handle


def _by_path(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {}
    for operation in operations:
        found.setdefault(operation.path, []).append(operation)
    return dict(sorted(found.items()))  # a word comes before a variable: `{` is after all letters


def _pattern(path: str) -> str:
    """As aiohttp has it: the name of a file may hold a slash."""
    return "/api/v1" + path.replace("{file}", r"{file:[\s\S]+}")


def _json(body: bytes, status: int = 200, headers: Mapping[str, Any] | None = None) -> web.Response:
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")
