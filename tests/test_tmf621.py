"""The desk for other programs: tickets declared, read, found and changed in both versions of TMF621."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from house import Clock, rows
from offered import Client, alerted, offered, serving
from tocsin.desk import attachments
from tocsin.model import Impact
from tocsin.settings.tmf621 import default_words
from tocsin.store import pruning
from tocsin.store.listing import listing
from tocsin.store.queries import QUERIES
from tocsin.web.tmf621 import asking, mounting, relations
from tocsin.web.tmf621.answers import Refused
from tocsin.web.tmf621.terms import Terms

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = pytest.mark.parametrize("version", [4, 5])
HISTORY = {4: "statusChange", 5: "statusChangeHistory"}
WHY = {4: "changeReason", 5: "statusChangeReason"}
FILE = {"name": "photo.png", "mimeType": "image/png", "attachmentType": "picture"}


# --- declaring ---------------------------------------------------------------------------------------------------------


@VERSIONS
async def test_a_ticket_comes_back_as_it_was_sent(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        typed = {"@type": "ChannelRef"} if version == 5 else {}
        sent = client.said(
            {
                "name": "No answer",
                "severity": "major",
                "ticketType": "complaint",
                "relatedEntity": client.on("DF1"),
                "channel": {**typed, "id": "3", "name": "self care"},
                "requestedResolutionDate": "2026-11-30T12:00:00+01:00",
                "expectedResolutionDate": "2026-12-01T00:00:00Z",
                "@schemaLocation": "https://example.net/ticket.json",
                **client.called("A-17"),
            }
        )
        status, said = await client.ask("POST", "/troubleTicket", sent)
        place = client.headers["Location"]
        assert (status, said["href"]) == (201, place)
        assert {name: said[name] for name in sent} == sent
        assert said["id"].endswith("N00001")
        assert (said["status"], said["priority"]) == ("acknowledged", "P2")
        assert [turn["status"] for turn in said[HISTORY[version]]] == ["acknowledged"]
        assert said["creationDate"] == said["lastUpdate"] == said["statusChangeDate"]
        assert await client.get(place) == said
        assert await client.get("/troubleTicket") == [said]


@VERSIONS
async def test_only_what_the_standard_requires_is_needed(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        said = await client.new(description="first line\nsecond line")
        assert (said["name"], said["severity"], said["priority"]) == ("first line", "Major", "P2")
        for name in ("description", "severity", "ticketType"):
            sent = {key: value for key, value in client.said({}).items() if key != name}
            status, error = await client.ask("POST", "/troubleTicket", sent)
            assert (status, error["code"]) == (400, "badValue")
            assert f"`{name}`" in error["message"]


async def test_version_5_wants_the_type_of_every_object(tmp_path: Path) -> None:
    async with offered(tmp_path, 5) as client:
        sent = client.said({"note": [{"text": "hello"}]})
        for wrong in ({**sent, "note": [{"text": "hello"}]}, {key: sent[key] for key in sent if key != "@type"}):
            status, error = await client.ask("POST", "/troubleTicket", wrong)
            assert (status, error["@type"], error["reason"]) == (400, "Error", "Bad Request")
            assert "`@type`" in error["message"]


@VERSIONS
@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (
            {"severity": "awful"},
            "'awful' is none of Critical, Major, Minor, none, backup, degraded, severe, interrupted",
        ),
        ({"status": "closed"}, "a new ticket cannot be closed"),
        ({"status": "lost"}, "Invalid enum value 'lost'"),
        ({"description": ""}, "Expected `str` of length >= 1"),
        ({"color": "red"}, "unknown field `color`"),
        ({"expectedResolutionDate": "tomorrow"}, "Invalid RFC3339"),
        ({"note": [{"author": "Ann"}]}, "note[0]: it has no text"),
        ({"attachment": [{**FILE, "content": "!"}]}, "attachment[0].content: it is not base64"),
        ({"attachment": [FILE]}, "neither content nor an address"),
        ({"name": "x" * 256}, "Expected `str` of length <= 255"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, version: int, facts: dict[str, Any], says: str
) -> None:
    async with offered(tmp_path, version) as client:
        status, error = await client.ask("POST", "/troubleTicket", client.said(facts))
        assert (status, error["status"]) == (400, "400")
        assert says in error["message"]
        assert await client.get("/troubleTicket") == []


@VERSIONS
async def test_a_ticket_is_on_an_element_of_the_live_fleet(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        other = client.on("BILL-1", "bill")
        said = await client.new(relatedEntity=[*other, *client.on("DF1", "product")])
        assert len(said["relatedEntity"]) == 2
        found = await rows(client.app.store, "select element, element_name, contract, criticality from desk_tickets")
        assert found == [("DF1", "Web one", "OCB001", "high")]
        for unknown in (other, client.on("DF9"), [*client.on("DF1", "product"), *client.on("DF9")]):
            status, error = await client.ask("POST", "/troubleTicket", client.said({"relatedEntity": unknown}))
            assert (status, error["code"]) == (400, "unknownElement")
            assert "BILL-1" in error["message"] or "DF9" in error["message"]
        assert "relatedEntity" not in await client.new()


SEVERITIES = [
    ("Critical", Impact.INTERRUPTED),
    ("MAJOR", Impact.SEVERE),
    ("minor", Impact.BACKUP),
    *((impact.value, impact) for impact in Impact),
]


@pytest.mark.parametrize(("word", "impact"), SEVERITIES)
async def test_a_severity_is_an_impact_and_its_word_is_kept(tmp_path: Path, word: str, impact: Impact) -> None:
    async with offered(tmp_path) as client:
        said = await client.new(severity=word)
        assert said["severity"] == word
        assert await rows(client.app.store, "select impact from desk_tickets") == [(impact.value,)]
        assert [one["id"] for one in await client.get("/troubleTicket", params={"severity": word})] == [said["id"]]


def test_the_words_of_severities_can_be_others() -> None:
    words = {**default_words(), Impact.NONE: "Info", Impact.DEGRADED: "info"}
    terms = Terms(client="c", severity=words)
    assert [terms.impact(word) for word in ("INFO", "Major", "severe", "Informational")] == [
        Impact.DEGRADED,
        Impact.SEVERE,
        Impact.SEVERE,
        None,
    ]


# --- never twice -------------------------------------------------------------------------------------------------------


@VERSIONS
async def test_an_identifier_names_one_ticket_for_ever(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        first = await client.new(**client.called("A-17"))
        await client.change(first["id"], status="closed")
        status, error = await client.ask("POST", "/troubleTicket", client.said(client.called("A-17")))
        assert (status, error["code"], client.headers["Location"]) == (409, "duplicate", first["href"])
        assert first["href"] in error["message"]
        second = await client.new(**client.called("A-18"))
        error = await client.change(second["id"], 409, **client.called("A-17"))
        assert error["code"] == "duplicate"
        await client.change(second["id"], **client.called("A-19"))
        await client.new(**client.called("A-18"))


async def test_the_same_ticket_asked_for_at_once_is_declared_once(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        sent = client.said(client.called("A-17"))
        answers = await asyncio.gather(*(client.ask("POST", "/troubleTicket", sent) for _ in range(8)))
        assert sorted(status for status, _ in answers) == [201, *[409] * 7]
        assert len(await client.get("/troubleTicket")) == 1


async def test_what_is_done_is_answered_so_however_much_is_asked(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        file = {**FILE, "content": "AAAA" * 10_000}
        asks = [client.ask("POST", "/troubleTicket", client.said({"attachment": [file]})) for _ in range(40)]
        reads = [client.ask("GET", "/troubleTicket") for _ in range(40)]
        answers = await asyncio.gather(*asks, *reads)
        created = [said["id"] for status, said in answers[:40] if status == 201]
        assert {status for status, _ in answers} <= {200, 201, 503}
        assert len(await client.get("/troubleTicket")) == len(created) == len(set(created)) > 0


async def test_the_reference_of_a_ticket_of_ours_is_taken(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        ours = await client.get(f"/troubleTicket/{await client.declared()}")
        status, error = await client.ask("POST", "/troubleTicket", client.said({"externalId": ours["externalId"]}))
        assert (status, error["code"]) == (409, "duplicate")


async def test_two_systems_may_use_the_same_identifier_if_both_are_named(tmp_path: Path) -> None:
    async with offered(tmp_path, 5) as client:

        def of(owner: str) -> dict[str, Any]:
            return {"externalIdentifier": [{"id": "1", **({"owner": owner} if owner else {})}]}

        await client.new(**of("crm"))
        await client.new(**of("noc"))
        for owner in ("crm", ""):
            status, _ = await client.ask("POST", "/troubleTicket", client.said(of(owner)))
            assert status == 409
        both = await client.get("/troubleTicket", params={"externalIdentifier.id": "1"})
        assert len(both) == 2
        more = [{"id": "1", "owner": "noc"}, {"id": "2", "owner": "noc"}]
        said = await client.change(both[1]["id"], externalIdentifier=more)
        assert [one["id"] for one in said["externalIdentifier"]] == ["1", "2"]


# --- finding -----------------------------------------------------------------------------------------------------------


@VERSIONS
async def test_an_identifier_finds_its_ticket_by_an_index(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        wanted = await client.new(**client.called("A-17"))
        await client.new(**client.called("A-170"))
        name = "externalId" if version == 4 else "externalIdentifier.id"
        assert await client.get("/troubleTicket", params={name: "A-17"}) == [wanted]
        ours = await client.get(f"/troubleTicket/{await client.declared()}")
        reference = ours["externalId"] if version == 4 else ours["externalIdentifier"][0]["id"]
        assert await client.get("/troubleTicket", params={name: reference}) == [ours]
        assert await client.get("/troubleTicket", params={name: "a-17"}) == []
        for statement, index in (
            ("desk_identified", "desk_tickets_reference"),
            ("desk_identified", "desk_identifiers_value"),
            ("desk_page", "desk_tickets_updated"),
        ):
            plan = await rows(client.app.store, f"explain query plan {QUERIES[statement].replace('?', '1')}")
            assert index in str(plan)


FILTERS = [
    ({"status": "pending"}, [2]),
    ({"status": "pending,closed"}, [2, 3]),
    ({"status": "pending", "severity": "Minor"}, []),
    ({"severity": "Minor"}, [1]),
    ({"priority": "P1,P4"}, [1]),
    ({"ticketType": "request"}, [3]),
    ({"lastUpdate.gt": "{2}"}, [3]),
    ({"lastUpdate.gte": "{2}"}, [2, 3]),
    ({"lastUpdate.lt": "{2}"}, [1]),
    ({"lastUpdate": "{2}"}, [2]),
    ({"creationDate.lte": "{1}"}, [1]),
    ({"limit": "2"}, [1, 2]),
    ({"limit": "2", "offset": "2"}, [3]),
    ({"offset": "9"}, []),
    ({"limit": "0"}, []),
]


@pytest.mark.parametrize(("asked", "found"), FILTERS)
async def test_a_list_is_filtered_exactly(tmp_path: Path, asked: dict[str, str], found: list[int]) -> None:
    clock = Clock()
    async with offered(tmp_path, clock=clock) as client:
        tickets = await three(client, clock)
        whole = {name: value.format("", *(one["lastUpdate"] for one in tickets)) for name, value in asked.items()}
        told = await client.get("/troubleTicket", params=whole)
        assert [one["id"] for one in told] == [tickets[number - 1]["id"] for number in found]
        assert client.headers["X-Result-Count"] == str(len(found))
        paged = {"limit", "offset"} & set(asked)
        assert client.headers["X-Total-Count"] == str(3 if paged else len(found))


async def three(client: Client, clock: Clock) -> list[Any]:
    tickets = []
    for facts in ({"severity": "Minor"}, {"severity": "Major"}, {"severity": "Major", "ticketType": "request"}):
        clock.passes(microseconds=1_000_001)
        tickets.append(await client.new(**facts))
    clock.passes(seconds=1)
    for number, status in ((1, "pending"), (2, "closed")):
        clock.passes(microseconds=7)
        tickets[number] = await client.change(tickets[number]["id"], status=status)
    return tickets


@pytest.mark.parametrize("query", ["lastUpdate>={}", "lastUpdate%3E={}", "lastUpdate.gte={}"])
async def test_an_operator_may_be_written_as_a_sign(tmp_path: Path, query: str) -> None:
    clock = Clock()
    async with offered(tmp_path, clock=clock) as client:
        tickets = await three(client, clock)
        for offset in ("Z", "+00:00"):
            at = tickets[1]["lastUpdate"].replace("Z", offset)
            told = await client.get(f"/troubleTicket?{query.format(at)}")
            assert [one["id"] for one in told] == [tickets[1]["id"], tickets[2]["id"]]
        assert len(await client.get(f"/troubleTicket?lastUpdate>{tickets[1]['lastUpdate']}")) == 1


async def test_following_changes_by_time_misses_none(tmp_path: Path) -> None:
    """Pages of what changed since what was seen last, while tickets go on changing: each change is seen."""
    clock = Clock()
    async with offered(tmp_path, clock=clock) as client:
        numbers = [(await client.new())["id"] for _ in range(7)]  # all at the same moment
        seen: dict[str, str] = {}
        since = "2000-01-01T00:00:00Z"
        for step in range(8):
            offset = 0
            while page := await client.get(
                "/troubleTicket", params={"lastUpdate.gte": since, "limit": "3", "offset": str(offset)}
            ):
                seen |= {one["id"]: one["lastUpdate"] for one in page}
                offset += len(page)
                latest = page[-1]["lastUpdate"]
            since = latest
            clock.passes(seconds=1)
            await client.change(numbers[step % 7], note=[{"text": str(step)}])
        told = await client.get("/troubleTicket", params={"fields": "lastUpdate"})
        assert seen.keys() == set(numbers)
        assert [one["lastUpdate"] for one in told] == sorted(one["lastUpdate"] for one in told)
        assert since == seen[numbers[6]]


async def test_version_5_sorts_and_filters_by_a_simple_path(tmp_path: Path) -> None:
    clock = Clock()
    async with offered(tmp_path, 5, clock=clock) as client:
        one, two, three_ = await three(client, clock)
        for sort, order in (
            ("-lastUpdate", [three_, two, one]),
            ("id", [one, two, three_]),
            ("-creationDate", [three_, two, one]),
            ("-id", [three_, two, one]),
        ):
            assert await client.get("/troubleTicket", params={"sort": sort}) == order
        for path, found in (
            ("$[?(@.status=='pending')]", [two]),
            (f"[?(@.severity == \"Major\" && @.lastUpdate > '{two['lastUpdate']}')]", [three_]),
            ("$[*][?(@.status=='pending' && @.status=='closed')]", []),
        ):
            assert await client.get("/troubleTicket", params={"filter": path}) == found
        for name, value in (
            ("filter", "attachment[?(@size==300)]"),
            ("filter", "$[?(@.name=='x')]"),
            ("filter", "$[?(@.status!='x')]"),
            ("filter", "$[?(@.severity>'x')]"),
            ("after", "x"),
            ("before", "x"),
        ):
            status, error = await client.ask("GET", "/troubleTicket", params={name: value})
            assert (status, error["code"], error["reason"]) == (501, "notSupported", "Not Implemented")
            assert name in error["message"]


@VERSIONS
@pytest.mark.parametrize(
    "query",
    [
        "state=closed",
        "status=lost",
        "limit=-1",
        "limit=many",
        "offset=%C2%B2",
        "lastUpdate.gte=yesterday",
        "lastUpdate.gte=2026-11-23T03:00:00",
        "lastUpdate.gte=9999-12-31T23:59:59-23:59",
        "fields=colour",
        "name.regex=.*",
        "lastUpdate>",
    ],
)
async def test_a_filter_that_is_not_understood_is_never_ignored(tmp_path: Path, version: int, query: str) -> None:
    async with offered(tmp_path, version) as client:
        status, error = await client.ask("GET", f"/troubleTicket?{query}")
        assert (status, error["code"]) == (400, "badParameter")


async def test_a_head_is_a_get_without_its_body(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        number = (await client.new())["id"]
        for path in ("/troubleTicket", f"/troubleTicket/{number}"):
            assert await client.ask("HEAD", path) == (200, None)
        assert int(client.headers["Content-Length"]) > 100


@VERSIONS
async def test_only_the_fields_asked_for_are_told(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        said = await client.new(name="x")
        usual = {"id": said["id"], "href": said["href"], **({"@type": "TroubleTicket"} if version == 5 else {})}
        for fields, more in (("name,status", {"name": "x", "status": "acknowledged"}), ("none", {}), ("id", {})):
            asked = {"fields": fields}
            assert await client.get("/troubleTicket", params=asked) == [{**usual, **more}]
            assert await client.get(f"/troubleTicket/{said['id']}", params=asked) == {**usual, **more}


# --- changing ----------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json; charset=utf-8"])
async def test_a_patch_changes_what_it_names_and_nothing_else(tmp_path: Path, version: int, media_type: str) -> None:
    clock = Clock()
    async with offered(tmp_path, version, clock=clock) as client:
        before = await client.new(
            name="x", relatedEntity=client.on("DF1"), expectedResolutionDate="2026-12-01T00:00:00Z"
        )
        clock.passes(minutes=1)
        patch = client.typed({"name": "y", "severity": "Critical", "expectedResolutionDate": None})
        headers = {"Content-Type": media_type}
        status, after = await client.ask("PATCH", f"/troubleTicket/{before['id']}", patch, headers=headers)
        assert status == 200
        expected = {name: value for name, value in before.items() if name != "expectedResolutionDate"}
        assert after == {
            **expected,
            "name": "y",
            "severity": "Critical",
            "priority": "P1",
            "lastUpdate": after["lastUpdate"],
        }
        assert after["lastUpdate"] > before["lastUpdate"]
        assert await client.get(f"/troubleTicket/{before['id']}") == after


@VERSIONS
async def test_what_was_read_can_be_sent_back_without_a_change(tmp_path: Path, version: int) -> None:
    clock = Clock()
    async with offered(tmp_path, version, clock=clock) as client:
        mine = await client.new(
            name="x",
            relatedEntity=client.on("DF1"),
            note=[{"text": "hello"}],
            attachment=[{**FILE, "content": "AAAA"}],
            **client.called("A-17"),
        )
        ours = await client.get(f"/troubleTicket/{await client.declared()}", headers={"Accept-Language": "fr"})
        clock.passes(minutes=1)
        for before in (mine, ours):
            path = f"/troubleTicket/{before['id']}"
            assert (await client.ask("PATCH", path, before, headers={"Accept-Language": "fr"}))[0] == 200
            assert await client.get(path, headers={"Accept-Language": "fr"}) == before
        assert await rows(client.app.store, "select touched from incidents") == [(0,)]
        assert (await client.get(f"/troubleTicket/{ours['id']}"))["name"] == "Disk of Web one"


TURNS = [
    ("acknowledged", "inProgress", 200),
    ("acknowledged", "rejected", 200),
    ("acknowledged", "resolved", 200),
    ("inProgress", "pending", 200),
    ("inProgress", "held", 200),
    ("held", "inProgress", 200),
    ("pending", "cancelled", 200),
    ("resolved", "inProgress", 200),
    ("resolved", "closed", 200),
    ("resolved", "acknowledged", 200),
    ("closed", "acknowledged", 200),
    ("closed", "inProgress", 200),
    ("closed", "cancelled", 409),
    ("inProgress", "rejected", 409),
    ("inProgress", "acknowledged", 409),
    ("cancelled", "acknowledged", 409),
    ("rejected", "cancelled", 409),
    ("closed", "closed", 200),
]


@VERSIONS
@pytest.mark.parametrize(("before", "after", "expected"), TURNS)
async def test_a_status_leads_where_it_may(
    tmp_path: Path, version: int, before: str, after: str, expected: int
) -> None:
    async with offered(tmp_path, version) as client:
        number = (await client.new())["id"]
        if before != "acknowledged":
            await client.change(number, status=before)
        said = await client.change(number, expected, status=after)
        assert said["status"] == (after if expected == 200 else "409")
        assert (await client.get(f"/troubleTicket/{number}"))["status"] == (after if expected == 200 else before)
        assert len(await client.get("/troubleTicket", params={"status": after})) == (expected == 200)


@VERSIONS
async def test_a_change_of_status_is_history_with_its_reason(tmp_path: Path, version: int) -> None:
    clock = Clock()
    async with offered(tmp_path, version, clock=clock) as client:
        number = (await client.new())["id"]
        moments = []
        for status, reason in (("inProgress", ""), ("resolved", "a cable"), ("resolved", "a cable"), ("closed", "")):
            clock.passes(minutes=1)
            moments.append(clock.now.isoformat().replace("+00:00", "Z"))
            said = await client.change(number, status=status, **({"statusChangeReason": reason} if reason else {}))
        again = await client.change(
            number, status="inProgress", statusChangeReason="again", note=[{"text": "it is here again"}]
        )
        assert [note["text"] for note in again["note"]] == ["a cable", "it is here again"]
        turns = [(turn["status"], turn.get(WHY[version])) for turn in said[HISTORY[version]]]
        assert turns == [("acknowledged", None), ("inProgress", None), ("resolved", "a cable"), ("closed", None)]
        assert said["resolutionDate"] == moments[1]
        assert said["statusChangeDate"] == moments[3]
        assert [note["text"] for note in said["note"]] == ["a cable"]


@VERSIONS
async def test_notes_are_never_lost_and_never_doubled(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        mine = {"text": "from the start", "author": "Ann", "date": "2026-11-22T08:00:00Z", "id": "their-1"}
        number = (await client.new(note=[mine]))["id"]
        said = await client.change(number, note=[{"text": "two"}])
        assert (said["note"][0]["id"], said["note"][0]["text"]) == ("their-1", "from the start")
        assert {key: said["note"][0][key] for key in mine} == mine
        second = {key: value for key, value in said["note"][1].items() if key != "@type"}
        dated = {"text": "three", "author": "Bob", "date": "2026-11-22T09:00:00Z"}
        for notes in ([second, dated], [dated], [{**mine, "text": "another text"}], []):
            said = await client.change(number, note=notes)
        assert [note["text"] for note in said["note"]] == ["from the start", "two", "three"]
        error = await client.change(number, 400, note=None)
        assert "note" in error["message"]
        assert len((await client.get(f"/troubleTicket/{number}"))["note"]) == 3


@VERSIONS
async def test_a_file_comes_back_as_it_was_sent(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        content = b64encode(bytes(range(256)) * 20).decode()
        said = await client.new(attachment=[{**FILE, "content": content, "description": "the rack"}])
        (file,) = said["attachment"]
        assert (file["content"], file["size"]) == (content, {"amount": 5120, "units": "byte"})
        assert {name: file[name] for name in FILE} == FILE
        (listed,) = await client.get("/troubleTicket")
        assert "content" not in listed["attachment"][0]
        there = {"@type": "AttachmentRef"} if version == 5 else {}
        ref = {**there, "id": "doc-7", "url": "https://files.example.net/7"}
        await client.change(said["id"], attachment=[ref, {**FILE, "id": file["id"], "content": "AAAA"}])
        said = await client.get(f"/troubleTicket/{said['id']}")
        assert [one["id"] for one in said["attachment"]] == [file["id"], "doc-7"]
        assert (said["attachment"][0]["content"], said["attachment"][1]["url"]) == (content, ref["url"])


async def test_files_have_limits(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        large = b64encode(b"x" * (attachments.LARGEST + 1)).decode()
        status, error = await client.ask("POST", "/troubleTicket", client.said({"attachment": [{"content": large}]}))
        assert (status, error["code"]) == (413, "tooLarge")
        number = (await client.new(attachment=[{"content": "AAAA"}] * attachments.MOST))["id"]
        error = await client.change(number, 413, attachment=[{"content": "AAAA"}])
        assert "more than 20 files" in error["message"]
        status, error = await client.ask("POST", "/troubleTicket", b" " * (mounting.LIMITS.received + 1))
        assert (status, error["code"]) == (413, "tooLarge")
        assert len(await client.get("/troubleTicket")) == 1


PATCHES = [
    ([{"op": "replace", "path": "/status", "value": "inProgress"}], 200, "inProgress"),
    (
        [{"op": "test", "path": "/status", "value": "acknowledged"}, {"op": "add", "path": "/name", "value": "y"}],
        200,
        "y",
    ),
    ([{"op": "add", "path": "/note/-", "value": {"@type": "Note", "text": "three"}}], 200, "three"),
    ([{"op": "add", "path": "/attachment/-", "value": {"@type": "AttachmentRef", "id": "doc-7"}}], 200, "doc-7"),
    ([{"op": "remove", "path": "/channel"}], 200, "acknowledged"),
    ([{"op": "replace", "path": "/relatedEntity/0/entity/id", "value": "DF2"}], 200, "DF2"),
    ([{"op": "test", "path": "/status", "value": "closed"}], 409, "the value there is another one"),
    ([{"op": "remove", "path": "/note/0"}], 400, "add to /note/-"),
    ([{"op": "replace", "path": "/note/0/text", "value": "x"}], 400, "add to /note/-"),
    ([{"op": "remove", "path": "/description"}], 400, "description"),
    ([{"op": "remove", "path": "/nothing"}], 400, "there is no such thing"),
    ([{"op": "replace", "path": "status", "value": "x"}], 400, "begins with /"),
    ([{"op": "add", "path": "/note/99", "value": {}}], 400, "beyond the end"),
    ([{"op": "add", "path": "/relatedEntity/x", "value": {}}], 400, "no position in a list"),
    ([{"op": "replace", "path": "/status"}], 400, "there is no value"),
    ([{"op": "copy", "path": "/note/-", "from": "/note/0"}], 400, "copy"),
    ([{"op": "test", "path": "/status", "value": "x"}] * 101, 400, "more than 100 operations"),
    ({"op": "test"}, 400, "Expected `array`"),
]


@pytest.mark.parametrize(("operations", "expected", "says"), PATCHES)
async def test_a_json_patch_does_what_it_may(tmp_path: Path, operations: Any, expected: int, says: str) -> None:
    async with offered(tmp_path, 5) as client:
        channel = {"@type": "ChannelRef", "id": "3"}
        before = await client.new(
            note=[{"text": "one"}, {"text": "two"}], relatedEntity=client.on("DF1"), channel=channel
        )
        headers = {"Content-Type": "application/json-patch+json"}
        status, said = await client.ask("PATCH", f"/troubleTicket/{before['id']}", operations, headers=headers)
        assert status == expected
        assert says in json.dumps(said)
        after = await client.get(f"/troubleTicket/{before['id']}")
        assert [note["text"] for note in after["note"]][:2] == ["one", "two"]
        assert ("channel" in after) == (operations[0]["path"] != "/channel" if expected == 200 else True)
        assert after == said or expected != 200


# --- tickets of ours ---------------------------------------------------------------------------------------------------


@VERSIONS
async def test_a_ticket_of_ours_says_what_it_is(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        number = await client.declared()
        said = await client.get(f"/troubleTicket/{number}", headers={"Accept-Language": "de, fr;q=0.8, en;q=0.1"})
        assert client.headers["Content-Language"] == "fr"
        assert (said["name"], said["description"]) == ("Disque de Web one", "Il est plein.")
        assert (said["severity"], said["ticketType"], said["priority"]) == ("Major", "incident", "P3")
        (entity,) = said["relatedEntity"]
        assert (entity["id"] if version == 4 else entity["entity"]["id"]) == "DF1"
        english = await client.get(f"/troubleTicket/{number}")
        assert (english["name"], english["note"][0]["author"]) == ("Disk of Web one", "tocsin")
        assert english["note"][0]["text"] != said["note"][0]["text"]


@VERSIONS
async def test_to_work_on_a_ticket_of_ours_is_to_touch_it(tmp_path: Path, version: int) -> None:
    clock = Clock()
    async with offered(tmp_path, version, clock=clock) as client:
        number = await client.declared()
        await client.change(number, note=[{"text": "looking into it", "author": "Ann"}])
        incident = "select touched > 0, state from incidents"
        assert await rows(client.app.store, incident) == [(1, "open")]
        notes = await rows(client.app.store, "select kind, text from notes order by id")
        assert notes[-1][0] == "touched"
        assert "Ann" in notes[-1][1]
        assert await rows(client.app.store, "select assignee from desk_tickets") == [("Ann",)]
        assert (await client.change(number, status="cancelled", statusChangeReason="no fault"))["status"] == "cancelled"
        assert await rows(client.app.store, incident) == [(1, "closed")]
        assert await rows(client.app.store, "select status from tickets") == [("cancelled",)]


async def test_what_finds_a_ticket_of_ours_stays(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        number = await client.declared()
        before = await client.get(f"/troubleTicket/{number}")
        for facts in ({"externalId": "mine"}, {"relatedEntity": client.on("DF2")}):
            error = await client.change(number, 409, **facts)
            assert error["code"] == "badState"
            assert "tocsin declared" in error["message"]
        assert await client.get(f"/troubleTicket/{number}") == before


async def test_a_severity_holds_until_tocsin_says_another_impact(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        number = await client.declared()
        said = await client.change(number, severity="CRITICAL")
        assert (said["severity"], said["priority"]) == ("CRITICAL", "P1")
        await alerted(client.app, client.http, status="resolved")
        said = await client.get(f"/troubleTicket/{number}")
        assert (said["severity"], said["priority"]) == ("Major", "P3")
        assert [one["id"] for one in await client.get("/troubleTicket?severity=Major")] == [number]
        assert await client.get("/troubleTicket?severity=CRITICAL") == []


async def test_what_tocsin_does_later_is_in_the_history_too(tmp_path: Path) -> None:
    clock = Clock()
    async with offered(tmp_path, clock=clock) as client:
        number = await client.declared()
        clock.passes(minutes=1)
        await alerted(client.app, client.http, status="resolved")
        said = await client.get(f"/troubleTicket/{number}")
        assert [turn["status"] for turn in said["statusChange"]] == ["acknowledged", "resolved"]
        assert said["statusChangeReason"] == said["note"][-1]["text"]
        assert said["resolutionDate"] == said["statusChangeDate"] == said["lastUpdate"]


# --- both versions -----------------------------------------------------------------------------------------------------


async def test_what_one_version_says_the_other_can_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        four, five = Client(app, http, 4), Client(app, http, 5)
        party = {"id": "p1", "name": "Ann", "role": "originator", "@referredType": "Individual"}
        one = await four.new(
            relatedEntity=four.on("DF1"),
            relatedParty=[party],
            externalId="A-1",
            attachment=[{"content": "AAAA"}],
            troubleTicketRelationship=[{"id": "2611N00009"}, {"relationshipType": "loose"}],
        )
        seen = await five.get(f"/troubleTicket/{one['id']}")
        assert seen["externalIdentifier"] == [{"@type": "ExternalIdentifier", "id": "A-1"}]
        assert seen["relatedParty"][0]["partyOrPartyRole"] == {
            "@type": "PartyRef",
            "id": "p1",
            "name": "Ann",
            "@referredType": "Individual",
        }
        assert seen["relatedEntity"][0]["entity"]["id"] == "DF1"
        assert seen["attachment"][0]["mimeType"] == "application/octet-stream"
        assert [one["relationshipType"] for one in seen["troubleTicketRelationship"]] == ["relatesTo"]
        assert await rows(app.store, "select declarant from desk_tickets") == [("Ann",)]
        assert (await five.ask("PATCH", f"/troubleTicket/{one['id']}", seen))[0] == 200
        assert await five.get(f"/troubleTicket/{one['id']}") == seen
        assert await four.get(f"/troubleTicket/{one['id']}") == one


@pytest.mark.parametrize("name", ["relatedEntity", "relatedParty"])
@given(
    inner=st.dictionaries(st.sampled_from(["href", "name", "@type", "x"]), st.text(max_size=5)),
    role=st.text(max_size=5),
)
def test_a_relation_survives_its_own_version(name: str, inner: dict[str, str], role: str) -> None:
    four = {**inner, "id": "1", "role": role, "@referredType": "Service"}
    assert relations.shown(name, relations.kept(name, [four], 4), 4) == [four]
    key = {"relatedEntity": relations.ENTITY, "relatedParty": relations.PARTY}[name]
    five = {"@type": "R", "role": role, key: {"@type": "E", "id": "1", **inner}}
    assert relations.shown(name, relations.kept(name, [five], 5), 5) == [five]


# --- at the door -------------------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, str, dict[str, Any], int, str, dict[str, str]]] = [
    ("GET", "/troubleTicket/2611N09999", {}, 404, "notFound", {}),
    ("PATCH", "/troubleTicket/2611N09999", {"body": {}}, 404, "notFound", {}),
    ("GET", "/trouble", {}, 404, "notFound", {}),
    ("DELETE", "/troubleTicket/{id}", {}, 405, "methodNotAllowed", {"Allow": "GET, HEAD, PATCH"}),
    ("PUT", "/troubleTicket/{id}", {"body": {}}, 405, "methodNotAllowed", {"Allow": "GET, HEAD, PATCH"}),
    ("DELETE", "/troubleTicket", {}, 405, "methodNotAllowed", {"Allow": "GET, HEAD, POST"}),
    ("GET", "/hub", {}, 405, "methodNotAllowed", {"Allow": "POST"}),
    ("GET", "/troubleTicket", {"headers": {"Accept": "text/html"}}, 406, "notAcceptable", {}),
    ("GET", "/troubleTicket", {"headers": {"Accept": "application/json;q=0, text/*"}}, 406, "notAcceptable", {}),
    ("POST", "/troubleTicket", {"body": b"{"}, 400, "badJson", {}),
    ("POST", "/troubleTicket", {"body": b"[" * 100_000}, 400, "badJson", {}),
    ("POST", "/troubleTicket", {"body": b""}, 400, "badJson", {}),
    ("POST", "/troubleTicket", {"body": []}, 400, "badValue", {}),
    ("POST", "/troubleTicket?x=1", {"body": {}}, 400, "badParameter", {}),
    (
        "POST",
        "/troubleTicket",
        {"body": b"<x/>", "headers": {"Content-Type": "text/xml"}},
        415,
        "unsupportedMediaType",
        {"Accept-Post": "application/json"},
    ),
    (
        "PATCH",
        "/troubleTicket/{id}",
        {"body": [], "headers": {"Content-Type": "application/json-patch-query+json"}},
        415,
        "unsupportedMediaType",
        {},
    ),
    ("GET", "/troubleTicket", {"headers": {"Origin": "https://example.net"}}, 403, "forbidden", {}),
    ("GET", "/troubleTicket", {"headers": {"X-Forwarded-For": "192.0.2.7"}}, 403, "forbidden", {}),
]


@VERSIONS
@pytest.mark.parametrize(("method", "path", "more", "status", "code", "headers"), REFUSALS)
async def test_what_cannot_be_done_is_the_standards_error(  # noqa: PLR0913, PLR0917
    tmp_path: Path,
    version: int,
    method: str,
    path: str,
    more: dict[str, Any],
    status: int,
    code: str,
    headers: dict[str, str],
) -> None:
    async with offered(tmp_path, version) as client:
        number = (await client.new())["id"]
        more = dict(more)
        body = client.typed(more.pop("body")) if more.get("body") == {} else more.pop("body", None)
        got, error = await client.ask(method, path.format(id=number), body, **more)
        assert (got, error["code"], error["status"]) == (status, code, str(status))
        assert error["reason"]
        assert error["message"]
        assert (error.get("@type") == "Error") == (version == 5)
        assert {name: client.headers[name] for name in headers} == headers
        assert client.headers["Content-Type"].startswith("application/json")


async def test_versions_differ_where_the_standard_does(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        four, five = Client(app, http, 4), Client(app, http, 5)
        number = (await four.new())["id"]
        assert four.headers["Content-Type"] == "application/json;charset=utf-8"
        headers = {"Content-Type": "application/json-patch+json"}
        for client, expected in ((four, 415), (five, 200)):
            status, _ = await client.ask("PATCH", f"/troubleTicket/{number}", [], headers=headers)
            assert status == expected
        for path, statuses in (
            ("/troubleTicketSpecification", (404, 501)),
            ("/troubleTicketSpecification/1", (404, 501)),
            ("/hub/x", (405, 404)),
            ("/troubleTicket?sort=id", (400, 200)),
        ):
            assert tuple([(await client.ask("GET", path))[0] for client in (four, five)]) == statuses
        status, error = await four.ask("GET", "/tmf-api/troubleTicket/v3/troubleTicket")
        assert (status, error["code"]) == (404, "notFound")


async def test_it_is_offered_only_where_the_settings_say_so(tmp_path: Path) -> None:
    async with offered(tmp_path, enabled=False) as client:
        async with client.http.get(f"{client.app.address}{client.base}/troubleTicket") as answer:
            assert answer.status == 404
        await client.declared()
        assert await rows(client.app.store, "select count(*) from desk_events") == [(0,)]


async def test_clients_show_a_token_where_there_is_one(tmp_path: Path) -> None:
    async with offered(tmp_path, token_file="client.token") as client:
        elsewhere = {"X-Forwarded-For": "192.0.2.7"}
        for headers, expected in (
            ({}, 401),
            ({"Authorization": "Bearer t0kem"}, 401),
            ({"Authorization": "Bearer t0ken"}, 200),
            ({"Authorization": "bearer t0ken", **elsewhere}, 200),
            ({"Authorization": "Bearer t0ken", "Origin": "https://example.net"}, 403),
        ):
            status, said = await client.ask("GET", "/troubleTicket", headers=headers)
            assert status == expected
            assert "t0ken" not in json.dumps(said)
            assert ("WWW-Authenticate" in client.headers) == (expected == 401)
        status, _ = await client.ask("GET", "/openapi.json")
        assert status == 401


async def test_clients_see_the_contracts_that_they_may(tmp_path: Path) -> None:
    async with offered(tmp_path, contracts=["OCB001"]) as client:
        hidden = await alerted(client.app, client.http, resource="web2")
        shown = await client.declared()
        mine = await client.new(relatedEntity=client.on("DF1"))
        assert sorted(one["id"] for one in await client.get("/troubleTicket")) == [shown, mine["id"]]
        assert client.headers["X-Total-Count"] == "2"
        for method, body in (("GET", None), ("PATCH", {})):
            assert (await client.ask(method, f"/troubleTicket/{hidden}", body))[0] == 404
        for related in (client.on("DF2"), []):
            status, error = await client.ask("POST", "/troubleTicket", client.said({"relatedEntity": related}))
            assert (status, error["code"]) == (400, "unknownElement")


async def test_links_begin_as_clients_know_the_service(tmp_path: Path) -> None:
    async with offered(tmp_path, url="https://tickets.example.net/desk/") as client:
        said = await client.new()
        assert said["href"] == f"https://tickets.example.net/desk/tmf-api/troubleTicket/v4/troubleTicket/{said['id']}"
        assert client.headers["Location"] == said["href"]


async def test_a_store_that_cannot_write_is_asked_again_later(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        await client.app.store.close()
        status, error = await client.ask("POST", "/troubleTicket", client.said({}))
        assert (status, error["code"], client.headers["Retry-After"]) == (503, "unavailable", "5")


async def test_tickets_of_clients_go_when_they_are_old(tmp_path: Path) -> None:
    clock = Clock()
    async with offered(tmp_path, clock=clock) as client:
        everything = {"note": [{"text": "x"}], "attachment": [{"content": "AAAA"}], "relatedEntity": client.on("DF1")}
        over = await client.new(**everything, externalId="A-1")
        left = await client.new(**everything, externalId="A-2")
        ours = await client.declared()
        await client.change(ours, status="closed", statusChangeReason="done", severity="Critical")
        await alerted(client.app, client.http, status="resolved")
        await client.change(over["id"], status="closed", statusChangeReason="done")
        clock.passes(days=401)
        gone = 1
        while gone:
            gone = await client.app.store.run(lambda tx: pruning.prune(tx, pruning.Retention(), clock.now))
        assert [one["id"] for one in await client.get("/troubleTicket")] == [left["id"]]
        for table in ("tickets", "notes", "statuses", "identifiers", "attachments", "details"):
            key = "id" if table == "tickets" else "ticket"
            strange = f"select count(*) from desk_{table} where {key} not in (select id from desk_tickets)"  # noqa: S608
            assert await rows(client.app.store, strange) == [(0,)]


@given(st.sampled_from([4, 5]), st.text(max_size=30), st.text(max_size=30))
def test_no_parameter_is_a_fault_of_ours(version: int, name: str, value: str) -> None:
    with contextlib.suppress(Refused):
        asking.wanted([(name, value)], version, ("id",))


async def test_people_see_the_tickets_of_programs(tmp_path: Path) -> None:
    async with offered(tmp_path) as client:
        ours = await client.declared()
        mine = (await client.new(name="No answer", externalId="noc-1", relatedEntity=client.on("DF1")))["id"]
        over = (await client.new())["id"]
        await client.change(over, status="closed")
        with listing(tmp_path / "var") as there:
            assert [line.number for line in there.tickets()] == [over, mine, ours]
            assert [line.number for line in there.tickets(limit=2)] == [over, mine]
            assert [line.number for line in there.tickets("closed")] == [over]
            line = there.ticket(mine)
            assert line is not None
            assert (line.name["fr"], line.element, line.declarant, line.reference) == (
                "No answer",
                "DF1",
                "tmf621",
                "noc-1",
            )
            assert there.notes(ours)
        body = {"actor": "Ann", "status": "in_progress", "note": "on it"}
        async with client.http.post(f"{client.app.address}/-/tickets/{mine}", json=body) as answer:
            assert answer.status == 200
        said = await client.get(f"/troubleTicket/{mine}")
        assert (said["status"], said["note"][0]["author"], said["statusChangeReason"]) == ("inProgress", "Ann", "on it")
