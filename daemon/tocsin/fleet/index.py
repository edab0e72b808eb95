"""The fleet in memory: every element, found by any name it goes by.

`build` checks the elements against each other and indexes them; a look-up costs the same for ten elements as for
100 000. Pure: where the elements came from is the loader's business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import re2

from tocsin.errors import Code, RuleError
from tocsin.fleet import names
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.model import Element

    Found = Element | tuple[Element, ...]
    """What an alias means; nearly always one element, so the tuple is left out until there are two."""

Place = tuple[str, int, int]
"""File, line and column; empty and 0 when unknown."""
Where = Callable[[int, str, int], Place]
"""Tells where a field of the element at an index was written; the last number is the position in a list, or -1."""


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """One alias of several elements."""

    alias: str
    references: tuple[str, ...]
    """Of the elements that had it before, and last of the one that has it here."""
    place: Place
    """Where the last of them has it."""


_GLOB_MEMORY = 256 * 1024 * 1024


def _nowhere(_index: int, _field: str, _position: int) -> Place:
    return "", 0, 0


class Fleet:
    """All elements, immutable; iterates in order of reference.

    `hash` names the content: the same elements have the same hash, wherever and in whatever order they were written.
    """

    __slots__ = ("_aliases", "_blocks", "_elements", "_globs", "hash", "shared")

    def __init__(
        self,
        elements: dict[str, Element],
        aliases: dict[str, Found],
        blocks: Blocks,
        globs: Globs,
        shared: tuple[Shared, ...] = (),
    ) -> None:
        self._elements = elements
        self._aliases = aliases
        self._blocks = blocks
        self._globs = globs
        self.hash = _hash(elements.values())
        self.shared = shared
        """The aliases, blocks and globs that several elements have: one entry for each element after the first."""

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[Element]:
        return iter(self._elements.values())

    def __contains__(self, reference: object) -> bool:
        return reference in self._elements

    def get(self, reference: str) -> Element | None:
        """Return the element with exactly this reference."""
        return self._elements.get(reference)

    def resolve(self, name: str) -> tuple[Element, ...]:
        """Return the elements that a name means: none, one, or several when it is ambiguous (by reference).

        The first of these that knows the name decides: the reference, exactly · an alias, whatever its case (of the
        full name, of its host when it is `host:port` or a URL, of its first label) · the smallest block of addresses
        around it · a glob.
        """
        name = name.strip()
        if (found := self._elements.get(name)) is not None:
            return (found,)
        return self._by_alias(name) or (self._by_form(name) if name else ())

    def _by_alias(self, key: str) -> tuple[Element, ...]:
        found = self._aliases.get(key, ())
        return found if isinstance(found, tuple) else (found,)

    def _by_form(self, name: str) -> tuple[Element, ...]:
        """What a name means when it is no alias as it is written."""
        key, address = names.spelling(name)
        host = key
        if inner := names.host(name):
            host, address = names.spelling(inner)
        return (
            self._by_alias(key)
            or self._by_alias(host)
            or (self._by_alias(names.first_label(host)) if address is None else self._blocks.find(address))
            or self._globs.find(key)
            or (self._globs.find(host) if inner else ())
        )


class Blocks:
    """Elements by block of addresses: one dict per prefix length, the longest asked first."""

    __slots__ = ("_lengths",)

    def __init__(self, blocks: Iterable[tuple[names.Block, Element]]) -> None:
        lengths: dict[tuple[int, int], dict[int, list[Element]]] = {}
        for block, element in blocks:
            shift = block.max_prefixlen - block.prefixlen
            within = lengths.setdefault((block.version, shift), {})
            within.setdefault(int(block.network_address) >> shift, []).append(element)
        self._lengths = [
            (version, shift, {prefix: _ordered(found) for prefix, found in lengths[version, shift].items()})
            for version, shift in sorted(lengths)
        ]

    def find(self, address: names.Address) -> tuple[Element, ...]:
        """Return the elements of the smallest block that holds the address."""
        number, version = int(address), address.version
        for of, shift, prefixes in self._lengths:
            if of == version and (found := prefixes.get(number >> shift)):
                return found
        return ()


class Globs:
    """Elements by glob: one RE2 set, so that many globs cost about what one does, in linear time."""

    __slots__ = ("_elements", "_set")

    def __init__(self, globs: Iterable[tuple[str, Element]]) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _GLOB_MEMORY
        self._set = re2.Set.FullMatchSet(options)
        self._elements: list[Element] = []
        for glob, element in globs:
            self._set.Add(names.glob_pattern(glob))
            self._elements.append(element)
        if self._elements:
            self._compile()

    def _compile(self) -> None:
        try:
            self._set.Compile()
        except re2.error:
            count = len(self._elements)
            raise RuleError(f"the fleet's {count} glob aliases are too many to match: use exact aliases") from None

    def find(self, name: str) -> tuple[Element, ...]:
        """Return the elements that have a glob which the whole name matches."""
        if not self._elements:
            return ()
        return _ordered([self._elements[index] for index in self._set.Match(name.encode("utf-8", "replace")) or ()])


def build(elements: Iterable[Element], where: Where = _nowhere) -> Fleet:
    """Check elements against each other and index them.

    Args:
        elements: each complete in itself.
        where: tells where a field of the n-th element was written, for errors.

    Raises:
        RuleError: two elements have one reference, a parent does not exist, parents go round in a circle, or an alias
            has a block's shape and is no valid block.
    """
    listed = list(elements)
    by_reference = _by_reference(listed, where)
    _check_parents(listed, by_reference, where)
    aliases: dict[str, Found] = {}
    patterns: dict[str, Found] = {}
    shared: list[Shared] = []
    blocks: list[tuple[names.Block, Element]] = []
    globs: list[tuple[str, Element]] = []
    for index, element in enumerate(listed):
        for position, alias in enumerate(element.aliases):
            if (block := _block(alias, (index, position), where)) is not None:
                blocks.append((block, element))
                others = _add_alias(patterns, str(block), element)
            elif names.is_glob(alias):
                globs.append((alias, element))
                others = _add_alias(patterns, alias, element)
            else:
                others = _add_alias(aliases, alias, element)
            if others:
                references = (*(other.reference for other in others), element.reference)
                place = where(index, "aliases", position)
                shared.append(Shared(alias=alias, references=references, place=place))
    return Fleet(by_reference, aliases, Blocks(blocks), Globs(globs), tuple(shared))


def _by_reference(elements: list[Element], where: Where) -> dict[str, Element]:
    """The elements, in order of reference, each reference once."""
    found: dict[str, Element] = {}
    for index in sorted(range(len(elements)), key=lambda index: elements[index].reference):
        element = elements[index]
        if found.setdefault(element.reference, element) is not element:
            raise _twice(elements, element.reference, where)
    return found


def _twice(elements: list[Element], reference: str, where: Where) -> RuleError:
    first, second = [index for index, element in enumerate(elements) if element.reference == reference][:2]
    file, line, _ = where(first, "reference", -1)
    hint = f"it is already at {file}:{line}" if file else "two elements have it"
    return _problem(f"the reference {reference} is here twice: keep one", where(second, "reference", -1), hint)


def _check_parents(elements: list[Element], known: dict[str, Element], where: Where) -> None:
    """Every parent exists, and no element depends on itself through its parents."""
    for index, element in enumerate(elements):
        if element.parent is not None and element.parent not in known:
            sentence = f'{element.reference} has the unknown parent "{element.parent}": give an element\'s reference'
            raise _problem(sentence, where(index, "parent", -1), nearest(element.parent, known))
    sound: set[str] = set()
    for index, element in enumerate(elements):
        path: dict[str, None] = {}
        at = element
        while at.parent is not None and at.reference not in sound:
            path[at.reference] = None
            if at.parent in path:
                raise _problem(_circle([*path], at.parent), where(index, "parent", -1))
            at = known[at.parent]
        sound.update(path)


def _circle(path: list[str], again: str) -> str:
    """The sentence about parents that lead back to where they started."""
    circle = " → ".join([*path[path.index(again) :], again])
    return f"parents go round in a circle, {circle}: take one of them out"


def _block(alias: str, at: tuple[int, int], where: Where) -> names.Block | None:
    try:
        return names.block(alias)
    except ValueError as error:
        raise _problem(f"the alias {error}", where(at[0], "aliases", at[1])) from None


def _add_alias(aliases: dict[str, Found], alias: str, element: Element) -> tuple[Element, ...]:
    """One more element for an alias; returns those that had it before."""
    key = names.key(alias)
    present = aliases.setdefault(alias if key == alias else key, element)
    if present is element:
        return ()
    several = present if isinstance(present, tuple) else (present,)
    if element in several:
        return ()
    aliases[key] = _ordered([*several, element])
    return several


def _ordered(elements: Iterable[Element]) -> tuple[Element, ...]:
    """Each element once, by reference."""
    return tuple(dict(sorted((element.reference, element) for element in elements)).values())


def _hash(elements: Iterable[Element]) -> str:
    """First 16 hexadecimal digits of the SHA-256 of all elements, in order of reference."""
    digest = hashlib.sha256()
    encode = msgspec.msgpack.Encoder().encode
    for element in elements:
        digest.update(encode(element))
    return digest.hexdigest()[:16]


def _problem(sentence: str, place: Place, hint: str = "") -> RuleError:
    file, line, column = place
    return RuleError(sentence, code=Code.WRONG_ELEMENT, file=file, line=line, column=column, hint=hint)
