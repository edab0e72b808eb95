from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from programs import require
from service import ROOT
from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import zabbix

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SNIPPETS = ROOT / "config" / "sources" / "zabbix"
EVENT = {
    "event_id": "20134",
    "event_value": "1",
    "event_source": "0",
    "event_nseverity": "4",
    "trigger_id": "23176",
    "trigger_name": "High CPU utilization",
    "host": "web1",
}


def parse(message: Any, **options: Any) -> list[Alert | Unreadable]:
    payload = Payload(body=json.dumps(message).encode(), source="zabbix")
    return zabbix.parse(payload, zabbix.Options(**options), NOW)


def only(message: Any, **options: Any) -> Alert:
    (alert,) = parse(message, **options)
    assert isinstance(alert, Alert)
    return alert


def without(*names: str, **change: Any) -> dict[str, Any]:
    return {name: value for name, value in (EVENT | change).items() if name not in names}


@pytest.mark.parametrize(
    "spell",
    [
        lambda name: name.upper(),
        lambda name: name.replace("_", ""),
        lambda name: name.upper().replace("_", "."),
        lambda name: name.replace("_", "-"),
        lambda name: name.title().replace("_", ""),
    ],
)
def test_names_may_be_spelt_in_every_way(spell: Any) -> None:
    spelt = only({spell(name): value for name, value in EVENT.items()})
    alert = only(EVENT)
    told = ("fingerprint", "resource", "check", "severity", "status")
    assert [getattr(spelt, part) for part in told] == [getattr(alert, part) for part in told]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, Status.FIRING),
        ({"event_value": "0"}, Status.RESOLVED),
        ({"event_value": 0}, Status.RESOLVED),
        ({"event_value": "1", "status": "OK"}, Status.FIRING),
        ({"event_value": "{EVENT.VALUE}", "event_status": "PROBLEM"}, Status.FIRING),
        ({"event_value": "", "event_status": "RESOLVED"}, Status.RESOLVED),
        ({"event_value": "", "status": "OK", "value": "97.4"}, Status.RESOLVED),
        ({"event_value": "", "status": "1"}, Status.FIRING),
        ({"event_value": "", "trigger_status": "OK"}, Status.RESOLVED),
        ({"event_value": "", "value": "1"}, Status.FIRING),
        ({"event_value": "", "value": "0"}, Status.RESOLVED),
        ({"event_value": "", "event_recovery_id": "20188"}, Status.RESOLVED),
        ({"event_name": "Resolved: OK again", "alert_subject": "Resolved"}, Status.FIRING),
    ],
)
def test_values_and_states_decide_and_texts_never_do(change: dict[str, Any], status: Status) -> None:
    assert only(EVENT | change).status is status


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        ({"event_nseverity": "0"}, Severity.MAJOR),
        ({"event_nseverity": "1"}, Severity.INFO),
        ({"event_nseverity": 2}, Severity.WARNING),
        ({"event_nseverity": "3"}, Severity.MINOR),
        ({"event_nseverity": "4"}, Severity.MAJOR),
        ({"event_nseverity": "5"}, Severity.CRITICAL),
        ({"event_nseverity": "5", "event_severity": "Weltuntergang"}, Severity.CRITICAL),
        ({"event_nseverity": "", "event_severity": "Average"}, Severity.MINOR),
        ({"event_nseverity": "", "severity": "5"}, Severity.CRITICAL),
        ({"event_nseverity": "", "trigger_severity": "Not classified"}, Severity.MAJOR),
        ({"event_nseverity": "{EVENT.NSEVERITY}"}, Severity.MAJOR),
        ({"event_value": "0", "event_nseverity": "5"}, Severity.CRITICAL),
    ],
)
def test_a_severity_is_a_number_or_a_word(change: dict[str, Any], severity: Severity) -> None:
    assert only(EVENT | change).severity is severity


@pytest.mark.parametrize(
    "change",
    [
        {"event_value": "0"},
        {"event_nseverity": "5"},
        {"event_name": "High CPU utilization: 99 %"},
        {"trigger_name": "Renamed"},
        {"trigger_id": "1"},
        {"host": "renamed"},
        {"event_recovery_id": "20188", "event_value": "0"},
    ],
)
def test_the_event_alone_identifies(change: dict[str, Any]) -> None:
    assert only(EVENT | change).fingerprint == only(EVENT).fingerprint == "20134"


