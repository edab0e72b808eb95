"""Reads one document: libyaml's nodes, limited in size and depth, made into plain data."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]
from yaml.resolver import BaseResolver

from tocsin.errors import Code, RuleError
from tocsin.yaml12 import complaints
from tocsin.yaml12.positions import Positions

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
        raise complaints.too_large(size, file)
    decoded = _decoded(text, file)
    try:
        root = yaml.compose(decoded, Loader=_Loader)  # type: ignore[arg-type]
    except yaml.MarkedYAMLError as error:
        raise complaints.unreadable(error, decoded, file) from None
    except yaml.reader.ReaderError as error:
        raise complaints.forbidden(error, decoded, file) from None
    except UnicodeEncodeError as error:
        sentence = "the text holds half of a surrogate pair: save it as UTF-8"
        line, column = complaints.place(decoded, error.start)
        raise RuleError(sentence, code=Code.ENCODING, file=file, line=line, column=column) from None
    positions = Positions(root, file, decoded)
    data = None if root is None else _Plain(positions).build(root)
    return data, positions


def _decoded(text: str | bytes, file: str) -> str:
    """The text without its byte order mark."""
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise complaints.not_utf8(text, error, file) from None


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
            raise yaml.MarkedYAMLError(problem=complaints.TOO_DEEP, problem_mark=current_node.start_mark)

    def ascend_resolver(self) -> None:
        """Called by the parser after each node."""
        self._depth -= 1


class _Plain:
    """Turns one document's nodes into plain data."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
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
            self._refuse(node, "this value contains itself through an alias: write it out", Code.TOO_LARGE)
        if id(node) in self._done:
            self._aliased += 1 + len(node.value)
            if self._aliased > ALIASED:
                self._refuse(node, f"more than {ALIASED} values come from aliases: write them out", Code.TOO_LARGE)
        self._done.add(id(node))
        self._open.add(id(node))

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        if node.tag != f"{_CORE}map":
            self._refuse(node, f"the tag {_written(node.tag)} is not allowed: remove it")
        data: dict[str, Any] = {}
        for name, value in node.value:
            key = self._key(name)
            if key in data:
                self._refuse(name, f'the key "{key}" is here twice: keep one', Code.DUPLICATE_KEY)
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
            self._refuse(node, f"the tag {_written(node.tag)} is not allowed: remove it")
        return [self.build(item) for item in node.value]

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag in _NUMBERS and len(node.value) > DIGITS:
            self._refuse(
                node, f"a number of more than {DIGITS} digits: put it in quotes if it is a text", Code.TOO_LARGE
            )
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
        return self._refuse(node, f'"{node.value}" does not fit the tag {_written(node.tag)}: remove the tag')

    def _refuse(self, node: yaml.Node, sentence: str, code: Code = Code.SYNTAX) -> NoReturn:
        self._positions.refuse(node, sentence, code)


def _written(tag: str) -> str:
    """A tag as files have it."""
    return tag.replace(_CORE, "!!")


def _integer(text: str) -> int:
    """A decimal (leading zeros mean nothing), `0o` octal or `0x` hexadecimal number."""
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    return int(text)
