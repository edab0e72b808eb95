"""Notification macros, as Nagios, its relatives and Icinga hand them to a notification command.

JSON (one object, a list, or one in each line), form fields, or lines as `env` prints them. Names as in a command
(`HOSTNAME`), as in the environment (`NAGIOS_HOSTNAME`) or as objects have them (`host.name`, `host_name`), in any case.
Knows macros; which problem a notification is about, its kind says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.sources import _build, _identity, _lines, _read, _secret, _severity, _texts, _times
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from tocsin.model import Alert, Payload
    from tocsin.sources._options import SourceOptions

    Identify = Callable[[str, str], str | Sequence[str]]
    Names = Callable[[str], tuple[str, str]]

FORM = "application/x-www-form-urlencoded"
MEDIA_TYPES = frozenset({"application/json", FORM, "text/plain"})

HOST_CHECK = "host check"
"""The check of a host's own problems."""

ALERTS = frozenset({"PROBLEM", "RECOVERY", "CUSTOM"})
NO_ALERTS = frozenset(
    {
        *("ACKNOWLEDGEMENT", "FLAPPINGSTART", "FLAPPINGSTOP", "FLAPPINGEND", "FLAPPINGDISABLED"),
        *("DOWNTIMESTART", "DOWNTIMEEND", "DOWNTIMESTOP", "DOWNTIMECANCELLED", "DOWNTIMEREMOVED"),
    }
)
"""What people or the platform do about a problem that was told before."""

_SPELT = {
    "HOST": "HOSTNAME",
    "SERVICE": "SERVICEDESC",
    "SERVICENAME": "SERVICEDESC",
    "SERVICEDESCRIPTION": "SERVICEDESC",
    "ICINGATIMET": "TIMET",
    "ICINGALONGDATETIME": "LONGDATETIME",
    "DATETIME": "LONGDATETIME",
    "CURRENTSTATE": "STATE",
}
"""Other spellings of macros, without signs → the name in Nagios' manual."""

_READ = re.compile(
    r"(?:NOTIFICATION(?:TYPE|COMMENT|AUTHOR)|(?:LAST|LONG)?(?:HOST|SERVICE)[A-Z]+|TIMET|(?:LONG|SHORT)DATETIME"
    r"|STATE(?:ID|TYPE)?|LONGOUTPUT)",
    re.ASCII,
)
"""The macros looked at, without signs."""

_SHORT = ("STATE", "STATEID", "STATETYPE")
"""Names that do not say of what."""

_OUTPUTS = ("OUTPUT", "MESSAGE", "MSG")
_WORDS = {
    "SERVICE": ("SEVERITY", "STATUS", frozenset({"OK", "WARNING", "CRITICAL", "UNKNOWN"})),
    "HOST": ("STATUS", "SEVERITY", frozenset({"UP", "DOWN", "UNREACHABLE"})),
}
"""Where the state stands when no macro has it, and what counts as one there."""

_STATES = {
    "SERVICE": {"0": "OK", "1": "WARNING", "2": "CRITICAL", "3": "UNKNOWN"},
    "HOST": {"0": "UP", "1": "DOWN", "2": "UNREACHABLE"},
}
_PREFIXES = ("NAGIOS_", "ICINGA_", "NAEMON_")
_NAME = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_BOM = b"\xef\xbb\xbf"
_FIELD = re.compile(rb"[A-Za-z_][\w.]*=", re.ASCII)
_NEXT_LINE = re.compile(rb"[\n\0][A-Za-z_]\w*=", re.ASCII)
_UNEXPANDED = re.compile(r"\$[\w.:-]*\$", re.ASCII)
_SIGNS = str.maketrans("", "", "_.- ")
_DESCRIBED = ("LONGHOSTOUTPUT", "LONGSERVICEOUTPUT", "LONGOUTPUT")
"""What is the description, and therefore no label."""

_PAGER = "CONTACTPAGER"
"""Paging services have their keys there."""

_SOFT = frozenset({"SOFT", "0", "0.0"})
_OBJECTS = ("host", "service", "notification", "check_result")
_WRAPPERS = ("payload", "data")


