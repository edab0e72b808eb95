"""What tocsin's user may do in a project: Redmine tells everybody which permissions a role has."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tocsin.backends._document import reach
from tocsin.backends._shape import at, each, objects, required

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tocsin.backends._api import Api

NEEDED = {
    "view_issues": "View issues",
    "add_issues": "Add issues",
    "edit_issues": "Edit issues",
    "add_issue_notes": "Add notes",
}
PRIVATE = {"set_notes_private": "Set notes as private", "view_private_notes": "View private notes"}
"""Permission → what it is called in Administration, Roles and permissions."""
_KEPT = timedelta(hours=1)
_STILL = timedelta(minutes=1)
"""What lacks may be granted meanwhile: it is asked again, so often at most."""


class Rights:
    """The permissions of one user in one project, kept for a while."""

    def __init__(self, api: Api, project: Callable[[], Any], name: str, clock: Callable[[], datetime]) -> None:
        """Take how Redmine is asked, how the project is read, the backend's name, and the clock."""
        self._api = api
        self._project = project
        self._name = name
        self._clock = clock
        self._known: frozenset[str] | None = None
        self._asked_at: datetime | None = None

    async def lacking(self, needed: dict[str, str]) -> list[str] | None:
        """Which of these permissions are missing, by their names; None when it cannot be known. Raises DeliveryError."""
        age = self._clock() - self._asked_at if self._asked_at else _KEPT
        has_all = self._known is not None and self._known.issuperset(needed)
        if age >= (_KEPT if has_all else _STILL):
            self._known = await self._ask()
            self._asked_at = self._clock()
        if self._known is None:
            return None
        return [called for permission, called in needed.items() if permission not in self._known]

    async def _ask(self) -> frozenset[str] | None:
        said = await self._api.ask("GET", "users/current.json", query={"include": "memberships"})
        required(said, "user.id", self._name)
        if reach(said, "user.admin") is True:
            return frozenset({*NEEDED, *PRIVATE})
        project = required(await self._project(), "project.id", self._name)
        mine = [one for one in each(said, "user.memberships") if at(one, "project.id") == project]
        roles = {at(role, "id") for one in mine for role in objects(one, "roles", self._name)}
        told = [await self._api.ask("GET", f"roles/{role}.json") for role in sorted(roles)]
        return frozenset(one for role in told for one in _permissions(role)) if told else None


def _permissions(role: Any) -> list[str]:
    """Those of a role; who may edit their own issues may edit ours, for we made them."""
    listed = reach(role, "role.permissions")
    granted = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return [*granted, "edit_issues"] if "edit_own_issues" in granted else granted
