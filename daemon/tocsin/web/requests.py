"""A request to a hook, as its kind's parser gets it; and what authenticates, taken out of it.

What proves who sends must not be stored with the message: tokens in the address and in the body are left out.
"""

from __future__ import annotations

import re
from functools import lru_cache
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
    """The message. `said` is what the address says, without what proves who sends: `without_proof`."""
    return Payload(
        body=body,
        content_type=media_type(request),
        source=source,
        method=request.method,
        path=path,
        given=said,
        headers=_headers(request, kind),
    )


def media_type(request: web.Request) -> str:
    """Of its body, in lower case; JSON when the request does not say."""
    return request.content_type if "Content-Type" in request.headers else "application/json"


def without_proof(said: dict[str, str], scheme: auth.Scheme) -> dict[str, str]:
    """What the address says, without the token that it authenticates with, and whatever else is named like a secret."""
    proof = scheme.name if isinstance(scheme, auth.Parameter) else ""
    return (
        {name: clean(value) for name, value in said.items() if name != proof and not _is_secret(name)} if said else said
    )


def without_token(body: bytes, scheme: auth.Scheme) -> bytes:
    """The body, without the field that it authenticates with, however its value is written."""
    if not isinstance(scheme, auth.Field):
        return body
    return _field(scheme.name).sub(lambda found: (found[1] or found[3]) + HIDDEN + (found[2] or b""), body)


def clean(text: str) -> str:
    """A text as UTF-8 can write it: headers may hold any bytes."""
    return text if text.isascii() else text.encode(errors="replace").decode()


@lru_cache(maxsize=64)
def _field(name: str) -> re.Pattern[bytes]:
    """A field's text in JSON, or its value in a form; what stands before and after it is kept."""
    of = re.escape(name).encode()
    return re.compile(rb'("' + of + rb'"\s*:\s*")(?:[^"\\]|\\.)*(")|((?:^|(?<=&))' + of + rb"=)[^&]*", re.DOTALL)


def _headers(request: web.Request, kind: Kind) -> dict[str, str]:
    if not kind.headers:
        return {}
    return wanted(kind.headers, {name.lower(): clean(value) for name, value in request.headers.items()})


def _is_secret(name: str) -> bool:
    return name not in _NO_SECRET and _SECRET.fullmatch(name) is not None
