"""The sentences of an incident's history, in each language: the one place where they are written.

Knows the types only. `note` and `impact_note` make the lines; `span` writes a duration as people do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.model import Delivery, DeliveryAction, Impact, Incident, Note, Texts

if TYPE_CHECKING:
    from datetime import datetime, timedelta

ACTOR = "tocsin"

_TEXTS: dict[str, Texts] = {
    "held": {"en": "{what}. Waiting {hold} before declaring.", "fr": "{what}. Attente de {hold} avant de déclarer."},
    "opened": {"en": "{what}. Declared.", "fr": "{what}. Déclaré."},
    "declared": {
        "en": "Still there after the wait. Declared.",
        "fr": "Toujours présent après l'attente. Déclaré.",
    },
    "reopened": {"en": "{what}. The same problem is back.", "fr": "{what}. Le même problème est de retour."},
    "relapsed": {"en": "{what}. Firing again.", "fr": "{what}. De nouveau en alerte."},
    "joined": {"en": "Also: {what}.", "fr": "Également : {what}."},
    "raised": {"en": "Impact raised from {old} to {new}.", "fr": "Impact relevé de {old} à {new}."},
    "lowered": {"en": "Impact lowered from {old} to {new}.", "fr": "Impact abaissé de {old} à {new}."},
    "blip": {
        "en": "{what} resolved during the hold: no ticket.",
        "fr": "{what} résolu pendant l'attente : pas de ticket.",
    },
    "withdrawn": {
        "en": "{what} resolved before the ticket was sent: no ticket.",
        "fr": "{what} résolu avant l'envoi du ticket : pas de ticket.",
    },
    "cleared": {"en": "{what} resolved.", "fr": "{what} résolu."},
    "closed": {"en": "Quiet for {quiet}. Closed.", "fr": "Calme depuis {quiet}. Clos."},
    "left": {
        "en": "Quiet for {quiet}. A person has worked on this ticket: closing it is left to people.",
        "fr": "Calme depuis {quiet}. Une personne a travaillé sur ce ticket : sa clôture lui est laissée.",
    },
    "touched": {"en": "Taken up by {actor}.", "fr": "Pris en charge par {actor}."},
    "ended": {"en": "Ticket closed by {actor}.", "fr": "Ticket clos par {actor}."},
    "resumed": {"en": "Ticket opened again by {actor}.", "fr": "Ticket rouvert par {actor}."},
    "gone": {
        "en": "Its ticket is gone, and the problem is over: no new one.",
        "fr": "Son ticket a disparu et le problème est terminé : pas de nouveau ticket.",
    },
    "reconciled": {
        "en": "Compared with the ticket system: {problem}.",
        "fr": "Comparé avec l'outil de ticket : {problem}.",
    },
    "found": {
        "en": "Ticket {number} of {backend} carries this incident's reference: it is this incident's from now on.",
        "fr": "Le ticket {number} de {backend} porte la référence de cet incident : il est désormais le sien.",
    },
    "seen_status": {"en": "In the ticket system: {value}.", "fr": "Dans l'outil de ticket : {value}."},
    "seen_assignee": {"en": "Assigned to {value}.", "fr": "Assigné à {value}."},
    "seen_priority": {"en": "Priority {value}.", "fr": "Priorité {value}."},
    "remark": {"en": "{backend}: {remark}", "fr": "{backend} : {remark}"},
    "renumbered": {
        "en": "{backend} calls the ticket {new} now; here it stays {known}.",
        "fr": "{backend} appelle désormais le ticket {new} ; ici il reste {known}.",
    },
    "resent": {
        "en": "{delivery} is sent again by {actor}: {reason}.",
        "fr": "{delivery} : relance par {actor}. Motif : {reason}.",
    },
    "resent_as_note": {
        "en": "{delivery} is sent again by {actor}, as a note, since newer facts were told meanwhile: {reason}.",
        "fr": "{delivery} : relance par {actor} comme note, car des faits plus récents ont été transmis depuis. Motif : {reason}.",
    },
    "dropped": {
        "en": "{delivery} is dropped by {actor}: {reason}.",
        "fr": "{delivery} : abandon par {actor}. Motif : {reason}.",
    },
    "dropped_open": {
        "en": "{delivery} is dropped by {actor}: {reason}. No ticket is made there; {count} more dropped with it.",
        "fr": "{delivery} : abandon par {actor}. Motif : {reason}. Aucun ticket n'y est créé ; {count} de plus abandonnés avec lui.",
    },
    "dropped_in_doubt": {
        "en": "{delivery} is dropped by {actor}: {reason}. A ticket may have been made: look there for {reference}; {count} more dropped "
        "with it.",
        "fr": "{delivery} : abandon par {actor}. Motif : {reason}. Un ticket a pu y être créé : y chercher {reference} ; {count} de plus "
        "abandonnés avec lui.",
    },
    "edited": {
        "en": "{delivery} is edited by {actor}, {changed}: {reason}.",
        "fr": "{delivery} : modification par {actor}, {changed}. Motif : {reason}.",
    },
}
ACTION_WORDS: dict[DeliveryAction, Texts] = {
    DeliveryAction.OPEN: {"en": "open", "fr": "déclaration"},
    DeliveryAction.UPDATE: {"en": "update", "fr": "mise à jour"},
    DeliveryAction.NOTE: {"en": "note", "fr": "note"},
    DeliveryAction.CLOSE: {"en": "close", "fr": "clôture"},
    DeliveryAction.REOPEN: {"en": "reopen", "fr": "réouverture"},
}
FLAPPING: Texts = {
    "en": " Flapping: {count} changes within {within}; further changes are not told until it is quiet for {quiet}.",
    "fr": " Instable : {count} changements en {within} ; la suite est passée sous silence jusqu'à {quiet} de calme.",
}
STATE_NOTES = frozenset(
    {
        "held",
        "opened",
        "declared",
        "reopened",
        "relapsed",
        "blip",
        "withdrawn",
        "cleared",
        "closed",
        "ended",
        "resumed",
        "gone",
    }
)
"""The kinds of note that go with a change of state; each change has exactly one of them."""

IMPACT_WORDS: dict[Impact, Texts] = {
    Impact.NONE: {"en": "no disruption", "fr": "sans perturbation du service"},
    Impact.BACKUP: {"en": "backup active", "fr": "service avec secours activé"},
    Impact.DEGRADED: {"en": "degraded", "fr": "service dégradé"},
    Impact.SEVERE: {"en": "severely degraded", "fr": "service dégradé majeur"},
    Impact.INTERRUPTED: {"en": "interrupted", "fr": "service interrompu"},
}


def note(incident: Incident, kind: str, at: datetime, **words: str) -> Note:
    """One line of history of this kind; `words` fill the kind's sentence. Raises KeyError for an unknown kind."""
    return Note(incident=incident.id, at=at, actor=ACTOR, kind=kind, text=text(kind, **words))


