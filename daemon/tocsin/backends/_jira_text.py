"""Texts as Jira keeps them: the Atlassian Document Format of Cloud's API 3, and the wiki markup of API 2. Pure.

In both a text stays what it is: nothing that an alert says becomes a mention, a link, a macro or a heading. Formats:
developer.atlassian.com, "Atlassian Document Format"; "Text Formatting Notation Help" of Jira Data Center.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tocsin.backends._shape import at

LONGEST = 32_767
"""Characters that a field takes. Jira Cloud has counted the document's JSON, so that is what must fit."""
_DEEPEST = 50
_BLOCKS = frozenset(
    {"paragraph", "heading", "codeBlock", "listItem", "tableCell", "tableHeader", "panel", "blockquote"}
)
_KEPT_END = 200
"""Characters at the end of a text that are kept when it must be cut: the mark of a note stands there."""
_MACRO = re.compile(r"\{(?=noformat)", re.IGNORECASE)
_OPENED = "{noformat}\n"
_CLOSED = "\n{noformat}"


def document(text: str) -> dict[str, Any]:
    """The text as an ADF document: paragraphs with line breaks, or one code block when those would be too long."""
    said = _document([_paragraph(block) for block in text.split("\n\n") if block])
    while len(msgspec.json.encode(said).decode()) > LONGEST:
        said = _document([{"type": "codeBlock", "content": [_text(text)]}])
        text = f"{text[: len(text) * 2 // 3 - _KEPT_END]} … {text[-_KEPT_END:]}"
    return said


def preformatted(text: str) -> str:
    """The text as wiki markup that is shown as it is."""
    return _OPENED + _MACRO.sub("{\N{ZERO WIDTH SPACE}", text) + _CLOSED if text else ""


def plain(value: Any) -> str:
    """The text of a document or of markup, near enough for people and for finding a mark in it. Total."""
    if isinstance(value, str):
        return value.removeprefix(_OPENED).removesuffix(_CLOSED).strip()
    return re.sub(r"\n{3,}", "\n\n", "".join(_words(value, 0))).strip()


def _document(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": content}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _paragraph(block: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for number, line in enumerate(block.split("\n")):
        content += [{"type": "hardBreak"}] if number else []
        content += [_text(line)] if line else []
    return {"type": "paragraph", "content": content}


def _words(node: Any, depth: int) -> list[str]:
    if not isinstance(node, dict) or depth > _DEEPEST:
        return []
    kind, said = at(node, "type"), node.get("attrs")
    if kind == "text":
        return [str(node.get("text", ""))]
    if kind == "hardBreak":
        return ["\n"]
    inner = node.get("content")
    words = [word for one in inner for word in _words(one, depth + 1)] if isinstance(inner, list) else []
    if not words and isinstance(said, dict):
        words = [str(said.get("text") or said.get("url") or "")]
    return [*words, "\n\n"] if kind in _BLOCKS else words
