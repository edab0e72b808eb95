"""Rule sets of earlier times, made again from the files that the store keeps of each.

Knows only how to build and to remember a few of them; what they decide is asked of them by others.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from tocsin import rules
from tocsin.errors import RuleError

if TYPE_CHECKING:
    from tocsin.rules import RuleSet
    from tocsin.store.telling import KeptRules


class RuleSets:
    """Rule sets by hash; the few that were asked for last stay in memory."""

    def __init__(self, kept: int = 4) -> None:
        self._kept = kept
        self._made: OrderedDict[str, RuleSet | RuleError] = OrderedDict()

    def of(self, kept: KeptRules) -> RuleSet | RuleError:
        """The rule set as it was, or why this version of tocsin can no longer read it."""
        made = self._made.pop(kept.hash, None) or _make(kept)
        self._made[kept.hash] = made
        while len(self._made) > self._kept:
            self._made.popitem(last=False)
        return made


def _make(kept: KeptRules) -> RuleSet | RuleError:
    try:
        return rules.build(kept.files)
    except RuleError as error:
        return error
