"""Every setting there is, with its default and what it means.

Shape only: reading files and variables is `reading`. The descriptions here are those of the JSON Schema;
config/README.md tells the same at more length.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tocsin.settings.part import Part, Text
from tocsin.settings.priorities import PriorityTable, default_priorities, over_default
from tocsin.settings.route import Route
from tocsin.settings.source import HookAuth, Source
from tocsin.settings.tmf621 import Tmf621
from tocsin.units import Duration, Size

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", max_length=64)]
_ZERO = timedelta(0)


class Listen(Part):
    """Where the service answers."""

    host: Text = "127.0.0.1"
    """Address to listen on; `::` or `0.0.0.0` for all."""
    port: int = Field(default=9765, ge=0, le=65535)
    """Port to listen on; 0 takes any free one."""


class Rules(Part):
    """The rules."""

    path: Path = Path("../rules")
    """Folder of the rule files."""
    shadow: Path | None = None
    """Folder of a second rule set, which decides beside the live one and delivers nothing: to try a change."""


class FleetFiles(Part):
    """The elements that tickets are declared on."""

    path: Path = Path("fleet")
    """Folder of the fleet's YAML files and tables."""


class Intake(Part):
    """What is accepted from sources."""

    body_limit: Size = Field(default=10 * 1024**2, gt=0)
    """Largest body of one request, as sent."""
    inflated_limit: Size = Field(default=50 * 1024**2, gt=0)
    """Largest body of one request, once decompressed."""
    queue: int = Field(default=20_000, gt=0)
    """How many alerts may wait for the store; beyond, the answer is 503 and the source sends again."""
    open_sources_anywhere: bool = False
    """Serve sources that are `open: true` on every address, not on loopback only."""


class Backend(Part):
    """A ticket system."""

    kind: Text
    """Which kind of ticket system it is: `desk`, or a file name of daemon/tocsin/backends."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The kind's own options."""
    concurrency: int = Field(default=4, ge=1, le=100)
    """How many deliveries are under way at once."""
    rate: float = Field(default=0, ge=0, allow_inf_nan=False)
    """How many deliveries a second at most, and as many questions beside them; 0 for no limit."""
    poll: Duration = Field(default=timedelta(minutes=1), ge=_ZERO)
    """How often it is asked what people changed, by kinds that can be asked; 0s for never."""
    hook: HookAuth | None = None
    """How its webhook at /hooks/tickets/NAME proves who it is; without it there is none."""
    touch: tuple[Literal["status", "assignee", "priority", "note"], ...] = ("status", "assignee", "priority", "note")
    """Changes of a ticket that count as a person's hand on it: from then on only notes are added."""


class Desk(Part):
    """The built-in ticket system."""

    priority: Annotated[PriorityTable, BeforeValidator(over_default)] = Field(default_factory=default_priorities)
    """Priority by impact, then by criticality of the element; cells left out keep their default."""
    tmf621: Tmf621 = Tmf621()
    """The desk for other programs, as TMF621 Trouble Ticket v4 and v5."""


class Breaker(Part):
    """When a ticket system is left alone for a while."""

    failures: int = Field(default=3, ge=1)
    """So many failures of the ticket system in a row, and one delivery at a time tries until it is back."""


