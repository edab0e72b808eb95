"""What ServiceNow kept of what it was sent: in silence it drops what an access rule forbids to write. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends._minted import not_before
from tocsin.backends._servicenow_table import quoted, raw
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXTS = frozenset({"short_description", "description"})
"""Fields whose text the instance may trim: only that they are empty is told."""


def not_kept(sent: dict[str, str], row: dict[str, Any]) -> list[str]:
    """What a new ticket does not have as it was sent, in words."""
    lost = []
    for field, value in sent.items():
        stands = raw(row, field) if field in row else value
        if field == "correlation_id" or (field in _TEXTS and stands):
            continue
        if stands.casefold() != value.strip().casefold():
            lost.append(f"{field} ({stands!r} stands there)" if stands else field)
    if not lost:
        return []
    return [f"not kept as sent: {', '.join(lost)}; an access rule, a choice list or a rule of the instance is why"]


def by_text(reference: str) -> str:
    """The query for tickets that this account made, and that have the reference in their text alone."""
    since = not_before(reference)
    then = f"^sys_created_on>={since:%Y-%m-%d %H:%M:%S}" if since else ""
    mine = f"sys_created_by=javascript:gs.getUserName(){then}"
    return f"correlation_idISEMPTY^{mine}^descriptionLIKE{quoted(reference)}^ORDERBYsys_created_on"


def require_kept(name: str, rows: Iterable[dict[str, Any]], reference: str) -> None:
    """Among what `by_text` found none has lost the reference. Raises DeliveryError: a ticket of ours is not made again."""
    for row in rows:
        if reference in raw(row, "description") and not raw(row, "correlation_id"):
            why = f"{raw(row, 'number')} of {name} is ours by its text, and has lost {reference}"
            hint = "let tocsin's account write and read correlation_id, and put the reference into it there"
            raise DeliveryError(Reason.MISCONFIGURED, f"{why}; {hint}", retry=False, stops=True, harmless=True)
