"""What a Jira backend can be told. Shape only."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tocsin.backends._options import Address, Remote
from tocsin.backends._scale import Scale
from tocsin.model import Impact, TicketStatus

_OURS = frozenset({"project", "issuetype", "summary", "description"})
"""Fields that are filled from the incident, always."""
_CREDENTIALS = "give `token_file` (with `user` for an API token of Jira Cloud), or `client_id` and `client_secret_file`"
IMPACTS = Scale(
    {
        Impact.NONE: "Lowest",
        Impact.BACKUP: "Low",
        Impact.DEGRADED: "Medium",
        Impact.SEVERE: "High",
        Impact.INTERRUPTED: "Highest",
    }
)


class Options(Remote):
    """What a Jira backend can be told; README.md in this folder says what each option means."""

    api: Literal[2, 3] = 3
    """Version of the API: 3 for Jira Cloud, 2 for Jira Data Center and Server."""
    user: str = ""
    """E-mail address of the Cloud account, or name of the Data Center one, that `token_file` belongs to: with it, basic
    authentication is used. Without it the token is a bearer token, such as a personal access token of Data Center."""
    token_file: str = ""
    """File with the API token (Cloud), the personal access token, or the password."""
    client_id: str = ""
    """Id of the OAuth 2.0 credentials of a service account, instead of a token; `url` is then
    `https://api.atlassian.com/ex/jira/` and the site's cloud id, and `browse_url` the site's address."""
    client_secret_file: str = ""
    """File with the secret of those credentials."""
    token_url: Address = "https://auth.atlassian.com/oauth/token"  # noqa: S105 - an address
    """Where the OAuth token is asked for."""
    browse_url: Address | None = None
    """Address under which people see tickets, where it is not `url`."""
    project: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_]+$", coerce_numbers_to_str=True)
    """Key of the project, or its number."""
    issue_type: str = Field(default="", coerce_numbers_to_str=True)
    """Name or number of the issue type of new tickets; needed unless `request_type` is given."""
    request_type: str = Field(default="", coerce_numbers_to_str=True)
    """Name or number of a request type of Jira Service Management: tickets are then made as requests of the project's
    service desk, and their form must have the fields that tocsin fills: summary, description, labels or
    `reference_field`, and `impact_field`."""
    label: str = Field(default="tocsin", pattern=r"^[^\s\"\\]{1,100}$")
    """Label of all tickets of tocsin; our reference is a second one, the label and the reference with a hyphen between."""
    reference_field: str = Field(default="", pattern=r"^(customfield_\d+)?$")
    """Id of a custom field (short text), such as `customfield_10042`, that holds our reference instead of a label."""
    impact_field: str = "priority"
    """Id of the field that the impact is told in: `priority`, or a custom select list such as Jira Service Management's
    `Impact`; empty where the impact is not told."""
    impacts: dict[Impact, str] = Field(default={})
    """Name of each impact's priority, or of the value in `impact_field`: Lowest, Low, Medium, High and Highest, from
    `none` to `interrupted`, where not given."""
    statuses: dict[TicketStatus, str] = Field(default={})
    """Name of the workflow's status for each of ours. Where not given: `declared` is any status of category To Do,
    `in_progress` of In Progress, `closed` of Done in any language; `repaired` is Resolved, where the workflow has it."""
    element_field: str = Field(default="", pattern=r"^(customfield_\d+)?$")
    """Id of a custom text field that gets the element's reference; the element is in the description in any case."""
    resolution: str = "Done"
    """Name of the resolution, where a transition's screen asks for one; the first that it offers where it has no such."""
    fields: dict[str, Any] = Field(default={})
    """Further fields of a new ticket by id, as the API takes them, such as `components: [{name: Network}]`."""
    closing_fields: dict[str, Any] = Field(default={})
    """Fields to fill, by id, where the screen of a transition has them, such as a root cause that it requires."""
    public_notes: bool = False
    """With `request_type`: whether customers see the notes in the portal; otherwise only agents do."""

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if bool(self.token_file) == bool(self.client_id) or bool(self.client_id) != bool(self.client_secret_file):
            raise ValueError(_CREDENTIALS)
        return self

    @model_validator(mode="after")
    def _one_way_to_create(self) -> Self:
        if bool(self.issue_type) == bool(self.request_type):
            raise ValueError("give `issue_type`, or `request_type` for requests of Jira Service Management")
        if self.request_type and self.project.isdecimal():
            raise ValueError("with `request_type`, give the key of the project: service desks are known by it")
        return self

    @field_validator("fields")
    @classmethod
    def _fields_of_others(cls, fields: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(_OURS & fields.keys())
        if taken:
            raise ValueError(f"{taken[0]} is filled by tocsin")
        if not isinstance(fields.get("labels", []), list):
            raise ValueError("labels must be a list")  # noqa: TRY004 - pydantic wants a ValueError
        return fields

    @model_validator(mode="after")
    def _labels_of_others(self) -> Self:
        prefix = f"{self.label}-"
        if any(str(one).startswith(prefix) for one in self.fields.get("labels", [])):
            raise ValueError(
                f"labels that begin with {prefix!r} are read as references: give others, or another `label`"
            )
        return self

    @field_validator("impact_field")
    @classmethod
    def _known_field(cls, name: str) -> str:
        if not re.fullmatch(r"(priority|customfield_\d+)?", name):
            raise ValueError("must be `priority`, the id of a custom field such as `customfield_10004`, or empty")
        return name

    @property
    def judged_by(self) -> tuple[str, ...]:
        """The fields that a ticket is judged by."""
        further = [one for one in (self.reference_field, self.impact_field) if one not in ("", "priority")]
        return ("status", "labels", "priority", "assignee", "updated", *further)

    @property
    def headers(self) -> dict[str, str]:
        """What goes with every call: some of Service Management's are experimental, and must be opted into."""
        return {"X-ExperimentalApi": {2: "true", 3: "opt-in"}[self.api]} if self.request_type else {}

    @property
    def internal(self) -> bool:
        """Whether notes are for agents only."""
        return bool(self.request_type) and not self.public_notes
