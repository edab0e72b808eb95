"""The web room around a store: real requests to real hooks, with a clock and a list of trusted hosts of the test's own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tocsin import sources
from tocsin.app import utc_now
from tocsin.hearing import Hearing
from tocsin.metrics import Metrics
from tocsin.store.mint import mint
from tocsin.taking import Taking
from tocsin.web import auth, hooks
from tocsin.web import body as body_of
from tocsin.web.certificates import Certificates
from tocsin.web.visits import Visits

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from tocsin import intake
    from tocsin.store import Store


def source(kind: str, name: str = "", scheme: auth.Scheme | None = None, **facts: Any) -> hooks.Source:
    """A source of this kind, open unless said."""
    of = sources.kinds()[kind]
    options = of.options.model_validate(facts.pop("options", {}))
    usual = {"expire_after": of.expire_after, "heartbeats": of.heartbeats}
    return hooks.Source(name=name or kind, kind=of, options=options, scheme=scheme or auth.Open(), **(usual | facts))


@asynccontextmanager
async def at_the_door(
    store: Store,
    listened: Sequence[hooks.Source],
    rulebook: Callable[[], intake.Rulebook],
    clock: Callable[[], datetime] = utc_now,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[TestServer]:
    """A server that answers for these sources."""
    metrics, visits = Metrics("0", "3"), Visits(trust)
    expected = {one.name: one.expect_every for one in listened if one.expect_every}
    hearing = Hearing(expected, clock())
    door = hooks.Door(
        store=store,
        taking=Taking(store, rulebook, mint(), hearing, metrics),
        hearing=hearing,
        visits=visits,
        certificates=Certificates(visits, clock),
        limits=body_of.Limits(received=9999, inflated=9999),
        clock=clock,
        metrics=metrics,
    )
    application = web.Application()
    application.add_routes(hooks.routes(listened, door))
    try:
        async with TestServer(application) as server:
            yield server
    finally:
        await visits.close()
