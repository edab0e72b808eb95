"""However a ticket server misbehaves: one ticket for each reference, and no secret shown."""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from deliveries import FILES, REFERENCE, delivery, hand_over, served, webhook
from ticketserver import Behaviour, Plan, TicketServer
from tocsin.backends import Backend, open_session
from tocsin.errors import DOUBTFUL, DeliveryError, Reason

if TYPE_CHECKING:
    from tocsin.model import Delivery


@pytest.mark.parametrize("behaviour", ["failed", "lost", "garbage", "malformed", "giant", "busy", "dropped"])
async def test_a_doubtful_create_ends_with_exactly_one_ticket(behaviour: str) -> None:
    async with served(behaviour) as (server, backend):
        with pytest.raises(DeliveryError) as caught:
            await hand_over(backend, delivery())
        receipt = await hand_over(backend, delivery(uncertain=True, attempts=2))
    assert caught.value.reason in DOUBTFUL
    assert caught.value.retry
    assert receipt.number == "T000001"
    assert server.desk.creates() == {REFERENCE: 1}
    assert server.seen[1].method == "GET"


@pytest.mark.parametrize("behaviour", ["limited", "redirect", "refused", "unauthorized", "not_found"])
async def test_what_the_server_did_not_do_is_done_once_later(behaviour: str) -> None:
    async with served(behaviour) as (server, backend):
        with pytest.raises(DeliveryError):
            await hand_over(backend, delivery())
        await hand_over(backend, delivery(attempts=2))
    assert server.desk.creates() == {REFERENCE: 1}
    assert {seen.path.partition("?")[0] for seen in server.seen} == {"/tickets"}


@pytest.mark.parametrize("behaviour", ["failed", "lost", "garbage", "malformed", "busy", "dropped"])
async def test_a_doubtful_update_is_told_again(behaviour: str) -> None:
    async with served("ok", behaviour) as (server, backend):
        number = (await hand_over(backend, delivery())).number
        with pytest.raises(DeliveryError):
            await hand_over(backend, delivery("close", number=number))
        await hand_over(backend, delivery("close", number=number, uncertain=True))
    keys = [seen.headers["Idempotency-Key"] for seen in server.seen]
    assert keys[1] == keys[2]
    assert server.desk.tickets[number]["status"] == delivery("close").body.status


async def test_a_late_answer_is_given_up_and_its_ticket_found() -> None:
    come = asyncio.Event()
    server = TicketServer(Plan(["late"]), wait=lambda _: come.wait())
    async with server.serving(), open_session() as session:
        with pytest.raises(DeliveryError) as caught:
            await hand_over(webhook(session, server.url, timeout="50ms"), delivery())
        receipt = await hand_over(webhook(session, server.url), delivery(uncertain=True))
        come.set()
    assert (caught.value.reason, caught.value.retry) == (Reason.NO_ANSWER, True)
    assert caught.value.after == timedelta(milliseconds=50), "a slow server gets as long again before the look-up"
    assert receipt.number == "T000001"
    assert server.desk.creates() == {REFERENCE: 1}


async def deliver_stubbornly(backend: Backend, told: Delivery) -> str:
    """As the outbox does: until there is a receipt, remembering doubt; but waiting for nothing."""
    while True:
        try:
            return (await hand_over(backend, told)).number
        except DeliveryError as error:
            if not error.retry:
                raise
            told = replace(told, attempts=told.attempts + 1, uncertain=told.uncertain or error.reason in DOUBTFUL)


@pytest.mark.parametrize("seed", range(3))
async def test_any_weather_leaves_one_ticket_for_each_reference(seed: int) -> None:
    faults = {"ok": 8, "busy": 1, "failed": 1, "limited": 1, "lost": 2, "dropped": 1, "garbage": 1, "malformed": 1}
    server = TicketServer(Plan(faults=faults, seed=seed))
    told = [delivery(reference=f"R{count:03}", id=count) for count in range(60)]
    random.Random(seed).shuffle(told)
    async with server.serving(), open_session(connections=5) as session:
        backend = webhook(session, server.url)
        numbers = await asyncio.gather(*(deliver_stubbornly(backend, one) for one in told))
    made = {ticket["number"]: ticket["reference"] for ticket in server.desk.tickets.values()}
    assert made == {number: one.body.reference for number, one in zip(numbers, told, strict=True)}
    assert server.stats()["duplicates"] == {}
    assert set(server.met) == set(faults), "every kind of trouble was met"


@pytest.mark.parametrize("behaviour", Behaviour)
async def test_no_secret_shows_whatever_happens(behaviour: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    async with served(behaviour, behaviour) as (server, backend):
        server._delay = 0
        said += [repr(backend), repr(backend._outside), repr(backend.request(delivery()))]
        for told in (delivery(), delivery(uncertain=True)):
            try:
                said.append(repr(await hand_over(backend, told)))
            except DeliveryError as error:
                said += [repr(error), *traceback.format_exception(error), repr(error.__context__)]
    secrets = [content.decode().strip() for content in FILES.values() if content.strip()]
    assert not [secret for secret in secrets for text in [*said, caplog.text] if secret in text]
