"""What an exported history does not tell: values are replaced by pseudonyms or by fixed words.

Knows one file, config/redaction.yaml, and texts. The same value always becomes the same pseudonym within one export, so
that what belonged together still does; no key is kept, so nobody can go back.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import re2
from msgspec.structs import replace
from pydantic import AfterValidator, ConfigDict, ValidationError

from tocsin import yaml12
from tocsin.rules import patterns, problems
from tocsin.rules.schema import tidied
from tocsin.rules.shapes import Maybe, Model, Text
from tocsin.titling import titled
from tocsin.yaml12 import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tocsin.model import Alert

TEXTS = ("source", "fingerprint", "resource", "check", "summary", "description", "url")
"""The fields of an alert that may be redacted, beside its labels."""
EVERY_LABEL, EVERY_TEXT = "labels.*", "*"
_SHORTEST = 3
"""A shorter value says nothing where it stands alone, and would be found in everything."""
_DIGITS = 12
_REMEMBERED = 50_000
"""Texts whose redaction is kept at hand: most say again what others said."""
_SECRET = "[secret]"  # noqa: S105 - what stands for one

_WORD = re.compile(r"\w+")
_PSEUDONYM = re.compile(rf"anon[0-9a-f]{{{_DIGITS}}}")
_FORMS = (
    r"(?i)\b(?:bearer|basic|digest|negotiate)\s+([\w.~+/=-]{8,})",
    (
        r"(?i)(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|credentials?)[\"']?\s*[=:]\s*"
        r"(\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)"
    ),
    r"://([^\s/@:]*:[^\s/@]+)@",
    r"\b(eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*)",
    r"[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
)
"""What is hidden in every text: credentials in headers, in settings, in URLs; JSON web tokens; last, e-mail addresses."""
*_SECRETS, _EMAIL = map(re2.compile, _FORMS)
_ANY = re2.compile("|".join(f"(?:{form})" for form in _FORMS))
_SECRET_LABEL = re.compile(r"(?i).*(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|credential)s?\Z")


def _field(name: str) -> str:
    if name in (*TEXTS, EVERY_TEXT) or (name.startswith("labels.") and name != "labels."):
        return name
    known = ", ".join(TEXTS)
    hint = nearest(name, TEXTS) or f'there are {known}, labels.NAME, {EVERY_LABEL} and "{EVERY_TEXT}"'
    raise ValueError(f'no text of an alert is called "{name}" ({hint})')


class Redact(Model):
    """One kind of value that is not told."""

    field: Annotated[str, AfterValidator(_field)]
    """Where it stands: source, fingerprint, resource, check, summary, description, url, labels.NAME; `labels.*` is every label, `*` every text."""
    regex: Maybe[Annotated[Text, AfterValidator(patterns.checked)]] = None
    """What of the field: the groups of this RE2 regular expression, or all that it finds when it has none; the whole field unless said."""
    text: Maybe[Text] = None
    """What to write in its place; a pseudonym unless said."""
    everywhere: bool = True
    """Replace the value also where it stands as a word in any other text of any alert."""


class Redaction(Model):
    """What an exported history does not tell."""

    model_config = ConfigDict(title="tocsin redaction")

    redact: tuple[Redact, ...] = ()
    """The values that are not told."""
    resources: Literal["keep", "pseudonyms"] = "keep"
    """Whether the names of hosts, services and pages are told. Rules and the fleet go by them: with `pseudonyms`, what matches on names no longer does."""
    builtin: bool = True
    """Hide e-mail addresses, passwords, tokens and the credentials in URLs as well."""


def read(text: str | bytes, file: str = "") -> Redaction:
    """Return what a redaction file says.

    Raises:
        RuleError: it is wrong; with its place. A RulesError when several things are.
    """
    data, positions = yaml12.read(text, file)
    if data is None:
        return Redaction()
    if not isinstance(data, dict):
        raise positions.problem("a redaction file is a mapping: begin it with `redact:`", ())
    try:
        return Redaction.model_validate(data)
    except ValidationError as error:
        raise problems.RulesError(problems.of(error, positions, root=Redaction)) from None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a redaction file, for editors."""
    schema: dict[str, Any] = tidied(Redaction.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | titled(schema) | {"title": "tocsin redaction"}


class Redactor:
    """Takes values out of alerts: first it is shown all of them, then it redacts each.

    Redacting is one function of texts, the same for every field and every alert: equal texts stay equal. Nothing that
    was hidden with `everywhere` stands as a word in any redacted text.
    """

    def __init__(self, redaction: Redaction, key: bytes) -> None:
        """Take what is to be redacted, and the key of the pseudonyms: random, and forgotten after the export."""
        self._key = key
        self._rules = [_Rule(one) for one in redaction.redact]
        if redaction.resources == "pseudonyms":
            self._rules.append(_Rule(Redact(field="resource")))
        self._builtin = redaction.builtin
        self._hidden: dict[str, str] = {}
        """Value → what stands for it, for the values that are hidden everywhere."""
        self._by_word: dict[str, list[tuple[int, str]]] = {}
        """First word of such a value → where in the value it begins, and the value; the longest first."""
        self._done = lru_cache(_REMEMBERED)(self._text)

    def see(self, alert: Alert) -> None:
        """Learn what is to be hidden everywhere; every alert is seen before the first is redacted."""
        for rule in self._rules:
            if rule.everywhere:
                for _, value in _named(alert, rule.field):
                    for part in rule.parts(value):
                        self._hide(part, rule.text)

    def redact(self, alert: Alert) -> Alert:
        """Return the alert without what is not told."""
        texts = {name: getattr(alert, name) for name in TEXTS}
        labels = dict(alert.labels)
        for rule in self._rules:
            for name, _ in _named(alert, rule.field):
                where, key = (texts, name) if name in texts else (labels, name.removeprefix("labels."))
                where[key] = rule.replaced(where[key], self._stand_in)
        labels = {name: self._label(name, value) for name, value in labels.items()}
        return replace(alert, **{name: self.text(value) for name, value in texts.items()}, labels=labels)

    def text(self, text: str) -> str:
        """Return a text without what is hidden everywhere, and without secrets and addresses."""
        return self._done(text)

    def identity(self, source: str, fingerprint: str) -> tuple[str, str]:
        """Return source and fingerprint as `redact` makes them of an alert that has them."""
        said = {"source": source, "fingerprint": fingerprint}
        for rule in self._rules:
            said = {
                name: rule.replaced(value, self._stand_in) if rule.field in (name, EVERY_TEXT) else value
                for name, value in said.items()
            }
        return self.text(said["source"]), self.text(said["fingerprint"])

    def _text(self, text: str) -> str:
        return self._without_secrets(self._without_hidden(text))

    def _stand_in(self, value: str, text: str | None) -> str:
        if _PSEUDONYM.fullmatch(value):
            return value  # another rule was here before
        return self._hidden.get(value) or text or self._pseudonym(value)

    def _pseudonym(self, value: str) -> str:
        return (
            "anon" + hmac.new(self._key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_DIGITS]
        )

    def _hide(self, value: str, text: str | None) -> None:
        word = _WORD.search(value)
        if len(value) < _SHORTEST or value in self._hidden or word is None:
            return
        self._hidden[value] = text or self._pseudonym(value)
        self._done.cache_clear()
        found = self._by_word.setdefault(word[0], [])
        found.append((word.start(), value))
        found.sort(key=lambda one: -len(one[1]))

    def _label(self, name: str, value: str) -> str:
        if self._builtin and value and _SECRET_LABEL.match(name):
            return _SECRET
        return self.text(value)

    def _without_secrets(self, text: str) -> str:
        if not self._builtin or not _ANY.search(text.encode("utf-8", "replace")):
            return text
        for pattern in _SECRETS:
            text = _cut(pattern, text, lambda _: _SECRET)
        return _cut(_EMAIL, text, self._pseudonym)

    def _without_hidden(self, text: str) -> str:
        """Whole words only: a user `ron` is not in `cron`."""
        if not self._hidden:
            return text
        parts, at = [], 0
        for word in _WORD.finditer(text):
            if word.start() < at:
                continue
            for offset, value in self._by_word.get(word[0], ()):
                start = word.start() - offset
                if start >= at and text.startswith(value, start) and _ends(text, start + len(value)):
                    parts += [text[at:start], self._hidden[value]]
                    at = start + len(value)
                    break
        return "".join([*parts, text[at:]])


class _Rule:
    """One kind of value, ready for use."""

    def __init__(self, written: Redact) -> None:
        self.field = written.field
        self.text = written.text
        self.everywhere = written.everywhere
        self._pattern = re2.compile(written.regex) if written.regex else None

    def parts(self, value: str) -> Iterator[str]:
        """What of a value is hidden."""
        if self._pattern is None:
            yield from (value,) if value else ()
            return
        for start, end in _spans(self._pattern, value):
            yield value[start:end]

    def replaced(self, value: str, stand_in: Callable[[str, str | None], str]) -> str:
        """The value with that replaced."""
        if not value:
            return value
        if self._pattern is None:
            return stand_in(value, self.text)
        return _cut(self._pattern, value, lambda part: stand_in(part, self.text))


def _named(alert: Alert, field: str) -> Iterable[tuple[str, str]]:
    """The texts that a field of a redaction file names, by the names that an alert has for them."""
    if field == EVERY_TEXT:
        return [*((name, getattr(alert, name)) for name in TEXTS), *_named(alert, EVERY_LABEL)]
    if field == EVERY_LABEL:
        return [(f"labels.{name}", value) for name, value in alert.labels.items()]
    if field.startswith("labels."):
        name = field.removeprefix("labels.")
        return [(field, alert.labels[name])] if name in alert.labels else []
    return [(field, getattr(alert, field))]


def _spans(pattern: Any, text: str) -> Iterator[tuple[int, int]]:
    """Where a pattern finds something: its groups, or all of it when it has none."""
    for found in pattern.finditer(text):
        spans = [found.span(number) for number in range(1, pattern.groups + 1)] or [found.span()]
        yield from ((start, end) for start, end in spans if 0 <= start < end)


def _cut(pattern: Any, text: str, stand_in: Callable[[str], str]) -> str:
    parts, at = [], 0
    for start, end in sorted(_spans(pattern, text)):
        if start >= at:
            parts += [text[at:start], stand_in(text[start:end])]
            at = end
    return "".join([*parts, text[at:]]) if parts else text


def _ends(text: str, at: int) -> bool:
    """Whether no word goes on there."""
    return at >= len(text) or not (_WORD.match(text, at) and _WORD.match(text, at - 1))
