"""What a platform is answered, and what it is answered before anything is read: handshakes.

Values only: `web` sends them. A platform that looks at nothing but the status needs none of this.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

JSON = "application/json"

_encode = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True, kw_only=True):
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    media_type: str = JSON
    headers: dict[str, str] = {}


class Visit(Struct, frozen=True, kw_only=True):
    """A handshake that wants an address visited, once, to say that we want the messages.

    It is visited only when its host is on the source's list (`HOSTS`, or `auth.certificate.hosts`), by https, and a
    redirect is not followed; then the platform is answered 200.
    """

    url: str


def json(value: Any, status: int = 200) -> Answer:
    """An answer that is JSON."""
    return Answer(status=status, body=_encode(value))
