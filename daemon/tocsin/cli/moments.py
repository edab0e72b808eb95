"""Points in time as the command line is given them: so long ago (`30d`), or a time.

Knows the words only; what lies between two moments is the business of who asks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from tocsin.units import duration

_FORMS = "30d, 12h, 2026-11-23 or 2026-11-23T08:00:00Z"


def moment(text: str, now: datetime) -> datetime:
    """Return the moment that a text such as `30d` (ago) or `2026-11-23` says.

    Raises:
        typer.BadParameter: it says none, or one that does not exist; with examples.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return _ago(text, now)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _ago(text: str, now: datetime) -> datetime:
    try:
        at: datetime = now - duration(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: write {_FORMS}") from None
    return at


Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help=f"From when on: so long ago, or a time ({_FORMS}).")
]
Until = Annotated[
    str,
    typer.Option(
        "--until", metavar="TIME", help="Up to when, in the same words; now unless given.", show_default=False
    ),
]
