from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, _xml, nrdp

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
SERVICE = {
    "checkresult": {"type": "service"},
    "hostname": "web1",
    "servicename": "http",
    "state": "2",
    "output": "down",
}
HOST = {"checkresult": {"type": "host"}, "hostname": "web1", "state": "1", "output": "down"}
RESULT = (
    "<checkresult type='service' checktype='1'><hostname>web1</hostname><servicename>http</servicename>"
    "<state>2</state><output>down</output></checkresult>"
)
XML = f"<?xml version='1.0'?><checkresults>{RESULT}</checkresults>"
JSON = json.dumps({"checkresults": [SERVICE]})


def payload(body: str | bytes = b"", **given: str) -> Payload:
    return Payload(body=body.encode() if isinstance(body, str) else body, content_type=FORM, source="nrdp", given=given)


def parse(told: Payload) -> list[Alert | Unreadable]:
    return nrdp.parse(told, nrdp.Options(), NOW)


def only(result: dict[str, Any]) -> Alert:
    (alert,) = parse(payload(json.dumps({"checkresults": [result]})))
    assert isinstance(alert, Alert), alert
    return alert


WAYS = [
    pytest.param(payload(urlencode({"token": "t", "cmd": "submitcheck", "XMLDATA": XML})), id="XMLDATA"),
    pytest.param(payload(urlencode({"cmd": "submitcheck", "xml": XML})), id="xml"),
    pytest.param(payload(f"token=t&cmd=submitcheck&xml={XML}"), id="XML that is not encoded"),
    pytest.param(payload(f"token=t&cmd=submitcheck&XMLDATA={XML}"), id="the same, as older versions name it"),
    pytest.param(payload(cmd="submitcheck", XMLDATA=XML), id="query"),
    pytest.param(payload("token=t", cmd="SubmitCheck", xmldata=XML), id="query and form"),
    pytest.param(payload(XML), id="XML alone"),
    pytest.param(payload(f"\ufeff \n{XML}\n"), id="XML after a byte order mark"),
    pytest.param(payload(RESULT), id="one result"),
    pytest.param(payload(urlencode({"cmd": "submitcheck", "JSONDATA": JSON})), id="JSONDATA"),
    pytest.param(payload(urlencode({"json": JSON})), id="json"),
    pytest.param(payload(JSON), id="JSON alone"),
    pytest.param(payload(json.dumps([SERVICE])), id="list"),
    pytest.param(payload(json.dumps(SERVICE)), id="one result in JSON"),
    pytest.param(payload(json.dumps({"checkresults": {"checkresult": [SERVICE]}})), id="JSON as if from XML"),
]


@pytest.mark.parametrize("told", WAYS)
def test_results_come_in_every_way_that_clients_have(told: Payload) -> None:
    (alert,) = parse(told)
    assert isinstance(alert, Alert)
    assert (alert.resource, alert.check, alert.severity, alert.summary) == ("web1", "http", "critical", "down")
    assert alert.fingerprint == only(SERVICE).fingerprint
    assert "token" not in alert.labels


@pytest.mark.parametrize(
    ("result", "status", "severity"),
    [
        (SERVICE | {"state": "0"}, Status.RESOLVED, Severity.INFO),
        (SERVICE | {"state": 1}, Status.FIRING, Severity.WARNING),
        (SERVICE | {"state": "2"}, Status.FIRING, Severity.CRITICAL),
        (SERVICE | {"state": 3.0}, Status.FIRING, Severity.WARNING),
        (SERVICE | {"state": "CRITICAL"}, Status.FIRING, Severity.CRITICAL),
        (HOST | {"state": "0"}, Status.RESOLVED, Severity.INFO),
        (HOST | {"state": "1"}, Status.FIRING, Severity.CRITICAL),
        (HOST | {"state": "2"}, Status.FIRING, Severity.MAJOR),
    ],
)
def test_states_of_services_and_of_hosts(result: dict[str, Any], status: Status, severity: Severity) -> None:
    alert = only(result)
    assert (alert.status, alert.severity) == (status, severity)


@pytest.mark.parametrize("change", [{"state": "0"}, {"output": "x"}, {"time": "1795419851"}])
def test_only_host_and_service_identify(change: dict[str, str]) -> None:
    assert only(SERVICE | change).fingerprint == only(SERVICE).fingerprint


@pytest.mark.parametrize(
    "change", [{"hostname": "b"}, {"servicename": "b"}, {"checkresult": {"type": "host"}, "state": "1"}]
)
def test_another_host_or_service_is_another_problem(change: dict[str, Any]) -> None:
    assert only(SERVICE | change).fingerprint != only(SERVICE).fingerprint


