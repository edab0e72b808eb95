"""Look-ups whose condition a system may ignore without a word, and then answers with everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.model import Record


def carried(records: Iterable[Record], reference: str, problem: str) -> list[Record]:
    """The tickets that a look-up answered, which all carry the reference, apart from its case; oldest first.

    Args:
        records: what was answered.
        reference: what was asked for.
        problem: what is wrong, and what to correct, should another ticket be among them.

    Raises:
        DeliveryError: MISCONFIGURED, with that sentence: what was answered says nothing about our ticket.
    """
    found = sorted(records, key=lambda one: (len(one.key or one.number), one.key or one.number))
    if any(one.reference.casefold() != reference.casefold() for one in found):
        raise ignored(problem)
    return found


def ignored(problem: str) -> DeliveryError:
    """What it means that a condition was ignored: everything waits until the settings are corrected."""
    return DeliveryError(Reason.MISCONFIGURED, problem, retry=False, stops=True, harmless=True)
