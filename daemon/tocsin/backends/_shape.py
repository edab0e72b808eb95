"""JSON answers by their shape: what must be there, and what may.

A look-up that is answered with something else than a list of tickets says nothing about whether there is one, and must
never be taken for "none": `objects` and `an_object` raise UNREADABLE then. Everything else is total.
"""

from __future__ import annotations

from typing import Any

from tocsin.backends._document import reach, word
from tocsin.errors import DeliveryError, Reason


def objects(said: Any, path: str, name: str) -> list[dict[str, Any]]:
    """The list of objects at a dotted path of an answer of the backend `name`. Raises DeliveryError UNREADABLE."""
    found = reach(said, path)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise strange(name, f"no list of objects at {path!r}" if path else "not a list of objects")
    return found


def an_object(said: Any, path: str, name: str) -> dict[str, Any]:
    """The object at a dotted path of an answer of the backend `name`. Raises DeliveryError UNREADABLE."""
    found = reach(said, path)
    if not isinstance(found, dict):
        raise strange(name, f"no object at {path!r}" if path else "not an object")
    return found


def required(said: Any, path: str, name: str) -> str:
    """The text or whole number at a dotted path, as text. Raises DeliveryError UNREADABLE when there is none."""
    found = word(reach(said, path))
    if not found:
        raise strange(name, f"nothing at {path!r}")
    return found


def strange(name: str, problem: str) -> DeliveryError:
    """A success that is not what the system's API answers: it may have been done, so it is asked first."""
    why = f"{name} answered JSON that is not its API's ({problem}); check that the options name the API's address"
    return DeliveryError(Reason.UNREADABLE, why, retry=True)


def each(said: Any, path: str) -> list[dict[str, Any]]:
    """The objects of the list at a dotted path, none when there is no list. Total."""
    found = reach(said, path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def at(said: Any, path: str) -> str:
    """The text or whole number at a dotted path, as text; empty when there is none. Total."""
    return word(reach(said, path))
