"""What conditions on numbers and on addresses say of each other.

Nothing here knows texts: where a condition on another kind of value decides, the answer is None.
"""

from __future__ import annotations

import math
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tocsin.rules.conditions import Condition

    Network = IPv4Network | IPv6Network

BOUNDS = frozenset({"gt", "gte", "lt", "lte"})


class Span(Struct, frozen=True):
    """The numbers between two bounds; each is the number, and 1 where it is just above, -1 where it is just below."""

    low: tuple[float, int]
    high: tuple[float, int]


def within(given: Sequence[Condition], bound: Condition) -> bool | None:
    """Tell whether all numbers that some conditions allow are on the right side of a bound."""
    if not _of(given, BOUNDS):
        return None
    inner, outer = _span(given), _span([bound])
    return (outer.low <= inner.low and inner.high <= outer.high) or _unless(given, BOUNDS)


def apart(given: Sequence[Condition], bound: Condition) -> bool:
    """Tell whether surely no number that some conditions allow is on the right side of a bound."""
    return contradict([*given, bound]) and bool(_of(given, BOUNDS))


def contradict(conditions: Iterable[Condition]) -> bool:
    """Tell whether no number is between the bounds."""
    span = _span(conditions)
    return span.low > span.high


def inside(given: Sequence[Condition], networks: Sequence[Network]) -> bool | None:
    """Tell whether all addresses that some conditions allow are in one of the networks."""
    merged = _merged(networks)
    for condition in _of(given, {"cidr"}):
        if all(any(_is_part(inner, outer) for outer in merged) for inner in _merged(condition.operand)):
            return True
    return _unless(given, {"cidr"}) if _of(given, {"cidr"}) else None


def outside(given: Sequence[Condition], networks: Sequence[Network]) -> bool:
    """Tell whether surely no address that some conditions allow is in any of the networks."""
    return any(
        not any(inner.overlaps(outer) for inner in condition.operand for outer in networks)
        for condition in _of(given, {"cidr"})
    )


def _of(conditions: Iterable[Condition], operators: Iterable[str]) -> list[Condition]:
    return [condition for condition in conditions if condition.operator in operators]


def _unless(given: Sequence[Condition], operators: Iterable[str]) -> bool | None:
    """No, unless another condition may leave out what would show it."""
    return False if len(_of(given, operators)) == len(given) else None


def _span(conditions: Iterable[Condition]) -> Span:
    low, high = (-math.inf, 0), (math.inf, 0)
    for condition in conditions:
        match condition.operator:
            case "gt" | "gte":
                low = max(low, (condition.operand, int(condition.operator == "gt")))
            case "lt" | "lte":
                high = min(high, (condition.operand, -int(condition.operator == "lt")))
    return Span(low, high)


def _merged(networks: Iterable[Network]) -> list[Network]:
    fours = [network for network in networks if isinstance(network, IPv4Network)]
    sixes = [network for network in networks if isinstance(network, IPv6Network)]
    return [*collapse_addresses(fours), *collapse_addresses(sixes)]


def _is_part(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and outer.supernet_of(inner)  # type: ignore[arg-type]
