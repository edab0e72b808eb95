"""What is answered when something cannot be done: one sentence, and where in the request it is wrong."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from tocsin.errors import TocsinError


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why there is no answer."""

    error: Annotated[str, Meta(description="What is wrong, where, and what to do about it.", min_length=1)]
    at: Annotated[
        str, Meta(description="The place in the body or the name of the parameter.", examples=["$.files"])
    ] = ""


class Refused(TocsinError):  # noqa: N818 - not a fault of ours: it is the answer
    """Answer `status` with this sentence; `at` is the place in the request that is wrong."""

    def __init__(self, status: int, text: str, at: str = "", *, retry_after: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.problem = Problem(error=text, at=at)
        self.headers = {"Retry-After": retry_after} if retry_after else {}


def missing(what: str) -> Refused:
    """There is no such thing: 404."""
    return Refused(404, what)


def invalid(text: str, at: str = "") -> Refused:
    """Readable, but it makes no sense: 422."""
    return Refused(422, text, at)