def text(sentence: str, **words: str) -> Texts:
    """A sentence of this name, filled with `words`, in each language. Raises KeyError for an unknown one."""
    return {language: template.format_map(words) for language, template in _TEXTS[sentence].items()}


def delivery_text(sentence: str, delivery: Delivery, **words: str) -> Texts:
    """The same about a delivery, which the sentence names."""
    names = {"en": "Delivery {} ({}, {})", "fr": "Envoi {} ({}, {})"}
    return {
        language: template.format_map(
            {"delivery": names[language].format(delivery.id, ACTION_WORDS[delivery.action][language], delivery.backend)}
            | words
        )
        for language, template in _TEXTS[sentence].items()
    }


def impact_note(incident: Incident, kind: str, old: Impact, at: datetime) -> Note:
    """One line saying how the impact changed from `old`; kind is `raised` or `lowered`."""
    text = {
        language: template.format(old=IMPACT_WORDS[old][language], new=IMPACT_WORDS[incident.impact][language])
        for language, template in _TEXTS[kind].items()
    }
    return Note(incident=incident.id, at=at, actor=ACTOR, kind=kind, text=text)


_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def span(delta: timedelta) -> str:
    """A span as people write it in both languages: `2 min`, `1 h 30 min`; below a second, `0 s`."""
    left = int(delta.total_seconds())
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
