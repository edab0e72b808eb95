"""What is GitHub's alone: labels that tell and labels that are dropped, limits that look like refusals, moved issues."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from msgspec.structs import replace

from deliveries import REFERENCE, delivery
from fakes.core import Does
from kit import World, told, world
from tocsin.backends import Level, build, kinds
from tocsin.backends._forge import fenced, marked, reference_in, swap
from tocsin.backends._github_answers import judge
from tocsin.backends._http import Answer, Request
from tocsin.backends._minted import not_before
from tocsin.backends.github import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus
from tocsin.store.mint import mint

if TYPE_CHECKING:
    from fakes.github import Issue

GITHUB = kinds()["github"]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def held(there: World, number: int = 1) -> Issue:
    return there.server.face.issues[number]


# --- finding again -----------------------------------------------------------------------------------------------------


async def test_a_lost_answer_is_looked_for_among_the_issues_since_the_incident_began() -> None:
    reference = mint()(NOW)
    async with world(GITHUB) as there:
        for number in range(45):
            there.server.clock.now = NOW - timedelta(days=60) + timedelta(days=number)
            await there.opened(reference=f"OLD{number}", id=number)
        there.server.clock.now = NOW
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number="", reference=reference))
        await there.opened(reference="LATER")
        receipt = await there.tell(delivery(number="", reference=reference, uncertain=True, attempts=2))
        (asked,) = there.server.asked(Does.SEARCH)
    assert receipt.number == "46"
    assert parse_qs(urlsplit(asked.path).query)["since"] == ["2026-11-21T10:00:00Z"]


async def test_a_reference_that_tells_no_time_is_looked_for_through_all_pages() -> None:
    async with world(GITHUB) as there:
        await there.opened()
        for number in range(50):
            await there.opened(reference=f"NEW{number}", id=number)
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=2))
        assert len(there.server.asked(Does.SEARCH)) == 3
    assert receipt.number == "1"


async def test_of_two_issues_with_our_reference_the_older_one_is_ours() -> None:
    async with world(GITHUB) as there:
        await there.opened()
        await there.opened()
        found = await there.backend.find(REFERENCE)
    assert found is not None
    assert found.number == "1"


async def test_a_pull_request_with_our_label_is_no_ticket() -> None:
    async with world(GITHUB) as there:
        await there.opened()
        held(there).pull = True
        assert await there.backend.search(REFERENCE) == []
        assert await there.backend.changes(NOW) == []


@pytest.mark.parametrize("instant", [NOW, datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 2, 3, 4, 5, 6, tzinfo=UTC)])
def test_a_minted_reference_tells_when_it_was_made(instant: datetime) -> None:
    assert not_before(mint()(instant)) == instant - timedelta(days=1)


@pytest.mark.parametrize("reference", ["", REFERENCE, "1JMH5XT06X4H", "1JMH5XT06X4HU", "1jmh5xt06x4h6"])
def test_any_other_reference_tells_no_time(reference: str) -> None:
    assert not_before(reference) is None


async def test_a_ticket_in_which_people_speak_of_another_is_still_ours() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        held(there).body += "\r\n\r\nSame cause as #7 (tocsin OTHER1)"
        await there.tell(told("close", receipt.number))
        assert [one.number for one in await there.backend.changes(NOW)] == [receipt.number]
        assert await there.backend.search("OTHER1") == []
        assert held(there).state == "closed"


async def test_where_labels_are_dropped_an_issue_that_is_not_found_is_not_made_again() -> None:
    async with world(GITHUB) as there:
        there.server.face.push = False
        there.server.script(Does.CREATE, "lost")
        await there.fail(delivery(number=""))
        there.server.clock.advance(minutes=5)
        error = await there.fail(delivery(number="", uncertain=True, attempts=2, doubted_at=NOW))
        assert len(there.server.face.tickets()) == 1
        assert (error.reason, error.stops, error.doubts) == (Reason.MISCONFIGURED, True, False)
        assert "put the label on issues" in str(error)
        there.server.face.push = True
        held(there).labels.append("tocsin")
        receipt = await there.tell(delivery(number="", uncertain=True, attempts=3, doubted_at=NOW))
    assert receipt.number == "1"


async def test_where_labels_are_dropped_the_ticket_is_told_not_to_be_found_again() -> None:
    async with world(GITHUB) as there:
        there.server.face.push = False
        receipt = await there.opened()
        (wrong,) = [one for one in await there.backend.check() if one.level == Level.ERROR]
    assert "did not keep our reference" in receipt.remark
    assert "labels are dropped" in wrong.told


# --- labels ------------------------------------------------------------------------------------------------------------


async def test_labels_that_people_set_stay_and_ours_take_turns() -> None:
    async with world(GITHUB, labels=["network"]) as there:
        receipt = await there.opened()
        held(there).labels.append("bug")
        await there.tell(
            told("update", receipt.number, body={"impact": Impact.SEVERE, "status": TicketStatus.REPAIRED})
        )
        assert set(held(there).labels) == {"tocsin", "network", "bug", "impact: severe", "status: repaired"}
        await there.tell(told("close", receipt.number, id=19))
        assert set(held(there).labels) == {"tocsin", "network", "bug", "impact: severe"}


async def test_labels_are_the_same_whatever_their_case() -> None:
    async with world(GITHUB) as there:
        there.server.face.known |= {"tocsin": "Tocsin", "impact: interrupted": "Impact: INTERRUPTED"}
        receipt = await there.opened()
        record = await there.backend.read(receipt.number)
        await there.tell(told("update", receipt.number, body={"notes": ()}))
        assert not there.server.asked(Does.CHANGE)
    assert record is not None
    assert record.impact == Impact.INTERRUPTED
    assert receipt.remark == ""


async def test_of_several_impacts_the_worst_counts() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        held(there).labels[:] = ["impact: none", "impact: severe", "impact: degraded"]
        record = await there.backend.read(receipt.number)
        await there.tell(told("update", receipt.number, body={"impact": Impact.NONE}))
        assert held(there).labels == ["impact: none"]
    assert record is not None
    assert record.impact == Impact.SEVERE


async def test_an_impact_that_a_person_changed_is_not_told_over() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        before = await there.backend.read(receipt.number)
        held(there).labels[:] = ["tocsin", "Impact: Degraded", "bug"]
        after = await there.backend.read(receipt.number)
        seen = {"stands": TicketStatus.DECLARED, "priority": "impact: interrupted"}
        error = await there.fail(told("update", receipt.number, **seen))
        assert not there.server.asked(Does.CHANGE)
    assert before is not None
    assert after is not None
    assert (before.priority, after.priority) == ("impact: interrupted", "Impact: Degraded")
    assert error.reason == Reason.TOUCHED


async def test_a_label_that_somebody_was_quicker_to_remove_is_no_error() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.ghosts = ["impact: none"]
        await there.tell(told("update", receipt.number, body={"impact": Impact.BACKUP}))
        assert held(there).labels == ["tocsin", "impact: backup"]


async def test_a_label_that_is_not_taken_is_an_error() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.push = False
        error = await there.fail(told("update", receipt.number, body={"impact": Impact.NONE}))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "write to the repository" in str(error)


@pytest.mark.parametrize(
    ("state", "reason", "status"),
    [
        ("open", None, "declared"),
        ("open", "reopened", "declared"),
        ("closed", None, "closed"),
        ("closed", "completed", "closed"),
        ("closed", "not_planned", "cancelled"),
        ("closed", "duplicate", "cancelled"),
        ("closed", "of a future version", "closed"),
    ],
)
async def test_each_state_and_reason_is_a_status(state: str, reason: str | None, status: str) -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        held(there).state, held(there).reason = state, reason
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.status == status


async def test_an_update_does_not_take_a_ticket_out_of_the_hands_of_who_works_on_it() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="in_progress")
        after = await there.tell(told("update", receipt.number))
        assert "status: in progress" in held(there).labels
    assert after.status == TicketStatus.IN_PROGRESS


@pytest.mark.parametrize(
    ("wanted", "present", "swapped"),
    [
        ("a", ["x"], (["a"], [])),
        ("a", ["A", "b", "C"], ([], ["b", "C"])),
        ("", ["b", "x"], ([], ["b"])),
        ("a", [], (["a"], [])),
    ],
)
def test_labels_swap(wanted: str, present: list[str], swapped: tuple[list[str], list[str]]) -> None:
    assert swap(wanted, ["a", "b", "c"], present) == swapped


# --- texts -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["@team /close #1", "```\n</code>", "a ```` b", "~~~", "", "`"])
def test_no_text_can_end_the_block_that_it_stands_in(text: str) -> None:
    first, *_, last = fenced(text).split("\n")
    assert first == f"{last}text"
    assert all(not line.strip().startswith(last) for line in text.split("\n"))
    assert f"\n{text}\n" in fenced(text)


@pytest.mark.parametrize(
    ("description", "reference"),
    [
        (marked("about (tocsin OTHER)", REFERENCE), REFERENCE),
        (f"{marked('28 processes', REFERENCE)}\n\nSame cause as #7 (tocsin OTHER)", REFERENCE),
        (f"{marked('28 processes', REFERENCE)}\n\n{marked('pasted from #7', 'OTHER')}", REFERENCE),
        (f"{marked('28 processes', REFERENCE)}\n(tocsin OTHER)".replace("\n", "\r\n"), REFERENCE),
        (f"```text\na log\n```\nSee #7 (tocsin OTHER).\n\n{marked('28 processes', REFERENCE)}", REFERENCE),
        (marked("```text\nx\n```\n(tocsin OTHER)", REFERENCE), REFERENCE),
        (marked("", REFERENCE), REFERENCE),
        ("```text\n" * 20_000, ""),
        (f"edited\n(tocsin {REFERENCE}) by hand", REFERENCE),
        ("28 processes now.\n(tocsin K7F3Q2/18)", ""),
        ("", ""),
    ],
)
def test_the_reference_stands_behind_the_block_that_we_wrote(description: str, reference: str) -> None:
    assert reference_in(description) == reference


# --- answers -----------------------------------------------------------------------------------------------------------


def judged(status: int, path: str, message: Any = "", **headers: str) -> DeliveryError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"message": message}).encode() if isinstance(message, str) else json.dumps(message).encode()
    error = judge(Answer(status, named, body), Request("GET", f"https://api.github.com/repos/o/r/{path}"), NOW)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("status", "message", "headers", "after"),
    [
        (403, "API rate limit exceeded", {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1795341900"}, 300),
        (429, "API rate limit exceeded", {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1795341000"}, 0),
        (403, "You have exceeded a secondary rate limit", {"Retry_After": "30"}, 30),
        (403, "You have exceeded a secondary rate limit", {"X_RateLimit_Remaining": "4000"}, 60),
        (429, "", {}, 60),
        (403, "You have triggered an abuse detection mechanism", {}, 60),
    ],
)
def test_a_refusal_may_be_a_limit(status: int, message: str, headers: dict[str, str], after: int) -> None:
    error = judged(status, "issues", message, **headers)
    assert (error.reason, error.retry, error.stops) == (Reason.RATE_LIMITED, True, False)
    assert error.after == timedelta(seconds=after)


def test_a_right_that_lacks_stops_and_a_locked_conversation_does_not() -> None:
    lacking = judged(403, "issues", "Resource not accessible by integration", X_RateLimit_Remaining="4999")
    locked = judged(403, "issues/1/comments", "Unable to create comment because issue is locked.")
    assert (lacking.reason, lacking.stops) == (Reason.UNAUTHORIZED, True)
    assert (locked.reason, locked.stops, locked.retry) == (Reason.REFUSED, False, False)


@pytest.mark.parametrize(
    ("said", "reason", "after"),
    [
        ("was submitted too quickly", Reason.RATE_LIMITED, timedelta(minutes=1)),
        ("Could not resolve to a node with the global id of 'I_kwDO1'.", Reason.UNAVAILABLE, None),
        ("body is too long (maximum is 65536 characters)", Reason.REFUSED, None),
    ],
)
def test_what_is_said_to_be_invalid_may_only_be_too_early(said: str, reason: Reason, after: timedelta | None) -> None:
    problem = {"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": said}
    error = judged(422, "issues/1/comments", {"message": "Validation Failed", "errors": [problem]})
    assert (error.reason, error.retry, error.after) == (reason, reason != Reason.REFUSED, after)


async def test_a_new_issue_that_not_all_servers_know_yet_is_not_gone() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.unknown = {1}
        error = await there.fail(told("note", receipt.number))
        assert (error.reason, error.retry, error.harmless) == (Reason.SETTLING, True, True)
        assert error.after == timedelta(minutes=1)
        there.server.clock.advance(minutes=2)
        assert await there.backend.read(receipt.number) is None
        there.server.face.unknown = set()
        await there.tell(told("note", receipt.number))


async def test_issues_that_are_switched_off_stop_the_backend_and_lose_nothing() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.has_issues = False
        for one in (delivery(number="", reference="NEW"), told("close", receipt.number)):
            error = await there.fail(one)
            assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
            assert "switch issues on" in str(error)


async def test_an_issue_that_was_moved_is_gone_and_the_backend_goes_on() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.moved = {1}
        assert await there.backend.read(receipt.number) is None
        error = await there.fail(told("close", receipt.number))
    assert (error.reason, error.stops) == (Reason.NOT_FOUND, False)


async def test_a_repository_that_is_not_to_be_seen_does_not_make_its_tickets_gone() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.there = False
        for one in (delivery(number="", reference="NEW"), told("close", receipt.number)):
            error = await there.fail(one)
            assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)


@pytest.mark.parametrize(("count", "first"), [(3, 0), (19, 0), (20, 0), (41, 0), (60, 20), (75, 20)])
async def test_the_newest_comments_are_read_however_many_there_are(count: int, first: int) -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        for number in range(count):
            there.server.face.person(receipt.number, note=f"comment {number}")
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert [note.text for note in record.notes] == [f"comment {number}" for number in range(first, count)]


async def test_a_note_is_not_written_again_when_a_later_step_was_put_off() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.script(Does.CHANGE, "ok", "limited")
        await there.tell(told("close", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("closed", 1)


# --- checks, options, webhooks -----------------------------------------------------------------------------------------


async def test_a_check_warns_before_the_token_ends() -> None:
    async with world(GITHUB) as there:
        there.server.face.expires = "2026-12-01 10:00:00 UTC"
        (warning,) = [one for one in await there.backend.check() if one.level == Level.WARNING]
        there.server.face.expires = "2027-12-01 10:00:00 UTC"
        assert not [one for one in await there.backend.check() if one.level == Level.WARNING]
    assert "ends on 2026-12-01" in warning.told


@pytest.mark.parametrize("said", [b'"x"', b"[]", b"3", b"true"])
async def test_a_repository_that_is_none_is_said_in_a_sentence(said: bytes) -> None:
    from aiohttp import web  # noqa: PLC0415 - one test's

    async with world(GITHUB) as there:
        there.server.face.inside = lambda: web.Response(body=said, content_type="application/json")
        there.server.script(Does.CHECK, "inside")
        with pytest.raises(DeliveryError, match="not an object"):
            await there.backend.check()


async def test_no_number_is_too_long() -> None:
    async with world(GITHUB) as there:
        receipt = await there.opened()
        there.server.face.counted = "9" * 5_000
        assert await there.backend.read(receipt.number) is not None


async def test_a_check_says_that_the_repository_is_not_there() -> None:
    async with world(GITHUB) as there:
        there.server.face.there = False
        (finding,) = await there.backend.check()
    assert finding.level == Level.ERROR
    assert "may not see it" in finding.told


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"url": "https://github.com"}, "give the address of the API"),
        ({"repository": "operations"}, "option 'repository'"),
        ({"label": "a,b"}, "option 'label'"),
        ({"statuses": {"closed": "done"}}, "closed is told by closing or opening"),
        ({"token_file": 3}, "option 'token_file'"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    async with world(GITHUB) as there:
        with pytest.raises(SettingsError, match=sentence):
            build("github", "portal", {**there.server.face.options(), **options}, there.outside)


async def test_statuses_and_impacts_may_be_called_otherwise() -> None:
    async with world(GITHUB, statuses={"repaired": "ok"}, impacts={"interrupted": "P1"}) as there:
        receipt = await there.opened()
        await there.tell(told("update", receipt.number, body={"status": TicketStatus.REPAIRED}))
        record = await there.backend.read(receipt.number)
        assert held(there).labels == ["tocsin", "P1", "ok"]
    assert record is not None
    assert (record.status, record.impact) == (TicketStatus.REPAIRED, Impact.INTERRUPTED)


ISSUE = {"action": "closed", "issue": {"number": 7}, "repository": {}}
COMMENT = {"action": "created", "issue": {"number": 8}, "comment": {}, "repository": {}}


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        (ISSUE, ["7"]),
        (COMMENT, ["8"]),
        ({"zen": "Keep it logically awesome.", "hook_id": 1}, []),
        ({"ref": "refs/heads/main", "repository": {}}, []),
    ],
)
def test_a_webhook_names_its_issue(body: object, numbers: list[str]) -> None:
    said = json.dumps(body)
    form = urlencode({"payload": said}).encode()
    assert heard(Payload(body=said.encode())) == numbers
    assert heard(Payload(body=form, content_type="application/x-www-form-urlencoded")) == numbers


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"payload=%7B", b"[" * 100_000, b'{"issue": 3}'])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_what_is_no_webhook_of_github_is_said_in_a_sentence(body: bytes, kind: str) -> None:
    with pytest.raises(PayloadError, match="GitHub"):
        heard(Payload(body=body, content_type=kind))


async def test_a_title_is_cut_where_github_would_refuse_it() -> None:
    async with world(GITHUB) as there:
        one = delivery(number="")
        name = {"en": "word " * 100, "fr": "mot " * 100}
        await there.tell(replace(one, body=replace(one.body, name=name)))
        assert 200 < len(held(there).title) <= 256
