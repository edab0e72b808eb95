"""The few exceptions of the house; each says what the caller should do.

They carry sentences for people: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tocsin.told import Told

if TYPE_CHECKING:
    from datetime import timedelta


class TocsinError(Exception):
    """What all our errors are; nothing raises it itself."""


class SettingsError(TocsinError):
    """The settings cannot be used: correct them and start again (exit status 2)."""


class Code(Told):
    """What kind of thing is wrong with the files that people edit; the list is closed. `told` says it in a line."""

    FILE_UNREADABLE = "file-unreadable", "A file or folder that is named or listed cannot be read."
    ENCODING = "encoding", "A file is not UTF-8 text."
    TOO_LARGE = "too-large", "A file, a number or a text is larger than what is read, or nested deeper."
    SYNTAX = "syntax", "A file is not valid YAML or CSV."
    DUPLICATE_KEY = "duplicate-key", "A mapping has the same key twice."
    UNKNOWN_KEY = "unknown-key", "A mapping has a key that nothing reads."
    MISSING_KEY = "missing-key", "A mapping lacks a key that is needed."
    WRONG_VALUE = "wrong-value", "A value is not of the kind that is wanted at its place."
    UNKNOWN_NAME = "unknown-name", "A field, variable, table, column, sample or backend is named that does not exist."
    WRONG_REGEX = "wrong-regex", "A regular expression cannot be compiled by RE2."
    WRONG_TEMPLATE = "wrong-template", "A template or expression cannot be read, or uses what is not offered."
    ENDLESS_TEMPLATE = (
        "endless-template",
        "A template takes too many steps or gives too long a text, whatever the alert.",
    )
    CONTRADICTION = "contradiction", "Two parts of a rule cannot both be meant."
    ID_TAKEN = "id-taken", "Two rules have the same id."
    FALLBACK = "fallback", "No file, or more than one, says what happens to an alert that no rule knows."
    WRONG_TABLE = "wrong-table", "The heading, a row or a cell of a table cannot be used."
    WRONG_ELEMENT = "wrong-element", "An element of the fleet is not whole, or does not fit the others."
    WRONG_TEST = "wrong-test", "A test of a rule file cannot be run as it is written."
    TEST_FAILED = "test-failed", "A test that a rule file carries fails."
    SETTINGS = "settings", "The settings cannot be used."
    SECRET_EXPOSED = "secret-exposed", "The file of a secret can be read by everyone on the machine."
    ROUTE_UNREACHED = "route-unreached", "An earlier route takes every element that this one would."
    NEVER_REACHED = "never-reached", "An earlier rule takes every alert that this one would match."
    REACH_UNKNOWN = "reach-unknown", "Whether an earlier rule takes all alerts of this one cannot be told."
    NEVER_MATCHED = "never-matched", "No alert matched the rule for a long time."
    KEY_TWO_ELEMENTS = "key-two-elements", "Alerts of two elements get the same key, so they share one incident."
    ELEMENT_MISSING = "element-missing", "A rule or table names an element that the fleet does not have."
    ALIAS_SHARED = "alias-shared", "Two elements have the same alias: a look-up cannot tell them apart."
    TEXT_TOO_LONG = "text-too-long", "A ticket's text is longer than ticket systems take: it will be cut."
    LANGUAGE_MISSING = "language-missing", "A ticket's text is written in one language and missing in the other."
    RULE_UNTESTED = "rule-untested", "No test of any file has an alert that the rule decides."
    SAMPLE_UNUSED = "sample-unused", "No test uses a sample or a payload."


class RuleError(TocsinError):
    """A rule, table or fleet file cannot be used: the last good set stays live."""

    def __init__(  # noqa: PLR0913 - where it is takes four words
        self,
        problem: str,
        *,
        code: Code = Code.WRONG_VALUE,
        file: str = "",
        line: int = 0,
        column: int = 0,
        length: int = 0,
        hint: str = "",
    ) -> None:
        """Take what is wrong, and where; line, column and length (in characters) are 0 when they are not known."""
        super().__init__(problem)
        self.problem = problem
        self.code = code
        self.file = file
        self.line = line
        self.column = column
        self.length = length
        self.hint = hint

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        sentence = f"{where}: {self.problem}" if where else self.problem
        return f"{sentence} ({self.hint})" if self.hint else sentence


class PayloadError(TocsinError):
    """A source's message cannot be read: keep it as rejected and answer 422 with this sentence."""


