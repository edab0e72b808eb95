"""Puts an alert together out of what a kind found, within every limit: the last step of most parsers.

Names that identify are refused when they are missing or too long; what only describes is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.model import Alert, Status
from tocsin.sources import _identity, _labels, _secret, _severity, _texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tocsin.model import Payload
    from tocsin.sources._options import SourceOptions


def alert(  # noqa: PLR0913 - an alert has that many parts
    payload: Payload,
    options: SourceOptions,
    *,
    identity: str | Sequence[str],
    resolved: bool,
    severity: str,
    resource: str,
    check: str,
    summary: str = "",
    description: str = "",
    labels: Mapping[str, str] | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    said_at: datetime | None = None,
    url: str = "",
) -> Alert:
    """The alert; see `Alert` for its fields.

    `identity` is what makes it the same problem again: the platform's own id of the problem, taken as it is, or the parts
    that only this problem has, in this order. `resolved`: whether the message says that it is over. `severity` is the
    platform's word, or ours; `options` say what a word that nobody knows means.

    Raises:
        PayloadError: identity, resource or check is missing or too long.
    """
    resource, check = _identity.name(_secret.public(resource), "resource"), _identity.name(check, "check")
    return Alert(
        source=payload.source,
        fingerprint=_fingerprint(identity),
        status=Status.RESOLVED if resolved else Status.FIRING,
        severity=_severity.severity(severity, options.severity_default),
        resource=resource,
        check=check,
        summary=_texts.summary(summary) or f"{check}: {resource}",
        description=_texts.description(description),
        labels=_labels.fit(labels or {}),
        starts_at=starts_at,
        ends_at=ends_at,
        said_at=said_at,
        url=_texts.link(url),
    )


def _fingerprint(identity: str | Sequence[str]) -> str:
    """An id that fits is itself; everything else is hashed."""
    if isinstance(identity, str):
        if len(identity) <= _identity.MAX_NAME:
            return _identity.name(identity, "the identity of the problem")
        identity = (identity,)
    return _identity.fingerprint(_identity.encode(tuple(identity)))
