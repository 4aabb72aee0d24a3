"""Judges what lies around a host: its cluster, its domain, and what that lets it delegate (winrm 3.4; operations 4)."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.config.connection import login_of
from hvctl.contract import title
from hvctl.core.facts import UnreadableError
from hvctl.doctor.cause import Cause
from hvctl.doctor.evidence import Examination
from hvctl.doctor.questions import COMPUTER, NO_NAMESPACE, Told, has_code, is_denied
from hvctl.kinds._certificates import findings
from hvctl.kinds._cluster import ROLES
from hvctl.text.quoting import argument


def cluster(told: Told) -> Iterator[Cause]:
    status = told.service("ClusSvc")
    if status and status != "Running":
        yield Cause(
            "cluster_stopped", "cluster", "limits",
            f"the host is a node of a cluster whose service is {status.lower()} there: roles of other nodes are unknown",
            "Start-Service ClusSvc", "host",
        )  # fmt: skip
        return
    failure = told.failure(ROLES)
    if status and failure is not None and not has_code(failure, NO_NAMESPACE) and not is_denied(failure):
        yield Cause(
            "cluster_unread", "cluster", "limits", f"the cluster does not say which roles it has: {failure}",
            "Get-ClusterNode", "host", "possible", (str(failure),),
        )  # fmt: skip


def domain(e: Examination, told: Told) -> Iterator[Cause]:
    assert e.facts is not None and e.connection is not None
    wanted, computer = e.wanted, told.first(COMPUTER)
    joined = computer.get("PartOfDomain")
    if joined is False and wanted.kerberos_migration:
        yield Cause(
            "not_in_domain", "domain", "limits",
            "the playbook wants live migration by Kerberos, and the host is in no domain",
            "Add-Computer -DomainName DOMAIN -Restart", "host",
        )  # fmt: skip
    elif joined is False and wanted.live_migration and e.facts.os != "2025":
        yield Cause(
            "not_in_domain", "domain", "limits",
            f"the playbook wants live migration, which on {title(e.facts.os)} needs a domain, and the host is in none",
            "Add-Computer -DomainName DOMAIN -Restart", "host",
        )  # fmt: skip
    elif wanted.kerberos_migration:
        # On both computer accounts (domain 14).
        yield Cause(
            "migration_delegation_unseen", "domain", "warns",
            "the playbook wants live migration by Kerberos, which needs constrained delegation for cifs and Microsoft Virtual "
            "System Migration Service: the host does not tell whether it has that",
            f"Get-ADComputer {argument(e.facts.info.computer)} -Properties msDS-AllowedToDelegateTo", "domain", "possible",
        )  # fmt: skip
    if wanted.moves and joined is not False and not wanted.kerberos_migration:
        yield from _moves(e)
    if not wanted.shares:
        return
    yield from _delegation(e, wanted.shares[0], joined=joined is not False)


def replica(e: Examination) -> Iterator[Cause]:
    """Whether the certificates that the playbook names for Hyper-V Replica are there and good for it."""
    assert e.facts is not None
    for thumbprint, receives in e.wanted.certificates:
        try:
            found = tuple(
                findings(thumbprint, "certificate", e.facts, sets=True, broker=e.wanted.broker, receives=receives)
            )
        except UnreadableError:
            continue  # of an account that may not, which is told by itself
        for one in found:
            yield Cause(
                "replica_certificate", "domain", "limits" if one.holds else "warns",
                f"the playbook wants Hyper-V Replica by certificate: {one.message}",
                "Get-ChildItem Cert:\\LocalMachine\\My", "host",
            )  # fmt: skip


def _moves(e: Examination) -> Iterator[Cause]:
    """A move is started on the host that the VM is on, as the account that is logged on there (replica-migration 4.3)."""
    assert e.facts is not None and e.connection is not None
    login = login_of(e.connection)
    if login == "credssp" and e.facts.os == "2025":
        yield Cause(
            "move_by_credssp", "domain", "warns",
            "the playbook moves VMs between hosts; where Credential Guard is on, as by default here, CredSSP starts no move",
            "Get-CimInstance -Namespace root/Microsoft/Windows/DeviceGuard -ClassName Win32_DeviceGuard", "host", "possible",
        )  # fmt: skip
    elif login != "credssp":
        yield Cause(
            "move_without_credentials", "domain", "limits",
            f"the playbook moves VMs between hosts, and a login by {login} carries nothing that goes on to another host: a "
            "move from here fails with 0x8009030E",
            "ansible_winrm_transport: credssp", "inventory",
        )  # fmt: skip


def _delegation(e: Examination, share: str, *, joined: bool) -> Iterator[Cause]:
    """Whether the host may go on to another machine as the account that is logged on to it (winrm 3.4; operations 4, rank
    13). What the domain allows cannot be seen from the host."""
    assert e.facts is not None and e.connection is not None
    transport, options = e.connection.transport, e.connection.wiring.options
    if transport == "credssp" or (transport == "kerberos" and options.get("kerberos_delegation") is True):
        return
    if not joined:
        yield Cause(
            "share_without_domain", "domain", "limits",
            f"the playbook names {share}, and the host is in no domain: it reaches no other machine as this account",
            "Add-Computer -DomainName DOMAIN -Restart", "host",
        )  # fmt: skip
    elif transport == "kerberos":
        server = share.strip("\\").partition("\\")[0].partition(".")[0]
        yield Cause(
            "delegation_unseen", "domain", "warns",
            f"the playbook names {share}: the host reaches it as this account only where the domain lets it delegate",
            # The server trusts this host's account alone (resource-based constrained delegation).
            f"Set-ADComputer {argument(server)} -PrincipalsAllowedToDelegateToAccount "
            f"(Get-ADComputer {argument(e.facts.info.computer)})",
            "domain", "possible",
        )  # fmt: skip
    else:
        yield Cause(
            "double_hop", "domain", "limits",
            f"the playbook names {share}: from the host on, {transport} does not go further as this account; Kerberos can",
            "ansible_winrm_transport: kerberos", "inventory",
        )  # fmt: skip
