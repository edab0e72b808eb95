"""Whom an incident is told to: the backend its ticket is declared in, and those that are only informed.

Knows the types only. The ticket is one and stays where it was declared; an informed backend is told the same and is never
asked what came of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tocsin.model import DeliveryAction, State

if TYPE_CHECKING:
    from tocsin.model import Incident, Policy


def bound(incident: Incident, policy: Policy) -> Policy:
    """Return what a newer decision says of an incident's life, as far as that can still change.

    Once it was declared, its ticket stays in the backend that was asked for it. Who was to be informed stays informed, so
    that nobody misses the end; who is added by the newer decision is informed from then on.
    """
    if incident.state == State.HELD:
        return policy
    before, inform = incident.policy, policy.inform
    if before.inform and before.inform != inform:
        inform = tuple(dict.fromkeys((*before.inform, *(inform or ()))))
    if policy.backend == before.backend and policy.inform == inform:
        return policy
    return replace(policy, backend=before.backend, inform=inform)


def whom(policy: Policy, default: str) -> tuple[str, tuple[str, ...]]:
    """Return the backend that declares, and those that are informed; `default` is declared in when no backend is named."""
    backend = policy.backend or default
    return backend, tuple(name for name in policy.inform if name != backend) if policy.inform else ()


def placed(policy: Policy, backend: str, default: str) -> Policy:
    """Return the policy of an incident whose ticket this backend has, or was asked for, whatever a rule says."""
    return policy if (policy.backend or default) == backend else replace(policy, backend=backend)


def told(action: DeliveryAction, *, known: bool) -> DeliveryAction | None:
    """Return what an informed backend is told when the declaring one is told `action`; None for nothing.

    One that does not know the incident yet (`known`) is told of it as of any other: with an `open`, unless it is over.
    One that does keeps its record when the ticket itself got lost and is made anew.
    """
    if known:
        return DeliveryAction.NOTE if action == DeliveryAction.OPEN else action
    return None if action == DeliveryAction.CLOSE else DeliveryAction.OPEN
