"""Indents, quotes and lengths, by ruamel.yaml's round trip.

Knows what the round trip cannot do and keeps it away from it: what a plain scalar means (here it is the text that it is),
comments inside `{…}` and `[…]` (these stay as they were written), what comes before `---`.
"""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING, Any, Self

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.emitter import RoundTripEmitter
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, ScalarString, SingleQuotedScalarString

from tocsin.errors import RuleError
from tocsin.workbench.formatting.remarks import Scan, moved

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 120
_ENDLESS = 1_000_000
_PLAIN = re.compile(r"[A-Za-z][\w.@/-]*(?: [A-Za-z0-9][\w.@/-]*)*|(?:\d+[smhd])+")
"""Texts that need no quotes whoever reads them: words; and spans of time."""
_LOOKS_ELSE = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null")
"""Words that some readers of YAML take for something else than a text."""
_HEAD = re.compile(r"\A(?:[ \t]*(?:#[^\n]*)?\n)*---[ \t]*(?:#[^\n]*)?\n")


def indented(text: str, file: str) -> str:
    """Return the same document with the indents, quotes and line lengths of the house.

    Raises:
        RuleError: the round trip cannot read or write it.
    """
    head = found[0] if (found := _HEAD.match(text)) else ""
    body, aside = _without_remarks_in_flow(text[len(head) :])
    try:
        laid = _round_trip(body)
    except (YAMLError, ValueError, NotImplementedError) as error:
        problem = str(error).splitlines()[0]
        raise RuleError(f"this cannot be laid out ({problem}): it is left as it is", file=file) from None
    return head + _put_back(moved(body, laid), aside)


class _Plain(ScalarString):
    """A scalar without quotes, whatever it may mean: `010` and `~` stay what they are."""

    __slots__ = ()
    style = ""

    def __new__(cls, value: str, anchor: Any = None) -> Self:
        made: Self = ScalarString.__new__(cls, value, anchor=anchor)
        return made


class _Constructor(RoundTripConstructor):
    def construct_scalar(self, node: ScalarNode) -> Any:
        """The scalar as the text it was written as."""
        return super().construct_scalar(node) if node.style else _Plain(node.value, anchor=node.anchor)


for _type in ("null", "bool", "int", "float", "timestamp", "str"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_type}", _Constructor.construct_scalar)


class _Representer(RoundTripRepresenter):
    def represent_plain(self, data: _Plain) -> ScalarNode:
        """The scalar, with the tag that it would be read with: it then needs no quotes."""
        tag = self.dumper.resolver.resolve(ScalarNode, str(data), (True, False))
        anchor = data.yaml_anchor(any=True)
        return self.represent_scalar(tag, str(data), style="", anchor=anchor.value if anchor else None)


_Representer.add_representer(_Plain, _Representer.represent_plain)


class _Emitter(RoundTripEmitter):
    MAX_SIMPLE_KEY_LENGTH = 1000


def _round_trip(text: str) -> str:
    machine = YAML()
    machine.Constructor, machine.Representer, machine.Emitter = _Constructor, _Representer, _Emitter
    machine.indent(mapping=2, sequence=4, offset=2)
    machine.width = _ENDLESS  # a text that is broken is hard to search for; what is long is broken up below
    machine.preserve_quotes = True
    data = machine.load(text)
    _requote(data)
    while True:
        out = StringIO()
        machine.dump(data, out)
        if not _broken_up(data, out.getvalue()):
            return out.getvalue()


def _requote(data: Any) -> None:
    """Without quotes that nothing needs, and with single ones where double ones say nothing else."""
    if isinstance(data, dict):
        for key, value in data.items():
            data[key] = _bare(value)
            _requote(value)
    elif isinstance(data, list):
        for number, value in enumerate(data):
            data[number] = _bare(value)
            _requote(value)


def _bare(value: Any) -> Any:
    if not isinstance(value, DoubleQuotedScalarString | SingleQuotedScalarString) or value.yaml_anchor(any=True):
        return value
    if _PLAIN.fullmatch(value) and not _LOOKS_ELSE.fullmatch(value):
        return _Plain(value)
    simple = "'" not in value and value.isprintable()
    return SingleQuotedScalarString(value) if isinstance(value, DoubleQuotedScalarString) and simple else value


def _broken_up(data: Any, text: str) -> bool:
    """Break up the `{…}` and `[…]` that are too long for their lines; says whether there were any."""
    long = [end.column > WIDTH for _, end in _flows(Scan(text))]
    found = False
    for collection, too_long in zip(_flow_data(data), long, strict=False):
        if too_long and collection:
            collection.fa.set_block_style()
            found = True
    return found


def _flow_data(data: Any) -> Iterator[Any]:
    """The outermost collections in `{…}` or `[…]`, in order."""
    if not isinstance(data, dict | list):
        return
    if data.fa.flow_style() or not data:  # type: ignore[union-attr]  # ruamel's own
        yield data
        return
    for value in data.values() if isinstance(data, dict) else data:
        yield from _flow_data(value)


def _flows(scan: Scan) -> Iterator[tuple[Any, Any]]:
    """Where the outermost `{…}` and `[…]` of a text start and end."""
    depth, start = 0, None
    for token in scan.tokens:
        if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
            start = token.start_mark if depth == 0 else start
            depth += 1
        elif isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken):
            depth -= 1
            if depth == 0:
                yield start, token.end_mark


def _without_remarks_in_flow(text: str) -> tuple[str, dict[str, tuple[str, int]]]:
    """The text with a word in the place of each `{…}` that holds a remark; word → what it was, and its line's indent."""
    scan = Scan(text)
    aside: dict[str, tuple[str, int]] = {}
    word = "aside"
    while word in text:
        word += "x"
    parts, at = [], 0
    for start, end in _flows(scan):
        if any((start.line, start.column) < (one.line, one.column) < (end.line, end.column) for one in scan.remarks):
            name = f"{word}{len(aside)}x"
            aside[name] = text[start.index : end.index], _indent(scan.lines[start.line])
            parts += [text[at : start.index], name]
            at = end.index
    return "".join([*parts, text[at:]]), aside


def _put_back(text: str, aside: dict[str, tuple[str, int]]) -> str:
    for word, (written, indent) in aside.items():
        before, _, after = text.partition(word)
        shift = _indent(before.rpartition("\n")[2] + word) - indent
        first, *rest = written.split("\n")
        text = "\n".join([before + first.rstrip(), *(_shifted(line, shift) for line in rest)]) + after
    return text


def _shifted(line: str, by: int) -> str:
    return " " * max(0, _indent(line) + by) + line.strip() if line.strip() else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
