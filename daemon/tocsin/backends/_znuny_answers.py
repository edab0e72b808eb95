"""What the answers of a Znuny hold. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tocsin.backends import _texts
from tocsin.backends._document import reach
from tocsin.backends._moments import moment
from tocsin.backends._shape import at, each
from tocsin.model import RemoteNote, TicketStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "(tocsin "
"""What each article of ours holds."""
SLACK = timedelta(minutes=10)
"""So much may clocks differ; no two time zones are that close."""
TYPES = {
    "new": TicketStatus.DECLARED,
    "open": TicketStatus.IN_PROGRESS,
    "pending reminder": TicketStatus.WAITING,
    "pending auto": TicketStatus.REPAIRED,
    "closed": TicketStatus.CLOSED,
    "removed": TicketStatus.CANCELLED,
    "merged": TicketStatus.CANCELLED,
}
"""What a state is, whatever it is called: the types of states are the same in every Znuny."""


def field(ticket: Any, name: str) -> str:
    """The value of a dynamic field; empty when there is none. Total."""
    return next((at(one, "Value") for one in each(ticket, "DynamicField") if at(one, "Name") == name), "")


def minutes(since: datetime, now: datetime) -> int:
    """How many whole minutes back to ask, so that nothing since then is missed: for that no time zone is needed."""
    return max(0, -(-int((now - since).total_seconds()) // 60)) + 1


def told_at(text: str, zone: str, now: datetime) -> datetime | None:
    """A time of Znuny's own zone; of the two that an hour in autumn may mean, the later one that has come. Total."""
    written = _parsed(text)
    if written is None:
        return None
    both = {written.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1)}
    return max((one for one in both if one <= now + SLACK), default=min(both))


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def astray(changed_at: datetime | None, since: datetime, now: datetime) -> timedelta | None:
    """How far a time lies outside of a span that it lies in for certain; None when it does not."""
    if changed_at is None:
        return None
    if changed_at > now + SLACK:
        return changed_at - now
    return changed_at - since if changed_at < since - SLACK else None


def notes(ticket: Any) -> tuple[RemoteNote, ...]:
    """What was written after the ticket's description, oldest first; automatic answers are nobody's."""
    articles = sorted(each(ticket, "Article"), key=_order)
    return tuple(_note(one) for one in articles if not _is_first(one) and _is_said(one))


def _order(article: Mapping[str, Any]) -> int:
    number = at(article, "ArticleID")
    return int(number) if number.isdecimal() else 0


def _is_first(article: Mapping[str, Any]) -> bool:
    return at(article, "ArticleNumber") == "1"


def _is_said(article: Mapping[str, Any]) -> bool:
    body = at(article, "Body")
    return bool(body) and (at(article, "SenderType") != "system" or MARK in body)


def _note(article: Mapping[str, Any]) -> RemoteNote:
    body = at(article, "Body")
    is_html = at(article, "ContentType").startswith("text/html")
    return RemoteNote(
        id=at(article, "ArticleID"),
        actor=at(article, "From"),
        text=_texts.from_html(body) if is_html else body,
        at=moment(reach(article, "IncomingTime")),
    )
