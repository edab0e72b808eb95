"""Signatures are made here with a real key, by the recipe of the manual, and checked against `prove`."""

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
from tocsin.sources import NotJsonError, Visit, sns
from tocsin.sources._answers import Answer

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
ARN = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:web-cpu-high"
ALARM = {
    "AlarmName": "web-cpu-high",
    "AlarmArn": ARN,
    "AWSAccountId": "123456789012",
    "Region": "EU (Ireland)",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed",
    "StateChangeTime": "2019-02-15T23:53:45.123+0000",
    "Trigger": {"MetricName": "CPUUtilization", "Dimensions": [{"name": "InstanceId", "value": "i-1"}]},
}
RAW = {"x-amz-sns-rawdelivery": "true", "x-amz-sns-message-id": "m-1", "x-amz-sns-topic-arn": TOPIC}
NAME = Name([NameAttribute(NameOID.COMMON_NAME, "sns.example.net")])
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
CERTIFICATE = (
    CertificateBuilder()
    .subject_name(NAME)
    .issuer_name(NAME)
    .public_key(KEY.public_key())
    .serial_number(random_serial_number())
    .not_valid_before(NOW - timedelta(days=1))
    .not_valid_after(NOW + timedelta(days=1))
    .sign(KEY, hashes.SHA256())
)
HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - version 1 is SHA-1


def envelope(message: Any, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": TOPIC,
        "Subject": "a subject",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-22T01:24:10.562Z",
        **fields,
    }


def payload(body: Any, headers: dict[str, str] | None = None) -> Payload:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Payload(body=raw, content_type="text/plain", source="aws", headers=headers or {})


def parse(
    body: Any, headers: dict[str, str] | None = None, options: sns.Options | None = None
) -> list[Alert | Unreadable]:
    return sns.parse(payload(body, headers), options or sns.Options(), NOW)


def one(body: Any, headers: dict[str, str] | None = None, **options: Any) -> Alert:
    (alert,) = parse(body, headers, sns.Options(**options))
    assert isinstance(alert, Alert)
    return alert


def alarm(**fields: Any) -> Alert:
    return one(envelope(ALARM | fields))


def event(kind: str, detail: dict[str, Any], **fields: Any) -> dict[str, Any]:
    told = {"id": "e-1", "source": "aws.test", "account": "1", "region": "eu-west-1", "time": "2026-11-22T01:00:00Z"}
    return {"detail-type": kind, "detail": detail, "resources": [], **told, **fields}


def signed_text(message: dict[str, Any]) -> bytes:
    """The manual's recipe, written out for each type."""
    if message["Type"] == "Notification":
        names = [
            "Message",
            "MessageId",
            *(["Subject"] if "Subject" in message else []),
            "Timestamp",
            "TopicArn",
            "Type",
        ]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    return "".join(f"{name}\n{message[name]}\n" for name in names).encode()


def sign(message: dict[str, Any], version: str) -> dict[str, Any]:
    signature = KEY.sign(signed_text(message), padding.PKCS1v15(), HASHES[version])
    return message | {
        "SignatureVersion": version,
        "Signature": b64encode(signature).decode(),
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0f.pem",
    }


def is_genuine(message: dict[str, Any]) -> bool:
    """What `web` does with a proof, once it has fetched the certificate."""
    proof = sns.prove(payload(message))
    key = load_pem_x509_certificate(CERTIFICATE.public_bytes(Encoding.PEM)).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    digest = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}[proof.digest]  # noqa: S303 - as above
    for text in proof.texts:
        try:
            key.verify(proof.signature, text, padding.PKCS1v15(), digest)
        except InvalidSignature:
            continue
        return True
    return False


SUBSCRIPTION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "m-2",
    "Token": "t0ken",
    "TopicArn": TOPIC,
    "Message": "You have chosen to subscribe.\nVisit the SubscribeURL.",
    "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t0ken",
    "Timestamp": "2026-11-20T10:00:00.000Z",
}
WITHOUT_SUBJECT = {name: value for name, value in envelope('é "quoted"\n\ttext').items() if name != "Subject"}
MESSAGES = [
    pytest.param(envelope(ALARM), id="notification"),
    pytest.param(WITHOUT_SUBJECT, id="without subject"),
    pytest.param(SUBSCRIPTION, id="subscription"),
    pytest.param(SUBSCRIPTION | {"Type": "UnsubscribeConfirmation"}, id="cancelled subscription"),
]


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("message", MESSAGES)
def test_a_genuine_signature_is_proved(message: dict[str, Any], version: str) -> None:
    assert is_genuine(sign(message, version))


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn"])
def test_no_signed_field_can_be_changed(field: str) -> None:
    message = sign(envelope(ALARM), "2")
    assert not is_genuine(message | {field: message[field] + "x"})


