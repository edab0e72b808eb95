"""The options of a Znuny backend. Shape only."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tocsin.backends._options import Remote
from tocsin.backends._zones import Zone
from tocsin.units import Duration

FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]+$")]
"""Name of a dynamic field, as Znuny allows it."""
Route = Annotated[str, StringConstraints(pattern=r"^(GET|POST|PUT|PATCH) /[^\s?#]*$")]
"""A method and a path below the web service."""


class Operation(StrEnum):
    """What a web service is asked for."""

    CREATE = "create"
    SEARCH = "search"
    GET = "get"
    UPDATE = "update"


ROUTES: dict[Operation, Route] = {
    Operation.CREATE: "POST /Ticket",
    Operation.SEARCH: "POST /Ticket/Search",
    Operation.GET: "POST /Ticket/Get",
    Operation.UPDATE: "PATCH /Ticket/:TicketID",
}
"""Those of the web service that we ship."""


class Options(Remote):
    """What a Znuny backend can be told; README.md in this folder says what each option means."""

    webservice: str = Field(default="tocsin", pattern=r"^[^/?#\s]+$")
    """Name of the web service, as it was imported into Znuny."""
    routes: dict[Operation, Route] = Field(default_factory=dict)
    """Method and path of the operations `create`, `search`, `get` and `update`, where the web service is not the one that tocsin ships; `:TicketID` stands for the ticket. Only `get` may be a GET: login and password are then sent as headers (Znuny 6.5 and later)."""
    user: str = Field(min_length=1)
    """Login of the agent that tocsin works as."""
    password_file: str
    """File with the password of `user`."""
    queue: str = Field(min_length=1)
    """Name of the queue that tickets are made in; sub-queues as `Parent::Child`."""
    customer: str = Field(min_length=1)
    """Login or mail address of the customer user that tickets are declared for."""
    type: str = ""
    """Type of the tickets, such as `Incident`, where Znuny asks for one; empty for its usual one."""
    reference_field: FieldName = "tocsin"
    """Name of the dynamic field of tickets that holds our reference; of the type Text."""
    impact_field: FieldName | Literal[""] = ""
    """Name of a dynamic field of tickets that takes the impact; empty tells the impact as the ticket's priority."""
    element_field: FieldName | Literal[""] = ""
    """Name of a dynamic field of tickets that takes the element's reference; empty writes it into the text only."""
    priority: str = Field(default="3 normal", min_length=1)
    """Priority of new tickets where `impact_field` takes the impact."""
    private_notes: bool = True
    """Whether what tocsin writes, the description as well, is hidden from the customer."""
    pending: Duration = Field(default=timedelta(days=7), gt=timedelta(0))
    """How far ahead the pending time is set with a pending state; Znuny closes a `pending auto close+` ticket then."""
    zone: Zone = "UTC"
    """Time zone of Znuny's own times (its setting OTRSTimeZone), such as Europe/Paris."""

    @model_validator(mode="after")
    def _routed(self) -> Self:
        if [name for name, route in self.routes.items() if route.startswith("GET ") and name != Operation.GET]:
            raise ValueError("only the route `get` may be a GET: give the others as POST, PUT or PATCH")
        return self
