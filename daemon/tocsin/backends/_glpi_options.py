"""The options of a GLPI backend. Shape only."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tocsin.backends._options import Remote
from tocsin.backends._zones import Zone

_STATUSES = frozenset("123456")
_IMPACTS = frozenset("12345")


class Options(Remote):
    """What a GLPI backend can be told; README.md in this folder says what each option means."""

    api: Literal[1, 2] = 1
    """Which API is spoken to: `1` at /apirest.php (GLPI 9.5 and later), `2` at /api.php/v2 (GLPI 11 and later)."""
    user_token_file: str = ""
    """API 1: file with the remote access key of the user that tocsin works as; or give `user` and `password_file`."""
    app_token_file: str = ""
    """API 1: file with the application token of the API client, where GLPI asks for one."""
    user: str = ""
    """Login of the user that tocsin works as, with `password_file`; API 2 works as the client itself without it."""
    password_file: str = ""
    """File with the password of `user`."""
    client: str = ""
    """API 2: id of the OAuth client, whose scopes include `api`."""
    client_secret_file: str = ""
    """API 2: file with the secret of the OAuth client."""
    entity: int | None = Field(default=None, ge=0)
    """Number of the entity that tickets are made in; the user's own unless given."""
    category: int | None = Field(default=None, ge=1)
    """Number of the ticket category; none unless given."""
    type: Literal["incident", "request"] = "incident"
    """Type of the tickets."""
    requester: int | None = Field(default=None, ge=1)
    """API 1: number of the user that tickets are asked for by; tocsin's user unless given."""
    group: int | None = Field(default=None, ge=1)
    """API 1: number of the group that tickets are assigned to; nobody unless given."""
    item_type: str = Field(default="", pattern=r"^([A-Za-z][A-Za-z0-9_\\]*)?$")
    """API 1: item type of the assets whose name is an element's reference, such as `Computer` or `Appliance`: a ticket is linked to its asset. Empty writes the element into the text only."""
    closing: Literal["closed", "solved"] = "closed"
    """What closing does: `closed` (6) ends the ticket, `solved` (5) leaves the closing to GLPI or the requester; that the service works again is then not told before."""
    private: bool = True
    """Whether what tocsin adds as followups is hidden from the requester; solutions never are."""
    zone: Zone = "UTC"
    """Time zone of GLPI's times, such as Europe/Paris: that of the server, or of tocsin's user where GLPI knows zones."""

    @model_validator(mode="after")
    def _proven(self) -> Self:
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file are given together")
        if self.api == 1 and not (self.user_token_file or self.user):
            raise ValueError("api 1 needs user_token_file, or user and password_file")
        if self.api == 2 and not (self.client and self.client_secret_file):  # noqa: PLR2004 - the API's number
            raise ValueError("api 2 needs client and client_secret_file")
        return self

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        first = ("user_token_file", "app_token_file", "requester", "group", "item_type")
        unfit = ("client", "client_secret_file") if self.api == 1 else first
        given = [name for name in unfit if getattr(self, name)]
        if given:
            raise ValueError(f"{given[0]} means nothing with api: {self.api}; remove it")
        return self

    @model_validator(mode="after")
    def _numbers(self) -> Self:
        if not _STATUSES.issuperset(self.statuses.values()):
            raise ValueError("statuses are GLPI's numbers, from '1' (new) to '6' (closed)")
        if not _IMPACTS.issuperset(self.impacts.values()):
            raise ValueError("impacts are GLPI's numbers, from '1' (very low) to '5' (very high)")
        return self
