"""The kinds of backend against the real ticket systems they speak to: what they promise, and one incident through the service."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from deliveries import SNAPSHOT, delivery, outside
from programs import ELEMENTS, RULES
from real import systems
from real.systems import ask, system
from service import Service, running, stored, until
from tocsin.backends import Backend, Level, build, hand_over, open_session
from tocsin.backends._can import Can
from tocsin.errors import DeliveryError, Reason
from tocsin.marks import of_people
from tocsin.model import Delivery, Impact, Receipt, TicketStatus
from tocsin.seeing import LAG
from tocsin.store import rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from real.systems import RequestTracker, System, Znuny


KINDS = ("rt", "redmine", "znuny")
NOTE = {"en": "28 processes now.", "fr": "28 processus maintenant."}
MARKED = "28 processes now.\n(tocsin {0}/18)"
AWKWARD = "bell \x07 <script>alert(1)</script> & ' \" \\ {{ 1 + 1 }} %s \N{FIRE} 日本 é\r\nsecond\tline; --"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[[str], Awaitable[System]]]:
    """Start a system when it is asked for first; all that were are ended with the module's tests, in whatever order."""
    running: dict[str, System] = {}
    async with AsyncExitStack() as stack:

        async def start(kind: str) -> System:
            if kind not in running:
                running[kind] = await stack.enter_async_context(system(kind, tmp_path_factory.mktemp(kind)))
            return running[kind]

        yield start


@pytest_asyncio.fixture(params=KINDS, loop_scope="module")
async def there(request: pytest.FixtureRequest, started: Callable[[str], Awaitable[System]]) -> System:
    return await started(request.param)


def only(kind: str) -> pytest.MarkDecorator:
    """Run a test for this system alone."""
    return pytest.mark.parametrize("there", [kind], indirect=True)


@asynccontextmanager
async def backend(there: System, secrets: dict[str, str] | None = None, **options: Any) -> AsyncIterator[Backend]:
    """A backend of this system's kind, by the real clock."""
    secrets = there.secrets if secrets is None else secrets
    files = {name: value for name, value in secrets.items() if name.endswith("_file")}
    given = {**there.options, **{name: name if name in files else value for name, value in secrets.items()}, **options}
    async with open_session() as session:
        world = outside(session, {name: value.encode() for name, value in files.items()})
        yield build(there.KIND, "portal", given, type(world)(session, world.read_secret, lambda: datetime.now(UTC)))


async def tell(to: Backend, one: Delivery) -> Receipt:
    return await hand_over(to, one, datetime.now(UTC))


async def opened(to: Backend, reference: str, **body: Any) -> Receipt:
    one = delivery(number="", reference=reference)
    return await tell(to, replace(one, body=replace(one.body, **body)))


def told(action: str, number: str, reference: str, **changes: Any) -> Delivery:
    body = {"notes": (NOTE,), "status": TicketStatus.DECLARED, **changes.pop("body", {})}
    one = delivery(action, number=number, reference=reference, **{"id": 18, "opened": True, **changes})
    return replace(one, body=replace(one.body, **body))


async def test_an_opening_is_found_by_our_reference_and_never_made_twice(there: System) -> None:
    async with backend(there) as it:
        await opened(it, "7QK2MA")
        assert await it.find("7QK2M9") is None
        receipt = await opened(it, "7QK2M9")
        found = await it.find("7QK2M9")
        again = await tell(it, delivery(number="", reference="7QK2M9", attempts=2, uncertain=True))
        truth = await there.truth(receipt.number)
        assert await it.find("7qk2m9") is None, "only exactly ours is ours"
    assert found is not None
    assert found.number == again.number == receipt.number
    assert (receipt.remark, receipt.status) == ("", TicketStatus.DECLARED)
    assert (truth.reference, truth.status, truth.title) == ("7QK2M9", "declared", SNAPSHOT.name["en"])
    assert truth.text.startswith(SNAPSHOT.description["en"])


