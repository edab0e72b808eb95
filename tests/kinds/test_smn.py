"""Signatures are made here with a real key, by the recipe of the manuals, and checked against `prove`."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, load_pem_x509_certificate, random_serial_number
from cryptography.x509.oid import NameOID

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status, Unreadable
from tocsin.sources import NotJsonError, Visit, smn
from tocsin.sources._answers import Answer

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TOPIC = "urn:smn:eu-west-0:0123456789abcdef:alerts"
NAME = Name([NameAttribute(NameOID.COMMON_NAME, "smn.example.net")])
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
TEXT = (
    '[eu-west-0][Major Alarm]Dear ops: The CPU Usage of Elastic Cloud Server-ECSs "web-1" (ID: 1111-2222), Raw data >= '
    "80% for 3 consecutive periods,\nCurrent Data: 93%, triggered an alarm,Alarm Rule Name: web-cpu, You can log in."
)
DOCUMENT = {
    "message_type": "alarm",
    "alarm_id": "al17",
    "alarm_name": "web-cpu",
    "alarm_status": "alarm",
    "time": 1795310650006,
    "metric_name": "cpu_util",
    "dimension": "instance_id:1111-2222",
    "template_variable": {"AlarmLevel": "Major", "ResourceName": "web-1", "IsAlarm": True, "EventContent": ""},
}
DATA = {
    "AlarmRuleName": "redis",
    "ResourceId": "r-1",
    "ResourceName": "dcs",
    "MetricName": "ops",
    "AlarmLevel": "紧急",
    "IsAlarm": True,
}
AOM = {"metadata": {"event_name": "shop", "event_severity": "Critical", "resource_id": "appName:cart"}, "ends_at": 0}


def certificate(algorithm: hashes.HashAlgorithm) -> bytes:
    made = (
        CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(KEY.public_key())
        .serial_number(random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(KEY, algorithm)  # type: ignore[arg-type]
    )
    return made.public_bytes(Encoding.PEM)


def envelope(message: Any, **fields: Any) -> dict[str, Any]:
    return {
        "type": "Notification",
        "message_id": "m-1",
        "topic_urn": TOPIC,
        "subject": "a subject",
        "message": message if isinstance(message, str) else json.dumps(message),
        "timestamp": "2026-11-22T01:24:12Z",
        **fields,
    }


SUBSCRIPTION = {
    "type": "SubscriptionConfirmation",
    "message_id": "m-2",
    "topic_urn": TOPIC,
    "message": "You are invited.",
    "subscribe_url": "https://console.otc.t-systems.com/smn/subscription/confirm?token=t",
    "timestamp": "2026-11-20T10:00:00Z",
}


def payload(body: Any, headers: dict[str, str] | None = None) -> Payload:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Payload(body=raw, source="fe", headers=headers or {})


def parse(body: Any, **options: Any) -> list[Alert | Unreadable]:
    return smn.parse(payload(body), smn.Options(**options), NOW)


def one(message: Any, **fields: Any) -> Alert:
    (alert,) = parse(envelope(message, **fields))
    assert isinstance(alert, Alert)
    return alert


def document(**fields: Any) -> Alert:
    return one(DOCUMENT | fields)


def data(**fields: Any) -> Alert:
    told = {name: value for name, value in (DATA | fields).items() if value is not None}
    return one({"version": "v1", "data": told})


def sign(message: dict[str, Any], names: str, algorithm: hashes.HashAlgorithm) -> dict[str, Any]:
    """The manual's recipe: each name and its value on lines of their own, the last one ended, too."""
    text = "".join(f"{name}\n{message[name]}\n" for name in names.split())
    signature = KEY.sign(text.encode(), padding.PKCS1v15(), algorithm)
    return message | {"signature": b64encode(signature).decode(), "signing_cert_url": "https://smn.example.net/a.pem"}


def is_genuine(message: dict[str, Any], algorithm: hashes.HashAlgorithm) -> bool:
    """What `web` does with a proof, once it has fetched the certificate: the hash is the certificate's own."""
    proof = smn.prove(payload(message))
    assert proof.digest == "certificate"
    read = load_pem_x509_certificate(certificate(algorithm))
    key, digest = read.public_key(), read.signature_hash_algorithm
    assert isinstance(key, rsa.RSAPublicKey)
    assert digest is not None
    for text in proof.texts:
        try:
            key.verify(proof.signature, text, padding.PKCS1v15(), digest)
        except InvalidSignature:
            continue
        return True
    return False


