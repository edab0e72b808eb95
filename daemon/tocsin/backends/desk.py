"""The desk: the ticket system built into tocsin.

It has no network side: its tickets are written in the store's own transaction (`tocsin.desk`), so declaring one cannot
fail without the alert failing with it, and nothing is ever in doubt.

STATUS: proven live, it is the default.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tocsin.desk import Desk as Backend

__all__ = ["EMBEDDED", "Backend", "Options"]

EMBEDDED = True


class Options(BaseModel):
    """The desk has no options of its own; its priority table is `desk.priority` in the settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)
