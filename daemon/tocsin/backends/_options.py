"""What the options of every kind have in common. Shape only; each kind adds its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from yarl import URL

from tocsin.model import Impact, TicketStatus
from tocsin.units import Duration

Languages = Literal["en", "fr", "both"]


def _address(address: str) -> str:
    """An http(s) address without user or password, and without the slash at its end."""
    try:
        url = URL(address)
    except ValueError:
        raise ValueError("must be an http:// or https:// address") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must be an http:// or https:// address")
    if url.user or url.password:
        raise ValueError("must not hold a user or password: name them in options of their own")
    return address.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]


class Common(BaseModel):
    """Options of every kind; unknown ones are refused, and no error repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    language: Languages = "en"
    """Language of what is written into tickets, where no routing says another; `both` writes French, then English."""
    timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(minutes=5))
    """Time for a whole answer."""


class Remote(Common):
    """Options of a kind that is spoken to over HTTP."""

    url: Address
    """Address of the system, without what its API adds to it."""
    settle: Duration | None = Field(default=None, ge=timedelta(0), le=timedelta(hours=1))
    """How long a ticket that may have been made is looked for before it is made again; as this kind may need unless given."""
    statuses: dict[TicketStatus, str] = {}
    """What the system calls each status, where it differs from the kind's usual words."""
    impacts: dict[Impact, str] = {}
    """What the system calls each impact, where it differs from the kind's usual words."""
