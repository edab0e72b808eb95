"""The mapping of Orange's Incident API, filled in from a Swagger file. The file is made up: its names are not the vendor's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tocsin.backends import Level
from tocsin.backends._likeness import likeness, matched, words
from tocsin.backends._orange_findings import unfilled
from tocsin.backends._orange_mapping import parse, shipped
from tocsin.backends._orange_swagger import Imported, import_swagger
from tocsin.backends._swagger import operations
from tocsin.errors import RuleError
from tocsin.model import Impact, TicketStatus

FILE = Path(__file__).parents[1] / "backends" / "orange" / "swagger.json"


def document() -> dict[str, Any]:
    return json.loads(FILE.read_text("utf-8"))


def imported(**changes: Any) -> Imported:
    return import_swagger(json.dumps({**document(), **changes}), shipped())


def told(found: Imported, what: str, level: Level) -> str:
    return next((finding.told for finding in found.findings if (finding.what, finding.level) == (what, level)), "")


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("list", "GET", "/incidents"),
        ("create", "POST", "/incidents"),
        ("read", "GET", "/incidents/{key}"),
        ("update", "PUT", "/incidents/{key}"),
        ("close", "PUT", "/incidents/{key}"),
        ("notes", "GET", "/incidents/{key}/notes"),
        ("add_note", "POST", "/incidents/{key}/notes"),
        ("attach", "POST", "/incidents/{key}/attachments"),
    ],
)
def test_operations_are_found_by_their_resources(name: Any, method: str, path: str) -> None:
    call = imported().mapping.operations[name]
    assert (call.method, call.path) == (method, path)


def test_fields_are_found_by_their_names_and_cleared_where_there_is_none() -> None:
    found = imported()
    paths = {name: place.path for name, place in found.mapping.sends.items()}
    assert paths["title"] == "shortDescription"
    assert paths["text"] == "longDescription"
    assert paths["reference"] == "externalReference"
    assert paths["element"] == "servicePoint.id"
    assert paths["contact_last_name"] == "contacts.0.lastName"
    assert paths["note"] == "content"
    assert paths["contract"] == ""
    assert "contract" in told(found, "sends", Level.WARNING)


def test_the_impact_is_found_by_its_values_whatever_it_is_called() -> None:
    mapping = imported().mapping
    assert (mapping.sends["impact"].path, mapping.tells["impact"].path) == ("severityLevel", "severityLevel")
    assert [mapping.impacts.en[impact][0] for impact in Impact] == [
        "NOT_DISRUPTED",
        "NOT_DISRUPTED",
        "DEGRADED",
        "SEVERELY_DEGRADED",
        "INTERRUPTED",
    ]
    assert mapping.impacts.fr[Impact.SEVERE][-1] == "Très dégradé", "labels are still read"
    assert mapping.impacts.known == "assumed", "a likeness is no proof"


def test_statuses_are_taken_by_likeness_and_shown_to_be_compared() -> None:
    found = imported()
    assert {status: several[0] for status, several in found.mapping.statuses.en.items()} == {
        TicketStatus.IN_PROGRESS: "IN_PROGRESS",
        TicketStatus.FROZEN: "FROZEN",
        TicketStatus.REPAIRED: "RESTORED",
        TicketStatus.CLOSED: "CLOSED",
        TicketStatus.CANCELLED: "CANCELLED",
    }
    assert "repaired: RESTORED" in told(found, "statuses", Level.WARNING)


def test_the_query_asks_for_nothing_that_the_list_does_not_offer() -> None:
    asks = {name: parameter.name for name, parameter in imported().mapping.asks.items()}
    assert asks == {
        "offset": "offset",
        "limit": "limit",
        "reference": "externalReference",
        "number": "",
        "since": "lastUpdateDate.gte",
    }


@pytest.mark.parametrize("name", ["a list", "{", "a.b."])
def test_a_name_that_no_mapping_can_hold_is_passed_over(name: str) -> None:
    changed = document()
    answer = {"type": "object", "properties": {name: {"type": "array", "items": {"$ref": "#/definitions/Incident"}}}}
    changed["paths"]["/incidents"]["get"]["responses"]["200"]["schema"] = answer
    assert imported(paths=changed["paths"]).mapping.tells["list"].known == "confirmed", "as it was shipped"


def test_an_address_that_no_mapping_can_hold_is_said() -> None:
    paths = {"/{tenant/incidents": document()["paths"]["/incidents"]}
    with pytest.raises(RuleError, match="a name that cannot be used"):
        imported(paths=paths)


def test_a_date_alone_is_no_way_to_ask_what_changed_since() -> None:
    changed = document()
    changed["paths"]["/incidents"]["get"]["parameters"] = [{"name": "lastUpdateDate", "in": "query"}]
    assert imported(paths=changed["paths"]).mapping.asks["since"].name == ""


def test_the_number_for_people_and_what_addresses_need_are_told_apart() -> None:
    tells = imported().mapping.tells
    assert (tells["number"].path, tells["key"].path) == ("ticketNumber", "incidentId")
    one = document()
    del one["definitions"]["Incident"]["properties"]["ticketNumber"]
    mapping = imported(definitions=one["definitions"]).mapping
    assert (mapping.tells["number"].path, mapping.tells["key"].path) == ("incidentId", "")
    assert mapping.operations["read"].path == "/incidents/{number}"


def test_lists_in_an_answer_and_forms_of_files_are_found() -> None:
    mapping = imported().mapping
    assert (mapping.tells["list"].path, mapping.tells["note_list"].path) == ("", "notes")
    assert (mapping.file.written, mapping.file.part) == ("multipart", "document")
    changed = document()
    post = changed["paths"]["/incidents/{incidentId}/attachments"]["post"]
    properties = {"fileName": {"type": "string"}, "content": {"type": "string", "format": "byte"}}
    post["parameters"] = [{"in": "body", "schema": {"type": "object", "properties": properties}}]
    file = imported(paths=changed["paths"]).mapping.file
    assert (file.written, file.name, file.content) == ("base64", "fileName", "content")


def test_what_is_required_and_nothing_fills_is_an_error() -> None:
    found = imported()
    assert told(found, "create", Level.ERROR).startswith("a new incident must have region, and nothing is sent there")
    filled = parse("operations: {create: {method: POST, path: /incidents, always: {region: EMEA}}}", "mine.yaml")
    create = next(one for one in operations(document()) if (one.path, one.verb) == ("/incidents", "POST"))
    assert unfilled(create.sends, found.mapping.over(filled)) == []


def test_what_is_required_and_only_an_option_fills_is_a_warning() -> None:
    changed = document()
    contacts = changed["definitions"]["IncidentCreate"]["properties"]["contacts"]
    contacts["items"]["required"] = ["lastName"]
    changed["definitions"]["IncidentCreate"]["required"].append("contacts")
    said = told(imported(definitions=changed["definitions"]), "contact_last_name", Level.WARNING)
    assert said == "a new incident must have contacts.0.lastName: give the option `contact_last_name`"


def test_another_base_path_is_told() -> None:
    assert "'/incident/b2b/v2'" in told(imported(basePath="/incident/b2b/v2"), "path", Level.WARNING)


def test_the_file_that_is_written_says_the_same_when_it_is_read() -> None:
    found = imported()
    assert shipped().over(parse(found.text, "orange-mapping.yaml")) == found.mapping
    assert found.text.startswith("# The Incident API's wire form, from its Swagger 1.7.0 file.")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "not a Swagger 2.0 file"),
        ('{"openapi": "3.0.1", "paths": {}}', "not a Swagger 2.0 file"),
        ('{"swagger": "2.0"}', "no operation on incidents"),
        ('{"swagger": "2.0", "paths": {"/pets": {"get": {}}}}', "no operation on incidents"),
    ],
)
def test_what_is_no_such_file_is_said_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(RuleError) as caught:
        import_swagger(text, shipped())
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "paths",
    [
        {"/incidents": {"get": {"parameters": "none", "responses": []}, "post": {"parameters": [3, {"$ref": 7}]}}},
        {"/incidents": {"get": {"responses": {"200": {"schema": {"$ref": "#/definitions/Loop"}}}}, "post": None}},
        {"/incidents": {"post": {"parameters": [{"in": "body", "schema": {"$ref": "#/definitions/Loop"}}]}}},
        {"/incidents": {"post": {"parameters": [{"in": "body", "schema": {"$ref": "#/nowhere/at/all"}}]}}},
        {"/incidents": {"get": {}}, "/incidents/{id}?x": {"get": {}}, "/incidents/{a}/{b}": {"get": {}}},
        {
            "/incidents": {
                "get": {"parameters": [{"name": "off set", "in": "query"}, {"name": "a&limit", "in": "query"}]}
            }
        },
        {"/incidents": {"post": {"parameters": [{"in": "body", "schema": {"properties": {"the title": {}}}}]}}},
    ],
)
def test_a_file_that_is_odd_or_refers_to_itself_is_read_as_far_as_it_goes(paths: Any) -> None:
    loop = {"type": "object", "properties": {"title": {"type": "string"}, "parent": {"$ref": "#/definitions/Loop"}}}
    turn = {"$ref": "#/definitions/Turn"}
    found = imported(
        paths=paths, definitions={"Loop": {**loop, "allOf": [{"$ref": "#/definitions/Loop"}]}, "Turn": turn}
    )
    assert found.mapping.operations["list"].path == "/incidents"


def test_leaves_know_whether_they_must_be_there() -> None:
    create = next(one for one in operations(document()) if (one.path, one.verb) == ("/incidents", "POST"))
    required = [leaf.path for leaf in create.sends if leaf.required]
    assert required == ["shortDescription", "severityLevel", "region", "servicePoint.id"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("lastUpdateDate.gte", ("last", "update", "date", "gte")),
        ("contacts.0.eMail", ("contact", "e", "mail")),
        ("SERVICE_NON_PERTURBÉ", ("service", "non", "perturbe")),
        ("servicePointID", ("service", "point", "id")),
        ("", ()),
    ],
)
def test_a_name_is_its_words(name: str, split: tuple[str, ...]) -> None:
    assert words(name) == split


def test_each_name_is_given_once_to_what_is_most_like_it() -> None:
    known = {"severe": ("Severely degraded",), "degraded": ("Degraded",)}
    assert matched(known, ["DEGRADED", "SEVERELY_DEGRADED"], 0.4) == {
        "severe": ("SEVERELY_DEGRADED", 1.0),
        "degraded": ("DEGRADED", 1.0),
    }
    assert likeness("Frozen", "") == 0.0