def test_a_proof_names_certificate_topic_and_time() -> None:
    proof = sns.prove(payload(sign(envelope(ALARM), "1")))
    assert proof.certificate == "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0f.pem"
    assert (proof.topic, proof.digest) == (TOPIC, "sha1")
    assert proof.said_at == datetime(2026, 11, 22, 1, 24, 10, 562_000, tzinfo=UTC)


def test_a_null_subject_is_not_signed() -> None:
    assert is_genuine(sign(WITHOUT_SUBJECT, "2") | {"Subject": None})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"Signature": None}, "no signature"),
        ({"Signature": "***"}, "no signature"),
        ({"SignatureVersion": "3"}, "SignatureVersion is '3'"),
        ({"Type": "Other"}, "Type is 'Other'"),
        ({"MessageId": None}, "MessageId is missing"),
    ],
)
def test_a_message_that_proves_nothing_says_why(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        sns.prove(payload(sign(envelope(ALARM), "2") | fields))


def test_a_raw_delivery_proves_nothing() -> None:
    with pytest.raises(PayloadError, match="switch raw message delivery off"):
        sns.prove(payload(ALARM, RAW))


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("sns.eu-west-1.amazonaws.com", True),
        ("sns.us-gov-west-1.amazonaws.com", True),
        ("sns.cn-north-1.amazonaws.com.cn", True),
        ("sns.s3.amazonaws.com", False),
        ("sns.s3.eu-west-1.amazonaws.com", False),
        ("sns.s3-eu-west-1.amazonaws.com", False),
        ("sns.eu-west-1.amazonaws.com.example.net", False),
        ("evil.amazonaws.com", False),
    ],
)
def test_certificates_come_from_the_service_and_from_no_bucket(host: str, *, is_ours: bool) -> None:
    assert any(fnmatchcase(host, pattern) for pattern in sns.HOSTS) is is_ours


def test_a_subscription_is_confirmed_by_visiting_its_address() -> None:
    assert sns.greet(payload(SUBSCRIPTION), sns.Options()) == Visit(url=SUBSCRIPTION["SubscribeURL"])
    assert parse(SUBSCRIPTION) == []


def test_a_cancelled_subscription_stays_cancelled_unless_the_options_say_so() -> None:
    cancelled = payload(SUBSCRIPTION | {"Type": "UnsubscribeConfirmation"})
    assert sns.greet(cancelled, sns.Options()) == Answer(status=200)
    assert sns.greet(cancelled, sns.Options(resubscribe=True)) == Visit(url=SUBSCRIPTION["SubscribeURL"])


@pytest.mark.parametrize("body", [envelope(ALARM), envelope("Confirmation"), "no JSON: Confirmation", ["Confirmation"]])
def test_what_is_no_handshake_is_not_greeted(body: Any) -> None:
    assert sns.greet(payload(body), sns.Options()) is None


def test_a_raw_delivery_is_no_handshake_whatever_it_says() -> None:
    assert sns.greet(payload(SUBSCRIPTION, RAW), sns.Options()) is None


@pytest.mark.parametrize(
    ("state", "status", "severity"),
    [
        ("ALARM", Status.FIRING, Severity.MAJOR),
        ("OK", Status.RESOLVED, Severity.MAJOR),
        ("INSUFFICIENT_DATA", Status.FIRING, Severity.WARNING),
    ],
)
def test_the_states_of_an_alarm(state: str, status: Status, severity: Severity) -> None:
    told = alarm(NewStateValue=state)
    assert (told.status, told.severity) == (status, severity)


def test_too_little_data_is_what_the_options_say() -> None:
    body = envelope(ALARM | {"NewStateValue": "INSUFFICIENT_DATA"})
    assert one(body, insufficient_data="resolved").status is Status.RESOLVED
    assert parse(body, options=sns.Options(insufficient_data="ignored")) == []


