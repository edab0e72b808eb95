"""What is Redmine's alone: filters and fields that are ignored, workflows, names in any language, notes that become public."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deliveries import REFERENCE, delivery
from fakes.core import Does
from fakes.redmine import ELEMENT, FIELD, IMPACT, PERMISSIONS
from following import both
from house import alert
from kit import NOTE, World, told, world
from tocsin.agreement import POLICIES
from tocsin.backends import Level, kinds
from tocsin.backends.redmine import heard
from tocsin.errors import DeliveryError, PayloadError, Reason, SettingsError
from tocsin.model import Impact, Payload, TicketStatus
from tocsin.reconciling import Reconciler, Report

if TYPE_CHECKING:
    from pathlib import Path

    from fakes.redmine import Issue
    from following import Both

REDMINE = kinds()["redmine"]
PRIVATE = {"set_notes_private", "view_private_notes"}


def held(there: World) -> Issue:
    (one,) = there.server.face.issues.values()
    issue: Issue = one
    return issue


async def compared(side: Both) -> Report:
    clock = side.there.server.clock
    reconciler = Reconciler("remote", side.there.backend, side.store, POLICIES, timedelta(days=7), clock)
    side.passes(seconds=10)
    *_, last = [line async for line in reconciler.run(fix=True)]
    assert isinstance(last, Report)
    return last


async def findings(there: World) -> dict[str, tuple[Level, str]]:
    return {one.what: (one.level, one.told) for one in await there.backend.check() if one.level != Level.FINE}


# --- our reference ----------------------------------------------------------------------------------------------------

IGNORED = pytest.mark.parametrize(
    ("filters", "visible", "field"),
    [({IMPACT}, {FIELD, IMPACT}, FIELD), ({FIELD}, {IMPACT}, FIELD), ({FIELD}, {FIELD}, 99)],
    ids=["not a filter", "not visible", "not there"],
)


@IGNORED
async def test_a_filter_that_redmine_ignores_is_no_licence_to_create(
    filters: set[int], visible: set[int], field: int
) -> None:
    async with world(REDMINE, reference_field=field) as there, world(REDMINE) as other:
        for reference in ("OTHER", "NOBODYS"):
            await other.opened(reference=reference)
        other.server.face.disown("2", "")
        face = there.server.face
        face.issues, face.filters, face.visible = other.server.face.issues, filters, visible
        error = await there.fail(delivery(number="", attempts=2, uncertain=True))
        assert len(face.issues) == 2
        with pytest.raises(DeliveryError) as caught:
            await there.backend.changes(there.server.clock())
        level, said = (await findings(there))["reference_field"]
    for one in (error, caught.value):
        assert (one.reason, one.stops) == (Reason.MISCONFIGURED, True)
        assert f"ignores the custom field {field} as a filter" in str(one)
        assert "let it be used as a filter and be visible to tocsin's role" in str(one)
    assert level == Level.ERROR
    assert "correct" in said


async def test_a_reference_that_was_not_kept_is_said() -> None:
    async with world(REDMINE) as there:
        there.server.face.visible = {IMPACT}
        receipt = await there.opened()
    assert "did not keep our reference" in receipt.remark


async def test_an_issue_in_another_project_is_still_ours() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        await there.backend.search(REFERENCE)
        await there.backend.changes(there.server.clock())
        for seen in there.server.asked(Does.SEARCH, Does.LIST):
            assert "project_id" not in seen.path


# --- what cannot be declared ------------------------------------------------------------------------------------------


async def test_a_tracker_that_the_project_does_not_have_stops_everything_before_an_issue_is_made() -> None:
    async with world(REDMINE, tracker="Incidents") as there:
        error = await there.fail(delivery(number=""))
        assert there.server.face.issues == {}
    assert (error.reason, error.stops, error.harmless) == (Reason.MISCONFIGURED, True, True)
    assert "did you mean 'Incident'?; correct `tracker`" in str(error)


async def test_a_tracker_that_was_taken_away_meanwhile_is_said() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        del there.server.face.trackers[2]
        receipt = await there.opened(reference="SECOND")
    assert receipt.remark == "its tracker is 'Bug': 'Incident' is none of the project's any more"


@pytest.mark.parametrize(
    ("project", "lost", "words"),
    [
        ("nowhere", set(), "project 'nowhere' is not there, or not to be seen"),
        ("operations", {"add_issues"}, "tocsin's role in 'operations' lacks: Add issues"),
    ],
)
async def test_where_redmine_says_that_everything_is_blank_it_is_said_what_is_wrong(
    project: str, lost: set[str], words: str
) -> None:
    async with world(REDMINE, project=project, tracker="") as there:
        there.server.face.permissions -= lost
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
    assert words in str(error)


async def test_what_is_wrong_with_one_issue_alone_is_redmines_own_sentence() -> None:
    async with world(REDMINE, impact_field=IMPACT, impacts={"interrupted": "awful"}) as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "Impact is not included in the list" in str(error)


# --- names ------------------------------------------------------------------------------------------------------------

FRENCH = {
    "statuses": {1: "Nouveau", 2: "En cours", 3: "Résolu", 4: "Commentaire", 5: "Fermé", 6: "Rejeté"},
    "priorities": {1: "Bas", 2: "Normal", 3: "Haut", 4: "Urgent", 5: "Immédiat"},
}
GERMAN = {
    "statuses": {1: "Neu", 2: "In Bearbeitung", 3: "Gelöst", 4: "Feedback", 5: "Erledigt", 6: "Abgewiesen"},
    "priorities": {1: "Niedrig", 2: "Normal", 3: "Hoch", 4: "Dringend", 5: "Sofort"},
}
SPANISH = {
    "statuses": {1: "Nueva", 2: "En curso", 3: "Resuelta", 4: "Comentarios", 5: "Cerrada", 6: "Rechazada"},
    "priorities": {1: "Baja", 2: "Normal", 3: "Alta", 4: "Urgente", 5: "Inmediata"},
}
SPANISH_OPTIONS = {
    "statuses": {
        "declared": "Nueva", "in_progress": "En curso", "waiting": "Comentarios", "frozen": "Comentarios",
        "repaired": "Resuelta", "closed": "Cerrada", "cancelled": "Rechazada",
    },
    "impacts": {"none": "Baja", "backup": "Baja", "severe": "Alta", "interrupted": "Urgente"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("installed", "options"), [(FRENCH, {}), (GERMAN, {}), (SPANISH, SPANISH_OPTIONS)], ids=["fr", "de", "es"]
)
async def test_a_redmine_of_another_language_is_told_in_its_words(
    installed: dict[str, dict[int, str]], options: dict[str, Any]
) -> None:
    async with world(REDMINE, **options) as there:
        face = there.server.face
        face.statuses, face.priorities = installed["statuses"], installed["priorities"]
        await there.opened()
        assert held(there).priority == 4
        record = await there.backend.read("1")
        await there.tell(told("update", "1", body={"status": TicketStatus.REPAIRED, "impact": Impact.SEVERE}))
        assert (held(there).status, held(there).priority) == (3, 3)
        await there.tell(told("close", "1", id=19))
        assert held(there).status == 5
        await there.tell(told("reopen", "1", id=20))
        assert held(there).status == 2
        assert await findings(there) == {}
    assert record is not None
    assert (record.status, record.impact) == (TicketStatus.DECLARED, Impact.INTERRUPTED)


@pytest.mark.parametrize("release", [4, 5])
@pytest.mark.parametrize(("number", "status"), [(5, "closed"), (2, "in_progress")])
async def test_a_status_of_any_other_name_is_closed_where_redmine_calls_it_so(
    release: int, number: int, status: str
) -> None:
    async with world(REDMINE) as there:
        await there.opened()
        face = there.server.face
        face.release, face.statuses = release, {**face.statuses, number: "Something else"}
        held(there).status = number
        record = await there.backend.read("1")
    assert record is not None
    assert (record.status, record.state) == (status, "Something else")


async def test_a_status_that_is_not_there_waits_until_it_is_named_and_writes_nothing() -> None:
    async with world(REDMINE, statuses={"closed": "Solved"}) as there:
        await there.opened()
        error = await there.fail(told("close", "1"))
        assert held(there).journals == []
        level, said = (await findings(there))["statuses"]
    assert (error.reason, error.retry, error.stops) == (Reason.MISCONFIGURED, True, False)
    assert "there is no status 'Solved'" in str(error)
    assert "correct `statuses`" in str(error)
    assert (level, "there is no status 'Solved'" in said) == (Level.ERROR, True)


async def test_a_priority_that_is_not_there_stops_everything() -> None:
    async with world(REDMINE, impacts={"interrupted": "Catastrophic"}) as there:
        error = await there.fail(delivery(number=""))
    assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
    assert "there is no priority 'Catastrophic'" in str(error)


async def test_a_priority_that_only_people_set_is_an_interruption() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        there.server.face.person("1", priority="Immediate")
        record = await there.backend.read("1")
    assert record is not None
    assert (record.impact, record.priority) == (Impact.INTERRUPTED, "Immediate")


async def test_an_impact_may_have_a_field_and_then_leaves_the_priority_alone() -> None:
    async with world(REDMINE, impact_field=IMPACT) as there:
        await there.opened()
        assert (held(there).fields[IMPACT], held(there).priority) == ("interrupted", 2)
        await there.tell(told("update", "1", body={"impact": Impact.DEGRADED}))
        assert (held(there).fields[IMPACT], held(there).priority) == ("degraded", 2)


async def test_a_person_who_changes_the_impact_in_its_field_is_taken_in(tmp_path: Path) -> None:
    async with both(tmp_path, impact_field=IMPACT) as side:
        await side.road.take(alert())
        await side.tell()
        for _ in range(2):
            await side.follow()
        assert (await side.incident())[1] == 0
        side.face.issues[1].fields[IMPACT] = "none"
        side.face.person("1")
        await side.follow()
        assert (await side.incident())[1] == 1
        record = await side.there.backend.read("1")
    assert record is not None
    assert (record.impact, record.priority) == (Impact.NONE, "none")


# --- workflow and rights ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("release", "notes"), [(5, 0), (4, 1)])
async def test_a_step_that_the_workflow_forbids_is_an_error(release: int, notes: int) -> None:
    async with world(REDMINE) as there:
        await there.opened()
        there.server.face.release, there.server.face.forbids = release, {5}
        error = await there.fail(told("close", "1"))
        assert len(held(there).journals) == notes, "a release before 5 tells the steps only by what it drops"
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "allow the step for" in str(error)
    if release == 5:
        assert "from 'New' it may become: New, In Progress, Resolved, Feedback, Rejected" in str(error)


async def test_an_impact_that_the_role_may_not_change_is_an_error() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        there.server.face.permissions.remove("edit_issues")
        error = await there.fail(told("update", "1", body={"impact": Impact.NONE}))
    assert (error.reason, error.retry) == (Reason.REFUSED, False)
    assert "did not take the impact none" in str(error)


async def test_an_issue_that_was_moved_out_of_sight_is_gone_and_stops_nothing() -> None:
    async with world(REDMINE) as there:
        await there.opened(reference="OTHER")
        await there.opened()
        there.server.face.hidden = {2}
        error = await there.fail(told("note", "2"))
    assert (error.reason, error.retry, error.stops, error.doubts) == (Reason.NOT_FOUND, False, False, False)
    assert "ticket 2 of portal was moved out of tocsin's sight; grant its role View issues" in str(error)


async def test_an_issue_that_was_moved_out_of_sight_is_not_made_again(tmp_path: Path) -> None:
    async with both(tmp_path) as side:
        await side.road.take(alert(), alert(fingerprint="f2", resource="web2"))
        await side.tell()
        side.face.hidden.add(1)
        report = await compared(side)
        await side.tell()
        assert [ticket.number for ticket in side.face.tickets()] == ["1", "2"]
    assert report.differences == ()
    assert "ticket 1 of portal was moved out of tocsin's sight" in report.problem


async def test_where_no_issue_is_seen_any_more_none_of_them_is_gone() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        there.server.face.permissions.remove("view_issues")
        error = await there.fail(told("note", "1"))
    assert (error.reason, error.retry, error.stops) == (Reason.UNAUTHORIZED, True, False)
    assert "grant View issues" in str(error)


# --- notes ------------------------------------------------------------------------------------------------------------


async def test_notes_are_public_unless_told_otherwise() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        await there.tell(told("note", "1"))
        assert [one["private_notes"] for one in held(there).journals] == [False]
        assert "private_notes" not in there.server.asked(Does.CHANGE)[0].body.decode()


async def test_private_notes_are_private_and_not_written_twice() -> None:
    async with world(REDMINE, private_notes=True) as there:
        there.server.face.permissions |= PRIVATE
        await there.opened()
        there.server.script(Does.CHANGE, "lost")
        await there.tell(told("note", "1"))
        assert [one["private_notes"] for one in held(there).journals] == [True]


@pytest.mark.parametrize("lost", sorted(PRIVATE))
async def test_a_private_note_is_never_made_public_for_want_of_a_right(lost: str) -> None:
    async with world(REDMINE, private_notes=True) as there:
        there.server.face.permissions |= PRIVATE - {lost}
        await there.opened()
        error = await there.fail(told("note", "1"))
        assert held(there).journals == []
        assert (error.reason, error.stops) == (Reason.MISCONFIGURED, True)
        assert "would make notes public; grant both rights, or set `private_notes: false`" in str(error)
        assert (await findings(there))["rights"][0] == Level.ERROR
        there.server.face.permissions |= PRIVATE
        there.server.clock.advance(minutes=2)
        await there.tell(told("note", "1", attempts=2))
        assert [one["private_notes"] for one in held(there).journals] == [True]


async def test_a_user_whose_role_is_not_told_writes_no_private_note() -> None:
    async with world(REDMINE, private_notes=True) as there:
        await there.opened()
        there.server.face.member = False
        error = await there.fail(told("note", "1"))
        assert (await findings(there))["rights"][0] == Level.WARNING
    assert "the role of tocsin's user in 'operations' is not known" in str(error)


async def test_journals_that_are_more_than_an_answer_may_hold_are_left_out() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        there.server.face.person("1", note="x" * 9_000_000)
        await there.tell(told("note", "1"))
        record = await there.backend.read("1")
        assert NOTE["en"] in held(there).journals[-1]["notes"]
    assert record is not None
    assert (record.reference, record.notes) == (REFERENCE, ())


# --- check, options, webhooks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", sorted(PERMISSIONS))
async def test_a_check_names_the_permission_that_is_missing(lost: str) -> None:
    names = {
        "view_issues": "View issues", "add_issues": "Add issues", "edit_issues": "Edit issues",
        "add_issue_notes": "Add notes",
    }  # fmt: skip
    async with world(REDMINE) as there:
        there.server.face.permissions.remove(lost)
        level, said = (await findings(there))["rights"]
    assert level == Level.ERROR
    assert f"lacks: {names[lost]}" in said


async def test_who_may_edit_their_own_issues_may_edit_ours() -> None:
    async with world(REDMINE) as there:
        there.server.face.permissions.remove("edit_issues")
        there.server.face.permissions.add("edit_own_issues")
        assert "rights" not in await findings(there)


@pytest.mark.parametrize(
    ("options", "option", "words"),
    [
        ({"project": "nowhere"}, "project", "'nowhere' is not there"),
        ({"tracker": "Incidents"}, "tracker", "did you mean 'Incident'?"),
        ({"impacts": {"none": "Lowest"}}, "impacts", "there is no priority 'Lowest'"),
        ({"element_field": 77}, "element_field", f"it has: {FIELD} (tocsin), {IMPACT} (Impact), {ELEMENT} (Element)"),
    ],
)
async def test_a_check_says_what_is_missing(options: dict[str, Any], option: str, words: str) -> None:
    async with world(REDMINE, **options) as there, world(REDMINE) as other:
        await other.opened()
        there.server.face.issues = other.server.face.issues
        level, said = (await findings(there))[option]
    assert level == Level.ERROR
    assert words in said


async def test_a_check_warns_of_a_workflow_that_does_not_let_issues_be_closed() -> None:
    async with world(REDMINE) as there:
        await there.opened()
        there.server.face.forbids = {5}
        level, said = (await findings(there))["statuses"]
    assert level == Level.WARNING
    assert "does not let tocsin close issue 1 from 'New'" in said


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"reference_field": 0}, "reference_field"),
        ({"project": ""}, "project"),
        ({"impact_field": "Impact"}, "impact_field"),
        ({"keyfile": "secret"}, "did you mean 'key_file'"),
    ],
)
async def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with world(REDMINE, **options):
            pass


def test_the_webhooks_of_redmine_and_of_its_plugin_name_the_issue() -> None:
    own = b'{"type": "issue.updated", "timestamp": "2026-11-22T10:00:00Z", "data": {"issue": {"id": 7}}}'
    plugin = (
        b'{"payload": {"action": "updated", "issue": {"id": 7, "subject": "x"}, "url": "https://redmine.example.net"}}'
    )
    assert heard(Payload(body=own)) == heard(Payload(body=plugin)) == ["7"]


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"{}", b'{"type": "news.created", "data": {"news": {"id": 3}}}', b"[" * 100_000]
)
def test_a_webhook_that_names_no_issue_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        heard(Payload(body=body))
