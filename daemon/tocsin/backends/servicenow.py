"""ServiceNow incidents over the Table API.

STATUS: proven against a fake that misbehaves, modelled on the public documentation; not on the vendor's system.

Our reference stands in `correlation_id`, with `tocsin` in `correlation_display`; both are searched at once. The impact
is told as ServiceNow's impact and urgency, from which it computes the priority. Closing resolves the incident with a
resolution code, unless `close_as` says otherwise; the instance's own rules close it later.

The account needs the role `itil` (or `sn_incident_write` and `sn_incident_read`), and the right to read `sys_user`,
`sys_user_group`, `cmdb_ci`, `sys_choice` where options name what is in them. Notes are read from `sys_journal_field`,
or from the incident itself where that table is closed to the account. What an access rule forbids to write is dropped
by ServiceNow without a word: what a new ticket did not keep is told as a remark, and a state that did not change is an
error. Where that may be our reference, tickets of the account that only their text tells ours are looked for as well:
one of these stops the backend instead of being made again. A create that is not answered in time may go on for a
minute, which ServiceNow's quota rules allow it. Format: ServiceNow's product documentation, "Table API", "Import Set
API", "Attachment API", "Inbound REST API rate limiting", "Default quota rules".
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from msgspec.structs import replace

from tocsin.backends import _login, _texts
from tocsin.backends._api import Api, Body, File, as_json
from tocsin.backends._grades import graded, grades
from tocsin.backends._moments import moment
from tocsin.backends._named import heard_object, named, references
from tocsin.backends._servicenow_check import Check
from tocsin.backends._servicenow_kept import by_text, not_kept, require_kept
from tocsin.backends._servicenow_options import Options, impacts, statuses
from tocsin.backends._servicenow_table import SHOWN, SYS_ID, Rows, Tables, journal_text, judge, quoted, raw, shown
from tocsin.backends._shape import an_object, at, each, strange
from tocsin.backends._system import TicketSystem, Wanted, has_note
from tocsin.errors import DeliveryError, PayloadError, Reason
from tocsin.model import Payload, Record, Snapshot, TicketStatus
from tocsin.standing import ENDED

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.backends import Finding, Outside
    from tocsin.model import Element

__all__ = ["Backend", "Options", "heard"]

_DISPLAY = "tocsin"
_PAGE = 100
_MOST_PAGES = 1_000
_MOST_ALIASES = 20
_FIELDS = (
    "sys_id",
    "number",
    "correlation_id",
    "correlation_display",
    "state",
    "impact",
    "urgency",
    "priority",
    "assigned_to",
    "sys_updated_on",
    "sys_updated_by",
)
_CLOSING = frozenset({TicketStatus.REPAIRED, TicketStatus.CLOSED})
_HOLDING = frozenset({TicketStatus.WAITING, TicketStatus.FROZEN})
_CLOSED = {"en": "The service works again.", "fr": "Le service fonctionne à nouveau."}


class Backend(TicketSystem):
    """A ServiceNow instance as configured."""

    AGAIN: ClassVar[TicketStatus] = TicketStatus.IN_PROGRESS
    SETTLE: ClassVar[timedelta] = timedelta(minutes=2)
    """Sixty seconds is how long its quota rules let a create work, and before that it waits for its turn."""
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=160, text=4_000, note=4_000, plane=True)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses, self.impacts = statuses(options), impacts(options)
        self._options = options
        login = _login_of(name, options, outside)
        self._api = Api(options.url, outside, timeout=options.timeout, login=login, judge=judge)
        self._tables = Tables(self._api, name, outside.clock)

    async def create(self, body: Snapshot) -> Record:
        """POST the incident, or a row of the import set that becomes one."""
        written = self.written(body)
        impact, urgency = grades(self.impacts.word(body.impact) or "", 2)
        found, missed = await self._named(body.element)
        fields = {
            "correlation_id": body.reference,
            "correlation_display": _DISPLAY,
            "short_description": written.title,
            "description": written.text,
            "impact": impact,
            "urgency": urgency,
            "category": self._options.category,
            "contact_type": self._options.contact_type,
            **found,
            **{field: raw({field: value}, field) for field, value in self._options.fields.items()},
        }
        fields = {field: value for field, value in fields.items() if value}
        row = await (self._imported(fields) if self._options.import_set else self._posted(fields))
        if row is None:
            return Record(number="", reference=body.reference, remark="; ".join(missed))  # it is transformed later
        remark = "; ".join([*missed, *not_kept(fields, row)])
        return replace(self._record(row), remark=remark)

    async def search(self, reference: str) -> list[Record]:
        """GET by correlation_id, closed ones included; none counts only where no ticket lost it."""
        query = f"correlation_id={quoted(reference)}^ORDERBYsys_created_on"
        page = await self._rows(query)
        found = [self._record(row) for row in page.rows]
        if any(record.reference == reference for record in found):
            return found
        if len(found) >= _PAGE:
            why = f"{self.name} answers a search for {reference} with other tickets: it ignores correlation_id"
            hint = f"check that {self._options.table} has that field and that the account may read it"
            raise DeliveryError(Reason.MISCONFIGURED, f"{why}; {hint}", retry=False, stops=True)
        if page.total and page.total > len(found):
            why = (
                f"{self.name} has {page.total - len(found)} tickets for {reference} that it does not show this account"
            )
            raise DeliveryError(Reason.MISCONFIGURED, f"{why}; grant it to read what it made", retry=False)
        if not found:
            lost = await self._rows(by_text(reference), fields=(*_FIELDS, "description"))
            require_kept(self.name, lost.rows, reference)
        return found

    async def read(self, number: str) -> Record | None:
        """GET by number (or sys_id), then its journals."""
        row = await self._row(number)
        return None if row is None else self._record(row, notes=await self._tables.journal(row))

    async def change(self, record: Record, wanted: Wanted) -> None:
        """PATCH all of it at once; what comes back must be as asked."""
        fields: dict[str, str] = {self._options.notes: journal_text(wanted.note)} if wanted.note else {}
        if wanted.impact:
            fields["impact"], fields["urgency"] = grades(self.impacts.word(wanted.impact) or "", 2)
        if wanted.status:
            fields |= self._state(record, wanted)
        said = await self._api.ask(
            "PATCH", self._path(record.key), as_json(fields), query={"sysparm_fields": ",".join(_FIELDS), **SHOWN}
        )
        row = an_object(said, "result", self.name)
        if state := fields.get("state"):
            self._require(record, row, "state", state, "its state flow or a rule of the instance forbids it")
        elif wanted.note and record.status in ENDED:
            await self._require_note(record, wanted)
        if wanted.impact and self._record(row).impact == record.impact:
            self._require(record, row, "impact", fields["impact"], "an access rule forbids it")
            self._require(record, row, "urgency", fields["urgency"], "an access rule forbids it")

    async def attach(self, record: Record, file: File) -> None:
        """POST the file as it is."""
        query = {"table_name": self._options.table, "table_sys_id": record.key, "file_name": file.name}
        await self._api.answer("POST", "api/now/attachment/file", Body(file.media_type, file.content), query=query)

    async def changes(self, since: datetime) -> list[Record]:
        """What was updated since, from one time stamp to the next: rows that move to the end are met again there."""
        found: dict[str, Record] = {}
        seen: set[str] = set()
        low, offset = since.astimezone(UTC), 0
        for _ in range(_MOST_PAGES):
            ours = f"correlation_display={_DISPLAY}^correlation_idISNOTEMPTY"
            query = f"{ours}^sys_updated_on>={low:%Y-%m-%d %H:%M:%S}^ORDERBYsys_updated_on^ORDERBYsys_id"
            page = await self._rows(query, offset)
            records = [record for row in page.rows if (record := self._record(row)).reference]
            found.update({record.key: record for record in records})
            keys = {raw(row, "sys_id") for row in page.rows}
            fresh, seen = keys - seen, seen | keys
            # A page may be short, or empty, because its rows are not for this account to see.
            offset += len(page.rows) or _PAGE
            if offset >= (page.total or 0) and (page.total is not None or not fresh):
                return list(found.values())
            last = max((record.changed_at for record in records if record.changed_at), default=low)
            low, offset = (last, 0) if last > low else (low, offset)
        raise strange(self.name, f"more than {_MOST_PAGES} pages of tickets")

    async def check(self) -> list[Finding]:
        """Who we are, and whether table, users, groups and choices are there."""
        return await Check(self._tables, self._options, self.statuses.words).findings()

    # --- within -----------------------------------------------------------------------------------------------------

    async def _posted(self, fields: dict[str, str]) -> dict[str, Any]:
        query = {"sysparm_fields": ",".join(dict.fromkeys((*_FIELDS, *fields))), **SHOWN}
        said = await self._api.ask("POST", f"api/now/table/{self._options.table}", as_json(fields), query=query)
        return an_object(said, "result", self.name)

    async def _imported(self, fields: dict[str, str]) -> dict[str, Any] | None:
        """The ticket that the transform map made or found; None when it is not there yet."""
        row = {f"{self._options.import_prefix}{field}": value for field, value in fields.items()}
        path = f"api/now/import/{self._options.import_set}"
        said = an_object(await self._api.ask("POST", path, as_json(row)), "", self.name)
        results = each(said, "result")
        if not results and not at(said, "import_set"):
            raise strange(self.name, "neither an import set nor a result")
        ours = [one for one in results if at(one, "table") == self._options.table] or results
        for one in ours:
            if at(one, "status").lower() in ("error", "skipped"):
                raise self._not_transformed(one)
        made = next((at(one, "sys_id") for one in ours if at(one, "sys_id")), "")
        query = f"sys_id={quoted(made)}" if made else f"correlation_id={quoted(fields['correlation_id'])}"
        try:
            page = await self._rows(f"{query}^ORDERBYsys_created_on", fields=tuple(dict.fromkeys((*_FIELDS, *fields))))
        except DeliveryError:
            return None  # the row is taken; what cannot be read now is looked up later
        found = [row for row in page.rows if made or raw(row, "correlation_id") == fields["correlation_id"]]
        if ours and not found and not page.total and all(at(one, "status").lower() == "ignored" for one in ours):
            raise self._not_transformed(ours[0])
        return found[0] if found else None

    def _not_transformed(self, result: dict[str, Any]) -> DeliveryError:
        why = at(result, "error_message") or at(result, "status_message") or "its log says why"
        told = f"the transform map {at(result, 'transform_map')!r} of {self._options.import_set} made no ticket: {why}"
        return DeliveryError(Reason.REFUSED, f"{self.name}: {told}", retry=False)

    async def _named(self, element: Element) -> tuple[dict[str, str], list[str]]:
        """Caller, group and configuration item by their sys_ids, and what could not be found, in words."""
        options, found, missed = self._options, {}, []
        for field, table, columns, name in (
            ("caller_id", "sys_user", ("user_name", "email", "name"), options.caller),
            ("assignment_group", "sys_user_group", ("name",), options.assignment_group),
        ):
            if name:
                known = (name, "") if SYS_ID.fullmatch(name) else await self._tables.kept(table, columns, name)
                found[field], why = known
                missed += [f"{field} is left empty: {why}"] if why else []
        if options.cmdb_ci != "none":
            words = references(element)[:_MOST_ALIASES]
            found["cmdb_ci"], why = await self._tables.named(options.cmdb_ci_table, (options.cmdb_ci,), words)
            missed += [f"cmdb_ci is left empty: {why}"] if why else []
        return found, missed

    async def _rows(self, query: str, offset: int = 0, fields: tuple[str, ...] = _FIELDS) -> Rows:
        return await self._tables.rows(self._options.table, query, fields, limit=_PAGE, offset=offset)

    async def _row(self, number: str) -> dict[str, Any] | None:
        field = "sys_id" if SYS_ID.fullmatch(number) else "number"
        page = await self._rows(f"{field}={quoted(number)}", fields=(*_FIELDS, "work_notes", "comments"))
        return next((row for row in page.rows if raw(row, field).casefold() == number.casefold()), None)

    def _path(self, key: str) -> str:
        return f"api/now/table/{self._options.table}/{quote(key, safe='')}"

    def _state(self, record: Record, wanted: Wanted) -> dict[str, str]:
        """The state, and what ServiceNow wants to be told with it; what a person said when resolving stays."""
        assert wanted.status is not None  # noqa: S101 - for mypy
        fields = {"state": self.statuses.word(wanted.status) or ""}
        if wanted.status in _CLOSING and record.status not in _CLOSING:
            language = "fr" if (wanted.body.language or self._language) == "fr" else "en"
            told = self._options.close_notes or wanted.note.rpartition("\n")[0] or _CLOSED[language]
            fields |= {"close_notes": told}
            fields |= {"close_code": self._options.close_code} if self._options.close_code else {}
        elif wanted.status in _HOLDING:
            fields |= {"hold_reason": self._options.hold_reason}
        return fields

    def _require(self, record: Record, row: dict[str, Any], field: str, value: str, why: str) -> None:
        stands = raw(row, field)
        if stands and stands != value:
            told = f"{field} of {record.number} in {self.name} stayed {stands} instead of {value}"
            raise DeliveryError(Reason.REFUSED, f"{told}: {why}; allow it for tocsin's account", retry=False)

    async def _require_note(self, record: Record, wanted: Wanted) -> None:
        """A closed incident drops what is written into its journals."""
        try:
            stands = await self.read(record.number)
        except DeliveryError:
            return  # it was taken as far as is known
        if stands and stands.notes and not has_note(stands, wanted.mark):
            why = f"{record.number} of {self.name} is {record.state or record.status} and takes no notes any more"
            raise DeliveryError(Reason.REFUSED, f"{why}; reopen it, or drop the delivery", retry=False)

    def _record(self, row: dict[str, Any], notes: tuple[Any, ...] = ()) -> Record:
        sys_id = raw(row, "sys_id")
        number = raw(row, "number") or sys_id
        if not sys_id:
            raise strange(self.name, "a ticket without a sys_id")
        return Record(
            number=number,
            reference=raw(row, "correlation_id"),
            url=f"{self._options.url}/{self._options.table}.do?sys_id={sys_id}",
            status=self.statuses.ours(raw(row, "state")) or TicketStatus.IN_PROGRESS,
            state=shown(row, "state"),
            impact=self.impacts.ours(f"{raw(row, 'impact')}/{raw(row, 'urgency')}"),
            priority=graded(shown(row, "priority"), raw(row, "impact"), raw(row, "urgency")),
            assignee=shown(row, "assigned_to"),
            changed_at=moment(raw(row, "sys_updated_on")),
            actor=raw(row, "sys_updated_by"),
            notes=notes,
            key=sys_id,
        )


def heard(payload: Payload) -> list[str]:
    """The numbers and references that a message of a business rule or flow names, in whatever it wraps them.

    Raises:
        PayloadError: it is no JSON object, or names no ticket.
    """
    within = ("result", "record", "records", "incident", "current", "data", "payload", "body")
    found = list(dict.fromkeys(named(heard_object(payload), ("number", "correlation_id"), within)))
    if not found:
        raise PayloadError(
            "the message has neither number nor correlation_id; config/backends/servicenow.yaml shows how"
        )
    return found


def _login_of(name: str, options: Options, outside: Outside) -> _login.Login:
    if options.user:
        return _login.basic(options.user, _login.password(name, "password_file", options.password_file, outside))
    return _login.ClientCredentials(
        f"{options.url}/oauth_token.do",
        options.client_id,
        _login.secret(name, "client_secret_file", options.client_secret_file, outside),
        outside,
        scope=options.scope,
        allowed=options.timeout,
        in_body=True,
    )
