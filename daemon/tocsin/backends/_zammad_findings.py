"""What a check of a Zammad finds in its answers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level
from tocsin.backends._document import reach
from tocsin.backends._shape import at

if TYPE_CHECKING:
    from collections.abc import Iterable


def rights(user: Any, group: str) -> list[Finding]:
    """What a user may do in a group, where its own groups tell; roles may give more."""
    groups = reach(user, "groups")
    levels = groups.get(group) if isinstance(groups, dict) else None
    if not isinstance(levels, list):
        return []
    lacking = {"read", "create", "change"} - set(map(str, levels)) if "full" not in levels else set()
    if not lacking:
        return [Finding(level=Level.FINE, what="group", told=f"tocsin may work in {group!r}")]
    why = f"tocsin lacks the rights {', '.join(sorted(lacking))} in {group!r}, unless a role gives them; grant `full`"
    return [Finding(level=Level.WARNING, what="group", told=why)]


def customer(users: Iterable[Any], name: str) -> Finding:
    """Whether a user of this login or address is among those that a search found."""
    known = {at(one, key).casefold() for one in users for key in ("login", "email")}
    if name.casefold() in known:
        return Finding(level=Level.FINE, what="customer", told=f"customer {name!r} is there")
    why = f"no user has the login or address {name!r}, or is not to be seen: tickets would be refused"
    return Finding(level=Level.ERROR, what="customer", told=f"{why}; create the user")


def attribute(tickets: list[dict[str, Any]], field: str) -> Finding:
    """Whether tickets have an attribute: agents may not list attributes, but every ticket shows all of its own."""
    if not tickets:
        why = f"whether tickets have the attribute {field!r} shows with the first ticket that we may see"
        return Finding(level=Level.WARNING, what="reference_field", told=why)
    if field in tickets[0]:
        return Finding(level=Level.FINE, what="reference_field", told=f"tickets have the attribute {field!r}")
    why = f"tickets have no attribute {field!r}; add it in Admin, Objects, Ticket, and update the database"
    return Finding(level=Level.ERROR, what="reference_field", told=why)
