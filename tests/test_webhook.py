"""The webhook: the exact requests it makes, the answers it believes, the options it refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from deliveries import NOW, REFERENCE, addresses, delivery, hand_over, outside, scripted, served, webhook
from ticketserver import TicketServer
from tocsin.backends import kinds, open_session
from tocsin.backends._document import render
from tocsin.backends.webhook import Backend, Options, signature
from tocsin.errors import DeliveryError, Reason, SettingsError
from tocsin.model import Delivery, TicketStatus

SURE = {"find_url": "", "idempotent": True}


async def test_the_server_finds_the_signature_right_for_what_it_received() -> None:
    async with served() as (server, backend):
        receipt = await hand_over(backend, delivery())
        found = await backend.find(REFERENCE)
        await hand_over(backend, delivery("close", number=receipt.number))
    assert found is not None
    assert found.number == receipt.number == "T000001"
    assert server.seen[0].body == render("", delivery())
    assert server.desk.tickets["T000001"]["changes"] == ["close"]


@pytest.mark.parametrize("wrong", [{"secret_file": "api-key"}, {"token_file": "api-key"}, {"secret_file": ""}])
async def test_a_wrong_secret_is_turned_away(wrong: dict[str, str]) -> None:
    async with served(**wrong) as (server, backend):
        with pytest.raises(DeliveryError) as caught:
            await hand_over(backend, delivery())
    assert caught.value.reason == Reason.UNAUTHORIZED
    assert server.desk.tickets == {}


def test_a_signature_covers_the_secret_the_time_and_the_body() -> None:
    made = {
        signature(secret, body, NOW + timedelta(seconds=later))["X-Tocsin-Signature"]
        for secret, body, later in [
            (b"key", b"body", 0),
            (b"kez", b"body", 0),
            (b"key", b"bodz", 0),
            (b"key", b"body", 1),
        ]
    }
    assert len(made) == 4


async def test_a_server_that_keeps_keys_is_told_again_with_the_same_key() -> None:
    async with served("lost", **SURE) as (server, backend):
        with pytest.raises(DeliveryError):
            await hand_over(backend, delivery())
        await hand_over(backend, delivery(uncertain=True))
    assert [seen.method for seen in server.seen] == ["POST", "POST"]
    assert {seen.headers["Idempotency-Key"] for seen in server.seen} == {f"{REFERENCE}/17"}


@pytest.mark.parametrize("number", ["2103N09201", "a/b?c=d#e", "é à", "100%", "a%2Fb", "..%2f..", "x\\y", '"q"'])
async def test_a_number_stays_one_step_of_the_address(number: str) -> None:
    async with served() as (server, backend):
        server.desk.tickets[number] = {"number": number, "reference": REFERENCE, "changes": []}
        await hand_over(backend, delivery("note", number=number))
    assert server.desk.tickets[number]["changes"] == ["note"]


@pytest.mark.parametrize(("action", "stops"), [("open", True), ("close", False)])
async def test_one_ticket_that_is_gone_stops_nothing_where_all_goes_to_one_address(action: str, *, stops: bool) -> None:
    async with served("not_found", update_url="") as (_, backend):
        with pytest.raises(DeliveryError) as caught:
            await hand_over(backend, delivery(action))
    assert (caught.value.stops, caught.value.reason == Reason.NOT_FOUND) == (stops, not stops)


async def test_without_an_address_for_updates_all_goes_to_one() -> None:
    async with served(update_url="") as (server, backend):
        await hand_over(backend, delivery("close"))
    assert [seen.path for seen in server.seen] == ["/tickets"]


async def answered(told: Delivery, body: Any, **options: Any) -> Any:
    """What becomes of a delivery that is answered with this JSON."""
    server = TicketServer()
    server.desk.change = server.desk.create = lambda *_: body  # type: ignore[assignment, method-assign]
    server.desk.find = lambda _: body  # type: ignore[method-assign]
    server.desk.tickets["T000001"] = {}
    async with server.serving(), open_session() as session:
        return await hand_over(webhook(session, server.url, **options), told)


@pytest.mark.parametrize(
    ("body", "link"),
    [
        ({"number": "T1", "url": "https://t.example.net/T1"}, "https://t.example.net/T1"),
        ({"number": "T1", "url": "javascript:alert(1)"}, ""),
        ({"number": "T1", "url": "https://t.example.net/ onclick=x"}, ""),
        ({"number": "T1", "url": 17}, ""),
        ({"number": "T1"}, ""),
    ],
)
async def test_only_a_web_address_becomes_a_link(body: Any, link: str) -> None:
    assert (await answered(delivery(), body)).url == link


@pytest.mark.parametrize("number", ["", " ", None, True, 1.5, {}, [], ".", "..", "a\nb", "x" * 201])
async def test_what_cannot_be_a_number_is_unreadable(number: Any) -> None:
    with pytest.raises(DeliveryError) as caught:
        await answered(delivery(), {"number": number})
    assert caught.value.reason == Reason.UNREADABLE


async def test_an_envelope_is_opened_in_every_answer() -> None:
    options = {"envelope": "result", "number": "no.1", "find_reference": "ext"}
    made = await answered(delivery(), {"result": {"no": [0, 42]}}, **options)
    found = await answered(
        delivery(uncertain=True), {"result": [{"ext": "X"}, {"ext": REFERENCE, "no": [0, "A1"]}]}, **options
    )
    assert (made.number, found.number) == ("42", "A1")


async def test_a_look_up_answered_404_found_none() -> None:
    async with served("dropped", "not_found") as (server, backend):
        with pytest.raises(DeliveryError):
            await hand_over(backend, delivery())
        await hand_over(backend, delivery(uncertain=True))
    assert [seen.method for seen in server.seen] == ["POST", "GET", "POST"]


async def test_a_single_ticket_may_be_found_without_a_list() -> None:
    found = await answered(delivery(uncertain=True), {"reference": REFERENCE, "number": 7})
    assert (found.number, found.status) == ("7", TicketStatus.DECLARED)


async def test_a_ticket_with_another_reference_is_not_ours() -> None:
    with pytest.raises(DeliveryError) as caught:
        await answered(delivery(uncertain=True), [{"number": "T9", "reference": REFERENCE + "1"}])
    assert (caught.value.reason, caught.value.retry) == (Reason.MISMATCH, False)
    assert REFERENCE in caught.value.detail


@pytest.mark.parametrize("body", [{"number": "T9"}, {}, [None]])
async def test_a_ticket_without_any_reference_says_nothing(body: Any) -> None:
    with pytest.raises(DeliveryError) as caught:
        await answered(delivery(uncertain=True), body)
    assert (caught.value.reason, caught.value.retry) == (Reason.UNREADABLE, True)


@pytest.mark.parametrize("action", ["open", "close"])
@pytest.mark.parametrize(
    ("body", "reason"),
    [({"code": 0, "number": "T1"}, None), ({"code": 3, "error": "no"}, Reason.REFUSED), ({}, Reason.UNREADABLE)],
    ids=["success", "refused", "unreadable"],
)
async def test_a_status_of_200_is_not_yet_success(action: str, body: Any, reason: Reason | None) -> None:
    told, options = delivery(action), {"success": "answer.code == 0"}
    if reason is None:
        assert (await answered(told, body, **options)).status == told.body.status
    else:
        with pytest.raises(DeliveryError) as caught:
            await answered(told, body, **options)
        assert caught.value.reason == reason


async def test_a_template_that_fails_on_a_delivery_sends_nothing() -> None:
    async with served(body='{"n": {{ notes[0].fr }}}') as (server, backend):
        with pytest.raises(DeliveryError) as caught:
            await hand_over(backend, delivery())
    assert (caught.value.reason, caught.value.retry) == (Reason.MISCONFIGURED, False)
    assert "backend portal, option 'body': line 1" in caught.value.detail
    assert server.seen == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"find_url": ""}, "a lost answer could make a second ticket"),
        ({"idempotent": True}, "exactly one of find_url and `idempotent: true`"),
        ({"url": "ftp://x/"}, "must be an http:// or https:// address"),
        ({"url": "/tickets"}, "must be an http:// or https:// address"),
        ({"url": "http://"}, "must be an http:// or https:// address"),
        ({"url": "http://[::1/"}, "url"),
        ({"url": "https://me:pw@x/"}, "must not hold a user or password"),
        ({"url": "https://x/{number}"}, "{number} means nothing here; it may hold nothing in braces"),
        ({"update_url": "https://x/{numbr}"}, "it may hold {number} and {reference}"),
        ({"find_url": "https://x/"}, "must hold {reference}"),
        ({"find_url": "https://x/{reference}/{number}"}, "{number} means nothing here"),
        ({"body": '{"a": "{{ name.fr }}"}'}, "without quotes around it"),
        ({"success": "answer.code =="}, "is not an expression"),
        ({"headers": {"authorization": "Bearer x"}}, "put it in a file"),
        ({"headers": {"Idempotency-Key": "x"}}, "is written by tocsin itself"),
        ({"headers": {"X-Tocsin-Signature": "x"}}, "is written by tocsin itself"),
        ({"header_files": {"Host": "api-key"}}, "is written by tocsin itself"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "cannot be sent so"),
        ({"headers": {"X A": "a"}}, "cannot be sent so"),
        ({"timeout": "soon"}, "write a span of time"),
        ({"timeout": "0s"}, "greater than 0"),
        ({"timeout": "6m"}, "less than or equal to 5 minutes"),
        ({"number": ""}, "at least 1 character"),
        ({"priority": "P1"}, "Extra inputs"),
    ],
)
def test_options_that_cannot_work_are_refused_with_the_reason(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options(**{**addresses("https://tickets.example.net"), **changes})
    assert words in str(caught.value)


def test_a_refused_option_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        Options(**addresses("https://me:hunter2@x"), headers={"Cookie": "hunter2"}, token="hunter2")
    assert caught.value.error_count() == 5
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"secret_file": "nothing"}, "the file of secret_file is empty"),
        ({"token_file": "two-lines"}, "the file of token_file must hold one line of plain ASCII"),
        ({"header_files": {"X-API-Key": "two-lines"}}, "the file of X-API-Key must hold one line"),
    ],
)
async def test_a_secret_that_cannot_be_used_shows_at_start(files: dict[str, Any], words: str) -> None:
    async with open_session() as session:
        with pytest.raises(SettingsError, match=f"backend portal: {words}"):
            webhook(session, "http://127.0.0.1:1", **files)


@pytest.mark.parametrize(
    ("options", "methods"),
    [
        ({}, ["GET", "POST"]),
        ({"success": "answer.made"}, ["GET", "POST"]),  # written for what opens a ticket: it says nothing of a look-up
        ({"success": "answer.made.at > 0"}, ["GET", "POST"]),
        ({"success": "answer.code == 0"}, ["GET"]),
    ],
)
async def test_an_empty_list_is_none_only_in_an_answer_that_is_a_success(
    options: dict[str, Any], methods: list[str]
) -> None:
    """A server that could not look answers 200, an error, and no tickets."""
    body = {"status": 200, "body": b'{"code": 1, "error": "database", "tickets": []}'}
    how = {"envelope": "tickets", **options}
    async with scripted(kinds()["webhook"], body, body, **how) as (server, backend):
        with pytest.raises(DeliveryError) as caught:
            await hand_over(backend, delivery(uncertain=True))
    assert server.methods == methods
    assert len(methods) > 1 or (caught.value.reason, caught.value.retry) == (Reason.UNREADABLE, True)


@pytest.mark.parametrize(("state", "status"), [("closed", "closed"), ("Geschlossen", "closed"), ("ok", "declared")])
async def test_a_receipt_says_what_the_answer_says_of_the_status(state: str, status: str) -> None:
    ticket = {"number": "T1", "reference": REFERENCE, "status": state}
    for told in (delivery(), delivery(uncertain=True)):
        assert (await answered(told, ticket, statuses={"closed": "Geschlossen"})).status == status


async def test_a_basic_credential_is_struck_out_of_what_a_server_repeats() -> None:
    async with open_session() as session:
        options = Options(**addresses("http://127.0.0.1:1"), header_files={"Authorization": "basic"})
        backend = Backend("portal", options, outside(session, {"basic": b"Basic dG9jc2luOnBhc3N3b3Jk"}))
    assert "dG9jc2luOnBhc3N3b3Jk" in backend.request(delivery()).hide
