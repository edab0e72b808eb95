"""A request to a hook, as its kind's parser gets it; and what authenticates, taken out of it.

What proves who sends must not be stored with the message: tokens in the address and in the body are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tocsin.model import Payload
from tocsin.sources import wanted
from tocsin.web import auth

if TYPE_CHECKING:
    from aiohttp import web

    from tocsin.sources import Kind

HIDDEN = b"(secret)"
"""What stands in the place of a token in a stored body."""

_SECRET = re.compile(r"(?:.*[_-])?(?:token|secret|password|signature|sig|code|api_?key|key)", re.IGNORECASE)
_NO_SECRET = frozenset({"routing_key"})
"""VictorOps' routing key names a team."""


def given(request: web.Request) -> dict[str, str]:
    """What the address says: the query, and the path's variables, which count before it."""
    if not request.query_string and not request.match_info:
        return {}
    return {**request.query, **request.match_info}


def payload(request: web.Request, kind: Kind, path: str, *, source: str, said: dict[str, str], body: bytes) -> Payload:
    """The message."""
    return Payload(
        body=body,
        content_type=media_type(request),
        source=source,
        method=request.method,
        path=path,
        given={name: value for name, value in said.items() if not _is_secret(name)} if said else said,
        headers=_headers(request, kind),
    )


def media_type(request: web.Request) -> str:
    """Of its body, in lower case; JSON when the request does not say."""
    return request.content_type if "Content-Type" in request.headers else "application/json"


def without_token(body: bytes, scheme: auth.Scheme) -> bytes:
    """The body, without the token that it authenticates with."""
    return body.replace(scheme.token, HIDDEN) if isinstance(scheme, auth.Field) else body


def _headers(request: web.Request, kind: Kind) -> dict[str, str]:
    if not kind.headers:
        return {}
    return wanted(kind.headers, {name.lower(): value for name, value in request.headers.items()})


def _is_secret(name: str) -> bool:
    return name not in _NO_SECRET and _SECRET.fullmatch(name) is not None
