"""NRDP: passive check results, as agents send them to Nagios.

Format: `checkresults` as XML or JSON (https://github.com/NagiosEnterprises/nrdp), as form field or in the query (`XMLDATA`,
`JSONDATA` and their newer names `xml`, `json`; `cmd=submitcheck`), or as the whole body. The paths are those of NRDP's server,
so that send_nrdp.sh, .py and .php and other agents work with `https://tocsin.example.net/nrdp`.
Authentication: `token`, a field of the form or a parameter of the address.
Identity: host and service; a host's own result has no service, and `host check` as its check.
Resolved: state 0. Services have the states 1 WARNING, 2 CRITICAL, 3 UNKNOWN, hosts 1 DOWN, 2 UNREACHABLE: all are problems. An OK
of what never failed ends nothing, and is fine.
Delivery: the agent's business: once, unless send_nrdp.sh has a folder (`-D`) for what failed; the answer is NRDP's own.
Limits: no soft states: the first result that is not OK is a problem, so let rules hold it. `time` is only said by some agents.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from msgspec import Raw

from tocsin.errors import PayloadError
from tocsin.model import Alert
from tocsin.sources import _answers, _build, _dig, _identity, _labels, _lines, _macros, _read, _times, _xml
from tocsin.sources._answers import Answer
from tocsin.sources._options import SourceOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.model import Payload, Unreadable

PATHS = ("GET /", "/nrdp/", "GET /nrdp/", "/nrdp", "GET /nrdp", "/nrdp//", "GET /nrdp//")
"""The last two: send_nrdp.sh adds a slash, also to an address that ends in one, as its help writes it."""

MEDIA_TYPES = frozenset({"*/*"})

_XML = ("xml", "xmldata", "XMLDATA")
_JSON = ("json", "jsondata", "JSONDATA")
_SUBMIT = "submitcheck"
_RAW = tuple(f"{name}=<".encode() for name in _XML)
"""send_nrdp.sh posts XML as it is, not encoded, as the last field."""

_SERVICE = {"0": "ok", "1": "warning", "2": "critical", "3": "unknown"}
_HOST = {"0": "up", "1": "down", "2": "unreachable", "3": "unreachable"}
_FIELDS = ("hostname", "servicename", "state", "output", "time", "checktime")
_DOCUMENTS = frozenset({b"<", b"{", b"["})
_DECLARATION = re.compile(r"<\?xml[^>]*\?>", re.ASCII)
"""In a form the encoding is that of the form, whatever the XML says of itself."""


class Options(SourceOptions):
    """How check results are read."""


def parse(payload: Payload, options: Options, now: datetime) -> list[Alert | Unreadable]:  # noqa: ARG001
    """The alert of each check result; one that cannot be read is `Unreadable` in its place.

    Raises:
        NotJsonError: it should be JSON and is not.
        PayloadError: it holds no check results.
    """
    data = _data(payload)
    results = _from_json(data) if _lines.looks_like_json(data) else _from_xml(data)
    return _lines.each(results, lambda result: _alert(result, payload, options))


def answer(payload: Payload, entries: Sequence[Alert | Unreadable]) -> Answer:
    """What NRDP's server answers: in XML, or in JSON to JSON."""
    told = f"{sum(isinstance(entry, Alert) for entry in entries)} checks processed"
    if _lines.looks_like_json(_data(payload)):
        return _answers.json({"result": {"status": 0, "message": "OK", "meta": {"output": told}}})
    return Answer(body=_ANSWER.format(told=told).encode(), media_type="text/xml")


def greet(payload: Payload, options: Options) -> Answer | None:  # noqa: ARG001
    """`cmd=hello` asks who is there."""
    if payload.given.get("cmd") == "hello" or b"cmd=hello" in payload.body[:200]:
        return Answer(body=_HELLO, media_type="text/xml")
    return None


_ANSWER = """<?xml version="1.0" encoding="utf-8"?>
<result>
    <status>0</status>
    <message>OK</message>
    <meta>
        <output>{told}</output>
    </meta>
</result>
"""
_HELLO = b"""<?xml version="1.0" encoding="utf-8"?>
<response>
    <status>0</status>
    <message>OK</message>
    <product>tocsin</product>
</response>
"""


