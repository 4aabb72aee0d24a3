"""What the cmdlets of Hyper-V Replica share: the relationship that is meant, refusals by their row, what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mocks.cmdlets._find import vms
from mocks.cmdlets.disk_drive import disk_object
from mocks.command import Command
from mocks.enums import enum
from mocks.machine import Drive, Replication, Vm
from mocks.objects import Instant, PsObject, Refusal, TimeSpan
from mocks.replicating import (
    REFUSALS,
    Transition,
    counterpart,
    full_name,
    node_name,
    relations,
    settle,
    side,
    to,
    transition,
)
from mocks.shape import parts_of, shaped
from mocks.state import HostState

TICKS = 10_000_000


def refusal(cmd: Command, why: str, *values: object) -> Refusal:
    row = REFUSALS[why]
    return cmd.refuse(row.kind, row.text, *values)


def check_way(cmd: Command) -> None:
    """What has fallen due is so before anything is asked or done."""
    settle(cmd.estate, cmd.state, cmd.clock)


def due_in(cmd: Command, seconds: float) -> float:
    """The clock's time then, when what goes on is done, whether anybody looks or not."""
    cmd.clock.after(seconds, lambda: check_way(cmd))
    return cmd.clock.now() + seconds


def meant(cmd: Command, want: str = "") -> Iterator[tuple[Vm, Replication]]:
    """The VMs and the relationship of each: that of the object, of the word, or the one that the cmdlet can be about: what
    a VM sends comes before what it receives. `want`: the side it must be."""
    check_way(cmd)
    if "VMReplication" in cmd.args:
        for relation in cmd.args.entities("VMReplication", Replication):
            vm = next((v for v in cmd.state.vms if relation in relations(v)), None)
            with cmd.trying():
                if vm is None:
                    raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)
                yield cmd.alive(vm), relation
        return
    word = (
        cmd.args.word("ReplicationRelationshipType", "VMReplicationRelationshipType")
        if "ReplicationRelationshipType" in cmd.args
        else ""
    )
    for vm in vms(cmd):
        with cmd.trying():
            found = [r for r in relations(vm) if word in ("", r.relationship)]
            if want and not word:
                found = [r for r in found if side(r) == want] or found
            if not found:
                raise refusal(cmd, "not replicated", vm.name, cmd.name)
            yield vm, found[0]


def passed(cmd: Command, vm: Vm, relation: Replication, variant: str = "") -> Transition:
    """The row that leads on from here; its state is set."""
    row = transition(cmd.name, variant, relation)
    if row is None:
        raise refusal(cmd, "wrong state")
    return row


def moved(row: Transition, relation: Replication, peer: Replication | None) -> None:
    if row.after != "gone":
        to(relation, row.after)
    if peer is not None:
        to(peer, row.peer)


def drives(vm: Vm, relation: Replication, *, replicated: bool) -> list[Drive]:
    kept = relation.disks
    return [d for d in vm.disks if (kept is None or str(d.at) in kept) is replicated]


def replication_object(cmd: Command, vm: Vm, r: Replication) -> PsObject:
    state = cmd.state
    here = full_name(state)
    sends = side(r) == "Primary"
    tested = state.vm(r.tested) if r.tested else None
    properties: dict[str, Any] = {
        "ReplicationState": enum("VMReplicationState", r.state),
        "ReplicationHealth": enum("VMReplicationHealthState", r.health),
        "ReplicationMode": enum("VMReplicationMode", r.mode),
        "ReplicationRelationshipType": enum("VMReplicationRelationshipType", r.relationship),
        "PrimaryServerName": r.primary_server or (here if sends else ""),
        "ReplicaServerName": r.replica_server or ("" if sends else here),
        "CurrentReplicaServerName": _current(cmd, vm, r) if sends else node_name(state),
        "AllowedPrimaryServer": r.allowed_primary,
        "ReplicaServerPort": r.port,
        "AuthenticationType": enum("ReplicationAuthenticationType", r.authentication),
        "CertificateThumbprint": r.certificate,
        "CompressionEnabled": r.compression,
        "BypassProxyServer": r.bypass_proxy,
        "ReplicationFrequencySec": r.frequency,
        "RecoveryHistory": r.history,
        "VSSSnapshotFrequencyHour": r.vss_hours,
        "VSSSnapshotReplicationEnabled": r.vss_hours > 0,
        "ReplicateHostKvpItems": r.host_kvp,
        "EnableWriteOrderPreservationAcrossDisks": state.at_least("2012r2"),  # domain 15.2: always true from R2 on
        "AutoResynchronizeEnabled": r.auto_resync,
        "AutoResynchronizeIntervalStart": TimeSpan(r.resync_start * TICKS),
        "AutoResynchronizeIntervalEnd": TimeSpan(r.resync_end * TICKS),
        "InitialReplicationStartTime": _time(cmd, r.starts),
        "LastReplicationTime": _time(cmd, r.last),
        "LastAppliedLogTime": None if sends else _time(cmd, r.last),
        "ResynchronizeStartTime": None,
        "TestVirtualMachine": None if tested is None else _test_vm(state, tested),
        "ReplicatedDisks": [disk_object(state, vm, d) for d in drives(vm, r, replicated=True)],
        "ExcludedDisks": [disk_object(state, vm, d) for d in drives(vm, r, replicated=False)],
        **parts_of(state, vm),
    }
    return shaped(state, "VMReplication", properties, entity=r)


def _current(cmd: Command, vm: Vm, r: Replication) -> str:
    """The node that holds it now, where a broker stands before it (VB/20120327)."""
    there = counterpart(cmd.estate, cmd.state, vm, r)
    return node_name(there[0]) if there is not None else r.replica_server


def _test_vm(state: HostState, vm: Vm) -> PsObject:
    return shaped(state, "VirtualMachine", {"Id": vm.id, "Name": vm.name}, entity=vm)


def _time(cmd: Command, at: float | None) -> Instant | None:
    return None if at is None else Instant(cmd.clock.utc(at))
