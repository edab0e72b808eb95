"""The few exceptions of the house; each says what the caller should do.

They carry sentences for people: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


class TocsinError(Exception):
    """What all our errors are; nothing raises it itself."""


class SettingsError(TocsinError):
    """The settings cannot be used: correct them and start again (exit status 2)."""


class RuleError(TocsinError):
    """A rule, table or fleet file cannot be used: the last good set stays live."""

    def __init__(self, problem: str, *, file: str = "", line: int = 0, column: int = 0, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.file = file
        self.line = line
        self.column = column
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


class DeliveryError(TocsinError):
    """A delivery failed: try again at the earliest after `after`, or leave it to a person when `retry` is false."""

    def __init__(self, reason: Reason, detail: str, *, retry: bool, after: timedelta | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry = retry
        self.after = after
