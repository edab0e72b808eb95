"""What the settings say of a supervision platform: how it proves who it is, what its silence means, where it is asked.

Shape only, like all of the tree.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tocsin.settings.part import Part, Text
from tocsin.units import Duration

_ZERO = timedelta(0)
_WAYS = ("bearer", "header", "basic", "hmac", "parameter", "field", "certificate")
_HOW_TO_AUTHENTICATE = (
    f"say how it proves who it is: `auth: {{bearer: {{token_file: NAME.token}}}}` (or {', '.join(_WAYS[1:])}), "
    "or `open: true` to take alerts from anyone who reaches it"
)


class Bearer(Part):
    """`Authorization: Bearer TOKEN`."""

    token_file: Path
    """File that holds the token."""
    scheme: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")] = "Bearer"
    """Word before the token, where it is another one: `GenieKey`, `apiKey`, `authToken`."""


class Header(Part):
    """A header that holds a token."""

    name: Text
    """Name of the header, such as `X-Api-Key`."""
    token_file: Path
    """File that holds the token."""


class Basic(Part):
    """HTTP basic authentication."""

    user: Text
    """Name of the user."""
    password_file: Path
    """File that holds the password."""


class Hmac(Part):
    """A header that holds the HMAC of the body."""

    header: Text
    """Name of the header, such as `X-Hub-Signature-256`."""
    secret_file: Path
    """File that holds the shared secret."""
    prefix: str = ""
    """What stands before the signature in the header, such as `sha256=`."""
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    """Hash of the HMAC."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the signature is written."""
    timestamp_header: str = ""
    """Name of the header with the time of sending (Unix seconds), signed with a colon before the body; empty for none."""
    separator: str = ":"
    """What stands between that time and the body in what is signed."""
    max_skew: Duration = Field(default=timedelta(minutes=5), gt=_ZERO)
    """How far that time may be from ours."""


class Parameter(Part):
    """A token in the address: a parameter of the query, or a variable of the kind's own path."""

    name: Text = "token"
    """Name of the parameter."""
    token_file: Path
    """File that holds the token."""


class TokenField(Part):
    """A token in the body: a field at the top of its JSON, or of its form."""

    name: Text
    """Name of the field, such as `routing_key`."""
    token_file: Path
    """File that holds the token."""


class Certificate(Part):
    """A signature in the message, by a certificate that it names (AWS SNS, SMN)."""

    hosts: tuple[str, ...] = ()
    """Hosts, as globs, that certificates and confirmations are fetched from; empty for those of the kind."""
    topics: tuple[str, ...] = ()
    """Topics, as globs, that are taken; empty for any."""
    max_age: Duration = Field(default=timedelta(hours=24), gt=_ZERO)
    """How old a message may be: platforms try for hours while we are down, and a copy must not be good for ever."""


class HookAuth(Part):
    """How whoever posts to a hook proves who it is: exactly one of these."""

    bearer: Bearer | None = None
    """`Authorization: Bearer TOKEN`."""
    header: Header | None = None
    """A header that holds a token."""
    basic: Basic | None = None
    """HTTP basic authentication."""
    hmac: Hmac | None = None
    """A signature of the body."""
    parameter: Parameter | None = None
    """A token in the address."""
    field: TokenField | None = None
    """A token in the body."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        ways = list(type(self).model_fields)
        if sum(getattr(self, way) is not None for way in ways) != 1:
            raise ValueError(f"give exactly one of {', '.join(ways)}")
        return self


class Auth(HookAuth):
    """How a source proves who it is: exactly one of these."""

    certificate: Certificate | None = None
    """A signature in the message, by a certificate that it names."""


class PollAuth(Part):
    """How tocsin proves who it is to a platform: one of these."""

    bearer: Bearer | None = None
    """`Authorization: Bearer TOKEN`."""
    basic: Basic | None = None
    """HTTP basic authentication."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.bearer is None) == (self.basic is None):
            raise ValueError("give exactly one of bearer, basic")
        return self


class Poll(Part):
    """A platform that is asked, too: what it cannot push, or what got lost on the way."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://")]
    """Base address of its interface, such as `http://127.0.0.1:9093` or `https://icinga.example.net:5665`."""
    every: Duration = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1))
    """How often what fires there is compared with what fires here."""
    settle: Duration = Field(default=timedelta(minutes=5), ge=_ZERO)
    """How long what fires here must be missing there before it counts as over: a platform just started knows little."""
    timeout: Duration = Field(default=timedelta(seconds=10), gt=_ZERO)
    """How long one answer may take."""
    auth: PollAuth | None = None
    """How tocsin proves who it is; nothing for an interface that asks nobody."""
    ca_file: Path | None = None
    """Certificates that its own is checked with; those of the system unless given."""
    server_name: str = ""
    """Name that its certificate is for, where that is not the address's host."""


class Source(Part):
    """A supervision platform that posts to /hooks/NAME."""

    kind: Text
    """Which kind of platform it is: a file name of daemon/tocsin/sources."""
    auth: Auth | None = None
    """How it proves who it is."""
    open: bool = False
    """Take alerts from anyone who reaches the service (from loopback, unless intake says otherwise)."""
    declarant: Text = "Supervision"
    """Who its tickets are declared by."""
    backend: str = ""
    """Name of the backend that gets its tickets; empty for the default one."""
    expect_every: Duration | None = Field(default=None, ge=timedelta(seconds=1))
    """Silence is a signal: when nothing is heard from it for so long, that is an alert, over once it speaks again."""
    heartbeats: tuple[str, ...] | None = None
    """Checks, as globs, that only say that it is alive and are no problems; those of the kind unless given."""
    expire_after: Duration | None = Field(default=None, ge=_ZERO)
    """How long a firing is believed that is not said again; 0s for ever; what the kind says unless given."""
    poll: Poll | None = None
    """Where it is asked, too, by kinds that can be."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The kind's own options."""

    @model_validator(mode="after")
    def _authenticated_or_open(self) -> Self:
        if self.auth is None and not self.open and self.poll is None:
            raise ValueError(_HOW_TO_AUTHENTICATE)
        if self.auth is not None and self.open:
            raise ValueError("it has `auth:` and `open: true`: remove one of them")
        return self
