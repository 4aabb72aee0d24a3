"""Get-, Enable-, Set-, Remove-, Suspend-, Resume-, Measure-VMReplication and their like (domain 15.2, replica-migration 2)."""

from __future__ import annotations

import uuid
from copy import deepcopy
from typing import Any

from mocks import files
from mocks.arguments import like
from mocks.cluster import Role
from mocks.cmdlets._find import vms
from mocks.cmdlets._replica import (
    TICKS,
    check_way,
    drives,
    due_in,
    meant,
    moved,
    passed,
    refusal,
    replication_object,
)
from mocks.cmdlets.disk_drive import disk_object
from mocks.cmdlets.replication_server import check_broker, check_certificate
from mocks.command import Command, cmdlet
from mocks.complete import new_id
from mocks.enums import enum
from mocks.machine import Drive, Replication, Vm
from mocks.objects import Instant, PsObject, TimeSpan
from mocks.replicating import (
    UPDATE_S,
    admitting,
    copy_time,
    counterpart,
    full_name,
    node_name,
    node_names,
    peer_of,
    place_disks,
    relations,
    sends_on,
    side,
    to,
)
from mocks.shape import parts_of, shaped
from mocks.state import VM_VERSIONS, HostState

FREQUENCIES = (30, 300, 900)


def _shown(cmd: Command, vm: Vm, r: Replication) -> bool:
    words = (
        ("ReplicationMode", "VMReplicationMode", "mode"),
        ("ReplicationState", "VMReplicationState", "state"),
        ("ReplicationHealth", "VMReplicationHealthState", "health"),
        ("ReplicationRelationshipType", "VMReplicationRelationshipType", "relationship"),
    )
    names = (
        ("PrimaryServerName", r.primary_server),
        ("ReplicaServerName", r.replica_server),
        ("TrustGroup", r.trust_group),
    )
    args = cmd.args
    if any(p in args and args.word(p, e) != getattr(r, f) for p, e, f in words):
        return False
    return all(p not in args or like(value, args.text(p)) for p, value in names)


@cmdlet("Get-VMReplication")
def get(cmd: Command) -> None:
    """Two of a replica that is sent on (domain 15.3). Nothing that fits is no error (replica-migration 1.1 [I])."""
    check_way(cmd)
    subjects = vms(cmd) if cmd.args.any("VM", "VMName") else iter(list(cmd.state.vms))
    for vm in subjects:
        cmd.emit(*(replication_object(cmd, vm, r) for r in relations(vm) if _shown(cmd, vm, r)))


@cmdlet("Measure-VMReplication", takes=0.2)
def measure(cmd: Command) -> None:
    check_way(cmd)
    subjects = vms(cmd) if cmd.args.any("VM", "VMName") else iter(list(cmd.state.vms))
    for vm in subjects:
        cmd.emit(*(_health_object(cmd, vm, r) for r in relations(vm) if _shown(cmd, vm, r)))


