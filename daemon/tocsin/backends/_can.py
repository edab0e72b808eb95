"""What a ticket system can be asked for; a kind names what its system cannot, and why."""

from __future__ import annotations

from tocsin.told import Told


class Can(Told):
    """One thing a ticket system may be able to do; the list is closed and heads the table in README.md."""

    LOOK_UP = "look_up", "a ticket is found again by our reference"
    READ = "read", "a ticket is read back: whose it is and how it stands"
    NOTE = "note", "a note is added"
    IMPACT = "impact", "the impact is changed"
    REPAIRED = "repaired", "it is told that the service works again, before the ticket is closed"
    CLOSE = "close", "the ticket is closed"
    REOPEN = "reopen", "a closed ticket is opened again"
    ATTACH = "attach", "a file is attached"
    NOTES_BACK = "notes_back", "what people write in the ticket comes back"
    CHANGES = "changes", "it can be asked what changed since a moment"
    HOOK = "hook", "it tells us of changes at /hooks/tickets/NAME"
    CHECK = "check", "what the options name is looked up before it is needed"
