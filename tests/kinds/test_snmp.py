from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, _oids, _traps, snmp

HANGS = pytest.mark.timeout(60)  # what is not linear takes many minutes with these

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SNIPPETS = Path(__file__).parents[2] / "config" / "sources" / "snmp"
DOWN, UP = ".1.3.6.1.6.3.1.1.5.3", ".1.3.6.1.6.3.1.1.5.4"
IF = ".1.3.6.1.2.1.2.2.1"
VENDOR = ".1.3.6.1.4.1.99999"


def parse(body: bytes | str | Any, media: str = "application/json", **options: Any) -> list[Alert | Unreadable]:
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    payload = Payload(body=body, content_type=media, source="traps")
    return snmp.parse(payload, snmp.Options.model_validate(options), NOW)


def one(body: Any, media: str = "application/json", **options: Any) -> Alert:
    (alert,) = parse(body, media, **options)
    assert isinstance(alert, Alert)
    return alert


def trap(oid: str, *varbinds: tuple[str, Any], options: dict[str, Any] | None = None, **fields: Any) -> Alert:
    told = {"host": "sw1.example.net", "address": "192.0.2.11", "trap": oid, "varbinds": varbinds, **fields}
    return one(told, **(options or {}))


@pytest.mark.parametrize(
    "written",
    [
        ".1.3.6.1.6.3.1.1.5.3",
        "1.3.6.1.6.3.1.1.5.3",
        " iso.3.6.1.6.3.1.1.5.3",
        ".iso.3.6.1.6.3.1.1.5.3",
        "IF-MIB::linkDown",
        "linkDown",
        "snmpTraps.3",
        "SNMPv2-MIB::snmpTraps.3",
        ".iso.org.dod.internet.snmpV2.snmpModules.snmpMIB.snmpMIBObjects.snmpTraps.linkDown",
    ],
)
def test_one_trap_is_written_in_many_ways(written: str) -> None:
    assert _oids.canonical(written) == "1.3.6.1.6.3.1.1.5.3"
    assert trap(written, ("IF-MIB::ifIndex[3]", 3)) == trap(DOWN, (f"{IF}.1.3", "3"))


def test_a_name_of_a_vendor_stays_one() -> None:
    assert _oids.canonical("EXAMPLE-MIB::fanState.2") == "fanState.2"
    alert = trap("EXAMPLE-MIB::fanFailed", ("EXAMPLE-MIB::fanState.2", "failed(4)"))
    assert (alert.check, alert.labels["fanState"]) == ("fanFailed", "failed(4)")


TEXTS = [
    pytest.param("sw1\nUDP: [192.0.2.11]:5->[192.0.2.1]:162\n", "sw1", "192.0.2.11", id="name"),
    pytest.param("<UNKNOWN>\nUDP: [192.0.2.11]:5->[192.0.2.1]:162\n", "192.0.2.11", "192.0.2.11", id="no name"),
    pytest.param("192.0.2.11\nUDP: [192.0.2.11]:5->[192.0.2.1]:162\n", "192.0.2.11", "192.0.2.11", id="address"),
    pytest.param(
        "UDP: [192.0.2.11]:5->[192.0.2.1]:162\nUDP: [192.0.2.11]:5->[192.0.2.1]:162\n",
        "192.0.2.11",
        "192.0.2.11",
        id="-n",
    ),
    pytest.param("sw1\nUDP/IPv6: [2001:db8::11]:5->[2001:db8::1]:162\n", "sw1", "2001:db8::11", id="IPv6"),
    pytest.param("sw1\nUDP: [192.0.2.11]:5\n", "sw1", "192.0.2.11", id="old transport"),
    pytest.param("sw1\r\nUDP: [192.0.2.11]:5->[192.0.2.1]:162\r\n", "sw1", "192.0.2.11", id="CR LF"),
]