def test_another_event_of_the_same_trigger_is_another_problem() -> None:
    assert only(EVENT | {"event_id": "20135"}).fingerprint != only(EVENT).fingerprint


@pytest.mark.parametrize(
    ("change", "same"), [({"event_value": "0"}, True), ({"trigger_id": "2"}, False), ({"host": "b"}, False)]
)
def test_without_an_event_trigger_and_host_identify(change: dict[str, Any], *, same: bool) -> None:
    bare = without("event_id")
    assert (only(bare | change).fingerprint == only(bare).fingerprint) is same


@pytest.mark.parametrize(
    ("link", "same"),
    [
        ("https://z.example.net/tr_events.php?triggerid=23176&eventid=9", True),
        ("https://z.example.net/tr_events.php?eventid=9&triggerid=23176", True),
        ("https://z.example.net/tr_events.php?triggerid=231&eventid=20134", False),
        ("https://z.example.net/tr_events.php?eventid=20134", False),
    ],
)
def test_the_trigger_may_stand_in_the_address_of_the_event(link: str, *, same: bool) -> None:
    bare = without("event_id", "trigger_id")
    told = only(without("event_id"))
    assert (only(bare | {"event_url": link}).fingerprint == told.fingerprint) is same
    assert only(bare | {"event_url": "https://z.example.net/?eventid=20134"}).fingerprint == "20134"


@pytest.mark.parametrize("host", ["", None, "{HOST.HOST}", "*UNKNOWN*", "UNKNOWN"])
def test_without_a_host_it_is_about_the_source(host: str | None) -> None:
    alert = only(EVENT | {"host": host})
    assert (alert.resource, alert.fingerprint) == ("zabbix", "20134")


def test_a_number_in_the_address_counts_only_where_no_field_says_it() -> None:
    assert only(EVENT | {"event_url": "https://z.example.net/?triggerid=1&eventid=2"}).fingerprint == "20134"


@pytest.mark.parametrize("wrapper", ["data", "payload", "params", "labels"])
def test_an_object_around_a_message_says_nothing(wrapper: str) -> None:
    assert only({wrapper: EVENT}) == only(EVENT)
    assert only({wrapper: {"event": {"id": 20134}}, **without("event_id")}).fingerprint == "20134"


def streamed(*lines: dict[str, Any]) -> list[Alert | Unreadable]:
    body = "\n".join(map(json.dumps, lines)).encode()
    return zabbix.parse(Payload(body=body, source="zabbix"), zabbix.Options(), NOW)


def test_a_connector_ends_the_problem_that_it_streamed() -> None:
    problem = {"eventid": 42, "value": 1, "clock": 1795419667, "ns": 25, "name": "N", "hosts": [{"host": "h"}]}
    over = {"eventid": 43, "value": 0, "clock": 1795419700, "ns": 500_000_000, "p_eventid": 42}
    told = streamed(problem, over)
    assert [(one.status, one.fingerprint) for one in told if isinstance(one, Alert)] == [
        (Status.FIRING, "42"),
        (Status.RESOLVED, "42"),
    ]
    assert isinstance(told[1], Alert)
    assert told[1].ends_at == told[1].said_at == datetime(2026, 11, 23, 7, 41, 40, 500_000, tzinfo=UTC)
    (alone,) = streamed(over)
    assert isinstance(alone, Alert)
    assert (alone.fingerprint, alone.resource) == ("42", "zabbix")


@pytest.mark.parametrize("hosts", [[{"host": "h", "name": "H"}, {"host": "i"}], ["h", "i"], [{"name": "h"}, 7]])
def test_a_streamed_problem_is_about_the_first_host(hosts: list[Any]) -> None:
    (alert,) = streamed({"eventid": 42, "value": 1, "name": "N", "hosts": hosts})
    assert isinstance(alert, Alert)
    assert (alert.resource, alert.labels["hosts"][:2], "hosts1" in alert.labels) == ("h", "h,", False)


def test_a_broken_line_loses_no_other() -> None:
    body = json.dumps(EVENT).encode() + b'\n{"eventid":\n' + json.dumps(EVENT | {"event_id": "2"}).encode()
    told = zabbix.parse(Payload(body=body, source="zabbix"), zabbix.Options(), NOW)
    assert [type(one) for one in told] == [Alert, Unreadable, Alert]


