"""What other systems call desk tickets: no two tickets have the same identifier, whoever declared them and whatever became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.desk.dossiers import Identifier
    from tocsin.store import Transaction


class Taken(Struct, frozen=True):
    """An identifier, and the number of the ticket that has it already."""

    value: str
    number: str


def taken(tx: Transaction, identifiers: Iterable[Identifier], ticket: int) -> Taken | None:
    """The first of the identifiers that another ticket than this one has.

    Two that are spelled alike are the same unless both name their systems, and those differ. The reference of a ticket
    that tocsin declared counts as an identifier that tocsin owns.
    """
    for one in identifiers:
        for row, number, _, owner in tx.rows("desk_identified", (one.value, one.value)):
            if row != ticket and (not owner or not one.owner or owner == one.owner):
                return Taken(one.value, number)
    return None


def write(tx: Transaction, ticket: int, identifiers: Iterable[Identifier]) -> None:
    """Keep what others call a ticket, in their order."""
    for one in identifiers:
        row = (tx.next("desk_identifiers"), ticket, one.value, one.owner, rows.encode_text(one.said))
        tx.insert("insert_desk_identifier", row)