def _data(payload: Payload) -> bytes:
    """The check results, from wherever they are.

    Raises:
        PayloadError: there are none, or it is another command.
    """
    body = payload.body.removeprefix(b"\xef\xbb\xbf").strip()
    if body[:1] in _DOCUMENTS:
        return body
    fields = payload.given | _fields(body) if body else payload.given
    command = fields.get("cmd", _SUBMIT).lower()
    if command != _SUBMIT:
        raise PayloadError(_read.said(f"cmd is {command!r}, only {_SUBMIT!r} is understood"))
    told = next((fields[name] for name in (*_XML, *_JSON) if fields.get(name)), "").strip()
    if not told:
        raise PayloadError("XMLDATA and JSONDATA are missing: there are no check results")
    declaration = _DECLARATION.match(told)
    return (told[declaration.end() :] if declaration else told).strip().encode(errors="replace")


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a form, the XML in it perhaps not encoded."""
    at = next((body.index(raw) for raw in _RAW if raw in body), -1)
    if at < 0:
        return _read.form(body)
    name, _, xml = body[at:].partition(b"=")
    told = unquote_plus(xml.decode("utf-8", "replace")).replace("\0", "\ufffd")
    return _read.form(body[:at].rstrip(b"&")) | {name.decode(): told}


def _from_json(data: bytes) -> list[Any]:
    """The results in JSON: a list, the object that holds it, or one of them."""
    raw = _read.unread(data)
    if data[:1] == b"[":
        results = _read.entry(raw, _read.LIST, "a list of check results")
        return [*results]
    message = _read.entry(raw, _read.OBJECT, "an object with checkresults")
    held = message.get("checkresults", message if "hostname" in message else None)
    if isinstance(held, dict) and isinstance(held.get("checkresult"), list):
        held = held["checkresult"]
    if not isinstance(held, (list, dict)):
        raise PayloadError("checkresults is missing, or is no list")
    return held if isinstance(held, list) else [held]


def _from_xml(data: bytes) -> list[Any]:
    """The results in XML, each with its attributes."""
    root = _xml.read(data)
    if root.name not in {"checkresults", "checkresult"}:
        raise PayloadError(_read.said(f"the XML is <{root.name}>, expected <checkresults>"))
    nodes = [root] if root.name == "checkresult" else root.all("checkresult")
    return [node.attributes | {name: node.say(name) for name in _FIELDS} for node in nodes]


def _alert(told: Any, payload: Payload, options: Options) -> Alert:
    result = _read.entry(told, _read.OBJECT, "a check result") if isinstance(told, Raw) else told
    if not isinstance(result, dict):
        raise PayloadError("this is no check result: an object was expected")
    result = {**_dig.mapping(result, "checkresult"), **result}
    host, service = _identity.name(_dig.text(result, "hostname"), "hostname"), _dig.text(result, "servicename")
    about = _dig.text(result, "type").lower() or ("service" if service else "host")
    service = _identity.name(service, "servicename") if about == "service" else ""
    state = _dig.text(result, "state").lower()
    words = _SERVICE if service else _HOST
    word = words.get(state.removesuffix(".0"), state)
    if word not in words.values():
        raise PayloadError(_read.said(f"state is {state!r}, expected one of {', '.join(words)}"))
    when = _times.moment(result.get("time")) or _times.moment(result.get("checktime"))
    output = _dig.text(result, "output").replace("\\n", "\n")
    first, _, more = output.partition("\n")
    return _build.alert(
        payload,
        options,
        identity=(host, service),
        resolved=word in {"ok", "up"},
        severity=word,
        resource=host,
        check=service or _macros.HOST_CHECK,
        summary=first.partition("|")[0],
        description=more.partition("|")[0],
        labels=_labels.flat(result, skip=("output", "time", "checktime", "checkresult")),
        ends_at=when if word in {"ok", "up"} else None,
        said_at=when,
    )
