"""Get-, Set-VMReplicationServer; Get-, New-, Set-, Remove-VMReplicationAuthorizationEntry (domain 15.1)."""

from __future__ import annotations

from typing import Any

from mocks import files
from mocks.arguments import like
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.objects import PsObject, TimeSpan
from mocks.replica import Authorization
from mocks.replicating import full_name
from mocks.shape import SESSION, computer, shaped
from mocks.state import HostState

_TICKS = 10_000_000
INTERVALS = frozenset(hours * 3600 for hours in (1, 2, 3, 4, 6, 8, 12, 24, 48, 72, 96, 120, 144, 168))


def check_broker(cmd: Command) -> None:
    """On a node without an online broker even reading fails, with the not-found of the whole family
    (replica-migration 1.2) [O]."""
    cluster = cmd.state.cluster
    if cluster is not None and not (cluster.brokered or cmd.state.replica_broker):
        raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)


def entry_object(state: HostState, entry: Authorization) -> PsObject:
    properties = {
        "AllowedPrimaryServer": entry.allowed,
        "ReplicaStorageLocation": entry.storage,
        "TrustGroup": entry.trust_group,
        "ComputerName": computer(state, False),
        "CimSession": SESSION,
        "IsDeleted": False,
    }
    return shaped(state, "VMReplicationAuthorizationEntry", properties, entity=entry)


def server_object(state: HostState) -> PsObject:
    server = state.replica_server
    properties: dict[str, Any] = {
        "ReplicationEnabled": server.enabled,
        "AllowedAuthenticationType": enum("RecoveryAuthenticationType", server.authentication),
        "KerberosAuthenticationPort": server.kerberos_port,
        "KerberosAuthenticationPortMapping": None,
        "CertificateAuthenticationPort": server.certificate_port,
        "CertificateAuthenticationPortMapping": None,
        "CertificateThumbprint": server.certificate,
        "ReplicationAllowedFromAnyServer": server.any_server,
        "DefaultStorageLocation": server.storage,
        "MonitoringInterval": TimeSpan(server.interval * _TICKS),
        "MonitoringStartTime": TimeSpan(server.start * _TICKS),
        "AuthorizationEntries": [entry_object(state, e) for e in server.entries],
        "OperationalStatus": [enum("VMReplicationServerOperationalStatus", "Ok")],
        "StatusDescriptions": ["Ok"],
        "ComputerName": computer(state, False),
        "CimSession": SESSION,
        "IsDeleted": False,
    }
    return shaped(state, "VMReplicationServer", properties, entity=server)


@cmdlet("Get-VMReplicationServer")
def get(cmd: Command) -> None:
    check_broker(cmd)
    cmd.emit(server_object(cmd.state))


def check_store(cmd: Command, path: str) -> None:
    """A store is opened when it is named: one that is not there is refused [I], and a share from a session that goes on to
    no other server is denied (replica-migration 1.2) [O, text of 2012]."""
    if path.startswith("\\\\"):
        if not any(files.key(path) == files.key(s) or files.key(path).startswith(files.key(s) + "\\")
                   for s in cmd.state.shares):  # fmt: skip
            raise cmd.refuse("AccessDenied", "replica_store", path, "0x80070005")
    elif not files.is_folder(cmd.state, path):
        raise cmd.refuse("ObjectNotFound", "replica_store", path, "0x80070003")


@cmdlet("Set-VMReplicationServer", takes=0.4)
def change(cmd: Command) -> None:
    cmd.needs_consent()  # domain 15.1: Set-VMReplicationServer -Force
    check_broker(cmd)
    args, state, server = cmd.args, cmd.state, cmd.state.replica_server
    method = args.word("AllowedAuthenticationType", "RecoveryAuthenticationType") if (
        "AllowedAuthenticationType" in args) else server.authentication  # fmt: skip
    enabled = args.flag("ReplicationEnabled") if "ReplicationEnabled" in args else server.enabled
    thumbprint = args.text("CertificateThumbprint") if "CertificateThumbprint" in args else server.certificate
    if method == "Kerberos" and args.any("CertificateThumbprint", "CertificateAuthenticationPort"):
        raise cmd.refuse("InvalidParameter", "replica_certificate_method")  # domain 15.1; class [I]
    if method != "Kerberos" and (enabled or "CertificateThumbprint" in args):
        check_certificate(cmd, thumbprint, receives=True)
    if enabled and method != "Certificate" and not state.domain:
        raise cmd.refuse(
            "OperationFailed", "not_in_domain", state.name
        )  # domain 15.1: Kerberos needs a domain; class [I]
    store = args.text("DefaultStorageLocation") if "DefaultStorageLocation" in args else server.storage
    any_server = args.flag("ReplicationAllowedFromAnyServer") if (
        "ReplicationAllowedFromAnyServer" in args) else server.any_server  # fmt: skip
    if any_server and not store:
        raise cmd.refuse("InvalidParameter", "replica_store_missing")  # domain 15.1; class [I]
    if "DefaultStorageLocation" in args:
        check_store(cmd, store)
    interval = args.seconds("MonitoringInterval") if "MonitoringInterval" in args else server.interval
    if interval not in INTERVALS:
        raise cmd.refuse("InvalidParameter", "out_of_range", "MonitoringInterval", interval)  # domain 15.1; class [I]
    server.enabled, server.authentication, server.certificate = enabled, method, _plain(thumbprint)
    server.any_server, server.storage, server.interval = any_server, store, interval
    for parameter, field in (
        ("KerberosAuthenticationPort", "kerberos_port"),
        ("CertificateAuthenticationPort", "certificate_port"),
    ):
        if parameter in args:
            setattr(server, field, args.number(parameter))
    if "MonitoringStartTime" in args:
        server.start = args.seconds("MonitoringStartTime")
    cmd.passthru(server_object, state)


