"""Reads SNMP notifications out of what receivers of traps make of them: JSON of many shapes, and snmptrapd's text.

It knows where such programs put the sender, the trap and its variables, and how Net-SNMP prints values. What a trap means is
the business of `_trap_problems`.
"""

from __future__ import annotations

import re
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tocsin.errors import PayloadError
from tocsin.sources import _dig, _oids, _read, _times
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_VARBINDS = 1_000
"""How many variables of one trap are looked at."""

_LONGEST = 1_000_000
"""How much of a text is: a datagram has 65 535 bytes, and three characters for each, with the names of its variables."""


class Trap(Struct, kw_only=True):
    """One notification."""

    oid: str
    """What it says that happened, as `_oids.canonical` spells it."""
    name: str = ""
    """Its name, where the receiver knew it."""
    host: str = ""
    """Name of the sender, where the receiver knew it."""
    address: str = ""
    """Where it came from."""
    agent: str = ""
    """The device itself, where the trap says so: it may have been handed on."""
    uptime: str = ""
    varbinds: list[tuple[str, str]] = []
    """Its variables: canonical identifier and value, in their order, without those that say the above."""
    said_at: datetime | None = None
    """When the receiver got it."""
    labels: dict[str, Any] = {}
    """What else the receiver says of it."""


_ENVELOPES = ("trap", "snmp", "snmptrap", "payload", "pduinfo", "tags", "pdu")
"""Objects whose fields are the message's own: Datadog's `trap`, Tornado's `PDUInfo` and `payload`, Telegraf's `tags`."""

_TRAPS = ("trap", "trapoid", "snmptrapoid", "notifyoid", "notificationoid", "snmptrap", "oid")
_NAMES = ("trapname", "snmptrapname", "name")
_HOSTS = ("host", "hostname", "agentname", "devicename", "sysname", "sourcehost", "source", "sender")
_ADDRESSES = ("address", "sourceip", "srcip", "sourceaddress", "source", "senderip", "peer", "ip", "host")
_AGENTS = ("agentaddr", "agentaddress", "agent", "agentip")
_TRANSPORTS = ("transport", "receivedfrom")
_UPTIMES = ("uptime", "sysuptime", "sysuptimeinstance")
_TIMES = ("received", "timereceived", "receivedat", "timestamp", "time", "lastreceived", "createdts")
_ENTERPRISES = ("enterprise", "enterpriseoid")
_GENERICS = ("generictrap", "generic", "traptype")
_SPECIFICS = ("specifictrap", "specific", "trapsubtype")
_VARBINDS = ("varbinds", "variables", "variablebindings", "varbindlist", "bindings", "vars", "oids", "fields")
_SECRETS = ("community", "snmpcommunity", "communitystring", "communitylen", "user", "message")
_TOLD = frozenset(
    (
        *(*_TRAPS, *_NAMES, *_HOSTS, *_ADDRESSES, *_AGENTS, *_TRANSPORTS, *_UPTIMES, *_TIMES),
        *(*_ENTERPRISES, *_GENERICS, *_SPECIFICS, *_VARBINDS, *_SECRETS, *_ENVELOPES),
    )
)

_OID_FIELDS = ("oid", "varbindoid", "name", "object", "id")
_VALUE_FIELDS = ("stringvalue", "value", "varbindvalue", "val")

_NO_SIGNS = str.maketrans("", "", " _-.@")
_NOBODY = frozenset({"", "<UNKNOWN>", "0.0.0.0", "::"})  # noqa: S104 - what says that there is no address
_TRANSPORT = re.compile(r"\[([0-9A-Fa-f.:]+(?:%\w+)?)\]", re.ASCII)
_SENDER = re.compile(r"[A-Za-z0-9/]+: \[|<UNKNOWN>", re.ASCII)
_TYPED = re.compile(
    r"(INTEGER|STRING|OID|Timeticks|Hex-STRING|BITS|IpAddress|Network Address|Counter(?:32|64)|Gauge32|Unsigned32"
    r"|UInteger32|Integer32|Opaque|NULL|Float|Double): ?"
)
_HEX = re.compile(r"(?:[0-9A-F]{2}\s{1,2}){2,}", re.ASCII)
"""Bytes as Net-SNMP writes them: a blank after each pair of digits, also after the last."""
_MORE_HEX = re.compile(r"(?:[0-9A-F]{2} )+", re.ASCII)
"""The next line of such bytes; no variable looks so."""
_BETWEEN = re.compile(r"([\n\t]+)")
_TICKS = re.compile(r"\(\d+\) ", re.ASCII)
_ASSIGNED = re.compile(r"(\S+)(?: = |\s+)(.*)", re.DOTALL)


