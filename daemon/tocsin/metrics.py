"""Every series Prometheus can scrape, each with a bounded set of label values.

The parts tell what happened through the small observers below; what must be read off (queue, live incidents, ages) is
read when Prometheus asks. Nothing here knows how the parts work.
"""

from __future__ import annotations

import platform
from collections import Counter as Tally
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from prometheus_client.metrics_core import Metric

RULE_LABELS = 500
"""So many rules have their own label; those beyond share `other`."""

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """The series of one service; made once by the composition root."""

    def __init__(self, version: str, sqlite_version: str) -> None:
        self.registry = CollectorRegistry()
        self._alerts = self._counter("tocsin_alerts", "Alerts by source and what became of them", "source", "outcome")
        self._decisions = self._counter("tocsin_decisions", "New decisions by rule and action", "rule", "outcome")
        self._requests = self._counter("tocsin_hook_requests", "Hook requests by source and status", "source", "status")
        self._deliveries = self._counter(
            "tocsin_deliveries", "Attempts to tell a backend, by outcome", "backend", "action", "outcome"
        )
        self._delivery_seconds = self._histogram(
            "tocsin_delivery_seconds", "Duration of an attempt to tell a backend", _SLOW, "backend"
        )
        self._to_ticket = self._histogram(
            "tocsin_alert_to_ticket_seconds", "From the first alert of an incident to its ticket's number", _SLOW
        )
        self._commit_alerts = self._histogram("tocsin_commit_alerts", "Alerts and other work in one commit", _SIZES)
        self._commit_seconds = self._histogram("tocsin_commit_seconds", "Duration of one commit", _FAST)
        self._store_failures = self._counter("tocsin_store_failures", "Commits that failed")
        self._reloads = self._counter("tocsin_reloads", "Reloads of rules and fleet by result", "result")
        self._reload_good = self._gauge("tocsin_reload_successful", "1 when the last reload went live")
        self._reload_time = self._gauge("tocsin_reload_success_timestamp_seconds", "When a reload last went live")
        self._rules = Info("tocsin_rules", "The rule set and fleet that are live", registry=self.registry)
        self._rule_count = self._gauge("tocsin_rules_loaded", "Rules in the live rule set")
        self._element_count = self._gauge("tocsin_fleet_elements", "Elements in the live fleet")
        self._compared = self._counter(
            "tocsin_shadow_decisions", "New decisions by what the shadow rule set says otherwise", "difference"
        )
        self._shadow = Info("tocsin_shadow", "The rule set that decides beside the live one", registry=self.registry)
        self._shadow_count = self._gauge("tocsin_shadow_rules", "Rules in the shadow rule set; 0 when there is none")
        self._shadow_good = self._gauge("tocsin_shadow_successful", "0 when the shadow rules on disk were refused")
        self._polls = self._counter("tocsin_polls", "Times a platform was asked what fires there", "source", "result")
        self._poll_time = Gauge(
            "tocsin_poll_success_timestamp_seconds", "When it answered last", ["source"], registry=self.registry
        )
        self._followed = self._counter(
            "tocsin_followed", "Times a ticket system was asked what people changed", "backend", "result"
        )
        self._seen = self._counter(
            "tocsin_tickets_seen", "Tickets that came back from a ticket system, by what was new", "backend", "sight"
        )
        self._events = self._counter(
            "tocsin_tmf621_events", "Events told to listeners of the desk, by outcome", "outcome"
        )
        self._differences = Gauge(
            "tocsin_differences",
            "Differences between store and ticket system, at the last comparison",
            ["backend", "kind"],
            registry=self.registry,
        )
        self._reconciled = Gauge(
            "tocsin_reconcile_success_timestamp_seconds",
            "When store and ticket system were compared last, to the end",
            ["backend"],
            registry=self.registry,
        )
        build = Info("tocsin_build", "This program", registry=self.registry)
        build.info({"version": version, "python": platform.python_version(), "sqlite": sqlite_version})
        self._alert_children: dict[tuple[str, str], Counter] = {}
        self._request_children: dict[tuple[str, int], Counter] = {}
        self._decision_children: dict[tuple[str, str], Counter] = {}
        self._rule_names: set[str] = set()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

    # --- told by the parts -----------------------------------------------------------------------------------------

    def taken(self, source: str, outcomes: Sequence[str]) -> None:
        """A body's alerts were taken in, with these outcomes."""
        counts = Tally(outcomes) if len(outcomes) > 1 else dict.fromkeys(outcomes, 1)
        for outcome, count in counts.items():
            child = self._alert_children.get((source, outcome))
            if child is None:
                child = self._alert_children[source, outcome] = self._alerts.labels(source, outcome)
            child.inc(count)

    def decided(self, decisions: Sequence[tuple[str, str]]) -> None:
        """Rules decided, with these outcomes, about alerts that were no plain repeats."""
        for (rule, outcome), count in Tally(decisions).items():
            child = self._decision_children.get((rule, outcome))
            if child is None:
                child = self._decision_children[rule, outcome] = self._decisions.labels(self._known(rule), outcome)
            child.inc(count)

    def _known(self, rule: str) -> str:
        if len(self._rule_names) < RULE_LABELS:
            self._rule_names.add(rule)
        return rule if rule in self._rule_names else "other"

    def answered(self, source: str, status: int) -> None:
        """A hook request was answered; `source` is a configured name or `unknown`."""
        child = self._request_children.get((source, status))
        if child is None:
            child = self._request_children[source, status] = self._requests.labels(source, status)
        child.inc()

    def committed(self, weight: int, seconds: float) -> None:
        """The store committed a group."""
        self._commit_alerts.observe(weight)
        self._commit_seconds.observe(seconds)

    def failed(self, problem: str) -> None:
        """The store could not commit; the problem itself is in the log."""
        del problem
        self._store_failures.inc()

    def delivered(self, backend: str, action: str, outcome: str, seconds: float) -> None:
        """An attempt to tell a backend ended."""
        self._deliveries.labels(backend, action, outcome).inc()
        self._delivery_seconds.labels(backend).observe(seconds)

    def ticketed(self, seconds: float) -> None:
        """A ticket has its number, so long after the incident's first alert."""
        self._to_ticket.observe(seconds)

    def ticketed_at_once(self, count: int) -> None:
        """So many tickets got their number in the very transaction of their first alert."""
        for _ in range(count):
            self._to_ticket.observe(0)

    def reloaded(self, *, good: bool, at: float) -> None:
        """A reload ended: `good` went live, anything else left the last good set."""
        self._reloads.labels("live" if good else "refused").inc()
        self._reload_good.set(good)
        if good:
            self._reload_time.set(at)

    def live(self, rule_set: str, fleet: str, rules: int, elements: int) -> None:
        """What decides from now on, by content hash."""
        self._rules.info({"hash": rule_set, "fleet": fleet})
        self._rule_count.set(rules)
        self._element_count.set(elements)

    def shadowed(self, rule_set: str, rules: int, *, good: bool) -> None:
        """What decides beside the live rules from now on, empty for nothing; `good`: it is what is on disk."""
        self._shadow.info({"hash": rule_set})
        self._shadow_count.set(rules)
        self._shadow_good.set(good)

    def compared(self, differences: Sequence[str]) -> None:
        """The shadow rule set decided, too, and differs in this; `same` when in nothing."""
        for difference in differences:
            self._compared.labels(difference).inc()

    def polled(self, source: str, *, good: bool, at: float) -> None:
        """A platform was asked what fires there."""
        self._polls.labels(source, "answered" if good else "failed").inc()
        if good:
            self._poll_time.labels(source).set(at)

    def followed(self, backend: str, result: str) -> None:
        """A ticket system was asked what people changed: `answered`, or the reason it was not."""
        self._followed.labels(backend, result).inc()

    def told_event(self, outcome: str) -> None:
        """A listener of the desk was told an event, or was not."""
        self._events.labels(outcome).inc()

    def seen(self, backend: str, sight: str) -> None:
        """A ticket came back from its system; `sight` says what was new."""
        self._seen.labels(backend, sight).inc()

    def reconciled(self, backend: str, counts: Mapping[str, int], at: float) -> None:
        """Store and ticket system were compared to the end; `counts` has every kind of difference."""
        for kind, count in counts.items():
            self._differences.labels(backend, kind).set(count)
        self._reconciled.labels(backend).set(at)

    # --- read when asked -------------------------------------------------------------------------------------------

    def watch(self, read: Callable[[], Mapping[str, float]], states: Callable[[], Mapping[str, int]]) -> None:
        """Read these gauges at each scrape: name → value, and live incidents by state."""
        self.registry.register(_Reader(read, states))

    def listen(self, heard: Callable[[], Mapping[str, datetime]]) -> None:
        """Read at each scrape when each source was heard last."""
        self.registry.register(_Heard(heard))

    def tell(self, fares: Callable[[], Mapping[str, Faring]], states: Sequence[str]) -> None:
        """Read at each scrape how each backend fares; `states` are all words that its state may be."""
        self.registry.register(_Fares(fares, states))


