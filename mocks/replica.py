"""What a simulated host holds of Hyper-V Replica: how it receives, whom it admits, its certificates (domain 15.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mocks.machine import word

SERVER_USE, CLIENT_USE = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
LISTENERS = ("VIRT-HVRHTTPL-In-TCP-NoScope", "VIRT-HVRHTTPSL-In-TCP-NoScope")
"""Firewall rules by name: HTTP and HTTPS. Off by default, and the same on every language (replica-migration 3)."""


@dataclass(eq=False)
class Authorization:
    """Who may send replicas, where they are kept, and which servers may go on with them."""

    allowed: str
    storage: str
    trust_group: str


@dataclass(eq=False)
class ReplicaServer:
    """As Get-VMReplicationServer shows it. The port of the method that is not used reads its default, too. Monitoring: 12
    hours from 09:00 (replica-migration 1.2; one page alone says 24 hours)."""

    enabled: bool = False
    authentication: str = field(default="Kerberos", metadata=word("RecoveryAuthenticationType"))
    kerberos_port: int = 80
    certificate_port: int = 443
    certificate: str = ""
    any_server: bool = False
    storage: str = ""
    interval: int = 43_200  # seconds
    start: int = 32_400  # seconds of the day
    entries: list[Authorization] = field(default_factory=list)


@dataclass(eq=False)
class Certificate:
    """Of the computer's own store, LocalMachine\\My. `begins`, `expires`: in days of the host's story. Without usages it is
    good for all of them."""

    thumbprint: str
    subject: str = ""
    names: list[str] = field(default_factory=list)
    usages: list[str] = field(default_factory=lambda: [SERVER_USE, CLIENT_USE])
    private_key: bool = True
    begins: float = -30.0
    expires: float = 365.0
