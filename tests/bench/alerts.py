"""The alerts both peers are sent, as whole HTTP requests in bytes.

Knows the body Prometheus pushes to `/api/v2/alerts` and how to say the same alerts again or new ones each time.
Knows nothing of sockets, and does its work before the clock runs: what is left to do in time is joining bytes.
"""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import names

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKS = 1_000
"""Checks the alerts are spread over: as many as there are rules."""
RESOURCES = 99_000
"""Resources the alerts are spread over: all elements but the links above them."""
REPEATED = 2_000
"""Size of the fixed set that is sent again and again."""
BATCH = 100
ENDS_AFTER = timedelta(hours=1)
"""How far in the future `endsAt` lies: beyond the longest measure, so that nothing ends by itself."""

_ENDS = "@" * len("2026-01-01T00:00:00.000Z")
_SUMMARY = "{headline}: {value:.1f} over {limit} on {resource}"
_DESCRIPTION = (
    "{headline} {value:.1f}, the limit is {limit}, for 5 minutes. The service behind it may be slow or not answer."
)


def pair(number: int) -> tuple[int, int]:
    """Gives alert `number` its resource and its check: every number has a pair of its own."""
    lap, resource = divmod(number, RESOURCES)
    return resource, (resource + lap) % CHECKS


def alert(number: int, starts_at: datetime) -> str:
    """Writes alert `number` as JSON of 500 to 600 bytes, with a mark where `endsAt` goes."""
    resource, check = pair(number)
    facts = {
        "headline": names.headline(check),
        "resource": names.resource(resource),
        "value": 50 + number % 500 / 10,
        "limit": 40 + number % 10,
    }
    return json.dumps(
        {
            "labels": {
                "alertname": names.check(check),
                "instance": f"{facts['resource']}:9100",
                "job": "node",
                "severity": names.severity(check),
                "team": f"operations-{check % 20:02d}",
            },
            "annotations": {"summary": _SUMMARY.format(**facts), "description": _DESCRIPTION.format(**facts)},
            "startsAt": _stamp(starts_at),
            "endsAt": _ENDS,
            "generatorURL": f"http://prometheus.example.net:9090/graph?g0.expr=check_{check:04d}+%3E+{facts['limit']}",
        },
        separators=(",", ":"),
    )


class Sender:
    """What one Prometheus has to say to one server: a fixed set of alerts, and new ones without end."""

    def __init__(self, port: int, now: datetime) -> None:
        self.said = 0
        """How many different alerts were handed out: what the server should know of when all were accepted."""
        self._port = port
        self._starts_at = now - timedelta(minutes=5)
        self._ends = (_stamp(now + ENDS_AFTER + timedelta(seconds=n)).encode() for n in itertools.count())

    def repeats(self, batch: int) -> Iterator[bytes]:
        """Says the fixed set in requests of `batch` alerts, without end; `endsAt` is a second later at each pass."""
        self.said = max(self.said, REPEATED)
        templates = [self._template(range(n, n + batch)) for n in range(0, REPEATED, batch)]
        return (ends.join(parts) for ends in self._ends for parts in templates)

    def once(self) -> list[bytes]:
        """Says the fixed set a single time, in batches."""
        return list(itertools.islice(self.repeats(BATCH), REPEATED // BATCH))

    def new(self, count: int, batch: int) -> list[bytes]:
        """Says `count` alerts never said before, in requests of `batch`."""
        first = max(self.said, REPEATED)
        self.said = first + count
        ends = next(self._ends)
        return [ends.join(self._template(range(n, n + batch))) for n in range(first, first + count, batch)]

    def _template(self, numbers: range) -> list[bytes]:
        """Writes one request, split where `endsAt` goes."""
        body = f"[{','.join(alert(n, self._starts_at) for n in numbers)}]"
        head = (
            f"POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUser-Agent: Prometheus/2.55.0\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return f"{head}{body}".encode("ascii").split(_ENDS.encode())


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
