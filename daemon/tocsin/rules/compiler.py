"""Makes rules of what a file says: conditions, templates, tables, policies.

Knows the schema and what rules are made of. Everything that is wrong is noted with its place; nothing here raises.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar, assert_never

from tocsin.errors import RuleError
from tocsin.model import LANGUAGES, Action, Flap, Impact, Policy, Severity, Status
from tocsin.rules import conditions, texts
from tocsin.rules.choices import ByName, ByTable, Constant, ImpactChoice
from tocsin.rules.facts import OF_ALERT, OF_TICKET, ELEMENT_FIELDS, value
from tocsin.rules.fields import FIELDS, is_field
from tocsin.rules.rule import Declaration, Rule, Where
from tocsin.rules.schema import Close, ElementTable, HoldByImpact, ImpactBy, ImpactTable, Lookup
from tocsin.rules.shapes import Languages
from tocsin.rules.tables import Cell, Table
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.rules import schema
    from tocsin.rules.choices import ElementChoice
    from tocsin.rules.facts import Facts
    from tocsin.rules.rule import Localised
    from tocsin.rules.template import Template, Templates
    from tocsin.yaml12 import Path, Positions
