"""What a ServiceNow backend can be told, and the words it has for statuses and impacts. Shape only."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from tocsin.backends._grades import checked
from tocsin.backends._options import Remote
from tocsin.backends._scale import Scale
from tocsin.model import Impact, TicketStatus

_TABLE = r"^[a-z][a-z0-9_]*$"
_RESERVED = frozenset(
    {"correlation_id", "correlation_display", "short_description", "description", "impact", "urgency"}
)
_STATES = {
    TicketStatus.DECLARED: "1",
    TicketStatus.IN_PROGRESS: "2",
    TicketStatus.WAITING: "3",
    TicketStatus.FROZEN: "3",
    TicketStatus.REPAIRED: "6",
    TicketStatus.CLOSED: "7",
    TicketStatus.CANCELLED: "8",
}
_IMPACTS = {
    Impact.INTERRUPTED: "1/1",
    Impact.SEVERE: "1/2",
    Impact.DEGRADED: "2/2",
    Impact.BACKUP: "2/3",
    Impact.NONE: "3/3",
}
_ALSO = {"2/1": Impact.SEVERE, "1/3": Impact.DEGRADED, "3/1": Impact.DEGRADED, "3/2": Impact.BACKUP}
_CREDENTIALS = "give `user` and `password_file`, or `client_id` and `client_secret_file`"


class Options(Remote):
    """What a ServiceNow backend can be told; README.md in this folder says what each option means."""

    user: str = ""
    """Name of the account that tocsin works as, for basic authentication."""
    password_file: str = ""
    """File with that account's password."""
    client_id: str = ""
    """Id of an OAuth client of the instance with the client credentials grant, instead of `user`."""
    client_secret_file: str = ""
    """File with the secret of the OAuth client."""
    scope: str = ""
    """What the token is asked for, such as `useraccount`; nothing in particular unless given."""
    table: str = Field(default="incident", pattern=_TABLE)
    """Name of the table that the tickets are in; it must extend `task`, as `incident` does."""
    import_set: str = Field(default="", pattern=r"^([a-z][a-z0-9_]*)?$")
    """Name of a staging table: tickets are then made by its transform map, which must coalesce on `correlation_id` and
    so never makes two; everything later goes to `table`. The Table API makes the tickets unless given."""
    import_prefix: str = ""
    """What the names of the staging table's columns begin with, such as `u_`; nothing unless given."""
    caller: str = ""
    """User who the ticket is for: user name, e-mail address, name or sys_id; none unless given."""
    assignment_group: str = ""
    """Name or sys_id of the group that gets the ticket; the instance's assignment rules decide unless given."""
    category: str = ""
    """Value (not the label) of the ticket's category; the instance's default unless given."""
    contact_type: str = ""
    """Value of the ticket's channel, such as `event` or `monitoring`; the instance's default unless given."""
    cmdb_ci: str = Field(default="none", pattern=_TABLE)
    """Field of the configuration items by which the ticket's element is found: `name`, `sys_id`, `asset_tag`,
    `correlation_id`…; its reference, its name, then its aliases are tried. `none` leaves the element to the text."""
    cmdb_ci_table: str = Field(default="cmdb_ci", pattern=_TABLE)
    """Table of the configuration items that are looked through."""
    fields: dict[str, str | int | bool] = Field(default={})
    """Further fields of a new ticket, name to value as the database has it, such as `{subcategory: os}`."""
    notes: Literal["work_notes", "comments"] = "work_notes"
    """Where notes are written: `work_notes` are internal, `comments` are shown and mailed to the caller."""
    close_as: Literal["resolved", "closed"] = "resolved"
    """What closing sets: `resolved` (6) leaves the last step to the instance and can be reopened; a repaired service
    is then told by a note only. `closed` (7) sets 6 when the service works again and 7 at the end."""
    close_code: str = "Solution provided"
    """Resolution code of what tocsin resolves; the choices differ by release and instance, and an unknown one is refused
    as missing. Empty sends none."""
    close_notes: str = ""
    """Resolution notes of what tocsin resolves; what happened last, unless given."""
    hold_reason: str = "1"
    """Value of the hold reason that goes with a ticket that waits (1 is "Awaiting Caller" as delivered)."""
    statuses: dict[TicketStatus, str] = Field(default={})
    """Number of the state for each status, where it differs from 1 declared, 2 in progress, 3 waiting and frozen,
    6 repaired, 7 closed, 8 cancelled."""
    impacts: dict[Impact, str] = Field(default={})
    """Impact and urgency for each impact, as `1/2`, or one number for both, where they differ from `1/1` interrupted,
    `1/2` severe, `2/2` degraded, `2/3` backup, `3/3` none. ServiceNow computes the priority from them."""

    @field_validator("impacts")
    @classmethod
    def _numbers(cls, words: dict[Impact, str]) -> dict[Impact, str]:
        return checked(words, "1/2", "impact and urgency")

    @field_validator("fields")
    @classmethod
    def _further(cls, fields: dict[str, str | int | bool]) -> dict[str, str | int | bool]:
        if "priority" in fields:
            raise ValueError("priority is computed by ServiceNow from impact and urgency: set `impacts` instead")
        if taken := sorted(_RESERVED & fields.keys()):
            raise ValueError(f"{', '.join(taken)} is written by tocsin: leave it out")
        return fields

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        basic, oauth = (self.user, self.password_file), (self.client_id, self.client_secret_file)
        if not (all(basic) and not any(oauth)) and not (all(oauth) and not any(basic)):
            raise ValueError(f"who tocsin works as is not clear: {_CREDENTIALS}")
        return self


def statuses(options: Options) -> Scale[TicketStatus]:
    """The states by their numbers. Resolving is closing, or is told apart from it, as `close_as` says."""
    words, also = dict(_STATES), {}
    if options.close_as == "resolved":
        words[TicketStatus.CLOSED] = words.pop(TicketStatus.REPAIRED)
        also = {_STATES[TicketStatus.CLOSED]: TicketStatus.CLOSED}
    return Scale(words, also, TicketStatus.IN_PROGRESS).over(options.statuses)


def impacts(options: Options) -> Scale[Impact]:
    """Impact and urgency together, as one word."""
    return Scale(_IMPACTS, _ALSO).over(options.impacts)
