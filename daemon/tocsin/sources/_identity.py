"""What makes an alert the same problem again: fingerprints, and the limits of names and labels.

Knows texts and lengths; knows no platform. Names that identify are refused when they are missing or too long, never
cut: two problems must not become one. What only describes is cut.
"""

from __future__ import annotations

from hashlib import blake2b

from msgspec.json import Encoder

from tocsin.errors import PayloadError

MAX_NAME = 512
"""Longest resource, check or fingerprint, in characters."""

MAX_LABELS = 256
"""Most labels of one alert: a Nagios notification carries about 150 macros, a TrueSight event about 60 filled slots."""

MAX_LABEL = 2_048
"""Longest label name; a longer value is cut."""

SMALL = 1_500
"""Labels whose encoding is no longer than this are within every limit above: `{"a":"",…}` takes seven bytes a label."""

encode = Encoder(order="deterministic").encode
"""The bytes that only the same names and values share, whatever their order in a dict."""


def fingerprint(encoded: bytes) -> str:
    """24 hexadecimal digits for what `encode` gave."""
    return blake2b(encoded, digest_size=12).hexdigest()


def name(value: str, what: str) -> str:
    """A resource, check or fingerprint fit to identify.

    Raises:
        PayloadError: it is empty or longer than MAX_NAME; the sentence calls it `what`.
    """
    if not value or value.isspace():
        raise PayloadError(f"{what} is missing or empty")
    if len(value) > MAX_NAME:
        raise PayloadError(f"{what} has {len(value)} characters, at most {MAX_NAME} are taken")
    return value


def tidy(labels: dict[str, str]) -> dict[str, str]:
    """The labels as they are kept: long values cut.

    Raises:
        PayloadError: there are more than MAX_LABELS, or a name is longer than MAX_LABEL.
    """
    if len(labels) > MAX_LABELS:
        raise PayloadError(f"the alert has {len(labels)} labels, at most {MAX_LABELS} are taken")
    if max(map(len, labels), default=0) > MAX_LABEL:
        raise PayloadError(f"a label name has more than {MAX_LABEL} characters")
    return {key: cut(value, MAX_LABEL) for key, value in labels.items()}


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with an ellipsis: never longer than the limit."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
