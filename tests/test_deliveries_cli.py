"""What people see of deliveries and backends on the command line, and what they do with what is dead."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from commands import FINE, SETTINGS, SILENT, WRONG, House, printed
from house import Clock, Road, alert, opened
from tocsin.cli import asking
from tocsin.cli.waiting import sentence
from tocsin.model import Receipt, Severity
from tocsin.store import deliveries
from tocsin.store.deliveries import Outcome, Retries
from tocsin.store.listing import listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typer.testing import Result

TICKETS = Path(__file__).parent / "ticketserver.py"
BY = ("--actor", "Équipe de nuit", "--reason", "file corrected.")


class World:
    """A running service, and the ticket system that it tells."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        remote = {
            "kind": "webhook",
            "concurrency": 1,
            "options": {
                "url": f"{url}/tickets",
                "update_url": f"{url}/tickets/{{number}}",
                "find_url": f"{url}/tickets?reference={{reference}}",
            },
        }
        self.house = House(
            folder,
            default_backend="remote",
            backends={"remote": remote, "desk": {"kind": "desk"}},
            delivery={"first_retry": "1h", "longest_retry": "1h", "breaker": {"failures": 1}},
        )

    def plan(self, *script: str, faults: str = "ok") -> None:
        """The answers of the ticket system from now on: these, then always the last."""
        asking.post(f"{self.url}/plan", {"script": list(script), "faults": {faults: 1}}, {})

    def fires(self, resource: str = "web1", severity: str = "critical") -> None:
        body = {
            "fingerprint": resource,
            "status": "firing",
            "severity": severity,
            "resource": resource,
            "check": "disk",
            "summary": "full",
        }
        answer = asking.post(f"http://127.0.0.1:{self.house.port}/hooks/generic", body, {})
        assert answer.status == 202

    def tocsin(self, *arguments: str) -> Result:
        return self.house.tocsin(*arguments)

    def ids(self, state: str) -> list[int]:
        return [line["id"] for line in printed(self.tocsin("deliveries", "--state", state, "--json"))]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}: {self.tocsin('deliveries').stdout}"
            time.sleep(0.05)

    def becomes(self, state: str, *ids: int) -> None:
        self.until(lambda: set(ids) <= set(self.ids(state)), f"{ids} to be {state}")

    def dead(self, *resources: str) -> list[int]:
        """The ids of opens that were refused."""
        self.plan(faults="refused")
        before = set(self.ids("dead"))
        for resource in resources:
            self.fires(resource)
        self.until(lambda: len(self.ids("dead")) == len(before) + len(resources), "them to be refused")
        self.plan()
        return sorted(set(self.ids("dead")) - before)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    command = [sys.executable, str(TICKETS), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tickets:
        try:
            assert tickets.stdout is not None
            world = World(tmp_path / "house", json.loads(tickets.stdout.readline())["url"])
            with world.house.serving():
                yield world
        finally:
            tickets.kill()


def test_a_dead_delivery_is_shown_edited_and_sent(world: World) -> None:
    (dead,) = world.dead("web1")
    shown = world.tocsin("deliveries", "show", str(dead)).stdout
    assert "it is dead: resend, edit or drop it" in shown
    assert "Web server 1" in shown
    assert "refused" in shown
    edited = world.tocsin("deliveries", "edit", str(dead), "--set", "name.en=Disk", "--set", "impact=degraded", *BY)
    assert edited.stdout == f"delivery {dead} is edited; `tocsin deliveries resend {dead}` sends it\n"
    assert world.tocsin("deliveries", "resend", str(dead), *BY).stdout == f"delivery {dead} is due again\n"
    world.becomes("sent", dead)
    whole = printed(world.tocsin("deliveries", "show", str(dead), "--json"))
    assert (whole["body"]["name"]["en"], whole["body"]["impact"], whole["why"]) == ("Disk", "degraded", "")
    history = world.tocsin("explain", whole["incident"], "--json").stdout
    assert "file corrected." in history
    assert "file corrected.." not in history
    assert "Équipe de nuit" in history


def test_many_are_moved_at_once_and_what_is_refused_keeps_none_of_the_others(world: World) -> None:
    first, second = world.dead("web1", "web2")
    result = world.tocsin("deliveries", "drop", str(first), "999", *BY)
    assert result.exit_code == WRONG
    assert result.stdout == f"delivery {first} is dropped\n"
    incident = printed(world.tocsin("deliveries", "show", str(first), "--json"))["incident"]
    assert f"No ticket: delivery {first} to remote was dropped by Équipe" in world.tocsin("explain", incident).stdout
    assert "there is no delivery 999" in result.stderr
    answers = printed(world.tocsin("deliveries", "resend", "--all-dead", "--backend", "remote", "--json", *BY))
    assert answers == [{"id": second, "status": "due", "as_note": False}]
    world.becomes("sent", second)
    assert (
        world.tocsin("deliveries", "resend", "--all-dead", "--backend", "remote", *BY).stdout == "no dead deliveries\n"
    )
    assert world.tocsin("deliveries", "--backend", "desk").stdout == "no deliveries\n"
    again = world.tocsin("deliveries", "resend", str(second), *BY)
    assert f"delivery {second} is sent, not dead" in again.stderr


def test_a_text_comes_from_a_file_and_a_wrong_one_is_told(world: World, tmp_path: Path) -> None:
    (dead,) = world.dead("web1")
    (tmp_path / "text").write_text("Le disque\nest plein", "utf-8")
    given = f"description.fr=@{tmp_path / 'text'}"
    assert world.tocsin("deliveries", "edit", str(dead), "--set", given, *BY).exit_code == FINE
    body = printed(world.tocsin("deliveries", "show", str(dead), "--json"))["body"]
    assert body["description"]["fr"] == "Le disque\nest plein"
    for given, code, told in (
        ("impact=degradd", WRONG, "did you mean 'degraded'?"),
        ("backend=none", WRONG, "is none of"),
        ("reference=X", WRONG, "cannot be edited"),
        ("impact", SETTINGS, "FIELD=VALUE"),
        (f"name.en=@{tmp_path / 'none'}", SETTINGS, "No such file"),
    ):
        result = world.tocsin("deliveries", "edit", str(dead), "--set", given, *BY)
        assert (result.exit_code, told in " ".join(result.stderr.split())) == (code, True), result.stderr


def test_the_desk_takes_what_a_ticket_system_refused(world: World) -> None:
    (dead,) = world.dead("web1")
    result = world.tocsin("deliveries", "edit", str(dead), "--set", "backend=desk", *BY)
    assert result.stdout == f"delivery {dead} is sent to desk\n"
    (ticket,) = printed(world.tocsin("tickets", "--json"))
    assert (ticket["backend"], ticket["element"]) == ("desk", "DF1")


def test_a_stopped_backend_is_seen_and_resumed(world: World) -> None:
    world.plan(faults="unauthorized")
    world.fires("web1")

    def backend() -> dict[str, Any]:
        (told,) = printed(world.tocsin("backend", "list", "--json"))
        return told  # type: ignore[no-any-return]

    world.until(lambda: backend()["state"] == "stopped", "the backend to stop")
    world.fires("web2")
    assert backend()["unsent"] == 2
    table = world.tocsin("backend", "list").stdout
    assert "stopped" in table
    assert "unauthorized" in table
    shown = world.tocsin("deliveries", "show", "1").stdout
    assert "backend remote is stopped, unauthorized" in shown
    assert "`tocsin backend resume remote`" in shown
    assert "stopped" in world.tocsin("deliveries", "show", "2").stdout
    world.plan()
    assert world.tocsin("backend", "resume", "remote", *BY).stdout == "backend remote is tried at once\n"
    world.becomes("sent", 1, 2)
    assert backend()["state"] == "closed"
    unknown = world.tocsin("backend", "resume", "desk", *BY)
    assert unknown.exit_code == WRONG
    assert "there is: remote" in unknown.stderr


def test_why_something_waits_is_told(world: World) -> None:
    world.plan(faults="busy")
    world.fires("web1", severity="major")
    world.until(lambda: "left alone until" in world.tocsin("deliveries", "show", "1").stdout, "the breaker to open")
    assert "unavailable" in world.tocsin("deliveries", "show", "1").stdout
    world.fires("web2")
    shown = world.tocsin("deliveries", "show", "2").stdout
    assert "backend remote is left alone until" in shown
    assert printed(world.tocsin("deliveries", "show", "2", "--json"))["attempts"] == 0


# --- without a service -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("resend",), ("drop", "--all-dead"), ("resend", "1", "--all-dead", "--backend", "remote")],
    ids=" ".join,
)
def test_which_ones_are_meant_must_be_clear(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = House(tmp_path / "house").tocsin("deliveries", *arguments, *BY)
    assert result.exit_code == SETTINGS
    assert "--all-dead" in result.stderr


@pytest.mark.parametrize("verb", ["resend 1", "drop 1", "edit 1 --set impact=severe"])
@pytest.mark.parametrize("left_out", ["--actor", "--reason"])
def test_who_wants_it_and_why_must_be_said(tmp_path: Path, verb: str, left_out: str) -> None:
    at = BY.index(left_out)
    by = BY[:at] + BY[at + 2 :]
    result = House(tmp_path / "house").tocsin("deliveries", *verb.split(), *by)
    assert result.exit_code == SETTINGS
    assert left_out in result.stderr


def test_a_service_that_does_not_answer_is_told(tmp_path: Path) -> None:
    house = House(tmp_path / "house")
    for arguments in (("backend", "list"), ("backend", "resume", "remote", *BY), ("deliveries", "drop", "1", *BY)):
        result = house.tocsin(*arguments)
        assert (result.exit_code, result.stdout) == (SILENT, "")
        assert "start it with make run" in result.stderr


async def stored(folder: Path) -> None:
    """An incident whose ticket has no number yet, and an update of it behind another that is under way."""
    async with opened(folder, backend="remote") as store:
        road = Road(store, Clock())

        async def claimed() -> Any:
            return await store.run(lambda tx: deliveries.claim(tx, "remote", 1, Retries(), road.clock.now))

        await road.take(alert(severity=Severity.MINOR))
        (opening,) = await claimed()
        outcome = Outcome(receipt=Receipt(number=""))
        await store.run(lambda tx: deliveries.settle(tx, opening, outcome, Retries(), road.clock.now))
        await road.take(alert(severity=Severity.MAJOR))
        await claimed()
        await road.take(alert(severity=Severity.CRITICAL))


@pytest.fixture
def unnumbered(tmp_path: Path) -> House:
    house = House(tmp_path / "house")
    asyncio.run(stored(house.folder / "var"))
    return house


def test_a_number_that_is_pending_is_said_in_words(unnumbered: House) -> None:
    for verb in ("tickets", "incidents", "deliveries"):
        assert "number pending" in unnumbered.tocsin(verb).stdout
        assert "numéro en attente" in unnumbered.tocsin(verb, "--lang", "fr").stdout
    (incident,) = printed(unnumbered.tocsin("incidents", "--json"))
    assert incident["number_pending"] is True
    told = unnumbered.tocsin("explain", incident["id"]).stdout
    assert "Ticket without a number yet: declared in remote." in told
    assert "number pending" in told


def test_what_goes_first_is_told(unnumbered: House) -> None:
    shown = unnumbered.tocsin("deliveries", "show", "3").stdout
    assert "delivery 2 of the same ticket goes first; that one is leased" in shown
    assert "it is being told now" in unnumbered.tocsin("deliveries", "show", "2").stdout
    french = unnumbered.tocsin("deliveries", "show", "3", "--lang", "fr").stdout
    assert "mise à jour" in french
    assert "Service interrompu" in french
    assert "there is no delivery 9" in unnumbered.tocsin("deliveries", "show", "9").stderr


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("closed", "it is due at 2026-11-23 03:00:00Z"),
        ("half_open", "one delivery at a time finds out whether remote is back; it is due at"),
        ("open", "backend remote is left alone until 2026-11-23 04:00:00Z, unreachable: no"),
        ("stopped", "backend remote is stopped, unreachable: no; correct that, then `tocsin backend resume remote`"),
    ],
)
def test_how_a_backend_fares_says_why_a_delivery_waits(unnumbered: House, state: str, told: str) -> None:
    with listing(unnumbered.folder / "var") as there:
        whole = there.delivery(3)
    assert whole is not None
    fares = {"backend": "remote", "state": state, "until": "2026-11-23T04:00:00Z", "reason": "unreachable: no"}
    assert sentence(fares, whole).startswith(told)
