"""A chat message in Slack's format, taken apart: the lines people read first, the fields, the colour, the link.

Knows attachments, blocks and rich text as Slack, Mattermost and Rocket.Chat have them; what they mean, `slack` says.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from tocsin.sources import _details, _dig, _headline, _read
from tocsin.sources._remembered import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_PARTS = 50
"""So many attachments and blocks are looked at, and fields of each; Slack takes 100, 50 and 10."""

_MAX_LINES = 8
"""So many lines of a text may be the one that says it."""

_MOST_LINES = 200
"""So many lines of a message."""

_MAX_DEEP = 8
_PAIR = re.compile(r"[\W_]*+([A-Za-z][A-Za-z _-]{1,30}?)[\s*_]*+:[*_]*+\s++(\S.*)")
_LONGEST = 4 * _headline.MAX_LINE
"""So much of a line may be such a pair."""
_URL = re.compile(r"<(https?://[^<>|\s]+)[|>]")
_HEX = re.compile(r"#?([0-9a-f]{6}|[0-9a-f]{3})", re.IGNORECASE)
_COLOURS = {"good": "over", "danger": "firing", "warning": "firing", "success": "over", "error": "firing"}
_STRONG = 40
"""By how much one part of a colour must exceed another to be its tone."""


class Message:
    """One message."""

    __slots__ = ("_block_fields", "_headers", "_text", "attachments", "blocks", "document", "heads", "texts")

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.attachments = _objects(document, "attachments")
        self.blocks = [*_objects(document, "blocks"), *(b for one in self.attachments for b in _objects(one, "blocks"))]
        self._text = _dig.text(document, "text")
        self._headers = [_block_text(block) for block in self.blocks if block.get("type") == "header"]
        self._block_fields = _block_fields(self.blocks)
        self.texts = self._texts()
        """All texts for people, in the order of their weight."""
        self.heads = list(filter(None, dict.fromkeys(map(_first_line, self._heads()))))
        """The first lines of its text, titles and headers."""

    def lines(self) -> Iterator[str]:
        """The lines that may say what it is about, each once, the likeliest first."""
        seen: set[str] = set()
        for line in islice(self._lines(), _MOST_LINES):
            if line not in seen:
                seen.add(line)
                yield line

    def first(self, name: str) -> str:
        """What the first attachment that has this says."""
        for one in self.attachments:
            if name in one and (text := _dig.text(one, name)):
                return text
        return ""

    def is_of_grafana(self) -> bool:
        """Whether Grafana made it: its footer says so."""
        return self.first("footer").startswith("Grafana v")

    def _texts(self) -> list[str]:
        others = [_block_text(block) for block in self.blocks if block.get("type") != "header"]
        names = ("title", "pretext", "text")
        attached = [_dig.text(one, name) for one in self.attachments for name in names if name in one]
        found = [self._text, *self._headers, *attached, *others, *map(_value, self._block_fields)]
        return [text for text in dict.fromkeys(found) if text]

    def _heads(self) -> list[str]:
        names = ("title", "pretext", "fallback")
        attached = [_dig.text(one, name) for one in self.attachments for name in names if name in one]
        return [self._text, *attached, *self._headers]

    def _lines(self) -> Iterator[str]:
        names = ("title", "pretext")
        for one in self.attachments[:3]:
            for name in names:
                yield from _beginning(_dig.text(one, name))
        for text in self.texts:
            yield from _beginning(text)
        for name in ("fallback", "author_name"):
            yield from _beginning(self.first(name))

    def fields(self) -> dict[str, str]:
        """The fields by their titles; `Host: db1` as a line of a text counts, too."""
        found: dict[str, str] = {}
        for one in self.attachments:
            for field in _objects(one, "fields"):
                _put(found, _dig.text(field, "title"), _dig.text(field, "value"))
        for text in self._block_fields:
            title, _, value = text.partition("\n")
            _put(found, title, value)
        for text in self.texts:
            for line in _beginning(text) if ":" in text else ():
                pair = _PAIR.fullmatch(line[:_LONGEST]) if ":" in line else None
                if pair and _details.plain(pair[1]) in _details.NAMES and not _headline.is_state(pair[1]):
                    _put(found, pair[1], pair[2])
        return found

    def colour(self) -> str:
        """What the colour says: `firing`, `over`, or nothing."""
        return next(
            (tone for one in self.attachments if "color" in one and (tone := _tone(_dig.text(one, "color")))), ""
        )

    def url(self) -> str:
        """The first address that is not a picture."""
        if linked := self.first("title_link") or self.first("titleLink"):
            return linked
        for one in (*self.blocks, *self.attachments):
            elements = (element for name in ("elements", "actions") if name in one for element in _dig.items(one, name))
            if address := next((told for element in elements if (told := _dig.text(element, "url"))), ""):
                return address
        linked_text = next((match for text in self.texts if "<" in text and (match := _URL.search(text))), None)
        return linked_text[1] if linked_text else ""


def _block_fields(blocks: list[dict[str, Any]]) -> list[str]:
    fields = (field for block in blocks for field in _dig.items(block, "fields")[:_MAX_PARTS])
    return [text for field in fields if (text := _dig.text(field, "text"))]


def _beginning(text: str) -> list[str]:
    """The first lines of a text that are not blank."""
    if "\n" not in text:
        line = text.strip()
        return [line] if line else []
    return [line for raw in text.split("\n", _MAX_LINES)[:_MAX_LINES] if (line := raw.strip())]


def _objects(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in _dig.items(value, name)[:_MAX_PARTS] if isinstance(one, dict)] if name in value else []


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _put(found: dict[str, str], title: str, value: str) -> None:
    name = _title(title)
    if name and name not in found and (text := _headline.clean(value).strip(" _")):
        found[name] = text


@remembered(1_024)
def _title(title: str) -> str:
    return _headline.clean(title).strip(" :_")


def _value(field: str) -> str:
    """What stands below the title of a block's field."""
    return field.partition("\n")[2] or field


