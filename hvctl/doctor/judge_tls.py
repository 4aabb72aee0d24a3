"""Judges TLS and the certificate of a host (operations 4, rank 5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from hvctl.config.connection import Connection
from hvctl.doctor.cause import Cause, Place
from hvctl.doctor.evidence import Certificate, Examination, Symptom

SOON = timedelta(days=30)
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
"""A name that may stand in an inventory as it is: it is the host's."""
_OTHER_NAME = ("hostname mismatch", "ip address mismatch")
_RENEW = (
    "Set-WSManInstance winrm/config/Listener -SelectorSet @{Address='*'; Transport='HTTPS'} "
    "-ValueSet @{CertificateThumbprint='THUMBPRINT-OF-A-NEW-CERTIFICATE'}"
)


def untrusted(e: Examination) -> str:
    """OpenSSL's reason, in lower case; "" where the certificate is trusted or nobody has looked."""
    found = (e.way.fault if e.way else None) or e.log_on
    if found is None or found.kind != "certificate":
        return ""
    return found.text.partition(" is not trusted")[2].lower().lstrip(": ") or "no reason"


def certificate(at: Connection, shown: Certificate, now: datetime, untrusted: str) -> Iterator[Cause]:
    """OpenSSL judges by this machine's clock; where nobody has asked it, the dates are judged here."""
    if untrusted.startswith(_OTHER_NAME) or "doesn't match" in untrusted:
        # Of a chain that is trusted, so that its names may be.
        first = next((n for n in shown.names if _PLAIN.fullmatch(n)), "")
        yield _of_name(at, shown, f"ansible_host: {first}" if first else "")
        untrusted = ""
    elif untrusted:
        yield from _of_chain(at, shown, untrusted)
    if not untrusted and shown.ends <= now + SOON:
        days = (shown.ends - now).days
        message = f"the host's certificate ended on {shown.ends:%Y-%m-%d} ({_mark(shown)})"
        if days >= 0:
            left = f"{days} day{'s' * (days != 1)}"
            message = f"the host's certificate ends in {left}, on {shown.ends:%Y-%m-%d} ({_mark(shown)})"
        yield Cause("certificate_ends_soon", "tls", "warns", message, _RENEW, "host")


def _of_chain(at: Connection, shown: Certificate, reason: str) -> Iterator[Cause]:
    if "expired" in reason:
        yield _of_certificate(
            "certificate_expired", f"the host's certificate ended on {shown.ends:%Y-%m-%d} ({_mark(shown)})", _RENEW
        )
    elif "not yet valid" in reason:
        yield _of_certificate(
            "certificate_not_yet_valid",
            f"the host's certificate begins on {shown.begins:%Y-%m-%d %H:%M} UTC ({_mark(shown)}), and here it is earlier",
            "timedatectl set-ntp true", at="control node",
        )  # fmt: skip
    elif any(word in reason for word in ("self-signed", "self signed", "issuer")):
        whose = "is signed by itself" if shown.self_signed else f"is issued by {shown.issuer}"
        yield _of_certificate(
            "certificate_issuer", f"the host's certificate {whose}, which this machine does not trust ({_mark(shown)})",
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem  # check the thumbprint on the host first",
            at="inventory", outside=(shown.issuer,),
        )  # fmt: skip
    if not _is_for(shown, at.host):
        yield _of_name(at, shown)
    if not shown.server:
        yield _of_certificate(
            "certificate_usage", f"the host's certificate is not one for servers ({_mark(shown)})", _RENEW
        )


def _of_name(at: Connection, shown: Certificate, line: str = "") -> Cause:
    """`line`: of the inventory, that would mend it."""
    names = ", ".join(shown.names[:5]) or "no name at all"
    message = f"the host's certificate is for {names}, and not for {at.host}"
    place: Place = "inventory" if line else "host"
    return _of_certificate("certificate_name", message, line or _RENEW, at=place, outside=(names,))


def _of_certificate(
    name: str, message: str, remedy: str, *, at: Place = "host", outside: tuple[str, ...] = ()
) -> Cause:
    return Cause(name, "tls", "blocks", message, remedy, at, outside=outside)


def _mark(shown: Certificate) -> str:
    return f"thumbprint {shown.thumbprint}"


def _is_for(shown: Certificate, host: str) -> bool:
    """A wildcard stands for one label (RFC 6125, 6.4.3)."""
    wanted = host.casefold().rstrip(".")
    _, dot, rest = wanted.partition(".")
    return any(n.casefold() == wanted or (dot and n.casefold() == f"*.{rest}") for n in shown.names)


def certificate_fault(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if "is not there" in fault.text:
        yield Cause(
            "file_missing", "tls", "blocks", fault.text,
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem", "inventory",
        )  # fmt: skip
        return
    shown = e.way.certificate if e.way else None
    if shown is None or not any(True for c in certificate(at, shown, e.now, untrusted(e)) if c.weight == "blocks"):
        yield Cause(
            "certificate_untrusted", "tls", "blocks", fault.text,
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem", "inventory", "likely",
        )  # fmt: skip


def tls(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if e.way is not None and e.way.speaks == "http":
        yield Cause(
            "speaks_http", "tls", "blocks", f"port {at.port} speaks http, not https",
            "ansible_port: 5986" if at.port != 5986 else "winrm enumerate winrm/config/listener",
            "inventory" if at.port != 5986 else "host",
        )  # fmt: skip
        return
    yield Cause(
        "handshake", "tls", "blocks",
        f"port {at.port} of {at.host} breaks off the TLS handshake: its listener has no certificate with a private key, "
        "or nothing of TLS is there",
        "winrm enumerate winrm/config/listener", "host", "likely",
    )  # fmt: skip
