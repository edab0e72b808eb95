from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import ValidationError

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import checkmk

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SERVICE = {
    "NOTIFY_WHAT": "SERVICE",
    "NOTIFY_NOTIFICATIONTYPE": "PROBLEM",
    "NOTIFY_HOSTNAME": "db1",
    "NOTIFY_HOSTSTATE": "UP",
    "NOTIFY_SERVICEDESC": "CPU load",
    "NOTIFY_SERVICESTATE": "CRITICAL",
}
HOST = {
    **SERVICE,
    "NOTIFY_WHAT": "HOST",
    "NOTIFY_HOSTSTATE": "DOWN",
    "NOTIFY_SERVICEDESC": "$SERVICEDESC$",
    "NOTIFY_SERVICESTATE": "OK",
}
EVENT = {**SERVICE, "NOTIFY_EC_ID": "812", "NOTIFY_SERVICEPROBLEMID": "ec-id-812"}


def read(body: bytes, media: str = "application/json", **options: Any) -> list[Alert | Unreadable]:
    payload = Payload(body=body, content_type=media, source="cmk")
    return checkmk.parse(payload, checkmk.Options(**options), NOW)


def parse(message: Any, **options: Any) -> list[Alert | Unreadable]:
    return read(json.dumps(message).encode(), **options)


def only(context: dict[str, Any], **options: Any) -> Alert:
    (alert,) = parse(context, **options)
    assert isinstance(alert, Alert)
    return alert


def told(context: dict[str, str], **more: str) -> dict[str, str]:
    return context | {f"NOTIFY_{name}": value for name, value in more.items()}


def test_variables_may_be_written_in_every_way() -> None:
    bare = {name.removeprefix("NOTIFY_"): value for name, value in SERVICE.items()}
    environment = "\n".join(f"{name}={value}" for name, value in {**SERVICE, "PATH": "/bin", "HOME": "/"}.items())
    (from_form,) = read(urlencode(SERVICE).encode(), "application/x-www-form-urlencoded")
    (from_lines,) = read(environment.encode(), "text/plain")
    assert only(SERVICE) == only(bare) == from_form == from_lines
    assert only({name.lower(): value for name, value in SERVICE.items()}) == only(SERVICE)
    assert only({**SERVICE, "OMD_ROOT": "/omd/sites/prod", "USER": "prod"}) == only(SERVICE)


@pytest.mark.parametrize(
    ("kind", "state", "status", "severity"),
    [
        ("PROBLEM", "CRITICAL", Status.FIRING, Severity.CRITICAL),
        ("PROBLEM", "CRIT", Status.FIRING, Severity.CRITICAL),
        ("PROBLEM", "WARNING", Status.FIRING, Severity.WARNING),
        ("PROBLEM", "UNKNOWN", Status.FIRING, Severity.WARNING),
        ("CUSTOM", "CRITICAL", Status.FIRING, Severity.CRITICAL),
        ("RECOVERY", "OK", Status.RESOLVED, Severity.WARNING),
        ("RECOVERY", "CRITICAL", Status.RESOLVED, Severity.WARNING),
        ("CUSTOM", "OK", Status.RESOLVED, Severity.WARNING),
    ],
)
def test_type_and_state_decide(kind: str, state: str, status: Status, severity: Severity) -> None:
    alert = only(told(SERVICE, NOTIFICATIONTYPE=kind, SERVICESTATE=state, LASTSERVICESTATE="WARNING"))
    assert (alert.status, alert.severity) == (status, severity)


def test_what_it_is_about_is_said_and_not_guessed_from_the_names_of_a_service() -> None:
    alert = only(told(HOST, SERVICEDESC="CPU load", SERVICEOUTPUT="x", HOSTOUTPUT="no answer"))
    assert (alert.resource, alert.check, alert.summary) == ("db1", "host check", "no answer")
    assert (alert.status, alert.severity) == (Status.FIRING, Severity.CRITICAL)
    assert not [name for name in alert.labels if "SERVICE" in name]
    assert alert.fingerprint == only(told(HOST, NOTIFICATIONTYPE="RECOVERY", HOSTSTATE="UP")).fingerprint


@pytest.mark.parametrize(
    "kind",
    [
        "ACKNOWLEDGEMENT",
        "DOWNTIMESTART",
        "DOWNTIMEEND",
        "DOWNTIMECANCELLED",
        "FLAPPINGSTART",
        "FLAPPINGSTOP",
        "ALERTHANDLER",
        "ALERTHANDLER (OK)",
    ],
)
def test_what_people_or_checkmk_do_about_a_problem_is_no_alert(kind: str) -> None:
    assert parse(told(SERVICE, NOTIFICATIONTYPE=kind)) == parse(told(HOST, NOTIFICATIONTYPE=kind)) == []


@pytest.mark.parametrize(
    "name", ["SERVICEOUTPUT", "SERVICESTATE", "SERVICEPROBLEMID", "MICROTIME", "OMD_SITE", "CONTACTNAME"]
)
def test_only_host_and_service_identify(name: str) -> None:
    assert only(told(SERVICE, **{name: "UNKNOWN"})).fingerprint == only(SERVICE).fingerprint
    prints = {only(context).fingerprint for context in (SERVICE, HOST, EVENT, told(SERVICE, SERVICEDESC="x"))}
    assert len(prints) == 4


def test_an_event_is_its_own_problem_until_it_is_cancelled() -> None:
    over = only(told(EVENT, NOTIFICATIONTYPE="RECOVERY", SERVICEOUTPUT="link up", LASTSERVICESTATE="CRITICAL"))
    assert (over.status, over.fingerprint) == (Status.RESOLVED, only(EVENT).fingerprint)
    assert only(told(EVENT, EC_ID="813")).fingerprint != over.fingerprint