async def test_a_note_whose_answer_was_lost_is_not_written_twice(there: System) -> None:
    async with backend(there) as it:
        number = (await opened(it, "NOTE01")).number
        await tell(it, told("note", number, "NOTE01"))
        await tell(it, told("note", number, "NOTE01", uncertain=True, attempts=2))
        truth = await there.truth(number)
    assert truth.notes == [MARKED.format("NOTE01")]
    assert truth.status == "declared"


async def test_an_impact_and_that_the_service_works_again_are_told_and_so_is_a_relapse(there: System) -> None:
    async with backend(there) as it:
        number = (await opened(it, "IMPACT")).number
        before = (await there.truth(number)).impact
        for impact in (Impact.NONE, Impact.INTERRUPTED):
            await tell(it, told("update", number, "IMPACT", body={"impact": impact, "notes": ()}))
            record = await it.read(number)
            assert record is not None
            assert record.impact == it.impacts.settled(impact)
        assert (await there.truth(number)).impact == before, "the last one is what it was opened with"
        if Can.REPAIRED not in it.lacks:
            await tell(it, told("update", number, "IMPACT", body={"status": TicketStatus.REPAIRED}))
            assert (await there.truth(number)).status == "repaired"
            await tell(it, told("update", number, "IMPACT", id=19))
            assert (await there.truth(number)).status == "in_progress"


async def test_a_ticket_is_closed_and_opened_again(there: System) -> None:
    async with backend(there) as it:
        number = (await opened(it, "CLOSED")).number
        closed = await tell(it, told("close", number, "CLOSED", body={"status": TicketStatus.CLOSED}))
        assert (closed.status, (await there.truth(number)).status) == (TicketStatus.CLOSED, "closed")
        found = await it.find("CLOSED")
        assert found is not None, "closed ones are found as well"
        await tell(it, told("reopen", number, "CLOSED", id=19))
        truth = await there.truth(number)
    assert truth.status == "in_progress"
    assert [note.rpartition("/")[2] for note in truth.notes] == ["18)", "19)"]


async def test_what_a_person_does_comes_back_at_its_own_time(there: System) -> None:
    ended = next(word for word, ours in there.OURS.items() if ours == "closed")
    async with backend(there) as it:
        number = (await opened(it, "PERSON")).number
        start = datetime.now(UTC)
        await there.person(number, note="disk replaced", status=ended)
        record = await it.read(number)
        changed = await it.changes(start - timedelta(seconds=2))
        later = await it.changes(datetime.now(UTC) + timedelta(hours=1))
        long_ago = await it.changes(start - timedelta(days=2))
    assert record is not None
    assert (record.status, record.state) == (TicketStatus.CLOSED, ended)
    assert [note.text for note in record.notes] == ["disk replaced"]
    assert "agent" in record.notes[0].actor
    (ours,) = [one for one in changed if one.number == number]
    assert (ours.reference, ours.status) == ("PERSON", TicketStatus.CLOSED)
    assert ours.changed_at is not None
    assert abs(ours.changed_at - start) < timedelta(seconds=30)
    assert later == []
    assert number in {one.number for one in long_ago}


async def test_a_long_text_is_attached_whole_and_a_long_title_loses_nothing(there: System) -> None:
    words, title = " ".join(f"word{number}" for number in range(20_000)), "é" * 300
    async with backend(there) as it:
        texts = {"en": words, "fr": words}
        receipt = await opened(it, "LONG01", description=texts, name={"en": title, "fr": title})
        truth = await there.truth(receipt.number)
        record = await it.read(receipt.number)
    assert receipt.remark == ""
    assert "… (whole text attached)" in truth.text
    (content,) = truth.files.values()
    assert b"word19999" in content
    assert 90 < len(truth.title) <= 255
    assert set(truth.title) <= set("é …")
    assert record is not None
    assert not of_people(record), "nothing of ours looks like a person's"


