"""The examples of the OpenAPI document: requests that work on the rules and the fleet that come with tocsin.

They are data, in examples.json: operation → examples. tests/test_openapi.py asks each of them.
"""

from __future__ import annotations

from importlib import resources

import msgspec

from tocsin.web.api.operation import Example


def _read() -> dict[str, tuple[Example, ...]]:
    text = resources.files(__package__).joinpath("examples.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, tuple[Example, ...]])


EXAMPLES = _read()
"""Name of the operation → its examples."""