def _plain(thumbprint: str) -> str:
    return thumbprint.replace(" ", "").upper()


def check_certificate(cmd: Command, thumbprint: str, *, receives: bool = False) -> None:
    """replica-migration 3: in LocalMachine\\My, with its private key, for client and server, in force, for the name of this
    computer [D], on a node that receives for its broker's; class and text of the refusal, and that a node may send by
    either, [I]."""
    own = {(f"{cmd.state.name}.{cmd.state.domain}" if cmd.state.domain else cmd.state.name).lower()}
    if (broker := full_name(cmd.state).lower()) not in own:
        own = {broker} if receives else {*own, broker}
    now = cmd.clock.now() / 86_400
    for one in cmd.state.certificates:
        if _plain(one.thumbprint) != _plain(thumbprint):
            continue
        names = {n.lower() for n in (*one.names, one.subject.removeprefix("CN="))}
        if (
            one.private_key
            and (not one.usages or {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"} <= set(one.usages))
            and one.begins <= now < one.expires
            and not names.isdisjoint(own)
        ):
            return
    raise cmd.refuse("InvalidParameter", "replica_certificate", thumbprint)


# --- who may send ---------------------------------------------------------------------------------------------------


def _meant(cmd: Command) -> list[Authorization]:
    """By name, without wildcards: `*.contoso.com` is a name here. One that is not there is not found [I]."""
    entries = cmd.state.replica_server.entries
    if "VMReplicationAuthorizationEntry" in cmd.args:
        return [e for e in cmd.args.entities("VMReplicationAuthorizationEntry", Authorization) if e in entries]
    field = "TrustGroup" if "AllowedPrimaryServer" not in cmd.args else "AllowedPrimaryServer"
    text = cmd.args.text(field).lower()
    found = [e for e in entries if (e.trust_group if field == "TrustGroup" else e.allowed).lower() == text]
    if not found:
        raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)
    return found


@cmdlet("Get-VMReplicationAuthorizationEntry")
def get_entries(cmd: Command) -> None:
    check_broker(cmd)
    for entry in cmd.state.replica_server.entries:
        given = (
            ("AllowedPrimaryServer", entry.allowed),
            ("ReplicaStorageLocation", entry.storage),
            ("TrustGroup", entry.trust_group),
        )
        if all(p not in cmd.args or like(value, cmd.args.text(p)) for p, value in given):
            cmd.emit(entry_object(cmd.state, entry))


@cmdlet("New-VMReplicationAuthorizationEntry", takes=0.3)
def new_entry(cmd: Command) -> None:
    check_broker(cmd)
    args, server = cmd.args, cmd.state.replica_server
    name = args.text("AllowedPrimaryServer")
    if server.any_server:
        raise cmd.refuse("InvalidOperation", "replica_any_server")  # domain 15.1; class [I]
    if any(e.allowed.lower() == name.lower() for e in server.entries):
        raise cmd.refuse("InvalidParameter", "out_of_range", "AllowedPrimaryServer", name)  # a second of the name [I]
    _check_name(cmd, name)
    check_store(cmd, args.text("ReplicaStorageLocation"))
    entry = Authorization(name, args.text("ReplicaStorageLocation"), args.text("TrustGroup"))
    server.entries.append(entry)
    cmd.emit(entry_object(cmd.state, entry))  # without any -Passthru (replica-migration 1.2) [O]


def _check_name(cmd: Command, name: str) -> None:
    """A wildcard stands for the first label alone, or for all (replica-migration 1.2) [D]; class [I]."""
    first, _, rest = name.partition(".")
    if not name or "*" in rest or ("*" in first and first != "*"):
        raise cmd.refuse("InvalidParameter", "out_of_range", "AllowedPrimaryServer", name)


@cmdlet("Set-VMReplicationAuthorizationEntry", takes=0.3)
def change_entry(cmd: Command) -> None:
    check_broker(cmd)
    for entry in _meant(cmd):
        with cmd.trying():
            if "ReplicaStorageLocation" in cmd.args:
                check_store(cmd, cmd.args.text("ReplicaStorageLocation"))
                entry.storage = cmd.args.text("ReplicaStorageLocation")
            if "TrustGroup" in cmd.args:
                entry.trust_group = cmd.args.text("TrustGroup")
            cmd.passthru(entry_object, cmd.state, entry)


@cmdlet("Remove-VMReplicationAuthorizationEntry", takes=0.3)
def remove_entry(cmd: Command) -> None:
    check_broker(cmd)
    for entry in _meant(cmd):
        cmd.state.replica_server.entries.remove(entry)
        cmd.passthru(entry_object, cmd.state, entry)