def is_json(payload: Payload) -> bool:
    """Whether it must be read as JSON: it begins so, or is sent so and has no fields."""
    body = payload.body.removeprefix(_BOM).lstrip()
    return _lines.looks_like_json(body) or (payload.content_type == "application/json" and not _FIELD.match(body))


def fields(payload: Payload) -> dict[str, Any]:
    """The fields of a body that is no JSON: those of a form, or the lines of a printed environment.

    Of an environment only the names with a prefix count, when there are any.

    Raises:
        PayloadError: it is a form, and not UTF-8.
    """
    body = payload.body.removeprefix(_BOM).strip(b" \t\r\n\0")
    if not _NEXT_LINE.search(body) and (b"&" in body or payload.content_type == FORM):
        return dict(_read.form(body))
    printed = _printed(_lines.text(body.replace(b"\0", b"\n")).split("\n"))
    own = {name: value for name, value in printed.items() if name.startswith(_PREFIXES)}
    return dict(own or printed)


def opened(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields, those inside the objects that scripts put macros into with both names: `{"host": {"name": …}}`."""
    found = {name: value for name, value in told.items() if not isinstance(value, dict)}
    if len(found) == len(told):
        return told
    for name in _WRAPPERS:
        if isinstance(inner := told.get(name), dict):
            found = {**opened(inner), **found}
    for name in _OBJECTS:
        if isinstance(inner := told.get(name), dict):
            prefix = "" if name == "check_result" else f"{name}."
            found = {**{prefix + key: value for key, value in inner.items()}, **found}
    return found


@remembered(4_096)
def names(key: str) -> tuple[str, str]:
    """A macro's own name, and that of the manual when it is one of those looked at, spelt otherwise; else nothing.

    A secret has no name at all.
    """
    name = key.upper()
    name = name.removeprefix(next((prefix for prefix in _PREFIXES if name.startswith(prefix)), ""))
    plain = name.translate(_SIGNS)
    if plain == _PAGER or _secret.is_secret(name):
        return "", ""
    canonical = _SPELT.get(plain, plain)
    if name[:1] == "_" or canonical == name or not _READ.fullmatch(canonical):
        return name, ""
    return "" if canonical in _DESCRIBED else name, canonical


def named(told: Mapping[str, Any], names: Names = names) -> dict[str, str]:
    """The macros that say something, in upper case and without prefix.

    Those looked at that are spelt otherwise are there under the name in Nagios' manual, too. What is nested is no macro;
    neither is one left unexpanded (`$SERVICEDESC$`).

    Args:
        told: the fields.
        names: see `names`; nothing as a macro's own name leaves it out.
    """
    found: dict[str, str] = {}
    spelt: dict[str, str] = {}
    for key in sorted(told):
        value = told[key]
        text = value.strip() if type(value) is str else _scalar(value)
        if text and not (text[0] == "$" and _UNEXPANDED.fullmatch(text)):
            name, canonical = names(key)
            if name:
                found[name] = text
            if canonical:
                spelt.setdefault(canonical, text)
    for canonical, text in spelt.items():
        found.setdefault(canonical, text)
    about = "SERVICE" if "SERVICEDESC" in found else "HOST"
    if not (f"{about}STATE" in found and f"{about}OUTPUT" in found and "NOTIFICATIONTYPE" in found):
        found |= _short(found, about)
    return found


def _scalar(value: Any) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else _read.text(value).strip()


def alert(macros: Mapping[str, str], payload: Payload, options: SourceOptions, identify: Identify) -> Alert | None:
    """The alert that a notification is; None when it is none.

    `identify` gives the identity of the problem of a host, and a service or nothing.

    Raises:
        PayloadError: it is no notification.
    """
    kind = macros.get("NOTIFICATIONTYPE", "").partition("(")[0].upper().translate(_SIGNS)
    if kind in NO_ALERTS:
        return None
    if kind and kind not in ALERTS:
        raise PayloadError(_read.said(f"NOTIFICATIONTYPE is {kind!r}, expected one of {sorted(ALERTS | NO_ALERTS)}"))
    resource, service = _identity.name(macros.get("HOSTNAME", ""), "HOSTNAME"), macros.get("SERVICEDESC", "")
    about = "SERVICE" if service else "HOST"
    state = _state(macros, about)
    if not (kind or state):
        raise PayloadError(f"NOTIFICATIONTYPE and {about}STATE are missing: nothing says whether there is a problem")
    if not service and "SERVICESTATE" in macros:
        raise PayloadError("SERVICEDESC is missing, and SERVICESTATE says that it is about a service")
    if not kind and macros.get(f"{about}STATETYPE", "").upper() in _SOFT:
        return None
    resolved = kind == "RECOVERY" or _severity.is_clear(state)
    said_at = _first_moment(macros, "TIMET", "LONGDATETIME")
    changed = _first_moment(macros, f"LAST{about}STATECHANGE") or said_at
    return _build.alert(
        payload,
        options,
        identity=identify(resource, service),
        resolved=resolved,
        severity=(_state(macros, about, "LAST") or state) if resolved else state,
        resource=resource,
        check=service or HOST_CHECK,
        summary=macros.get(f"{about}OUTPUT", "").partition("\n")[0].partition("|")[0],
        description=_description(macros, about),
        labels=_kept(macros),
        starts_at=None if resolved else changed,
        ends_at=changed if resolved else None,
        said_at=said_at,
        url=_texts.link(macros.get(f"{about}NOTESURL", "")) or _texts.link(macros.get(f"{about}ACTIONURL", "")),
    )


def _printed(lines: Iterable[str]) -> dict[str, str]:
    """What `env` prints; a line that sets nothing goes on with the value before it."""
    found: dict[str, str] = {}
    last = ""
    for line in lines:
        name, sets, value = line.partition("=")
        if sets and _NAME.fullmatch(name):
            last, found[name] = name, value
        elif last:
            found[last] += f"\n{line}"
    return found


def _short(macros: Mapping[str, str], about: str) -> dict[str, str]:
    """`STATE`, `OUTPUT`, `TYPE` and the like, where nobody says of what, under the names of what it is about."""
    told = {about + name: macros[name] for name in _SHORT if name in macros}
    told[f"{about}OUTPUT"] = next((macros[name] for name in _OUTPUTS if name in macros), "")
    if not any(f"{about}{name}" in known for name in ("STATE", "STATEID") for known in (told, macros)):
        *places, words = _WORDS[about]
        told[f"{about}STATE"] = next((macros[name] for name in places if macros.get(name, "").upper() in words), "")
    kind = macros.get("TYPE", "")
    if kind.upper().translate(_SIGNS) in ALERTS | NO_ALERTS:
        told["NOTIFICATIONTYPE"] = kind
    return {name: text for name, text in told.items() if text and name not in macros}


def _state(macros: Mapping[str, str], about: str, which: str = "") -> str:
    """The word for the state, which may be written as a number."""
    state = macros.get(f"{which}{about}STATE") or macros.get(f"{which}{about}STATEID", "")
    return _STATES[about].get(state, state)


def _kept(macros: Mapping[str, str]) -> dict[str, str]:
    labels = dict(macros)
    for name in _DESCRIBED:
        labels.pop(name, None)
    return labels


def _first_moment(macros: Mapping[str, str], *names: str) -> datetime | None:
    for name in names:
        if name in macros and (moment := _times.moment(macros[name])):
            return moment
    return None


def _description(macros: Mapping[str, str], about: str) -> str:
    """What the plugin said beyond its first line, then what a person added to a custom notification.

    Nagios has what follows in a macro of its own, lines ended by a backslash and an n; Icinga has the output as it is, with
    performance data.
    """
    more = macros.get(f"{about}OUTPUT", "").partition("\n")[2].partition("|")[0].strip()
    output = (macros.get(f"LONG{about}OUTPUT") or macros.get("LONGOUTPUT", "")).replace("\\n", "\n") or more
    return "\n\n".join(filter(None, (output, macros.get("NOTIFICATIONCOMMENT", ""))))
