"""Whether a repository takes what our issues need: issues themselves, and the labels that they are found again by. Pure.

Format: docs.github.com, "Get a repository" (`permissions`), "Create an issue" (labels of an account without push access
are dropped without a word).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin.backends import Finding, Level
from tocsin.errors import DeliveryError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


def keeps_labels(repository: Mapping[str, Any]) -> bool:
    """Whether labels of this account stay; what is not told is taken for granted."""
    rights = repository.get("permissions")
    return not (isinstance(rights, dict) and rights.get("push") is False)


def require_labels(name: str, repository: Mapping[str, Any]) -> None:
    """What is not found by its label is surely not there. Raises DeliveryError where labels of this account are dropped."""
    if not keeps_labels(repository):
        why = f"{name} lets tocsin's account not write, and so drops its labels: issues may be there and not be found"
        hint = "let the account write to the repository, and put the label on issues of tocsin's that lack it"
        raise DeliveryError(Reason.MISCONFIGURED, f"{why}; {hint}", retry=False, stops=True, harmless=True)


def findings(name: str, repository: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with a repository, or that it is well."""
    wrong = []
    if repository.get("has_issues") is False:
        wrong.append("has issues switched off; switch them on in its settings")
    if repository.get("archived") is True:
        wrong.append("is archived and takes nothing any more")
    if not keeps_labels(repository):
        wrong.append("lets the account not write: labels are dropped, and tickets not found again by them")
    if wrong:
        return [Finding(level=Level.ERROR, what="repository", told=f"{name} {one}") for one in wrong]
    return [Finding(level=Level.FINE, what="repository", told=f"{name} takes issues and labels")]
