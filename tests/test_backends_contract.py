"""The contract of every kind of backend: what answers mean, and that nothing is created blindly."""

from __future__ import annotations

import gzip
import socket
from datetime import timedelta
from typing import Any

import pytest

from deliveries import CONTRACTED, REFERENCE, Pauses, contract, delivery, hand_over, outside, placed, scripted
from tocsin.backends import Backend, Kind, _http, build, open_session
from tocsin.errors import DOUBTFUL, DeliveryError, Reason

KINDS = pytest.mark.parametrize("kind", CONTRACTED, ids=lambda kind: kind.name)
IN_A_MINUTE = "Sun, 22 Nov 2026 10:01:00 GMT"


def failing(status: int, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status": status, "body": {"error": "no"}, "headers": named}


async def failure(backend: Backend, **changes: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await hand_over(backend, delivery(**changes))
    return caught.value


@KINDS
async def test_a_first_opening_creates_with_one_request(kind: Kind) -> None:
    said = contract(kind)
    async with scripted(kind, said["created"]) as (server, backend):
        receipt = await hand_over(backend, delivery())
    assert receipt.number == "T000001"
    assert receipt.url == "https://tickets.example.net/T000001"
    assert len(server.asked) == 1


@KINDS
@pytest.mark.parametrize("action", ["open", "close"])
@pytest.mark.parametrize(
    ("answer", "reason", "retry", "after"),
    [
        pytest.param(failing(400), Reason.REFUSED, False, None, id="400"),
        pytest.param(failing(401), Reason.UNAUTHORIZED, True, None, id="401"),
        pytest.param(failing(403), Reason.UNAUTHORIZED, True, None, id="403"),
        pytest.param(failing(404), Reason.NOT_FOUND, False, None, id="404"),
        pytest.param(failing(410), Reason.NOT_FOUND, False, None, id="410"),
        pytest.param(failing(422), Reason.REFUSED, False, None, id="422"),
        pytest.param(failing(408), Reason.UNAVAILABLE, True, None, id="408"),
        pytest.param(failing(425), Reason.RATE_LIMITED, True, None, id="425"),
        pytest.param(failing(429, Retry_After="30"), Reason.RATE_LIMITED, True, 30, id="429-seconds"),
        pytest.param(failing(429, Retry_After=IN_A_MINUTE), Reason.RATE_LIMITED, True, 60, id="429-date"),
        pytest.param(failing(500), Reason.UNAVAILABLE, True, None, id="500"),
        pytest.param(failing(502), Reason.UNAVAILABLE, True, None, id="502"),
        pytest.param(failing(503, Retry_After="999999"), Reason.UNAVAILABLE, True, 3600, id="503-for-long"),
        pytest.param(failing(504), Reason.UNAVAILABLE, True, None, id="504"),
        pytest.param(failing(301, Location="/tickets"), Reason.MISCONFIGURED, True, None, id="301"),
        pytest.param(failing(303, Location="/tickets/1"), Reason.MISCONFIGURED, True, None, id="303"),
        pytest.param({"status": 200, "text": "<html>"}, Reason.UNREADABLE, True, None, id="html"),
        pytest.param(None, Reason.NO_ANSWER, True, None, id="hangs-up"),
    ],
)
async def test_an_answer_means_the_same_to_every_kind(
    *, kind: Kind, action: str, answer: Any, reason: Reason, retry: bool, after: int | None
) -> None:
    async with scripted(kind, answer) as (server, backend):
        error = await failure(backend, action=action)
    if reason == Reason.NOT_FOUND and action == "open":
        reason, retry = Reason.MISCONFIGURED, True  # nothing takes tickets there, whichever
    assert (error.reason, error.retry) == (reason, retry)
    assert error.stops == (reason in (Reason.UNAUTHORIZED, Reason.MISCONFIGURED))
    assert error.after == (None if after is None else timedelta(seconds=after))
    assert len(server.asked) == 1, "nothing is sent twice within one attempt"


@KINDS
@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"nothing": "useful"}', "7", "null", "[" * 100_000, '"\\ud800', f'"{"x" * 9_000_000}"'],
    ids=["empty", "object", "list", "no-number", "number", "null", "deep", "torn", "giant"],
)
async def test_a_success_that_names_no_ticket_is_unreadable(kind: Kind, text: str) -> None:
    async with scripted(kind, {"status": 201, "text": text}) as (server, backend):
        error = await failure(backend)
    assert (error.reason, error.retry) == (Reason.UNREADABLE, True)
    assert len(server.asked) == 1


