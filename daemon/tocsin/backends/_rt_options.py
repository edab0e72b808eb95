"""The options of a Request Tracker backend. Shape only."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tocsin.backends._options import Remote

FieldName = Annotated[str, StringConstraints(pattern=r"^[^{}'\"\\\s]([^{}'\"\\\n]*[^{}'\"\\\s])?$")]
"""Name or number of a custom field, as it can stand in a query."""


class Options(Remote):
    """What a Request Tracker backend can be told; README.md in this folder says what each option means."""

    token_file: str = ""
    """File with an authentication token of the user that tocsin works as; or give `user` and `password_file`."""
    user: str = ""
    """Login of the user that tocsin works as, with `password_file`."""
    password_file: str = ""
    """File with the password of `user`."""
    queue: str = Field(min_length=1)
    """Name or number of the queue that tickets are made in."""
    reference_field: FieldName = "tocsin"
    """Name or number of the custom field that holds our reference: for one text, applied to tickets of every queue that tickets are moved to."""
    impact_field: FieldName | Literal[""] = ""
    """Name or number of a custom field that takes the impact; empty tells the impact as RT's priority, a number."""
    element_field: FieldName | Literal[""] = ""
    """Name or number of a custom field that takes the element's reference; empty writes it into the text only."""
    requestor: str = ""
    """Mail address of the requestor of new tickets, whom RT writes to as its scrips say; empty for none."""
    private_notes: bool = True
    """Whether notes are comments, which requestors neither see nor are mailed; else they are correspondence."""

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file are given together")
        if bool(self.token_file) == bool(self.user):
            raise ValueError("give either token_file, or user and password_file")
        return self

    @model_validator(mode="after")
    def _numbers(self) -> Self:
        if not self.impact_field and not all(word.isascii() and word.isdecimal() for word in self.impacts.values()):
            raise ValueError("impacts are priorities, whole numbers such as '50', unless impact_field names a field")
        return self
