"""Get-VMReplication: what a relationship shows (domain 15; no recording exists)."""

from __future__ import annotations

from typing import Any

from mocks.arguments import like
from mocks.cmdlets._find import vms
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Replication, Vm
from mocks.objects import PsObject, TimeSpan
from mocks.shape import parts_of, shaped
from mocks.state import HostState

_DAY = 24 * 3600 * 10_000_000


def replication_object(state: HostState, vm: Vm, r: Replication) -> PsObject:
    primary, replica = r.primary_server or state.name, r.replica_server
    properties: dict[str, Any] = {
        "ReplicationState": enum("VMReplicationState", r.state),
        "ReplicationHealth": enum("VMReplicationHealthState", r.health),
        "ReplicationMode": enum("VMReplicationMode", r.mode),
        "ReplicationRelationshipType": enum("VMReplicationRelationshipType", r.relationship),
        "PrimaryServerName": primary,
        "ReplicaServerName": replica,
        "CurrentReplicaServerName": replica,
        "AllowedPrimaryServer": "",
        "ReplicaServerPort": 80,
        "AuthenticationType": enum("ReplicationAuthenticationType", "Kerberos"),
        "CertificateThumbprint": "",
        "CompressionEnabled": True,
        "BypassProxyServer": False,
        "ReplicationFrequencySec": r.frequency,
        "RecoveryHistory": 0,
        "VSSSnapshotFrequencyHour": 0,
        "VSSSnapshotReplicationEnabled": False,
        "ReplicateHostKvpItems": True,
        "EnableWriteOrderPreservationAcrossDisks": False,
        "AutoResynchronizeEnabled": True,
        "AutoResynchronizeIntervalStart": TimeSpan(0),
        "AutoResynchronizeIntervalEnd": TimeSpan(_DAY - 10_000_000),
        "InitialReplicationStartTime": None,
        "LastReplicationTime": None,
        "LastAppliedLogTime": None,
        "ResynchronizeStartTime": None,
        "TestVirtualMachine": None,
        "ReplicatedDisks": [],
        "ExcludedDisks": [],
        **parts_of(state, vm),
    }
    return shaped(state, "VMReplication", properties, entity=vm)


@cmdlet("Get-VMReplication")
def get(cmd: Command) -> None:
    args = cmd.args
    subjects = vms(cmd) if args.any("VM", "VMName") else iter(list(cmd.state.vms))
    words = (
        ("ReplicationMode", "VMReplicationMode", "mode"),
        ("ReplicationState", "VMReplicationState", "state"),
        ("ReplicationHealth", "VMReplicationHealthState", "health"),
    )
    for vm in subjects:
        r = vm.replication
        if r is None or any(p in args and args.word(p, e) != getattr(r, f) for p, e, f in words):
            continue
        if "PrimaryServerName" in args and not like(r.primary_server, args.text("PrimaryServerName")):
            continue
        cmd.emit(replication_object(cmd.state, vm, r))