def from_json(document: dict[str, Any]) -> Trap:
    """The trap of one JSON object.

    Raises:
        PayloadError: it names no trap.
    """
    layers = _layers(document)
    fields = {_short(name): value for layer in layers for name, value in layer.items()}
    if isinstance(fields.get("host"), dict):  # Elastic Common Schema
        fields["host"] = _dig.first(fields["host"], "name", "hostname", "ip")
    varbinds = list(_varbinds(next((fields[name] for name in _VARBINDS if name in fields), None))) or _somewhere(fields)
    varbinds += [(name, _value(value)) for layer in layers for name, value in layer.items() if _oids.is_one(name)]
    enterprise, generic = (_first(fields, names) for names in (_ENTERPRISES, _GENERICS))
    return _trap(
        varbinds,
        oid=_first(fields, _TRAPS) or _of_version_1(enterprise, generic, _first(fields, _SPECIFICS)),
        name=_first(fields, _NAMES),
        host=_first(fields, _HOSTS),
        address=_from_transport(_first(fields, _TRANSPORTS)) or next(_addresses(fields), ""),
        agent=_first(fields, _AGENTS),
        uptime=_first(fields, _UPTIMES),
        said_at=next(filter(None, (_times.moment(fields[name]) for name in _TIMES if name in fields)), None),
        labels=_labels(layers) | ({"enterprise": _oids.canonical(enterprise)} if enterprise else {}),
    )


def from_text(text: str) -> Trap:
    """The trap that snmptrapd tells a `traphandle` program: host, transport, then a line for each variable.

    Raises:
        PayloadError: it is no such text, or names no trap.
    """
    host, _, rest = text.lstrip("\n").partition("\n")
    transport, _, lines = rest.partition("\n")
    if not _SENDER.match(transport):
        raise PayloadError(
            "this is not what snmptrapd tells a traphandle program: the second line must be the transport, "
            "such as `UDP: [192.0.2.1]:54321->[192.0.2.2]:162`"
        )
    return _trap(_varbinds(lines), host=host.strip(), address=_from_transport(transport))


@remembered(4_096)
def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    if not text or not (text[0].isdecimal() or ":" in text):
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _trap(  # noqa: PLR0913 - a trap has that many parts
    varbinds: Iterable[tuple[str, str]],
    *,
    oid: str = "",
    name: str = "",
    host: str = "",
    address: str = "",
    agent: str = "",
    uptime: str = "",
    said_at: datetime | None = None,
    labels: Mapping[str, Any] | None = None,
) -> Trap:
    told = {_oids.canonical(written): value for written, value in varbinds}
    oid = told.pop(_oids.TRAP_OID, "") or oid or (name if _oids.canonical(name) in _oids.NAMES else "")
    if not oid:
        raise PayloadError("the trap is missing: snmpTrapOID.0 among the variables, or `trap`")
    enterprise = told.pop(_oids.ENTERPRISE, "")
    told.pop(_oids.COMMUNITY, None)
    agent = told.pop(_oids.AGENT, "") or agent
    return Trap(
        oid=_oids.canonical(oid),
        name=name or oid.rpartition("::")[2],
        host="" if host in _NOBODY or _SENDER.match(host) or is_address(host) else host,
        address=address or (host if is_address(host) else ""),
        agent="" if agent in _NOBODY else agent,
        uptime=told.pop(_oids.UPTIME, "") or uptime,
        varbinds=list(told.items()),
        said_at=said_at,
        labels={**(labels or {}), **({"enterprise": _oids.canonical(enterprise)} if enterprise else {})},
    )


