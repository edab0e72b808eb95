"""A request as a file tells it: what a platform posted, kept for reading it again, in tests and on the command line.

The head is what HTTP writes before a body: a request line (`PUT /v2/alerts/disk-db1/close?identifierType=alias HTTP/1.1`),
which may be left out where it says nothing, and a `Name: value` line for each header. Headers alone may be a JSON object. Knows
no platform and no network.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from tocsin.model import Payload
from tocsin.sources._routes import variables, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.sources import Kind, Route

_LINE = re.compile(r"([A-Z]+) (/\S*)(?: HTTP/[\d.]+)?", re.ASCII)
_HOOK = re.compile(r"^/hooks/[a-z0-9-]+", re.ASCII)

GUESSED = {".form": "application/x-www-form-urlencoded", ".xml": "application/xml", ".txt": "text/plain"}
"""Content type by the ending of a file; any other is JSON."""


def payload(kind: Kind, body: bytes, head: str = "", *, source: str = "", guessed: str = "application/json") -> Payload:
    """The message that a head and a body are, as the kind's parser gets it.

    Args:
        kind: whose message it is.
        body: the body.
        head: see the module; may be empty.
        source: name of the source.
        guessed: its media type, where the head has no `Content-Type`.

    Raises:
        ValueError: a line of the head is neither; or the kind answers no such path.
    """
    method, target, headers = read(head)
    path, given = _asked(kind.routes, method, target)
    content_type = headers.get("content-type", guessed).partition(";")[0].strip().lower()
    return Payload(
        body=body,
        content_type=content_type,
        source=source,
        method=method,
        path=path,
        given=given,
        headers=wanted(kind.headers, headers),
    )


def read(head: str) -> tuple[str, str, dict[str, str]]:
    """Method, target below the hook, and headers (names in lower case) of a head; `POST`, `/`, none where it says nothing.

    Raises:
        ValueError: a line of it is neither.
    """
    if head.lstrip().startswith("{"):
        return "POST", "/", _object(head)
    method, target, headers = "POST", "/", {}
    for number, line in enumerate(filter(str.strip, head.splitlines())):
        asked = _LINE.fullmatch(line.strip())
        name, colon, value = line.partition(":")
        if number == 0 and asked:
            method, target = asked[1], _HOOK.sub("", asked[2], count=1) or "/"
        elif colon and name.strip() and " " not in name.strip():
            headers[name.strip().lower()] = value.strip()
        else:
            raise ValueError(f"{line.strip()!r} is no header: write `Name: value`, or `POST /path` in the first line")
    return method, target, headers


def _object(head: str) -> dict[str, str]:
    """Headers as a JSON object: name → value."""
    try:
        told = json.loads(head)
    except ValueError as error:
        raise ValueError(f"the headers are neither lines nor a JSON object: {error}") from None
    return {str(name).lower(): str(value) for name, value in told.items()}


def _asked(routes: Iterable[Route], method: str, target: str) -> tuple[str, dict[str, str]]:
    """Which of the kind's paths it is, and what the address says."""
    split = urlsplit(target)
    query = dict(parse_qsl(split.query, keep_blank_values=True))
    path = split.path or "/"
    for route in routes:
        found = variables(route.path, path)
        if found is not None and route.method == method:
            return route.path if route.path != "/" else "", query | found
    if path.strip("/"):
        raise ValueError(
            f"the kind answers no {method} {path}; it answers {', '.join(map(' '.join, routes)) or 'none'}"
        )
    return "", query
