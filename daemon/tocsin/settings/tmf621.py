"""How the desk is offered to other programs, as TM Forum's Trouble Ticket API (TMF621).

Knows how it is set; what is served is the business of `web.tmf621`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from tocsin.model import Impact
from tocsin.settings.part import Part, Text

Base = Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+[^?#\s]*$")]
Word = Annotated[str, StringConstraints(pattern=r"^\S(.{0,62}\S)?$")]


def default_words() -> dict[Impact, str]:
    """Return the severity that each impact is called by when the settings say nothing."""
    return {
        Impact.NONE: "Minor",
        Impact.BACKUP: "Minor",
        Impact.DEGRADED: "Major",
        Impact.SEVERE: "Major",
        Impact.INTERRUPTED: "Critical",
    }


def over_default(given: Any) -> Any:
    """Return the default words with those that are given; what is no mapping is left for pydantic to refuse."""
    return {**default_words(), **given} if isinstance(given, Mapping) else given


class Tmf621(Part):
    """The desk for other programs, as TMF621 Trouble Ticket v4 and v5."""

    enabled: bool = False
    """Serve the desk's tickets under /tmf-api/troubleTicket/."""
    token_file: Path | None = None
    """File that holds the bearer token of its clients; without it they are served on loopback only."""
    client: Text = "tmf621"
    """Who declares and writes when a client names nobody."""
    contracts: tuple[Text, ...] = ()
    """Contracts whose elements clients may declare on, and whose tickets they see beside their own; without it all."""
    url: Base | None = None
    """Address of this service as its clients know it, which links then begin with; without it links begin with the path."""
    listeners: tuple[Text, ...] = ()
    """Hosts, as globs whose `*` is one label of a name, that may be told what happens to tickets; without it none."""
    listener_token_file: Path | None = None
    """File that holds a bearer token that listeners are shown; without it they are shown none."""
    severity: Annotated[dict[Impact, Word], BeforeValidator(over_default)] = Field(default_factory=default_words)
    """Severity by impact; a word that stands for several impacts means the highest of them."""
