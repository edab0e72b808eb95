"""From the settings to the desk as other programs use it: what is served, and who tells those that listen.

What is served is the business of `web.tmf621`, what listeners are told of that of `desk.hub`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from aiohttp import web
from msgspec import Struct

from tocsin.desk import Desk
from tocsin.desk.hub import Hub, Telling
from tocsin.intake import Rulebook
from tocsin.store import Store
from tocsin.web import auth
from tocsin.web.api.turns import Turns
from tocsin.web.guard import Guard
from tocsin.web.tmf621 import mounting
from tocsin.web.tmf621.service import Service
from tocsin.web.tmf621.telling import Teller
from tocsin.web.tmf621.terms import Terms

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine
    from contextlib import AsyncExitStack

    from tocsin.model import Element
    from tocsin.settings import Settings


class Offer(Struct, frozen=True):
    """What is offered; nothing, unless the settings say so."""

    routes: tuple[web.RouteDef, ...] = ()
    telling: Telling | None = None
    hub: Hub | None = None

    def gauges(self) -> dict[str, float]:
        """Who listens, and how far the last of them is behind."""
        hub = self.hub
        return {
            "tocsin_tmf621_listeners": len(hub.subscriptions) if hub else 0,
            "tocsin_tmf621_events_behind": hub.behind() if hub else 0,
        }

    def loops(self, stopping: asyncio.Event) -> list[Coroutine[None, None, None]]:
        """What runs beside the rest until `stopping`."""
        return [self.telling.run(stopping)] if self.telling else []


class There(Struct, frozen=True, kw_only=True):
    """The parts of the service that it stands on."""

    store: Store
    """Open."""
    desk: Desk
    rulebook: Callable[[], Rulebook]
    clock: Callable[[], datetime]
    told: Callable[[str], None] = lambda _: None
    """Hears how each telling of a listener ended."""

    def element(self, reference: str) -> Element | None:
        """The element of the live fleet with this reference."""
        found: Element | None = self.rulebook().fleet.get(reference)
        return found


async def offer(settings: Settings, there: There, read_secret: Callable[[str], bytes], stack: AsyncExitStack) -> Offer:
    """Offer the desk as the settings say; what is opened is closed with the stack.

    Raises:
        SettingsError: a token cannot be read, or is none that a header can hold.
        StoreError: who listens cannot be read.
    """
    said = settings.desk.tmf621
    if not said.enabled:
        return Offer()
    scheme = auth.Bearer(read_secret(str(said.token_file))) if said.token_file else auth.Open()
    hub = Hub(there.store, there.desk.journal, settings.state)
    await hub.open()
    service = Service(
        store=there.store,
        desk=there.desk,
        hub=hub,
        folder=settings.state,
        terms=Terms(**said.model_dump(include={"client", "contracts", "url", "listeners", "severity"})),
        element=there.element,
        clock=there.clock,
        turns=Turns(),
    )
    shown = read_secret(str(said.listener_token_file)) if said.listener_token_file else b""
    teller = Teller(service, shown)
    stack.push_async_callback(teller.close)
    guard = Guard(scheme, there.clock, setting="desk.tmf621.token_file", whose="client's")
    telling = Telling(hub, teller.tell, there.clock, told=there.told)
    return Offer(tuple(mounting.routes(service, guard)), telling, hub)
