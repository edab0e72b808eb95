"""Related things in the shape of either version: what one version says can be read in the other.

They are kept in the shape of version 5, where a role and what has it are two objects; version 4 has them in one. What was
sent comes back as it was sent in the same version; in the other one, what that one requires is filled in. Pure.
"""

from __future__ import annotations

from typing import Any

Thing = dict[str, Any]

ENTITY = "entity"
PARTY = "partyOrPartyRole"
_OF = {"relatedEntity": ENTITY, "relatedParty": PARTY}
_OUTER = {"relatedEntity": "RelatedEntity", "relatedParty": "RelatedPartyRefOrPartyRoleRef"}
_INNER = {"relatedEntity": "EntityRef", "relatedParty": "PartyRef"}
_TYPES = {
    "channel": "ChannelRef",
    "troubleTicketRelationship": "TroubleTicketRelationship",
    "troubleTicketSpecification": "TroubleTicketSpecificationRef",
    "troubleTicketCharacteristic": "Characteristic",
}
_ONLY_5 = frozenset({"troubleTicketSpecification", "troubleTicketCharacteristic"})


def kept(name: str, sent: Any, version: int) -> Any:
    """An attribute as it is kept, from how a version of the standard has it."""
    if version == 4 and name in _OF and sent is not None:  # noqa: PLR2004 - the version of the standard
        return [_parted(one, _OF[name]) for one in sent]
    return sent


def shown(name: str, there: Any, version: int) -> Any:
    """A kept attribute in a version of the standard; None when that version does not have it."""
    if version == 4:  # noqa: PLR2004
        return _shown_in_4(name, there)
    if name in _OF:
        return [_typed(name, one) for one in there]
    if name not in _TYPES:
        return there
    if isinstance(there, dict):
        return {"@type": _TYPES[name], **there}
    typed = [{"@type": _TYPES[name], **one} for one in there]
    if name == "troubleTicketRelationship":
        return [{"relationshipType": "relatesTo", **one} for one in typed if one.get("id")]
    return typed


def things(name: str, there: Any) -> list[tuple[str, Thing]]:
    """Role and what has it, of each related thing as it is kept."""
    return [(str(one.get("role", "")), one.get(_OF[name]) or {}) for one in there or ()]


def _shown_in_4(name: str, there: Any) -> Any:
    if name in _ONLY_5:
        return None
    return [_joined(name, one) for one in there] if name in _OF else there


def _parted(one: Thing, inner: str) -> Thing:
    """Version 4 → kept: the role, and all the rest in an object of its own."""
    rest = {key: value for key, value in one.items() if key != "role"}
    return {"role": one["role"], inner: rest} if "role" in one else {inner: rest}


def _joined(name: str, one: Thing) -> Thing:
    """Kept → version 4, with what that requires."""
    inner = one.get(_OF[name]) or {}
    role = {"role": one["role"]} if "role" in one else {}
    known = inner.get("id") or inner.get("name") or one.get("role") or "unknown"
    kind = inner.get("@referredType") or inner.get("@type") or _INNER[name]
    return {**inner, **role, "id": known, "@referredType": kind}


def _typed(name: str, one: Thing) -> Thing:
    """Kept → version 5, where every object has its type, and every relation its role."""
    inner = {"@type": _INNER[name], **one[_OF[name]]} if one.get(_OF[name]) else None
    told = {"@type": _OUTER[name], "role": "", **one}
    return {**told, _OF[name]: inner} if inner else told
