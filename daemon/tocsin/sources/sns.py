"""Amazon SNS: CloudWatch alarms, EventBridge events and other messages of a topic.

Format: the messages that SNS posts to HTTP(S) subscribers
(https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html), as JSON whatever their content type
says, or the message alone where the subscription asks for raw delivery. Read inside `Message`: metric and composite
alarms of CloudWatch, events of EventBridge (alarms, AWS Health, the state of EC2 instances, AWS Config, Security Hub,
any other), our own generic format, other JSON, and text. Also `Records` as Lambda functions get them, and lists of events.
Authentication: `certificate`: the signature (version 1 or 2) is checked, the subscription confirmed by itself; or
basic.
Identity: the alarm's ARN (and its contributor); `eventArn` of AWS Health; the instance; rule and resource of AWS
Config; the finding of Security Hub or GuardDuty; else the id of the message or event.
Resolved: `NewStateValue` (or `detail.state.value`) is OK, or the alarm is deleted; `statusCode` of AWS Health is
closed; the instance runs; the resource complies; the finding is archived, resolved or passed. INSUFFICIENT_DATA is a
problem with severity warning, unless the option `insufficient_data` says otherwise. Text, other events and other JSON
are never resolved: they expire after the option `text_expires`.
Delivery: SNS tries again on 5xx, on 429 and without an answer within 15 seconds, first quickly, then for up to 23
days; any other 4xx is final.
Limits: one message of at most 256 KiB; an alarm names no severity but by a tag `severity`; raw delivery carries no
signature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.model import Unreadable
from tocsin.sources import _cloudwatch, _details, _dig, _eventbridge, _messages, _read, _times, _topics
from tocsin.sources._answers import Answer, Visit
from tocsin.sources._proof import Proof
from tocsin.sources._topics import Published, TopicOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload

MEDIA_TYPES = frozenset({"*/*"})
"""SNS says `text/plain` of its JSON, and a subscription may ask for any other."""

HEADERS = ("x-amz-sns-message-type", "x-amz-sns-message-id", "x-amz-sns-topic-arn", "x-amz-sns-rawdelivery")

_REGIONS = ("af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us")
"""How the names of Amazon's regions begin."""

HOSTS = (*(f"sns.{region}-*.amazonaws.com" for region in _REGIONS), "sns.cn-*.amazonaws.com.cn")
"""A name that does not begin like a region's is no host of SNS: `sns.s3.amazonaws.com` and
`sns.s3-eu-west-1.amazonaws.com` are buckets that anybody may have."""

HEARTBEATS = ("Scheduled Event",)
"""A schedule of EventBridge that publishes to the topic says that the way from there to here is open."""

_HANDSHAKES = frozenset({"SubscriptionConfirmation", "UnsubscribeConfirmation"})
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(_HANDSHAKES, ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")),
}
"""Which fields are signed, in order."""

_WHAT = "a message of Amazon SNS"

_TESTS = frozenset({"autoscaling:TEST_NOTIFICATION", "s3:TestEvent"})


class Options(TopicOptions):
    """How the messages of a topic are read."""

    resource_dimensions: tuple[str, ...] = _cloudwatch.DIMENSIONS
    """The dimensions of a metric that may name the resource; the first one present does, or else any other."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alerts of one message, or of a list of them; none of a handshake or a test.

    Raises:
        NotJsonError: the body is not JSON, and not delivered raw.
        PayloadError: it is one message, and none of SNS.
    """
    if _is_raw(payload):
        return _read_message(payload, options, _raw(payload), now)

    def build(message: dict[str, Any]) -> list[Alert | Unreadable]:
        return _read_envelope(payload, options, message, now)

    return _messages.each(payload.body, _read.OBJECT, _WHAT, build)


def _read_envelope(
    payload: Payload, options: Options, message: dict[str, Any], now: datetime
) -> list[Alert | Unreadable]:
    if isinstance(records := message.get("Records"), list):
        return _read_records(payload, options, records, now)
    if (alone := _read_document(payload, options, Published(id="", text=""), message, now)) is not None:
        return alone
    if _dig.text(message, "Type") in _HANDSHAKES:
        return []
    return _read_message(payload, options, _published(message), now)


def greet(payload: Payload, options: Options) -> Answer | Visit | None:
    """A subscription's handshake: `SubscribeURL` is to be visited; of a cancelled one only if the options say so."""
    if b"Confirmation" not in payload.body or _is_raw(payload):
        return None
    try:
        message = _envelope(payload)
    except PayloadError:
        return None
    kind, url = _dig.text(message, "Type"), _dig.text(message, "SubscribeURL")
    if kind not in _HANDSHAKES:
        return None
    wanted = kind == "SubscriptionConfirmation" or options.resubscribe
    return Visit(url=url) if wanted and url else Answer()


