"""What a webhook backend can be told, and what is refused before anything is sent."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from yarl import URL

from tocsin.backends._document import check_condition, check_template
from tocsin.model import TicketStatus
from tocsin.units import Duration

_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_OUR_HEADERS = re.compile(
    r"x-tocsin-.*|idempotency-key|host|connection|content-length|(accept|content|transfer)-encoding"
)


def fill(address: str, **words: str) -> str:
    for name, value in words.items():
        address = address.replace(f"{{{name}}}", quote(value, safe=""))
    return address


def _check_address(address: str, *placeholders: str) -> str:
    for name in re.findall(r"\{([^}]*)\}", address):
        if name not in placeholders:
            known = " and ".join(f"{{{known}}}" for known in placeholders) or "nothing in braces"
            raise ValueError(f"{{{name}}} means nothing here; it may hold {known}")
    url = URL(fill(address, **dict.fromkeys(placeholders, "x")))
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("must be an http:// or https:// address")
    if url.user or url.password:
        raise ValueError("must not hold a user or password: put them in a file, with token_file or header_files")
    return address


class Options(BaseModel):
    """What a webhook backend can be told; README.md in this folder says what each option means."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    url: str
    """Address a ticket is opened at, by POST. `http` or `https`, without user or password."""
    update_url: str = ""
    """Address that update, note, close and reopen are POSTed to; may hold `{number}` and `{reference}`. `url` unless given."""
    find_url: str = ""
    """Address a ticket is looked up at, by GET; holds `{reference}`. Answers 200 with a ticket or a list of tickets; an empty
    list or 404 means none."""
    find_reference: str = Field(default="reference", min_length=1)
    """Path to our reference in a found ticket. A ticket with another one is not ours: `mismatch`."""
    idempotent: bool = False
    """`true`: the server promises that a repeated `Idempotency-Key` makes no second ticket, for as long as a delivery may be
    retried."""
    body: str = ""
    """MiniJinja template that makes the JSON body; the document below unless given."""
    envelope: str = ""
    """Path to the ticket, or the list of tickets, within every answer, such as `result`; the answer itself unless given."""
    number: str = Field(default="number", min_length=1)
    """Path to the ticket's number in a ticket."""
    link: str = Field(default="url", min_length=1)
    """Path to the address of the ticket's page for people; only `http` and `https` are taken."""
    success: str = ""
    """MiniJinja expression over `answer`; when it is false the delivery was refused although the status is 2xx. Such as
    `answer.code == 0`. Where it is false of what `find_url` answers, an empty list does not mean that there is none."""
    secret_file: str = ""
    """File with the secret that requests are signed with."""
    token_file: str = ""
    """File with the token sent as `Authorization: Bearer …`."""
    headers: dict[str, str] = {}
    """Further headers, name to value; nothing secret."""
    header_files: dict[str, str] = {}
    """Further headers, name to the file that holds the value: API keys, basic credentials."""
    timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(0), le=timedelta(minutes=5))
    """Time for a whole answer; at most `5m`."""
    settle: Duration = Field(default=timedelta(minutes=1), ge=timedelta(0), le=timedelta(hours=1))
    """How long a ticket that may have been made is looked for at `find_url` before it is made again."""
    statuses: dict[TicketStatus, str] = {}
    """What the server calls each status; our words are read all the same."""
    status: str = Field(default="status", min_length=1)
    """Path to the status in a ticket; what an answer to a POST says of it is believed, when it is a word that is known."""

    @field_validator("url")
    @classmethod
    def _creates_somewhere(cls, value: str) -> str:
        return _check_address(value)

    @field_validator("update_url")
    @classmethod
    def _updates_somewhere(cls, value: str) -> str:
        return _check_address(value, "number", "reference") if value else value

    @field_validator("find_url")
    @classmethod
    def _asks_for_the_reference(cls, value: str) -> str:
        if value and "{reference}" not in value:
            raise ValueError("must hold {reference}: it is how a ticket is found again")
        return _check_address(value, "reference") if value else value

    @field_validator("body")
    @classmethod
    def _makes_json(cls, value: str) -> str:
        check_template(value)
        return value

    @field_validator("success")
    @classmethod
    def _can_be_evaluated(cls, value: str) -> str:
        if value:
            check_condition(value)
        return value

    @field_validator("headers", "header_files")
    @classmethod
    def _can_be_sent(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not sendable(text):
                raise ValueError(f"header {name!r} cannot be sent so: a plain name and one line of ASCII")
            if _OUR_HEADERS.fullmatch(name.lower()):
                raise ValueError(f"header {name!r} is written by tocsin itself; leave it out")
        return value

    @field_validator("headers")
    @classmethod
    def _holds_no_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in _SECRET_HEADERS:
                raise ValueError(f"header {name!r} is a secret: put it in a file, with token_file or header_files")
        return value

    @model_validator(mode="after")
    def _survives_a_lost_answer(self) -> Self:
        if bool(self.find_url) == self.idempotent:
            raise ValueError(
                "give exactly one of find_url and `idempotent: true`: otherwise a lost answer could make a second"
                " ticket, for nothing would tell whether the first was made"
            )
        return self


def sendable(text: str) -> bool:
    return text.isascii() and text.isprintable()
