"""From the settings to the outbox: the ticket systems that are told over the network, how they are told, how they fare."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiolimiter import AsyncLimiter

from tocsin import backends, outbox
from tocsin.backends._can import Can
from tocsin.backends._paced import Paced
from tocsin.breaker import Limits, State
from tocsin.errors import DeliveryError
from tocsin.metrics import Faring
from tocsin.seeing import Touch
from tocsin.store.deliveries import Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tocsin.metrics import Metrics
    from tocsin.model import Delivery, Receipt
    from tocsin.settings import Settings
    from tocsin.settings.tree import Delivery as Told
    from tocsin.store import Store


_log = structlog.get_logger("delivering")


def embedded(settings: Settings) -> frozenset[str]:
    """The names of the backends that take part in the store's transactions."""
    kinds = backends.kinds()
    return frozenset(
        name for name, backend in settings.backends.items() if backend.kind in kinds and kinds[backend.kind].embedded
    )


def systems(settings: Settings, outside: backends.Outside) -> dict[str, backends.Backend]:
    """The ticket systems that are told over the network, by name. Raises SettingsError for options that are wrong."""
    inside = embedded(settings)
    return {
        name: backends.build(backend.kind, name, backend.options, outside)
        for name, backend in settings.backends.items()
        if name not in inside
    }


def final(there: Mapping[str, backends.Backend]) -> frozenset[str]:
    """The names of those in which a ticket that is closed cannot be opened again."""
    return frozenset(name for name, backend in there.items() if Can.REOPEN in backend.lacks)


async def look_over(there: Mapping[str, backends.Backend]) -> None:
    """Ask each system, once and without changing anything, whether what its options name will do; what will not is said."""
    for name, backend in there.items():
        if Can.CHECK in backend.lacks:
            continue
        try:
            findings = await backends.answered(backend.check(), name)
        except DeliveryError as error:
            _log.warning("the ticket system could not be checked", backend=name, problem=error.detail)
            continue
        for finding in findings:
            if finding.level != backends.Level.FINE:
                _log.warning("a check found", backend=name, level=finding.level, what=finding.what, told=finding.told)


def outgoing(
    settings: Settings,
    there: Mapping[str, backends.Backend],
    store: Store,
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> outbox.Outbox:
    """What tells these systems; `metrics` hear of it, and are told how each fares."""
    routes = {name: _route(settings, name, backend, clock) for name, backend in there.items()}
    given = settings.delivery
    out = outbox.Outbox(store, routes, _retries(given), clock, _Observer(metrics), limits=_limits(given))
    metrics.tell(lambda: _faring(out, clock()), tuple(State))
    return out


def _route(settings: Settings, name: str, backend: backends.Backend, clock: Callable[[], datetime]) -> outbox.Route:
    given = settings.backends[name]
    limiter = _limiter(given.rate) if given.rate else None
    deliver = partial(_deliver, backend, clock)
    return outbox.Route(deliver=deliver, concurrency=given.concurrency, limiter=limiter, touch=touch(settings, name))


def touch(settings: Settings, name: str) -> frozenset[Touch]:
    """What counts as a person's hand on the tickets of this backend."""
    return frozenset(Touch(word) for word in settings.backends[name].touch)


def _limiter(rate: float) -> AsyncLimiter:
    """So many a second, or one in so many seconds."""
    return AsyncLimiter(max(1.0, rate), max(1.0, rate) / rate)


def paced(settings: Settings, there: Mapping[str, backends.Backend]) -> dict[str, backends.Backend]:
    """The same systems for who asks them again and again: no faster than `rate`, and never in the way of a delivery."""
    rates = {name: settings.backends[name].rate for name in there}
    return {name: Paced(backend, _limiter(rates[name])) if rates[name] else backend for name, backend in there.items()}


async def _deliver(backend: backends.Backend, clock: Callable[[], datetime], delivery: Delivery) -> Receipt:
    return await backends.hand_over(backend, delivery, clock())


def _retries(given: Told) -> Retries:
    return Retries(
        first=given.first_retry,
        longest=given.longest_retry,
        give_up_after=given.give_up_after,
        lease=given.lease,
        doubt=given.doubt,
    )


def _limits(given: Told) -> Limits:
    return Limits(failures=given.breaker.failures, first=given.first_retry, longest=given.longest_retry)


def _faring(out: outbox.Outbox, now: datetime) -> dict[str, Faring]:
    return {
        one.backend: Faring(one.state, one.unsent, one.dead, (now - (one.oldest_at or now)).total_seconds())
        for one in out.standings()
    }


class _Observer(outbox.Observer):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def delivered(self, backend: str, action: str, outcome: str, seconds: float) -> None:
        self._metrics.delivered(backend, action, outcome, seconds)

    def ticketed(self, seconds: float) -> None:
        self._metrics.ticketed(seconds)
