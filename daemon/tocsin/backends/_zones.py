"""Times of systems that write them without saying in which zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

if TYPE_CHECKING:
    from datetime import datetime


def _known(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Europe/Paris or UTC") from None
    return name


Zone = Annotated[str, AfterValidator(_known)]
"""Name of a time zone, such as Europe/Paris."""


def local(when: datetime, zone: str) -> str:
    """A moment as databases write it, in a zone: `2026-11-22 11:04:00`; parts of a second are dropped."""
    return f"{when.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
