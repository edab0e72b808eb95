"""What is written into tickets: composed from a snapshot, within what a system takes. Pure.

Nothing is ever refused for its form: a text that is too long is cut at a word and says where the rest is, and what a
system cannot store is replaced.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.backends import _clean
from tocsin.backends._document import IMPACT_LABELS

if TYPE_CHECKING:
    from tocsin.model import Delivery, Snapshot, Texts

_LABELS = {
    "en": {
        "element": "Element",
        "impact": "Impact",
        "declarant": "Declared by",
        "source": "Source",
        "opened": "Since",
        "previous": "Follows",
        "reference": "Reference",
        "colon": ": ",
        "rest": "… (whole text: tocsin explain {reference})",
        "attached": "… (whole text attached)",
    },
    "fr": {
        "element": "Élément",
        "impact": "Impact",
        "declarant": "Déclaré par",
        "source": "Source",
        "opened": "Depuis",
        "previous": "Fait suite à",
        "reference": "Référence",
        "colon": " : ",
        "rest": "… (texte entier : tocsin explain {reference})",
        "attached": "… (texte entier en pièce jointe)",
    },
}


class Limits(Struct, frozen=True, kw_only=True):
    """How much of a text a system takes, in characters."""

    title: int = 255
    text: int = 30_000
    note: int = 30_000
    plane: bool = False
    """Only the first plane of Unicode (a database with three bytes for a character): others are replaced."""


class Written(Struct, frozen=True, kw_only=True):
    """What goes into a new ticket."""

    title: str
    text: str
    whole: str = ""
    """The whole text when `text` had to be cut, else empty."""


def compose(body: Snapshot, language: str, limits: Limits, *, attach: bool = False) -> Written:
    """The title and the text of a new ticket; `attach` says that the whole text will be attached when it is cut."""
    languages = _languages(body.language or language)
    whole = clean("\n\n".join(_text(body, one) for one in languages), limits)
    title = " ".join(clean(" / ".join(dict.fromkeys(_in(body.name, one) for one in languages)), limits).split())
    pointer = _LABELS[languages[0]]["attached" if attach else "rest"].format(reference=body.reference)
    text = cut(whole, limits.text, pointer)
    return Written(
        title=cut(title or body.reference, limits.title, "…"), text=text, whole=whole if text != whole else ""
    )


def notes(delivery: Delivery, language: str, limits: Limits) -> str:
    """What happened since the last delivery, oldest first, ending in the mark it is known by; empty when nothing did."""
    body = delivery.body
    if not body.notes:
        return ""
    languages = _languages(body.language or language)
    told = clean("\n\n".join("\n".join(_in(note, one) for note in body.notes) for one in languages), limits)
    ending = f"\n{mark(delivery)}"
    pointer = _LABELS[languages[0]]["rest"].format(reference=body.reference)
    return cut(told, limits.note - len(ending), pointer) + ending


def mark(delivery: Delivery) -> str:
    """What a delivery's note is known by, so that one whose answer was lost is not written twice; in no other one's mark."""
    return f"(tocsin {delivery.body.reference}/{delivery.id})"


def clean(text: str, limits: Limits) -> str:
    """The text without what the system cannot store: replaced, never dropped. Line ends become line feeds."""
    return _clean.clean(text, plane=limits.plane)


def cut(text: str, limit: int, pointer: str) -> str:
    """At most `limit` characters: the text itself, or its beginning up to the end of a word and the pointer."""
    if len(text) <= limit:
        return text
    room = max(0, limit - len(pointer) - 1)
    head = text[: room + 1]
    space = max(head.rfind(" "), head.rfind("\n"))
    head = head[:space] if space > room // 2 else head[:room]
    return f"{head.rstrip()} {pointer}"[:limit]


def as_html(text: str) -> str:
    """The text for a system that keeps HTML: escaped, with its line breaks."""
    return html.escape(text, quote=False).replace("\n", "<br>")


def from_html(text: str) -> str:
    """The plain text of a small HTML text, near enough for people and for finding a mark in it."""
    broken = re.sub(r"(?i)<br\s*/?>|</p>|</div>", "\n", text)
    return html.unescape(re.sub(r"<[^>]{0,1000}>", "", broken)).strip()


def _languages(language: str) -> tuple[str, ...]:
    return ("fr", "en") if language == "both" else (language,)


def _in(texts: Texts, language: str) -> str:
    return texts.get(language) or next((text for text in texts.values() if text), "")


def _text(body: Snapshot, language: str) -> str:
    labels = _LABELS[language]
    element = body.element
    facts = {
        "element": f"{element.reference} ({element.name})" if element.name else element.reference,
        "impact": IMPACT_LABELS[body.impact][language],
        "declarant": body.declarant,
        "source": body.source,
        "opened": f"{body.opened_at:%Y-%m-%d %H:%M} UTC",
        "previous": body.previous,
        "reference": body.reference,
    }
    lines = [f"{labels[name]}{labels['colon']}{value}" for name, value in facts.items() if value]
    told = [note[language] for note in body.notes if note.get(language)]
    return "\n\n".join(part for part in (_in(body.description, language), "\n".join(told), "\n".join(lines)) if part)