def _health_object(cmd: Command, vm: Vm, r: Replication) -> PsObject:
    """Figures of the running interval of the monitoring; what it says is in the language of the host, and nothing while all
    is normal (replica-migration 1.1)."""
    state, sends = cmd.state, side(r) == "Primary"
    last = None if r.last is None else Instant(cmd.clock.utc(r.last))
    behind = 0 if r.last is None or r.state == "Replicating" else int(cmd.clock.now() - r.last) * 1024
    properties: dict[str, Any] = {
        "ReplicationState": enum("VMReplicationState", r.state),
        "ReplicationHealth": enum("VMReplicationHealthState", r.health),
        "ReplicationMode": enum("VMReplicationMode", r.mode),
        "ReplicationRelationshipType": enum("VMReplicationRelationshipType", r.relationship),
        "ReplicationHealthDetails": [cmd.say("replication_health", vm.name)] if r.health == "Critical" else [],
        "PrimaryServerName": r.primary_server or (full_name(state) if sends else ""),
        "ReplicaServerName": r.replica_server or ("" if sends else full_name(state)),
        "CurrentReplicaServerName": r.replica_server or ("" if sends else full_name(state)),
        "AllowedPrimaryServer": r.allowed_primary,
        "LastReplicationTime": last,
        "LastReplicationType": enum("VMReplicationType", "Regular" if r.last is not None else "None"),
        "LastAppliedLogTime": None if sends else last,
        "LastTestFailoverInitiatedTime": None,
        "LastVSSSnapshotTime": None,
        "FailedOverReplicationType": enum("VMReplicationType", "None"),
        "AverageReplicationLatency": TimeSpan(5 * TICKS) if r.last is not None else None,
        "MaximumReplicationLatency": TimeSpan(9 * TICKS) if r.last is not None else None,
        "AverageReplicationSize": 1_048_576 if r.last is not None else 0,
        "MaximumReplicationSize": 4_194_304 if r.last is not None else 0,
        "InitialReplicationSize": 0,
        "PendingReplicationSize": behind if sends else 0,
        "MissedReplicationCount": 0 if r.state == "Replicating" or r.last is None else (
            int(cmd.clock.now() - r.last) // r.frequency
        ),
        "SuccessfulReplicationCount": 0 if r.last is None else int(r.last // r.frequency),
        "ReplicationErrors": 1 if r.state == "Error" else 0,
        "MonitoringStartTime": None,
        "MonitoringEndTime": None,
        "CurrentTask": [],
        "TestVirtualMachine": None,
        "ReplicatedDisks": [disk_object(state, vm, d) for d in drives(vm, r, replicated=True)],
        **parts_of(state, vm),
    }  # fmt: skip
    return shaped(state, "VMReplicationHealth", properties, entity=r)


# --- enabling ---------------------------------------------------------------------------------------------------------


@cmdlet("Enable-VMReplication", takes=2.0)
def enable(cmd: Command) -> None:
    check_way(cmd)
    for vm in vms(cmd):
        with cmd.trying():
            if cmd.args.flag("AsReplica"):
                _seed(cmd, vm)
                continue
            relation = _made(cmd, vm)
            cmd.passthru(replication_object, cmd, vm, relation)


def _seed(cmd: Command, vm: Vm) -> None:
    """A VM that is there becomes what an initial copy goes to (VB/20130827 [D])."""
    if relations(vm):
        raise refusal(cmd, "enabled already")
    if vm.state != "Off":
        raise refusal(cmd, "as replica needs off")
    if not cmd.state.replica_server.enabled:
        raise refusal(cmd, "server refuses", vm.name, cmd.state.name)
    vm.replication = Replication("Replica", replica_server=full_name(cmd.state))
    vm.replication.allowed_primary = cmd.args.text("AllowedPrimaryServer")
    to(vm.replication, "WaitingForInitialReplication")


def _made(cmd: Command, vm: Vm) -> Replication:
    check_broker(cmd)
    extended = vm.replication is not None and vm.replication.mode == "Replica"
    if vm.replication is not None and vm.replication.mode != "None" and not extended:
        raise refusal(cmd, "enabled already")
    if extended and (vm.extended is not None or not cmd.state.at_least("2012r2")):
        raise refusal(cmd, "enabled already")
    if extended and vm.replication is not None and vm.replication.state != "Replicating":
        raise refusal(cmd, "wrong state")  # replica-migration 2: after the first leg replicates [I]
    relation = Replication(
        "Replica" if extended else "Primary",
        relationship="Extended" if extended else "Simple",
        primary_server=full_name(cmd.state),
    )
    name = cmd.args.text("ReplicaServerName")
    relation.port = cmd.args.number("ReplicaServerPort")
    relation.authentication = cmd.args.word("AuthenticationType", "ReplicationAuthenticationType")
    _apply_settings(cmd, relation, vm.replication if extended else None)
    relation.disks = _chosen_disks(cmd, vm)
    there = _server(cmd, vm, name, relation)
    _accept(cmd, vm, relation, there)
    relation.replica_server = full_name(there)
    to(relation, "ReadyForInitialReplication")
    if extended:
        vm.extended = relation
    else:
        vm.replication = relation
    return relation


def _chosen_disks(cmd: Command, vm: Vm) -> list[str]:
    """Places of those that are not left out. What no log can be kept of must be left out (replica-migration 2.3)."""
    excluded = cmd.args.texts("ExcludedVhdPath")
    left = [d for d in cmd.args.entities("ExcludedVhd", Drive) if d in vm.disks]
    for path in excluded:
        known = (d for d in vm.disks if any(files.same(path, p) for p in files.chain_paths(cmd.state, d.path)))
        drive = next(known, None)
        if drive is None:
            raise refusal(cmd, "disk", vm.name)
        left.append(drive)
    chosen = [d for d in vm.disks if d not in left]
    if not chosen or any(not _replicable(cmd.state, d) for d in chosen):
        raise refusal(cmd, "disk", vm.name)
    return [str(d.at) for d in chosen]


def _replicable(state: HostState, drive: Drive) -> bool:
    shared = drive.support_persistent_reservations or (drive.path or "").lower().endswith(".vhds")
    return drive.disk_number is None and not shared and files.vhd(state, drive.path) is not None


def _apply_settings(cmd: Command, relation: Replication, simple: Replication | None) -> None:
    """What may be given when it is enabled and later. `simple`: of a replica that is sent on, how it is received."""
    args, state = cmd.args, cmd.state
    if "ReplicationFrequencySec" in args:
        relation.frequency = args.number("ReplicationFrequencySec")
        slower = simple is None or (relation.frequency >= simple.frequency and relation.frequency != 30)
        if relation.frequency not in FREQUENCIES or not slower:  # domain 15.2; VB/20131209
            raise refusal(cmd, "value", "ReplicationFrequencySec", relation.frequency)
    elif simple is not None:
        relation.frequency = max(300, simple.frequency)
    if "RecoveryHistory" in args:
        relation.history = args.number("RecoveryHistory")
        if not 0 <= relation.history <= (24 if state.at_least("2012r2") else 15):
            raise refusal(cmd, "value", "RecoveryHistory", relation.history)
    for parameter in ("VSSSnapshotFrequencyHour", "VSSSnapshotFrequency"):
        if parameter in args:
            relation.vss_hours = args.number(parameter)
            if not 1 <= relation.vss_hours <= 12 or simple is not None:  # VB/20131209: not on the extended leg
                raise refusal(cmd, "value", parameter, relation.vss_hours)
    if args.flag("DisableVSSSnapshotReplication"):
        relation.vss_hours = 0
    if relation.vss_hours and not relation.history:
        raise refusal(cmd, "value", "RecoveryHistory", 0)  # domain 15.2: needs history
    for parameter, field in (
        ("CompressionEnabled", "compression"),
        ("BypassProxyServer", "bypass_proxy"),
        ("ReplicateHostKvpItems", "host_kvp"),
        ("AutoResynchronizeEnabled", "auto_resync"),
    ):
        if parameter in args:
            setattr(relation, field, args.flag(parameter))
    for parameter, field in (
        ("AutoResynchronizeIntervalStart", "resync_start"),
        ("AutoResynchronizeIntervalEnd", "resync_end"),
    ):
        if parameter in args:
            setattr(relation, field, args.seconds(parameter))
    if "CertificateThumbprint" in args:
        relation.certificate = args.text("CertificateThumbprint").replace(" ", "").upper()
    if relation.authentication == "Certificate":
        check_certificate(cmd, relation.certificate)


def _server(cmd: Command, vm: Vm, name: str, relation: Replication) -> HostState:
    """The server that is named, where there is a way to it and it takes what this one sends."""
    found = cmd.estate.receiving(name, vm.id, by=cmd.state) if cmd.estate is not None else None
    address = name.replace(".", "").isdigit()  # replica-migration 3: no address for Kerberos or a certificate [I]
    if found is None or found.state is cmd.state or address or not found.state.vmms_running:
        raise refusal(cmd, "no way", vm.name, name)
    if full_name(found.state) != node_name(found.state) and name.casefold() in node_names(found.state):
        raise refusal(cmd, "a node and not its broker", vm.name, name)
    if relation.authentication == "Kerberos" and not (cmd.state.domain and found.state.domain):
        raise refusal(cmd, "no way", vm.name, name)
    if admitting(found.state, relation.authentication, relation.port, cmd.state) is None:
        raise refusal(cmd, "server refuses", vm.name, name)
    return found.state


def _accept(cmd: Command, vm: Vm, relation: Replication, there: HostState) -> None:
    """On the other side: a VM that is off, with placeholders of the disks and adapters on nothing (VB/20120615)."""
    store, group = admitting(there, relation.authentication, relation.port, cmd.state) or ("", "")
    seed = there.vm(vm.id)
    if seed is not None:
        r = seed.replication
        if r is None or r.mode != "Replica" or r.primary_server:
            raise refusal(cmd, "the VM is there", vm.name, there.name)
        r.primary_server, r.trust_group = full_name(cmd.state), group
        r.frequency, r.port, r.authentication = relation.frequency, relation.port, relation.authentication
        return
    if vm.version not in VM_VERSIONS[there.os]:
        raise refusal(cmd, "server refuses", vm.name, there.name)  # it cannot run it [I]
    made = Vm(vm.name, vm.id, vm.generation, "Off", vm.version)
    for field in (
        "processor",
        "memory",
        "firmware",
        "bios",
        "integration_services",
        "guest",
        "notes",
        "scsi_controllers",
    ):
        setattr(made, field, deepcopy(getattr(vm, field)))
    made.firmware.boot_order = []
    made.guest.integration = vm.guest.integration
    made.path = made.snapshot_file_location = made.smart_paging_file_path = (
        f"{store}\\Hyper-V Replica\\Virtual Machines\\{vm.id.upper()}"
    )
    made.drives, made.created = [], cmd.clock.now()
    made.automatic_start_action = "Nothing"
    made.adapters = [deepcopy(a) for a in vm.nics]
    for adapter in made.nics:
        adapter.id, adapter.switch, adapter.ip_addresses = new_id(there), None, []
    received = Replication(
        "ExtendedReplica" if sends_on(relation) else "Replica",
        relationship=relation.relationship,
        primary_server=full_name(cmd.state),
        replica_server=full_name(there),
        frequency=relation.frequency,
        port=relation.port,
        authentication=relation.authentication,
        history=relation.history,
        vss_hours=relation.vss_hours,
        compression=relation.compression,
        store=store,
        trust_group=group,
    )
    to(received, "WaitingForInitialReplication")
    made.replication = received
    there.vms.append(made)
    place_disks(cmd.state, vm, relation, there, made)
    if there.cluster is not None and cmd.estate is not None:  # its broker makes it highly available (VB/20120327)
        there.cluster.roles.append(Role(vm.name, there.name.upper(), vm=vm.name, vm_id=vm.id))
        made.is_clustered = True
        cmd.estate.settle(cmd.estate.hosts[cmd.estate.name_of(there)])


# --- changing ---------------------------------------------------------------------------------------------------------


@cmdlet("Set-VMReplication", takes=1.0)
def change(cmd: Command) -> None:
    for vm, relation in meant(cmd, "Replica" if cmd.args.flag("Reverse") else "Primary"):
        with cmd.trying():
            if cmd.args.flag("Reverse"):
                _reverse(cmd, vm, relation)
            elif cmd.args.flag("AsReplica"):
                _as_replica(cmd, vm, relation)
            else:
                _set(cmd, vm, relation)
            cmd.passthru(lambda vm=vm: replication_object(cmd, vm, relations(vm)[0]))


def _set(cmd: Command, vm: Vm, relation: Replication) -> None:
    disks = cmd.args.any("ReplicatedDiskPaths", "ReplicatedDisks")
    passed(cmd, vm, relation, "ReplicatedDiskPaths" if disks else "")
    changed = deepcopy(relation)
    args = cmd.args
    if "AuthenticationType" in args:
        changed.authentication = args.word("AuthenticationType", "ReplicationAuthenticationType")
    if "ReplicaServerPort" in args:
        changed.port = args.number("ReplicaServerPort")
    _apply_settings(cmd, changed, vm.replication if sends_on(relation) else None)
    if args.any("AuthenticationType", "ReplicaServerPort", "ReplicaServerName"):
        name = args.text("ReplicaServerName") or relation.replica_server
        there = _server(cmd, vm, name, changed)
        other = there.vm(vm.id)
        if other is None or other.replication is None or other.replication.mode not in ("Replica", "ExtendedReplica"):
            # another server is re-pointed to once the replica was moved there (VB/20131202 [D]); id [I]
            raise refusal(cmd, "server refuses", vm.name, name)
        changed.replica_server = full_name(there)
    if disks:
        changed.disks = _new_set(cmd, vm)
        changed.until = due_in(cmd, UPDATE_S)
        to(changed, "WaitingForUpdateCompletion")
    relation.__dict__.update(changed.__dict__)


def _new_set(cmd: Command, vm: Vm) -> list[str]:
    """The parameter is the whole new set (replica-migration 2.4 [Os])."""
    chosen = [d for d in cmd.args.entities("ReplicatedDisks", Drive) if d in vm.disks]
    for path in cmd.args.texts("ReplicatedDiskPaths"):
        drive = next((d for d in vm.disks if files.same(d.path, path)), None)
        if drive is None:
            raise refusal(cmd, "disk", vm.name)
        chosen.append(drive)
    if not chosen or any(not _replicable(cmd.state, d) for d in chosen):
        raise refusal(cmd, "disk", vm.name)
    return [str(d.at) for d in chosen]


def _reverse(cmd: Command, vm: Vm, relation: Replication) -> None:
    """On the replica, after a failover: the two sides change places. Prepared, nothing is copied again; where the old
    primary was made a replica by hand, an initial copy follows (NEC [O])."""
    passed(cmd, vm, relation, "Reverse")
    if relation.mode == "ExtendedReplica":
        raise refusal(cmd, "reverse of a third site", vm.name)
    if vm.extended is not None:
        raise refusal(cmd, "reverse under extended", vm.name)
    found = counterpart(cmd.estate, cmd.state, vm, relation)
    old = found[1].replication if found is not None else None
    if found is None or old is None:
        raise refusal(cmd, "no reverse", vm.name)
    planned = old.mode == "Primary" and old.state == "PreparedForFailover"
    seeded = old.mode == "Replica" and old.state == "WaitingForInitialReplication"
    there = found[0]
    ports = {"Kerberos": there.replica_server.kerberos_port, "Certificate": there.replica_server.certificate_port}
    method = cmd.args.word("AuthenticationType", "ReplicationAuthenticationType") if (
        "AuthenticationType" in cmd.args) else relation.authentication  # fmt: skip
    port = cmd.args.number("ReplicaServerPort") if "ReplicaServerPort" in cmd.args else ports[method]
    admitted = admitting(there, method, port, cmd.state)
    if not (planned or seeded) or admitted is None:
        raise refusal(cmd, "no reverse", vm.name)
    if method == "Certificate":
        check_certificate(cmd, cmd.args.text("CertificateThumbprint") or relation.certificate)
    mine, theirs = full_name(cmd.state), full_name(there)
    relation.mode, relation.primary_server, relation.replica_server = "Primary", mine, theirs
    relation.port, relation.authentication = port, method
    if "CertificateThumbprint" in cmd.args:
        relation.certificate = cmd.args.text("CertificateThumbprint")
    relation.disks = None
    old.mode, old.primary_server, old.replica_server = "Replica", mine, theirs
    old.port, old.authentication, old.trust_group = port, method, admitted[1]
    now = cmd.clock.now()
    if planned:
        to(relation, "Replicating")
        to(old, "Replicating")
        relation.last = old.last = now
    else:
        to(relation, "ReadyForInitialReplication")


def _as_replica(cmd: Command, vm: Vm, relation: Replication) -> None:
    row = passed(cmd, vm, relation, "AsReplica")
    if vm.state != "Off":
        raise refusal(cmd, "as replica needs off")
    relation.mode, relation.until, relation.starts = "Replica", None, None
    relation.primary_server, relation.replica_server = relation.replica_server, full_name(cmd.state)
    relation.allowed_primary = cmd.args.text("AllowedPrimaryServer")
    to(relation, row.after)


@cmdlet("Remove-VMReplication", takes=0.8)
def remove(cmd: Command) -> None:
    for vm, relation in meant(cmd):
        with cmd.trying():
            passed(cmd, vm, relation)
            if relation is vm.replication and vm.extended is not None:
                raise refusal(cmd, "removed under extended", vm.name)
            if relation.tested:
                raise refusal(cmd, "tested already")  # its test is stopped first [I]
            shown = replication_object(cmd, vm, relation)
            if relation is vm.replication:
                vm.replication = None  # on this side alone; the VM and its files stay (domain 15.2)
            else:
                vm.extended = None
            cmd.passthru(lambda shown=shown: shown)


@cmdlet("Suspend-VMReplication", takes=0.5)
def suspend(cmd: Command) -> None:
    for vm, relation in meant(cmd, "Primary"):
        with cmd.trying():
            row = passed(cmd, vm, relation)
            if relation.until is not None:
                relation.until = None
            moved(row, relation, None)
            cmd.passthru(replication_object, cmd, vm, relation)


@cmdlet("Resume-VMReplication", takes=1.0)
def resume(cmd: Command) -> None:
    variant = next((v for v in ("Resynchronize", "Continue") if cmd.args.flag(v)), "")
    for vm, relation in meant(cmd, "Primary"):
        with cmd.trying():
            row = passed(cmd, vm, relation, variant)
            peer = peer_of(cmd.estate, cmd.state, vm, relation)
            gone = cmd.estate is not None and side(relation) == "Primary" and peer is None
            if gone:
                raise refusal(cmd, "no way", vm.name, relation.replica_server)
            moved(row, relation, None)
            if row.after == "Resynchronizing":
                relation.until = due_in(cmd, copy_time(cmd.state, vm, relation))
            elif side(relation) == "Primary":
                relation.last = cmd.clock.now()
            cmd.passthru(replication_object, cmd, vm, relation)


@cmdlet("Reset-VMReplicationStatistics", takes=0.2)
def reset(cmd: Command) -> None:
    for vm, relation in meant(cmd):
        with cmd.trying():
            passed(cmd, vm, relation)
            cmd.passthru(replication_object, cmd, vm, relation)


@cmdlet("Test-VMReplicationConnection", takes=1.0)
def test(cmd: Command) -> None:
    """Whether a VM of this server could be enabled to that one; a sentence if so (PSDOC; its words [I])."""
    relation = Replication(port=cmd.args.number("ReplicaServerPort"))
    relation.authentication = cmd.args.word("AuthenticationType", "ReplicationAuthenticationType")
    probe = Vm("", id=str(uuid.UUID(int=0)))
    _server(cmd, probe, cmd.args.text("ReplicaServerName"), relation)
    cmd.emit(cmd.say("ok"))