def test_the_moment_of_change_starts_and_ends_it() -> None:
    at = datetime(2019, 2, 15, 23, 53, 45, 123_000, tzinfo=UTC)
    firing, over = alarm(), alarm(NewStateValue="OK")
    assert (firing.starts_at, firing.ends_at) == (at, None)
    assert (over.starts_at, over.ends_at) == (None, at)
    assert firing.said_at == datetime(2026, 11, 22, 1, 24, 10, 562_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"NewStateReason": "other"},
        {"AlarmDescription": "other"},
        {"NewStateValue": "OK"},
        {"StateChangeTime": "2026-11-22T01:24:10.485+0000"},
        {"Trigger": {"MetricName": "other"}},
        {"Region": "Europe (Ireland)"},
    ],
)
def test_what_does_not_identify_leaves_the_fingerprint(change: dict[str, Any]) -> None:
    assert alarm(**change).fingerprint == alarm().fingerprint == ARN


@pytest.mark.parametrize("change", [{"AlarmArn": ARN + "2"}, {"AlarmContributorId": "c-1"}])
def test_another_alarm_or_contributor_is_another_problem(change: dict[str, Any]) -> None:
    assert alarm(**change).fingerprint != alarm().fingerprint


@pytest.mark.parametrize("field", ["AWSAccountId", "Region", "AlarmName"])
def test_account_region_and_name_identify_an_alarm_without_arn(field: str) -> None:
    assert alarm(AlarmArn=None).fingerprint == alarm(AlarmArn="", NewStateValue="OK").fingerprint
    assert alarm(AlarmArn=None, **{field: "other"}).fingerprint != alarm(AlarmArn=None).fingerprint


@pytest.mark.parametrize(
    ("trigger", "resource"),
    [
        ({"Dimensions": [{"name": "ClusterName", "value": "c"}, {"name": "ServiceName", "value": "s"}]}, "s"),
        ({"Dimensions": [{"name": "Zeta", "value": "z"}, {"name": "Alpha", "value": "a"}]}, "a"),
        ({"Dimensions": []}, "web-cpu-high"),
        ({}, "web-cpu-high"),
        (None, "web-cpu-high"),
    ],
)
def test_the_dimensions_name_the_resource(trigger: Any, resource: str) -> None:
    assert alarm(Trigger=trigger).resource == resource


def test_the_options_say_which_dimension_names_the_resource() -> None:
    dimensions = [{"name": "ClusterName", "value": "c"}, {"name": "ServiceName", "value": "s"}]
    body = envelope(ALARM | {"Trigger": {"Dimensions": dimensions}})
    assert one(body, resource_dimensions=("ClusterName",)).resource == "c"


def test_a_state_that_nobody_knows_is_refused() -> None:
    with pytest.raises(PayloadError, match="the state of the alarm is 'BROKEN'"):
        alarm(NewStateValue="BROKEN")


def test_the_same_alarm_by_eventbridge_is_the_same_problem() -> None:
    detail = {"alarmName": "web-cpu-high", "state": {"value": "OK", "timestamp": "2026-11-22T02:39:10.490+0000"}}
    over = one(envelope(event("CloudWatch Alarm State Change", detail, resources=[ARN])))
    assert (over.fingerprint, over.status) == (ARN, Status.RESOLVED)


@pytest.mark.parametrize(("operation", "count"), [("create", 0), ("update", 0), ("delete", 1)])
def test_only_a_deleted_alarm_is_over(operation: str, count: int) -> None:
    detail = {"alarmName": "web-cpu-high", "operation": operation, "state": {"value": "ALARM"}}
    entries = parse(envelope(event("CloudWatch Alarm Configuration Change", detail, resources=[ARN])))
    assert [entry.status for entry in entries if isinstance(entry, Alert)] == [Status.RESOLVED] * count


def test_each_page_of_a_health_event_is_the_same_problem() -> None:
    detail = {"eventArn": "arn:event", "service": "EC2", "eventTypeCategory": "issue", "totalPages": "2"}
    pages = [{"page": page, "affectedEntities": [{"entityValue": f"i-{page}"}]} for page in "12"]
    first, second = (one(envelope(event("AWS Health Event", detail | page))) for page in pages)
    assert (first.fingerprint, first.resource) == (second.fingerprint, second.resource)
    assert first.resource == "EC2"


@pytest.mark.parametrize(
    ("category", "severity", "expires"),
    [
        ("issue", Severity.MAJOR, None),
        ("investigation", Severity.MAJOR, None),
        ("scheduledChange", Severity.WARNING, NOW + timedelta(hours=24)),
        ("accountNotification", Severity.INFO, NOW + timedelta(hours=24)),
    ],
)
def test_only_what_aws_closes_itself_does_not_expire(
    category: str, severity: Severity, expires: datetime | None
) -> None:
    detail = {"eventArn": "arn:event", "service": "EC2", "eventTypeCategory": category, "statusCode": "open"}
    told = one(envelope(event("AWS Health Event", detail)))
    assert (told.severity, told.ends_at) == (severity, expires)


