"""Questions that are asked before anything is written: whatever becomes of them, nothing was done."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tocsin.backends._progress import counting
from tocsin.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def question() -> Iterator[None]:
    """Within this block the system is only asked: an error that leaves it leaves no doubt about what was written.

    What is asked by POST counts as no step of the attempt either.
    """
    try:
        with counting():
            yield
    except DeliveryError as error:
        error.harmless, error.partly = True, False
        raise
