"""How a mapping came to its alerts, printed for people: a table of fields for each entry of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.cli import show
from tocsin.model import Alert, Unreadable

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENOUGH = 10
"""Entries that are told of for people; JSON has all."""
_LONG = 60
"""Characters of a value that are shown."""
_BAD = frozenset({"missing", "failed"})


def tell(traced: Sequence[Any]) -> None:
    """Print what became of the entries; `traced` is what `sources.mapped.trace` gives."""
    for number, one in enumerate(traced[:_ENOUGH]):
        if number:
            show.line()
        show.line(show.styled(f"entry {one.position}  ", "bold"), show.styled(_cut(one.entry), "dim"))
        if one.steps:
            show.table(("field", "expression", "found", "", "value"), map(_row, one.steps), "", indent=2)
        _outcome(one)
    if len(traced) > _ENOUGH:
        show.line(f"… and {len(traced) - _ENOUGH} more entries (all with --json)")
    if not traced:
        show.line("the message has no entries")


def _row(step: Any) -> tuple[show.Styled, ...]:
    how = show.styled(step.how, "bold red") if step.how in _BAD else step.how
    return (step.field, step.expression, _cut(step.found), how, _cut(step.value))


def _outcome(one: Any) -> None:
    outcome = one.outcome
    if isinstance(outcome, Alert):
        told = f"{outcome.status}: {outcome.check} on {outcome.resource}, {outcome.severity}"
        show.line(show.styled(f"  → {told}", "bold green"), show.styled(f"  fingerprint {outcome.fingerprint}", "dim"))
    elif isinstance(outcome, Unreadable):
        show.line(show.styled(f"  → no alert: {outcome.problem}", "bold red"))
    else:
        show.line(f"  → ignored: {one.ignored}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
