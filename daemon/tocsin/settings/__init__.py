"""What the operator decides: one YAML file and `TOCSIN_…` variables, checked wholly before anything starts.

Unknown keys are refused with the nearest known one; a secret is always the path of a file. Knows what a setting may
be, not what the parts do with it; only `app` and `cli` read it.
"""

from __future__ import annotations

from tocsin.settings.known import json_schema
from tocsin.settings.reading import DEFAULT, load, secret_reader
from tocsin.settings.secrets import exposed, find_secret, read_secret
from tocsin.settings.source import Auth, Poll, Source
from tocsin.settings.tree import Backend, Settings

__all__ = [
    "DEFAULT",
    "Auth",
    "Backend",
    "Poll",
    "Settings",
    "Source",
    "exposed",
    "find_secret",
    "json_schema",
    "load",
    "read_secret",
    "secret_reader",
]
