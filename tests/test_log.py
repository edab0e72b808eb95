from __future__ import annotations

import io
import json
import logging
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tocsin import log

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("as_before")


@pytest.fixture
def as_before() -> Iterator[None]:
    """Logging is one for the whole process: leave it as it was."""
    root, access = logging.getLogger(), logging.getLogger("aiohttp.access")
    handlers, levels = root.handlers[:], (root.level, access.level)
    showwarning = warnings.showwarning
    yield
    logging.captureWarnings(capture=False)
    warnings.showwarning = showwarning
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    access.setLevel(levels[1])
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().split("\n") if line]


def logged(**fields: Any) -> dict[str, Any]:
    """What one line holds when these fields are logged."""
    stream = io.StringIO()
    log.configure("info", "json", stream)
    structlog.get_logger().info("alert decided", **fields)
    (line,) = lines(stream)
    return line


def shown(**fields: Any) -> str:
    stream = io.StringIO()
    log.configure("info", "text", stream)
    structlog.get_logger().info("alert decided", **fields)
    return stream.getvalue()


def test_a_line_has_time_level_message_and_the_fields() -> None:
    before = datetime.now(UTC)
    line = logged(source="nagios", count=3)
    assert list(line) == ["time", "level", "message", "source", "count"]
    assert line["time"].endswith("Z")
    assert before <= datetime.fromisoformat(line.pop("time")) <= datetime.now(UTC)
    assert line == {"level": "info", "message": "alert decided", "source": "nagios", "count": 3}


@pytest.mark.parametrize(
    "key", ["token", "password", "secret", "Authorization", "cookie", "Set-Cookie", "api_token", "X-Secret-Key"]
)
def test_secrets_are_not_written_at_any_depth(key: str) -> None:
    fields = {key: "t0p", "headers": {key: "t0p"}, "several": [{"deep": {key: "t0p"}}], "pair": ({key: "t0p"},)}
    assert "t0p" not in json.dumps(logged(**fields))
    assert "t0p" not in shown(**fields)


def test_the_path_of_a_secret_is_no_secret() -> None:
    assert logged(token_file="admin.token")["token_file"] == "admin.token"


@pytest.mark.parametrize("value", ["a\nforged", "a\rb", "\x1b[2J", "\x9b2J", "\u2028", "\ud800"])
def test_a_value_cannot_end_the_line_or_reach_the_terminal(value: str) -> None:
    text = shown(resource=value)
    assert text.endswith("\n")
    assert text[:-1].isprintable()
    assert logged(resource=value)["message"] == "alert decided"


def test_text_reads_well() -> None:
    line = shown(source="nagios", summary="disque plein à 95 %", count=3).split(" ", 1)[1]
    assert line == 'info    alert decided source=nagios summary="disque plein à 95 %" count=3\n'


def test_values_of_any_type_are_written() -> None:
    line = logged(what=object, when=datetime(2026, 11, 22, tzinfo=UTC), where={1: {2}})
    assert line["when"] == "2026-11-22T00:00:00Z"
    assert line["where"] == {"1": [2]}
    assert "object" in line["what"]


@pytest.mark.parametrize(
    ("form", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("text", io.StringIO(), False),
    ],
)
def test_auto_is_text_on_a_terminal_and_json_otherwise(form: log.Format, stream: io.StringIO, *, is_json: bool) -> None:
    log.configure("info", form, stream)
    structlog.get_logger().info("alert decided")
    assert stream.getvalue().startswith("{") is is_json
    assert ("\x1b[" in stream.getvalue()) is (isinstance(stream, Terminal) and not is_json)


def test_below_the_level_nothing_is_written() -> None:
    stream = io.StringIO()
    log.configure("warning", "json", stream)
    structlog.get_logger().info("alert decided")
    logging.getLogger("aiohttp.server").info("chatter")
    assert stream.getvalue() == ""


def failing() -> None:
    raise ZeroDivisionError("by nothing")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_is_kept(form: log.Format) -> None:
    stream = io.StringIO()
    log.configure("info", form, stream)
    try:
        failing()
    except ZeroDivisionError:
        structlog.get_logger().exception("delivery broke")
    assert "ZeroDivisionError: by nothing" in stream.getvalue()


def test_the_standard_library_logs_the_same_way() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    logging.getLogger("aiohttp.server").error("Error %s", "there", extra={"token": "t0p", "peer": "192.0.2.1"})
    (line,) = lines(stream)
    assert (line["level"], line["message"], line["logger"]) == ("error", "Error there", "aiohttp.server")
    assert (line["token"], line["peer"]) == (log.REDACTED, "192.0.2.1")


def test_warnings_are_logged() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("the disk is slow", stacklevel=1)
    (line,) = lines(stream)
    assert line["level"] == "warning"
    assert "the disk is slow" in line["message"]


def test_requests_are_not_logged_one_by_one() -> None:
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    logging.getLogger("aiohttp.access").info("GET /hooks/nagios")
    assert stream.getvalue() == ""


def test_configuring_again_replaces_what_was_there() -> None:
    first, second = io.StringIO(), io.StringIO()
    log.configure("info", "json", first)
    log.configure("info", "json", second)
    logging.getLogger("any").warning("once")
    assert first.getvalue() == ""
    assert len(lines(second)) == 1
