"""Reads YAML strictly: plain data, and where in the text each value stands.

YAML 1.2 core scalars (`on`, `no`, `010` and `12:30` are what they look like), no duplicate keys, no tags, text keys
only, and limits on size, depth and aliases, so that a file can neither surprise nor exhaust. Knows nothing of what
the data means.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.resolver import BaseResolver

from tocsin.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""The way to a value: keys and indexes from the top."""

SIZE = 8 * 1024 * 1024
DEPTH = 60
ALIASED = 10_000
DIGITS = 40

_CORE = "tag:yaml.org,2002:"
_NUMBERS = (f"{_CORE}int", f"{_CORE}float")
_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)


def read(text: str | bytes, file: str = "", *, size: int = SIZE) -> tuple[Any, Positions]:
    """Return the one document of a text, and where its values stand.

    Args:
        text: the text, or its bytes in UTF-8 (a byte order mark is dropped).
        file: what to call it in errors.
        size: how many characters (or bytes) are accepted.

    Returns:
        Dicts with text keys, lists, str, int, float, bool and None (None for an empty text), and the positions.

    Raises:
        RuleError: it is not the strict YAML described above; with line and column.
    """
    if len(text) > size:
        raise RuleError(f"the file is larger than {size} bytes: split it into several files", file=file)
    try:
        root = yaml.compose(_decoded(text, file), Loader=_Loader)  # type: ignore[arg-type]
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, file) from None
    except yaml.reader.ReaderError as error:
        raise RuleError(f"the character U+{error.character:04X} is not allowed in YAML: remove it", file=file) from None
    except UnicodeEncodeError:
        raise RuleError("the text holds half of a surrogate pair: save it as UTF-8", file=file) from None
    data = None if root is None else _Plain(file).build(root)
    return data, Positions(root, file)


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that a misspelt one was probably meant to be, or nothing when none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the question that puts a misspelt word right (`did you mean "offer"?`), or nothing when none is near."""
    near = closest(word, known)
    return f'did you mean "{near}"?' if near else ""


class Positions:
    """Where the values of one document stand; looked up only when something is to be said about one."""

    __slots__ = ("_root", "file")

    def __init__(self, root: yaml.Node | None, file: str) -> None:
        self._root = root
        self.file = file

    def of(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Return line and column, from 1, of the value at a path, or of its key.

        Steps that are not in the document are passed over, so a missing key is reported where its mapping starts.
        """
        node, at = self._root, self._root
        for step in path:
            if (found := _child(node, step)) is not None:
                at, node = found if key else (found[1], found[1])
        return (at.start_mark.line + 1, at.start_mark.column + 1) if at is not None else (1, 1)

    def problem(self, sentence: str, path: Path, *, key: bool = False, hint: str = "") -> RuleError:
        """Return the error that says something is wrong with the value at a path."""
        line, column = self.of(path, key=key)
        return RuleError(sentence, file=self.file, line=line, column=column, hint=hint)


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that names a step (a mapping's key; the item itself in a list) and the node it leads to."""
    if isinstance(node, yaml.MappingNode):
        return next(((name, value) for name, value in node.value if name.value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _decoded(text: str | bytes, file: str) -> str:
    """The text without its byte order mark."""
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise RuleError("this is not UTF-8 text: save the file as UTF-8", file=file, line=line) from None


def _unreadable(error: yaml.MarkedYAMLError, file: str) -> RuleError:
    """YAML's own complaint with its place; its context comes first, as in "while parsing a block mapping: …"."""
    mark = error.problem_mark or error.context_mark
    sentence = ": ".join(part for part in (error.context, error.problem) if part)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return RuleError(f"this is not valid YAML: {sentence}", file=file, line=line, column=column)


class _Core(BaseResolver):
    """What a plain scalar is, by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""


_Core.add_implicit_resolver(f"{_CORE}null", _NULL, ["n", "N", "~", ""])
_Core.add_implicit_resolver(f"{_CORE}bool", _BOOL, list("tTfF"))
_Core.add_implicit_resolver(f"{_CORE}int", _INT, list("-+0123456789"))
_Core.add_implicit_resolver(f"{_CORE}float", _FLOAT, list("-+.0123456789"))


class _Loader(CParser, _Core):
    """libyaml's parser, which recurses in C: the depth is watched here, or a hostile file would end the process."""

    def __init__(self, text: str) -> None:
        CParser.__init__(self, text)
        _Core.__init__(self)
        self._depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, current_index: Any) -> None:  # noqa: ARG002 - the parser's call
        """Called by the parser before each node."""
        self._depth += 1
        if self._depth > DEPTH and current_node is not None:
            problem = f"values are nested more than {DEPTH} deep"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=current_node.start_mark)

    def ascend_resolver(self) -> None:
        """Called by the parser after each node."""
        self._depth -= 1


class _Plain:
    """Turns one document's nodes into plain data."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._done: set[int] = set()
        self._open: set[int] = set()
        self._aliased = 0

    def build(self, node: yaml.Node) -> Any:
        """The data of one node; a node met again stands for an alias."""
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self._enter(node)
        data = self._mapping(node) if isinstance(node, yaml.MappingNode) else self._sequence(node)
        self._open.discard(id(node))
        return data

    def _enter(self, node: yaml.Node) -> None:
        if id(node) in self._open:
            self._refuse(node, "this value contains itself through an alias: write it out")
        if id(node) in self._done:
            self._aliased += 1 + len(node.value)
            if self._aliased > ALIASED:
                self._refuse(node, f"more than {ALIASED} values come from aliases: write them out")
        self._done.add(id(node))
        self._open.add(id(node))

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        if node.tag != f"{_CORE}map":
            self._refuse(node, f"the tag {node.tag} is not allowed: remove it")
        data: dict[str, Any] = {}
        for name, value in node.value:
            key = self._key(name)
            if key in data:
                self._refuse(name, f'the key "{key}" is here twice: keep one')
            data[key] = self.build(value)
        return data

    def _key(self, node: yaml.Node) -> str:
        key = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            written = node.value if isinstance(node, yaml.ScalarNode) else "…"
            self._refuse(node, f'a key must be text: write "{written}" in quotes')
        if key == "<<":
            self._refuse(node, "merge keys (<<) are not YAML 1.2: write the keys out")
        return key

    def _sequence(self, node: yaml.Node) -> list[Any]:
        if node.tag != f"{_CORE}seq":
            self._refuse(node, f"the tag {node.tag} is not allowed: remove it")
        return [self.build(item) for item in node.value]

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag in _NUMBERS and len(node.value) > DIGITS:
            self._refuse(node, f"a number of more than {DIGITS} digits: put it in quotes if it is a text")
        match node.tag.removeprefix(_CORE):
            case "str":
                return node.value
            case "null" if _NULL.match(node.value):
                return None
            case "bool" if _BOOL.match(node.value):
                return node.value.lower() == "true"
            case "int" if _INT.match(node.value):
                return _integer(node.value)
            case "float" if _FLOAT.match(node.value):
                return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return self._refuse(node, f'"{node.value}" does not fit the tag {node.tag}: remove the tag')

    def _refuse(self, node: yaml.Node, sentence: str) -> NoReturn:
        mark = node.start_mark
        raise RuleError(sentence, file=self._file, line=mark.line + 1, column=mark.column + 1)


def _integer(text: str) -> int:
    """A decimal (leading zeros mean nothing), `0o` octal or `0x` hexadecimal number."""
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    return int(text)
