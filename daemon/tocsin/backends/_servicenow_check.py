"""Whether what the options of a ServiceNow backend name is there, asked without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.backends import Finding, Level
from tocsin.backends._http import is_forbidden
from tocsin.backends._servicenow_table import raw, shown
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.backends._servicenow_options import Options
    from tocsin.backends._servicenow_table import Tables

_ASKABLE = (Reason.REFUSED, Reason.NOT_FOUND, Reason.UNAUTHORIZED, Reason.MISCONFIGURED)
"""Answers that are findings; anything else means that the check itself could not be made."""


class Check:
    """One check."""

    def __init__(self, tables: Tables, options: Options, states: Iterable[str]) -> None:
        """Take where to ask, what was said, and the states that are written."""
        self._tables = tables
        self._options = options
        self._states = states

    async def findings(self) -> list[Finding]:
        """All findings, those that stop everything first. Raises DeliveryError when the instance cannot be asked."""
        options = self._options
        found = [await self._user(), *await self._table()]
        for option, table, columns in (
            ("caller", "sys_user", ("user_name", "email", "name", "sys_id")),
            ("assignment_group", "sys_user_group", ("name", "sys_id")),
        ):
            if name := getattr(options, option):
                found.append(await self._named(option, table, columns, name))
        if options.cmdb_ci != "none":
            found.append(await self._readable("cmdb_ci", options.cmdb_ci_table, (options.cmdb_ci,)))
        if options.import_set:
            found.append(await self._readable("import_set", options.import_set, ("sys_id",)))
        for option, element, values in (
            ("statuses", "state", tuple(self._states)),
            ("close_code", "close_code", (options.close_code,)),
            ("category", "category", (options.category,)),
            ("contact_type", "contact_type", (options.contact_type,)),
            ("hold_reason", "hold_reason", (options.hold_reason,)),
        ):
            found += await self._choices(option, element, [value for value in values if value])
        return found

    async def _user(self) -> Finding:
        """The one question whose refusal stops the check: nothing else would be answered either."""
        what = "user" if self._options.user else "client_id"
        try:
            page = await self._tables.rows("sys_user", "sys_id=javascript:gs.getUserID()", ("user_name",), limit=1)
        except DeliveryError as error:
            if error.reason not in (Reason.REFUSED, Reason.NOT_FOUND) and not is_forbidden(error):
                raise
            page = None
        name = raw(page.rows[0], "user_name") if page and page.rows else ""
        told = f"works as {name!r}" if name else "the login is accepted; sys_user does not tell which account it is"
        return Finding(level=Level.FINE if name else Level.WARNING, what=what, told=told)

    async def _table(self) -> list[Finding]:
        """Whether the table has the fields that everything rests on; a field that may not be read is not answered."""
        table = self._options.table
        needed = ("number", "correlation_id", "correlation_display", "state", "impact", "urgency")
        try:
            page = await self._tables.rows(table, "ORDERBYDESCsys_created_on", ("sys_id", *needed), limit=1)
        except DeliveryError as error:
            if error.reason not in _ASKABLE:
                raise
            return [Finding(level=Level.ERROR, what="table", told=f"table {table} cannot be read: {error.detail}")]
        if not page.rows:
            told = f"table {table} is there; it shows this account no ticket, so its fields could not be looked at"
            return [Finding(level=Level.WARNING, what="table", told=told)]
        missing = [field for field in needed if field not in page.rows[0]]
        if missing:
            told = f"table {table} does not show {', '.join(missing)}: grant the account to read and write them"
            return [Finding(level=Level.ERROR, what="table", told=told)]
        return [Finding(level=Level.FINE, what="table", told=f"table {table} can be read")]

    async def _named(self, option: str, table: str, columns: tuple[str, ...], name: str) -> Finding:
        sys_id, why = await self._tables.named(table, columns, [name])
        told = f"{name!r} is there" if sys_id else f"{why}; tickets are made without it"
        return Finding(level=Level.FINE if sys_id else Level.ERROR, what=option, told=told)

    async def _readable(self, option: str, table: str, fields: tuple[str, ...]) -> Finding:
        try:
            await self._tables.rows(table, "", fields, limit=1)
        except DeliveryError as error:
            if error.reason not in _ASKABLE:
                raise
            return Finding(level=Level.ERROR, what=option, told=f"table {table} cannot be read: {error.detail}")
        return Finding(level=Level.FINE, what=option, told=f"table {table} can be read")

    async def _choices(self, option: str, element: str, values: list[str]) -> list[Finding]:
        """Whether the choice list of a field has these values; it may be inherited from `task`."""
        if not values:
            return []
        query = f"nameIN{self._options.table},task^element={element}^inactive=false"
        try:
            rows = (await self._tables.rows("sys_choice", query, ("value", "label", "name"), limit=500)).rows
        except DeliveryError as error:
            if error.reason not in _ASKABLE:
                raise
            rows = []
        own = [row for row in rows if raw(row, "name") == self._options.table] or rows
        there = {raw(row, "value"): shown(row, "label") for row in own}
        if not there:
            told = f"the choices of {element} cannot be read, so {', '.join(values)} could not be looked up"
            return [Finding(level=Level.WARNING, what=option, told=told)]
        missing = [value for value in values if value not in there]
        if not missing:
            return [Finding(level=Level.FINE, what=option, told=f"{element} has {', '.join(values)}")]
        choices = ", ".join(f"{value} ({label})" for value, label in there.items())
        return [
            Finding(level=Level.ERROR, what=option, told=f"{element} has no {', '.join(missing)}; it has {choices}")
        ]
