"""What the settings may say about any source, whatever its kind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tocsin.model import Severity
from tocsin.sources import _severity


class SourceOptions(BaseModel):
    """The options that every kind has; a kind's own `Options` adds to them."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    severity_default: Severity = _severity.DEFAULT
    """Severity of an alert that names none, or names one that nobody knows."""
