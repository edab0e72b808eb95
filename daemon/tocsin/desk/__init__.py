"""The embedded ticket system: tickets numbered by month, statuses, notes, a priority computed from a table.

It lives in the store's database and takes part in the transaction that a ticket comes of, so a ticket in the desk and
its incident can never disagree. Knows nothing of alerts and rules: it sees deliveries and people.
"""

from __future__ import annotations

from tocsin.desk.tickets import Desk, DeskTicket, PriorityTable

__all__ = ["Desk", "DeskTicket", "PriorityTable"]
