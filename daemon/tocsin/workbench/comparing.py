"""What a test expects at one moment beside what has come by then. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.model import Note, Texts
    from tocsin.rules.examples import Expectation
    from tocsin.rules.shapes import Languages
    from tocsin.workbench.play import Play


class Difference(Struct, frozen=True):
    """One expectation that was not met."""

    what: str
    """The key, with the language where there is one: `name in fr`."""
    expected: str
    came: str


def differences(expected: Expectation, play: Play) -> Iterator[Difference]:
    """Yield what differs, in the order of the documentation."""
    yield from _facts(expected, play)
    yield from _texts(expected, play)
    yield from _notes(expected, play)
    if expected.because is not None:
        reasons = play.reasons
        if not any(expected.because.lower() in reason.lower() for reason in reasons):
            yield Difference("because", repr(expected.because), " · ".join(reasons) or "no reason")


def _facts(expected: Expectation, play: Play) -> Iterator[Difference]:
    decision, incident = play.decision, play.incident
    sending = play.sending
    impact = decision.impact if decision else None
    backend, inform = play.told or (None, None)
    facts: dict[str, object] = {
        "tickets": sending.tickets,
        "deliveries": tuple(sending.sent),
        "informed": sending.heard,
        "waiting": sending.waiting,
        "state": incident.state if incident else None,
        "action": decision.action if decision else None,
        "rule": decision.rule if decision else None,
        "element": decision.element.reference if decision and decision.element else None,
        "impact": incident.impact if incident and impact else impact,
        "backend": backend,
        "inform": None if inform is None else tuple(sorted(inform)),
        "priority": play.priority,
        "key": (decision.dedup_key or None) if decision else None,
    }
    nothing = f"nothing ({decision.reason})" if decision and decision.reason else "nothing"
    for name, came in facts.items():
        wanted = getattr(expected, name)
        if name == "inform" and wanted is not None:
            wanted = tuple(sorted(wanted))
        if wanted is not None and wanted != came:
            yield Difference(name, _said(wanted), nothing if came is None else _said(came))


def _said(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {_said(inner)}' for name, inner in value.items())}}}"
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else str(value)


def _texts(expected: Expectation, play: Play) -> Iterator[Difference]:
    name: Texts = play.ticket.name if play.ticket else {}
    for language, wanted in _languages(expected.name):
        if name.get(language, "") != wanted:
            yield Difference(f"name in {language}", repr(wanted), repr(name.get(language, "")))
    description: Texts = play.ticket.description if play.ticket else {}
    for language, wanted in _languages(expected.description):
        if wanted not in description.get(language, ""):
            yield Difference(f"description in {language}", f"to hold {wanted!r}", repr(description.get(language, "")))


def _languages(texts: str | Languages | None) -> Iterator[tuple[str, str]]:
    if texts is None:
        return
    said = {"en": texts} if isinstance(texts, str) else {"en": texts.en, "fr": texts.fr}
    yield from ((language, wanted) for language, wanted in said.items() if wanted is not None)


def _notes(expected: Expectation, play: Play) -> Iterator[Difference]:
    wanted = expected.notes
    if wanted is None:
        return
    incident = play.incident
    notes = [note for note in play.notes if incident and note.incident == incident.id]
    came = " · ".join(note.text["en"] for note in notes) or "no note"
    if isinstance(wanted, int):
        if len(notes) != wanted:
            yield Difference("notes", str(wanted), f"{len(notes)}: {came}" if notes else came)
        return
    texts = (wanted,) if isinstance(wanted, str) else wanted
    missing = _first_missing(texts, notes)
    if missing is not None:
        where = f" after {texts[missing - 1]!r}" if missing else ""
        yield Difference("notes", f"one that holds {texts[missing]!r}{where}", came)


def _first_missing(texts: tuple[str, ...], notes: list[Note]) -> int | None:
    """The number of the first text that no note holds after the note of the one before it."""
    left = iter(notes)
    for number, text in enumerate(texts):
        if not any(text.lower() in said.lower() for note in left for said in note.text.values()):
            return number
    return None
