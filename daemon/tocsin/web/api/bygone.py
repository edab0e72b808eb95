"""Rule sets for those who look: the live one without the paths of this machine, and those that decided earlier.

The live one is at hand; of the others the last ones asked for are kept.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from tocsin.workbench.explaining import RuleSets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.errors import RuleError
    from tocsin.rules import RuleSet
    from tocsin.store.telling import KeptRules


class Bygone:
    """The rule sets that are kept between requests; one thread at a time."""

    def __init__(self, folder: str) -> None:
        """`folder` is what is left out at the beginning of a rule's file."""
        self._folder = folder
        self._lock = Lock()
        self._kept = _Seeded()

    def live(self, rule_set: RuleSet) -> RuleSet:
        """The live rule set, its files named without their folder."""
        shown = self._kept.live
        if shown is None or shown.hash != rule_set.hash:
            rules = (replace(rule, file=rule.file.removeprefix(self._folder)) for rule in rule_set.rules)
            self._kept.live = shown = replace(rule_set, rules=tuple(rules))
        return shown

    @contextmanager
    def beside(self, live: RuleSet) -> Iterator[RuleSets]:
        """All rule sets, beside the live one, which is never built again."""
        with self._lock:
            self.live(live)
            yield self._kept


class _Seeded(RuleSets):
    """The kept ones, and one that is there already."""

    def __init__(self) -> None:
        super().__init__()
        self.live: RuleSet | None = None

    def of(self, kept: KeptRules) -> RuleSet | RuleError:
        """The rule set as it was."""
        live = self.live
        return live if live is not None and live.hash == kept.hash else super().of(kept)
