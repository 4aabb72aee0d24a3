"""A certificate authority of the simulated hosts' own, and certificates for them."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Flaw = Literal["", "self_signed", "expired", "wrong_name", "tls13_only"]


@dataclass(frozen=True)
class Authority:
    """PEM files: what clients trust, and the server's certificate with its key; and certificates with a flaw."""

    ca: Path
    server: Path

    def context(self, flaw: Flaw = "") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if flaw == "tls13_only":
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        flawed = flaw in ("self_signed", "expired", "wrong_name")
        context.load_cert_chain(self.server.with_name(f"{flaw}.pem") if flawed else self.server)
        return context


def make_authority(folder: Path, days: int = 7) -> Authority:
    """New keys and certificates for loopback, valid for so long."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("hvctl simulated hosts")
    now = datetime.now(UTC)
    valid = (now - timedelta(hours=1), now + timedelta(days=days))
    ca = (
        _begun(ca_name, ca_name, ca_key.public_key(), valid)
        .add_extension(x509.BasicConstraints(True, 0), True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)
        .sign(ca_key, hashes.SHA256())
    )
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    past = (now - timedelta(days=9), now - timedelta(days=2))
    _issue(folder / "server.pem", "localhost", valid, ca_name, ca_key)
    _issue(folder / "expired.pem", "localhost", past, ca_name, ca_key)
    _issue(folder / "wrong_name.pem", "elsewhere.example", valid, ca_name, ca_key)
    _issue(folder / "self_signed.pem", "localhost", valid)
    return Authority(ca_file, folder / "server.pem")


def _issue(
    file: Path,
    host: str,
    valid: tuple[datetime, datetime],
    issuer: x509.Name | None = None,
    issuer_key: ec.EllipticCurvePrivateKey | None = None,
) -> None:
    """A key and a certificate for it; without an issuer it is its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = issuer_key or key
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        _begun(_name(host), issuer or _name(host), key.public_key(), valid)
        .add_extension(x509.SubjectAlternativeName(names), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
        .sign(signer, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.touch(mode=0o600)
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _begun(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, valid: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )
