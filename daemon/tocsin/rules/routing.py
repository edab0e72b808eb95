"""Where tickets go when their rule does not say: by contract, element or site, then by the alert's source.

The routes are the settings'; here they are values. Pure: the first route that a decided element meets counts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from tocsin.rules import patterns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.model import Decision, Element, Policy

_MOST = 10_000
"""So many elements at most are remembered with their route."""


class Route(Struct, frozen=True, kw_only=True):
    """One route: all that it asks for must hold; a glob must fit the whole value, and an empty one asks for nothing."""

    contract: str = ""
    element: str = ""
    """Of the element's reference."""
    site: str = ""
    backend: str = ""
    """Name of the backend that gets the ticket; empty to leave that to the source."""
    inform: tuple[str, ...] = ()
    language: str = ""

    @property
    def asks(self) -> bool:
        """Whether it asks for anything: one that does not takes all."""
        return bool(self.contract or self.element or self.site)


class Routes:
    """Routes in their order, compiled. False when there are none."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._routes = [(route, _compiled(route)) for route in routes]
        self._met: dict[tuple[str, str, str], Route] = {}

    def __bool__(self) -> bool:
        return bool(self._routes)

    def of(self, element: Element) -> Route:
        """The first route that the element meets; one that says nothing when it meets none."""
        asked = (element.contract, element.reference, element.site)
        met = self._met.get(asked)
        if met is None:
            if len(self._met) >= _MOST:
                self._met.clear()
            met = self._met[asked] = next((route for route, tests in self._routes if _meets(tests, asked)), _NOWHERE)
        return met


_Tests = tuple[tuple[int, patterns.Regex], ...]
_NOWHERE = Route()

NO_ROUTES = Routes()
"""Rules and sources say it all."""


def _compiled(route: Route) -> _Tests:
    """Position of each value that is asked for, and the expression it must fit."""
    globs = enumerate((route.contract, route.element, route.site))
    return tuple((position, patterns.Regex(patterns.from_globs([glob]))) for position, glob in globs if glob)


def _meets(tests: _Tests, values: tuple[str, str, str]) -> bool:
    return all(regex.search(values[position]) for position, regex in tests)


@lru_cache(maxsize=16)
def compiled(routes: tuple[Route, ...]) -> Routes:
    """Return these routes compiled; the same object for the same routes."""
    return Routes(routes)


def routed(decision: Decision, routes: Routes, source_backend: str) -> Decision:
    """Return a decision with the backends and the language that its rule leaves open.

    The backend is the rule's, else the route's, else the source's (`source_backend`); empty stands for the default one.
    Whom to inform is the rule's to say, else the route's; the language is the route's.
    """
    policy = decision.policy
    if policy is None:
        return decision
    if routes and decision.element is not None:
        after = _follow(policy, routes.of(decision.element), source_backend)
    elif source_backend and not policy.backend:
        after = replace(policy, backend=source_backend)
    else:
        return decision
    return decision if after is policy else replace(decision, policy=after)


def _follow(policy: Policy, route: Route, source_backend: str) -> Policy:
    backend = policy.backend or route.backend or source_backend
    inform = (route.inform or None) if policy.inform is None else policy.inform
    language = route.language or policy.language
    if (backend, inform, language) == (policy.backend, policy.inform, policy.language):
        return policy
    return replace(policy, backend=backend, inform=inform, language=language)
