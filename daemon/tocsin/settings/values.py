"""Moved to `tocsin.units`; this stays until its last reader has followed."""

from __future__ import annotations

from tocsin.units import Duration as Duration  # noqa: PLC0414
