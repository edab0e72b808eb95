"""Texts for people: how long a summary and a description may be, and which links are followed."""

from __future__ import annotations

from tocsin.sources._identity import cut

MAX_SUMMARY = 2_000
MAX_DESCRIPTION = 20_000
MAX_URL = 2_000


def summary(text: str) -> str:
    """The text, at most MAX_SUMMARY characters."""
    return cut(text.strip(), MAX_SUMMARY)


def description(text: str) -> str:
    """The text, at most MAX_DESCRIPTION characters."""
    return cut(text.strip(), MAX_DESCRIPTION) if text else ""


def link(url: str) -> str:
    """The address when it is one of the web, else nothing: it is shown as a link, and a `javascript:` must not be."""
    safe = url[:8] == "https://" or url[:7] == "http://"
    return url if safe and len(url) <= MAX_URL else ""
