"""Whether a message is signed by who it says: fetches the certificate that it names and verifies the signature.

What was signed, and where the certificate is, the kind says (`Kind.prove`); which hosts are believed, the settings.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tocsin.errors import TocsinError
from tocsin.web.visits import ForbiddenError, UnreachableError, check

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tocsin.sources import Proof
    from tocsin.web.auth import Certificate
    from tocsin.web.visits import Visits

_KEPT = 32
_KEPT_FOR = timedelta(hours=12)


class UnprovenError(TocsinError):
    """The message is not proven to be genuine; the sentence says why, for the log only."""


class _Fetched(NamedTuple):
    certificate: x509.Certificate
    at: datetime


class Certificates:
    """Verifies signatures; keeps the certificates that it fetched for some hours."""

    def __init__(self, visits: Visits, clock: Callable[[], datetime]) -> None:
        self._visits = visits
        self._clock = clock
        self._fetched: dict[str, _Fetched] = {}

    async def verify(self, proof: Proof, scheme: Certificate) -> None:
        """Return when the message is genuine.

        Raises:
            UnprovenError: it is not: another topic, too old, a certificate from elsewhere or out of date, a signature that
                does not fit.
            UnreachableError: the certificate could not be fetched now.
        """
        now = self._clock()
        if not proof.topic.isprintable() or not proof.certificate.isprintable():
            # What is signed is names and values in lines: a line break inside a value could move the border between them.
            raise UnprovenError("its topic or the address of its certificate has characters that none has")
        if scheme.topics and not any(fnmatchcase(proof.topic, topic) for topic in scheme.topics):
            raise UnprovenError(f"topic {proof.topic!r} is not among `auth.certificate.topics`")
        if proof.said_at is None or abs(now - proof.said_at) > scheme.max_age:
            raise UnprovenError("it was sent too long ago, or does not say when: `auth.certificate.max_age`")
        certificate = await self._certificate(proof.certificate, scheme, now)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise UnprovenError("the certificate is out of date")
        if not any(_signed(certificate, proof, text) for text in proof.texts):
            raise UnprovenError("the signature does not fit the message")

    async def _certificate(self, url: str, scheme: Certificate, now: datetime) -> x509.Certificate:
        try:
            check(url, scheme.hosts)  # also of one that was fetched for another source
        except ForbiddenError as error:
            raise UnprovenError(f"its certificate: {error}") from error
        known = self._fetched.get(url)
        if known and now - known.at < _KEPT_FOR:
            return known.certificate
        if not re.fullmatch(r"[^?#]*\.pem", url):
            raise UnprovenError("the address of its certificate does not end in .pem")
        try:
            certificate = x509.load_pem_x509_certificate(await self._visits.get(url, scheme.hosts))
        except ValueError as error:
            raise UnreachableError("what is at the address of its certificate is none") from error
        if len(self._fetched) >= _KEPT:
            self._fetched.clear()
        self._fetched[url] = _Fetched(certificate, now)
        return certificate


def _signed(certificate: x509.Certificate, proof: Proof, text: bytes) -> bool:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise UnprovenError("the certificate is not for RSA")
    try:
        key.verify(proof.signature, text, padding.PKCS1v15(), _digest(certificate, proof.digest))
    except InvalidSignature:
        return False
    return True


def _digest(certificate: x509.Certificate, digest: str) -> hashes.HashAlgorithm:
    if digest == "sha1":
        return hashes.SHA1()  # noqa: S303 - what SNS' signature version 1 is made with
    own = certificate.signature_hash_algorithm
    return own if digest == "certificate" and own else hashes.SHA256()
