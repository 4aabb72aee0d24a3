"""The certificate that a port shows, read whether or not it is trusted; nothing is said to the host beyond the handshake."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from hvctl.config.hostnames import is_ip
from hvctl.doctor.evidence import Certificate

MOST_BYTES = 1 << 18
"""Of a handshake; a usual one takes some 5 KB."""


def certificate_at(host: str, port: int, within_s: float) -> Certificate | None:
    """None where no TLS is spoken, or not in time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # To look at it only: what logs on verifies for itself.
    context.verify_mode = ssl.CERT_NONE
    try:
        shown = _shown(context, host, port, within_s)
        return read(shown) if shown else None
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None


def _shown(context: ssl.SSLContext, host: str, port: int, within_s: float) -> bytes | None:
    """DER. The whole handshake has so long, however slowly its bytes come."""
    deadline = time.monotonic() + within_s
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    name = None if is_ip(host) else host
    tls = context.wrap_bio(coming, going, server_hostname=name)
    taken = 0
    with socket.create_connection((host, port), timeout=within_s) as connection:
        while True:
            done = False
            with suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                done = True
            if going.pending:
                connection.sendall(going.read())
            if done:
                return tls.getpeercert(binary_form=True)
            left = deadline - time.monotonic()
            if left <= 0 or taken > MOST_BYTES:
                return None
            connection.settimeout(left)
            data = connection.recv(16_384)
            if not data:
                return None
            taken += len(data)
            coming.write(data)


def read(der: bytes) -> Certificate:
    """Raises ValueError for what is no certificate."""
    found = x509.load_der_x509_certificate(der)
    names: list[str] = []
    with suppress(x509.ExtensionNotFound):
        other = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += other.get_values_for_type(x509.DNSName)
        names += [str(address) for address in other.get_values_for_type(x509.IPAddress)]
    usages = None
    with suppress(x509.ExtensionNotFound):
        usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return Certificate(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        names=tuple(names),
        begins=found.not_valid_before_utc,
        ends=found.not_valid_after_utc,
        thumbprint=found.fingerprint(hashes.SHA1()).hex().upper(),
        self_signed=found.subject == found.issuer,
        server=usages is None or ExtendedKeyUsageOID.SERVER_AUTH in usages,
    )
