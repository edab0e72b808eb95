"""What the database knows of each source: when it was heard last, how much of it fires, what could not be read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.store.reader import reader
from tocsin.store.rows import moment

if TYPE_CHECKING:
    from pathlib import Path


class SourceLine(Struct, frozen=True, kw_only=True):
    """One source in a listing."""

    heard_at: datetime | None
    """A few seconds old while the service runs."""
    firing: int
    rejected: int
    """Messages kept because they could not be read."""


def source_lines(folder: Path) -> dict[str, SourceLine]:
    """Source → what is known of it. Raises StoreError when there is no database yet."""
    with reader(folder) as rows:
        heard = {source: at for source, fingerprint, at, _ in rows.rows("heard") if not fingerprint}
        firing: dict[str, int] = dict(rows.rows("count_firing"))
        rejected: dict[str, int] = dict(rows.rows("count_rejected"))
    return {
        name: SourceLine(
            heard_at=moment(heard[name]) if name in heard else None,
            firing=firing.get(name, 0),
            rejected=rejected.get(name, 0),
        )
        for name in heard | firing | rejected
    }
