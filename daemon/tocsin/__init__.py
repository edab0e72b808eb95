"""tocsin: from a supervision alert to exactly one incident ticket."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tocsin")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0"
