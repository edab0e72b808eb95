"""What a message that carries its own signature asks to be verified: `web` fetches the certificate and does it.

Values only, so that a kind stays pure: it says which text was signed, by what, and where the certificate is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct


class Proof(Struct, frozen=True, kw_only=True):
    """A signature with RSA (PKCS #1 v1.5) by an X.509 certificate that the message names."""

    texts: tuple[bytes, ...]
    """The texts that may have been signed; one of them must have been. More than one where the manuals disagree."""
    signature: bytes
    digest: Literal["sha1", "sha256", "certificate"]
    """The hash; `certificate` is the one that the certificate itself is signed with."""
    certificate: str
    """Address of the certificate, in PEM."""
    topic: str
    """What the message was published to."""
    said_at: datetime | None
    """When it was sent; None when it does not say so."""
