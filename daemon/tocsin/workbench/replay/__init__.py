"""Replay: what came in decided again by two rule sets, and the difference in tickets.

`side` plays a history in one `World`; `comparison` says how the tickets of two sides differ; `run` plays both sides in
processes of their own; `budget` says whether a difference is too much; `report` draws it for people.
"""

from __future__ import annotations

from tocsin.workbench.replay.result import Result
from tocsin.workbench.replay.run import Cancelled, Job, Run

__all__ = ["Cancelled", "Job", "Result", "Run"]