def test_the_value_of_an_item_is_no_alert_and_an_alert_may_name_an_item() -> None:
    item = {"itemid": 7, "clock": 1795419667, "host": {"host": "h"}, "name": "Lag"}
    log = {"value": "1", "type": 2, "eventid": 4}
    assert streamed(item | {"value": 1, "type": 3}, item | log, item | {"count": 60, "min": 0, "max": 1}) == []
    assert only(EVENT | {"itemid": "7", "type": "0"}).fingerprint == "20134"


@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded"])
def test_a_form_is_read_like_json(media: str) -> None:
    payload = Payload(body=urlencode(EVENT).encode() + b"\n", content_type=media, source="zabbix")
    assert zabbix.parse(payload, zabbix.Options(), NOW) == [only(EVENT)]


def test_a_long_name_is_cut_because_the_event_identifies() -> None:
    alert = only(EVENT | {"trigger_name": "N" * 2_000})
    assert (len(alert.check), alert.fingerprint) == (512, "20134")
    assert only(without("trigger_name", trigger_description="Too hot\nOpen a window")).check == "Too hot"


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"event_update_action": "acknowledged"}, None),
        ({"event_update_action": "commented"}, None),
        ({"event_update_action": "unsuppressed"}, None),
        ({}, None),
        ({"event_update_action": "changed severity from High to Disaster"}, Status.FIRING),
        ({"event_update_action": "acknowledged, commented and changed severity from High to Disaster"}, Status.FIRING),
        ({"event_update_actionjson": '{"severity":{"old":4,"new":5}}'}, Status.FIRING),
        ({"update_action": {"severity": {"old": 4, "new": 5}}}, Status.FIRING),
        ({"event_update_actionjson": '[{"message":"close, severity","timestamp":1}]'}, None),
        ({"event_update_actionjson": '{"message":"not JSON and closed'}, None),
        ({"event_update_action": "commented and closed"}, Status.RESOLVED),
        ({"event_update_actionjson": '{"close":true}'}, Status.RESOLVED),
        ({"event_value": "0", "event_update_action": "commented"}, Status.RESOLVED),
    ],
)
def test_of_an_update_a_severity_and_an_end_are_told(update: dict[str, Any], told: Status | None) -> None:
    alerts = parse(EVENT | {"event_update_status": "1"} | update)
    assert [alert.status for alert in alerts if isinstance(alert, Alert)] == ([told] if told else [])


def test_the_new_severity_counts() -> None:
    update = {"event_update_status": "1", "event_update_action": "changed severity from High to Disaster"}
    assert only(EVENT | update | {"event_update_nseverity": "5"}).severity is Severity.CRITICAL


def test_what_was_done_counts_only_in_an_update() -> None:
    assert only(EVENT | {"event_update_status": "0", "event_update_action": "closed"}).status is Status.FIRING
    assert parse(EVENT | {"event_update_action": "acknowledged"}) == []


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"event_timestamp": "1795419667"}, "2026-11-23T07:41:07+00:00"),
        ({"event_date": "2026.11.23", "event_time": "08:41:07"}, "2026-11-23T07:41:07+00:00"),
        ({"event_time": "2026.11.23 08:41:07"}, "2026-11-23T07:41:07+00:00"),
        (
            {"event_timestamp": "{EVENT.TIMESTAMP}", "event_date": "2026.11.23", "event_time": "08:41:07"},
            "2026-11-23T07:41:07+00:00",
        ),
        ({"event_time": "08:41:07"}, None),
        ({"event_date": "23.11.2026", "event_time": "08:41:07"}, None),
    ],
)
def test_a_local_time_is_in_the_zone_of_the_options(told: dict[str, str], expected: str | None) -> None:
    starts_at = only(EVENT | told, zone="Europe/Paris").starts_at
    assert starts_at == (datetime.fromisoformat(expected) if expected else None)


@pytest.mark.parametrize(
    ("change", "second"),
    [
        ({}, None),
        ({"event_timestamp": "1795419660"}, 1795419660),
        ({"event_timestamp": "1795419660", "timestamp": "1795419669"}, 1795419669),
        ({"event_timestamp": "1795419660", "event_value": "0"}, None),
        ({"event_timestamp": "1795419660", "event_value": "0", "event_recovery_timestamp": "1795419700"}, 1795419700),
        ({"event_date": "2026.11.23", "event_time": "08:41:07"}, None),
    ],
)
def test_only_an_absolute_moment_of_this_message_says_when_it_was_said(
    change: dict[str, str], second: int | None
) -> None:
    said_at = only(EVENT | change).said_at
    assert said_at == (datetime.fromtimestamp(second, UTC) if second else None)


