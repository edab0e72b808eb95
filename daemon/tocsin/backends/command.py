"""A local program, for the ticket system that nobody thought of.

STATUS: proven against a program that misbehaves.

The program is started for each call, without a shell: one JSON object on standard input, one JSON value on standard
output. `{"operation": "create", "ticket": {…}}` makes a ticket and answers `{"number": "…"}` with, if it likes, `url`
and `status`; a number that is `null` comes later. `search` (`reference`) answers a list of tickets, closed ones
included, `read` (`number`) a ticket or `null`, `change` (`number`, `reference`, `status`, `impact`, `note`; what is
null or empty stays) anything, `changes` (`since`, RFC 3339) a list, `check` a list of `{"level": "fine", "what": "…",
"told": "…"}`. A ticket is `{"number", "reference", "status", "state", "impact", "url", "assignee", "priority",
"changed_at", "notes": [{"id", "actor", "text", "at"}]}` in our words. `ticket` of a `create` has `reference`, `title`,
`text`, `impact`, `impact_label`, `element`, `declarant`, `source`, `opened_at`, `previous`.

It says how it went by its exit status (sysexits.h): 0 done, 65 refused, 69 or 75 try again, 77 or 78 the configuration
must be corrected; anything else, and an answer that is no JSON, leaves it open whether it was done, so it is asked
first. What it writes to standard error is repeated in the delivery's reason: no secrets there. It runs as the service
does, in `/`, with the environment variables that the options give and no others.
"""

from __future__ import annotations

import errno
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from pydantic import Field, StringConstraints, field_validator

from tocsin.backends import Finding, Level, _program, _texts
from tocsin.backends._can import Can
from tocsin.backends._document import IMPACT_LABELS, word
from tocsin.backends._moments import moment
from tocsin.backends._options import Common
from tocsin.backends._scale import Scale
from tocsin.backends._shape import at, each, required, strange
from tocsin.backends._system import TicketSystem, Wanted
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Impact, Record, RemoteNote, Snapshot, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tocsin.backends import Outside