def test_an_event_of_no_known_kind_is_a_problem_of_its_own() -> None:
    first = one(envelope(event("ECS Task State Change", {}, id="e-1", resources=["arn:aws:ecs:r:1:task/shop/abc"])))
    second = one(envelope(event("ECS Task State Change", {}, id="e-2", resources=["arn:aws:ecs:r:1:task/shop/abc"])))
    assert first.fingerprint != second.fingerprint
    assert (first.resource, first.ends_at) == ("abc", NOW + timedelta(hours=24))


@pytest.mark.parametrize(
    ("number", "severity"),
    [
        (9.5, Severity.CRITICAL),
        (8, Severity.MAJOR),
        (5.5, Severity.MINOR),
        (2, Severity.WARNING),
        ("high", Severity.MAJOR),
    ],
)
def test_the_numbers_of_guardduty(number: float | str, severity: Severity) -> None:
    told = one(envelope(event("GuardDuty Finding", {"id": "f-1", "severity": number}, source="aws.guardduty")))
    assert told.severity is severity


def test_text_expires_after_the_time_of_the_options() -> None:
    assert one(envelope("text")).ends_at == NOW + timedelta(hours=24)
    assert one(envelope("text"), text_expires="30m").ends_at == NOW + timedelta(minutes=30)


def test_text_is_the_same_problem_only_when_it_is_the_same_message() -> None:
    assert one(envelope("a")).fingerprint == one(envelope("a")).fingerprint
    assert one(envelope("a")).fingerprint != one(envelope("a", MessageId="m-2")).fingerprint


@pytest.mark.parametrize("message", ["{broken", "[1, 2", "{" * 100, '  {"a": 1}  x'])
def test_what_only_looks_like_json_is_text(message: str) -> None:
    told = one(envelope(message))
    assert (told.resource, told.check, told.description) == ("alerts", "a subject", message.strip())


def test_a_raw_delivery_is_read_like_the_message_in_an_envelope() -> None:
    assert one(ALARM, RAW).fingerprint == alarm().fingerprint
    told = one("disk full\nof db01", RAW)
    assert (told.resource, told.check, told.summary) == ("alerts", "message", "disk full")


def test_raw_bytes_that_are_no_text_are_refused() -> None:
    broken = Payload(body=b"\xff", headers=RAW)
    with pytest.raises(PayloadError, match="not UTF-8"):
        sns.parse(broken, sns.Options(), NOW)


def test_nul_characters_never_reach_the_store() -> None:
    told = one("a\0b", RAW | {"x-amz-sns-topic-arn": TOPIC + "\0"})
    assert "\0" not in told.description + told.resource + told.labels["TopicArn"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (envelope("x", Message=None), "Message is missing"),
        (envelope("x", Type="Other"), "Type is 'Other'"),
        (envelope("x", MessageId=None), "the id of the message is missing"),
        (event("AWS Health Event", {}), "detail.eventArn is missing"),
        (event("EC2 Instance State-change Notification", {}), "detail.instance-id or detail.state is missing"),
        (1, "this is not a message of Amazon SNS"),
    ],
)
def test_what_is_missing_is_named(body: Any, sentence: str) -> None:
    with pytest.raises(PayloadError, match=sentence):
        parse(body)


def test_a_body_that_is_no_json_is_told_apart_unless_it_is_raw() -> None:
    with pytest.raises(NotJsonError):
        parse("hello")
    assert one("hello", RAW).description == "hello"


def test_an_alarm_as_a_lambda_function_gets_it_is_the_same_problem() -> None:
    data = {"alarmName": "web-cpu-high", "state": {"value": "ALARM", "timestamp": "2026-11-22T01:24:10.485+0000"}}
    told = one({"source": "aws.cloudwatch", "alarmArn": ARN, "accountId": "1", "alarmData": data})
    assert (told.fingerprint, told.status) == (ARN, Status.FIRING)


def test_a_schedule_is_a_sign_of_life() -> None:
    assert one(envelope(event("Scheduled Event", {}))).check in sns.HEARTBEATS


@pytest.mark.parametrize("tags", [{"severity": "critical"}, [{"Key": "severity", "Value": "critical"}]])
def test_a_tag_of_the_alarm_may_say_how_severe_it_is(tags: Any) -> None:
    detail = {"alarmName": "a", "state": {"value": "ALARM"}, "alarmTags": tags}
    by_event = one(envelope(event("CloudWatch Alarm State Change", detail, resources=[ARN])))
    assert by_event.severity is alarm(AlarmTags=tags).severity is Severity.CRITICAL
    assert by_event.labels["severity"] == "critical"