async def test_awkward_characters_are_kept_or_replaced_and_the_note_is_known_again(there: System) -> None:
    texts = {"en": AWKWARD, "fr": AWKWARD}
    async with backend(there) as it:
        receipt = await opened(it, "AWKWAR", description=texts, name=texts)
        one = told("note", receipt.number, "AWKWAR", body={"notes": (texts,)})
        await tell(it, one)
        await tell(it, replace(one, uncertain=True, attempts=2))
        truth = await there.truth(receipt.number)
    (note,) = truth.notes
    for text in (truth.title, truth.text, note):
        assert "bell � <script>alert(1)</script> & ' \" \\ {{ 1 + 1 }} %s " in text
        assert "日本 é" in text


async def test_a_check_finds_everything_in_order(there: System) -> None:
    async with backend(there) as it:
        await opened(it, "CHECKS")
        findings = await it.check()
    assert [one for one in findings if one.level != Level.FINE] == []
    assert len(findings) > 4


async def test_wrong_credentials_stop_everything(there: System) -> None:
    wrong = dict.fromkeys(there.secrets, "1-27-00000000000000000000000000000000")
    async with backend(there, wrong) as it:
        with pytest.raises(DeliveryError) as creating:
            await opened(it, "WRONG1")
        with pytest.raises(DeliveryError) as checking:
            await it.check()
    for one in (creating.value, checking.value):
        assert (one.reason, one.stops) == (Reason.UNAUTHORIZED, True)


async def test_whoever_may_see_nothing_declares_nothing_and_is_told_so(there: System) -> None:
    options = {"token_file": ""} if there.KIND == "rt" else {}
    async with backend(there, there.onlooker, **options) as it:
        with pytest.raises(DeliveryError) as caught:
            await opened(it, "NORIGH")
        findings = await it.check()
    assert caught.value.stops
    assert any(one.level == Level.ERROR for one in findings)
    async with backend(there) as it:
        assert await it.find("NORIGH") is None


async def test_a_field_for_our_reference_that_is_not_there_is_no_licence_to_create(there: System) -> None:
    missing = {"reference_field": 99 if there.KIND == "redmine" else "nothere"}
    async with backend(there) as it:
        await opened(it, "FIELD1")
    async with backend(there, **missing) as it:
        with pytest.raises(DeliveryError) as caught:
            await tell(it, delivery(number="", reference="FIELD2", attempts=2, uncertain=True))
        findings = {one.what: one for one in await it.check()}
    assert (caught.value.reason, caught.value.stops) == (Reason.MISCONFIGURED, True)
    assert "reference_field" in str(caught.value)
    assert findings["reference_field"].level == Level.ERROR


# --- of one system alone ----------------------------------------------------------------------------------------------


@only("rt")
async def test_a_ticket_that_was_merged_in_a_real_request_tracker_is_still_found(there: RequestTracker) -> None:
    async with backend(there) as it:
        into, number = (await opened(it, "MERGE1")).number, (await opened(it, "MERGE2")).number
        await there.merge(number, into)
        found, record = await it.find("MERGE2"), await it.read(number)
    assert found is not None
    assert record is not None
    assert found.number == record.number == number
    assert (record.reference, record.status) == ("MERGE2", TicketStatus.CANCELLED)


@only("rt")
async def test_correspondence_in_a_real_request_tracker_opens_nothing_by_itself(there: System) -> None:
    async with backend(there, private_notes=False) as it:
        number = (await opened(it, "CORRES")).number
        await tell(it, told("note", number, "CORRES"))
        assert (await there.truth(number)).status == "declared"
        await tell(it, told("close", number, "CORRES", id=19, body={"status": TicketStatus.CLOSED}))
        await tell(it, told("note", number, "CORRES", id=20))
        assert (await there.truth(number)).status == "closed"


@only("redmine")
async def test_a_private_note_is_not_made_public_by_a_real_redmine(there: System) -> None:
    async with backend(there, private_notes=True) as it:
        number = (await opened(it, "PRIVAT")).number
        with pytest.raises(DeliveryError, match="would make notes public"):
            await tell(it, told("note", number, "PRIVAT"))
        assert (await there.truth(number)).notes == []


