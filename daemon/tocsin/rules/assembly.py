"""Puts rule files together: their rules in order, one fallback, every id once, and all that is wrong with any of them.

Knows texts, not folders.
"""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from tocsin import yaml12
from tocsin.errors import Code, RuleError
from tocsin.model import Action
from tocsin.rules import index, messages, problems, schema, tables, timeline
from tocsin.rules.compiler import Compiler, Shop
from tocsin.rules.examples import Example
from tocsin.rules.rule import FALLBACK, Fallback, Rule, RuleSet
from tocsin.rules.template import Templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tocsin.rules.examples import Sample
    from tocsin.rules.tables import Table
    from tocsin.rules.timeline import RuleTest
    from tocsin.yaml12 import Path, Positions

M = TypeVar("M", bound=BaseModel)


class Assembly:
    """A rule set under way."""

    def __init__(self, files: Mapping[str, str], folder: str, backends: frozenset[str]) -> None:
        """Take name → text of all files, what to write before a file's name, and the backends there are."""
        self._files = MappingProxyType(dict(files))
        self._folder = folder
        self._errors: list[RuleError] = []
        self._warnings: list[RuleError] = []
        columns = tables.Columns({name: self._table(name) for name in files if _is_table(name)}, self._errors)
        self._shop = Shop(Templates(), columns, backends, self._errors, self._warnings)
        self._rules: list[Rule] = []
        self._tests: list[RuleTest] = []
        self._ids: dict[str, str] = {}
        self._used: set[str] = set()
        """The payloads that tests use."""
        self._fallback: Fallback | None = None

    def add(self, name: str) -> None:
        """Add one rule file: its rules are tried after those of the files before it."""
        try:
            data, positions = yaml12.read(self._files[name], self._folder + name)
        except RuleError as error:
            self._errors.append(error)
            return
        if isinstance(data, dict):
            self._add(data, positions)
        elif data is not None:
            self._errors.append(
                positions.problem("a rule file is a mapping: begin it with `rules:`", (), code=Code.SYNTAX)
            )

    def rule_set(self) -> RuleSet:
        """Return the finished rule set.

        Raises:
            RulesError: something is wrong; it holds all that is.
        """
        if self._fallback is None and not self._errors:
            sentence = "no file says what happens to an alert that no rule knows: add `fallback: {action: record}`"
            self._errors.append(RuleError(sentence, code=Code.FALLBACK, file=self._folder.rstrip("/")))
        if self._errors or self._fallback is None:
            raise problems.RulesError(self._errors)
        self._check_payloads()
        rules = tuple(self._rules)
        return RuleSet(
            hash=content_hash(self._files),
            files=self._files,
            rules=rules,
            fallback=self._fallback,
            tests=tuple(self._tests),
            warnings=tuple(self._warnings),
            index=index.build(rule.conditions for rule in rules),
        )

    def _table(self, name: str) -> Table | None:
        try:
            return tables.read(self._files[name], self._folder + name)
        except RuleError as error:
            self._errors.append(error)
            return None

    def _add(self, data: dict[str, Any], positions: Positions) -> None:
        # Rules and tests are checked one by one, so that a mistake in one hides nothing that is wrong with another.
        listed = {name: data[name] for name in ("rules", "tests") if isinstance(data.get(name), list)}
        head = self._valid(schema.RuleFile, data | {name: [] for name in listed}, positions, ()) or schema.RuleFile()
        self._shop.check_told(head.defaults, head.defaults, positions, ("defaults",))
        for number, written in enumerate(listed.get("rules", ())):
            self._add_rule(written, head.defaults, positions, ("rules", number))
        for number, written in enumerate(listed.get("tests", ())):
            self._add_test(written, head.samples, positions, ("tests", number))
        self._check_samples(head, listed.get("tests", ()), positions)
        if head.fallback:
            self._add_fallback(head.fallback, positions)

    def _add_rule(self, raw: Any, defaults: schema.Lifetime, positions: Positions, path: Path) -> None:
        written = self._valid(schema.Rule, raw, positions, path)
        if written is None:
            return
        if written.id in self._ids or written.id == FALLBACK:
            hint = f"the first is {self._ids.get(written.id, 'the fallback')}"
            sentence = f'the id "{written.id}" is taken'
            self._errors.append(positions.problem(sentence, (*path, "id"), hint=hint, code=Code.ID_TAKEN))
            return
        self._ids[written.id] = f"{positions.file}:{positions.of(path)[0]}"
        if rule := Compiler(self._shop, positions, path, defaults).rule(written):
            self._rules.append(rule)

    def _add_test(self, raw: Any, samples: Mapping[str, Sample], positions: Positions, path: Path) -> None:
        example = self._valid(Example, raw, positions, path)
        if example is None:
            return
        self._used.update(step.payload.file for step in example.alerts if step.payload and step.payload.file)
        if test := timeline.rule_test(example, self._stage(samples, positions, path)):
            self._tests.append(test)

    def _stage(self, samples: Mapping[str, Sample], positions: Positions, path: Path) -> timeline.Stage:
        def refuse(sentence: str, way: Path, hint: str) -> None:
            self._errors.append(positions.problem(sentence, (*path, *way), hint=hint, code=Code.WRONG_TEST))

        def line_of(way: Path) -> int:
            return positions.of((*path, *way))[0]

        return timeline.Stage(samples=samples, files=self._files, file=positions.file, line_of=line_of, refuse=refuse)

    def _check_payloads(self) -> None:
        """A payload that no test uses is only carried along."""
        for name in sorted(name for name in self._files.keys() - self._used if name.startswith(messages.FOLDER)):
            self._warnings.append(
                RuleError("no test uses this payload", code=Code.SAMPLE_UNUSED, file=self._folder + name)
            )

    def _check_samples(self, head: schema.RuleFile, tests: Sequence[Any], positions: Positions) -> None:
        """A sample that no test uses is a slip of the pen, or a test forgotten."""
        used = {step.get("use") for test in tests for step in _steps(test)}
        for name in sorted(head.samples.keys() - used):
            sentence = f'no test of this file uses the sample "{name}"'
            path = ("samples", name)
            self._warnings.append(positions.problem(sentence, path, key=True, code=Code.SAMPLE_UNUSED))

    def _add_fallback(self, written: schema.Fallback, positions: Positions) -> None:
        if self._fallback:
            sentence = "there is a fallback already: keep one in all files"
            self._errors.append(positions.problem(sentence, ("fallback",), key=True, code=Code.FALLBACK))
        self._fallback = Fallback(Action(written.action), written.reason)

    def _valid(self, kind: type[M], raw: Any, positions: Positions, path: Path) -> M | None:
        """What a file says, typed; None, after noting everything that is wrong with it."""
        try:
            return kind.model_validate(raw)
        except ValidationError as error:
            self._errors += problems.of(error, positions, path)
            return None


def _is_table(name: str) -> bool:
    return name.endswith(".csv") and not name.startswith(messages.FOLDER)


def _steps(test: Any) -> list[dict[str, Any]]:
    alerts = test.get("alerts") if isinstance(test, dict) else None
    return [step for step in alerts if isinstance(step, dict)] if isinstance(alerts, list) else []


def content_hash(files: Mapping[str, str]) -> str:
    """16 hexadecimal digits that only the same files share."""
    content = hashlib.sha256()
    for name, text in sorted(files.items()):
        for part in (name, text):
            encoded = part.encode("utf-8", "surrogatepass")
            content.update(len(encoded).to_bytes(8, "big") + encoded)
    return content.hexdigest()[:16]
