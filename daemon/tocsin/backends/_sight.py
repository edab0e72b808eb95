"""Tickets that are there, and that we may not see: they were moved, and are not gone."""

from __future__ import annotations

from tocsin.errors import DeliveryError, Reason


def out_of_sight(name: str, number: str, todo: str) -> DeliveryError:
    """What it means that the backend `name` refuses to show this one ticket: nothing more can be told in it.

    Its delivery is a person's to decide on. It is never `None` of a `read`: for a ticket that is gone a new one is made.
    """
    why = f"ticket {number} of {name} was moved out of tocsin's sight; {todo}, move it back, or drop the delivery"
    return DeliveryError(Reason.NOT_FOUND, why, retry=False, harmless=True)
