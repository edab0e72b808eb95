"""What Alertmanager and Grafana tell a paging service of a group of alerts: a text, or JSON, with the labels of each.

A group is one problem there, so only what all its alerts say alike tells something of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.sources import _read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = "Labels:"
_ENTRY = " - "
_MAX_LINES = 2_000


def labels(*told: Any) -> dict[str, str]:
    """The labels that all alerts of a group share.

    Args:
        told: the texts that list its alerts, with ` - name = value` lines below `Labels:`; or lists of such alerts.
    """
    shared: dict[str, str] | None = None
    for one in (one for value in told for one in _alerts(value)):
        shared = one if shared is None else {name: text for name, text in shared.items() if one.get(name) == text}
    return shared or {}


def _alerts(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, str) and _BLOCK in value:
        yield from _blocks(value.split("\n", _MAX_LINES)[:_MAX_LINES])
    elif isinstance(value, list):
        for alert in value:
            if isinstance(alert, dict) and isinstance(found := alert.get("labels"), dict):
                yield {name: _read.text(text) for name, text in found.items() if not isinstance(text, (dict, list))}


def _blocks(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    block: dict[str, str] | None = None
    for line in lines:
        if line.strip() == _BLOCK:
            if block:
                yield block
            block = {}
        elif block is not None:
            name, equals, text = line.partition(" = ")
            if equals and name.startswith(_ENTRY):
                block[name[len(_ENTRY) :]] = text
            else:
                yield block
                block = None
    if block:
        yield block
