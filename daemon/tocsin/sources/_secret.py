"""What must not be kept, because labels and links are shown to people and go into tickets: values by their names.

An address may authenticate whoever opens it: its user and password, and the parameters of such names.
"""

from __future__ import annotations

import re

from tocsin.sources._remembered import remembered

_WORDS = re.compile(
    "token|secret|passw|passphrase|apikey|routingkey|servicekey|integrationkey|geniekey|accesskey|privatekey|authkey"
    "|authorization|bearer|credential|community|cookie|unsubscribe|subscribeurl|pwd$"
)
_SIGNED = frozenset({"sig", "signature", "x-amz-signature", "x-goog-signature"})
"""Parameters of an address that was signed for whoever has it."""

_USER = re.compile(r"(?<=://)[^/?#@\s]*@")
_PARAMETER = re.compile(r"(?<=[?&;#])([\w.-]{1,100})=[^&;#\s]+", re.ASCII)


@remembered(4096)
def is_secret(name: str) -> bool:
    """Whether a value of this name is a secret, by its words: `API-Key`, `_HOSTSNMP_COMMUNITY`, `alert.token`."""
    plain = name if name.isalnum() else "".join(filter(str.isalnum, name))
    return _WORDS.search(plain.lower()) is not None


def public(text: str) -> str:
    """The text, its addresses without user, password, and values of parameters that are secret."""
    if "://" not in text:
        return text
    if "@" in text:
        text = _USER.sub("", text)
    return _PARAMETER.sub(_emptied, text) if "=" in text else text


def _emptied(parameter: re.Match[str]) -> str:
    name = parameter[1]
    return f"{name}=" if is_secret(name) or name.lower() in _SIGNED else parameter[0]
