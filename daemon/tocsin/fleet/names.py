"""What a name can be: a host name, an address, a block of addresses, a glob, a URL.

Pure text work for aliases and for the names that alerts carry. Knows nothing of elements.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network

_LONGEST = 64
_MAPPED = 96
_GLOB = re.compile(r"[*?]")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_IPV6 = re.compile(r"\[?(?P<address>[0-9a-fA-F]*:[0-9a-fA-F.:]+)(?:%[^\]/]*)?\]?")
_BLOCK = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){1,3}|[0-9a-fA-F.]*:[0-9a-fA-F.:]*)/[0-9]{1,3}")
_HOST = re.compile(
    r"(?:[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/?#@]*@)?(?P<url>\[[^\]/?#]*\]|[^:/?#]*).*)"
    r"|(?P<plain>\[[^\]/?#]*\]|[^:/?#\s]+):[0-9]{1,5}",
    re.DOTALL,
)
_FQDN = re.compile(r"(?P<label>[^.:/\s]+)\.[^:/\s]+")


def address(name: str) -> Address | None:
    """Return the IP address a name is, or None. Brackets and zones are dropped; IPv4 mapped into IPv6 becomes IPv4."""
    try:
        if _IPV4.fullmatch(name):
            return IPv4Address(name)
        if (shaped := _IPV6.fullmatch(name)) and len(name) <= _LONGEST:
            found = IPv6Address(shaped["address"])
            return found.ipv4_mapped or found
    except AddressValueError:
        return None
    return None


def block(alias: str) -> Block | None:
    """Return the CIDR block an alias is, or None when it is none.

    Raises:
        ValueError: it has a block's shape and is no valid one; the sentence says what to write.
    """
    if _BLOCK.fullmatch(alias) is None:
        return None
    try:
        found = ip_network(alias, strict=False)
    except ValueError:
        raise ValueError(f'"{alias}" is no block of addresses: write one such as 192.0.2.0/24') from None
    if ip_address(alias.partition("/")[0]) != found.network_address:
        raise ValueError(f'"{alias}" is an address inside a block: write {found}')
    return _plain(found)


def _plain(found: Block) -> Block:
    """A block of IPv4 addresses mapped into IPv6 as the IPv4 block it is, because `address` does the same."""
    inside = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if inside is None or found.prefixlen < _MAPPED:
        return found
    return IPv4Network((inside, found.prefixlen - _MAPPED))


def is_glob(alias: str) -> bool:
    """Tell whether an alias is a pattern: it has a `*` (any text) or a `?` (any one character)."""
    return _GLOB.search(alias) is not None


def glob_pattern(alias: str) -> str:
    """Return the RE2 pattern of a glob, for names as `key` spells them."""
    literal = {"*": ".*", "?": "."}
    return "(?s)" + "".join(literal.get(part, re.escape(part)) for part in re.split(r"([*?])", key(alias)))


def key(name: str) -> str:
    """Return the one spelling under which a name is looked up: addresses normalised, host names in lower case."""
    return spelling(name)[0]


def spelling(name: str) -> tuple[str, Address | None]:
    """Return a name's key, and the address it is, if it is one."""
    if (found := address(name)) is not None:
        return str(found), found
    return name.lower().removesuffix(".") or name, None


def host(name: str) -> str:
    """Return the host inside `host:port` or `https://host/path`, or nothing when the name has no such form."""
    found = _HOST.fullmatch(name)
    return (found["url"] or found["plain"] or "") if found else ""


def first_label(name: str) -> str:
    """Return the first label of a fully qualified name that is no address; nothing when it is not qualified."""
    found = _FQDN.fullmatch(name)
    return found["label"] if found else ""
