"""Object identifiers of SNMP: one spelling for all the ways in which programs write the same one.

`.1.3.6.1.6.3.1.1.5.3`, `iso.3.6.1.6.3.1.1.5.3`, `IF-MIB::linkDown` and `snmpTraps.3` are one object. Knows the names of the
standard ones; a name of a vendor stays a name, because nothing here reads MIB files.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOTS = {
    "iso": "1",
    "org": "1.3",
    "dod": "1.3.6",
    "internet": "1.3.6.1",
    "mgmt": "1.3.6.1.2",
    "mib-2": "1.3.6.1.2.1",
    "system": "1.3.6.1.2.1.1",
    "interfaces": "1.3.6.1.2.1.2",
    "ifEntry": "1.3.6.1.2.1.2.2.1",
    "transmission": "1.3.6.1.2.1.10",
    "bgp": "1.3.6.1.2.1.15",
    "experimental": "1.3.6.1.3",
    "private": "1.3.6.1.4",
    "enterprises": "1.3.6.1.4.1",
    "snmpV2": "1.3.6.1.6",
    "snmpModules": "1.3.6.1.6.3",
    "snmpTraps": "1.3.6.1.6.3.1.1.5",
}

TRAPS = "1.3.6.1.6.3.1.1.5"
"""The standard traps: version 1 of SNMP numbers them from 0, this branch from 1."""

TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
ENTERPRISE = "1.3.6.1.6.3.1.1.4.3.0"
AGENT = "1.3.6.1.6.3.18.1.3.0"
"""snmpTrapAddress.0: the device itself, where another has handed its trap on."""
COMMUNITY = "1.3.6.1.6.3.18.1.4.0"
"""snmpTrapCommunity.0: as good as a password."""
UPTIME = "1.3.6.1.2.1.1.3.0"

IF_ENTRY = "1.3.6.1.2.1.2.2.1"
IF_X_ENTRY = "1.3.6.1.2.1.31.1.1.1"
IF_INDEX = f"{IF_ENTRY}.1"

LINK_DOWN, LINK_UP = f"{TRAPS}.3", f"{TRAPS}.4"

_NAMES = {
    "coldStart": f"{TRAPS}.1",
    "warmStart": f"{TRAPS}.2",
    "linkDown": LINK_DOWN,
    "linkUp": LINK_UP,
    "authenticationFailure": f"{TRAPS}.5",
    "egpNeighborLoss": f"{TRAPS}.6",
    "bgpEstablished": "1.3.6.1.2.1.15.7.1",
    "bgpBackwardTransition": "1.3.6.1.2.1.15.7.2",
    "bgpEstablishedNotification": "1.3.6.1.2.1.15.0.1",
    "bgpBackwardTransNotification": "1.3.6.1.2.1.15.0.2",
    "upsTrapOnBattery": "1.3.6.1.2.1.33.2.1",
    "upsTrapAlarmEntryAdded": "1.3.6.1.2.1.33.2.3",
    "upsTrapAlarmEntryRemoved": "1.3.6.1.2.1.33.2.4",
    "nsNotifyStart": "1.3.6.1.4.1.8072.4.0.1",
    "nsNotifyShutdown": "1.3.6.1.4.1.8072.4.0.2",
    "nsNotifyRestart": "1.3.6.1.4.1.8072.4.0.3",
    "sysDescr": "1.3.6.1.2.1.1.1",
    "sysObjectID": "1.3.6.1.2.1.1.2",
    "sysUpTime": "1.3.6.1.2.1.1.3",
    "sysUpTimeInstance": UPTIME,
    "sysContact": "1.3.6.1.2.1.1.4",
    "sysName": "1.3.6.1.2.1.1.5",
    "sysLocation": "1.3.6.1.2.1.1.6",
    "snmpTrapOID": TRAP_OID.removesuffix(".0"),
    "snmpTrapEnterprise": ENTERPRISE.removesuffix(".0"),
    "snmpTrapAddress": AGENT.removesuffix(".0"),
    "snmpTrapCommunity": COMMUNITY.removesuffix(".0"),
    "ifIndex": IF_INDEX,
    "ifDescr": f"{IF_ENTRY}.2",
    "ifType": f"{IF_ENTRY}.3",
    "ifMtu": f"{IF_ENTRY}.4",
    "ifSpeed": f"{IF_ENTRY}.5",
    "ifPhysAddress": f"{IF_ENTRY}.6",
    "ifAdminStatus": f"{IF_ENTRY}.7",
    "ifOperStatus": f"{IF_ENTRY}.8",
    "ifLastChange": f"{IF_ENTRY}.9",
    "ifName": f"{IF_X_ENTRY}.1",
    "ifAlias": f"{IF_X_ENTRY}.18",
    "egpNeighAddr": "1.3.6.1.2.1.8.5.1.2",
    "bgpPeerState": "1.3.6.1.2.1.15.3.1.2",
    "bgpPeerRemoteAddr": "1.3.6.1.2.1.15.3.1.7",
    "bgpPeerLastError": "1.3.6.1.2.1.15.3.1.14",
    "upsAlarmId": "1.3.6.1.2.1.33.1.6.2.1.1",
    "upsAlarmDescr": "1.3.6.1.2.1.33.1.6.2.1.2",
    "entPhysicalIndex": "1.3.6.1.2.1.47.1.1.1.1.1",
    "entPhysicalDescr": "1.3.6.1.2.1.47.1.1.1.1.2",
    "entPhysicalName": "1.3.6.1.2.1.47.1.1.1.1.7",
}

NAMES = {oid: name for name, oid in _NAMES.items()}
"""Standard object → its name."""

_NUMBERS = _ROOTS | _NAMES
_NUMERIC = re.compile(r"\.?\d+(?:\.\d+)*", re.ASCII)
_LAST_NAME = re.compile(r"(?:^|\.)([A-Za-z][A-Za-z0-9-]*)((?:\.\d+)*)\Z", re.ASCII)
"""Of `iso.org.dod.internet.private.enterprises.9`: `enterprises` and `.9`."""
_INDEX = re.compile(r"\[(\d+(?:\.\d+)*)\]", re.ASCII)
_LONGEST = 1_000


def canonical(written: str) -> str:
    """The identifier in numbers without a leading dot; a name that is none of the standard's stays, without its module."""
    return _canonical(written[:_LONGEST])


