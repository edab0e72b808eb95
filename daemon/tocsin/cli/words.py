"""What impacts, statuses, states and columns are called in tables, in each language.

JSON keeps the words of the model; these are for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.model import DeliveryAction, Impact, State, TicketStatus
from tocsin.wording import ACTION_WORDS, IMPACT_WORDS

if TYPE_CHECKING:
    from tocsin.cli.given import Language
    from tocsin.model import Texts
    from tocsin.store.listing import InformedLine

_STATUS = {
    TicketStatus.DECLARED: {"en": "Declared", "fr": "Déclaré"},
    TicketStatus.IN_PROGRESS: {"en": "In progress", "fr": "En cours"},
    TicketStatus.WAITING: {"en": "Waiting", "fr": "En attente"},
    TicketStatus.FROZEN: {"en": "Frozen", "fr": "Gelé"},
    TicketStatus.REPAIRED: {"en": "Repaired", "fr": "Réparé"},
    TicketStatus.CLOSED: {"en": "Closed", "fr": "Clos"},
    TicketStatus.CANCELLED: {"en": "Cancelled", "fr": "Annulé"},
}
_STATE = {
    State.HELD: {"en": "Held", "fr": "Retenu"},
    State.OPEN: {"en": "Open", "fr": "Ouvert"},
    State.CLEAR: {"en": "Clear", "fr": "Rétabli"},
    State.CLOSED: {"en": "Closed", "fr": "Clos"},
}
_PENDING = {"en": "number pending", "fr": "numéro en attente"}
_UNTOLD = {"en": "still to be told", "fr": "reste à informer"}
_FRENCH = {
    "number": "numéro",
    "status": "statut",
    "name": "nom",
    "element": "élément",
    "priority": "priorité",
    "declarant": "déclarant",
    "reference": "référence",
    "state": "état",
    "alerts": "alertes",
    "rule": "règle",
    "last seen": "vu le",
    "due": "échéance",
    "updated": "mis à jour",
    "informed": "informé",
    "address": "adresse",
    "at": "le",
    "actor": "par",
    "flapping": "instable",
    "touched": "pris en charge",
    "attempts": "tentatives",
    "reason": "motif",
    "made": "fait le",
    "settled": "réglé le",
    "in doubt": "en doute",
    "why": "pourquoi",
    "opened": "ouvert le",
    "previous": "précédent",
}


def impact(word: str, lang: Language) -> str:
    """Label of an impact, such as `Service interrompu`."""
    label = IMPACT_WORDS[Impact(word)][lang]
    return label[:1].upper() + label[1:]


def status(word: str, lang: Language) -> str:
    """Label of a ticket's status, such as `En cours`."""
    return _STATUS[TicketStatus(word)][lang]


def informed(line: InformedLine, lang: Language) -> str:
    """What an informed backend was told: `noc: INC42, Declared`."""
    if not line.status:
        return f"{line.backend}: {_UNTOLD[lang]}"
    return f"{line.backend}: {', '.join(filter(None, (number(line.number, lang, pending=line.status != TicketStatus.CANCELLED), status(line.status, lang))))}"


def number(told: str, lang: Language, *, pending: bool) -> str:
    """A ticket's number, or that its ticket system has still to tell it."""
    return told or (_PENDING[lang] if pending else "")


def action(word: str, lang: Language) -> str:
    """What a delivery asks for."""
    return ACTION_WORDS[DeliveryAction(word)][lang]


def state(word: str, lang: Language) -> str:
    """Label of an incident's state."""
    return _STATE[State(word)][lang]


def heading(word: str, lang: Language) -> str:
    """Label of a column; a word that both languages share is itself."""
    return _FRENCH.get(word, word) if lang == "fr" else word


def text(texts: Texts, lang: Language) -> str:
    """The text in a language, or in whichever there is."""
    return texts.get(lang) or next(iter(texts.values()), "")
