"""How tocsin logs: a constant message and fields, one line each, in JSON or in readable text.

Sets up structlog, and leads the standard library's logs and warnings the same way. Values of fields whose key says
token, password, secret, authorization or cookie are never written. What is worth a line is decided where it happens.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO

import msgspec
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "text", "json"]

REDACTED = "***"

_PRIVATE = re.compile(r"token|password|secret|authorization|cookie", re.IGNORECASE)
_PLAIN = re.compile(r"[\w.:/@%+,-]+")
_COLOURS = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[1;31m",
}
_SCALARS = frozenset({str, int, float, bool, type(None)})
_FIRST = ("time", "level", "message")


def configure(level: Level, format: Format, stream: TextIO | None = None) -> None:  # noqa: A002 - the setting's name
    """Log from now on at this level and in this form.

    Args:
        level: the least that is written.
        format: `auto` is text when the stream is a terminal and JSON otherwise.
        stream: where lines go; standard error by default.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty()
    text = format == "text" or (format == "auto" and terminal)
    render: Processor = functools.partial(_text, colour=terminal) if text else _json
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, *_shared(), render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    _lead_standard_library(level, stream, render)


def _shared() -> list[Processor]:
    """What every line goes through before it is rendered."""
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        redact,
    ]


def _lead_standard_library(level: Level, stream: TextIO, render: Processor) -> None:
    """One handler for everything logged with the standard library; aiohttp's line per request is left out."""
    foreign: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_shared(), render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def redact(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    """Take out the values that are secrets, at any depth; a path (`token_file`) is none."""
    for key, value in fields.items():
        if _is_private(key):
            fields[key] = REDACTED
        elif type(value) not in _SCALARS:
            fields[key] = _redacted(value)
    return fields


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: REDACTED if _is_private(str(key)) else _redacted(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(inner) for inner in value]
    return value


@functools.lru_cache(maxsize=1024)
def _is_private(key: str) -> bool:
    return _PRIVATE.search(key) is not None and not key.endswith("_file")


def _ordered(fields: EventDict) -> dict[str, Any]:
    """Time, level and message first."""
    return {**{key: fields.pop(key, "") for key in _FIRST}, **fields}


def _json(_logger: WrappedLogger, _method: str, fields: EventDict) -> str:
    line = _ordered(fields)
    try:
        return msgspec.json.encode(line, enc_hook=str).decode()
    except UnicodeEncodeError:  # half a surrogate pair
        return json.dumps({key: str(value) for key, value in line.items()})


def _text(_logger: WrappedLogger, _method: str, fields: EventDict, *, colour: bool) -> str:
    """`time level message key=value …`, and the traceback below."""
    traceback = fields.pop("exception", "")
    time, level, message, *_ = _ordered(fields).values()
    painted = f"{_COLOURS.get(level, '')}{level:<7}\x1b[0m" if colour else f"{level:<7}"
    rest = "".join(f" {key}={_shown(value)}" for key, value in fields.items())
    line = f"{time} {painted} {_one_line(str(message))}{rest}"
    return f"{line}\n{traceback}" if traceback else line


def _shown(value: Any) -> str:
    """A value that can neither end the line nor reach the terminal's controls."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=not text.isprintable())


def _one_line(message: str) -> str:
    return message if message.isprintable() else json.dumps(message)[1:-1]
