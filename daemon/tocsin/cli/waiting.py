"""Why a delivery is not sent yet, in a sentence: what the database says, and what the running service says of its backend."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tocsin.cli import asking, show
from tocsin.model import DeliveryState

if TYPE_CHECKING:
    from tocsin.cli.given import Given
    from tocsin.store.listing import DeliveryWhole


def why(of: Given, whole: DeliveryWhole) -> str:
    """The sentence; empty for a delivery that is over."""
    if whole.state == DeliveryState.DEAD:
        return "it is dead: resend, edit or drop it"
    if whole.state == DeliveryState.LEASED:
        return "it is being told now"
    if whole.state != DeliveryState.PENDING:
        return ""
    if whole.waits_for is not None:
        return f"delivery {whole.waits_for} of the same ticket goes first; that one is {whole.waits_for_state}"
    if whole.backend not in of.settings.backends:
        return f"backend {whole.backend} is not in the settings any more"
    return _of_backend(of, whole)


def _of_backend(of: Given, whole: DeliveryWhole) -> str:
    try:
        told = asking.looked_up(of, "backends")["backends"]
    except (asking.SilentError, asking.RefusedError) as error:
        return f"{_due(whole)}; how its backend fares is not known: {error}"
    found = next((backend for backend in told if backend["backend"] == whole.backend), None)
    return sentence(found, whole) if found else _due(whole)


def sentence(backend: dict[str, Any], whole: DeliveryWhole) -> str:
    """The sentence for a delivery whose turn it is, by how its backend fares as `GET /-/backends` tells it."""
    name, until = backend["backend"], show.moment(_moment(backend["until"]))
    if backend["state"] == "stopped":
        return (
            f"backend {name} is stopped, {backend['reason']}; correct that, then `tocsin backend resume {name}`; "
            f"one delivery tries at {until}"
        )
    if backend["state"] == "open":
        return f"backend {name} is left alone until {until}, {backend['reason']}"
    if backend["state"] == "half_open":
        return f"one delivery at a time finds out whether {name} is back; {_due(whole)}"
    return _due(whole)


def _due(whole: DeliveryWhole) -> str:
    if whole.attempts and whole.reason:
        return f"it is tried again at {show.moment(whole.due_at)}, {whole.reason}"
    return f"it is due at {show.moment(whole.due_at)}"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
