"""Names of values that must not be kept: labels are shown to people and go into tickets."""

from __future__ import annotations

from functools import lru_cache

_WORDS = ("token", "secret", "passw", "passphrase", "apikey", "routingkey", "credential", "community", "authkey")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a value of this name is a secret, by its words: `API-Key`, `_HOSTSNMP_COMMUNITY`, `alert.token`."""
    plain = "".join(filter(str.isalnum, name)).lower()
    return any(word in plain for word in _WORDS)
