"""How far an attempt has come: whether an error finds something done already.

A change may take several requests. When a later one fails, its error alone does not tell that earlier ones were answered
with success; `counting` makes it tell, wherever in a kind's code the requests are made.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tocsin.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_steps: ContextVar[list[str] | None] = ContextVar("steps", default=None)
"""Of the attempt that this task is making."""


@contextmanager
def counting() -> Iterator[None]:
    """Mark a DeliveryError that leaves this block as `partly` done when a `step` was done before it."""
    steps: list[str] = []
    before = _steps.set(steps)
    try:
        yield
    except DeliveryError as error:
        error.partly = error.partly or bool(steps)
        raise
    finally:
        _steps.reset(before)


def step(what: str) -> None:
    """Something that changes the system, or may, was answered with success; nothing outside of `counting`."""
    steps = _steps.get()
    if steps is not None:
        steps.append(what)
