"""What no ticket system can be sent, taken out of a text. Pure."""

from __future__ import annotations

import re

REPLACED = "\N{REPLACEMENT CHARACTER}"
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 and most databases refuse: control characters, halves of pairs, non-characters."""
_BEYOND = re.compile(r"[\U00010000-\U0010ffff]")


def clean(text: str, *, plane: bool = False) -> str:
    """The text without what cannot be stored: replaced, never dropped. Line ends become line feeds.

    `plane` keeps to the first plane of Unicode, for databases with three bytes for a character.
    """
    text = _UNFIT.sub(REPLACED, text.replace("\r\n", "\n").replace("\r", "\n"))
    return _BEYOND.sub(REPLACED, text) if plane else text
