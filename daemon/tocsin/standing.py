"""How tickets stand: which statuses end one, and in which somebody works on it, or will."""

from __future__ import annotations

from tocsin.model import TicketStatus

ENDED = frozenset({TicketStatus.CLOSED, TicketStatus.CANCELLED})
GOING = frozenset({TicketStatus.DECLARED, TicketStatus.IN_PROGRESS, TicketStatus.WAITING, TicketStatus.FROZEN})
"""Somebody works on it, or will."""