def test_a_list_of_messages_is_read_one_by_one() -> None:
    assert parse([envelope(ALARM), 1, ALARM]) == [
        alarm(),
        Unreadable(position=1, problem="this is not a message of Amazon SNS: Expected `object`, got `int`"),
        one(ALARM),
    ]
    assert parse([]) == []


@pytest.mark.parametrize("change", [{"Type": None}, {"Message": ALARM}])
def test_an_envelope_that_somebody_opened_is_still_one(change: dict[str, Any]) -> None:
    assert one(envelope(ALARM) | change).fingerprint == ARN


def test_an_attribute_may_name_the_resource() -> None:
    attributes = {"host": {"Type": "String", "Value": "db1"}}
    assert one(envelope("disk full", MessageAttributes=attributes)).resource == "db1"
    assert one(envelope({"host": "db2"}, MessageAttributes=attributes)).resource == "db2"


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("NON_COMPLIANT", Status.FIRING),
        ("COMPLIANT", Status.RESOLVED),
        ("NOT_APPLICABLE", Status.RESOLVED),
        ("INSUFFICIENT_DATA", Status.FIRING),
    ],
)
def test_a_resource_complies_with_a_rule_or_not(result: str, status: Status) -> None:
    def evaluated(result: str, **more: str) -> Alert:
        detail = {"resourceId": "bucket-1", "configRuleName": "s3-private"} | more
        return one(
            event("Config Rules Compliance Change", detail | {"newEvaluationResult": {"complianceType": result}})
        )

    told = evaluated(result)
    assert (told.status, told.resource, told.check) == (status, "bucket-1", "s3-private")
    assert told.fingerprint == evaluated("NON_COMPLIANT").fingerprint
    assert told.fingerprint != evaluated(result, resourceId="bucket-2").fingerprint
    assert told.fingerprint != evaluated(result, configRuleName="s3-logged").fingerprint


@pytest.mark.parametrize(
    ("change", "status", "expires"),
    [
        ({"Compliance": {"Status": "FAILED"}}, Status.FIRING, False),
        ({"Compliance": {"Status": "PASSED"}}, Status.RESOLVED, True),
        ({"Workflow": {"Status": "RESOLVED"}}, Status.RESOLVED, True),
        ({"RecordState": "ARCHIVED"}, Status.RESOLVED, True),
        ({}, Status.FIRING, True),
    ],
)
def test_a_finding_of_security_hub_is_one_problem(change: dict[str, Any], status: Status, *, expires: bool) -> None:
    finding = {"Id": "finding-1", "Title": "S3 is public", "Resources": [{"Id": "arn:aws:s3:::bucket-1"}]}
    told = one(event("Security Hub Findings - Imported", {"findings": [finding | change]}))
    assert (told.status, told.fingerprint) == (status, "finding-1")
    assert (told.resource, told.check) == ("bucket-1", "S3 is public")
    assert (told.ends_at is not None) == expires


def test_secrets_of_an_event_are_no_labels() -> None:
    detail = {"responseElements": {"credentials": {"sessionToken": "made-up"}}, "eventName": "AssumeRole"}
    labels = one(event("AWS API Call via CloudTrail", detail)).labels
    assert labels["detail_eventName"] == "AssumeRole"
    assert "made-up" not in str(labels)
    assert "made-up" not in str(one(envelope({"service": "x", "api_token": "made-up"})).labels)


@pytest.mark.parametrize("name", ["MessageId", "Timestamp", "TopicArn"])
def test_only_what_people_write_may_have_line_breaks_in_what_is_signed(name: str) -> None:
    """A value with one could be the fields after it, cut anew."""
    message = {
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": "arn:aws:sns:eu-west-3:123456789012:a",
        "Message": "two\nlines",
        "Timestamp": "2026-11-23T08:00:00.000Z",
        "SignatureVersion": "2",
        "Signature": "c2ln",
        "SigningCertURL": "https://sns.eu-west-3.amazonaws.com/x.pem",
    }
    sns.prove(Payload(body=json.dumps(message).encode()))
    with pytest.raises(PayloadError, match=f"{name} has characters"):
        sns.prove(Payload(body=json.dumps(message | {name: f"{message[name]}\nx"}).encode()))
