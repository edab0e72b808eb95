"""Reads a request into the types that its operation names, within limits.

What cannot be read is `Refused`: 400 not JSON, 413 too large, 415 not the type or encoding we read, 422 readable but not
valid, with the place.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from tocsin.web import body
from tocsin.web.api.operation import BODY_LIMIT, Asked
from tocsin.web.api.problem import Refused, invalid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from aiohttp import web
    from msgspec import Struct

    from tocsin.web.api.operation import Operation

_LIMITS = body.Limits(received=BODY_LIMIT, inflated=BODY_LIMIT)
_PLACE = re.compile(r" - at `(?P<at>[^`]*)`\Z")
_NUMBER = re.compile(r"-?[0-9]{1,18}\Z")
_TRUTH = {"true": True, "false": False}


async def read(request: web.Request, operation: Operation, now: datetime) -> Asked:
    """The whole request. Raises Refused."""
    return Asked(
        path=_parameters(request.match_info.items(), operation.path_type),
        query=_parameters(request.query.items(), operation.query),
        body=await _body(request, operation.body) if operation.body else None,
        now=now,
    )


@cache
def _fields(kind: type[Struct]) -> dict[str, inspect.Type]:
    info = inspect.type_info(kind)
    return {field.encode_name: field.type for field in info.fields} if isinstance(info, inspect.StructType) else {}


def _parameters(given: Iterable[tuple[str, str]], kind: type[Struct] | None) -> Struct | None:
    known = _fields(kind) if kind else {}
    found: dict[str, Any] = {}
    for name, text in given:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there is none here"
            raise invalid(f"{name[:80]!r} is no parameter: {there}", name[:80])
        if name in found:
            raise invalid(f"the parameter {name} is given twice", name)
        found[name] = _typed(text, known[name])
    try:
        return msgspec.convert(found, kind) if kind else None
    except msgspec.ValidationError as error:
        sentence, place = _said(error)
        raise invalid(sentence, place.removeprefix("$.")) from None


def _typed(text: str, kind: inspect.Type) -> Any:
    """A parameter's text as JSON would have it; left as it is when it is not of that kind, so that it is refused."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.IntType) and _NUMBER.match(text):
        return int(text)
    return _TRUTH.get(text, text) if isinstance(kind, inspect.BoolType) else text


async def _body(request: web.Request, kind: Any) -> Any:
    if "Content-Type" in request.headers and request.content_type != "application/json":
        raise Refused(415, f"content type {request.content_type[:100]}: send application/json")
    try:
        received = (await body.read(request, _LIMITS)).inflated
    except body.Refused as refused:
        raise Refused(refused.status, refused.text.removesuffix(": send smaller batches")) from None
    if not received.strip():
        raise Refused(400, "there is no body: send JSON")
    try:
        return _decoder(kind).decode(received)
    except msgspec.ValidationError as error:
        raise invalid(*_said(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _said(error: msgspec.ValidationError) -> tuple[str, str]:
    """The sentence and the place."""
    text = str(error)
    place = _PLACE.search(text)
    return (text[: place.start()], place["at"]) if place else (text, "$")
