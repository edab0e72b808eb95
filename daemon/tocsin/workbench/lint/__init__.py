"""What is wrong with rules, tables and fleet, and what is hardly meant: findings, each with its place and a code.

Errors are found where files are read and tests are run; what can work and hardly is meant is looked for here. Nothing
that could not be checked is said. Pure: what the database knows is handed in.
"""

from __future__ import annotations

from tocsin.workbench.lint.finding import Finding, Severity, errors, warnings
from tocsin.workbench.lint.looking import look

__all__ = ["Finding", "Severity", "errors", "look", "warnings"]
