"""Names of values that must not be kept: labels are shown to people and go into tickets."""

from __future__ import annotations

import re

from tocsin.sources._remembered import remembered

_WORDS = re.compile(
    "token|secret|passw|passphrase|apikey|routingkey|servicekey|geniekey|accesskey|privatekey|authkey|authorization"
    "|credential|community|cookie"
)


@remembered(4096)
def is_secret(name: str) -> bool:
    """Whether a value of this name is a secret, by its words: `API-Key`, `_HOSTSNMP_COMMUNITY`, `alert.token`."""
    plain = name if name.isalnum() else "".join(filter(str.isalnum, name))
    return _WORDS.search(plain.lower()) is not None
