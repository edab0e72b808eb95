"""The named statements of `queries.sql`, and which table each one writes.

SQL stays in its own file, where it can be read, searched and reviewed; the code knows names only.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_WRITES = re.compile(r"^(?:insert(?: or \w+)? into|update|delete from) (\w+)", re.MULTILINE)


def _load() -> dict[str, str]:
    text = resources.files("tocsin.store").joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def _table(sql: str) -> str:
    found = _WRITES.search(sql)
    return found.group(1) if found else ""


QUERIES: Final = _load()
"""Name → statement."""

_VALUES = re.compile(r"values (\([^)]*\))")

CHUNKS: Final = (50, 10, 1)
"""How many rows one insert takes, largest first: few statements to prepare, few calls for many rows."""


@cache
def insert_many(name: str, count: int) -> str:
    """The named insert for `count` rows at once; its parameters are those of the rows, one after the other."""
    return _VALUES.sub(lambda found: "values " + ", ".join([found.group(1)] * count), QUERIES[name], count=1)


TABLES: Final = {name: _table(sql) for name, sql in QUERIES.items()}
"""Name → the table it writes; empty for a statement that only reads."""
