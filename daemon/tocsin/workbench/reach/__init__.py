"""Rules that can never be reached, because earlier ones take all that they would match.

`verdicts` compares rules, `implication` conditions, `automata` expressions; none of them is used while alerts are
decided.
"""

from __future__ import annotations

from tocsin.workbench.reach.verdicts import Verdict, unreachable

__all__ = ["Verdict", "unreachable"]
