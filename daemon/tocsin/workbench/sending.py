"""What ticket systems are told in a test: at once while they can be reached, folded together while they cannot.

Makes deliveries as `store.apply` does and folds them by the same `folding.fold`; a ticket system that is down refuses
the connection, so nothing is ever in doubt. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin import folding, lifecycle
from tocsin.model import Delivery, DeliveryAction, Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from tocsin.model import Change, Decision
    from tocsin.rules.examples import Down
    from tocsin.unsent import Unsent


class Sending:
    """The deliveries of one test. `unsent` is the world's: what waits there, a resolve may still withdraw."""

    def __init__(self, unsent: Unsent, down: Sequence[Down], begins: datetime, default: str) -> None:
        """Start with nothing sent.

        Args:
            unsent: where deliveries wait.
            down: when ticket systems cannot be reached.
            begins: when the test begins.
            default: the ticket system of rules that name none.
        """
        self.sent: list[DeliveryAction] = []
        """What was sent so far, in order."""
        self._unsent = unsent
        self._down = down
        self._begins = begins
        self._default = default
        self._opened: set[int] = set()
        self._made = 0

    @property
    def tickets(self) -> int:
        """How many tickets the ticket systems know of."""
        return self.sent.count(DeliveryAction.OPEN)

    @property
    def waiting(self) -> int:
        """How many deliveries wait."""
        return len(self._unsent.all())

    def ends(self) -> list[timedelta]:
        """When a ticket system can be reached again, in order."""
        return sorted({down.to for down in self._down})

    def knows(self, n: int) -> bool:
        """Whether the ticket of incident `n` is in its ticket system."""
        return n in self._opened

    def tell(self, change: Change, decision: Decision, now: datetime) -> None:
        """Deliver what a change asks for, or let it wait: also behind what waits for a ticket system just up again."""
        backend = change.incident.policy.backend or self._default
        at_once = not self._down or (self._up(backend, now) and not self._waits(change.incident.n, backend))
        for action in change.deliveries:
            if at_once:
                self._send(change.incident.n, action)
            else:
                self._queue(change, action, decision, now)

    def come_round(self, now: datetime) -> None:
        """Send what waited for a ticket system that can be reached now: the oldest first, in order for each incident."""
        for n in sorted(self._unsent.rows(), key=lambda n: self._unsent.of(n)[0].id):
            self._flush(n, now)

    def _waits(self, n: int, backend: str) -> bool:
        return bool(self._unsent.of(n)) or any(one.backend == backend for one in self._unsent.all())

    def _flush(self, n: int, now: datetime) -> None:
        while (first := folding.next_of(self._unsent.of(n))) and self._up(first.backend, now):
            self._unsent.keep(n, tuple(one for one in self._unsent.of(n) if one.id != first.id))
            self._send(n, first.action)

    def _send(self, n: int, action: DeliveryAction) -> None:
        self.sent.append(action)
        if action == DeliveryAction.OPEN:
            self._opened.add(n)

    def _queue(self, change: Change, action: DeliveryAction, decision: Decision, now: datetime) -> None:
        n = change.incident.n
        unsent = self._unsent.of(n)
        folded = folding.fold(unsent, self._delivery(change, action, decision, now))
        self._unsent.keep(n, folding.left(unsent, folded))

    def _delivery(self, change: Change, action: DeliveryAction, decision: Decision, now: datetime) -> Delivery:
        incident = change.incident
        if decision.element is None:
            raise ValueError(f"rule {decision.rule}: a delivery needs an element")
        self._made += 1
        body = Snapshot(
            reference=incident.id,
            action=action,
            name=decision.name,
            description=decision.description,
            element=decision.element,
            impact=incident.impact,
            status=lifecycle.ticket_status(incident),
            declarant=incident.declarant,
            source="",
            rule=decision.rule,
            rule_set=decision.rule_set,
            opened_at=incident.opened_at,
            notes=tuple(note.text for note in change.notes),
        )
        backend = incident.policy.backend or self._default
        return Delivery(id=self._made, incident=incident.id, backend=backend, action=action, body=body, due_at=now)

    def _up(self, backend: str, now: datetime) -> bool:
        at = now - self._begins
        return not any(down.since <= at < down.to and down.backend in (None, backend) for down in self._down)
