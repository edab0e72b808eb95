"""From the settings to where tickets go: routes and the backends of sources, for the service and for the workbench alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.rules.routing import Route
from tocsin.workbench.ticketing import Ticketing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.settings import Settings


def ticketing(settings: Settings) -> Ticketing:
    """Return what the settings say of where tickets go, and how urgent they are."""
    return Ticketing(
        default_backend=settings.default_backend,
        priorities=settings.desk.priority,
        sources={name: source.backend for name, source in settings.sources.items() if source.backend},
        routes=tuple(
            Route(
                contract=route.contract or "",
                element=route.element or "",
                site=route.site or "",
                backend=route.backend or "",
                inform=route.inform,
                language=route.language or "",
            )
            for route in settings.routing
        ),
    )


def unreached(settings: Settings) -> Iterator[tuple[int, int]]:
    """Yield each route that no element ever meets, with the earlier one that takes all elements; both by number, from 0."""
    all_taken = next((number for number, route in enumerate(settings.routing) if not route.asks), None)
    if all_taken is not None:
        yield from ((number, all_taken) for number in range(all_taken + 1, len(settings.routing)))