WITH_SUBJECT = "message message_id subject timestamp topic_urn type"
WITHOUT_SUBJECT = "message message_id timestamp topic_urn type"
HANDSHAKE = "message message_id subscribe_url timestamp topic_urn type"
GENUINE = [
    pytest.param(envelope('é "quoted"\n\ttext'), WITH_SUBJECT, id="notification"),
    pytest.param(envelope(DOCUMENT, subject=""), WITH_SUBJECT, id="empty subject, signed"),
    pytest.param(envelope(DOCUMENT, subject=""), WITHOUT_SUBJECT, id="empty subject, left out"),
    pytest.param(envelope(DOCUMENT, subject=None), WITHOUT_SUBJECT, id="no subject"),
    pytest.param(SUBSCRIPTION, HANDSHAKE, id="subscription"),
    pytest.param(SUBSCRIPTION | {"type": "UnsubscribeConfirmation"}, HANDSHAKE, id="cancelled subscription"),
]


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA512()], ids=["SHA-256", "SHA-512"])
@pytest.mark.parametrize(("message", "names"), GENUINE)
def test_a_genuine_signature_is_proved(message: dict[str, Any], names: str, algorithm: hashes.HashAlgorithm) -> None:
    assert is_genuine(sign(message, names, algorithm), algorithm)


@pytest.mark.parametrize("field", WITH_SUBJECT.split()[:-1])
def test_no_signed_field_can_be_changed(field: str) -> None:
    message = sign(envelope(DOCUMENT), WITH_SUBJECT, hashes.SHA256())
    assert not is_genuine(message | {field: message[field] + "x"}, hashes.SHA256())


def test_a_subject_that_says_something_cannot_be_left_out() -> None:
    message = sign(envelope(DOCUMENT), WITHOUT_SUBJECT, hashes.SHA256())
    assert not is_genuine(message, hashes.SHA256())


def test_a_proof_names_certificate_topic_and_time() -> None:
    proof = smn.prove(payload(sign(envelope(DOCUMENT), WITH_SUBJECT, hashes.SHA256())))
    assert (proof.certificate, proof.topic) == ("https://smn.example.net/a.pem", TOPIC)
    assert proof.said_at == datetime(2026, 11, 22, 1, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"signature": None}, "no signature"),
        ({"signature": "é"}, "no signature"),
        ({"type": "Other"}, "type is 'Other'"),
        ({"timestamp": None}, "timestamp is missing"),
    ],
)
def test_a_message_that_proves_nothing_says_why(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        smn.prove(payload(sign(envelope(DOCUMENT), WITH_SUBJECT, hashes.SHA256()) | fields))


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("smn.eu-west-0.prod-cloud-ocb.orange-business.com", True),
        ("smn.eu-de.otc.t-systems.com", True),
        ("smn.cn-north-4.myhuaweicloud.com", True),
        ("console.otc.t-systems.com", True),
        ("sa-brazil-1-console.huaweicloud.com", True),
        ("smn.oss.eu-west-0.prod-cloud-ocb.orange-business.com", False),
        ("smn.obs.eu-de.otc.t-systems.com", False),
        ("smn.obs.cn-north-4.myhuaweicloud.com", False),
        ("smn.obs.myhuaweicloud.com", False),
        ("evil.example.net", False),
    ],
)
def test_certificates_come_from_the_service_and_from_no_bucket(host: str, *, is_ours: bool) -> None:
    assert any(fnmatchcase(host, pattern) for pattern in smn.HOSTS) is is_ours


def test_a_subscription_is_confirmed_by_visiting_its_address() -> None:
    assert smn.greet(payload(SUBSCRIPTION), smn.Options()) == Visit(url=SUBSCRIPTION["subscribe_url"])
    assert parse(SUBSCRIPTION) == []


