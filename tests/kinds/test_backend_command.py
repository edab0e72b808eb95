"""Local programs: what their exit statuses mean, what they are handed, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from deliveries import delivery
from kit import World, world
from service import until
from tocsin.backends import build, kinds
from tocsin.backends._program import run
from tocsin.errors import Reason, SettingsError

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = kinds()["command"]
SOON = timedelta(seconds=5)


def program(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return str(path)


def beside(there: World, *command: str, **options: Any) -> World:
    """The same world with another program."""
    backend = build("command", "portal", {"command": list(command), **options}, there.outside)
    return World(there.kind, there.server, backend, there.outside)


@pytest.mark.parametrize(
    ("text", "reason", "stops", "retry"),
    [
        ("exit 65", Reason.REFUSED, False, False),
        ("exit 69", Reason.UNAVAILABLE, False, True),
        ("exit 75", Reason.UNAVAILABLE, False, True),
        ("exit 77", Reason.UNAUTHORIZED, True, True),
        ("exit 78", Reason.MISCONFIGURED, True, True),
        ("exit 1", Reason.NO_ANSWER, False, True),
        ("kill -9 $$", Reason.NO_ANSWER, False, True),
        ("sleep 60", Reason.NO_ANSWER, False, True),
        ("echo '<html>'", Reason.UNREADABLE, False, True),
        ("echo '[]'", Reason.UNREADABLE, False, True),
        ("echo '{}'", Reason.UNREADABLE, False, True),
        ("", Reason.UNREADABLE, False, True),
        ("head -c 3000000 /dev/zero", Reason.UNREADABLE, False, True),
    ],
)
async def test_what_becomes_of_a_program_means_the_same_as_an_answer(
    *, tmp_path: Path, text: str, reason: Reason, stops: bool, retry: bool
) -> None:
    async with world(COMMAND) as there:
        error = await beside(there, program(tmp_path, text), timeout="1s").fail(delivery(number=""))
    assert (error.reason, error.stops, error.retry) == (reason, stops, retry)


async def test_what_a_program_says_on_standard_error_is_in_the_reason(tmp_path: Path) -> None:
    async with world(COMMAND) as there:
        one = beside(there, program(tmp_path, r"printf 'no\x1b[31m such project\n' >&2; exit 65"))
        error = await one.fail(delivery(number=""))
    assert "no [31m such project" in error.detail


async def test_a_program_that_is_not_there_stops_the_backend() -> None:
    async with world(COMMAND) as there:
        error = await beside(there, "/nonexistent/program").fail(delivery(number=""))
    assert (error.reason, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True)


async def test_a_program_gets_the_ticket_and_no_environment_of_ours(tmp_path: Path) -> None:
    os.environ["TOCSIN_TEST_SECRET"] = "hunter2"
    told = tmp_path / "told"
    text = f'cat > {told}; env > {told}.env; echo \'{{"number": "1"}}\''
    try:
        async with world(COMMAND) as there:
            one = beside(there, program(tmp_path, text), environment={"TOKEN_FILE": "/run/token"})
            receipt = await one.opened()
    finally:
        del os.environ["TOCSIN_TEST_SECRET"]
    said = json.loads(told.read_text())
    assert receipt.number == "1"
    assert (said["operation"], said["ticket"]["reference"]) == ("create", "K7F3Q2")
    environment = (tmp_path / "told.env").read_text()
    assert "hunter2" not in environment
    assert "TOKEN_FILE=/run/token" in environment


async def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    text = f"sleep 300 & echo $! > {mark}; wait"
    ran = await run([program(tmp_path, text)], b"{}", timedelta(seconds=1), {"PATH": os.environ["PATH"]})
    assert ran.late
    child = int(mark.read_text())
    await until(lambda: _gone(child), 5, "the child to be gone")


async def _gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123, ASYNC230 - one line of the kernel's
            return stat.read().split()[2] == "Z"
    except FileNotFoundError:
        return True


async def test_a_program_that_reads_nothing_is_no_trouble(tmp_path: Path) -> None:
    ran = await run([program(tmp_path, "exec <&-; echo '[]'")], b"x" * 1_000_000, SOON, {"PATH": "/usr/bin:/bin"})
    assert (ran.status, ran.output) == (0, b"[]\n")


def test_a_program_is_handed_everything_by_the_loop_that_the_service_runs_on() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        ran = runner.run(run(["/bin/cat"], b"x" * 500_000, SOON, {"PATH": "/usr/bin:/bin"}))
    assert (ran.status, len(ran.output)) == (0, 500_000)


@pytest.mark.parametrize("command", [[], ["program"], ["./program"], [""]])
async def test_a_program_is_named_by_its_whole_path(command: list[str]) -> None:
    async with world(COMMAND) as there:
        with pytest.raises(SettingsError, match="option 'command"):
            build("command", "portal", {"command": command}, there.outside)


async def test_what_went_away_to_a_session_of_its_own_is_not_waited_for(tmp_path: Path) -> None:
    """It holds on to the program's outputs, as a daemon that was started carelessly does."""
    mark = tmp_path / "child"
    text = (
        f"""setsid bash -c 'echo $$ > {mark}; sleep 300' & until test -s {mark}; do :; done; echo '{{"number": "1"}}'"""
    )
    async with world(COMMAND) as there:
        receipt = await beside(there, program(tmp_path, text), timeout="5s").opened()
    os.kill(int(mark.read_text()), signal.SIGKILL)
    assert receipt.number == "1"


async def test_a_call_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    path = program(tmp_path, f"setsid bash -c 'echo $$ > {mark}; sleep 300' & sleep 300")

    async def started() -> bool:
        return mark.exists() and mark.read_text() != ""

    async with world(COMMAND) as there:
        before, opened = asyncio.all_tasks(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        calling = asyncio.create_task(beside(there, path, timeout="60s").attempt(delivery(number="")))
        await until(started, 5, "the program to run")
        calling.cancel()
        await asyncio.wait({calling})
        os.kill(int(mark.read_text()), signal.SIGKILL)
        assert asyncio.all_tasks() == before

        async def closed() -> bool:
            return len(os.listdir("/proc/self/fd")) <= opened  # noqa: PTH208

        await until(closed, 5, "the pipes to be closed")


async def test_a_program_that_is_being_replaced_is_tried_again(tmp_path: Path) -> None:
    path = shutil.copy("/bin/true", tmp_path / "busy")
    async with world(COMMAND) as there:
        with path.open("r+b"):
            error = await beside(there, str(path)).fail(delivery(number=""))
    assert (error.reason, error.retry, error.stops, error.harmless) == (Reason.UNREACHABLE, True, False, True)


@pytest.mark.parametrize("number", [r"a\nb", r"a\u0000", "9" * 201])
async def test_a_number_is_a_line(tmp_path: Path, number: str) -> None:
    async with world(COMMAND) as there:
        one = beside(there, program(tmp_path, f"""cat > /dev/null; echo '{{"number": "{number}"}}'"""))
        error = await one.fail(delivery(number=""))
    assert (error.reason, error.retry) == (Reason.UNREADABLE, True)


@pytest.mark.parametrize(
    "options",
    [{"command": ["/bin/true", "a\0b"]}, {"environment": {"A=B": "x"}}, {"environment": {"A": "x\0y"}}],
)
async def test_what_no_program_can_be_handed_is_refused(options: dict[str, Any]) -> None:
    async with world(COMMAND) as there:
        with pytest.raises(SettingsError, match=r"option '(command|environment)"):
            build("command", "portal", {"command": ["/bin/true"], **options}, there.outside)