@KINDS
async def test_a_giant_answer_that_hides_in_compression_is_refused(kind: Kind) -> None:
    small = gzip.compress(b'"' + b"x" * 50_000_000 + b'"')
    answer = {"status": 201, "body": small, "headers": {"Content-Encoding": "gzip"}}
    async with scripted(kind, answer) as (_, backend):
        error = await failure(backend)
    assert error.reason == Reason.UNREADABLE
    assert "longer than" in error.detail


@KINDS
@pytest.mark.parametrize("changes", [{"uncertain": True}, {"attempts": 2}], ids=["uncertain", "retried"])
async def test_what_may_exist_is_looked_up_and_taken(kind: Kind, changes: dict[str, Any]) -> None:
    async with scripted(kind, contract(kind)["found"]) as (server, backend):
        receipt = await hand_over(backend, delivery(**changes))
    assert receipt.number == "T000001"
    assert server.methods == ["GET"]


@KINDS
async def test_what_was_looked_up_and_is_not_there_is_created(kind: Kind) -> None:
    said = contract(kind)
    async with scripted(kind, said["absent"], said["created"]) as (server, backend):
        receipt = await hand_over(backend, delivery(uncertain=True))
    assert receipt.number == "T000001"
    assert server.methods == ["GET", "POST"]


@KINDS
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(failing(503), Reason.UNAVAILABLE, id="503"),
        pytest.param(failing(401), Reason.UNAUTHORIZED, id="401"),
        pytest.param(failing(400), Reason.REFUSED, id="400"),
        pytest.param(failing(410), Reason.NOT_FOUND, id="410"),
        pytest.param(failing(302, Location="/login"), Reason.MISCONFIGURED, id="302"),
        pytest.param({"status": 200, "text": "<html>"}, Reason.UNREADABLE, id="html"),
        pytest.param({"status": 200, "text": "null"}, Reason.UNREADABLE, id="null"),
        pytest.param({"status": 200, "text": "7"}, Reason.UNREADABLE, id="number"),
        pytest.param("stranger", Reason.MISMATCH, id="another-reference"),
    ],
)
async def test_a_look_up_that_fails_is_no_licence_to_create(kind: Kind, answer: Any, reason: Reason) -> None:
    answer = contract(kind)[answer] if isinstance(answer, str) else answer
    async with scripted(kind, answer) as (server, backend):
        error = await failure(backend, uncertain=True)
    assert error.reason == reason
    assert server.methods == ["GET"]


@KINDS
async def test_a_look_up_that_is_hung_up_on_is_no_licence_to_create(kind: Kind) -> None:
    async with scripted(kind, None, None) as (server, backend):
        error = await failure(backend, uncertain=True)
    assert error.reason == Reason.NO_ANSWER
    assert set(server.methods) == {"GET"}


@KINDS
@pytest.mark.parametrize("action", ["update", "note", "close", "reopen"])
async def test_what_follows_an_opening_is_told_again_without_a_look_up(kind: Kind, action: str) -> None:
    async with scripted(kind, contract(kind)["created"]) as (server, backend):
        receipt = await hand_over(backend, delivery(action, uncertain=True, attempts=3))
    assert receipt.number == "T000001"
    assert "GET" not in server.methods


@KINDS
async def test_what_follows_an_opening_finds_its_ticket_when_the_number_is_not_known(kind: Kind) -> None:
    said = contract(kind)
    async with scripted(kind, said["found"], said["created"]) as (server, backend):
        receipt = await hand_over(backend, delivery("close", number=""))
    assert receipt.number == "T000001"
    assert server.methods[0] == "GET"


@KINDS
async def test_without_any_ticket_there_is_nothing_to_update(kind: Kind) -> None:
    async with scripted(kind, contract(kind)["absent"]) as (_, backend):
        error = await failure(backend, action="close", number="")
    assert (error.reason, error.retry) == (Reason.NOT_FOUND, False)
    assert REFERENCE in error.detail


@KINDS
async def test_nobody_listening_is_tried_a_few_times_and_leaves_no_doubt(kind: Kind) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # held but not listened on: connections are refused
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        async with open_session() as session:
            world = outside(session)
            error = await failure(build(kind.name, "portal", placed(kind, url), world))
    assert (error.reason, error.retry) == (Reason.UNREACHABLE, True)
    assert error.reason not in DOUBTFUL
    assert isinstance(world.pause, Pauses)
    assert len(world.pause) == _http.CONNECT_TRIES - 1
    assert sum(world.pause) < 3


@pytest.mark.parametrize("reason", Reason)
def test_doubt_is_left_by_all_but_what_was_surely_not_done(reason: Reason) -> None:
    sure = {Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.UNAUTHORIZED, Reason.REFUSED, Reason.NOT_FOUND}
    sure |= {Reason.SETTLING, Reason.NUMBER_PENDING, Reason.TOUCHED}
    assert (reason in DOUBTFUL) == (reason not in sure)