@pytest.mark.parametrize(("head", "resource", "address"), TEXTS)
def test_snmptrapd_tells_the_sender_in_two_lines(head: str, resource: str, address: str) -> None:
    alert = one(f"{head}.1.3.6.1.6.3.1.1.4.1.0 {DOWN}\n{IF}.1.3 3\n", "text/plain")
    assert (alert.resource, alert.labels["address"], alert.labels["ifIndex"]) == (resource, address, "3")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("3", "3"),
        ("up", "up"),
        ('"a b"', "a b"),
        (r'"say \"a\" \\ b"', r'say "a" \ b'),
        ('"two\n.1.3.6.1.9 lines"', "two\n.1.3.6.1.9 lines"),
        ('""', ""),
        ('"63 61 66 C3 A9 "', "café"),
        ('"00 11 FF "', "00 11 FF"),
        ('"00 11 FF \n22 33 "', "00 11 FF 22 33"),
        ("= INTEGER: 7", "7"),
        ("= INTEGER: down(2)", "down(2)"),
        ("= Timeticks: (12345) 0:02:03.45", "0:02:03.45"),
        ("= Hex-STRING: 00 11 \n22 \t.1.2.3.4 = INTEGER: 1", "00 11 22"),
        ('= STRING: "a\tb"', "a\tb"),
        ('= ""', ""),
    ],
)
def test_values_are_read_as_net_snmp_prints_them(written: str, value: str) -> None:
    told = one({"host": "sw1", "trap": f"{VENDOR}.0.1", "varbinds": f"{VENDOR}.1.0 {written}\n{VENDOR}.2.0 5"})
    assert told.labels.get(f"{VENDOR[1:]}.1.0", "") == value
    assert told.labels[f"{VENDOR[1:]}.2.0"] == "5"


@pytest.mark.parametrize(
    "varbinds",
    [
        {f"{IF}.1.3": 3, "IF-MIB::ifDescr.3": "eth3"},
        {f"{IF}.1.3": {"type": "INTEGER", "value": 3}, f"{IF}.2.3": {"type": "STRING", "value": "eth3"}},
        [{"oid": f"{IF}.1.3", "value": 3}, {"oid": f"{IF}.2.3", "type": "string", "value": "eth3"}],
        [{"varbind_oid": f"{IF}.1.3", "varbind_value": "3"}, {"OID": f"{IF}.2.3", "Value": "eth3"}],
        [
            {"oid": f"{IF}.1.3", "typename": "Integer", "value": 3, "string_value": "3"},
            {"oid": f"{IF}.2.3", "value": {"type": "Buffer", "data": [1]}, "string_value": "eth3"},
        ],
        [[f"{IF}.1.3", 3], [f"{IF}.2.3", "OctetString", "eth3"]],
        [{f"{IF}.1.3": 3}, {f"{IF}.2.3": "eth3"}],
        [f"{IF}.1.3 3", f'{IF}.2.3 = STRING: "eth3"'],
        f'{IF}.1.3 = INTEGER: 3\t{IF}.2.3 = STRING: "eth3"',
    ],
)
def test_variables_come_in_many_shapes(varbinds: Any) -> None:
    expected = trap(DOWN, ("ifIndex.3", "3"), ("ifDescr.3", "eth3"))
    for name in ("varbinds", "variables", "variable_bindings", "VarBinds", "oids"):
        told = {"host": "sw1.example.net", "address": "192.0.2.11", "trap": DOWN, name: varbinds}
        assert one(told) == expected
    somewhere = one({"host": "sw1.example.net", "address": "192.0.2.11", "trap": DOWN, "whatever": varbinds, "n": [1]})
    assert (somewhere.fingerprint, somewhere.labels["ifDescr"]) == (expected.fingerprint, "eth3")


@pytest.mark.parametrize("name", ["trap", "trap_oid", "snmpTrapOID", "notify OID", "trapOID", "oid", "generic_trap"])
def test_the_trap_has_many_names(name: str) -> None:
    assert one({"host": "sw1", name: 2 if name == "generic_trap" else DOWN}).check == "linkDown"


@pytest.mark.parametrize(
    ("fields", "oid"),
    [
        ({"generic": 0}, "1.3.6.1.6.3.1.1.5.1"),
        ({"generic_trap": "5", "specific_trap": 0}, "1.3.6.1.6.3.1.1.5.6"),
        ({"generic": 6, "specific": 17, "enterprise": VENDOR}, "1.3.6.1.4.1.99999.0.17"),
        ({"genericTrap": 6, "enterpriseOID": "1.3.6.1.4.1.99999"}, "1.3.6.1.4.1.99999.0.0"),
    ],
)
def test_version_1_says_a_trap_in_three_numbers(fields: dict[str, Any], oid: str) -> None:
    assert one({"host": "sw1", **fields}).labels["trap_oid"] == oid


