"""Certificates of the test's own: an https server on loopback that is believed, and what SNS and SMN sign messages with."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """A key and its self-signed certificate for `localhost`."""

    def __init__(self, begins: datetime | None = None, lasts: timedelta = timedelta(days=30)) -> None:
        begins = begins or datetime.now(UTC) - timedelta(days=1)
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(begins)
            .not_valid_after(begins + lasts)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, text: bytes, digest: hashes.HashAlgorithm | None = None) -> bytes:
        """A signature as SNS and SMN make it."""
        return self.key.sign(text, padding.PKCS1v15(), digest or hashes.SHA256())

    def server(self, folder: Path) -> ssl.SSLContext:
        """For a server that is this authority itself."""
        file = folder / "server.pem"
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + self.pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def trust(self) -> ssl.SSLContext:
        """For a client that believes it, and nobody else."""
        return ssl.create_default_context(cadata=self.pem.decode())