@pytest.mark.parametrize(
    "tags",
    [
        '[{"tag":"scope","value":"performance"},{"tag":"night","value":""}]',
        [{"tag": "scope", "value": "performance"}, {"tag": "night"}],
        "scope:performance, night",
        {"scope": "performance", "night": "true"},
    ],
)
def test_tags_are_labels_however_they_are_written(tags: Any) -> None:
    labels = only(EVENT | {"event_tags": tags}).labels
    assert {name: value for name, value in labels.items() if "tags" in name} == {
        "tags_scope": "performance",
        "tags_night": "true",
    }


@pytest.mark.parametrize("name", ["token", "api_token", "tocsin_secret", "HTTPProxy", "send_to", "zabbix.password"])
def test_what_is_secret_or_the_receivers_is_no_label(name: str) -> None:
    assert name not in only(EVENT | {name: "made-up"}).labels


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ({"event_url": "https://z/1", "trigger_url": "https://w/2"}, "https://z/1"),
        ({"event_url": "{$ZABBIX.URL}/tr", "trigger_url": "https://w/2"}, "https://w/2"),
        ({"event_url": "https://z/?triggerid={TRIGGER.ID}", "url": "https://z"}, "https://z"),
        ({"url": "javascript:alert(1)"}, ""),
    ],
)
def test_the_first_whole_address_is_the_link(told: dict[str, str], url: str) -> None:
    assert only(EVENT | told).url == url


@pytest.mark.parametrize("value", ["{HOST.IP}", "{$SITE}", "{#FSNAME}", "*UNKNOWN*", "", "  ", None])
def test_a_macro_that_says_nothing_is_missing(value: str | None) -> None:
    assert "site" not in only(EVENT | {"site": value}).labels


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (without("event_id", "trigger_id"), "event_id is missing, and so is trigger_id"),
        (without("event_value"), "event_value and status are missing"),
        (without("trigger_name"), "trigger_name is missing"),
        ("text", "an object of Zabbix macros"),
        ({}, "event_id is missing"),
    ],
)
def test_what_is_missing_is_named(message: Any, problem: str) -> None:
    with pytest.raises(PayloadError, match=problem):
        parse(message)


@pytest.mark.parametrize(
    ("number", "check"), [("0", "trigger state unknown"), ("5", "discovery rule not supported"), ("", "internal event")]
)
def test_an_internal_event_says_what_cannot_be_told(number: str, check: str) -> None:
    alert = only(EVENT | {"event_source": "3", "event_object": number})
    assert (alert.check, alert.fingerprint) == (check, "20134")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, ("192.0.2.40", "discovered device", Status.FIRING)),
        ({"event_object": "2"}, ("192.0.2.40", "discovered service HTTP 80", Status.RESOLVED)),
        ({"discovery_device_dns": "a.example.net"}, ("a.example.net", "discovered device", Status.FIRING)),
    ],
)
def test_something_discovered_is_known_by_its_address(change: dict[str, str], told: tuple[str, str, Status]) -> None:
    found = {
        "event_source": "1",
        "event_object": "1",
        "event_id": "1",
        "discovery_device_ipaddress": "192.0.2.40",
        "discovery_device_status": "DOWN",
        "discovery_service_name": "HTTP",
        "discovery_service_port": "80",
        "discovery_service_status": "UP",
    }
    alert = only(found | change)
    assert (alert.resource, alert.check, alert.status) == told
    assert only(found | change | {"event_id": "2"}).fingerprint == alert.fingerprint
    assert only(found | change | {"discovery_device_ipaddress": "192.0.2.41"}).fingerprint != alert.fingerprint


def test_the_media_type_has_the_script_beside_it_and_every_parameter_is_read_or_a_setting() -> None:
    media_type = yaml.safe_load((SNIPPETS / "media_tocsin.yaml").read_text())["zabbix_export"]["media_types"][0]
    assert (SNIPPETS / "tocsin.js").read_text().endswith(media_type["script"])
    parameters = {parameter["name"]: parameter.get("value", "") for parameter in media_type["parameters"]}
    assert parameters.keys() >= EVENT.keys()
    readme = (SNIPPETS / "README.md").read_text()
    assert [name for name in parameters if f"`{name}`" not in readme] == []


