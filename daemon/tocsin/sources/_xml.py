"""Reads XML bodies within our limits: no document type, so no entities of its own; limited depth and size.

Knows elements, attributes and texts; no platform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

from tocsin.errors import PayloadError
from tocsin.sources import _read

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ELEMENTS = 100_000
"""How many elements a document may have."""


class Node:
    """One element."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        """Without a namespace prefix."""
        self.attributes = attributes
        self.children: list[Node] = []
        self.text = ""
        """What stands in it before, between and after its children, without white space around it."""

    def find(self, name: str) -> Node | None:
        """Its first child of this name."""
        return next((child for child in self.children if child.name == name), None)

    def all(self, name: str) -> Iterator[Node]:
        """Its children of this name."""
        return (child for child in self.children if child.name == name)

    def say(self, *path: str) -> str:
        """The text of the element at a path of names; empty where there is none."""
        node: Node | None = self
        for name in path:
            node = node.find(name) if node else None
        return node.text if node else ""


class _Tree:
    """What grows while a document is read."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._parts: list[list[str]] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= _read.MAX_DEPTH:
            raise PayloadError(f"the XML has more than {MAX_ELEMENTS} elements or {_read.MAX_DEPTH} levels")
        node = Node(name.rpartition(":")[2], attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)
        self._parts.append([])

    def data(self, text: str) -> None:
        if self._parts:
            self._parts[-1].append(text)

    def end(self, _: str) -> None:
        self._open.pop().text = "".join(self._parts.pop()).strip()


def read(body: bytes) -> Node:
    """The root element of a document, in the encoding that it names.

    Raises:
        PayloadError: it is no XML, has a document type, or is beyond the limits.
    """
    tree = _Tree()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _no_document_type
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat takes it by position
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise PayloadError(_read.said(f"the body is not XML: {error}")) from error
    if tree.root is None:
        raise PayloadError("the body is not XML: it has no element")
    return tree.root


def _no_document_type(*_: object) -> None:
    raise PayloadError("the XML has a document type (<!DOCTYPE …>), which is not taken: send it without")