@lru_cache(maxsize=4096)
def _canonical(written: str) -> str:
    text = written.strip()
    if _NUMERIC.fullmatch(text):
        return text.removeprefix(".")
    text = _INDEX.sub(r".\1", text.rpartition("::")[2]).removeprefix(".")
    found = _LAST_NAME.search(text)
    return f"{_NUMBERS[found[1]]}{found[2]}" if found and found[1] in _NUMBERS else text


def is_below(oid: str, branch: str) -> bool:
    """Whether the identifier is the branch or stands below it."""
    return oid.startswith(branch) and (len(oid) == len(branch) or oid[len(branch)] == ".")


def is_one(text: str) -> bool:
    """Whether a text can be nothing but an identifier: numbers, or a name with its module, `SNMPv2-MIB::coldStart`."""
    if "." not in text and ":" not in text:
        return False
    return bool(text.count(".") > 1 and _NUMERIC.fullmatch(text)) or "::" in text or text.startswith(("iso.", ".iso."))


def named(oid: str, names: Mapping[str, str]) -> tuple[str, str]:
    """The name of an object and what stands behind it in the identifier: (`ifIndex`, `3`).

    The operator's names count before the standard's; the longest that fits does. What nobody has named keeps its number
    as its name, and then nothing stands behind it.
    """
    branch = oid
    while branch:
        if name := names.get(branch) or NAMES.get(branch):
            return name, oid[len(branch) + 1 :]
        branch = branch.rpartition(".")[0]
    name, _, index = oid.partition(".")
    return (oid, "") if name.isdigit() else (name, index)
