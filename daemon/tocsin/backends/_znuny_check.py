"""What a check of a Znuny asks, and what it finds.

Znuny lists neither queues nor states. But it checks everything that a new ticket names before it makes it, a file's
content last: a ticket with a file without content is never made, and the refusal tells what is wrong with it first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level
from tocsin.backends._document import reach
from tocsin.backends._moments import moment
from tocsin.backends._shape import at, each
from tocsin.backends._znuny_answers import SLACK, told_at
from tocsin.backends._znuny_calls import is_denied
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from tocsin.backends._znuny_calls import Calls
    from tocsin.backends._znuny_options import Options

_EMPTY_FILE = {"Filename": "check.txt", "ContentType": "text/plain"}
_LAST = "Attachment->"
"""What is refused when everything before it is right."""
_NAMED = {
    "CustomerUser": "customer",
    "Queue": "queue",
    "Type": "type",
    "State": "statuses",
    "Priority": "impacts",
}
_NOBODY = "no-such-reference"


async def findings(
    calls: Calls, options: Options, ticket: Mapping[str, Any], words: Mapping[str, Iterable[str]], now: datetime
) -> list[Finding]:
    """Everything that can be known without changing anything. Raises DeliveryError.

    Args:
        calls: the web service.
        options: what is checked.
        ticket: a new ticket as it would be made, without dynamic fields.
        words: `State` and `Priority`, or the impact's dynamic field, with the words that will be told.
        now: the moment.
    """
    ticket, wrong = await _nearest(calls, ticket, words)
    if wrong:
        return [_finding(wrong, options)]
    found = [
        Finding(
            level=Level.FINE, what="user", told=f"works as {options.user!r}, who may make tickets in {options.queue!r}"
        ),
        Finding(level=Level.FINE, what="customer", told=f"tickets may be declared for {options.customer!r}"),
    ]
    for name, some in words.items():
        found += [await _word(calls, ticket, name, word) for word in dict.fromkeys(some)]
    found.append(await _field(calls, ticket, "reference_field", options.reference_field))
    if options.element_field:
        found.append(await _field(calls, ticket, "element_field", options.element_field))
    return [*found, *await _looked_up(calls, options, now)]


async def _nearest(
    calls: Calls, ticket: Mapping[str, Any], words: Mapping[str, Iterable[str]]
) -> tuple[Mapping[str, Any], str]:
    """The ticket with the first state and priority that are there, and what else is wrong with it."""
    wrong = await _refused(calls, ticket)
    for name in ("State", "Priority"):
        for word in words.get(name, ()) if f"->{name}" in wrong else ():
            near = {**ticket, "Ticket": {**ticket["Ticket"], name: word}}
            still = await _refused(calls, near)
            if f"->{name}" not in still:
                ticket, wrong = near, still
                break
    return ticket, wrong


async def _refused(calls: Calls, ticket: Mapping[str, Any], **changed: Any) -> str:
    """What is wrong with a ticket that cannot be made; empty when nothing else than its file is."""
    whole = {**ticket, "Attachment": [_EMPTY_FILE], **changed}
    try:
        await calls.create(whole)
    except DeliveryError as error:
        if is_denied(error) or error.reason == Reason.REFUSED:
            return "" if _LAST in error.detail else error.detail
        raise
    return "Znuny made a ticket whose file had no content: tell whoever maintains this kind"


def _finding(wrong: str, options: Options) -> Finding:
    option = next((option for name, option in _NAMED.items() if f"->{name}" in wrong), "queue")
    option = "priority" if option == "impacts" and options.impact_field else option
    value = getattr(options, option)
    given = f" {value!r}" if isinstance(value, str) else ""
    return Finding(level=Level.ERROR, what=option, told=f"Znuny takes no ticket with this {option}{given}: {wrong}")


async def _word(calls: Calls, ticket: Mapping[str, Any], name: str, word: str) -> Finding:
    """Whether a state, a priority, or a value of the impact's field is there."""
    part, option = ticket["Ticket"], "statuses" if name == "State" else "impacts"
    changed = (
        {"Ticket": {**part, name: word}} if name in ("State", "Priority") else {"DynamicField": [_value(name, word)]}
    )
    if await _refused(calls, ticket, **changed):
        why = f"Znuny has no {name} {word!r}; correct `{option}`, or add it there"
        return Finding(level=Level.ERROR, what=option, told=why)
    return Finding(level=Level.FINE, what=option, told=f"{name} {word!r} is there")


async def _field(calls: Calls, ticket: Mapping[str, Any], option: str, name: str) -> Finding:
    if await _refused(calls, ticket, DynamicField=[_value(name, _NOBODY)]):
        why = (
            f"Znuny has no dynamic field {name!r} of tickets, or none that takes any text; correct it, or add the field"
        )
        return Finding(level=Level.ERROR, what=option, told=why)
    return Finding(level=Level.FINE, what=option, told=f"the dynamic field {name!r} is there")


def _value(name: str, value: str) -> dict[str, str]:
    return {"Name": name, "Value": value}


async def _looked_up(calls: Calls, options: Options, now: datetime) -> list[Finding]:
    """Whether look-ups mean something, and whether times mean what we take them for."""
    field = f"DynamicField_{options.reference_field}"
    if await calls.search({field: {"Equals": _NOBODY}}, 1):
        why = f"a search by the dynamic field {options.reference_field!r} finds tickets without it: no ticket can be found again"
        return [Finding(level=Level.ERROR, what="reference_field", told=f"{why}; add the field for tickets, as a Text")]
    newest = await calls.search({field: {"Empty": 0}, "SortBy": "Age", "OrderBy": "Down"}, 1)
    ticket = await calls.whole(newest[0], 1) if newest else None
    article = next(iter(each(ticket, "Article")), None)
    told, meant = told_at(at(article, "CreateTime"), options.zone, now), moment(reach(article, "IncomingTime"))
    if told is None or meant is None:
        why = "whether Znuny's times are those of this zone shows with the first ticket"
        return [Finding(level=Level.WARNING, what="zone", told=why)]
    if abs(told - meant) > SLACK:
        hours = (told - meant).total_seconds() / 3600
        why = f"Znuny's times are {hours:+g} hours away from those of {options.zone}; set `zone` to its OTRSTimeZone"
        return [Finding(level=Level.ERROR, what="zone", told=why)]
    return [Finding(level=Level.FINE, what="zone", told=f"Znuny's times are those of {options.zone}")]
