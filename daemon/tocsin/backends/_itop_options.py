"""The options of an iTop backend. Shape only."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tocsin.backends._itop_steps import TARGETS
from tocsin.backends._options import Remote
from tocsin.backends._zones import Zone
from tocsin.model import Impact

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Level = Annotated[str, StringConstraints(pattern=r"^[1-9]/[1-9]$")]


class Options(Remote):
    """What an iTop backend can be told; README.md in this folder says what each option means."""

    user: str = ""
    """Login of the user that tocsin works as, with `password_file`; or give `token_file`."""
    password_file: str = ""
    """File with the password of `user`."""
    auth: Literal["form", "basic"] = "form"
    """How user and password are sent: in the form, or as a basic credential."""
    token_file: str = ""
    """File with an application or personal token (iTop 3), which is sent as the header `Auth-Token`."""
    ticket_class: Code = "Incident"
    """Class of the tickets: `Incident`, `UserRequest`, or one derived from them."""
    organization: str = Field(min_length=1)
    """Name of the organization that tickets are for."""
    caller: str = ""
    """Full name or e-mail address of the person that tickets are called in by; iTop wants one in its own classes."""
    service: str = ""
    """Name of the service that tickets are about; iTop wants one before it resolves an incident."""
    team: str = ""
    """Name of the team that a ticket is assigned to when nobody is yet: iTop assigns before it resolves."""
    agent: str = ""
    """Full name or e-mail address of the person in `team` that a ticket is assigned to then."""
    resolution_code: str = "other"
    """Resolution code of what tocsin resolves, such as `assistance` or `hardware repair`."""
    rich_solution: bool = True
    """Whether a ticket's solution is HTML, as it is since iTop 3.2; false writes plain text."""
    reference_field: Code | Literal[""] = ""
    """Code of the attribute that holds our reference; without one it stands as `[tocsin …]` at the end of the title."""
    ci_class: Code | Literal[""] = ""
    """Class of the configuration items whose name is an element's reference, such as `FunctionalCI`: a ticket is linked to its item. Empty writes the element into the text only."""
    log: Literal["private", "public"] = "private"
    """Which log notes are written into: callers read the public one."""
    closing: Literal["closed", "resolved"] = "closed"
    """What closing does: `closed` ends the ticket for good, `resolved` leaves the closing to iTop or the caller, so that the ticket can be opened again; that the service works again is then not told before."""
    impacts: dict[Impact, Level] = Field(default_factory=dict)
    """What each impact is in iTop, as `impact/urgency`, such as `1/1`, where it differs."""
    zone: Zone = "UTC"
    """Time zone of iTop's server, whose times say none, such as Europe/Paris."""

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file are given together")
        if bool(self.user) == bool(self.token_file):
            raise ValueError("give either user and password_file, or token_file")
        return self

    @model_validator(mode="after")
    def _states(self) -> Self:
        if not set(self.statuses.values()) <= set(TARGETS):
            raise ValueError(f"statuses are the codes of iTop's states: {', '.join(TARGETS)}")
        return self
