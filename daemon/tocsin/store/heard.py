"""Who was heard when, written down: sources and their heartbeats, for measuring silence after a restart, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.hearing import Heard
from tocsin.model import Alert
from tocsin.store import rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.store.transaction import Transaction

_alert = msgspec.json.Decoder(Alert)


def read(tx: Transaction) -> list[Heard]:
    """Who was heard when, as it was written down last."""
    return [
        Heard(source=source, fingerprint=fingerprint, at=rows.moment(at), beat=_alert.decode(alert) if alert else None)
        for source, fingerprint, at, alert in tx.rows("heard")
    ]


def write(tx: Transaction, news: Iterable[Heard], gone: Iterable[Heard]) -> None:
    """Write down who was heard, and forget those that nobody waits for any more."""
    for one in news:
        said = rows.encode_text(one.beat) if one.beat else None
        tx.update("put_heard", (one.source, one.fingerprint, rows.micros(one.at), said))
    for one in gone:
        tx.update("delete_heard", (one.source, one.fingerprint))
