"""Templates and expressions: MiniJinja, compiled when loaded, rendered in microseconds, never able to harm.

A template of texts and plain `{{ variables }}` is not worth an engine: it is filled in directly, with the same result.
Knows nothing of rules.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from minijinja import Environment, TemplateError

from tocsin.errors import Code, TocsinError
from tocsin.model import Alert, Element, Impact, Severity, Status
from tocsin.rules import grammar
from tocsin.rules.facts import AbsentError, Facts, attribute, no_label, variable
from tocsin.rules.wrong import Wrong
from tocsin.wording import IMPACT_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    Getter = Callable[[Facts], object]

FUEL = 20_000
"""Steps that one rendering may take."""
GROWN = 65_536
"""Longest text that a rendering may give, in characters; the ticket's own limits are far below."""

_ENDLESS = f"it takes more than {FUEL} steps"
_ENORMOUS = f"it gives more than {GROWN} characters"
_IF = "{% if "
"""What stands before an expression."""
_PLAINEST = Alert(
    source="x",
    fingerprint="x",
    status=Status.FIRING,
    severity=Severity.INFO,
    resource="x",
    check="x",
    summary="x",
)
_ANYTHING = Element(reference="x", name="x")
_THEN = datetime(2026, 1, 1, tzinfo=UTC)

FRENCH = {
    "critical": "critique",
    "major": "majeure",
    "minor": "mineure",
    "warning": "avertissement",
    "info": "information",
    "firing": "en cours",
    "resolved": "résolue",
} | {impact.value: words["fr"] for impact, words in IMPACT_WORDS.items()}
"""Severities, states of an alert and impacts, for the filter `fr`."""

_LABEL = re.compile(r"\blabels\.([A-Za-z_]\w*)\b(?!\s*\|\s*d(?:efault)?\b)")
"""A label that a template counts on."""
_DELIMITER = re.compile(r"\{[{%#]|[}%#]\}|\{\Z")
"""What makes a piece of text more than text; before a variable, even a lone brace does."""
_VARIABLE = re.compile(r"\{\{ ?([a-z_]\w*(?:\.[A-Za-z_]\w*)?)( ?\| ?fr)? ?\}\}")


class RenderError(TocsinError):
    """A template that cannot be filled in for this alert; the sentence says which and why."""


class Template(Protocol):
    """What makes a text of the facts about an alert."""

    source: str

    def render(self, facts: Facts) -> str:
        """Return the text.

        Raises:
            RenderError: a variable is absent, or the template fails or goes beyond its limits.
        """


class Templates:
    """All templates of one rule set, in one environment; the same source is compiled once."""

    def __init__(self) -> None:
        self._env = Environment(
            undefined_behavior="strict",
            fuel=FUEL,
            auto_escape_callback=lambda _name: False,
            pycompat=False,
            debug=False,
            filters={"fr": french},
        )
        self._sources: dict[str, str] = {}
        self._made: dict[tuple[str, str, frozenset[str], frozenset[str]], Template] = {}

    def template(self, name: str, source: str, known: frozenset[str], captures: frozenset[str]) -> Template:
        """Compile a template.

        Args:
            name: what errors call it.
            source: its text.
            known: the variables it may use beside the captures.
            captures: the rule's captures.

        Raises:
            Wrong: it cannot be read, uses what is not known, or never ends.
        """
        which = (name, source, known, captures)
        if which not in self._made:
            try:
                self._made[which] = self._template(*which)
            except Wrong as wrong:
                raise grammar.placed(wrong, source) from None
        return self._made[which]

    def expression(self, name: str, expression: str, known: frozenset[str], captures: frozenset[str]) -> Template:
        """Compile an expression; what it renders is empty when the expression is false."""
        if _DELIMITER.search(expression):
            hint = "such as count|int > 20"
            raise Wrong("an expression is written without braces", hint=hint, code=Code.WRONG_TEMPLATE)
        return self.template(name, f"{_IF}{expression} %}}true{{% endif %}}", known, captures)

    def _template(self, name: str, source: str, known: frozenset[str], captures: frozenset[str]) -> Template:
        if len(source) > grammar.LONGEST:
            raise Wrong(f"a template of more than {grammar.LONGEST} characters: shorten it", code=Code.TOO_LARGE)
        texts, used = _turns(source)
        if not any(_DELIMITER.search(text) for text in texts):
            grammar.check_names([name for name, _ in used], known | captures)
            return _Plain(name, source, texts, [_reading(read, fr, captures) for read, fr in used])
        names = self._names(source)
        grammar.check_code(source, names, known | captures)
        heads = {used.partition(".")[0] for used in names} - grammar.FUNCTIONS
        variables = [(head, variable(head, captures)) for head in sorted(heads)]
        full = _Full(name, source, self._env, self._compiled(source), variables)
        if "for" in source:
            full.probe(captures)
        return full

    def _names(self, source: str) -> set[str]:
        try:
            return self._env.undeclared_variables_in_str(source, nested=True)
        except TemplateError as error:
            start, end = error.range or (0, 0)
            word = source.encode()[start:end].decode("utf-8", "replace").strip()
            before = source.removeprefix(_IF).count(
                word, 0, max(0, start - len(source) + len(source.removeprefix(_IF)))
            )
            line = f" in its line {error.line}" if error.line and error.line > 1 else ""
            said = f"this cannot be read: {error.detail or error.message}{line}"
            raise Wrong(said, code=Code.WRONG_TEMPLATE, word=word, before=before) from None

    def _compiled(self, source: str) -> str:
        """The name under which the environment has a source."""
        if source not in self._sources:
            self._sources[source] = str(len(self._sources))
            self._env.add_template(self._sources[source], source)
        return self._sources[source]


