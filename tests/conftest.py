"""Options of the whole test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="rewrite the expected files; then read their diff")
    parser.addoption("--crash-rounds", type=int, default=30, help="how often the service is killed")
    parser.addoption("--crash-seed", type=int, default=20261123, help="the dice of the crash tests")
