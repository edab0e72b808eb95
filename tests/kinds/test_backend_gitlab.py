"""What is GitLab's alone: words that are searched, quick actions that must not run, labels that are dropped, two states."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from deliveries import REFERENCE, delivery
from fakes.core import Does
from kit import NOTE, World, told, world
from tocsin.backends import Level, build, kinds
from tocsin.backends._forge import unreferring
from tocsin.backends._http import Answer, Request
from tocsin.backends.gitlab import heard, judge
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus

if TYPE_CHECKING:
    from fakes.gitlab import Issue

GITLAB = kinds()["gitlab"]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def held(there: World, number: int = 1) -> Issue:
    return there.server.face.issues[number]


async def test_a_project_may_be_named_by_its_number() -> None:
    async with world(GITLAB, project=42) as there:
        await there.opened()
        assert there.server.asked(Does.CREATE)[0].path == "/api/v4/projects/42/issues"


async def test_an_issue_that_only_speaks_of_ours_is_not_taken_for_it() -> None:
    async with world(GITLAB) as there:
        await there.opened(reference="OTHER")
        held(there).description = f"Same as {REFERENCE}?\n\n(tocsin OTHER)"
        receipt = await there.opened()
        found = await there.backend.find(REFERENCE)
    assert found is not None
    assert found.number == receipt.number == "2"


async def test_a_ticket_in_which_people_speak_of_another_is_still_ours() -> None:
    async with world(GITLAB) as there:
        receipt = await there.opened()
        held(there).description += "\n\nSame cause as #7 (tocsin OTHER1)"
        await there.tell(told("close", receipt.number))
        assert await there.backend.find("OTHER1") is None
        assert held(there).state == "closed"


async def test_an_impact_that_a_person_changed_is_not_told_over() -> None:
    async with world(GITLAB) as there:
        receipt = await there.opened()
        before = await there.backend.read(receipt.number)
        held(there).labels[:] = ["tocsin", "impact::degraded", "bug"]
        after = await there.backend.read(receipt.number)
        seen = {"stands": TicketStatus.DECLARED, "priority": "impact::interrupted"}
        error = await there.fail(told("update", receipt.number, **seen))
        assert not there.server.asked(Does.CHANGE)
    assert before is not None
    assert after is not None
    assert (before.priority, after.priority) == ("impact::interrupted", "impact::degraded")
    assert error.reason == Reason.TOUCHED


async def test_a_reference_is_found_on_a_later_page() -> None:
    async with world(GITLAB) as there:
        for number in range(25):
            await there.opened(reference=f"{REFERENCE}{number}", id=number)
        receipt = await there.opened()
        again = await there.tell(delivery(number="", uncertain=True, attempts=2))
        assert len(there.server.asked(Does.SEARCH)) == 2
    assert again.number == receipt.number


@pytest.mark.parametrize("action", ["/close", "text\n/close", "```\n/close\n```", "`````\n/close"])
async def test_no_text_of_an_alert_is_a_quick_action(action: str) -> None:
    texts = {"en": action, "fr": action}
    async with world(GITLAB) as there:
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, description=texts, notes=(texts,))))
        await there.tell(told("note", receipt.number, body={"notes": (texts,)}))
        assert held(there).state == "opened"


def test_the_fake_obeys_quick_actions_outside_of_blocks() -> None:
    from fakes.gitlab import commands  # noqa: PLC0415 - one test's

    assert commands("/close\n```text\n/label ~x\n```\n/assign me") == ["/close", "/assign me"]


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("disk of @ops at 99%", "disk of @\N{ZERO WIDTH SPACE}ops at 99%"),
        ("#12 and !7 and root@example.net", "#\N{ZERO WIDTH SPACE}12 and !\N{ZERO WIDTH SPACE}7 and root@example.net"),
        ("a & b # c", "a & b # c"),
    ],
)
def test_a_title_mentions_and_links_nothing(title: str, written: str) -> None:
    assert unreferring(title, 255) == written


async def test_a_title_stays_within_what_is_taken_whatever_stands_in_it() -> None:
    async with world(GITLAB) as there:
        one = delivery(number="")
        name = {"en": "@x " * 200, "fr": "@x " * 200}
        await there.tell(replace(one, body=replace(one.body, name=name)))
        assert len(held(there).title) == 255


@pytest.mark.parametrize("scoped", [False, True], ids=["free", "premium"])
async def test_labels_that_people_set_stay_and_ours_take_turns(scoped: bool) -> None:  # noqa: FBT001
    async with world(GITLAB, labels=["network"]) as there:
        there.server.face.scoped = scoped
        receipt = await there.opened()
        held(there).labels.append("bug")
        body = {"impact": Impact.SEVERE, "status": TicketStatus.REPAIRED}
        await there.tell(told("update", receipt.number, body=body))
        assert set(held(there).labels) == {"tocsin", "network", "bug", "impact::severe", "status::repaired"}
        await there.tell(told("close", receipt.number, id=19))
        assert set(held(there).labels) == {"tocsin", "network", "bug", "impact::severe"}


async def test_a_label_that_is_dropped_without_a_word_is_an_error() -> None:
    async with world(GITLAB) as there:
        receipt = await there.opened()
        there.server.face.level = 10
        error = await there.fail(told("update", receipt.number, body={"impact": Impact.NONE}))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "role Reporter" in str(error)


async def test_an_update_does_not_take_a_ticket_out_of_the_hands_of_who_works_on_it() -> None:
    async with world(GITLAB) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="waiting")
        after = await there.tell(told("update", receipt.number))
        assert "status::waiting" in held(there).labels
    assert after.status == TicketStatus.WAITING


async def test_what_gitlab_writes_itself_is_no_note_of_a_person() -> None:
    async with world(GITLAB) as there:
        receipt = await there.opened()
        there.server.face.person(receipt.number, status="closed")
        record = await there.backend.read(receipt.number)
    assert record is not None
    assert record.notes == ()
    assert (record.status, record.actor) == (TicketStatus.CLOSED, "Ines Martin")


async def test_the_note_with_a_file_is_known_as_ours() -> None:
    async with world(GITLAB) as there:
        long = {"en": "word " * 10_000, "fr": "mot " * 10_000}
        one = delivery(number="")
        receipt = await there.tell(replace(one, body=replace(one.body, description=long)))
        record = await there.backend.read(receipt.number)
    assert record is not None
    (note,) = record.notes
    assert f"(tocsin {REFERENCE})" in note.text


async def test_tickets_and_notes_may_be_for_few_eyes_only() -> None:
    async with world(GITLAB, confidential=True, internal_notes=True, issue_type="issue") as there:
        receipt = await there.opened()
        await there.tell(told("note", receipt.number))
        issue = held(there)
    assert (issue.confidential, issue.kind, issue.notes[0]["internal"]) == (True, "issue", True)
    assert NOTE["en"] in issue.notes[0]["body"]


async def test_a_note_is_not_written_again_when_a_later_step_was_put_off() -> None:
    async with world(GITLAB) as there:
        receipt = await there.opened()
        there.server.script(Does.CHANGE, "ok", "limited")
        await there.tell(told("close", receipt.number))
        (ticket,) = there.server.face.tickets()
    assert (ticket.status, len(ticket.notes)) == ("closed", 1)


async def test_a_project_that_is_not_to_be_seen_stops_the_backend_and_loses_nothing() -> None:
    async with world(GITLAB) as there:
        receipt = await there.opened()
        there.server.face.there = False
        for one in (delivery(number="", reference="NEW"), told("close", receipt.number)):
            error = await there.fail(one)
            assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)


def judged(status: int, body: str = "{}", **headers: str) -> DeliveryError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = judge(Answer(status, named, body.encode()), Request("GET", "https://gitlab.example.net/x"), NOW)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "30", "RateLimit_Reset": "1795341900"}, 30),
        ({"RateLimit_Reset": "1795341900"}, 300),
        ({"RateLimit_Reset": "1795341000"}, 0),
        ({}, None),
    ],
)
def test_a_limit_is_waited_out(headers: dict[str, str], seconds: int | None) -> None:
    error = judged(429, "Retry later\n", **headers)
    assert error.reason == Reason.RATE_LIMITED
    assert error.after == (None if seconds is None else timedelta(seconds=seconds))


def test_a_gitlab_in_maintenance_is_waited_for() -> None:
    error = judged(403, '{"message": "You cannot perform write operations on a read-only instance"}')
    assert (error.reason, error.retry, error.stops) == (Reason.UNAVAILABLE, True, False)


def test_an_issue_that_somebody_changes_right_now_is_waited_for() -> None:
    locked = judged(409, '{"message": "409 Conflict: Resource lock"}')
    twice = judged(409, '{"message": "Duplicated issue"}')
    assert (locked.reason, locked.retry, locked.stops) == (Reason.UNAVAILABLE, True, False)
    assert (twice.reason, twice.retry) == (Reason.REFUSED, False)


async def test_a_closing_that_met_a_lock_closes_in_the_end_and_says_so_once() -> None:
    from aiohttp import web  # noqa: PLC0415 - one test's

    async with world(GITLAB) as there:
        receipt = await there.opened()
        locked = {"message": "409 Conflict: Resource lock"}
        there.server.face.refused = lambda: web.json_response(locked, status=409)
        there.server.script(Does.CHANGE, "ok", "refused", "refused")
        await there.tell(told("close", receipt.number))
        assert (held(there).state, len([note for note in held(there).notes if not note["system"]])) == ("closed", 1)


async def test_a_check_says_what_is_wrong_with_the_project_and_the_token() -> None:
    async with world(GITLAB) as there:
        face = there.server.face
        face.level, face.expires = 10, "2026-12-01"
        said = {one.level: one.told for one in await there.backend.check()}
        assert "role Reporter" in said[Level.ERROR]
        assert "ends on 2026-12-01" in said[Level.WARNING]
        face.there = False
        assert "may not see it" in (await there.backend.check())[-1].told


async def test_a_level_of_whatever_length_is_no_fault() -> None:
    async with world(GITLAB) as there:
        there.server.face.level = "9" * 5_000
        assert {one.level for one in await there.backend.check()} == {Level.FINE}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"project": ""}, "option 'project'"),
        ({"label": "a,b"}, "option 'label'"),
        ({"labels": ["a,b"]}, "no comma"),
        ({"impacts": {"none": ""}}, "no comma"),
        ({"statuses": {"cancelled": "status::no"}}, "cancelled is told by closing or opening"),
        ({"issue_type": "task"}, "option 'issue_type'"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    async with world(GITLAB) as there:
        with pytest.raises(SettingsError, match=sentence):
            build("gitlab", "portal", {**there.server.face.options(), **options}, there.outside)


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ({"object_kind": "issue", "object_attributes": {"id": 9001, "iid": 7}}, ["7"]),
        ({"object_kind": "work_item", "object_attributes": {"id": 9001, "iid": 7}}, ["7"]),
        ({"event_type": "confidential_issue", "object_kind": "issue", "object_attributes": {"iid": 7}}, ["7"]),
        ({"object_kind": "note", "object_attributes": {"id": 1}, "issue": {"id": 9001, "iid": 8}}, ["8"]),
        ({"object_kind": "note", "object_attributes": {"id": 1}, "merge_request": {"iid": 3}}, []),
        ({"object_kind": "emoji", "object_attributes": {"id": 1}, "issue": {"iid": 8}}, ["8"]),
        ({"object_kind": "push", "ref": "refs/heads/main"}, []),
    ],
)
def test_a_webhook_names_its_issue(body: object, numbers: list[str]) -> None:
    assert heard(Payload(body=json.dumps(body).encode())) == numbers


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"object_kind": 3.5}'])
def test_what_is_no_webhook_of_gitlab_is_said_in_a_sentence(body: bytes) -> None:
    with pytest.raises(PayloadError, match="GitLab"):
        heard(Payload(body=body))
