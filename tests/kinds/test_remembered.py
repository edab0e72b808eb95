from __future__ import annotations

from tocsin.sources._remembered import LONGEST, remembered


def test_a_short_text_is_worked_on_once_and_a_long_one_is_never_kept() -> None:
    asked: list[str] = []

    @remembered(2)
    def length(text: str) -> int:
        """The length."""
        asked.append(text)
        return len(text)

    short, long = "a" * LONGEST, "a" * (LONGEST + 1)
    assert [length(text) for text in (short, short, long, long)] == [LONGEST, LONGEST, LONGEST + 1, LONGEST + 1]
    assert asked == [short, long, long]