def french(word: object) -> str:
    """Return a severity, a state of an alert or an impact in French; any other word as it is."""
    return FRENCH.get(str(word), str(word))


class _Plain:
    """Texts and plain variables in turn."""

    __slots__ = ("_form", "_getters", "name", "source")

    def __init__(self, name: str, source: str, texts: list[str], getters: list[Getter]) -> None:
        self.name = name
        self.source = source
        self._form = "%s".join(text.replace("%", "%%") for text in texts)
        self._getters = getters

    def render(self, facts: Facts) -> str:
        try:
            return self._form % tuple([get(facts) for get in self._getters])
        except AbsentError as error:
            raise RenderError(f"{self.name}: {error}") from None


class _Full:
    """Everything else, by MiniJinja."""

    __slots__ = ("_compiled", "_env", "_variables", "name", "source")

    def __init__(
        self, name: str, source: str, env: Environment, compiled: str, variables: list[tuple[str, Getter]]
    ) -> None:
        self.name = name
        self.source = source
        self._env = env
        self._compiled = compiled
        self._variables = variables

    def render(self, facts: Facts) -> str:
        try:
            text = self._env.render_template(self._compiled, **{name: get(facts) for name, get in self._variables})
        except TemplateError as error:
            raise RenderError(f"{self.name}: {self._why(error, facts)}") from None
        except (AttributeError, TypeError) as error:  # raised by our own objects when a template calls them
            raise RenderError(f"{self.name}: {error}") from None
        if len(text) > GROWN:
            raise RenderError(f"{self.name}: {_ENORMOUS}")
        return text

    def probe(self, captures: frozenset[str]) -> None:
        """Refuse a template whose loops do not end, or give too much, for the plainest alert there is.

        Raises:
            Wrong: it is so; what depends on the alert is found when the alert comes.
        """
        facts = Facts(_PLAINEST, dict.fromkeys(captures, "1"), _THEN, _ANYTHING, Impact.NONE)
        try:
            self.render(facts)
        except RenderError as error:
            said = str(error).removeprefix(f"{self.name}: ")
            if said in (_ENDLESS, _ENORMOUS):
                hint = "loop over fewer values, and not inside another loop"
                raise Wrong(said, hint=hint, code=Code.ENDLESS_TEMPLATE) from None

    def _why(self, error: TemplateError, facts: Facts) -> str:
        if error.kind == "OutOfFuel":
            return _ENDLESS
        start, end = error.range or (0, 0)
        place = self.source.encode()[start:end].decode("utf-8", "replace")
        if error.kind == "UndefinedError":
            counted_on = _LABEL.findall(place) or _LABEL.findall(self.source)
            absent = (name for name in counted_on if name not in facts.alert.labels)
            return next((no_label(name) for name in absent), f"{place or 'a variable'} is not there")
        return f"{error.detail or error.kind} at {place}" if place else f"{error.detail or error.kind}"


def _turns(source: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """The texts of a template and, between them, its plain variables, each with whether it is wanted in French."""
    pieces = _VARIABLE.split(source.removesuffix("\n").removesuffix("\r"))
    return pieces[::3], list(zip(pieces[1::3], map(bool, pieces[2::3]), strict=True))


def _reading(name: str, in_french: bool, captures: frozenset[str]) -> Getter:  # noqa: FBT001 - one of a pair
    read = attribute(name, captures)
    return (lambda facts: french(read(facts))) if in_french else read
