"""Texts for people: how long a summary and a description may be, and which links are followed."""

from __future__ import annotations

from tocsin.sources._identity import cut
from tocsin.sources._remembered import remembered
from tocsin.sources._secret import public

MAX_SUMMARY = 2_000
MAX_DESCRIPTION = 20_000
MAX_URL = 2_000


def summary(text: str) -> str:
    """The text without what is secret in addresses, at most MAX_SUMMARY characters."""
    return public(cut(text.strip(), MAX_SUMMARY))


def description(text: str) -> str:
    """The text without what is secret in addresses, at most MAX_DESCRIPTION characters."""
    return public(cut(text.strip(), MAX_DESCRIPTION)) if text else ""


@remembered(4_096, longest=600)  # the address of a rule comes with each of its alerts
def link(url: str) -> str:
    """The address when it is one of the web, else nothing: it is shown as a link, and a `javascript:` must not be.

    What is secret in it goes.
    """
    safe = url[:8] == "https://" or url[:7] == "http://"
    return public(url) if safe and len(url) <= MAX_URL else ""
