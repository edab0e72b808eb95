"""Options of the whole test run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

# CI tells whether a change is good, the same for every run of it; at home each run looks somewhere else.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("home", deadline=None)
settings.load_profile("ci" if os.environ.get("REAL_PROGRAMS") else "home")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="rewrite the expected files; then read their diff")
    parser.addoption("--crash-rounds", type=int, default=30, help="how often the service is killed")
    parser.addoption("--soak-incidents", type=int, default=300, help="how many incidents the soak makes")
    parser.addoption("--soak-kills", type=int, default=4, help="how often the service is killed meanwhile")
    parser.addoption("--crash-seed", type=int, default=20261123, help="the dice of the crash tests")
