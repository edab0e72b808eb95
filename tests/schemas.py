"""The JSON Schemas that editors use, and their writing: `python tests/schemas.py`, which is part of `make goldens`."""

from __future__ import annotations

import json
from pathlib import Path

from tocsin import fleet, settings

CONFIG = Path(__file__).parents[1] / "config"
SCHEMAS = {"settings.schema.json": settings.json_schema, "fleet.schema.json": fleet.json_schema}


def text(name: str) -> str:
    """What the file of this name has to hold."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in SCHEMAS:
        (CONFIG / name).write_text(text(name), encoding="utf-8")