def test_a_cancelled_subscription_stays_cancelled_unless_the_options_say_so() -> None:
    cancelled = payload(SUBSCRIPTION | {"type": "UnsubscribeConfirmation"})
    assert smn.greet(cancelled, smn.Options()) == Answer(status=200)
    assert smn.greet(cancelled, smn.Options(resubscribe=True)) == Visit(url=SUBSCRIPTION["subscribe_url"])


@pytest.mark.parametrize("body", [envelope(DOCUMENT), envelope("Confirmation"), "no JSON: Confirmation"])
def test_what_is_no_handshake_is_not_greeted(body: Any) -> None:
    assert smn.greet(payload(body), smn.Options()) is None


def test_the_header_says_the_type_only_where_the_body_does_not() -> None:
    told = {name: value for name, value in envelope(DOCUMENT).items() if name != "type"}
    assert smn.parse(payload(told, {"x-smn-message-type": "Notification"}), smn.Options(), NOW)
    confirm = payload(envelope("Confirmation"), {"x-smn-message-type": "SubscriptionConfirmation"})
    assert smn.greet(confirm, smn.Options()) is None


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("alarm", Status.FIRING),
        ("ok", Status.RESOLVED),
        ("OK", Status.RESOLVED),
        ("ok_manual", Status.RESOLVED),
        ("insufficient_data", Status.FIRING),
        ("something new", Status.FIRING),
    ],
)
def test_the_states_of_an_alarm(state: str, status: Status) -> None:
    assert document(alarm_status=state).status is status


def test_too_little_data_is_a_warning_or_what_the_options_say() -> None:
    told = DOCUMENT | {"alarm_status": "insufficient_data"}
    assert one(told).severity is Severity.WARNING
    assert parse(envelope(told), insufficient_data="ignored") == []
    (over,) = parse(envelope(told), insufficient_data="resolved")
    assert isinstance(over, Alert)
    assert over.status is Status.RESOLVED


@pytest.mark.parametrize(
    ("fields", "subject", "severity"),
    [
        ({"template_variable": {"AlarmLevel": "Critical"}}, "", Severity.CRITICAL),
        ({"template_variable": {"AlarmLevel": "Informational"}}, "", Severity.INFO),
        ({"template_variable": {"AlarmLevel": "次要"}}, "", Severity.MINOR),
        ({"template_variable": None, "alarm_level": 1}, "", Severity.CRITICAL),
        ({"template_variable": None, "alarm_level": "4"}, "", Severity.INFO),
        ({"template_variable": None}, "[Minor Alarm]From Cloud Eye: x", Severity.MINOR),
        ({"template_variable": None}, "[华为云][紧急告警]云监控通知", Severity.CRITICAL),
        ({"template_variable": None}, "", Severity.MAJOR),
    ],
)
def test_the_level_is_in_the_variables_or_the_subject(fields: dict[str, Any], subject: str, severity: Severity) -> None:
    assert one(DOCUMENT | fields, subject=subject).severity is severity


@pytest.mark.parametrize(
    "change",
    [
        {"alarm_status": "ok"},
        {"alarm_name": "other"},
        {"time": 1},
        {"default_content": "other"},
        {"template_variable": {"AlarmLevel": "Critical", "ResourceName": "renamed"}},
    ],
)
def test_what_does_not_identify_leaves_the_fingerprint(change: dict[str, Any]) -> None:
    assert document(**change).fingerprint == document().fingerprint


@pytest.mark.parametrize("field", ["alarm_id", "dimension", "metric_name"])
def test_each_identifying_field_makes_another_problem(field: str) -> None:
    assert document(**{field: "other:1"}).fingerprint != document().fingerprint


def test_dimensions_are_the_same_as_a_list() -> None:
    listed = [{"name": "instance_id", "value": "1111-2222"}]
    assert document(dimension=None, dimensions=listed).fingerprint == document().fingerprint


@pytest.mark.parametrize(
    ("fields", "subject", "status"),
    [
        ({}, "", Status.FIRING),
        ({"IsAlarm": False}, "", Status.RESOLVED),
        ({"IsAlarm": None}, "", Status.RESOLVED),
        ({"IsAlarm": None}, "[Critical Alarm]From Cloud Eye", Status.FIRING),
        ({"IsAlarm": None}, "[Critical Ok]From Cloud Eye", Status.RESOLVED),
        ({"IsAlarm": None}, "[华为云][紧急告警恢复]", Status.RESOLVED),
        ({"IsAlarm": None, "EventContent": "moved"}, "", Status.FIRING),
    ],
)
def test_the_later_form_leaves_out_what_is_false(fields: dict[str, Any], subject: str, status: Status) -> None:
    told = {name: value for name, value in (DATA | fields).items() if value is not None}
    assert one({"version": "v1", "data": told}, subject=subject).status is status


