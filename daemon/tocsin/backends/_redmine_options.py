"""The options of a Redmine backend. Shape only."""

from __future__ import annotations

from pydantic import Field

from tocsin.backends._options import Remote


class Options(Remote):
    """What a Redmine backend can be told; README.md in this folder says what each option means."""

    key_file: str
    """File with the API key of the user that tocsin works as."""
    project: str = Field(min_length=1)
    """Identifier of the project, as in its address, or its number."""
    tracker: str = ""
    """Name or number of the tracker; the project's first one unless given."""
    reference_field: int = Field(ge=1)
    """Number of the custom field that holds our reference, as in the address of its page."""
    impact_field: int | None = Field(default=None, ge=1)
    """Number of a custom field, a list, that takes the impact; without it the impact is told as the issue's priority."""
    element_field: int | None = Field(default=None, ge=1)
    """Number of a custom field that takes the element's reference; without it the element stands in the text only."""
    private_notes: bool = False
    """Whether notes are private; the role of tocsin's user must then be able to set and to see private notes, else nothing is written."""
