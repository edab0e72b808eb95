"""A stored history as a file, and that file as a history again: what `tocsin export` writes and `tocsin replay` reads.

One JSON object in each line: a head; then, in order of time, what came in, each text once before the first that says it.
Knows history and redaction; memory stays flat on both sides, because both forget texts in the same order.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import zlib
from collections import OrderedDict
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tocsin.errors import StoreError
from tocsin.model import Alert, TicketStatus
from tocsin.store.history import Arrival, Event, Touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tocsin.workbench.redaction import Redactor

FORMAT, VERSION = "tocsin-history", 1
KEPT = 20_000
"""So many texts are remembered; one that was forgotten is written again when it is said again."""
_LONGEST = 16 * 1024 * 1024
"""Longest line, in bytes."""
_LEVEL = 6
_BUFFER = 256 * 1024


class Head(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a file."""

    since: datetime = msgspec.field(name="from")
    until: datetime
    format: str = ""
    version: int = 0
    kept: int = 0
    """So many texts must be remembered."""
    tocsin: str = ""
    """The version that wrote it."""
    redacted: bool = False


class _Line(Struct, omit_defaults=True):
    """Any line after the first: a text, an alert that came in, or a person at work."""

    text: int = 0
    alert: Alert | None = None
    at: datetime | None = None
    ends: datetime | UnsetType | None = UNSET
    """The end of this very message, where it is not the one of the text."""
    source: str = ""
    fingerprint: str = ""
    status: TicketStatus | None = None


class Written(Struct, frozen=True, kw_only=True):
    """What an export wrote."""

    alerts: int
    texts: int
    people: int
    bytes: int


_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(Head)
_line = msgspec.json.Decoder(_Line)


def write_history(
    path: Path,
    head: Head,
    events: Callable[[], Iterable[Event]],
    redactor: Redactor,
    progress: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write a history; the file is there whole or not at all.

    Args:
        path: where to; compressed when the name ends in .gz.
        head: what period it is.
        events: gives what came in, in order; asked twice, and must answer the same: values that must be hidden everywhere are
            looked for first.
        redactor: takes out what is not told.
        progress: told, from time to time, how many events of both rounds are behind.

    Raises:
        StoreError: the history cannot be read, or the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        with _writing(aside, packed=path.suffix == ".gz") as out:
            writer = _Writer(out, redactor, progress)
            writer.look(events())
            writer.write(replace(head, format=FORMAT, version=VERSION, kept=KEPT), events())
        size = aside.stat().st_size
        aside.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: the history cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
    return Written(alerts=writer.alerts, texts=writer.texts, people=writer.people, bytes=size)


@contextlib.contextmanager
def _writing(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as raw:
        if packed:
            with (
                gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as out,
                io.BufferedWriter(out, _BUFFER) as lines,
            ):
                yield lines
        else:
            yield raw
        raw.flush()
        os.fsync(raw.fileno())


class _Writer:
    """One export under way."""

    def __init__(self, out: IO[bytes], redactor: Redactor, progress: Callable[[int], None]) -> None:
        self._out = out
        self._redactor = redactor
        self._progress = progress
        self._told: OrderedDict[int, datetime | None] = OrderedDict()
        """Text that the reader remembers → the end that it says."""
        self.alerts = self.texts = self.people = 0
        self._behind = 0

    def look(self, events: Iterable[Event]) -> None:
        """See every text once, for what must be hidden everywhere."""
        seen = bytearray()
        for event in events:
            self._step()
            if isinstance(event, Arrival):
                byte, bit = divmod(event.text, 8)
                if byte >= len(seen):
                    seen.extend(bytes(byte + 1 - len(seen) + len(seen) // 4))
                if not seen[byte] >> bit & 1:
                    seen[byte] |= 1 << bit
                    self._redactor.see(event.alert)

    def write(self, head: Head, events: Iterable[Event]) -> None:
        """Write all lines."""
        self._put(head)
        for event in events:
            self._step()
            if isinstance(event, Arrival):
                self._arrival(event)
            else:
                self._person(event)

    def _arrival(self, arrival: Arrival) -> None:
        said = self._text(arrival)
        ends = arrival.alert.ends_at
        self.alerts += 1
        self._put(_Line(text=arrival.text, at=arrival.at, ends=UNSET if ends == said else ends))

    def _text(self, arrival: Arrival) -> datetime | None:
        """The end that the text says, after telling the text to a reader who does not know it."""
        number, alert = arrival.text, arrival.alert
        if number not in self._told:
            if len(self._told) >= KEPT:
                self._told.popitem(last=False)
            self._told[number] = alert.ends_at
            self.texts += 1
            self._put(_Line(text=number, alert=self._redactor.redact(alert)))
        return self._told[number]

    def _person(self, touched: Touched) -> None:
        source, fingerprint = self._redactor.identity(touched.source, touched.fingerprint)
        self.people += 1
        self._put(_Line(at=touched.at, source=source, fingerprint=fingerprint, status=touched.status))

    def _put(self, line: Struct) -> None:
        self._out.write(_encode(line) + b"\n")

    def _step(self) -> None:
        self._behind += 1
        if self._behind % 1000 == 0:
            self._progress(self._behind)


def read_head(path: Path) -> Head:
    """Return the first line of a history file. Raises StoreError when it is none."""
    with _reading(path) as lines:
        return _head_of(path, lines.readline(_LONGEST))


def read_history(path: Path) -> Iterator[Event]:
    """Yield what a history file holds, in order: as `store.history` gives it, without what was decided at the time.

    Raises:
        StoreError: it cannot be read, is no such file, or is cut off; with the line.
    """
    with _reading(path) as lines:
        texts: OrderedDict[int, Alert] = OrderedDict()
        kept = _head_of(path, lines.readline(_LONGEST)).kept
        number = 1
        while raw := lines.readline(_LONGEST):
            number += 1
            if not raw.endswith(b"\n"):
                raise StoreError(f"{path}:{number}: the history is cut off here: export it again")
            try:
                line = _line.decode(raw)
                if line.alert is None:
                    yield _event(line, texts, number)
                else:
                    texts.pop(line.text, None)
                    if len(texts) >= kept:
                        texts.popitem(last=False)
                    texts[line.text] = line.alert
            except (msgspec.MsgspecError, KeyError, UnicodeDecodeError) as error:
                raise StoreError(f"{path}:{number}: this is no line of a history: {_said(error)}") from None


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[IO[bytes]]:
    """The lines of a file, inflated; what a cut or broken file says is told."""
    try:
        with path.open("rb") as raw:
            packed = raw.peek(2)[:2] == b"\x1f\x8b"
            lines: Any = gzip.GzipFile(fileobj=raw) if packed else raw
            with lines:
                yield lines
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise StoreError(f"{path}: the history cannot be read: {why}") from None


def _head_of(path: Path, line: bytes) -> Head:
    sentence = f"{path}: this is no history that `tocsin export` wrote"
    try:
        head = _head.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise StoreError(sentence) from None
    if head.format != FORMAT:
        raise StoreError(sentence)
    if head.version != VERSION:
        raise StoreError(f"{path}: a history of version {head.version}, and this tocsin reads version {VERSION}")
    return head


def _event(line: _Line, texts: OrderedDict[int, Alert], number: int) -> Event:
    if line.at is None:
        raise KeyError("a time")
    if not line.text:
        return Touched(at=line.at, source=line.source, fingerprint=line.fingerprint, status=line.status)
    alert = texts[line.text]
    if line.ends is not UNSET:
        alert = replace(alert, ends_at=line.ends)
    return Arrival(row=number, at=line.at, text=line.text, alert=alert)


def _said(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
