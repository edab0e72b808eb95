"""The elements that tickets are declared on: loaded from files, found by any name alerts use for them.

The fleet's public face; it answers "none", "this one" or "one of these", and never guesses. It knows nothing of
alerts and rules.
"""

from __future__ import annotations

from tocsin.fleet.index import Fleet, build
from tocsin.fleet.loader import load
from tocsin.fleet.records import FIELDS, json_schema

__all__ = ["FIELDS", "Fleet", "build", "json_schema", "load"]
