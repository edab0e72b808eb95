"""Messages that a cloud publishes to a topic and signs: what Amazon SNS and Huawei's SMN have in common.

Knows the options of both, how a signed text is put together, and what a message becomes that says nothing of its
own: plain text, JSON of a form nobody has described, or our generic format. The envelopes are the two kinds' business.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace
from pydantic import Field

from tocsin.errors import PayloadError
from tocsin.sources import _build, _details, _dig, _identity, _read, generic
from tocsin.sources._options import SourceOptions
from tocsin.units import Duration  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.model import Alert, Payload, Unreadable

_RESOURCES = (
    *("resource", "host", "hostname", "node", "instance", "instanceId", "EC2InstanceId", "Source ID", "resourceName"),
    *("resource_name", "resourceId", "resource_id", "AutoScalingGroupName", "DBInstanceIdentifier", "service"),
)
"""Where JSON of no known form may say what it is about."""

_CHECKS = (
    "check",
    "alertname",
    "alarm",
    "alarmName",
    "alarm_name",
    "eventName",
    "event_name",
    "Event",
    "event",
    "type",
)
_SUMMARIES = ("summary", "message", "msg", "title", "Event Message", "Description", "description")
_SEVERITIES = ("severity", "Severity", "priority", "level")

_ANY: Decoder[Any] = Decoder()


class TopicOptions(SourceOptions):
    """How the messages of a topic are read."""

    text_expires: Duration = Field(default=timedelta(hours=24), gt=timedelta(0))
    """How long an alert is believed that nothing will ever resolve: plain text, events, JSON of no known form."""

    insufficient_data: Literal["firing", "resolved", "ignored"] = "firing"
    """What an alarm is that has too little data to be judged."""

    resubscribe: bool = False
    """Whether to subscribe again at once when the subscription is cancelled."""


class Published(Struct, frozen=True, kw_only=True):
    """One message as it was published, out of its envelope."""

    id: str
    topic: str = ""
    subject: str = ""
    text: str
    said_at: datetime | None = None
    labels: dict[str, str] = {}
    """Topic, subject and attributes, under the platform's names."""

    @property
    def topic_name(self) -> str:
        """`alerts` of `arn:aws:sns:eu-west-1:123456789012:alerts`."""
        return self.topic.rpartition(":")[2]


def said(**labels: str) -> dict[str, str]:
    """Those of the labels that say something."""
    return {name: value for name, value in labels.items() if value}


def document(text: str) -> Any:
    """What a message's text says when it is an object or a list in JSON; None when it is text for people."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return _read.entry(_read.unread(text.encode()), _ANY, "JSON")
    except PayloadError:
        return None


def is_generic(found: Any) -> bool:
    """Whether it is in our own generic format: one alert or a list of them."""
    one = found[0] if isinstance(found, list) and found else found
    return isinstance(one, dict) and "resource" in one and "check" in one


def as_generic(payload: Payload, options: TopicOptions, text: str, now: datetime) -> list[Alert | Unreadable]:
    """The alerts of a message in our own generic format.

    Raises:
        PayloadError: it is one alert, and cannot be read.
    """
    own = generic.Options(severity_default=options.severity_default)
    return generic.parse(replace(payload, body=text.encode()), own, now)


def as_found(payload: Payload, options: TopicOptions, published: Published, found: Any, now: datetime) -> Alert:
    """The alert of text, or of JSON that is no alarm of a known form: a problem of its own, that only time ends.

    Raises:
        PayloadError: the message has no id, or nothing says what it is about.
    """
    fields = found if isinstance(found, dict) else {}
    resource = _dig.first(fields, *_RESOURCES) or _dig.first(published.labels, *_RESOURCES) or published.topic_name
    check = published.subject or _dig.first(fields, *_CHECKS) or "message"
    first_line = published.text.strip().partition("\n")[0] if found is None else ""
    summary = _dig.first(fields, *_SUMMARIES) or published.subject or first_line
    return _build.alert(
        payload,
        options,
        identity=_identity.name(published.id, "the id of the message"),
        resolved=False,
        severity=_dig.first(published.labels, *_SEVERITIES) or _dig.first(fields, *_SEVERITIES),
        resource=_identity.cut(resource, _identity.MAX_NAME),
        check=_identity.cut(check, _identity.MAX_NAME),
        summary=summary,
        description=published.text,
        labels=_details.labels(fields) | published.labels,
        starts_at=published.said_at,
        ends_at=now + options.text_expires,
        said_at=published.said_at,
    )


_WRITTEN = frozenset({"message", "subject"})


def signed(fields: Mapping[str, Any], names: Iterable[str], optional: Iterable[str] = ()) -> bytes:
    """The text that was signed: each name and its value on lines of their own, in this order.

    Nothing marks where a value ends but the line: of a value with line breaks, a part could be passed off as the fields after
    it. So only what people write may have some; then all that follows stands where it was signed.

    Raises:
        PayloadError: a field is missing that is not `optional`, or has a line break that it cannot have.
    """
    lines: list[str] = []
    for name in names:
        value = fields.get(name)
        if isinstance(value, str):
            if name.lower() not in _WRITTEN and not value.isprintable():
                raise PayloadError(f"{name} has characters that it never has: the message was cut anew")
            lines += (name, value)
        elif name not in optional:
            raise PayloadError(f"{name} is missing: without it the signature cannot be checked")
    return "".join(f"{line}\n" for line in lines).encode()


def decoded(signature: Any) -> bytes:
    """The signature out of its base64.

    Raises:
        PayloadError: there is none.
    """
    try:
        found = b64decode(signature, validate=True)
    except (binascii.Error, ValueError, TypeError):
        found = b""
    if not found:
        raise PayloadError("the message carries no signature in base64")
    return found


def without_nul(text: str) -> str:
    """The text of a raw body or a header, fit to be stored: `_read` does this to JSON."""
    return text.replace("\0", "\ufffd")