def test_a_result_without_a_type_is_of_a_service_when_it_names_one() -> None:
    assert only(SERVICE | {"checkresult": None}).check == "http"
    assert only(HOST | {"checkresult": None}).check == "host check"


def test_the_time_of_a_result_says_when_it_was_said() -> None:
    assert only(SERVICE | {"time": "1795419851"}).said_at == datetime.fromtimestamp(1795419851, UTC)
    assert only(SERVICE | {"checktime": 1795419851}).said_at == datetime.fromtimestamp(1795419851, UTC)
    assert only(SERVICE | {"time": "0"}).said_at is None


def test_output_has_lines_and_performance_data() -> None:
    alert = only(SERVICE | {"output": "first|a=1\\nsecond\nthird|b=2"})
    assert (alert.summary, alert.description) == ("first", "second\nthird")


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (SERVICE | {"hostname": ""}, "hostname is missing"),
        (SERVICE | {"servicename": ""}, "servicename is missing"),
        (SERVICE | {"state": ""}, "state is '', expected one of 0, 1, 2, 3"),
        (SERVICE | {"state": "5"}, "state is '5'"),
        ("text", "this is no check result"),
    ],
)
def test_a_result_that_cannot_be_read_loses_no_other(result: Any, problem: str) -> None:
    bad, good = parse(payload(json.dumps({"checkresults": [result, SERVICE]})))
    assert isinstance(bad, Unreadable)
    assert problem in bad.problem
    assert isinstance(good, Alert)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (payload(), "XMLDATA and JSONDATA are missing"),
        (payload("token=t&cmd=submitcheck"), "XMLDATA and JSONDATA are missing"),
        (payload("cmd=submitcmd&command=X"), "cmd is 'submitcmd'"),
        (payload("<html/>"), "the XML is <html>"),
        (payload("xml=<checkresults>"), "not XML"),
        (payload('{"results": []}'), "checkresults is missing"),
    ],
)
def test_what_is_missing_is_named(told: Payload, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(told)


def test_broken_json_is_told_apart() -> None:
    with pytest.raises(NotJsonError):
        parse(payload(urlencode({"JSONDATA": '{"checkresults": ['})))


@pytest.mark.parametrize(
    ("told", "count"), [(WAYS[0].values[0], 1), (payload(cmd="submitcheck", XMLDATA="<checkresults/>"), 0)]
)
def test_xml_is_answered_as_its_clients_expect(told: Any, count: int) -> None:
    answer = nrdp.answer(told, parse(told))
    root = _xml.read(answer.body)
    assert (answer.status, answer.media_type, root.name) == (200, "text/xml", "result")
    assert [root.say("status"), root.say("message"), root.say("meta", "output")] == [
        "0",
        "OK",
        f"{count} checks processed",
    ]


def test_what_send_nrdp_looks_for_is_on_one_line() -> None:
    told: Any = WAYS[0].values[0]
    assert b"<status>0</status>\n" in nrdp.answer(told, parse(told)).body


def test_json_is_answered_in_json_and_what_cannot_be_read_does_not_count() -> None:
    told = payload(urlencode({"JSONDATA": json.dumps({"checkresults": [SERVICE, {}]})}))
    answer = nrdp.answer(told, parse(told))
    assert json.loads(answer.body) == {
        "result": {"status": 0, "message": "OK", "meta": {"output": "1 checks processed"}}
    }


@pytest.mark.parametrize("told", [payload(cmd="hello"), payload("token=t&cmd=hello")])
def test_hello_is_answered(told: Payload) -> None:
    answer = nrdp.greet(told, nrdp.Options())
    assert answer
    assert _xml.read(answer.body).say("status") == "0"


@pytest.mark.parametrize("way", WAYS)
def test_results_are_no_greeting(way: Payload) -> None:
    assert nrdp.greet(way, nrdp.Options()) is None


def test_the_encoding_that_xml_in_a_form_names_is_not_its_encoding() -> None:
    xml = XML.replace("version='1.0'", "version='1.0' encoding='ISO-8859-1'").replace("down", "été")
    (alert,) = parse(payload(urlencode({"XMLDATA": xml})))
    assert isinstance(alert, Alert)
    assert alert.summary == "été"
    (bare,) = parse(payload(xml.encode("latin-1")))
    assert isinstance(bare, Alert)
    assert bare.summary == "été"
