"""What a Freshservice backend can be told, and the numbers it has for statuses and impacts. Shape only."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from tocsin.backends._grades import checked
from tocsin.backends._options import Remote
from tocsin.backends._scale import Scale
from tocsin.model import Impact, TicketStatus

_RESERVED = frozenset({"subject", "description", "status", "priority", "urgency", "impact", "custom_fields", "email"})
_STATUSES = {
    TicketStatus.DECLARED: "2",
    TicketStatus.IN_PROGRESS: "2",
    TicketStatus.WAITING: "3",
    TicketStatus.FROZEN: "3",
    TicketStatus.REPAIRED: "4",
    TicketStatus.CLOSED: "5",
    TicketStatus.CANCELLED: "5",
}
_IMPACTS = {
    Impact.INTERRUPTED: "3/3/4",
    Impact.SEVERE: "3/2/3",
    Impact.DEGRADED: "2/2/2",
    Impact.BACKUP: "2/1/1",
    Impact.NONE: "1/1/1",
}
_ALSO = {"2/3": Impact.SEVERE, "3/1": Impact.DEGRADED, "1/3": Impact.DEGRADED, "1/2": Impact.BACKUP}


class Options(Remote):
    """What a Freshservice backend can be told; README.md in this folder says what each option means."""

    key_file: str
    """File with the API key of the agent that tocsin works as."""
    requester: str = Field(min_length=1)
    """E-mail address (or number) of the requester that tickets are made for; an unknown address becomes a contact."""
    reference_field: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Name, as the API has it, of the custom field (a single line of text) that holds our reference."""
    workspace_id: int = Field(default=0, ge=0)
    """Number of the workspace, in accounts that have several; the primary one for 0."""
    group: str = ""
    """Name or number of the agent group that gets the ticket; nobody's unless given."""
    category: str = ""
    """Category of a new ticket; none unless given."""
    sub_category: str = ""
    """Category below that."""
    item_category: str = ""
    """Category below that."""
    source: int = Field(default=0, ge=0)
    """Number of the channel (14 is "Alerts"); the account's default for 0."""
    asset: Literal["none", "name", "asset_tag", "serial_number"] = "none"
    """Field of the assets by which the ticket's element is found: its reference, its name, then its aliases are tried.
    `none` leaves the element to the text."""
    fields: dict[str, Any] = Field(default={})
    """Further fields of a new ticket as the API has them, such as `{department_id: 7}`."""
    custom_fields: dict[str, Any] = Field(default={})
    """Further custom fields of a new ticket, name to value."""
    notes: Literal["private", "public"] = "private"
    """Whether the requester sees the notes (and is mailed them)."""
    close_as: Literal["closed", "resolved"] = "closed"
    """What closing sets: `closed` (5), after 4 when the service works again; or `resolved` (4), which leaves the last
    step to the account's own rules, and a repaired service is then told by a note only."""
    close_fields: dict[str, Any] = Field(default={})
    """Further fields that go with resolving and closing, where the account wants some, such as
    `{resolution_notes: Restored}` or `{custom_fields: {cause: network}}`."""
    statuses: dict[TicketStatus, str] = Field(default={})
    """Number or name of the status for each of ours, where it differs from 2 declared and in progress, 3 waiting and
    frozen, 4 repaired, 5 closed and cancelled."""
    impacts: dict[Impact, str] = Field(default={})
    """Impact, urgency and priority for each impact, as `3/2/3`, or one number for all, where they differ from `3/3/4`
    interrupted, `3/2/3` severe, `2/2/2` degraded, `2/1/1` backup, `1/1/1` none. Where the account's priority matrix is
    on, Freshservice computes the priority from the first two."""

    @field_validator("impacts")
    @classmethod
    def _numbers(cls, words: dict[Impact, str]) -> dict[Impact, str]:
        return checked(words, "3/2/3", "impact, urgency and priority")

    @field_validator("fields")
    @classmethod
    def _further(cls, fields: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(_RESERVED & fields.keys()):
            raise ValueError(f"{', '.join(taken)} is written by tocsin: leave it out")
        return fields


def statuses(options: Options) -> Scale[TicketStatus]:
    """The statuses by number or name. Resolving is closing, or is told apart from it, as `close_as` says."""
    words, also = dict(_STATUSES), {}
    if options.close_as == "resolved":
        words[TicketStatus.CLOSED] = words.pop(TicketStatus.REPAIRED)
        also = {_STATUSES[TicketStatus.CLOSED]: TicketStatus.CLOSED}
    return Scale(words, also, TicketStatus.IN_PROGRESS).over(options.statuses)


def impacts(options: Options) -> Scale[Impact]:
    """Impact, urgency and priority as one word; read by the first two, for a priority matrix may change the third."""
    scale = Scale(_IMPACTS).over(options.impacts)
    pairs: dict[str, Impact] = {}
    for impact in Impact:
        pairs.setdefault((scale.word(impact) or "").rpartition("/")[0], impact)
    return Scale({impact: word for impact in Impact if (word := scale.word(impact))}, {**_ALSO, **pairs})
