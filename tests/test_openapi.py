"""The OpenAPI document is true: what it promises is what a real service answers, for good requests and for bad ones.

Schemathesis makes the requests, the same ones in every run.
"""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks as openapi

from interface import ALERTS, Interface, interface
from tocsin.web.api import document, examples
from tocsin.web.api.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.web.api.operation import Example, Operation

DOCUMENT = document.document(OPERATIONS)
EXAMPLES = [(operation, example) for operation in OPERATIONS for example in operation.examples]
SCHEMA = schemathesis.openapi.from_dict(
    DOCUMENT,
    config=SchemathesisConfig.from_dict(
        {
            "generation": {"deterministic": True, "max-examples": 12, "database": "none", "no-shrink": True},
            "phases": {"coverage": {"enabled": True, "unexpected-methods": ["PATCH"]}},
        }
    ),
)
CHECKS = [
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
    openapi.response_headers_conformance,
    openapi.negative_data_rejection,
    openapi.unsupported_method,
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service answers, in a thread of its own."""
    found: list[str] = []
    ready = threading.Event()
    over: list[Any] = []

    async def serve() -> None:
        end = asyncio.Event()
        over.append((asyncio.get_running_loop(), end))
        async with interface(tmp_path_factory.mktemp("openapi"), *ALERTS) as there:
            found.append(there.app.address)
            ready.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield found[0]
    loop, end = over[0]
    loop.call_soon_threadsafe(end.set)
    thread.join()


@SCHEMA.parametrize()
def test_every_answer_is_as_promised(case: Any, address: str) -> None:
    answer = case.call_and_validate(base_url=address, checks=CHECKS)
    if answer.status_code == 202:  # a replay has begun: two at once are the most
        path = f"{address}/api/v1/rules/replay/{answer.json()['id']}"
        with urlopen(Request(path, method="DELETE")) as cancelled:  # noqa: S310 - our own address
            assert cancelled.status == 200


async def test_the_document_is_served_as_it_is(tmp_path: Path) -> None:
    async with interface(tmp_path) as there:
        assert await there.ask("GET", "/api/openapi.json") == (200, DOCUMENT)


def test_the_document_says_what_people_need() -> None:
    assert (DOCUMENT["openapi"], DOCUMENT["info"]["title"]) == ("3.1.0", "tocsin")
    assert DOCUMENT["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    told = [one for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len(told) == len(OPERATIONS) == len({one["operationId"] for one in told})
    assert {tag for one in told for tag in one["tags"]} == tags
    assert [one["operationId"] for one in told if not one["summary"]] == []
    parameters = [parameter for one in told for parameter in one["parameters"]]
    assert [parameter["name"] for parameter in parameters if not parameter.get("description")] == []
    assert [name for name in DOCUMENT["components"]["schemas"] if "." in name] == []


def test_every_operation_has_an_example() -> None:
    assert [operation.name for operation in OPERATIONS if not operation.examples] == []
    assert sorted(examples.EXAMPLES) == sorted(operation.name for operation in OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "example"), EXAMPLES, ids=[f"{one.name}: {example.summary}" for one, example in EXAMPLES]
)
def test_an_example_is_of_the_type_that_is_promised(operation: Operation, example: Example) -> None:
    told = DOCUMENT["paths"][f"/api/v1{operation.path}"][operation.method.lower()]
    answers = told["responses"][str(operation.status)]["content"]["application/json"]
    assert_valid(example.answer, answers["schema"])
    msgspec.convert(example.answer, operation.answer)
    if operation.body is not None:
        assert_valid(example.body, told["requestBody"]["content"]["application/json"]["schema"])
    schemas = {one["name"]: one["schema"] for one in told["parameters"]}
    assert {**example.path, **example.query}.keys() <= schemas.keys()


def assert_valid(value: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(whole).validate(value)


async def test_every_example_works(tmp_path: Path) -> None:
    """In their order, on a service whose alerts have the numbers of the examples; names that are made up are looked up."""
    async with interface(tmp_path, *ALERTS) as there:
        made_up = await names(there)
        for operation, example in sorted(EXAMPLES, key=lambda pair: ORDER.index(pair[0].name)):
            path = operation.path
            for name, text in example.path.items():
                path = path.replace(f"{{{name}}}", quote(made_up.get((operation.name, name), text), safe=""))
            body = None if example.body is None else json.dumps(example.body).encode()
            asked = await there.ask(operation.method, f"/api/v1{path}", body, params=example.query)
            assert (operation.name, asked[0]) == (operation.name, operation.status), asked[1]


ORDER = [
    *(operation.name for operation in OPERATIONS if operation.name not in ("promote", "rollback")),
    "promote",
    "rollback",
]
"""A rollback goes back behind a promotion."""


async def names(there: Interface) -> dict[tuple[str, str], str]:
    (alert,) = (await there.get("/alerts?outcome=opened"))["alerts"]
    (group,) = (await there.get("/unmapped"))["groups"]
    return {
        ("explain_incident", "reference"): alert["incident"],
        ("explain_ticket", "number"): alert["ticket"],
        ("unmapped_group", "group"): group["id"],
    }