PRELUDE = """
var sent = {headers: []}, asked = 0;
function Request(old) {
    var methods = {
        addHeader: function (line) { sent.headers.push(line); },
        setProxy: function (proxy) { sent.proxy = proxy; },
        post: function (url, body) { asked += 1; sent.url = url; sent.body = body; return STATUS === 202 ? '{}' : 'busy'; },
        getStatus: function () { return STATUS; }
    };
    var names = {addHeader: 'AddHeader', setProxy: 'SetProxy', post: 'Post', getStatus: 'Status'};
    for (var name in methods) { this[old ? names[name] : name] = methods[name]; }
}
"""
NEW = "function HttpRequest() { Request.call(this, false); } var Zabbix = {log: function () {}};"
OLD = "function CurlHttpRequest() { Request.call(this, true); } var Zabbix = {Log: function () {}};"


def run(parameters: dict[str, str], status: int = 202, zabbix: str = NEW) -> dict[str, Any]:
    """What the script does in Duktape, which is what Zabbix runs scripts in."""
    program = require("duk", "duktape")
    script = (SNIPPETS / "tocsin.js").read_text()
    source = (
        f"var STATUS = {status};{PRELUDE}{zabbix}\nfunction media(value) {{\n{script}\n}}\n"
        f"try {{ sent.result = media({json.dumps(json.dumps(parameters))}); }} catch (error) {{ sent.error = String(error); }}\n"
        "sent.asked = asked; print(JSON.stringify(sent));"
    )
    done = subprocess.run(
        [program, "--run-stdin"], input=source, capture_output=True, text=True, check=True, timeout=20
    )
    return dict(json.loads(done.stdout))


SET = {"tocsin_url": "https://tocsin.example.net/hooks/zabbix", "tocsin_token": "made-up-token", "tocsin_secret": ""}


@pytest.mark.parametrize("version", [NEW, OLD], ids=["5.4 and later", "5.0"])
def test_the_script_posts_what_is_said_and_no_secret(version: str) -> None:
    sent = run(
        SET | EVENT | {"host_dns": "*UNKNOWN*", "opdata": "{EVENT.OPDATA}", "http_proxy": "http://p:1"}, zabbix=version
    )
    assert (sent["url"], sent["proxy"], sent["result"]) == (SET["tocsin_url"], "http://p:1", "OK")
    assert sent["headers"] == ["Content-Type: application/json", "Authorization: Bearer made-up-token"]
    assert json.loads(sent["body"]) == EVENT


@pytest.mark.parametrize("status", [301, 401, 422, 500, 503])
def test_the_script_fails_unless_it_is_taken_so_that_zabbix_tries_again(status: int) -> None:
    sent = run(SET | EVENT, status)
    assert sent["error"] == f"[tocsin] tocsin answered {status}: busy"


def test_the_script_signs_when_it_has_a_secret() -> None:
    hmac = "function hmac(kind, key, text) { return kind + '/' + key + '/' + text.length; }"
    sent = run(SET | EVENT | {"tocsin_token": "", "tocsin_secret": "made-up"}, zabbix=NEW + hmac)
    assert sent["headers"][1:] == [f"X-Tocsin-Signature: sha256=sha256/made-up/{len(sent['body'])}"]
    assert "needs a version of Zabbix" in run(SET | EVENT | {"tocsin_secret": "made-up"})["error"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tocsin_url": "{$TOCSIN.URL}"}, "tocsin_url must be"),
        ({"tocsin_url": "tocsin.example.net"}, "tocsin_url must be"),
        ({"tocsin_token": "{$TOCSIN.TOKEN}"}, "tocsin_token"),
        ({"event_id": ""}, "event_id must be"),
        ({"event_source": "{EVENT.SOURCE}"}, "event_source must be"),
        ({"event_value": "{EVENT.VALUE}"}, "event_value must be"),
        ({"host": "{HOST.HOST}"}, "host must be"),
    ],
)
def test_the_script_says_which_parameter_is_wrong_and_sends_nothing(change: dict[str, str], problem: str) -> None:
    sent = run(SET | EVENT | change)
    assert problem in sent["error"]
    assert sent["asked"] == 0


def test_a_test_of_the_media_type_is_sent_and_is_no_alert() -> None:
    media_type = yaml.safe_load((SNIPPETS / "media_tocsin.yaml").read_text())["zabbix_export"]["media_types"][0]
    sent = run({parameter["name"]: parameter.get("value", "") for parameter in media_type["parameters"]} | SET)
    assert sent["result"] == "OK"
    assert parse(json.loads(sent["body"])) == []


def test_what_the_script_sends_is_read() -> None:
    assert only(json.loads(run(SET | EVENT)["body"])) == only(EVENT)
