"""Huawei SMN: Cloud Eye of Flexible Engine, Open Telekom Cloud, Huawei Cloud.

Format: the messages that SMN posts to HTTP(S) subscribers
(https://docs.otc.t-systems.com/simple-message-notification/umn/, appendix "HTTP/HTTPS messages"). Read inside
`message`: Cloud Eye's alarms in their three forms (the document with `alarm_id`, the later one with `version` and
`data`, the text for people), alarms of AOM, our own generic format, other JSON, and text.
Authentication: `certificate`: the signature is checked, the subscription confirmed by itself; or a header, where the
cloud allows one.
Identity: rule, dimension and metric of the alarm (one rule watches many things); of AOM `resource_id` and event name;
else `message_id`.
Resolved: `alarm_status` is ok, or `IsAlarm` is false or left out; of AOM, `ends_at` is filled. `insufficient_data` is
a problem with severity warning, unless the option `insufficient_data` says otherwise. Text, events and other JSON are
never resolved: they expire after the option `text_expires`; a text that tells an end, and does not tell of what, is no
alert. Switch the rule's notification of recovery on (`ok_actions`), or nothing is said.
Delivery: up to six more times with no fixed interval, then never; the same message may come twice.
Limits: one message of at most 256 KB; confirmation addresses are valid for 48 hours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _cloudeye, _details, _dig, _read, _times, _topics
from tocsin.sources._answers import Answer, Visit
from tocsin.sources._proof import Proof
from tocsin.sources._topics import Published, TopicOptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tocsin.model import Alert, Payload, Unreadable

MEDIA_TYPES = frozenset({"*/*"})

HEADERS = ("x-smn-message-type", "x-smn-message-id", "x-smn-topic-urn")

_REGIONS = ("ae", "af", "ap", "cn", "eu", "la", "me", "my", "na", "ru", "sa", "tr")
"""How the names of Huawei Cloud's regions begin."""

HOSTS = (
    *(f"smn.{region}-*.prod-cloud-ocb.orange-business.com" for region in ("eu", "na", "ap")),
    *("console.prod-cloud-ocb.orange-business.com", "smn.eu-*.otc.t-systems.com", "console.otc.t-systems.com"),
    *(f"smn.{region}-*.myhuaweicloud.com" for region in _REGIONS),
    *("smn.cn-*.myhuaweicloud.cn", "smn.eu-*.myhuaweicloud.eu"),
    *("console.huaweicloud.com", "console-intl.huaweicloud.com", "*-console.huaweicloud.com"),
)
"""The service itself has the certificates, the console the addresses that confirm. A name that does not begin like a
region's is no host of SMN: `smn.obs.myhuaweicloud.com` is a bucket that anybody may have."""

_NOTIFICATION = ("message", "message_id", "subject", "timestamp", "topic_urn", "type")
_HANDSHAKE = ("message", "message_id", "subscribe_url", "timestamp", "topic_urn", "type")
_SIGNED = {"Notification": _NOTIFICATION, "SubscriptionConfirmation": _HANDSHAKE, "UnsubscribeConfirmation": _HANDSHAKE}
"""Which fields are signed, in order."""


class Options(TopicOptions):
    """How the messages of a topic are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:
    """The alerts of one message; none when it is a handshake.

    Raises:
        NotJsonError: the body is not JSON.
        PayloadError: it is no message of SMN.
    """
    message = _envelope(payload)
    bare = Published(id="", text="")
    if "message" not in message and (told := _cloudeye.read(message, bare)):
        alert = _cloudeye.alert(payload, options, told, bare, now)
        return [] if alert is None else [alert]
    kind = _kind(payload, message)
    if kind in {"SubscriptionConfirmation", "UnsubscribeConfirmation"}:
        return []
    published = _published(message, kind)
    found = _topics.document(published.text)
    if told := _cloudeye.read(found, published):
        alert = _cloudeye.alert(payload, options, told, published, now)
        return [] if alert is None else [alert]
    if found is None and _cloudeye.is_over(published):
        return []
    if _topics.is_generic(found):
        return _topics.as_generic(payload, options, published.text, now)
    return [_topics.as_found(payload, options, published, found, now)]


def greet(payload: Payload, options: Options) -> Answer | Visit | None:
    """A subscription's handshake: `subscribe_url` is to be visited; of a cancelled one only if the options say so."""
    if b"Confirmation" not in payload.body:
        return None
    try:
        message = _envelope(payload)
    except PayloadError:
        return None
    kind, url = _kind(payload, message), _dig.text(message, "subscribe_url")
    if kind not in {"SubscriptionConfirmation", "UnsubscribeConfirmation"}:
        return None
    wanted = kind == "SubscriptionConfirmation" or options.resubscribe
    return Visit(url=url) if wanted and url else Answer()


def prove(payload: Payload) -> Proof:
    """The signature over the fields of the message, in alphabetical order, by the hash that the certificate uses.

    An empty subject is signed according to some manuals, and left out according to others: either will do.

    Raises:
        PayloadError: it has none.
    """
    message = _envelope(payload)
    kind = _kind(payload, message)
    if kind not in _SIGNED:
        raise PayloadError(_read.said(f"type is {kind!r}, expected one of {', '.join(_SIGNED)}"))
    names = _SIGNED[kind]
    texts = [_topics.signed(message, names, optional=("subject",))]
    if kind == "Notification" and not _dig.text(message, "subject") and isinstance(message.get("subject"), str):
        texts.append(_topics.signed(message, [name for name in names if name != "subject"]))
    return Proof(
        texts=tuple(texts),
        signature=_topics.decoded(message.get("signature")),
        digest="certificate",
        certificate=_dig.text(message, "signing_cert_url"),
        topic=_dig.text(message, "topic_urn"),
        said_at=_times.moment(_dig.text(message, "timestamp")),
    )


def _envelope(payload: Payload) -> dict[str, Any]:
    return _read.entry(_read.unread(payload.body), _read.OBJECT, "a message of SMN")


def _kind(payload: Payload, message: Mapping[str, Any]) -> str:
    """The type that the message says, which is signed; the header only where it says none."""
    return _dig.text(message, "type") or payload.headers.get("x-smn-message-type", "").strip()


def _published(message: Mapping[str, Any], kind: str) -> Published:
    """A notification out of its envelope, which somebody on the way may have taken the type from, or unfolded.

    Raises:
        PayloadError: it is none.
    """
    text = message.get("message")
    if kind != "Notification" and (kind or text is None):
        raise PayloadError(_read.said(f"type is {kind!r}, expected one of {', '.join(_SIGNED)}"))
    if isinstance(text, dict):
        text = _details.text_of(text)
    if not isinstance(text, str):
        raise PayloadError("message is missing, or is no text")
    subject, topic = _dig.text(message, "subject"), _dig.text(message, "topic_urn")
    return Published(
        id=_dig.text(message, "message_id"),
        topic=topic,
        subject=subject,
        text=text,
        said_at=_times.moment(_dig.text(message, "timestamp")),
        labels=_topics.said(topic_urn=topic, subject=subject),
    )
