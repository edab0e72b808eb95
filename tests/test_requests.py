"""Requests kept as files: what a head says, and which of a kind's paths it asks for."""

from __future__ import annotations

import pytest

from tocsin.sources import head, kinds, payload, variables, wanted


def test_an_empty_head_says_what_most_requests_say() -> None:
    assert head("") == head("\n\n") == ("POST", "/", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("X-One: 1\nx-two:2", ("POST", "/", {"x-one": "1", "x-two": "2"})),
        ("GET /nrdp/?cmd=hello HTTP/1.1\r\nHost: h\r\n\r\n", ("GET", "/nrdp/?cmd=hello", {"host": "h"})),
        ("PUT /hooks/mine/v2/alerts/a/message", ("PUT", "/v2/alerts/a/message", {})),
        ("POST /hooks/mine", ("POST", "/", {})),
        ('{"X-One": "1", "Two": 2}', ("POST", "/", {"x-one": "1", "two": "2"})),
    ],
)
def test_a_head_is_a_request_line_and_headers_or_headers_as_json(
    text: str, told: tuple[str, str, dict[str, str]]
) -> None:
    assert head(text) == told


@pytest.mark.parametrize("text", ["hello", "GET", ": x", "two words: x", "X: 1\nPOST /x HTTP/1.1", "{x"])
def test_what_is_no_head_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"no header|neither lines"):
        head(text)


def test_a_message_is_asked_for_at_one_of_the_kinds_own_paths() -> None:
    kind = kinds()["opsgenie"]
    asked = (
        "POST /v2/alerts/disk%20db1/close?identifierType=alias&x= HTTP/1.1\nContent-Type: Application/JSON; charset=x"
    )
    told = payload(kind, b"{}", asked, source="one")
    assert (told.method, told.path, told.content_type, told.source) == (
        *("POST", "/v2/alerts/{identifier}/close", "application/json", "one"),
    )
    assert told.given == {"identifier": "disk db1", "identifierType": "alias", "x": ""}


def test_a_path_that_the_kind_does_not_answer_is_told_with_those_it_does() -> None:
    with pytest.raises(ValueError, match="answers no PATCH /v2/nothing; it answers POST /v2/enqueue"):
        payload(kinds()["pagerduty"], b"{}", "PATCH /v2/nothing")


def test_only_headers_that_a_kind_asks_for_reach_it() -> None:
    headers = {"ce-id": "1", "ce-type": "x", "authorization": "secret", "x-other": "1"}
    assert wanted(("ce-*", "x-other"), headers) == {"ce-id": "1", "ce-type": "x", "x-other": "1"}
    assert all("authorization" not in wanted(kind.headers, headers) for kind in kinds().values())


@pytest.mark.parametrize(
    ("template", "path", "found"),
    [
        ("/a/{b}", "/a/1", {"b": "1"}),
        ("/a/{b}", "/a/1%2F2", {"b": "1/2"}),
        ("/a/{b}", "/a/", None),
        ("/a/{b}", "/a/1/2", None),
        ("/a", "/a", {}),
        ("/a", "/b", None),
    ],
)
def test_variables_of_a_path_are_its_steps(template: str, path: str, found: dict[str, str] | None) -> None:
    assert variables(template, path) == found