@only("znuny")
async def test_the_web_service_that_znuny_itself_ships_can_be_used(there: Znuny) -> None:
    home = there.log.parent / "home" / "var" / "webservices" / "examples"
    await there.add("example", (home / "GenericTicketConnectorREST.yml").read_text())
    async with backend(there, webservice="example", routes={"get": "GET /Ticket/:TicketID"}) as it:
        number = (await opened(it, "EXAMPL")).number
        await tell(it, told("note", number, "EXAMPL"))
        found = await it.find("EXAMPL")
    assert found is not None
    assert found.number == number
    assert (await there.truth(number)).notes == [MARKED.format("EXAMPL")]


# --- through the service ----------------------------------------------------------------------------------------------


def settings(there: System, folder: Path) -> dict[str, Any]:
    """A service that declares there; it is told of changes where the system can, and asks where it cannot."""
    secrets = {**there.secrets, "hook": systems.TOKEN}
    files = {name: folder / name for name in secrets}
    for name, file in files.items():
        file.write_text(secrets[name])
        file.chmod(0o600)
    options = {**there.options, **{name: str(files[name]) for name in there.secrets}}
    hook = {"bearer": {"token_file": str(files["hook"])}}
    one = {"kind": there.KIND, "options": options, "poll": "1s" if there.KIND == "redmine" else "0s", "hook": hook}
    return {
        "sources": {"alertmanager": {"kind": "alertmanager", "open": True}},
        "backends": {"remote": one},
        "default_backend": "remote",
    }


async def push(service: Service, severity: str, status: str = "firing") -> None:
    labels = {"alertname": "http", "instance": "web1", "severity": severity}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {},
        "fingerprint": "f00d",
        "startsAt": "2026-11-22T10:00:00Z",
    }
    if status == "resolved":
        alert["endsAt"] = "2026-11-22T10:05:00Z"
    body = json.dumps({"version": "4", "status": status, "alerts": [alert]})
    headers = {"Content-Type": "application/json"}
    await ask("POST", f"{service.url}/hooks/alertmanager", 202, data=body, headers=headers)


async def sent(service: Service, *actions: str) -> str:
    """The number of the one ticket, once just these deliveries were made and are done; the system is left in peace."""

    async def are_done() -> bool:
        made = stored(service, "select action, state from deliveries order by id")
        return made == [(action, "sent") for action in actions]

    await until(are_done, 40, f"the deliveries {actions}")
    ((number,),) = stored(service, "select number from tickets")
    return str(number)


async def test_one_incident_lives_in_the_real_system_and_a_persons_work_comes_back(
    there: System, tmp_path: Path
) -> None:
    async with running(tmp_path / "tocsin", settings(there, tmp_path), RULES, ELEMENTS) as service:
        await there.hooked(f"{service.url}/hooks/tickets/remote")
        await push(service, "warning")
        number = await sent(service, "open")
        opened = await there.truth(number)
        assert (opened.status, opened.title) == ("declared", "http on Web one")
        await push(service, "critical")
        await sent(service, "open", "update")
        raised = await there.truth(number)
        assert raised.status == "declared"
        assert raised.impact != opened.impact
        await push(service, "critical", "resolved")
        await sent(service, "open", "update", "update", "close")
        closed = await there.truth(number)
        assert closed.status == "closed"
        await push(service, "critical")
        await sent(service, "open", "update", "update", "close", "reopen")
        again = await there.truth(number)
        assert again.status == "in_progress"
        assert [note.count(f"(tocsin {opened.reference}/") for note in again.notes] == [1] * len(again.notes)
        assert len(again.notes) > len(closed.notes) > len(raised.notes) > 0
        await until(lambda: rested(service), 20, "what is told to be older than what is answered")
        assert not await touched(service), "nothing of ours counts as a person's"
        await there.person(number, note="I look into it")
        await until(lambda: touched(service), 20, "the person's note to come back")
        assert "I look into it" in str(stored(service, "select text from notes"))


async def rested(service: Service) -> bool:
    ((at,),) = stored(service, "select at from tickets")
    return datetime.now(UTC) > rows.moment(at) + LAG + timedelta(seconds=0.1)


async def touched(service: Service) -> bool:
    return stored(service, "select touched from incidents") == [(1,)]