def prove(payload: Payload) -> Proof:
    """The signature over the fields of the message, in alphabetical order.

    Raises:
        PayloadError: it has none, or one of a version that nobody knows.
    """
    if _is_raw(payload):
        raise PayloadError("a message delivered raw carries no signature: switch raw message delivery off")
    message = _envelope(payload)
    kind, version = _dig.text(message, "Type"), _dig.text(message, "SignatureVersion")
    if kind not in _SIGNED:
        raise PayloadError(_read.said(f"Type is {kind!r}, expected one of {', '.join(sorted(_SIGNED))}"))
    if version not in {"1", "2"}:
        raise PayloadError(_read.said(f"SignatureVersion is {version!r}, expected 1 or 2"))
    return Proof(
        texts=(_topics.signed(message, _SIGNED[kind], optional=("Subject",)),),
        signature=_topics.decoded(message.get("Signature")),
        digest="sha1" if version == "1" else "sha256",
        certificate=_dig.first(message, "SigningCertURL", "SigningCertUrl"),
        topic=_dig.text(message, "TopicArn"),
        said_at=_times.moment(_dig.text(message, "Timestamp")),
    )


def _is_raw(payload: Payload) -> bool:
    return payload.headers.get("x-amz-sns-rawdelivery", "").strip().lower() == "true"


def _raw(payload: Payload) -> Published:
    """The message of a raw delivery: the body, and what the headers say."""
    try:
        text = payload.body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PayloadError(f"the message is not UTF-8: {error.reason} at byte {error.start}") from error
    topic = _topics.without_nul(payload.headers.get("x-amz-sns-topic-arn", "")).strip()
    return Published(
        id=_topics.without_nul(payload.headers.get("x-amz-sns-message-id", "")).strip(),
        topic=topic,
        text=_topics.without_nul(text),
        labels=_topics.said(TopicArn=topic),
    )


def _envelope(payload: Payload) -> dict[str, Any]:
    return _read.entry(_read.unread(payload.body), _read.OBJECT, _WHAT)


def _published(message: Mapping[str, Any]) -> Published:
    """A notification out of its envelope, which somebody on the way may have taken the type from, or unfolded.

    Raises:
        PayloadError: it is none.
    """
    kind, text = _dig.text(message, "Type"), message.get("Message")
    if kind != "Notification" and (kind or text is None):
        raise PayloadError(_read.said(f"Type is {kind!r}, expected one of {', '.join(sorted(_SIGNED))}"))
    if isinstance(text, dict):
        text = _details.text_of(text)
    if not isinstance(text, str):
        raise PayloadError("Message is missing, or is no text")
    attributes = _dig.mapping(message, "MessageAttributes")
    subject, topic = _dig.text(message, "Subject"), _dig.text(message, "TopicArn")
    return Published(
        id=_dig.text(message, "MessageId"),
        topic=topic,
        subject=subject,
        text=text,
        said_at=_times.moment(_dig.text(message, "Timestamp")),
        labels={name: _dig.text(value, "Value") for name, value in attributes.items() if isinstance(value, dict)}
        | _topics.said(TopicArn=topic, Subject=subject),
    )


def _read_records(payload: Payload, options: Options, records: list[Any], now: datetime) -> list[Alert | Unreadable]:
    """The alerts of each record; one that cannot be read is `Unreadable` where its alerts would stand."""
    found: list[Alert | Unreadable] = []
    for record in records:
        try:
            found += _read_message(payload, options, _published(_dig.mapping(record, "Sns")), now)
        except PayloadError as error:
            found.append(Unreadable(position=len(found), problem=_read.said(str(error))))
    return found


def _read_message(payload: Payload, options: Options, published: Published, now: datetime) -> list[Alert | Unreadable]:
    found = _topics.document(published.text)
    if isinstance(found, dict) and (read := _read_document(payload, options, published, found, now)) is not None:
        return read
    if _topics.is_generic(found):
        return _topics.as_generic(payload, options, published.text, now)
    if isinstance(found, dict) and _dig.text(found, "Event") in _TESTS:
        return []
    return [_topics.as_found(payload, options, published, found, now)]


def _read_document(
    payload: Payload, options: Options, published: Published, found: Mapping[str, Any], now: datetime
) -> list[Alert | Unreadable] | None:
    """The alert of an alarm or an event, in an envelope or without; None when it is neither."""
    wanted = options.resource_dimensions
    if _cloudwatch.is_alarm(found):
        watched = _cloudwatch.published(found, published.labels, published.said_at)
        alert = _cloudwatch.alert(payload, options, watched, wanted)
    elif (event := _eventbridge.event_of(found)) is not None:
        alert = _eventbridge.alert(payload, options, event, published.labels, wanted, now)
    else:
        return None
    return [] if alert is None else [alert]
