"""How a note of ours is told from a person's, in every ticket system: by the mark that it ends in. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.model import Record, RemoteNote

_MARK = re.compile(r"^(\(tocsin ([^\s/()]+)/\d+\))\W*\Z", re.MULTILINE)


def of_people(record: Record) -> tuple[RemoteNote, ...]:
    """The notes of a ticket that are not ours.

    Ours end in a mark with the ticket's reference, and each mark stands once: what ends in the same one, or in that of
    another ticket, is a person's who quotes it.
    """
    ours: set[str] = set()
    theirs = []
    for note in record.notes:
        found = _MARK.search(note.text)
        if found and found[2] == record.reference and found[1] not in ours:
            ours.add(found[1])
        else:
            theirs.append(note)
    return tuple(theirs)