def _block_text(block: dict[str, Any]) -> str:
    """The text of a header, section, context or rich text block."""
    text = block.get("text")
    if isinstance(text, dict):
        return _dig.text(text, "text")
    return (
        _read.text(text) if isinstance(text, str) else "".join(_rich(_dig.items(block, "elements"), _MAX_DEEP)).strip()
    )


def _rich(elements: list[Any], deep: int) -> Iterator[str]:
    """The texts of rich text; a line for each of its sections."""
    for element in elements:
        inner = _dig.items(element, "elements")
        kind = _dig.text(element, "type")
        if inner and deep:
            yield from _rich(inner, deep - 1)
            yield "\n"
        elif kind == "emoji":
            yield f":{_dig.text(element, 'name')}:"
        elif kind not in {"button", "image"}:
            text = _dig.at(element, "text")
            yield text if isinstance(text, str) else _dig.text(element, "url") or _dig.text(text, "text")


@remembered(256)
def _tone(colour: str) -> str:
    """What a colour's name or value says: green is good, red to yellow is bad, grey and blue say nothing."""
    named = _COLOURS.get(colour.lower())
    match = None if named else _HEX.fullmatch(colour)
    if named or match is None:
        return named or ""
    digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])  # noqa: PLR2004 - #rrggbb
    red, green, blue = (int(digits[at : at + 2], 16) for at in (0, 2, 4))
    if green > red + _STRONG and green > blue + _STRONG // 2:
        return "over"
    return "firing" if red > blue + _STRONG and red + _STRONG >= green else ""


@remembered(256)
def is_warning(colour: str) -> bool:
    """Whether it is the colour of a warning: its name, or one from orange to yellow."""
    match = _HEX.fullmatch(colour)
    if match is None or len(match[1]) != 6:  # noqa: PLR2004 - #rrggbb
        return colour.lower() == "warning"
    red, green, blue = (int(match[1][at : at + 2], 16) for at in (0, 2, 4))
    return _tone(colour) == "firing" and green > blue + _STRONG and 2 * green > red


def about(fields: dict[str, str]) -> tuple[str, str]:
    """Resource and check as the fields name them, without what stands in brackets behind: `db1 (192.0.2.7)`.

    Of a field that says the state as well (`web is DOWN`), what stays.
    """
    where, what = _details.about(fields)
    where = where.split(" (", 1)[0].strip()
    return _stays(where), _stays(what)


@remembered(1_024)
def _stays(text: str) -> str:
    return _headline.read(text).check or text if _headline.has_state(text) else text