def _layers(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects whose fields are the message's: itself, and the envelopes inside, which count for more."""
    layers = [document]
    message = document.get("message")
    if isinstance(message, str) and message.startswith("{"):  # Logstash
        layers.append(_read.fast(message.encode(), _read.OBJECT) or {})
    envelopes = {
        _short(name): value
        for layer in layers
        for name, value in layer.items()
        if isinstance(value, dict) and len(value) <= _read.MOST_FIELDS
    }
    if "tags" in envelopes:  # their `host` is the one that Telegraf runs on
        envelopes["tags"] = {key: value for key, value in envelopes["tags"].items() if key != "host"}
    return layers + [envelopes[name] for name in _ENVELOPES if name in envelopes]


def _labels(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the message says beside the trap, under its own names."""
    return {
        name: value
        for layer in layers
        for name, value in layer.items()
        if _short(name) not in _TOLD and not _oids.is_one(name)
    }


@remembered(4_096)
def _short(name: str) -> str:
    return name.lower().translate(_NO_SIGNS)


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> str:
    for name in names:
        if name in fields and (found := _dig.text(fields, name)):
            return found
    return ""


def _addresses(fields: Mapping[str, Any]) -> Iterator[str]:
    """Where the sender may be told to be; last, in the tags of Datadog's agent."""
    yield from (found for name in _ADDRESSES if is_address(found := _dig.text(fields, name)))
    tags = _dig.text(fields, "ddtags").split(",")
    yield from (tag.removeprefix("snmp_device:") for tag in tags if tag.startswith("snmp_device:"))


def _from_transport(transport: str) -> str:
    found = _TRANSPORT.search(transport)
    return found[1] if found else ""


def _of_version_1(enterprise: str, generic: str, specific: str) -> str:
    """The trap that version 1's three fields mean (RFC 3584 §3.1)."""
    if not generic.isdecimal():
        return generic
    if int(generic[:3]) < 6:  # noqa: PLR2004 - enterpriseSpecific
        return f"{_oids.TRAPS}.{int(generic) + 1}"
    return f"{enterprise.strip()}.0.{specific or 0}" if enterprise else ""


def _varbinds(value: Any) -> Iterator[tuple[str, str]]:
    """The variables, as written and as text, out of an object, a list of pairs or of objects, or lines."""
    if isinstance(value, dict):
        yield from ((name, _value(inner)) for name, inner in list(value.items())[:MAX_VARBINDS])
    elif isinstance(value, list):
        yield from (pair for item in value[:MAX_VARBINDS] if (pair := _pair(item))[0])
    elif isinstance(value, str):
        yield from (pair for line in _statements(value[:_LONGEST])[:MAX_VARBINDS] if (pair := _pair(line))[0])


def _somewhere(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The variables under a name that nobody knows: the first value that can be nothing else."""
    for name in sorted(fields):
        found = list(_varbinds(fields[name]))
        if any(_oids.is_one(oid) for oid, _ in found):
            return found
    return []


def _pair(item: Any) -> tuple[str, str]:
    if isinstance(item, str):
        found = _ASSIGNED.fullmatch(item.lstrip())
        return (found[1], _value(found[2])) if found else ("", "")
    if isinstance(item, list) and len(item) > 1 and isinstance(item[0], str):
        return item[0], _value(item[-1])
    if isinstance(item, dict):
        oid, value = item.get("oid"), item.get("value")
        if isinstance(oid, str) and isinstance(value, (str, int)):  # most are so
            return oid, _value(value)
        fields = {_short(name): value for name, value in item.items()}
        if len(item) == 1:
            ((name, value),) = item.items()
            return ("", "") if _short(name) in _OID_FIELDS else (name, _value(value))
        told = next((fields[name] for name in _VALUE_FIELDS if name in fields), None)
        return _first(fields, _OID_FIELDS), _value(told)
    return "", ""


def _statements(text: str) -> list[str]:
    """`OID value` or `OID = TYPE: value`, in lines or between tabs; a text in quotes may have both within."""
    found: list[list[str]] = []
    quoted = False
    for part in _BETWEEN.split(text):
        if quoted or (found and _MORE_HEX.fullmatch(part)):
            found[-1].append(part)
        elif len(found) > MAX_VARBINDS:
            break
        elif part and not part.isspace():
            found.append([part])
        if '"' in part and part.replace("\\\\", "").replace('\\"', "").count('"') % 2:
            quoted = not quoted
    return ["".join(parts) for parts in found]


def _value(value: Any) -> str:
    """A value as people would write it: without Net-SNMP's type and quotes; bytes that are a text as this text."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("value", "val") if name in value), None)
    if isinstance(value, (dict, list)):
        return ""
    text = value if type(value) is str else _read.text(value)
    typed = _TYPED.match(text) if ":" in text else None
    if typed:
        text = text[typed.end() :] if typed[1] != "Timeticks" else _TICKS.sub("", text[typed.end() :], count=1)
    if text[:1] == '"' and (whole := text.rstrip())[-1:] == '"' and len(whole) > 1:
        text = whole[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if (text[-1:].isspace() and _HEX.fullmatch(text)) or (typed and typed[1] == "Hex-STRING"):
        return _from_hex(text)
    return text.strip()


def _from_hex(text: str) -> str:
    try:
        told = bytes.fromhex(text).rstrip(b"\0").decode()
    except ValueError:
        told = ""
    return told if told.isprintable() and told else " ".join(text.split())
