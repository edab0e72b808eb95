"""The descriptions of the desk for other programs are true: what they promise is what a real service answers.

Schemathesis makes the requests, the same ones in every run. What the standard requires is checked by hand, from its tables.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import schemathesis
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks as openapi_checks

from house import Clock
from offered import Client, alerted, offered, serving
from tocsin.web.tmf621 import openapi
from tocsin.web.tmf621.service import FACES
from tocsin.web.tmf621.terms import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENTS = {face.version: openapi.document(face) for face in FACES}
VERSIONS = pytest.mark.parametrize("version", [4, 5])
CONFIG = {
    "generation": {"deterministic": True, "max-examples": 15, "database": "none", "no-shrink": True},
    "phases": {"coverage": {"enabled": True, "unexpected-methods": ["PUT", "DELETE"]}},
}
SCHEMAS = {
    version: schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(CONFIG))
    for version, document in DOCUMENTS.items()
}
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
]
NOT_SUPPORTED = [check for check in CHECKS if check is not checks.not_a_server_error]
"""Of the standard, and answered 501 here: that is no fault."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service with a few tickets answers, in a thread of its own."""
    found: list[str] = []
    ready = threading.Event()
    over: list[Any] = []

    async def serve() -> None:
        end = asyncio.Event()
        over.append((asyncio.get_running_loop(), end))
        folder = tmp_path_factory.mktemp("tmf621")
        async with serving(folder, Clock(), listeners=["*.example.net"]) as (app, http):
            await filled(Client(app, http, 5))
            found.append(app.address)
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield found[0]
    loop, end = over[0]
    loop.call_soon_threadsafe(end.set)
    thread.join()


async def filled(client: Client) -> None:
    """A ticket of ours, one with everything, one that is over."""
    await alerted(client.app, client.http)
    await client.new(
        note=[{"text": "x"}],
        attachment=[{"attachmentType": "a", "mimeType": "b", "content": "AAAA"}, {"@type": "AttachmentRef", "id": "1"}],
        relatedEntity=client.on("DF1"),
        **client.called("A-1"),
    )
    over = await client.new()
    await client.change(over["id"], status="rejected", statusChangeReason="no")


@SCHEMAS[4].parametrize()
def test_every_answer_of_version_4_is_as_promised(case: Any, address: str) -> None:
    case.call_and_validate(base_url=address, checks=CHECKS)


@SCHEMAS[5].parametrize()
def test_every_answer_of_version_5_is_as_promised(case: Any, address: str) -> None:
    answer = case.call(base_url=address)
    case.validate_response(answer, checks=NOT_SUPPORTED if answer.status_code == 501 else CHECKS)


@VERSIONS
async def test_the_description_is_served_as_it_is(tmp_path: Path, version: int) -> None:
    async with offered(tmp_path, version) as client:
        assert await client.get("/openapi.json") == DOCUMENTS[version]


REQUIRED = {"description", "severity", "ticketType"}
ATTRIBUTES = {
    "id", "href", "name", "description", "severity", "ticketType", "priority", "status", "statusChangeDate",
    "statusChangeReason", "creationDate", "lastUpdate", "requestedResolutionDate", "expectedResolutionDate",
    "resolutionDate", "channel", "note", "attachment", "relatedEntity", "relatedParty", "troubleTicketRelationship",
    "@type", "@baseType", "@schemaLocation",
}  # fmt: skip
"""Of both versions of the standard."""
OF_VERSION = {
    4: {"externalId", "statusChange"},
    5: {"externalIdentifier", "statusChangeHistory", "troubleTicketSpecification", "troubleTicketCharacteristic"},
}
OPERATIONS = {
    ("/troubleTicket", "get"): {4: {200}, 5: {200, 501}},
    ("/troubleTicket", "post"): {4: {201, 409}, 5: {201, 409}},
    ("/troubleTicket/{id}", "get"): {4: {200, 404}, 5: {200, 404}},
    ("/troubleTicket/{id}", "patch"): {4: {200, 404, 409}, 5: {200, 404, 409}},
    ("/hub", "post"): {4: {201}, 5: {201}},
    ("/hub/{id}", "get"): {4: set(), 5: {200}},
    ("/hub/{id}", "delete"): {4: {204}, 5: {204}},
}


@VERSIONS
def test_the_description_has_what_the_standard_has(version: int) -> None:
    document = DOCUMENTS[version]
    schemas = document["components"]["schemas"]
    typed = {"@type"} if version == 5 else set()
    assert schemas["TroubleTicket"]["properties"].keys() == ATTRIBUTES | OF_VERSION[version]
    assert set(schemas["TroubleTicketCreate"]["required"]) == REQUIRED | typed
    assert set(schemas["Error"]["required"]) == {"code", "reason"} | typed
    assert set(schemas["TroubleTicket"]["properties"]["status"]["enum"]) == set(OURS)
    assert ("timeOcurred" if version == 4 else "timeOccurred") in schemas["Event"]["required"]
    base = f"/tmf-api/troubleTicket/v{version}"
    for (path, method), statuses in OPERATIONS.items():
        told = document["paths"][base + path].get(method, {"responses": {}})["responses"]
        assert {str(status) for status in statuses[version]} <= told.keys()
    patch = document["paths"][f"{base}/troubleTicket/{{id}}"]["patch"]["requestBody"]["content"]
    assert ("application/json-patch+json" in patch) == (version == 5)
    assert [event[:1].isupper() for event in document["webhooks"]] == [False] * 5


@VERSIONS
async def test_every_attribute_is_shown_as_it_is_described(tmp_path: Path, version: int) -> None:
    schema = {"$ref": "#/components/schemas/TroubleTicket", "components": DOCUMENTS[version]["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema)
    async with serving(tmp_path) as (app, http):
        await filled(Client(app, http, 5))
        told = await Client(app, http, version).get("/troubleTicket")
        assert len(told) == 3
        for one in told:
            validator.validate(one)


@VERSIONS
async def test_every_example_works(tmp_path: Path, version: int) -> None:
    said = openapi.EXAMPLES[f"v{version}"]
    async with offered(tmp_path, version, listeners=["*.example.net"]) as client:
        status, ticket = await client.ask("POST", "/troubleTicket", said["create"])
        assert status == 201
        path = f"/troubleTicket/{ticket['id']}"
        assert (await client.ask("PATCH", path, said["change"]))[0] == 200
        assert (await client.ask("POST", "/hub", said["subscribe"]))[0] == 201
        if version == 5:
            headers = {"Content-Type": "application/json-patch+json"}
            assert (await client.ask("PATCH", path, said["operations"], headers=headers))[0] == 200


@VERSIONS
def test_the_description_says_what_people_need(version: int) -> None:
    document = DOCUMENTS[version]
    told = [one for path in document["paths"].values() for one in path.values()]
    assert len(told) == len({one["operationId"] for one in told})
    parameters = [parameter for one in told for parameter in one["parameters"]]
    assert [parameter["name"] for parameter in parameters if not parameter.get("description")] == []
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
