"""Words of a closed list, each with what it stands for."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Told(StrEnum):
    """A word that programs read, and `told`, which people read; a list of them is a subclass."""

    told: str

    def __new__(cls, word: str, told: str) -> Self:
        """Take the word and what it stands for."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.told = told
        return member
