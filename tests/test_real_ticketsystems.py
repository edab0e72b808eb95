"""The real ticket systems that tests start: each makes a ticket, finds it by our reference, notes, closes and opens it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio
from aiohttp import encode_basic_auth

from real import redmine as redmine_kind
from real import rt
from real import znuny as znuny_kind
from service import session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp
    import pytest

    from real.redmine import Redmine
    from real.rt import RequestTracker
    from real.znuny import Znuny

OTHER, REFERENCE = "4XH8T3", "7QK2M9"
"""Of two tickets, made in this order: one that must not be found, and the one that must."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tracker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RequestTracker]:
    async with rt.requesttracker(tmp_path_factory.mktemp("rt")) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redmine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Redmine]:
    async with redmine_kind.redmine(tmp_path_factory.mktemp("redmine")) as system:
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def znuny(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Znuny]:
    async with znuny_kind.znuny(tmp_path_factory.mktemp("znuny")) as system:
        yield system


async def ask(http: aiohttp.ClientSession, method: str, url: str, status: int, **more: Any) -> Any:
    """The answer to one request, which must have this status."""
    async with http.request(method, url, **more) as answer:
        told = await answer.text()
        assert answer.status == status, f"{method} {answer.url.path}: {answer.status} {told[:500]}"
        return await answer.json() if told else None


async def test_a_real_request_tracker_keeps_a_ticket_from_its_making_to_its_reopening(tracker: RequestTracker) -> None:
    api, headers = f"{tracker.url}/REST/2.0", {"Authorization": f"token {tracker.token}"}
    ticket = {
        "Queue": rt.QUEUE, "Subject": "http on Web one", "Content": "It is down.", "ContentType": "text/plain",
    }  # fmt: skip
    query = {"query": f"CF.{{{rt.FIELD}}} = '{REFERENCE}'", "fields": "Status"}
    async with session() as http:
        for reference in (OTHER, REFERENCE):
            fields = {rt.FIELD: reference, rt.IMPACT: "degraded"}
            body = {**ticket, "CustomFields": fields}
            number = (await ask(http, "POST", f"{api}/ticket", 201, json=body, headers=headers))["id"]
        (found,) = (await ask(http, "GET", f"{api}/tickets", 200, params=query, headers=headers))["items"]
        assert (found["id"], found["Status"]) == (number, "new")
        note = {"Content": "Still down.", "ContentType": "text/plain"}
        await ask(http, "POST", f"{api}/ticket/{number}/comment", 201, json=note, headers=headers)
        for status in ("resolved", "open"):
            await ask(http, "PUT", f"{api}/ticket/{number}", 200, json={"Status": status}, headers=headers)
            assert (await ask(http, "GET", f"{api}/ticket/{number}", 200, headers=headers))["Status"] == status
        texts = await ask(
            http, "GET", f"{api}/ticket/{number}/attachments", 200, params={"fields": "Content"}, headers=headers
        )
        assert [text["Content"] for text in texts["items"]] == ["It is down.", "Still down."]
        for person, expected in ((rt.AGENT, 200), (rt.ONLOOKER, 403)):
            login = {"Authorization": encode_basic_auth(person, rt.PASSWORD)}
            await ask(http, "GET", f"{api}/ticket/{number}", expected, headers=login)


async def test_a_real_redmine_keeps_an_issue_from_its_making_to_its_reopening(redmine: Redmine) -> None:
    headers = {"X-Redmine-API-Key": redmine.keys["tocsin"]}
    issue = {
        "project_id": redmine_kind.PROJECT, "tracker_id": redmine.tracker, "subject": "http on Web one",
        "priority_id": redmine.priorities["High"],
    }  # fmt: skip
    impact = {"id": redmine.impact_field, "value": "degraded"}
    query = {f"cf_{redmine.reference_field}": REFERENCE, "status_id": "*"}
    async with session() as http:
        for reference in (OTHER, REFERENCE):
            fields = [{"id": redmine.reference_field, "value": reference}, impact]
            body = {"issue": {**issue, "custom_fields": fields}}
            made = await ask(http, "POST", f"{redmine.url}/issues.json", 201, json=body, headers=headers)
        (found,) = (await ask(http, "GET", f"{redmine.url}/issues.json", 200, params=query, headers=headers))["issues"]
        assert found["id"] == made["issue"]["id"]
        at = f"{redmine.url}/issues/{found['id']}.json"
        for status, note in (("Closed", "It ended."), ("In Progress", "It is down again.")):
            change = {"status_id": redmine.statuses[status], "notes": note}
            await ask(http, "PUT", at, 204, json={"issue": change}, headers=headers)
            assert (await ask(http, "GET", at, 200, headers=headers))["issue"]["status"]["name"] == status
        told = await ask(http, "GET", at, 200, params={"include": "journals"}, headers=headers)
        assert [journal["notes"] for journal in told["issue"]["journals"]] == ["It ended.", "It is down again."]
        for person, expected in (("agent", 200), ("onlooker", 403)):
            await ask(http, "GET", at, expected, headers={"X-Redmine-API-Key": redmine.keys[person]})


async def test_a_real_znuny_keeps_a_ticket_from_its_making_to_its_reopening(znuny: Znuny) -> None:
    login = {"UserLogin": znuny_kind.USER, "Password": znuny_kind.PASSWORD}
    article = {"Subject": "http on Web one", "Body": "It is down.", "ContentType": "text/plain; charset=utf8"}
    ticket = {
        "Title": "http on Web one", "Queue": znuny_kind.QUEUE, "CustomerUser": znuny_kind.CUSTOMER, "State": "new",
        "Priority": "3 normal",
    }  # fmt: skip
    impact = {"Name": znuny_kind.IMPACT, "Value": "degraded"}
    everything = {**login, "AllArticles": "1"}
    async with session() as http:
        for reference in (OTHER, REFERENCE):
            fields = [{"Name": znuny_kind.FIELD, "Value": reference}, impact]
            body = {**login, "Ticket": ticket, "Article": article, "DynamicField": fields}
            made = await ask(http, "POST", f"{znuny.url}/Ticket", 200, json=body)
        query = {**login, f"DynamicField_{znuny_kind.FIELD}": {"Equals": REFERENCE}}
        found = await ask(http, "POST", f"{znuny.url}/Ticket/Search", 200, json=query)
        assert found == {"TicketID": [made["TicketID"]]}
        at = f"{znuny.url}/Ticket/{made['TicketID']}"
        for state, text in (("closed successful", "It ended."), ("open", "It is down again.")):
            change = {**login, "Ticket": {"State": state}, "Article": {**article, "Body": text}}
            assert "Error" not in await ask(http, "PATCH", at, 200, json=change)
            (told,) = (await ask(http, "GET", at, 200, params=everything))["Ticket"]
            assert told["State"] == state
        assert [article["Body"] for article in told["Article"]] == ["It is down.", "It ended.", "It is down again."]
        stranger = {**everything, "UserLogin": znuny_kind.ONLOOKER}
        assert "AccessDenied" in (await ask(http, "GET", at, 200, params=stranger))["Error"]["ErrorCode"]