@pytest.mark.parametrize("field", ["AlarmRuleName", "ResourceId", "MetricName"])
def test_each_identifying_variable_makes_another_problem(field: str) -> None:
    assert data(**{field: "other"}).fingerprint != data().fingerprint
    assert data(AlarmRecordID="ah1", CurrentData="7").fingerprint == data(IsAlarm=False).fingerprint


def test_the_time_of_the_later_form_has_its_offset() -> None:
    assert data(AlarmTime="2026/11/22 09:24:15 GMT+08:00").starts_at == datetime(2026, 11, 22, 1, 24, 15, tzinfo=UTC)


def test_an_event_expires() -> None:
    variables = {"EventContent": "The host is faulty.", "ResourceName": "web-1", "IsAlarm": True}
    assert document(template_variable=variables).ends_at == NOW + timedelta(hours=24)
    assert document().ends_at is None


def test_the_text_of_an_alarm_is_read_like_its_document() -> None:
    firing = one(TEXT)
    over = one(TEXT.replace("Major Alarm", "Major Ok").replace("triggered an alarm", "changed to OK from Alarm"))
    assert (firing.resource, firing.check, firing.severity) == ("web-1", "CPU Usage", Severity.MAJOR)
    assert (firing.status, over.status) == (Status.FIRING, Status.RESOLVED)
    assert firing.fingerprint == over.fingerprint != one(TEXT.replace("1111", "3333")).fingerprint
    assert firing.ends_at is None


@pytest.mark.parametrize("left_out", ['"web-1"', "Alarm Rule Name: web-cpu", "The CPU Usage of "])
def test_a_text_that_does_not_name_all_is_only_a_text(left_out: str) -> None:
    told = one(TEXT.replace(left_out, ""))
    assert (told.resource, told.check, told.fingerprint) == ("alerts", "a subject", "m-1")
    assert told.ends_at == NOW + timedelta(hours=24)


def test_an_alarm_of_aom_is_over_when_it_has_an_end() -> None:
    firing, over = one(AOM), one(AOM | {"ends_at": 1795311850000, "id": "another"})
    assert (firing.status, over.status) == (Status.FIRING, Status.RESOLVED)
    assert firing.fingerprint == over.fingerprint
    assert (firing.resource, firing.check, firing.severity) == ("cart", "shop", Severity.CRITICAL)


def test_a_huge_text_is_read_in_no_time() -> None:
    assert one('The of "' * 30_000).resource == "alerts"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (envelope("x") | {"message": None}, "message is missing"),
        (envelope("x", type="Other"), "type is 'Other'"),
        (envelope("x", message_id=None), "the id of the message is missing"),
        ({"unrelated": True}, "type is ''"),
    ],
)
def test_what_is_missing_is_named(body: Any, sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        parse(body)


def test_an_alarm_that_names_nothing_is_refused() -> None:
    with pytest.raises(PayloadError, match="is missing or empty"):
        one({"alarm_status": "alarm"})


def test_a_body_that_is_no_json_is_told_apart() -> None:
    with pytest.raises(NotJsonError):
        parse("hello")


@pytest.mark.parametrize("change", [{"type": None}, {"message": DOCUMENT}])
def test_an_envelope_that_somebody_opened_is_still_one(change: dict[str, Any]) -> None:
    (told,) = parse(envelope(DOCUMENT) | change)
    assert isinstance(told, Alert)
    assert told.fingerprint == document().fingerprint


@pytest.mark.parametrize("subject", ["[Major Ok]From Cloud Eye", "[紧急告警恢复]云监控通知"])
def test_the_end_of_nobody_knows_what_is_no_alert(subject: str) -> None:
    assert parse(envelope("x", subject=subject)) == []
    assert one("x", subject=subject.replace("Ok", "Alarm").replace("恢复", "")).status == "firing"
