"""Regular expressions, globs and networks: what a text can be compared with.

Regular expressions are RE2's only, so that no alert can make one slow; they are searched anywhere in the text. A glob
(`*` any text, `?` one character) must fit all of it. Knows nothing of alerts.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import re2

from tocsin.errors import Code
from tocsin.rules.wrong import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LONGEST = 2_000
"""Longest regular expression, in characters."""

_PORT = re.compile(r":\d+\Z")

_HINTS = {
    "invalid perl operator": "RE2 looks neither ahead nor behind: match what is there, and let `not: {regex: …}` or "
    "`where:` exclude the rest",
    "invalid escape sequence": "RE2 knows no back-references: compare captures in `where:`",
    "missing )": "close the parenthesis, or write \\( for the sign itself",
    "unexpected )": "open the parenthesis, or write \\) for the sign itself",
    "missing ]": "close the bracket, or write \\[ for the sign itself",
    "no argument for repetition operator": "write \\ before a sign that is meant as itself",
    "invalid repetition size": "repeat at most 1000 times",
    "invalid named capture group": "a capture is written (?P<name>…)",
    "duplicate capture group name": "give each capture its own name",
}
"""What to do about what RE2 says."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def checked(regex: str) -> str:
    """Return a regular expression as it is.

    Raises:
        ValueError: RE2 cannot compile it; the sentence says why.
    """
    if len(regex) > LONGEST:
        sentence = f"a regular expression of more than {LONGEST} characters: shorten it"
        raise Wrong(sentence, code=Code.WRONG_REGEX)
    try:
        _compiled(regex)
    except re2.error as error:
        said = _said(error)
        word = said.rpartition(": ")[2]
        hint = next((hint for sign, hint in _HINTS.items() if sign in said), "")
        sentence = f"not a regular expression of RE2: {said}"
        raise Wrong(sentence, hint=hint, code=Code.WRONG_REGEX, word=word if word in regex else "") from None
    return regex


def from_globs(globs: Iterable[str]) -> str:
    """Return the regular expression that fits what one of the globs fits."""
    wild = {"*": ".*", "?": "."}
    fitting = ("".join(wild.get(sign) or re2.escape(sign) for sign in glob) for glob in globs)
    return rf"(?s)\A(?:{'|'.join(fitting)})\z"


class Regex:
    """One compiled regular expression."""

    __slots__ = ("_search", "groups")

    def __init__(self, regex: str) -> None:
        compiled = _compiled(regex)
        self._search = compiled.search
        self.groups: tuple[tuple[str, int], ...] = tuple(
            (name.decode(), number) for name, number in compiled.groupindex.items()
        )
        """The named captures, with their numbers."""

    def search(self, text: str) -> Any:
        """Return what was found, for `captures`; None when nothing was."""
        # On bytes: the wrapper for str spends twice the search on counting characters.
        return self._search(text.encode("utf-8", "replace"))

    def captures(self, found: Any) -> dict[str, str]:
        """Return each named capture's text; one that took no part is empty."""
        return {name: (found.group(number) or b"").decode("utf-8", "replace") for name, number in self.groups}


class Filter:
    """Many regular expressions, told in one pass over a text which of them could be found in it.

    RE2 extracts the literal texts that each needs and looks for all of those at once. A `re2.Set` answers exactly, but
    builds states for every new text: 1 ms each with 10 000 expressions, where this takes 4 µs.
    """

    __slots__ = ("_parts",)

    def __init__(self, regexes: Sequence[str]) -> None:
        self._parts: tuple[tuple[int, Callable[[bytes, bool], list[int] | None]], ...] = tuple(_filters(regexes, 0))

    def possible(self, text: str) -> list[int]:
        """Return the positions of all regexes that are in the text, and of some that are not."""
        encoded = text.encode("utf-8", "replace")
        if len(self._parts) == 1:
            return self._parts[0][1](encoded, True) or []  # noqa: FBT003 - not matches: candidates
        return [start + position for start, match in self._parts for position in match(encoded, True) or ()]  # noqa: FBT003


def network(text: object) -> IPv4Network | IPv6Network:
    """Return the network that a text such as `192.0.2.0/24` says.

    Raises:
        ValueError: it says none.
    """
    try:
        return ip_network(text if isinstance(text, str) else "")
    except ValueError as error:
        inside = isinstance(text, str) and "host bits" in str(error)
        hint = f"write {ip_network(str(text), strict=False)}" if inside else "write one such as 192.0.2.0/24"
        said = "is an address inside a network" if inside else "is no network"
        raise Wrong(f'"{text}" {said}', hint=hint) from None


def within(networks: Sequence[IPv4Network | IPv6Network]) -> Callable[[str], bool]:
    """Return the test whether a text is an IP address, with or without a port, in one of the networks."""

    def test(text: str) -> bool:
        host = _PORT.sub("", text) if text.count(":") == 1 or "]" in text else text
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            return False
        return any(address in network for network in networks)

    return test


def _filters(regexes: Sequence[str], start: int) -> list[tuple[int, Any]]:
    """RE2 gives a filter 8 MB for its literals; what needs more is halved."""
    if not regexes:
        return []
    filtering = re2.Filter()
    for regex in regexes:
        filtering.Add(regex, _OPTIONS)
    try:
        filtering.Compile()
    except re2.error:
        if len(regexes) == 1:
            return [(start, lambda _text, _potential: [0])]
        half = len(regexes) // 2
        return _filters(regexes[:half], start) + _filters(regexes[half:], start + half)
    return [(start, filtering.Match)]


def _compiled(regex: str) -> Any:
    return re2.compile(regex.encode("utf-8", "replace"), _OPTIONS)


def _said(error: Exception) -> str:
    """What RE2 says of an expression; its messages come as bytes."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return re.sub(r"\s+", " ", text)