@pytest.mark.parametrize(
    ("fields", "resource"),
    [
        ({}, "sw1.example.net"),
        ({"host": ""}, "192.0.2.11"),
        ({"host": "<UNKNOWN>"}, "192.0.2.11"),
        ({"host": "192.0.2.11", "address": ""}, "192.0.2.11"),
        ({"agent_addr": "192.0.2.11"}, "sw1.example.net"),
        ({"agent_addr": "0.0.0.0"}, "sw1.example.net"),
        ({"agent_addr": "192.0.2.99"}, "192.0.2.99"),
        ({"address": "", "transport": "UDP: [192.0.2.77]:1->[192.0.2.1]:162", "host": ""}, "192.0.2.77"),
    ],
)
def test_the_resource_is_the_device(fields: dict[str, Any], resource: str) -> None:
    assert trap(DOWN, **fields).resource == resource


def test_a_trap_handed_on_is_of_the_device_that_it_names() -> None:
    direct = trap(DOWN, ("ifIndex.3", 3), host="", address="192.0.2.99")
    handed_on = trap(DOWN, ("ifIndex.3", 3), ("SNMP-COMMUNITY-MIB::snmpTrapAddress.0", "192.0.2.99"))
    assert (handed_on.resource, handed_on.fingerprint) == (direct.resource, direct.fingerprint)


@pytest.mark.parametrize(
    ("firing", "resolved", "varbind"),
    [
        ("linkDown", "linkUp", ("ifIndex.3", 3)),
        ("bgpBackwardTransition", "bgpEstablished", ("bgpPeerLastError.192.0.2.40", "00 00")),
        ("bgpBackwardTransNotification", "bgpEstablishedNotification", ("bgpPeerLastError.192.0.2.40", "00 00")),
        ("upsTrapAlarmEntryAdded", "upsTrapAlarmEntryRemoved", ("upsAlarmId.0", 7)),
        ("nsNotifyShutdown", "nsNotifyRestart", ("sysName.0", "sw1")),
    ],
)
def test_what_the_standards_pair_begins_and_ends_one_problem(
    firing: str, resolved: str, varbind: tuple[str, Any]
) -> None:
    began, ended = trap(firing, varbind), trap(resolved, varbind)
    assert (began.status, ended.status) == (Status.FIRING, Status.RESOLVED)
    assert (began.fingerprint, began.check, began.severity) == (ended.fingerprint, ended.check, ended.severity)
    assert began.check == firing.replace("Transition", "TransNotification")
    assert began.ends_at is None
    assert ended.summary.startswith(resolved)


@pytest.mark.parametrize(
    ("varbinds", "row"),
    [
        ([(f"{IF}.1.3", 3)], "3"),
        ([("ifIndex", 3)], "3"),
        ([(f"{IF}.2.3", "eth3")], "3"),
        ([("ifName.3", "eth3"), ("sysName.0", "sw1")], "3"),
    ],
)
def test_the_interface_is_known_by_any_of_its_variables(varbinds: list[tuple[str, Any]], row: str) -> None:
    assert trap(UP, *varbinds).fingerprint == trap(DOWN, ("ifIndex.3", row)).fingerprint


def test_another_interface_device_or_peer_is_another_problem() -> None:
    peer = ("bgpPeerLastError.192.0.2.40", "00 00")
    found = {
        trap(DOWN, ("ifIndex.3", 3)).fingerprint,
        trap(DOWN, ("ifIndex.4", 4)).fingerprint,
        trap(DOWN, ("ifIndex.3", 3), address="192.0.2.12").fingerprint,
        trap("bgpBackwardTransition", peer).fingerprint,
        trap("bgpBackwardTransition", ("bgpPeerLastError.192.0.2.41", "00 00")).fingerprint,
    }
    assert len(found) == 5


@pytest.mark.parametrize("name", ["coldStart", "warmStart", "authenticationFailure", "egpNeighborLoss"])
def test_what_nothing_ends_is_believed_for_a_while(name: str) -> None:
    assert trap(name).ends_at == NOW + timedelta(hours=24)
    assert trap(name, options={"forget_after": "30m"}).ends_at == NOW + timedelta(minutes=30)
    assert trap(name, ("sysName.0", "x")).fingerprint == trap(name).fingerprint


def test_a_trap_that_nobody_knows_is_told_apart_by_its_variables_not_their_values() -> None:
    def failed(row: int, value: str) -> str:
        return trap(f"{VENDOR}.0.7", (f"{VENDOR}.1.2.{row}", value), (f"{VENDOR}.1.3.{row}", "x")).fingerprint

    assert failed(2, "a") == failed(2, "b") != failed(3, "a")
    assert trap(f"{VENDOR}.0.7").fingerprint != trap(f"{VENDOR}.0.8").fingerprint