def test_the_parameters_of_the_script_are_no_labels() -> None:
    secrets = {
        "PARAMETER_1": "s3cret",
        "PARAMETERS": "s3cret",
        "PARAMETER_WEBHOOK_URL": "s3cret",
        "LASTHOSTUP_REL": "0d",
    }
    alert = only(told(SERVICE, **secrets, CONTACTEMAIL="a@example.net"))
    assert alert == only(SERVICE)


def test_names_of_other_peoples_scripts_are_read_and_checkmks_own_stay_as_they_are() -> None:
    named = {
        "host_name": "db1",
        "service_desc": "CPU load",
        "service_state": "CRITICAL",
        "notification_type": "PROBLEM",
    }
    assert only(named).fingerprint == only(SERVICE).fingerprint
    assert only(told(SERVICE, HOST_FILENAME="/wato")).labels.keys() - only(SERVICE).labels.keys() == {"HOST_FILENAME"}


@pytest.mark.parametrize("name", ["CONTACTPAGER", "HOSTLABEL_snmp_community", "HOST_SNMP_COMMUNITY"])
def test_a_secret_is_no_label(name: str) -> None:
    assert only(told(SERVICE, **{name: "s3cret"})).labels == only(SERVICE).labels


def test_the_names_of_labels_and_tags_are_the_operators() -> None:
    names = {"HOSTLABEL_cmk/os_family": "linux", "SERVICELABEL_Team": "db", "HOSTTAG_criticality": "prod"}
    assert only(told(SERVICE, **names)).labels.items() >= names.items()
    small = {f"notify_{name}": value for name, value in names.items()}
    assert only({**SERVICE, **small}).labels.items() >= names.items()


@pytest.mark.parametrize(
    ("times", "when", "said"),
    [
        ({"LASTSERVICESTATECHANGE": "1795419851", "MICROTIME": "1795419971250000"}, "07:44:11", "07:46:11.250"),
        ({"LASTSERVICESTATECHANGE": "0", "MICROTIME": "1795419971250000"}, "07:46:11.250", "07:46:11.250"),
        ({"SHORTDATETIME": "2026-11-23 08:46:11"}, "07:46:11", ""),
        ({}, "", ""),
    ],
)
def test_the_times_of_a_problem_and_of_its_end(times: dict[str, str], when: str, said: str) -> None:
    expected = [datetime.fromisoformat(f"2026-11-23T{text}+00:00") if text else None for text in (when, said)]
    alert = only(told(SERVICE, **times), zone="Europe/Paris")
    assert [alert.starts_at, alert.said_at, alert.ends_at] == [*expected, None]
    over = only(told(SERVICE, **times, NOTIFICATIONTYPE="RECOVERY"), zone="Europe/Paris")
    assert [over.ends_at, over.said_at, over.starts_at] == [*expected, None]


def test_an_alert_links_to_the_server_when_it_is_known() -> None:
    paths = {"HOSTURL": "/check_mk/host", "SERVICEURL": "/check_mk/service"}
    assert only(told(SERVICE, **paths)).url == ""
    assert (
        only(told(SERVICE, **paths), server="https://cmk.example.net").url == "https://cmk.example.net/check_mk/service"
    )
    assert only(told(HOST, **paths), server="https://cmk.example.net").url == "https://cmk.example.net/check_mk/host"
    assert only(told(SERVICE, SERVICEURL="@evil"), server="https://cmk.example.net").url == ""


@pytest.mark.parametrize("server", ["cmk.example.net", "https://cmk.example.net/"])
def test_the_address_of_the_server_is_written_in_one_way(server: str) -> None:
    with pytest.raises(ValidationError):
        checkmk.Options(server=server)


@pytest.mark.parametrize(
    "wrap", [lambda told: told, lambda told: {"contexts": told}, lambda told: {"notifications": told}]
)
def test_a_bad_notification_of_a_bulk_does_not_lose_the_others(wrap: Any) -> None:
    found = parse(wrap([told(SERVICE, NOTIFICATIONTYPE="ACKNOWLEDGEMENT"), SERVICE, 7, {"NOTIFY_WHAT": "HOST"}, HOST]))
    assert [type(entry) for entry in found] == [Alert, Unreadable, Unreadable, Alert]
    assert [entry.problem for entry in found if isinstance(entry, Unreadable)][1] == "HOSTNAME is missing or empty"
    assert parse(wrap([])) == []


def test_a_bulk_is_read_as_the_script_gets_it() -> None:
    lines = "PARAMETER_1=s3cret\n\nHOSTNAME=db1\nSERVICEDESC=a\nSERVICESTATE=CRITICAL\nLONGSERVICEOUTPUT=x\1y\n\nHOSTNAME=db2\nHOSTSTATE=DOWN\n"
    first, second = read(lines.encode(), "text/plain")
    assert isinstance(first, Alert)
    assert isinstance(second, Alert)
    assert (first.resource, first.check, first.description) == ("db1", "a", "x\ny")
    assert (second.resource, second.check) == ("db2", "host check")


@pytest.mark.parametrize(
    ("context", "problem"),
    [
        (told(SERVICE, NOTIFICATIONTYPE="PARTY"), "NOTIFICATIONTYPE is 'PARTY'"),
        (told(SERVICE, HOSTNAME="$HOSTNAME$"), "HOSTNAME is missing"),
        (told(SERVICE, NOTIFICATIONTYPE="", SERVICESTATE=""), "NOTIFICATIONTYPE and SERVICESTATE are missing"),
        ({"HOSTNAME": {"a": 1}}, "HOSTNAME is missing"),
    ],
)
def test_what_is_missing_is_named(context: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(context)
