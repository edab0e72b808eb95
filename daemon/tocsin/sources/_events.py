"""CloudEvents on their way: in which of the modes one came, and what its attributes are.

Knows the envelope of versions 1.0, 0.3 and earlier, and that of Azure Event Grid; not what an event means.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

from msgspec import DecodeError
from msgspec.json import Decoder

from tocsin.errors import PayloadError
from tocsin.sources import _details, _dig, _read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Raw

    from tocsin.model import Payload

PREFIX = "ce-"
"""Begins the headers that carry attributes in binary mode."""

_NAMES = {
    "eventtype": "type",
    "eventid": "id",
    "eventtime": "time",
    "topic": "source",
    "cloudeventsversion": "specversion",
    "schemaurl": "dataschema",
    "contenttype": "datacontenttype",
}
"""Names of earlier versions, and of Azure Event Grid → today's."""

_CARRIED = frozenset({"data", "data_base64"})
_ANY: Decoder[Any] = Decoder()
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class Event(NamedTuple):
    """One event."""

    attributes: dict[str, str]
    """By name, in lower case: `type`, `source`, `id`, `time`, `subject` and whatever else its envelope says."""
    data: Any
    """What it carries: JSON, text, or None."""


def is_binary(payload: Payload) -> bool:
    """Whether the attributes came as headers."""
    return bool(payload.headers.get("ce-type")) and not payload.content_type.startswith("application/cloudevents")


def binary(payload: Payload) -> Event:
    """The event whose attributes are headers, and whose data is the body."""
    headers = payload.headers.items()
    told = {name[len(PREFIX) :]: _decoded(value) for name, value in headers if name.startswith(PREFIX)}
    return Event(_attributes(told), _body(payload))


def structured(raw: Raw) -> Event:
    """The event that a JSON object is.

    Raises:
        PayloadError: it is none.
    """
    return of(_read.entry(raw, _read.OBJECT, "a CloudEvent"))


def of(told: dict[str, Any]) -> Event:
    """The same, of an object that has been read."""
    if "extensions" in told:
        told = _dig.mapping(told, "extensions") | told
    if "data_base64" in told:
        return Event(_attributes(told), _unpacked(told["data_base64"]))
    data = told.get("data")
    if "datacontentencoding" in told and str(told["datacontentencoding"]).lower() == "base64":
        return Event(_attributes(told), _unpacked(data))
    if isinstance(data, str):
        kind = str(told.get("datacontenttype", told.get("contenttype", "json"))).partition(";")[0]
        data = _loose(data.encode("utf-8", "replace")) if kind.endswith("json") else data
    return Event(_attributes(told), data)


def _attributes(told: Mapping[str, Any]) -> dict[str, str]:
    """The attributes under today's names; where today's and yesterday's name are both there, today's counts."""
    found: dict[str, str] = {}
    earlier: dict[str, str] = {}
    for name in told:
        if name not in _CARRIED and (text := _details.said(told, name)):
            low = name.lower()
            if low in _NAMES:
                earlier.setdefault(_NAMES[low], text)
            else:
                found.setdefault(low, text)
    for name, text in earlier.items():
        found.setdefault(name, text)
    return found


def _decoded(value: str) -> str:
    """A header's value: without quotes, and percent-decoded once; as it is where that is no UTF-8."""
    if (quoted := _QUOTED.fullmatch(value.strip())) is not None:
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return unquote_to_bytes(value.encode("utf-8", "surrogateescape")).decode().replace("\0", "\ufffd")
    except UnicodeError:
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _body(payload: Payload) -> Any:
    """The data of binary mode: JSON whatever the content type calls it, else text."""
    if not payload.body.strip():
        return None
    return _loose(payload.body)


def _loose(body: bytes) -> Any:
    """JSON where it is JSON, else the text without NUL, its escape included; nothing where it is no text."""
    try:
        return _ANY.decode(_read.unread(body))
    except (PayloadError, DecodeError):
        pass
    try:
        return body.decode().replace("\0", "\ufffd").replace("\\u0000", "\ufffd")
    except UnicodeDecodeError:
        return None


def _unpacked(text: Any) -> Any:
    try:
        return _loose(b64decode(str(text), validate=False))
    except (binascii.Error, ValueError):
        return None
