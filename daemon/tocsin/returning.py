"""From the settings to what comes back from ticket systems: who follows them, their webhooks, who compares them.

Embedded ones have no part here: nothing is ever in doubt there. How one is spoken to is the business of `backends`.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from tocsin import backends, following
from tocsin.agreement import CAN
from tocsin.agreement import Kind as Difference
from tocsin.backends._can import Can
from tocsin.delivering import touch
from tocsin.errors import SettingsError
from tocsin.reconciling import Reconciler, Report, log
from tocsin.sourcing import scheme
from tocsin.web.ticket_hooks import TicketHook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from tocsin.agreement import Policy
    from tocsin.metrics import Metrics
    from tocsin.settings import Settings
    from tocsin.settings.tree import Reconcile
    from tocsin.store import Store
    from tocsin.web import auth, body


def followers(
    settings: Settings,
    there: Mapping[str, backends.Backend],
    store: Store,
    metrics: Metrics,
    clock: Callable[[], datetime],
) -> dict[str, following.Follower]:
    """Who follows each ticket system that can be asked, or has a webhook."""
    observer = _Observer(metrics)
    found = {name: _followed(settings, name, backend) for name, backend in there.items()}
    return {name: following.Follower(one, store, clock, observer) for name, one in found.items() if one is not None}


def _kind(settings: Settings, name: str) -> backends.Kind:
    return backends.kinds()[settings.backends[name].kind]


def _followed(settings: Settings, name: str, backend: backends.Backend) -> following.Followed | None:
    given, lacks = settings.backends[name], backend.lacks
    asks = Can.CHANGES not in lacks and given.poll > timedelta(0)
    if not asks and given.hook is None:
        return None
    return following.Followed(
        name=name,
        backend=backend,
        every=given.poll if asks else None,
        reads=Can.READ not in lacks,
        touch=touch(settings, name),
    )


def hooks(
    settings: Settings,
    followed: Mapping[str, following.Follower],
    read_secret: Callable[[str], bytes],
    limits: body.Limits,
    clock: Callable[[], datetime],
) -> Iterator[TicketHook]:
    """The webhooks that ticket systems may call. Raises SettingsError when one has none, or a secret cannot be read."""
    for name, follower in followed.items():
        proven = _proven(settings, name, read_secret)
        if proven is not None:
            kind = _kind(settings, name)
            yield TicketHook(kind=kind, scheme=proven, follower=follower, limits=limits, clock=clock)


def _proven(settings: Settings, name: str, read_secret: Callable[[str], bytes]) -> auth.Scheme | None:
    given, kind = settings.backends[name].hook, _kind(settings, name)
    if given is None:
        return None
    if kind.heard is None and kind.believed is None:
        why = kind.lacks.get(Can.HOOK, "it sends no webhooks that are understood")
        raise SettingsError(f"backends.{name}.hook: kind {kind.name} has none: {why}; remove `hook:`")
    return scheme(given, None, read_secret)


def reconcilers(
    settings: Settings, there: Mapping[str, backends.Backend], store: Store, clock: Callable[[], datetime]
) -> dict[str, Reconciler]:
    """Who compares each ticket system with the store, where tickets can be looked up and read."""
    how = settings.reconcile
    return {
        name: Reconciler(name, backend, store, policies(how), how.closed_since, clock, touch=touch(settings, name))
        for name, backend in there.items()
        if not {Can.LOOK_UP, Can.READ} & backend.lacks.keys()
    }


def policies(how: Reconcile) -> Mapping[Difference, Policy]:
    """What is done about each kind of difference; some are a person's in any case."""
    return {kind: getattr(how, kind.value) for kind in Difference if len(CAN[kind]) > 1}


def told(metrics: Metrics, clock: Callable[[], datetime]) -> Callable[[Report], None]:
    """What hears each report of a comparison: the log, and, when it came to its end, the metrics."""

    def hear(report: Report) -> None:
        log(report)
        if not report.problem:
            found = Counter(one.kind.value for one in report.differences if not one.mended)
            counts = {kind.value: found[kind.value] for kind in Difference}
            metrics.reconciled(report.backend, counts, clock().timestamp())

    return hear


class _Observer(following.Observer):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def followed(self, backend: str, result: str) -> None:
        self._metrics.followed(backend, result)

    def seen(self, backend: str, sight: str) -> None:
        self._metrics.seen(backend, sight)
