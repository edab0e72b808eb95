"""What is said of a text that is not the YAML we read: our sentences for the parser's complaints.

Knows libyaml's words, and where in a text something stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.errors import Code, RuleError

if TYPE_CHECKING:
    import yaml


def too_large(size: int, file: str) -> RuleError:
    """Return the error that a file has more than `size` bytes."""
    said = f"{size >> 20} MiB" if size >> 20 else f"{size} bytes"
    sentence = f"the file is larger than {said}: split it into several files"
    return RuleError(sentence, code=Code.TOO_LARGE, file=file)


def not_utf8(content: bytes, error: UnicodeDecodeError, file: str) -> RuleError:
    """Return the error that a file's content is no UTF-8, with the place of its first wrong byte."""
    before = content[: error.start].decode("utf-8-sig", "replace")
    hint = f"its first other byte is 0x{content[error.start]:02X}"
    sentence = "this is not UTF-8 text: save the file as UTF-8"
    line, column = place(before, len(before))
    return RuleError(sentence, code=Code.ENCODING, file=file, line=line, column=column, hint=hint)


def place(text: str, position: int) -> tuple[int, int]:
    """Line and column, from 1, of a position in a text."""
    line = text.count("\n", 0, position)
    return line + 1, position - (text.rfind("\n", 0, position) + 1) + 1


def forbidden(error: yaml.reader.ReaderError, text: str, file: str) -> RuleError:
    """A control character, with its place."""
    sentence = f"the character U+{error.character:04X} is not allowed in YAML: remove it"
    line, column = place(text, text.find(chr(error.character)))
    return RuleError(sentence, code=Code.SYNTAX, file=file, line=line, column=column, length=1)


_UNCLOSED = "found unexpected end of stream"
_SAID: dict[str, tuple[str, str]] = {
    "mapping values are not allowed in this context": (
        "a second key in one line, or a line that is indented too far",
        "put a text that holds a colon in quotes; give all keys of a mapping the same indent",
    ),
    "did not find expected key": (
        "what stands here is no key of the mapping around it",
        "give all keys of a mapping the same indent; inside single quotes write '' for a quote",
    ),
    "did not find expected '-' indicator": (
        "what stands here is no item of the list around it",
        "begin each item with `- `, all with the same indent",
    ),
    "did not find expected ',' or ']'": ("a list in brackets is not closed", "add a comma or the closing ]"),
    "did not find expected ',' or '}'": ("a mapping in braces is not closed", "add a comma or the closing }"),
    "did not find expected node content": ("a value is missing", "give one, or take the comma or bracket away"),
    "could not find expected ':'": ("a key is not followed by a colon", "add `: ` behind it"),
    _UNCLOSED: ("a text in quotes is not closed", "add the closing quote"),
    "found character that cannot start any token": (
        "no value can begin with this character",
        "put the value in quotes",
    ),
    "found unknown escape character": (
        "an unknown escape in double quotes",
        r"use single quotes, where a \ is only a \ ",
    ),
    "did not find expected alphabetic or numeric character": (
        "a * or & without a name behind it",
        "put a text that begins with * or & in quotes",
    ),
    "found undefined alias": (
        "an alias (*) of a value that no anchor (&) names",
        "put a text that begins with * in quotes",
    ),
    "second occurrence": ("an anchor (&) that is here twice", "give the second another name"),
    "but found another document": ("the file holds more than one document", "take the `---` away"),
}
"""What libyaml complains of, in other words, and what to do about it."""


TOO_DEEP = "values are nested too deep"
"""What our own loader complains of."""


def unreadable(error: yaml.MarkedYAMLError, text: str, file: str) -> RuleError:
    """YAML's own complaint with its place; its context comes first, as in "while parsing a block mapping: …"."""
    mark = error.problem_mark or error.context_mark
    if error.problem == _UNCLOSED:
        mark = error.context_mark or mark  # where the quotes open says more than where the file ends
    plain = ": ".join(part for part in (error.context, error.problem) if part)
    said, hint = _SAID.get(error.problem or "", (plain, ""))
    opened = error.context_mark.line + 1 if error.context_mark else 0
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    if mark and "\t" in _indent(text, mark.line):
        said, hint = "a tab, where only blanks can stand", "indent with blanks"
    elif 0 < opened < line and (error.context or "").startswith("while parsing"):
        said = f"{said} (what it is in begins in line {opened})"
    code = Code.TOO_LARGE if error.problem == TOO_DEEP else Code.SYNTAX
    return RuleError(f"this is not valid YAML: {said}", code=code, file=file, line=line, column=column, hint=hint)


def _indent(text: str, number: int) -> str:
    """What a line begins with."""
    line = next(iter(text.splitlines()[number : number + 1]), "")
    return line[: len(line) - len(line.lstrip())]
