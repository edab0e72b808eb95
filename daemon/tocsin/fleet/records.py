"""One record, from YAML or from a table, made into an element.

Says what each field is and refuses everything else with the nearest known word. Knows nothing of files, and nothing
of the other elements.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tocsin.model import Criticality, Element, ElementKind
from tocsin.titling import titled
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

Refuse = Callable[[str, str, str], NoReturn]
"""Raises the error about a field, with a sentence and a hint."""

FIELDS = {
    "reference": "The reference that tickets are declared on, such as DO000J1ADE: unique, without spaces.",
    "name": "What people call it.",
    "kind": "Which kind of element it is; a service unless said otherwise.",
    "offer": "The commercial offer it belongs to.",
    "site": "Where it stands.",
    "contract": "The contract it is under, such as OCB0001234.",
    "criticality": "How much it matters to its owner; normal unless said otherwise.",
    "parent": "The reference of the element this one depends on.",
    "aliases": (
        "Names that alerts use for it: host names, full names, IP addresses, blocks of addresses (192.0.2.0/24), "
        "globs (bkp-*.example.com)."
    ),
}
"""Every field of an element, with what it is for: YAML keys and column headings."""

_KINDS: dict[str, ElementKind] = {kind.value: kind for kind in ElementKind}
_CRITICALITIES: dict[str, Criticality] = {criticality.value: criticality for criticality in Criticality}
_Word = TypeVar("_Word", bound=StrEnum)


class Records:
    """Makes elements; texts that many elements share (offer, site, contract, parent) are kept in memory once."""

    def __init__(self) -> None:
        self._shared: dict[str, str] = {}

    def element(self, record: Mapping[str, Any], refuse: Refuse) -> Element:
        """Return the element that a record describes.

        Args:
            record: field → value; all texts, but for `aliases`: a list of texts.
            refuse: raises the error about a field.
        """
        check_fields(record, refuse)
        return Element(
            reference=self._share(_reference(record, refuse)),
            name=_needed(record, "name", refuse),
            kind=_word(record, "kind", _KINDS, refuse) or ElementKind.SERVICE,
            offer=self._share(_text(record, "offer", refuse)),
            site=self._share(_text(record, "site", refuse)),
            contract=self._share(_text(record, "contract", refuse)),
            criticality=_word(record, "criticality", _CRITICALITIES, refuse) or Criticality.NORMAL,
            parent=self._share(_text(record, "parent", refuse)) or None,
            aliases=_aliases(record, refuse),
        )

    def _share(self, text: str) -> str:
        return self._shared.setdefault(text, text)


def check_fields(names: Mapping[str, Any] | list[str], refuse: Refuse) -> None:
    """Refuse the first name that is no field of an element."""
    if FIELDS.keys() >= set(names):
        return
    unknown = next(name for name in names if name not in FIELDS)
    refuse(unknown, f'an element has no "{unknown}"', nearest(unknown, FIELDS) or f"it has {', '.join(FIELDS)}")


def _text(record: Mapping[str, Any], field: str, refuse: Refuse) -> str:
    """The text of a field, without blanks around it; empty when the field is not there."""
    value = record.get(field, "")
    if not isinstance(value, str):
        sentence = f"{field} is empty" if value is None else f"{field} is not a text"
        refuse(field, sentence, "remove the line" if value is None else "put it in quotes")
    return value.strip()


def _needed(record: Mapping[str, Any], field: str, refuse: Refuse) -> str:
    text = _text(record, field, refuse)
    if not text:
        refuse(field, f"every element needs a {field}", f"add {field}: {FIELDS[field]}")
    return text


def _reference(record: Mapping[str, Any], refuse: Refuse) -> str:
    reference = _needed(record, "reference", refuse)
    if len(reference.split()) > 1:
        refuse("reference", f'the reference "{reference}" holds blanks', "a reference is one word")
    return reference


def _word(record: Mapping[str, Any], field: str, words: Mapping[str, _Word], refuse: Refuse) -> _Word | None:
    """The word of a closed list that a field holds; None when the field is not there."""
    text = _text(record, field, refuse)
    if not text:
        return None
    if (word := words.get(text)) is None:
        refuse(field, f'{field} is "{text}", and must be one of {", ".join(words)}', nearest(text, words))
    return word


def _aliases(record: Mapping[str, Any], refuse: Refuse) -> tuple[str, ...]:
    """Each alias once, in the order written."""
    aliases = record.get("aliases", ())
    if not isinstance(aliases, list | tuple):
        refuse("aliases", "aliases is not a list", "write [web1, web1.example.com]")
    for alias in aliases:
        if not isinstance(alias, str) or not alias.strip():
            refuse("aliases", f"the alias {alias!r} is not a text", "put it in quotes, or remove it")
    return tuple(dict.fromkeys(alias.strip() for alias in aliases))


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a fleet's YAML file, for editors."""
    properties: dict[str, dict[str, Any]] = {
        name: {"type": "string", "description": description} for name, description in FIELDS.items()
    }
    properties["reference"]["pattern"] = r"^\S+$"
    properties["name"]["minLength"] = 1
    properties["kind"] |= {"enum": list(_KINDS), "default": ElementKind.SERVICE.value}
    properties["criticality"] |= {"enum": list(_CRITICALITIES), "default": Criticality.NORMAL.value}
    properties["aliases"] |= {"type": "array", "items": {"type": "string", "minLength": 1}}
    element = {
        "type": "object",
        "additionalProperties": False,
        "required": ["reference", "name"],
        "properties": properties,
    }
    elements = {"type": "array", "description": "The elements, in any order.", "items": element}
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tocsin fleet",
        "description": "Elements that tickets are declared on. A table (CSV) has the same fields as headings.",
        "type": "object",
        "additionalProperties": False,
        "required": ["elements"],
        "properties": {"elements": elements},
    }
    return titled(schema)
