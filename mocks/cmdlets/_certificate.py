"""What the certificate provider shows of LocalMachine\\My (replica-migration 3)."""

from __future__ import annotations

from mocks.command import Command
from mocks.objects import Instant, PsObject
from mocks.replica import Certificate

STORE = "cert:\\localmachine\\my"
_USES = {"1.3.6.1.5.5.7.3.1": "Server Authentication", "1.3.6.1.5.5.7.3.2": "Client Authentication"}


def certificate_object(cmd: Command, one: Certificate) -> PsObject:
    """`DnsNameList` and `EnhancedKeyUsageList` are additions of PowerShell's types, from version 3 on [I]."""
    uses = [PsObject("Microsoft.PowerShell.Commands.EnhancedKeyUsageRepresentation",
                     {"FriendlyName": _USES.get(u, ""), "ObjectId": u}) for u in one.usages]  # fmt: skip
    names = [PsObject("Microsoft.PowerShell.Commands.DnsNameRepresentation", {"Punycode": n, "Unicode": n})
             for n in one.names]  # fmt: skip
    properties = {
        "Thumbprint": one.thumbprint.upper(),
        "Subject": one.subject or f"CN={next(iter(one.names), '')}",
        "HasPrivateKey": one.private_key,
        "NotBefore": Instant(cmd.clock.utc(one.begins * 86_400)),
        "NotAfter": Instant(cmd.clock.utc(one.expires * 86_400)),
        "EnhancedKeyUsageList": uses,
        "DnsNameList": names,
    }
    return PsObject("System.Security.Cryptography.X509Certificates.X509Certificate2", properties, entity=one)


def is_store(path: str) -> bool:
    return path.rstrip("\\").lower() == STORE


def certificates(cmd: Command) -> list[PsObject]:
    return [certificate_object(cmd, one) for one in cmd.state.certificates]
