"""What is answered when something cannot be done: the standard's error, with a sentence."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tocsin.errors import TocsinError

if TYPE_CHECKING:
    from collections.abc import Mapping

RETRY_AFTER = "5"
"""Seconds that a client is asked to wait."""


class Code(StrEnum):
    """What kind of refusal it is; the list is closed, for programs to compare with."""

    BAD_JSON = "badJson"
    BAD_VALUE = "badValue"
    BAD_PARAMETER = "badParameter"
    UNKNOWN_ELEMENT = "unknownElement"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "notFound"
    NOT_ALLOWED = "methodNotAllowed"
    NOT_ACCEPTABLE = "notAcceptable"
    TIMEOUT = "timeout"
    DUPLICATE = "duplicate"
    BAD_STATE = "badState"
    TOO_LARGE = "tooLarge"
    MEDIA_TYPE = "unsupportedMediaType"
    NOT_SUPPORTED = "notSupported"
    BUSY = "unavailable"


class Refused(TocsinError):  # noqa: N818 - not a fault of ours: it is the answer
    """Answer `status` with this sentence."""

    def __init__(self, status: int, code: Code, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = dict(headers or {})

    def document(self, *, typed: bool) -> dict[str, Any]:
        """The error as the standard has it; with its `@type` where every object has one."""
        told = {
            "code": self.code.value,
            "reason": HTTPStatus(self.status).phrase,
            "message": self.text,
            "status": str(self.status),
        }
        return {"@type": "Error", **told} if typed else told


def wrong(text: str, code: Code = Code.BAD_VALUE) -> Refused:
    """The request makes no sense: 400."""
    return Refused(400, code, text)


def missing(text: str) -> Refused:
    """There is no such thing: 404."""
    return Refused(404, Code.NOT_FOUND, text)


def busy(text: str) -> Refused:
    """Not now: 503."""
    return Refused(503, Code.BUSY, text, {"Retry-After": RETRY_AFTER})
