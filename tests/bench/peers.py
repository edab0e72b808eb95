"""The servers that are measured: how each is started on its own core, known to be ready, asked and stopped.

Knows commands, readiness and where tickets can be counted. Every process is stopped by its id, and dies with this
one should it be killed.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import inputs
import pysqlite3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_SECONDS = 90.0
STOP_SECONDS = 15.0
DATABASE = "state/tocsin.db"
TICKETS = "select count(*) from desk_tickets"
"""Counts what the desk has declared: one row for each ticket."""


class PeerError(Exception):
    """A server cannot be measured: it is not installed, did not get ready, or its tickets cannot be counted."""


@dataclass(frozen=True)
class Peer:
    """A kind of server."""

    name: str
    ready: str
    """Path that answers 200 once alerts can be taken."""
    command: Callable[[Path, int], list[str]]
    """Writes what the server reads below a folder, and gives the command that serves on a port."""
    environment: tuple[tuple[str, str], ...] = ()
    tickets: str = ""
    """Statement that counts tickets in `DATABASE`; empty when the server makes none."""


@dataclass
class Server:
    """One running server."""

    peer: Peer
    port: int
    pid: int
    folder: Path

    def tickets(self) -> int:
        """Counts the tickets made so far, as they are committed."""
        address = f"file:{self.folder / DATABASE}?mode=ro"
        try:
            with contextlib.closing(pysqlite3.connect(address, uri=True, timeout=5)) as database:
                return int(database.execute(self.peer.tickets).fetchone()[0])
        except pysqlite3.Error as trouble:
            raise PeerError(f"tickets cannot be counted in {address} ({trouble}): adapt TICKETS in peers.py") from None


def _alertmanager(folder: Path, port: int) -> list[str]:
    settings = folder / "alertmanager.yml"
    settings.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n", encoding="utf-8")
    return [
        "prometheus-alertmanager",
        f"--config.file={settings}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def tocsin(*, rules: int, elements: int) -> Peer:
    """Describes tocsin with so many rules and elements."""

    def command(folder: Path, port: int) -> list[str]:
        inputs.write_rules(folder / "rules", rules)
        inputs.write_fleet(folder / "fleet", elements)
        return [sys.executable, "-m", "tocsin", "serve", "--config", str(inputs.write_settings(folder, port))]

    return Peer("tocsin", "/readyz", command, tickets=TICKETS)


def _responder(_folder: Path, port: int) -> list[str]:
    return [sys.executable, str(Path(__file__).with_name("responder.py")), str(port)]


ALERTMANAGER = Peer("alertmanager", "/-/ready", _alertmanager, environment=(("GOMAXPROCS", "1"),))
RESPONDER = Peer("responder", "/", _responder)


@contextlib.contextmanager
def serving(peer: Peer, core: int, above: Path) -> Iterator[Server]:
    """Starts a server with an empty state on one core and stops it at the end; its folder below `above` goes too.

    Raises:
        PeerError: it did not get ready; the sentence ends in what it last said.
    """
    with tempfile.TemporaryDirectory(prefix=f"{peer.name}-", dir=above) as name:
        folder, port = Path(name), _free_port()
        log = folder / "log"
        with log.open("wb") as output, _started(peer, core, peer.command(folder, port), output) as process:
            _wait_ready(peer, port, process, log)
            yield Server(peer, port, process.pid, folder)


@contextlib.contextmanager
def _started(peer: Peer, core: int, command: list[str], output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command bound to a core; each program of the chain becomes the next, so the id is the server's."""
    chain = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(core), *command]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    if shutil.which(command[0]) is None:
        raise PeerError(f"{command[0]} is not installed: `apt install {command[0]}`")
    process = subprocess.Popen(
        chain, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=kept | dict(peer.environment)
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_ready(peer: Peer, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port, peer.ready):
        ended = process.poll()
        if ended is None and time.monotonic() < deadline:
            time.sleep(0.05)
            continue
        how = f"ended with status {ended}" if ended is not None else f"was not ready after {START_SECONDS:.0f} s"
        raise PeerError(
            f"{peer.name} {how}; it said: {log.read_text('utf-8', 'replace')[-1_500:].strip() or 'nothing'}"
        )


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Content-Length": "0"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