_MEANINGS = {
    65: Reason.REFUSED,
    69: Reason.UNAVAILABLE,
    75: Reason.UNAVAILABLE,
    77: Reason.UNAUTHORIZED,
    78: Reason.MISCONFIGURED,
}
"""Exit statuses of sysexits.h: EX_DATAERR, EX_UNAVAILABLE, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG."""
_STOPPING = frozenset({Reason.UNAUTHORIZED, Reason.MISCONFIGURED})
_SCARCE = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EINTR, errno.EIO, errno.ESTALE}
)
"""Why a program cannot be started just now: the machine has nothing left, or the program is being replaced."""
_NUMBER = re.compile(r"[^\x00-\x1f\x7f]{0,200}")
_USUAL = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_EXCERPT = 300
_NO_NUL = r"^[^\x00]*$"
_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Options(Common):
    """What a command backend can be told; README.md in this folder says what each option means."""

    command: tuple[Annotated[str, StringConstraints(min_length=1, pattern=_NO_NUL)], ...] = Field(min_length=1)
    """The program, with an absolute path, and its arguments."""
    environment: dict[
        Annotated[str, StringConstraints(pattern=_NAME)], Annotated[str, StringConstraints(pattern=_NO_NUL)]
    ] = Field(default_factory=dict)
    """Environment variables it gets beside PATH and LANG: paths of its secrets, never a secret itself."""

    @field_validator("command")
    @classmethod
    def _starts_at_the_root(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not Path(value[0]).is_absolute():
            raise ValueError(
                "must begin with the absolute path of the program: nothing is looked up, no shell is asked"
            )
        return value


class Backend(TicketSystem):
    """A program as configured."""

    LACKS: ClassVar[Mapping[Can, str]] = {
        Can.HOOK: "a program is started by us; let it answer `changes`",
        Can.ATTACH: "the whole text is handed over, so that nothing is left to attach",
    }
    LIMITS: ClassVar[_texts.Limits] = _texts.Limits(title=1_000, text=10_000_000, note=10_000_000)

    def __init__(self, name: str, options: Options, outside: Outside) -> None:
        super().__init__(name, options, outside)
        self.statuses = Scale({status: status.value for status in TicketStatus}, otherwise=TicketStatus.IN_PROGRESS)
        self.impacts = Scale({impact: impact.value for impact in Impact})
        self._options = options

    async def create(self, body: Snapshot) -> Record:
        """`create`."""
        written = self.written(body)
        ticket = {
            "reference": body.reference,
            "title": written.title,
            "text": written.text,
            "impact": body.impact,
            "impact_label": IMPACT_LABELS[body.impact],
            "element": body.element,
            "declarant": body.declarant,
            "source": body.source,
            "opened_at": body.opened_at,
            "previous": body.previous,
        }
        said = await self._ask("create", ticket=ticket)
        if not isinstance(said, dict) or "number" not in said:
            raise strange(self.name, "no number for the ticket")
        return self._record({"reference": body.reference, "status": TicketStatus.DECLARED, **said})

    async def search(self, reference: str) -> list[Record]:
        """`search`."""
        return self._records(await self._ask("search", reference=reference))

    async def read(self, number: str) -> Record | None:
        """`read`."""
        said = await self._ask("read", number=number)
        if said is None:
            return None
        if not isinstance(said, dict):
            raise strange(self.name, "neither a ticket nor null")
        required(said, "number", self.name)
        return self._record(said)

    async def change(self, record: Record, wanted: Wanted) -> None:
        """`change`."""
        await self._ask(
            "change",
            number=record.number,
            reference=wanted.body.reference,
            status=wanted.status,
            impact=wanted.impact,
            note=wanted.note,
        )

    async def changes(self, since: datetime) -> list[Record]:
        """`changes`."""
        return self._records(await self._ask("changes", since=since))

    async def check(self) -> list[Finding]:
        """`check`; a program that cannot be started, or does not know it, says so by its exit status."""
        said = await self._ask("check")
        levels = {level.value: level for level in Level}
        found = [
            Finding(level=levels.get(at(one, "level"), Level.WARNING), what=at(one, "what"), told=at(one, "told"))
            for one in each({"findings": said}, "findings")
        ]
        return [Finding(level=Level.FINE, what="command", told="it starts, and answers JSON"), *found]

    def _records(self, said: Any) -> list[Record]:
        if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
            raise strange(self.name, "not a list of tickets")
        for one in said:
            required(one, "number", self.name)
        return [self._record(one) for one in said]

    def _record(self, said: Mapping[str, Any]) -> Record:
        state, number = at(said, "status"), at(said, "number")
        if not _NUMBER.fullmatch(number):
            raise strange(self.name, "a number that is longer than 200 characters, or no line")
        return Record(
            number=number,
            reference=at(said, "reference"),
            url=at(said, "url") if at(said, "url").startswith(("http://", "https://")) else "",
            status=self.statuses.ours(state) or TicketStatus.IN_PROGRESS,
            state=at(said, "state") or state,
            impact=self.impacts.ours(at(said, "impact")),
            priority=at(said, "priority"),
            assignee=at(said, "assignee"),
            changed_at=moment(said.get("changed_at")),
            notes=tuple(
                RemoteNote(id=at(one, "id"), actor=at(one, "actor"), text=at(one, "text"), at=moment(one.get("at")))
                for one in each(said, "notes")
            ),
        )

    async def _ask(self, operation: str, **words: Any) -> Any:
        """Start the program for one operation. Raises DeliveryError for what its exit status and answer mean."""
        said = msgspec.json.encode({"operation": operation, "now": self._outside.clock().astimezone(UTC), **words})
        where = f"{self.name}: {self._options.command[0]} {operation}"
        try:
            ran = await _program.run(
                self._options.command, said, self._timeout, {**_USUAL, **self._options.environment}
            )
        except OSError as error:
            raise _not_started(error, where) from None
        if ran.late:
            seconds = f"{self._timeout.total_seconds():g} s"
            why = f"{where}: no answer within {seconds}; raise `timeout` if it is just slow"
            raise DeliveryError(Reason.NO_ANSWER, why, retry=True)
        if ran.status:
            raise _failure(ran, where)
        return self._answer(ran, where, needed=operation != "change")

    def _answer(self, ran: _program.Ran, where: str, *, needed: bool) -> Any:
        if not needed:
            return None
        if ran.cut:
            raise DeliveryError(Reason.UNREADABLE, f"{where}: its answer is too long", retry=True)
        try:
            return msgspec.json.decode(ran.output)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        raise DeliveryError(Reason.UNREADABLE, f"{where}: its answer is not JSON", retry=True)


def _not_started(error: OSError, where: str) -> DeliveryError:
    """What it means that a program did not start: nothing was done."""
    if error.errno in _SCARCE:
        why = f"{where}: cannot be started just now ({error.strerror})"
        return DeliveryError(Reason.UNREACHABLE, why, retry=True, harmless=True)
    why = f"{where}: cannot be started ({error.strerror}); correct `command`"
    return DeliveryError(Reason.MISCONFIGURED, why, retry=False, stops=True, harmless=True)


def _failure(ran: _program.Ran, where: str) -> DeliveryError:
    """What an exit status means."""
    how = f"ended with {ran.status}" if ran.status > 0 else f"was ended by signal {-ran.status}"
    said = word(" ".join("".join(char if char.isprintable() else " " for char in ran.errors).split()))[:_EXCERPT]
    reason = _MEANINGS.get(ran.status)
    why = f"{where}: {how}{f': {said}' if said else ''}"
    if reason is None:
        return DeliveryError(Reason.NO_ANSWER, why, retry=True)
    stops = reason in _STOPPING
    return DeliveryError(reason, why, retry=reason == Reason.UNAVAILABLE, stops=stops)
