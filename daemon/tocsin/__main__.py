"""`python -m tocsin` and the console script."""

from __future__ import annotations

from tocsin.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
