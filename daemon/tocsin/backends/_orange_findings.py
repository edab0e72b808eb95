"""What is said of a mapping that was filled in from a Swagger file: what was found, what was not, what is still to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level
from tocsin.backends import _orange_names as names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tocsin.backends._orange_mapping import Impacts, Layer, Statuses
    from tocsin.backends._orange_mapping import Mapping as Wire
    from tocsin.backends._swagger import Leaf

BASE = "/incident/b2b/v1"
_WHOLE = ("list", "note_list")
"""Where an empty path means the answer itself."""
_EVERY = ("list", "create", "read", "update", "notes", "add_note", "attach")
_SENT = (*names.SENT, *names.SENT_LATER, *names.SENT_AS_NOTE)
_OPTIONAL = frozenset({"contract", "users_affected", "main_usage", "notify"})


def base(document: Mapping[str, Any]) -> list[Finding]:
    """Whether the file is of another address than ours."""
    path = str(document.get("basePath", BASE)).rstrip("/")
    told = f"the file's base path is {path!r}: give it as the option `path`"
    return [] if path == BASE else [Finding(level=Level.WARNING, what="path", told=told)]


def sections(found: Collection[str], layer: Layer) -> list[Finding]:
    """What of each section was found, and what was not; `found` names the operations that the file has."""
    findings = _section("operations", _EVERY, list(found))
    findings += _section("sends", _SENT, [name for name, place in layer.sends.items() if place.path])
    findings += _section("asks", names.ASKED, [name for name, one in layer.asks.items() if one.name])
    findings += _section("tells", names.TOLD, [name for name, one in layer.tells.items() if one.path or name in _WHOLE])
    return [*findings, _words("impacts", layer.impacts), _words("statuses", layer.statuses)]


def _section(section: str, every: Iterable[str], there: Collection[str]) -> list[Finding]:
    findings = [Finding(level=Level.FINE, what=section, told=f"found: {', '.join(there) or 'nothing'}")]
    if lacking := [name for name in every if name not in there]:
        told = f"not found: {', '.join(lacking)}; if the file has them under other names, write them yourself"
        findings.append(Finding(level=Level.WARNING, what=section, told=told))
    return findings


def _words(section: str, tables: Impacts | Statuses | None) -> Finding:
    words = ", ".join(f"{ours.value}: {several[0]}" for ours, several in tables.en.items()) if tables else ""
    told = f"taken by likeness, compare them: {words}" if words else "no values are listed: compare the labels"
    return Finding(level=Level.WARNING, what=section, told=told)


def unfilled(create: Iterable[Leaf], mapping: Wire) -> list[Finding]:
    """What a new incident must have, and nothing of ours fills, or only an option does."""
    always = mapping.operations["create"].always
    filled = {place.path: name for name, place in mapping.sends.items()}
    required = [leaf.path for leaf in create if leaf.required and leaf.path not in always]
    findings = []
    if empty := [path for path in required if path not in filled]:
        told = f"a new incident must have {', '.join(empty)}, and nothing is sent there"
        told = f"{told}: give them in `operations.create.always`"
        findings.append(Finding(level=Level.ERROR, what="create", told=told))
    for name in (filled[path] for path in required if path in filled):
        if name in _OPTIONAL or name.startswith("contact_"):
            where = "each element a contract" if name == "contract" else f"the option `{name}`"
            told = f"a new incident must have {mapping.sends[name].path}: give {where}"
            findings.append(Finding(level=Level.WARNING, what=name, told=told))
    return findings