class Delivery(Part):
    """How backends are told, and told again."""

    first_retry: Duration = Field(default=timedelta(seconds=5), gt=_ZERO)
    """Wait after the first failure; each later wait is longer."""
    longest_retry: Duration = Field(default=timedelta(minutes=15), gt=_ZERO)
    """Longest wait between two attempts."""
    give_up_after: Duration = Field(default=timedelta(days=7), gt=_ZERO)
    """Age at which a delivery that was tried ten times or more is left to a person."""
    lease: Duration = Field(default=timedelta(seconds=60), ge=timedelta(seconds=1))
    """How long an attempt may take before another worker may make it."""

    doubt: Duration = Field(default=timedelta(seconds=30), ge=_ZERO)
    """After an answer that never came: how long the ticket system may still be at it before it is asked."""
    breaker: Breaker = Breaker()
    """When a ticket system is left alone for a while."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.longest_retry < self.first_retry:
            raise ValueError("longest_retry is shorter than first_retry")
        return self


class Reconcile(Part):
    """The comparison of the store with the ticket systems."""

    every: Duration = Field(default=timedelta(hours=1), ge=_ZERO)
    """How often; 0s for only when it is asked for."""
    mend: bool = False
    """Do what is said below by itself; else differences are only told, until somebody asks for more."""
    closed_since: Duration = Field(default=timedelta(days=7), ge=_ZERO)
    """How long tickets of incidents that are over are still looked at."""
    gone: Literal["report", "create"] = "create"
    """A ticket that is not there any more."""
    no_ticket: Literal["report", "create"] = "create"
    """An incident without a ticket, and none on its way."""
    open_there: Literal["report", "note", "close"] = "close"
    """An open ticket whose incident is over; one that a person works on is only told."""
    closed_there: Literal["report", "follow", "reopen"] = "follow"
    """A closed ticket whose incident is not over: `follow` takes it as a person's doing; `reopen` opens what still fires."""
    differs: Literal["report", "follow"] = "follow"
    """A ticket with another number or status than was known."""
    twice: Literal["report", "note"] = "note"
    """Several tickets with one reference: `note` says so in the one that is followed."""


class Retention(Part):
    """How long what is over is kept; what is live is kept anyway."""

    alerts: Duration = Field(default=timedelta(days=90), gt=_ZERO)
    """Alerts with their decisions."""
    incidents: Duration = Field(default=timedelta(days=400), gt=_ZERO)
    """Closed incidents with their notes and deliveries."""
    rejected: Duration = Field(default=timedelta(days=30), gt=_ZERO)
    """Bodies that could not be read."""


class Admin(Part):
    """Who may use the /-/ addresses (reload)."""

    token_file: Path | None = None
    """File that holds the bearer token; without it they answer on loopback only."""


class Log(Part):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""
    format: Literal["auto", "text", "json"] = "auto"
    """`auto` is text on a terminal and JSON otherwise."""


class Settings(BaseSettings):
    """All settings of tocsin."""

    model_config = SettingsConfigDict(
        env_prefix="TOCSIN_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        title="tocsin settings",
    )

    state: Path = Path("../var")
    """Folder of the database and its lock."""
    listen: Listen = Listen()
    """Where the service answers."""
    rules: Rules = Rules()
    """The rules."""
    fleet: FleetFiles = FleetFiles()
    """The elements that tickets are declared on."""
    intake: Intake = Intake()
    """What is accepted from sources."""
    sources: dict[Name, Source] = {}
    """The supervision platforms: name → source; each posts to /hooks/NAME."""
    backends: dict[Name, Backend] = Field(default_factory=lambda: {"desk": Backend(kind="desk")})
    """The ticket systems: name → backend."""
    default_backend: str = "desk"
    """Name of the backend that gets a ticket when neither rule nor route nor source names one."""
    routing: tuple[Route, ...] = ()
    """Where tickets go by contract, element or site: the first that an element meets counts."""
    desk: Desk = Desk()
    """The built-in ticket system."""
    delivery: Delivery = Delivery()
    """How backends are told, and told again."""
    reconcile: Reconcile = Reconcile()
    """The comparison of the store with the ticket systems."""
    retention: Retention = Retention()
    """How long what is over is kept."""
    admin: Admin = Admin()
    """Who may use the /-/ addresses."""
    log: Log = Log()
    """What is logged, and how."""

    @field_validator("default_backend")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value:
            raise ValueError("name one of the backends")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings' signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the reader hands over counts: the variables are in it already."""
        return (init_settings,)
