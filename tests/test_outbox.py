"""Telling backends: claimed, delivered, settled; through real HTTP to a ticket system that misbehaves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from house import T0, Clock, Road, Running, alert, opened, rows
from service import until
from ticketserver import Plan, TicketServer
from tocsin import backends, outbox, timers
from tocsin.app import utc_now
from tocsin.errors import DeliveryError, Reason
from tocsin.model import Alert, Delivery, Receipt, Severity, Status, TicketStatus
from tocsin.store import deliveries
from tocsin.store.dead import By, resend
from tocsin.store.deliveries import Outcome, Retries, wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tocsin.store import Store, Transaction

SOON = Retries(first=timedelta(milliseconds=20), longest=timedelta(milliseconds=50), doubt=timedelta(0))
FIVE_S = timedelta(seconds=5)


def failure(reason: Reason = Reason.UNREACHABLE, *, retry: bool = True, **more: Any) -> DeliveryError:
    return DeliveryError(reason, "no", retry=retry, **more)


@pytest.mark.parametrize(
    ("attempts", "chance", "after", "seconds"),
    [
        (1, 0.0, None, 2.5),  # half of 5
        (1, 0.999999, None, 5),
        (3, 0.0, None, 10),  # half of 5 * 2 * 2
        (30, 0.0, None, 450),  # half of the longest, 15 min
        (1, 0.0, timedelta(seconds=40), 40),  # the server asked for more
        (5, 0.0, timedelta(seconds=1), 40),  # the server asked for less than we wait anyway
    ],
)
def test_waits_double_spread_and_respect_the_server(
    attempts: int, chance: float, after: timedelta | None, seconds: float
) -> None:
    waited = wait(attempts, failure(after=after), Retries(first=FIVE_S), chance)
    assert waited.total_seconds() == pytest.approx(seconds, rel=0.01)


def test_a_lost_answer_is_asked_about_only_when_the_server_has_had_time_to_finish() -> None:
    retries = Retries(first=FIVE_S, doubt=timedelta(seconds=30))
    assert wait(1, failure(Reason.NO_ANSWER), retries, 0.0) == timedelta(seconds=30)
    assert wait(1, failure(Reason.UNREACHABLE), retries, 0.0) == timedelta(seconds=2.5)
    assert wait(1, failure(Reason.NO_ANSWER, harmless=True), retries, 0.0) == timedelta(seconds=2.5)


async def leased(road: Road) -> Delivery:
    found = await road.store.run(lambda tx: deliveries.claim(tx, "remote", 10, Retries(), road.clock.now))
    assert len(found) == 1
    return found[0]


async def settle(road: Road, delivery: Delivery, outcome: Outcome, retries: Retries | None = None) -> Delivery:
    return await road.store.run(
        lambda tx: deliveries.settle(tx, delivery, outcome, retries or Retries(), road.clock.now)
    )


async def test_one_delivery_of_an_incident_at_a_time_and_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert(severity=Severity.MINOR))
        first = await leased(road)
        assert (first.action, first.attempts) == ("open", 1)
        await road.take(alert(severity=Severity.CRITICAL))
        assert await store.run(lambda tx: deliveries.claim(tx, "remote", 10, Retries(), road.clock.now)) == []
        await settle(road, first, Outcome(receipt=Receipt(number="T1")))
        second = await leased(road)
        assert (second.action, second.number, second.body.impact) == ("update", "T1", "interrupted")


async def test_the_ticket_number_reaches_the_incident_and_the_next_answer(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await settle(road, await leased(road), Outcome(receipt=Receipt(number="T1", url="https://x/T1")))
        assert (await road.take(alert()))[0].ticket == "T1"
        assert await rows(store, "select number, url from tickets") == [("T1", "https://x/T1")]


@pytest.mark.parametrize(
    ("error", "state", "uncertain"),
    [
        (failure(Reason.UNREACHABLE), "pending", 0),
        (failure(Reason.NO_ANSWER), "pending", 1),
        (failure(Reason.UNAVAILABLE), "pending", 1),
        (failure(Reason.REFUSED, retry=False), "dead", 0),
    ],
    ids=lambda value: getattr(value, "reason", None),
)
async def test_how_an_attempt_ends_is_written_down(
    tmp_path: Path, error: DeliveryError, state: str, uncertain: int
) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await settle(road, await leased(road), Outcome(error=error))
        assert await rows(store, "select state, uncertain from deliveries") == [(state, uncertain)]


async def test_after_seven_days_and_many_attempts_it_is_left_to_a_person_who_can_resend_it(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        for _ in range(9):  # the others' failures do not count: one that was hardly tried is not given up for its age
            road.clock.passes(days=1)
            assert (await settle(road, await leased(road), Outcome(error=failure()))).state == "pending"
        road.clock.passes(days=1)
        dead = await settle(road, await leased(road), Outcome(error=failure()))
        assert (dead.state, "given up" in dead.reason) == ("dead", True)
        by = By("night shift", "it is back")
        assert await store.run(lambda tx: resend(tx, dead.id, by, ("remote",), road.clock.now))
        assert (await leased(road)).id == dead.id


async def test_a_resolve_before_the_open_is_sent_takes_it_back(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await road.take(alert(status=Status.RESOLVED))
        assert await rows(store, "select action, state from deliveries") == [("open", "cancelled")]
        assert await rows(store, "select state from incidents") == [("closed",)]


async def test_an_attempt_cut_off_by_a_crash_is_in_doubt_at_the_next_start(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await leased(road)
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        assert await store.run(lambda tx: deliveries.claim(tx, "remote", 10, Retries(), road.clock.now)) == []
        road.clock.passes(seconds=60)  # the lease: for so long the ticket system may still be at it
        again = await leased(road)
        assert (again.uncertain, again.attempts) == (True, 2)
        assert again.doubted_at == T0 + timedelta(seconds=60)


# --- doubt -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "doubted"),
    [
        (failure(Reason.UNREACHABLE), False),
        (failure(Reason.NO_ANSWER), True),
        (failure(Reason.NO_ANSWER, harmless=True), False),
        (failure(Reason.SETTLING, harmless=True), False),
        (failure(Reason.MISCONFIGURED, retry=False), True),
        (failure(Reason.MISCONFIGURED, stops=True), True),
        (failure(Reason.UNAUTHORIZED, stops=True), False),
    ],
)
async def test_doubt_is_dated(tmp_path: Path, error: DeliveryError, *, doubted: bool) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        delivery = await leased(road)
        now = road.clock.passes(seconds=9)
        settled = await settle(road, delivery, Outcome(error=error))
        assert (settled.uncertain, settled.doubted_at) == (doubted, now if doubted else None)
        at = int(now.timestamp() * 1_000_000) if doubted else None
        assert await rows(store, "select uncertain, doubted_at from deliveries") == [(int(doubted), at)]


async def test_what_was_done_in_part_is_in_doubt_takes_nothing_in_and_is_tried_again_at_the_usual_time(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await settle(road, await leased(road), Outcome(receipt=Receipt(number="T1")))
        await road.take(alert(severity="minor"))
        error = failure(Reason.RATE_LIMITED)
        error.partly = True
        settled = await settle(road, await leased(road), Outcome(error=error))
        assert settled.uncertain
        assert settled.due_at - road.clock.now <= Retries().first, "nothing is under way there that would be waited for"
        await road.take(alert(severity="critical"))
        assert len(await rows(store, "select id from deliveries where state = 'pending'")) == 2


async def test_doubt_lasts_until_a_receipt_and_only_a_real_attempt_renews_it(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        first = await settle(road, await leased(road), Outcome(error=failure(Reason.NO_ANSWER)))
        dates = [first.doubted_at]
        for error in (
            failure(Reason.UNREACHABLE),
            failure(Reason.UNAVAILABLE, harmless=True),
            failure(Reason.SETTLING, harmless=True),
            failure(Reason.UNAVAILABLE),
        ):
            road.clock.passes(hours=1)
            again = await settle(road, await leased(road), Outcome(error=error))
            assert again.uncertain
            dates.append(again.doubted_at)
        assert dates == [T0, T0, T0, T0, road.clock.now]
        road.clock.passes(hours=1)
        sent = await settle(road, await leased(road), Outcome(receipt=Receipt(number="T1")))
        assert (sent.uncertain, sent.doubted_at) == (False, None)
        assert await rows(store, "select uncertain, doubted_at from deliveries") == [(0, None)]


async def test_a_broken_off_attempt_is_in_doubt_from_then_on(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        delivery = await leased(road)
        now = road.clock.passes(seconds=9)
        released = await settle(road, delivery, Outcome())
        assert (released.state, released.uncertain, released.doubted_at) == ("pending", True, now)
        assert released.due_at == now + Retries().doubt  # the server may still be at it, however soon we start again


async def test_doubt_is_still_dated_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await settle(road, await leased(road), Outcome(error=failure(Reason.NO_ANSWER)))
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        road.clock.passes(minutes=1)
        assert (await leased(road)).doubted_at == T0


# --- what stops ------------------------------------------------------------------------------------------------------


async def test_what_stops_a_backend_burns_no_attempt_and_is_never_given_up(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        for _ in range(3):
            road.clock.passes(days=8)
            settled = await settle(road, await leased(road), Outcome(error=failure(Reason.UNAUTHORIZED, stops=True)))
            assert (settled.state, settled.attempts, settled.due_at) == ("pending", 0, road.clock.now)
        assert await rows(store, "select state, attempts, reason from deliveries") == [
            ("pending", 0, "unauthorized: no")
        ]


# --- whose turn it is ------------------------------------------------------------------------------------------------


async def test_the_highest_impact_goes_first_and_a_probe_is_the_oldest(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        for number, severity in enumerate((Severity.MINOR, Severity.CRITICAL, Severity.MAJOR), 1):
            await road.take(alert(fingerprint=f"f{number}", resource=f"web{number}", severity=severity))

        def claimed(tx: Transaction, probing: tuple[int, ...] | None) -> list[str]:
            found = deliveries.claim(tx, "remote", 3, Retries(), road.clock.now, probing=probing)
            return [delivery.body.impact for delivery in found]

        assert await store.run(lambda tx: claimed(tx, probing=())) == ["degraded"]
        assert await store.run(lambda tx: claimed(tx, probing=None)) == ["interrupted", "severe"]


async def test_a_person_hastens_what_waits_but_not_what_may_still_be_under_way(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())

        def hasten(backend: str) -> Callable[[Transaction], int]:
            return lambda tx: deliveries.hasten(tx, backend, Retries(), road.clock.now)

        for number, reason in enumerate((Reason.UNREACHABLE, Reason.NO_ANSWER), 1):
            await road.take(alert(fingerprint=f"f{number}", resource=f"web{number}"))
            await settle(road, await leased(road), Outcome(error=failure(reason, after=timedelta(hours=1))))
        assert await store.run(hasten("other")) == 0
        assert await store.run(hasten("remote")) == 1
        assert (await leased(road)).id == 1
        road.clock.passes(seconds=30)
        assert await store.run(hasten("remote")) == 1
        assert (await leased(road)).id == 2


# --- numbers ---------------------------------------------------------------------------------------------------------


async def pending_number(road: Road) -> None:
    """An incident whose ticket is declared and has no number yet, and an update of it that waits."""
    await road.take(alert(severity=Severity.MINOR))
    await settle(road, await leased(road), Outcome(receipt=Receipt(number="", url="https://x/1")))
    await road.take(alert(severity=Severity.CRITICAL))


NUMBERS = "select number, url from tickets"


async def test_a_number_that_comes_later_is_filled_in_by_whatever_tells_it(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await pending_number(road)
        assert await rows(store, NUMBERS) == [("", "https://x/1")]
        update = await leased(road)
        assert (update.action, update.number, update.opened) == ("update", "", True)
        sent = await settle(road, update, Outcome(receipt=Receipt(number="T1")))
        assert sent.number == "T1"
        assert await rows(store, NUMBERS) == [("T1", "https://x/1")]
        assert (await road.take(alert(severity=Severity.CRITICAL)))[0].ticket == "T1"


async def test_a_number_that_is_looked_up_reaches_ticket_incident_and_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await pending_number(road)
        ((incident,),) = await rows(store, "select id from incidents")

        async def numbered(backend: str, number: str) -> bool:
            return await store.run(
                lambda tx: deliveries.numbered(tx, incident, backend, number, "https://x/T1", road.clock.now)
            )

        assert not await numbered("elsewhere", "T1")
        assert await numbered("remote", "T1")
        assert not await numbered("remote", "T1")
        assert await rows(store, NUMBERS) == [("T1", "https://x/T1")]
        assert [one.number for one in store.live.unsent.all()] == ["T1"]
        assert (await road.take(alert(severity=Severity.CRITICAL)))[0].ticket == "T1"
        assert not await numbered("remote", "T2")
        assert await rows(store, NUMBERS) == [("T1", "https://x/T1")]
        ((note,),) = await rows(store, "select text from notes where kind = 'renumbered'")
        assert "T2" in note
        assert not await store.run(lambda tx: deliveries.numbered(tx, "none", "remote", "T1", "", road.clock.now))


async def test_a_known_number_stays_and_the_other_one_is_noted(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert(severity=Severity.MINOR))
        await settle(road, await leased(road), Outcome(receipt=Receipt(number="T1", url="https://x/T1")))
        await road.take(alert(severity=Severity.CRITICAL))
        sent = await settle(road, await leased(road), Outcome(receipt=Receipt(number="T7", url="https://x/T7")))
        assert sent.number == "T1"
        assert await rows(store, NUMBERS) == [("T1", "https://x/T1")]
        assert (await road.take(alert(severity=Severity.CRITICAL)))[0].ticket == "T1"
        ((text,),) = await rows(store, "select text from notes where kind = 'renumbered'")
        assert "remote calls the ticket T7 now; here it stays T1." in text
        assert "appelle désormais le ticket T7" in text


async def test_an_answer_without_a_number_keeps_the_known_one(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert(severity=Severity.MINOR))
        await settle(road, await leased(road), Outcome(receipt=Receipt(number="T1")))
        await road.take(alert(severity=Severity.CRITICAL))
        sent = await settle(road, await leased(road), Outcome(receipt=Receipt(number="", url="https://x/T1")))
        assert sent.number == "T1"
        assert await rows(store, NUMBERS) == [("T1", "https://x/T1")]
        assert await rows(store, "select count(*) from notes where kind = 'renumbered'") == [(0,)]


async def test_a_note_does_not_change_how_a_ticket_stands_whatever_is_answered(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await settle(road, await leased(road), Outcome(receipt=Receipt(number="T1")))
        await road.take(alert(fingerprint="f2"))
        note = await leased(road)
        assert (note.action, note.stands) == ("note", "declared")
        await settle(road, note, Outcome(receipt=Receipt(number="T1", status=TicketStatus.CLOSED)))
        assert await rows(store, "select status from tickets") == [("declared",)]


async def test_a_pending_number_is_still_pending_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        await pending_number(Road(store, Clock()))
    async with opened(tmp_path, backend="remote") as store:
        update = await leased(Road(store, Clock()))
        assert (update.number, update.opened) == ("", True)


async def test_what_did_not_go_as_asked_becomes_a_note_of_the_incident(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        await settle(
            road, await leased(road), Outcome(receipt=Receipt(number="T1", remark="the file {x} is too large"))
        )
        found = await rows(store, "select actor, text from notes where kind = 'remark'")
        assert [actor for actor, _ in found] == ["tocsin"]
        assert "remote: the file {x} is too large" in found[0][1]


# --- the whole outbox ------------------------------------------------------------------------------------------------


class Telling:
    """A store, its outbox, and a misbehaving ticket system."""

    def __init__(self, store: Store, road: Road, server: TicketServer) -> None:
        self.store = store
        self.road = road
        self.server = server
        self.heard: list[tuple[str, str]] = []

    async def settled(self) -> bool:
        return not [one for one in self.store.live.unsent.all() if one.state != "dead"]


async def telling(store: Store, server: TicketServer, script: list[Alert], clock: Clock) -> Telling:
    road = Road(store, clock)
    told = Telling(store, road, server)
    options = {
        "url": f"{server.url}/tickets",
        "update_url": f"{server.url}/tickets/{{number}}",
        "find_url": f"{server.url}/tickets?reference={{reference}}",
        "settle": "0s",
        "timeout": "200ms",
    }

    class Listening(outbox.Observer):
        def delivered(self, backend: str, action: str, outcome: str, seconds: float) -> None:
            assert backend == "remote"
            assert seconds >= 0
            told.heard.append((action, outcome))

    async with backends.open_session() as session:
        outside = backends.Outside(session=session, read_secret=lambda _path: b"", clock=utc_now)
        backend = backends.build("webhook", "remote", options, outside)
        route = outbox.Route(deliver=lambda delivery: backends.hand_over(backend, delivery, clock.now))
        box = outbox.Outbox(store, {"remote": route}, SOON, clock, Listening(), every=0.01)
        stopping = asyncio.Event()
        running = asyncio.create_task(box.run(stopping))
        for one in script:
            await road.take(one)
            await until(told.settled, 10, "the outbox to settle")
        stopping.set()
        await running
    return told


@pytest.mark.parametrize("behaviour", ["late", "failed", "lost", "garbage", "malformed", "busy", "dropped", "limited"])
async def test_whatever_happens_to_the_create_there_is_one_ticket(tmp_path: Path, behaviour: str) -> None:
    script = [behaviour] if behaviour not in ("busy", "limited") else []
    async with opened(tmp_path, backend="remote") as store, TicketServer(Plan(script), delay=0.4).serving() as server:
        told = await telling(store, server, [alert()], Running())
        assert list(server.desk.creates().values()) == [1]
        if script:
            assert len(told.heard) >= 2
        assert told.heard[-1] == ("open", "sent")


async def test_a_ticket_is_opened_updated_repaired_closed_and_reopened_in_order(tmp_path: Path) -> None:
    clock = Running()
    async with opened(tmp_path, backend="remote") as store, TicketServer().serving() as server:
        script = [alert(severity=Severity.MINOR), alert(severity=Severity.CRITICAL), alert(status=Status.RESOLVED)]
        await telling(store, server, script, clock)
        clock.passes(minutes=15)
        await store.run(lambda tx: timers.tick(tx, clock.now))
        await telling(store, server, [alert(fingerprint="f2", resource="web2")], clock)
        await telling(store, server, [alert()], clock)
        ticket = server.desk.tickets["T000001"]
        assert (ticket["changes"], ticket["status"]) == (["update", "update", "close", "reopen"], "declared")
        assert set(server.desk.creates().values()) == {1}


async def test_a_fault_in_a_backends_own_code_stops_nothing_else(tmp_path: Path) -> None:
    class Broken:
        name = "remote"

        async def deliver(self, _: Delivery) -> Receipt:
            raise KeyError("oops")

    heard = []

    class Listening(outbox.Observer):
        def delivered(self, backend: str, action: str, outcome: str, seconds: float) -> None:
            heard.append((backend, action, outcome, seconds))

    async with opened(tmp_path, backend="remote") as store:
        await Road(store, Clock()).take(alert())
        route = outbox.Route(deliver=lambda delivery: backends.hand_over(Broken(), delivery, utc_now()))  # type: ignore[arg-type]
        box = outbox.Outbox(store, {"remote": route}, Retries(), utc_now, Listening(), every=0.01)
        stopping = asyncio.Event()
        running = asyncio.create_task(box.run(stopping))

        async def told() -> bool:
            return bool(heard)

        await until(told, 5, "the attempt")
        stopping.set()
        await running
        assert heard[0][:3] == ("remote", "open", "broken")
        assert (await rows(store, "select state, reason from deliveries"))[0][0] == "pending"


async def test_what_closes_and_fires_in_one_commit_knows_that_it_has_no_ticket(tmp_path: Path) -> None:
    async with opened(tmp_path, backend="remote") as store:
        road = Road(store, Clock())
        await road.take(alert())
        one = await leased(road)
        await road.take(alert(status=Status.RESOLVED))  # it is being told: too late to take it back
        await settle(road, one, Outcome(error=failure()))  # nothing was done
        now = road.clock.passes(minutes=20)
        await asyncio.gather(store.run(lambda tx: timers.tick(tx, now)), road.take(alert()))
        assert await rows(store, "select state, declared from incidents order by n") == [("closed", 0), ("open", 1)]
        assert [one.action for one in store.live.unsent.all()] == ["open"]
