"""What is wrong with a part of a rule, before its place in the file is known.

Raised wherever a part is made, met by `compiler`, `assembly` and `problems`, which add file, line and column.
"""

from __future__ import annotations

from tocsin.errors import Code


class Wrong(ValueError):  # noqa: N818 - said, noted, never met by a caller of the loader
    """Something in a rule is wrong; `path` leads to it from the rule."""

    def __init__(
        self,
        problem: str,
        *path: str | int,
        key: bool = False,
        hint: str = "",
        code: Code = Code.WRONG_VALUE,
        word: str = "",
        before: int = 0,
    ) -> None:
        """Take what is wrong.

        Args:
            problem: the sentence.
            path: the way to the value; empty for the one that was given.
            key: whether its key is meant.
            hint: what to do.
            code: what kind of thing is wrong.
            word: the part of the value's text that is wrong.
            before: how often that word stands in the text before.
        """
        super().__init__(f"{problem} ({hint})" if hint else problem)
        self.problem = problem
        self.path = path
        self.key = key
        self.hint = hint
        self.code = code
        self.word = (word, before)

    def at(self, *path: str | int) -> Wrong:
        """Return the same, said of the value that a longer way leads to."""
        word, before = self.word
        longer = (*path, *self.path)
        return Wrong(self.problem, *longer, key=self.key, hint=self.hint, code=self.code, word=word, before=before)
