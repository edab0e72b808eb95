"""Titles of keys in JSON Schemas: what an editor shows above a key's description. Knows words, no schema of ours."""

from __future__ import annotations

from typing import Any

_TITLES = {
    "cidr": "Network",
    "en": "In English",
    "flap": "Flapping",
    "fr": "In French",
    "gt": "Greater than",
    "gte": "Greater than or equal to",
    "hmac": "HMAC",
    "id": "Id",
    "lt": "Less than",
    "lte": "Less than or equal to",
    "regex": "Regular expression",
    "tls": "TLS",
    "tmf621": "TMF621",
    "url": "URL",
}
"""Titles of keys that are no words by themselves."""


def title(key: str) -> str:
    """Return a key in words, such as `Token file` for `token_file`."""
    words = key.replace("_", " ").strip()
    return _TITLES.get(key) or words[:1].upper() + words[1:]


def titled(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON Schema with the title of each property."""
    found = {key: _titled(part) for key, part in schema.items()}
    if "properties" in schema:
        found["properties"] = {key: {**titled(part), "title": title(key)} for key, part in schema["properties"].items()}
    return found


def _titled(part: Any) -> Any:
    if isinstance(part, list):
        return [_titled(item) for item in part]
    return titled(part) if isinstance(part, dict) else part
