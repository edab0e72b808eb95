"""A rule under way: its conditions, what it declares, and its text with samples and tests.

Knows the language that rule files are written in; whether the rule is right is shown elsewhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from tocsin import rules
from tocsin.model import Alert, Element, Impact, Severity
from tocsin.workbench.unmapped.writing import comment, mapping, one_or_list, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.rules import Rule

IMPACTS: Final = {Severity.CRITICAL: Impact.INTERRUPTED, Severity.MAJOR: Impact.SEVERE, Severity.INFO: Impact.NONE}
"""What is proposed for a severity; people know better."""
ELSE: Final = Impact.DEGRADED

_SLUG = 40
_TITLE = 80
_FALLBACK = "fallback: {action: record}\n"
_NAME = "rule.yaml"


class Draft(Struct, frozen=True, kw_only=True):
    """A rule as it will be written."""

    id: str
    title: str
    match: dict[str, str]
    """Field → its condition, as YAML."""
    lookup: str = "resource"
    """The variable that names the element."""

    def lines(self) -> Iterator[str]:
        """The rule's own lines."""
        yield f"  - id: {text(self.id)}"
        yield f"    title: {text(self.title)}"
        yield "    match:"
        yield from (f"      {text(field)}: {condition}" for field, condition in self.match.items())
        yield f"    element: {{lookup: '{{{{ {self.lookup} }}}}', missing: quarantine, ambiguous: quarantine}}"
        impacts = ", ".join(f"{severity}: {impact}" for severity, impact in IMPACTS.items())
        yield f"    impact: {{by: severity, {impacts}, else: {ELSE}}}"
        yield "    ticket:"
        yield "      name: {en: '{{ check }} on {{ element.name }}', fr: '{{ check }} sur {{ element.name }}'}"

    def rule(self) -> Rule:
        """The rule alone, compiled. Raises RulesError when it is none."""
        return rules.build({_NAME: "\n".join(["rules:", *self.lines(), _FALLBACK])}).rules[0]


class Example(Struct, frozen=True, kw_only=True):
    """What the tests of a rule show."""

    alert: Alert
    severities: tuple[Severity, ...]
    """Those that are tested; the alert's own is one of them."""
    element: Element | None
    """What the alert's ticket is declared on; None while the fleet does not know it."""
    labels: tuple[str, ...] = ()
    """Those of the alert that the rule needs."""


def whole(draft: Draft, example: Example, remarks: Iterable[str], head: str = "") -> str:
    """Return the text of a file with one rule, its sample and its tests.

    Args:
        draft: the rule.
        example: what its tests show.
        remarks: comments before it, each one sentence.
        head: a first line that rule files have.
    """
    lines = [*([head, "#"] if head else []), *map(comment, remarks), "rules:", *draft.lines()]
    if all(_said(example.alert).values()):
        lines += ["", *_sample(example), "", *_tests(draft, example)]
    return "\n".join(lines) + "\n"


def _said(alert: Alert) -> dict[str, str]:
    fields = ("source", "severity", "resource", "check", "summary")
    return {field: str(getattr(alert, field)) for field in fields}


def _sample(example: Example) -> Iterator[str]:
    yield "samples:"
    yield "  example:"
    yield from (f"    {field}: {text(value)}" for field, value in _said(example.alert).items())
    if example.labels:
        yield f"    labels: {mapping({name: example.alert.labels[name] for name in example.labels})}"


def _tests(draft: Draft, example: Example) -> Iterator[str]:
    yield "tests:"
    if example.element is None:
        yield "  - name: the rule takes such an alert"
        yield "    alerts:"
        yield "      - {at: 0s, use: example}"
        yield f"    expect: {{at: 1m, rule: {text(draft.id)}}}"
        return
    for severity in example.severities:
        own = severity == example.alert.severity
        yield f"  - name: such an alert that is {severity} makes a ticket"
        yield "    alerts:"
        yield f"      - {{at: 0s, use: example{'' if own else f', severity: {severity}'}}}"
        expected = f"tickets: 1, rule: {text(draft.id)}, element: {text(example.element.reference)}"
        yield f"    expect: {{at: 1m, {expected}, impact: {IMPACTS.get(severity, ELSE)}}}"


def slug(said: str) -> str:
    """Return an id made of what was said; empty when nothing of it can be in one."""
    return re.sub(r"[^a-z0-9]+", "-", said.lower())[:_SLUG].strip("-")


def title(said: str) -> str:
    """Return a title of one short line."""
    line = " ".join(said.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"


def regex(expression: str) -> str:
    """Return the condition that a field has a regular expression in it."""
    return f"{{regex: {text(expression)}}}"


def equality(values: Iterable[str]) -> str:
    """Return the condition that a field is one of some texts."""
    return one_or_list(values)
