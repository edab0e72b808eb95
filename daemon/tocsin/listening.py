"""The ears of the service, put together: who takes alerts in, who listens for silence, who asks.

What `app` would otherwise have to know of sources; each part is handed what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin import polling
from tocsin.hearing import Hearing
from tocsin.polling.asking import Asking
from tocsin.polling.platform import Platform
from tocsin.rules.routing import NO_ROUTES
from tocsin.silence import Silence
from tocsin.store.mint import mint
from tocsin.taking import Taking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AsyncExitStack
    from datetime import datetime

    from tocsin import intake
    from tocsin.metrics import Metrics
    from tocsin.polling.platform import Asked
    from tocsin.rules.routing import Routes
    from tocsin.store import Store
    from tocsin.taking import Source


class Ears:
    """All that listens to the sources, and their silence."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        store: Store,
        rulebook: Callable[[], intake.Rulebook],
        metrics: Metrics,
        clock: Callable[[], datetime],
        routes: Routes = NO_ROUTES,
    ) -> None:
        expected = {source.name: source.expect_every for source in sources if source.expect_every}
        self.hearing = Hearing(expected, clock())
        self.taking = Taking(store, rulebook, mint(), self.hearing, metrics, routes)
        self.silence = Silence(sources, self.hearing, self.taking, store, clock)
        self._store = store
        self._metrics = metrics
        self._clock = clock
        metrics.listen(self.hearing.last)

    def poller(self, source: Source, asked: Asked, stack: AsyncExitStack) -> polling.Poller:
        """Who asks a platform; its connections are closed with the stack."""
        platform = Platform(asked)
        stack.push_async_callback(platform.close)
        asking = Asking(
            source,
            asked,
            taking=self.taking,
            store=self._store,
            hearing=self.hearing,
            clock=self._clock,
            metrics=self._metrics,
        )
        return polling.kinds()[source.kind.name](platform, asking)
