"""TMF621's hub: who is told of events. The standard registers and removes listeners, and lists none."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level, _tmf
from tocsin.backends._api import Api, as_json
from tocsin.backends._http import AnswerError
from tocsin.backends._shape import at
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

_HUB = "hub"
_NOT_OFFERED = frozenset({Reason.NOT_FOUND, Reason.REFUSED})


async def register(api: Api, form: _tmf.Form, callback: str) -> Finding:
    """Register our address, unless it is there; what became of it. Raises DeliveryError."""
    if not callback:
        return _finding(Level.ERROR, "no address is given: name ours, https://…/hooks/tickets/NAME")
    listeners = await _listeners(api)
    if callback in (listeners or ()):
        return _finding(Level.FINE, f"{callback} was registered already")
    try:
        said = await api.ask("POST", _HUB, as_json(form.listener(callback)))
    except AnswerError as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        return _finding(Level.FINE, f"{callback} was registered already")
    number = at(said, "id")
    kept = f"; it is listener {number} there" if number else ""
    return _finding(Level.FINE, f"{callback} is registered{kept}")


async def registered(api: Api, callback: str) -> list[Finding]:
    """Whether the hub knows our address, as far as it can be asked; nothing when there is none to know."""
    if not callback:
        return []
    listeners = await _listeners(api)
    if listeners is None:
        told = (
            "the hub does not list who is told of changes: whether we are is not known; subscribing again does no harm"
        )
        return [_finding(Level.WARNING, told)]
    if callback in listeners:
        return [_finding(Level.FINE, f"the hub tells {callback} of changes")]
    return [_finding(Level.WARNING, f"the hub does not know {callback}: subscribe, or changes are only asked for")]


async def _listeners(api: Api) -> set[str] | None:
    """The addresses that the hub tells; None when it cannot be asked, for the standard has no such question."""
    try:
        said: Any = await api.find(_HUB)
    except DeliveryError as error:
        if error.reason in _NOT_OFFERED:
            return None
        raise
    if not isinstance(said, (list, dict)):
        return None
    each: list[Mapping[str, Any]] = said if isinstance(said, list) else [said]
    return {at(one, "callback") for one in each}


def _finding(level: Level, told: str) -> Finding:
    return Finding(level=level, what="subscribe", told=told)
