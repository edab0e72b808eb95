"""Writes YAML that reads back as what was meant, whatever strangers have said in it. Knows texts only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PLAIN = re.compile(
    r"(?!(?:true|false|null|yes|no|on|off|y|n)\Z)[A-Za-z_][A-Za-z0-9_.-]*(?: [A-Za-z0-9_.-]+)*\Z", re.IGNORECASE
)
_COMMENT = 100
_SHORTS = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def text(value: str) -> str:
    """Return a text as a YAML scalar on one line: plain when that is safe, else quoted."""
    value = value.encode("utf-8", "replace").decode()
    if _PLAIN.match(value):
        return value
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_SHORTS.get(sign) or (sign if sign.isprintable() else _escaped(sign)) for sign in value) + '"'


def _escaped(sign: str) -> str:
    number = ord(sign)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004 - YAML's escapes


def listed(values: Iterable[str]) -> str:
    """Return texts as a YAML list on one line."""
    return f"[{', '.join(map(text, values))}]"


def one_or_list(values: Iterable[str]) -> str:
    """Return one text as it is, several as a list."""
    all_of_them = list(values)
    return text(all_of_them[0]) if len(all_of_them) == 1 else listed(all_of_them)


def mapping(values: Mapping[str, str]) -> str:
    """Return names and texts as a YAML mapping on one line."""
    return "{" + ", ".join(f"{text(name)}: {text(value)}" for name, value in values.items()) + "}"


def comment(said: str) -> str:
    """Return a sentence as one comment line, shortened."""
    said = "".join(sign if sign.isprintable() else " " for sign in said.encode("utf-8", "replace").decode())
    return f"# {said if len(said) <= _COMMENT else said[: _COMMENT - 1] + '…'}"