class Faring(NamedTuple):
    """How one backend fares."""

    state: str
    unsent: int
    dead: int
    oldest: float
    """Age of the oldest delivery still to be sent, in seconds; 0 when there is none."""


GAUGES = {
    "tocsin_queue_alerts": "Work waiting for its commit, in alerts",
    "tocsin_firing_alerts": "Fingerprints that fire now",
    "tocsin_unsent_deliveries": "Deliveries not sent yet, dead ones that open a ticket included",
    "tocsin_oldest_undelivered_seconds": "Age of the oldest delivery not sent yet; 0 when there is none",
    "tocsin_store_up": "1 while the store can write",
    "tocsin_tmf621_listeners": "Programs that listen to the desk",
    "tocsin_tmf621_events_behind": "Events that the listener furthest behind was not told yet",
}
"""What `watch` reads: name → help."""


class _Heard(Collector):
    def __init__(self, heard: Callable[[], Mapping[str, datetime]]) -> None:
        self._heard = heard

    def collect(self) -> Iterable[Metric]:
        heard = GaugeMetricFamily("tocsin_source_heard_timestamp_seconds", "When it was heard last", labels=["source"])
        for source, at in self._heard().items():
            heard.add_metric([source], at.timestamp())
        yield heard

    def describe(self) -> Iterable[Metric]:
        return []


