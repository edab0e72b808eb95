"""Details that people name themselves: which of them say what a problem is about, and which are labels.

For platforms that carry anybody's fields: paging services, chats, event buses. Names count without case, spaces and
punctuation: `Host Name`, `host_name` and `HOSTNAME` are one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from tocsin.sources import _dig, _headline, _identity, _labelled, _labels, _read, _secret
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tocsin.model import Payload

RESOURCES = (
    *("host", "hostname", "hostdisplayname", "hostalias", "node", "nodename", "instance", "server", "servername"),
    *("device", "devicename", "machine", "computer", "vm", "vmname", "pod", "container", "resource", "resourcename"),
    *("target", "endpoint", "endpointname", "endpointurl", "site", "website", "monitorurl", "url", "hostaddress"),
    *("address", "ipaddress", "ip", "entity", "entityname"),
)
"""Names of what says where a problem is, the best first; `service` comes after them all, where it is not the check."""

CHECKS = (
    *(
        "alertname",
        "alertrule",
        "alarmname",
        "checkname",
        "rulename",
        "triggername",
        "monitorname",
        "servicedescription",
    ),
    *(
        "servicedesc",
        "servicename",
        "check",
        "rule",
        "trigger",
        "monitor",
        "alarm",
        "metricname",
        "metric",
        "parameter",
    ),
    *("policyname", "conditionname", "condition", "service", "alert"),
)
"""Names of what says what is wrong, the best first."""

NAMES = frozenset(
    {*RESOURCES, *CHECKS, "severity", "priority", "level", "urgency", "status", "state", "event"}
) | frozenset(
    {"notificationtype", "environment", "cluster", "team", "group", "hostgroup", "location", "region", "datacenter"}
)
"""Names that a line of text must have to count as a field."""

_ABOUT = frozenset({*RESOURCES, *CHECKS})

_MOST = 1_000
"""So many fields of an object are looked at for what they say."""

_BETWEEN = re.compile(r"[;,:&|]+")
_MACRO = re.compile(
    r"\{\$?[A-Z][A-Z0-9_.#$:]*\}|\$\{?[A-Z][A-Z0-9_.:]*\}?\$?|\{\{[^{}]*\}\}|<no value>|undefined", re.ASCII
)
"""What a platform leaves of a variable that it knows no value of: `{EVENT.ID}`, `$ALERT_ID`, `$HOSTNAME$`."""
_MACRO_BEGINS = frozenset("{$<u")


@remembered(4_096)
def plain(name: str) -> str:
    """The letters and digits of a name, in lower case."""
    return (name if name.isalnum() else "".join(filter(str.isalnum, name))).lower()


def said(value: Any, *path: str | int) -> str:
    """The scalar at a path as text; empty where there is none, or a variable that was left unexpanded."""
    found = _dig.text(value, *path)
    if not found or found in _dig.NOTHING or (found[0] in _MACRO_BEGINS and _MACRO.fullmatch(found)):
        return ""
    return found


def given(payload: Payload, name: str) -> str:
    """A variable of the path, without what a store refuses."""
    return payload.given.get(name, "").replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def known(fields: Mapping[str, Any]) -> dict[str, str]:
    """The fields that say something, by plain name; of several with one plain name the first."""
    found: dict[str, str] = {}
    for name in islice(fields, _MOST):
        if text := said(fields, name):
            found.setdefault(plain(name), text)
    return found


def about(fields: Mapping[str, Any]) -> tuple[str, str]:
    """What the fields say of where a problem is, and of what is wrong there; each empty when they do not say it."""
    if not fields:
        return "", ""
    texts = _saying(fields)
    resource = next((name for name in RESOURCES if name in texts), "")
    check = next((texts[name] for name in CHECKS if name in texts), "")
    if not resource:
        return texts.get("service", ""), "" if check == texts.get("service") else check
    where = texts[resource]
    return _labelled.host_of(where) if resource == "instance" else where, check


def _saying(fields: Mapping[str, Any]) -> dict[str, str]:
    """Those of the `known` fields that say what a problem is about."""
    found: dict[str, str] = {}
    for name in islice(fields, _MOST):
        known = plain(name)
        if known in _ABOUT and known not in found and (text := said(fields, name)):
            found[known] = text
    return found


def in_key(key: str) -> tuple[str, str]:
    """Resource and check out of an id of names and values: `host_name=db1;service_desc=disk`, `cpu:host=db1`."""
    if "=" not in key:
        return "", ""
    pairs = (part.partition("=") for part in _BETWEEN.split(key))
    return about({name.strip(): value for name, equals, value in pairs if equals})


def told(document: Any, ways: Iterable[str]) -> str:
    """What the first of these ways leads to that leads to a scalar: names with dots between (`alert.labels.host`)."""
    if not isinstance(document, dict):
        return ""
    for way in ways:
        if way in document:
            text = said(document, way)
        elif "." in way and (steps := _steps(way))[0] in document:
            text = said(document, *steps)
        else:
            continue
        if text:
            return text
    return ""


@lru_cache(maxsize=1_024)
def _steps(way: str) -> tuple[str | int, ...]:
    return tuple(int(step) if step.isdecimal() and len(step) < 4 else step for step in way.split("."))  # noqa: PLR2004


def labels(value: Any, *, skip: Iterable[str] = ()) -> dict[str, str]:
    """The scalars of an object as labels, without secrets; none of anything else."""
    if not value or not isinstance(value, dict):
        return {}
    found = _labels.flat(value, skip=skip)
    if len(found) > _MOST:  # more than `_labels.fit` lets through
        names = (name for name in sorted(found) if len(name) <= _identity.MAX_LABEL and not _secret.is_secret(name))
        return {name: found[name] for name in islice(names, _identity.MAX_LABELS)}
    return {name: text for name, text in found.items() if not _secret.is_secret(name)}


def is_readable(identifier: str) -> bool:
    """Whether an id was written for people: no hash, and no UUID."""
    digits = identifier.replace("-", "")
    return len(digits) < 16 or not all(digit in "0123456789abcdefABCDEF" for digit in digits)  # noqa: PLR2004


def is_host(text: str) -> bool:
    """Whether it looks like a host's full name or address."""
    return "." in text.strip(".") and not any(map(str.isspace, text)) and "/" not in text


def named(text: str) -> str:
    """What a text calls a problem, fit to be its check where no field is: without words of state, if it has some."""
    line = text.strip().partition("\n")[0]
    told = _headline.read(line)
    return short(told.check if told.strong and told.check else line)


def short(text: str) -> str:
    """A text fit to be a resource or check where nothing better is known: its first line, cut."""
    return _identity.cut(text.strip().partition("\n")[0].strip(), _identity.MAX_NAME)


def text_of(value: Any) -> str:
    """A value for people to read: a text as it is, anything else as the JSON it is in; nothing for none."""
    if value is None or isinstance(value, (str, int, float)):
        return _read.text(value)
    return _identity.encode(value).decode()