def test_the_row_of_a_known_table_counts_wherever_it_stands() -> None:
    first, second = (trap(f"{VENDOR}.0.7", ("ifIndex", row), (f"{VENDOR}.1.0", "x")).fingerprint for row in (1, 2))
    assert first != second


PAIR = {"firing": [f"{VENDOR}.0.1", f"{VENDOR}.0.3"], "resolved": f"{VENDOR}.0.2", "key": f"{VENDOR}.1.2"}


def test_an_operators_pair_begins_and_ends_one_problem_for_each_key() -> None:
    def told(number: int, key: str, row: int = 1) -> Alert:
        options = {"pairs": [{**PAIR, "check": "fan", "severity": "minor"}]}
        return trap(f"{VENDOR}.0.{number}", (f"{VENDOR}.1.2.{row}", key), ("sysName.0", str(number)), options=options)

    began, again, over, other = told(1, "fan 2"), told(3, "fan 2", row=9), told(2, "fan 2"), told(1, "fan 3")
    assert began.fingerprint == again.fingerprint == over.fingerprint != other.fingerprint
    assert [one.status for one in (began, again, over)] == [Status.FIRING, Status.FIRING, Status.RESOLVED]
    assert {(one.check, one.severity, one.ends_at) for one in (began, again, over)} == {("fan", Severity.MINOR, None)}


def test_a_key_may_be_the_row() -> None:
    options = {"pairs": [{**PAIR, "key": [f"{VENDOR}.1.2.*"]}]}
    began, over, other = (
        trap(f"{VENDOR}.0.{number}", (f"{VENDOR}.1.2.{row}", value), options=options)
        for number, row, value in [(1, "4.1", "bad"), (2, "4.1", "good"), (1, "4.2", "bad")]
    )
    assert began.fingerprint == over.fingerprint != other.fingerprint


def test_an_operators_pair_comes_before_the_standards() -> None:
    options = {"pairs": [{"firing": "linkDown", "check": "line"}]}
    assert (trap(DOWN, options=options).check, trap(UP, options=options).check) == ("line", "linkDown")


STATE = {"varbind": f"{VENDOR}.2.1.3", "resolved": ["normal", 1], "firing": [2, 3], "check": "power supply"}


@pytest.mark.parametrize(
    ("value", "check", "status"),
    [
        (1, "power supply", Status.RESOLVED),
        ("Normal", "power supply", Status.RESOLVED),
        ("normal(1)", "power supply", Status.RESOLVED),
        (2, "power supply", Status.FIRING),
        ("failed(3)", "power supply", Status.FIRING),
        (9, "1.3.6.1.4.1.99999.0.5", Status.FIRING),
    ],
)
def test_a_state_variable_says_whether_there_is_a_problem(value: Any, check: str, status: Status) -> None:
    told = trap(f"{VENDOR}.0.5", (f"{VENDOR}.2.1.3.1", value), options={"states": [STATE]})
    assert (told.check, told.status) == (check, status)


def test_a_state_is_one_problem_for_each_row_whatever_the_trap() -> None:
    options = {"states": [STATE]}
    began = trap(f"{VENDOR}.0.5", (f"{VENDOR}.2.1.3.1", 2), options=options)
    over = trap(f"{VENDOR}.0.6", (f"{VENDOR}.2.1.3.1", 1), ("sysName.0", "x"), options=options)
    other = trap(f"{VENDOR}.0.5", (f"{VENDOR}.2.1.3.2", 2), options=options)
    assert began.fingerprint == over.fingerprint != other.fingerprint
    assert began.ends_at is None


def test_a_state_may_be_limited_to_traps_and_any_other_value_fires_unless_said() -> None:
    state = {"varbind": f"{VENDOR}.2.1.3", "resolved": 1, "traps": f"{VENDOR}.0.5"}
    options = {"states": [state], "names": {f"{VENDOR}.2.1.3": "supplyState"}}
    assert trap(f"{VENDOR}.0.5", (f"{VENDOR}.2.1.3.1", 77), options=options).check == "supplyState"
    assert trap(f"{VENDOR}.0.6", (f"{VENDOR}.2.1.3.1", 77), options=options).check == f"{VENDOR[1:]}.0.6"


def test_names_become_checks_and_labels() -> None:
    options = {"names": {f"{VENDOR}.0.7": "fanFailed", f"{VENDOR}.1.2": "fanName"}}
    told = trap(f"{VENDOR}.0.7", (f"{VENDOR}.1.2.5", "a"), (f"{VENDOR}.1.2.6", "b"), options=options)
    assert (told.check, told.labels["fanName"], told.labels["fanName.6"]) == ("fanFailed", "a", "b")


