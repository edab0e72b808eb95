"""What ticket systems are told in a test: at once while they can be reached, folded together while they cannot.

Makes deliveries as `store.apply` does and folds them by the same `folding.fold`; a ticket system that is down refuses
the connection, so nothing is ever in doubt. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tocsin import folding, informing, lifecycle
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
        """What was sent so far to those that declare, in order."""
        self.heard: dict[str, tuple[DeliveryAction, ...]] = {}
        """What was sent so far to each that is informed, in order."""
        self._unsent = unsent
        self._down = down
        self._begins = begins
        self._default = default
        self._opened: set[int] = set()
        self._known: set[tuple[int, str]] = set()
        """Incident and name of each that is informed of it."""
        self._made = 0

    @property
    def tickets(self) -> int:
        """How many tickets were declared: the informed ones only hear of them."""
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
        declaring, informed = informing.whom(change.incident.policy, self._default)
        for action in change.deliveries:
            self._deliver(declaring, self._delivery(change, action, decision, now), change.incident.n, now)
        for action in change.informs or change.deliveries:
            for backend in informed:
                self._inform(backend, self._delivery(change, action, decision, now), change.incident.n, now)

    def come_round(self, now: datetime) -> None:
        """Send what waited for a ticket system that can be reached now: in order for each, the highest impact first."""
        for n, backend in sorted(self._unsent.chains(), key=self._turn):
            self._flush(n, backend, now)

    def _turn(self, chain: tuple[int, str]) -> tuple[int, int]:
        first = self._unsent.of(*chain)[0]
        return -first.body.impact.rank, first.id

    def _waits(self, backend: str) -> bool:
        return any(one.backend == backend for one in self._unsent.all())

    def _flush(self, n: int, backend: str, now: datetime) -> None:
        while (first := folding.next_of(self._unsent.of(n, backend))) and self._up(backend, now):
            self._unsent.keep(n, backend, tuple(one for one in self._unsent.of(n, backend) if one.id != first.id))
            self._send(n, backend, first.action)

    def _inform(self, backend: str, delivery: Delivery, n: int, now: datetime) -> None:
        action = informing.told(delivery.action, known=(n, backend) in self._known)
        if action is None:
            return
        self._known.add((n, backend))
        told = replace(delivery, action=action, body=replace(delivery.body, action=action))
        if self._deliver(backend, told, n, now):
            self._known.discard((n, backend))

    def _deliver(self, backend: str, delivery: Delivery, n: int, now: datetime) -> bool:
        """Send it, or let it wait; returns whether that took back what was to open."""
        if not self._down or (self._up(backend, now) and not self._waits(backend)):
            self._send(n, backend, delivery.action)
            return False
        unsent = self._unsent.of(n, backend)
        folded = folding.fold(unsent, replace(delivery, backend=backend))
        self._unsent.keep(n, backend, folding.left(unsent, folded))
        return any(one.action == DeliveryAction.OPEN for one in folded.cancel)

    def _send(self, n: int, backend: str, action: DeliveryAction) -> None:
        if (n, backend) in self._known:
            self.heard[backend] = (*self.heard.get(backend, ()), action)
            return
        self.sent.append(action)
        if action == DeliveryAction.OPEN:
            self._opened.add(n)

    def _delivery(self, change: Change, action: DeliveryAction, decision: Decision, now: datetime) -> Delivery:
        """What a backend is told; which one is said when it is."""
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
            language=incident.policy.language,
        )
        return Delivery(id=self._made, incident=incident.id, backend="", action=action, body=body, due_at=now)

    def _up(self, backend: str, now: datetime) -> bool:
        at = now - self._begins
        return not any(down.since <= at < down.to and down.backend in (None, backend) for down in self._down)
