"""What the settings say of one route: which elements it takes, and where their tickets go.

Shape only, like all of the tree; what a route does is the business of `rules.routing`.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from tocsin.settings.part import Part, Text

_ASKS = ("contract", "element", "site")
_SAYS = ("backend", "inform", "language")


class Route(Part):
    """Where the tickets of some elements go; the first route that an element meets counts."""

    contract: Text | None = None
    """The element's contract, as a glob such as `OCB00*`."""
    element: Text | None = None
    """The element's reference, as a glob."""
    site: Text | None = None
    """The element's site, as a glob."""
    backend: Text | None = None
    """Name of the backend that gets the ticket, where the rule names none."""
    inform: tuple[Text, ...] = ()
    """Names of backends that are informed, where the rule does not say whom."""
    language: Literal["en", "fr"] | None = None
    """Language that the ticket is written in, for backends that take one."""

    @property
    def asks(self) -> bool:
        """Whether it asks for anything: one that does not takes all elements."""
        return any(getattr(self, name) for name in _ASKS)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, name) for name in _SAYS):
            raise ValueError(f"it says nothing: add {', '.join(_SAYS[:-1])} or {_SAYS[-1]}")
        return self

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for number, name in enumerate(self.inform):
            if name in self.inform[:number]:
                raise ValueError(f'inform has "{name}" twice: name it once')
            if name == self.backend:
                raise ValueError(f'"{name}" gets the ticket itself: leave it out of inform')
        return self
