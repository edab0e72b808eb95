"""What a platform shows when it is asked: all that it knows now, not one message about a change."""

from __future__ import annotations

from msgspec import Struct

from tocsin.model import Alert


class Shown(Struct, frozen=True, kw_only=True):
    """What fires at a platform and what does not, by fingerprint."""

    fires: dict[str, Alert]
    over: dict[str, Alert]
    """What it knows, and says is no problem."""
    left: frozenset[str] = frozenset()
    """What it knows and tells nobody about (silenced, in a downtime, not settled yet): nothing is to be done about it."""

    def joined(self, other: Shown) -> Shown:
        """Both answers as one."""
        return Shown(fires=self.fires | other.fires, over=self.over | other.over, left=self.left | other.left)