class _Fares(Collector):
    def __init__(self, fares: Callable[[], Mapping[str, Faring]], states: Sequence[str]) -> None:
        self._fares = fares
        self._states = states

    def collect(self) -> Iterable[Metric]:
        state = GaugeMetricFamily("tocsin_backend_state", "1 for what it is in now", labels=["backend", "state"])
        unsent = self._of_each("tocsin_backend_unsent_deliveries", "Deliveries still to be sent to it")
        dead = self._of_each("tocsin_backend_dead_deliveries", "Deliveries given up, which wait for a person")
        oldest = self._of_each(
            "tocsin_backend_oldest_undelivered_seconds",
            "Age of the oldest delivery still to be sent to it; 0 when there is none",
        )
        for backend, faring in self._fares().items():
            for word in self._states:
                state.add_metric([backend, word], word == faring.state)
            unsent.add_metric([backend], faring.unsent)
            dead.add_metric([backend], faring.dead)
            oldest.add_metric([backend], faring.oldest)
        return (state, unsent, dead, oldest)

    def _of_each(self, name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, text, labels=["backend"])

    def describe(self) -> Iterable[Metric]:
        return []


class _Reader(Collector):
    def __init__(self, read: Callable[[], Mapping[str, float]], states: Callable[[], Mapping[str, int]]) -> None:
        self._read = read
        self._states = states

    def collect(self) -> Iterable[Metric]:
        for name, value in self._read().items():
            yield GaugeMetricFamily(name, GAUGES[name], value=value)
        incidents = GaugeMetricFamily("tocsin_incidents", "Live incidents by state", labels=["state"])
        for state, count in self._states().items():
            incidents.add_metric([state], count)
        yield incidents

    def describe(self) -> Iterable[Metric]:
        return []
