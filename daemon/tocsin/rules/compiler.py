"""Makes a rule of what a file says: conditions, templates, policies.

Knows the schema and what rules are made of. Everything that is wrong is noted with its place; nothing raises, so that
all of it is found at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tocsin.errors import Code
from tocsin.model import LANGUAGES, Action
from tocsin.rules import conditions, declaring, grammar, policies, texts
from tocsin.rules.facts import OF_ALERT, OF_TICKET
from tocsin.rules.rule import Declaration, Rule, Where
from tocsin.rules.schema import Lifetime
from tocsin.rules.shapes import Languages
from tocsin.rules.wrong import Wrong
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tocsin.errors import RuleError
    from tocsin.rules import schema
    from tocsin.rules.conditions import Condition
    from tocsin.rules.rule import Localised
    from tocsin.rules.tables import Columns
    from tocsin.rules.template import Template, Templates
    from tocsin.yaml12 import Path, Positions

T = TypeVar("T")

RESERVED = OF_TICKET | {"rule"} | grammar.FUNCTIONS
"""What a capture cannot be called."""
DEFAULT_KEY = ("element", "check")
_ONLY_TICKETS = ("element", "impact", "ticket", *Lifetime.model_fields)
"""The keys that only a rule that declares has."""

_NAMES = {
    "en": "{{ resource }}: {{ check }} ({{ severity }})",
    "fr": "{{ resource }} : {{ check }} ({{ severity|fr }})",
}
_DESCRIPTIONS = {
    "en": "{{ summary }}\n{{ description }}\n\nSource: {{ source }}\nResource: {{ resource }}\nCheck: {{ check }}\n"
    "Severity: {{ severity }}\nSince: {{ starts_at }}\n{{ url }}",
    "fr": "{{ summary }}\n{{ description }}\n\nSource : {{ source }}\nRessource : {{ resource }}\nContrôle : {{ check }}\n"
    "Gravité : {{ severity|fr }}\nDepuis : {{ starts_at }}\n{{ url }}",
}
_LONGEST = {"name": texts.NAME, "description": texts.DESCRIPTION}


@dataclass(slots=True)
class Shop:
    """What the rules of all files are made with, and what was found wrong so far."""

    templates: Templates
    columns: Columns
    backends: frozenset[str]
    errors: list[RuleError] = field(default_factory=list)
    warnings: list[RuleError] = field(default_factory=list)

    def check_told(self, written: schema.Lifetime, life: schema.Lifetime, positions: Positions, path: Path) -> None:
        """Note what is wrong with the backends of a rule or of a file's defaults.

        `written` is what stands at `path`; `life` says it together with the defaults.
        """
        self._check_backend(written.backend, positions, (*path, "backend"))
        for number, name in enumerate(written.inform or ()):
            here = (*path, "inform", number)
            self._check_backend(name, positions, here)
            if name in (written.inform or ())[:number]:
                self._contradicts(f'"{name}" is informed already: name it once', positions, here)
        if life.backend is not None and life.backend in (life.inform or ()):
            sentence = f'"{life.backend}" gets the ticket itself: leave it out of "inform"'
            own = "inform" if written.inform else "backend"
            self._contradicts(sentence, positions, (*path, own))

    def _contradicts(self, sentence: str, positions: Positions, path: Path) -> None:
        self.errors.append(positions.problem(sentence, path, code=Code.CONTRADICTION))

    def _check_backend(self, backend: str | None, positions: Positions, path: Path) -> None:
        """Note a backend that the settings do not have; where they are not known, any will do."""
        if backend is not None and self.backends and backend not in self.backends:
            hint = nearest(backend, self.backends) or f"there are {', '.join(sorted(self.backends))}"
            sentence = f'no backend is called "{backend}"'
            self.errors.append(positions.problem(sentence, path, hint=hint, code=Code.UNKNOWN_NAME))


class Compiler:
    """Makes one rule."""

    def __init__(self, shop: Shop, positions: Positions, path: Path, defaults: schema.Lifetime) -> None:
        self._shop = shop
        self._positions = positions
        self._path = path
        self._defaults = defaults
        self._captures: frozenset[str] = frozenset()

    def rule(self, written: schema.Rule) -> Rule | None:
        """Return the rule; None, after noting why, when something is wrong with it."""
        before = len(self._shop.errors)
        tested = conditions.compiled(written.match)
        self._captures = self._captured(tested)
        where = self._where(written.where) if written.where else None
        action = Action(written.action)
        declaration = self._declaration(written) if action == Action.TICKET else None
        if action != Action.TICKET:
            self._check_nothing(written)
        if len(self._shop.errors) > before:
            return None
        return Rule(
            id=written.id,
            title=written.title or "",
            file=self._positions.file,
            line=self._positions.of(self._path)[0],
            action=action,
            conditions=tested,
            where=where,
            declaration=declaration,
        )

    def _captured(self, tested: tuple[Condition, ...]) -> frozenset[str]:
        """The names of all captures, each checked."""
        captured: set[str] = set()
        for condition in tested:
            for name, _ in condition.regex.groups if condition.regex else ():
                if name in RESERVED or name in captured:
                    why = "is what a variable is called already" if name in RESERVED else "is captured twice"
                    sentence = f'"{name}" {why}: choose another name'
                    path = ("match", condition.field, "regex")
                    self._note(Wrong(sentence, *path, code=Code.CONTRADICTION, word=name))
                captured.add(name)
        return frozenset(captured)

    def _where(self, expression: str) -> Where | None:
        template = self._made(
            lambda: self._shop.templates.expression("where", expression, OF_ALERT, self._captures), "where"
        )
        shown = tuple(name for name in sorted(self._captures) if name in expression)
        return Where(expression, template, shown) if template else None

    def _check_nothing(self, written: schema.Rule) -> None:
        """A rule that declares nothing says nothing about tickets."""
        for name in _ONLY_TICKETS:
            if name in written.model_fields_set:
                sentence = f'a rule whose action is {written.action} has no "{name}": remove it'
                self._note(Wrong(sentence, name, key=True, code=Code.CONTRADICTION))

    def _declaration(self, written: schema.Rule) -> Declaration | None:
        if written.element is None or written.impact is None:
            missing = "element" if written.element is None else "impact"
            hint = "a rule that declares nothing says `action: record` or `action: ignore`"
            self._note(Wrong(f'the key "{missing}" is missing: a ticket needs one', hint=hint, code=Code.MISSING_KEY))
            return None
        said = (written.element, written.impact)
        life = policies.inherited(written, self._defaults)
        columns, captures = self._shop.columns, self._captures
        self._shop.check_told(written, life, self._positions, self._path)
        element = self._made(lambda: declaring.element(said[0], self._lookup, columns, captures))
        impact = self._made(lambda: declaring.impact(said[1], columns, captures))
        key = self._made(lambda: declaring.key(life.key or DEFAULT_KEY, written.id, captures))
        name = self._texts(written, "name", _NAMES)
        description = self._texts(written, "description", _DESCRIPTIONS)
        if element is None or impact is None or key is None:
            return None
        return Declaration(element, impact, key, policies.by_impact(life), name, description)

    def _lookup(self, source: str) -> Template:
        return self._shop.templates.template("element.lookup", source, OF_ALERT, self._captures)

    def _texts(self, written: schema.Rule, what: str, default: Mapping[str, str]) -> Localised:
        said = getattr(written.ticket, what, None)
        if isinstance(said, str):
            sources = {LANGUAGES[0]: said}
            path: Path = ("ticket", what)
        else:
            given = said.model_dump(exclude_none=True) if isinstance(said, Languages) else default
            sources, path = dict(given), ("ticket", what, "")
            self._check_languages(what, sources)
        made = ((language, self._text(what, language, source, path)) for language, source in sources.items())
        return tuple((language, template) for language, template in made if template)

    def _check_languages(self, what: str, sources: Mapping[str, str]) -> None:
        """One text for all languages is a choice; one language of two is half a translation."""
        for missing in (language for language in LANGUAGES if language not in sources):
            sentence = f"the ticket's {what} is missing in {missing}: it gets the {'/'.join(sources)} text"
            hint = "one text without a language is for all of them"
            self._warn(sentence, ("ticket", what), Code.LANGUAGE_MISSING, hint)

    def _text(self, what: str, language: str, source: str, path: Path) -> Template | None:
        path = tuple(step or language for step in path)
        if (length := grammar.literal_length(source)) > _LONGEST[what]:
            sentence = f"a ticket's {what} has at most {_LONGEST[what]} characters, these are {length}: it will be cut"
            self._warn(sentence, path, Code.TEXT_TOO_LONG)
        make = self._shop.templates.template
        return self._made(lambda: make(f"ticket.{what}.{language}", source, OF_TICKET, self._captures), *path)

    def _made(self, make: Callable[[], T], *path: str | int) -> T | None:
        """What `make` returns; None, after noting why, when it refuses."""
        try:
            return make()
        except Wrong as wrong:
            self._note(wrong.at(*path))
        return None

    def _note(self, wrong: Wrong) -> None:
        path = (*self._path, *wrong.path)
        self._shop.errors.append(
            self._positions.problem(
                wrong.problem, path, key=wrong.key, hint=wrong.hint, code=wrong.code, word=wrong.word
            )
        )

    def _warn(self, sentence: str, path: Path, code: Code, hint: str = "") -> None:
        self._shop.warnings.append(self._positions.problem(sentence, (*self._path, *path), code=code, hint=hint))