@pytest.mark.parametrize(
    ("options", "severity"),
    [
        ({}, Severity.MAJOR),
        ({"severity_default": "minor"}, Severity.MINOR),
        ({"severity_varbinds": [f"{VENDOR}.9"]}, Severity.WARNING),
        ({"severity_varbinds": [f"{VENDOR}.9"], "severity_words": {"4": "critical"}}, Severity.CRITICAL),
        ({"severities": {f"{VENDOR}.0.7": "info"}, "severity_varbinds": [f"{VENDOR}.9"]}, Severity.INFO),
        ({"severity_varbinds": [f"{VENDOR}.8"]}, Severity.MAJOR),
    ],
)
def test_the_severity_is_the_options(options: dict[str, Any], severity: Severity) -> None:
    assert trap(f"{VENDOR}.0.7", (f"{VENDOR}.9.0", "warning(4)"), options=options).severity == severity


def test_secrets_are_no_labels() -> None:
    told = one(
        {"host": "sw1", "trap": DOWN, "community": "s3cret", "varbinds": {"snmpTrapCommunity.0": "s3cret"}, "a": 1}
    )
    assert "s3cret" not in str(told)
    assert told.labels["a"] == "1"


@pytest.mark.parametrize(
    ("body", "media", "sentence"),
    [
        ({"host": "sw1"}, "application/json", "trap is missing"),
        ({"trap": DOWN}, "application/json", "resource is missing"),
        ("hello\nworld\n", "text/plain", "second line must be the transport"),
        ("sw1\nUDP: [192.0.2.11]:5->[192.0.2.1]:162\n", "text/plain", "trap is missing"),
    ],
)
def test_what_is_missing_is_named(body: Any, media: str, sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        parse(body, media)


def test_json_and_text_are_told_apart_by_the_body() -> None:
    document = json.dumps({"host": "sw1", "trap": DOWN})
    assert one(document, "text/plain") == one(document)
    with pytest.raises(NotJsonError):
        parse("sw1\nhello", "application/json")


def test_of_json_lines_a_broken_one_loses_no_other() -> None:
    told = json.dumps({"host": "sw1", "trap": DOWN})
    found = parse(f"{told}\n{{broken\n\n{told}\n", "application/x-ndjson")
    assert [type(entry) for entry in found] == [Alert, Unreadable, Alert]


@pytest.mark.parametrize(
    "options",
    [
        {"pairs": [{"firing": "", "resolved": "linkUp"}]},
        {"pairs": [{"firing": []}]},
        {"pairs": [{"firing": "linkDown"}, {"firing": "IF-MIB::linkDown"}]},
        {"pairs": [{"firing": "linkDown", "resolved": DOWN}]},
        {"states": [{"varbind": "a b", "resolved": 1}]},
        {"states": [{"varbind": f"{VENDOR}.1"}]},
        {"forget_after": "0s"},
        {"severities": {"linkDown": "bad"}},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        snmp.Options.model_validate(options)


def test_the_shipped_settings_are_right() -> None:
    text = (SNIPPETS / "tocsin.yaml").read_text(encoding="utf-8")
    settings = yaml.safe_load(text)["sources"]["snmp"]
    options = snmp.Options.model_validate(settings["options"])
    assert settings["kind"] == "snmp"
    assert options.names["1.3.6.1.4.1.99999.0.1"] == "fanFailed"
    assert set(re.findall(r"^\s+(\w+):", text, re.MULTILINE)) >= set(snmp.Options.model_fields) - {"severity_default"}


@given(st.text(alphabet='0123456789ABCDEF \n\t\\":=.[]-aé', max_size=80))
def test_any_text_of_variables_is_read(text: str) -> None:
    found = _traps.from_json({"host": "sw1", "trap": "linkDown", "varbinds": text, "transport": text})
    assert found.oid


@HANGS
@pytest.mark.parametrize("between", ["\n", "\t", "\n ", "a\n", '"\na', "k=v\n"])
def test_a_long_text_of_variables_costs_no_more_than_reading_it(between: str) -> None:
    head = f"sw1.example.net\nUDP: [192.0.2.11]:1->[192.0.2.2]:162\nSNMPv2-MIB::snmpTrapOID.0 {DOWN}\n"
    assert one(head + between * (1_000_000 // len(between)), "text/plain").resource == "sw1.example.net"