class StoreError(TocsinError):
    """The store cannot take it now: answer 503, so that the sender tries again."""


class Reason(StrEnum):
    """Why a delivery failed; also the metric's label, so the list is closed."""

    UNREACHABLE = "unreachable"
    """No connection: nothing was sent."""
    NO_ANSWER = "no_answer"
    """Sent, but the answer never came: it may have been done."""
    UNAVAILABLE = "unavailable"
    """The server said 5xx or was busy."""
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"
    """The server understood and said no."""
    NOT_FOUND = "not_found"
    UNREADABLE = "unreadable"
    """The answer cannot be understood."""
    MISMATCH = "mismatch"
    """The ticket found does not carry our reference."""
    MISCONFIGURED = "misconfigured"
    SETTLING = "settling"
    """It may have been done, is not found yet, and may still appear: the system's search lags."""
    NUMBER_PENDING = "number_pending"
    """The ticket is declared, and the system has not told its number yet."""
    TOUCHED = "touched"
    """A person changed the ticket since it was seen last: that is taken in first."""
    BROKEN = "broken"
    """A fault in the backend's own code."""


DOUBTFUL = frozenset(
    {
        Reason.NO_ANSWER,
        Reason.UNAVAILABLE,  # some servers answer 500 after creating; a gateway answers 504 for a slow success
        Reason.UNREADABLE,
        Reason.MISMATCH,
        Reason.MISCONFIGURED,  # a redirect after a POST is how some servers say that it is done
        Reason.BROKEN,
    }
)
"""After these the ticket system may have done it all the same: it is asked before anything is sent again."""


OF_THE_SYSTEM = frozenset({Reason.UNREACHABLE, Reason.NO_ANSWER, Reason.UNAVAILABLE, Reason.RATE_LIMITED})
"""These are the ticket system's trouble, whatever was asked of it."""


class DeliveryError(TocsinError):
    """A delivery failed: try again at the earliest after `after`, or leave it to a person when `retry` is false."""

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        retry: bool,
        after: timedelta | None = None,
        stops: bool = False,
        harmless: bool = False,
    ) -> None:
        """Take why, and what it means for this delivery and for the others of its backend.

        Args:
            reason: why, from the closed list.
            detail: a sentence for people, without secrets.
            retry: whether trying the same again makes sense.
            after: how long the system asks to wait.
            stops: nothing will go through before somebody corrects the configuration: the backend stops, and keeps
                everything that waits for it.
            harmless: only a question was asked: whatever its answer was, it leaves no new doubt.
        """
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry = retry or stops
        self.after = after
        self.stops = stops
        self.harmless = harmless
        self.partly = False
        """A part of it was done before it failed."""
        self.assigned = False
        """It was to do what may assign the ticket to somebody."""

    @property
    def doubts(self) -> bool:
        """Whether it may have been done all the same, wholly or in part."""
        return self.partly or self.may_be_under_way

    @property
    def may_be_under_way(self) -> bool:
        """Whether the system may have done it, or may still be at it, without our knowing."""
        return self.reason in DOUBTFUL and not self.harmless


class TouchedError(DeliveryError):
    """Nothing was told, for a person changed the ticket meanwhile: take `record` in, then come again at once."""

    def __init__(self, detail: str, record: object, passes: frozenset[str] = frozenset()) -> None:
        """Take what was found, in words, the ticket as it stands, and what steps of ours may leave a ticket in."""
        super().__init__(Reason.TOUCHED, detail, retry=True, harmless=True)
        self.record = record
        self.passes = passes
