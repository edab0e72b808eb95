"""Sources as the command line is given them: a kind by its name, its options, the alerts of one payload file.

Knows the settings' sources; how a platform's message is read is the business of `sources`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from pydantic import ValidationError

from tocsin import sources, yaml12
from tocsin import sourcing as configuring
from tocsin.cli.shipped import Sample
from tocsin.errors import RuleError, SettingsError
from tocsin.model import Alert
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO, TextIO

    from pydantic import BaseModel

    from tocsin.model import Payload, Unreadable
    from tocsin.settings import Settings

_FORM = "application/x-www-form-urlencoded"
_SHOWN = (
    *("resource", "check", "severity", "status", "fingerprint", "starts_at", "ends_at", "said_at", "summary", "labels"),
    *("description", "url", "source"),
)

File = Annotated[
    typer.FileBinaryRead,
    typer.Argument(metavar="FILE", help="The file with the message, as the platform sends it; - for standard input."),
]
Headers = Annotated[
    typer.FileText | None,
    typer.Option(
        "--headers",
        metavar="FILE",
        help="A file with its request line and headers, as HTTP writes them.",
        show_default=False,
    ),
]
ContentType = Annotated[
    str,
    typer.Option(
        "--content-type",
        metavar="TYPE",
        help=f"Media type of the file; {_FORM} for .form, by the ending for .xml and .txt, else JSON.",
        show_default=False,
    ),
]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        metavar="TIME",
        formats=["%Y-%m-%dT%H:%M:%S%z"],
        help="When it is received, such as 2026-11-23T08:00:00Z; now unless given.",
        show_default=False,
    ),
]


def kind(name: str) -> sources.Kind:
    """Return the kind of this name. Raises typer.BadParameter when there is none."""
    kinds = sources.kinds()
    if name not in kinds:
        hint = nearest(name, kinds) or f"there are {', '.join(kinds)}"
        raise typer.BadParameter(f"{name!r} is no kind of source ({hint})")
    return kinds[name]


def options(of: sources.Kind, given: Mapping[str, Any], where: str) -> BaseModel:
    """Return a kind's options. Raises SettingsError: every problem, each with its place."""
    try:
        return of.options.model_validate(given)
    except ValidationError as error:
        told = error.errors(include_input=False, include_url=False)
        raise SettingsError(
            "\n".join(f"{'.'.join([where, *map(str, one['loc'])])}: {one['msg']}" for one in told)
        ) from None


def check(settings: Settings) -> None:
    """Raise SettingsError with everything that is wrong with the sources; secrets are not read."""
    problems: list[str] = []
    for name, given in settings.sources.items():
        try:
            options(kind(given.kind), given.options, f"sources.{name}.options")
            made = configuring.source(name, given, settings, _any_secret)
            if given.poll:
                configuring.question(name, made.kind, given.poll, _any_secret)
        except typer.BadParameter as error:
            problems.append(f"sources.{name}.kind: {error.message}")
        except SettingsError as error:
            told = str(error)
            problems.append(told if told.startswith("sources.") else f"sources.{name}.{told}")
    if problems:
        raise SettingsError("\n".join(problems))


def _any_secret(_: str) -> bytes:
    return b"secret"


def read_options(text: str) -> dict[str, Any]:
    """The object that a text of JSON is. Raises typer.BadParameter when it is none."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--options is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise typer.BadParameter('--options is a JSON object, such as {"severity_default": "major"}')
    return value


def mapping(file: TextIO) -> dict[str, Any]:
    """The options in a YAML file. Raises SettingsError when it is none, or holds something else."""
    name = str(getattr(file, "name", "--mapping"))
    try:
        value, _ = yaml12.read(file.read().encode(), name)
    except RuleError as error:
        raise SettingsError(str(error)) from None
    if not isinstance(value, dict):
        raise SettingsError(f"{name}: options are a mapping of keys and values, as under `options:` of a source")
    return value


def payload(of: sources.Kind, file: BinaryIO, content_type: str, source: str, headers: TextIO | None = None) -> Payload:
    """The message in a file, as a request would bring it. Raises typer.BadParameter when its headers cannot be read."""
    head = headers.read() if headers else ""
    if content_type:
        head += f"\nContent-Type: {content_type}"
    try:
        return sources.payload(of, file.read(), head, source=source, guessed=_guessed(file))
    except ValueError as error:
        raise typer.BadParameter(f"--headers: {error}") from None


def sample(file: BinaryIO, headers: TextIO | None, content_type: str) -> list[Sample]:
    """The one message that a file holds, with its headers."""
    head = headers.read() if headers else ""
    return [Sample(Path(file.name).name, file.read(), head, content_type or _guessed(file))]


def _guessed(file: BinaryIO) -> str:
    return sources.GUESSED.get(Path(str(getattr(file, "name", ""))).suffix, "application/json")


def shown(entry: Alert | Unreadable) -> dict[str, Any]:
    """An alert as it is printed; all fields, always."""
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    return {key: fields[key] for key in _SHOWN} if isinstance(entry, Alert) else fields


def parse(of: sources.Kind, given: BaseModel, message: Payload, now: datetime | None) -> list[Alert | Unreadable]:
    """The alerts of a message that is received at `now`, or at this moment. Raises PayloadError when it is unreadable."""
    return of.parse(message, given, now.astimezone(UTC) if now else datetime.now(UTC))
