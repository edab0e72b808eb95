"""The named statements of `queries.sql`, and which table each one writes.

SQL stays in its own file, where it can be read, searched and reviewed; the code knows names only.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_WRITES = re.compile(r"^(?:insert into|update|delete from) (\w+)", re.MULTILINE)


def _load() -> dict[str, str]:
    text = resources.files("tocsin.store").joinpath("queries.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def _table(sql: str) -> str:
    found = _WRITES.search(sql)
    return found.group(1) if found else ""


QUERIES: Final = _load()
"""Name → statement."""

TABLES: Final = {name: _table(sql) for name, sql in QUERIES.items()}
"""Name → the table it writes; empty for a statement that only reads."""
