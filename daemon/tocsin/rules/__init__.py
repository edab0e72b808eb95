"""The rules that operations teams edit: read strictly, compiled once, applied in microseconds.

The public face: `load` and `build` make a `RuleSet` or raise `RulesError` with all that is wrong; `engine.decide` says
what a rule set wants done with an alert; `json_schema` is what editors know of a rule file.
"""

from __future__ import annotations

from tocsin.rules.loader import build, load
from tocsin.rules.problems import RulesError
from tocsin.rules.rule import Rule, RuleSet
from tocsin.rules.schema import json_schema

__all__ = ["Rule", "RuleSet", "RulesError", "build", "json_schema", "load"]
