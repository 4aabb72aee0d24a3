"""Checkpoint-VM, Get-VMSnapshot, Remove-VMSnapshot and the merge that follows (domain 12)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from mocks import files
from mocks.arguments import like
from mocks.cmdlets._find import vms
from mocks.cmdlets.com_port import com_port_object
from mocks.cmdlets.disk_drive import disk_object
from mocks.cmdlets.dvd_drive import dvd_object
from mocks.cmdlets.floppy_drive import floppy_object
from mocks.cmdlets.integration_service import in_contact, service_objects
from mocks.cmdlets.network_adapter import adapter_object
from mocks.command import Command, cmdlet
from mocks.complete import differencing, new_id
from mocks.enums import enum
from mocks.machine import Checkpoint, Drive, Vm
from mocks.objects import Guid, Instant, PsObject
from mocks.shape import SESSION, computer, shaped
from mocks.state import HostState

MOST = 50  # domain 12
MERGE_SECONDS = 30.0


def checkpoint_object(cmd: Command, vm: Vm, point: Checkpoint) -> PsObject:
    state = cmd.state
    parent = next((p for p in vm.checkpoints if p.id == point.parent), None)
    above = Guid(parent.id) if parent else None, parent.name if parent else None
    properties: dict[str, Any] = {
        "SnapshotType": enum("SnapshotType", point.type),
        "VMId": Guid(vm.id),
        "VMName": vm.name,
        "State": enum("VMState", point.state),
        "IsAutomaticCheckpoint": point.automatic,
        "ComputerName": computer(state, False),
        "Id": Guid(point.id),
        "Name": point.name,
        "Version": vm.version,
        "Notes": "",
        "Generation": vm.generation,
        "Path": vm.snapshot_file_location,
        "CreationTime": Instant(cmd.clock.utc(point.created)),
        "IsClustered": vm.is_clustered,
        "SizeOfSystemFiles": 46832,
        "ParentSnapshotId": above[0],
        "ParentSnapshotName": above[1],
        "ParentCheckpointId": above[0],
        "ParentCheckpointName": above[1],
        "MemoryStartup": vm.memory.startup,
        "DynamicMemoryEnabled": vm.memory.dynamic_memory_enabled,
        "MemoryMinimum": vm.memory.minimum,
        "MemoryMaximum": vm.memory.maximum,
        "ProcessorCount": vm.processor.count,
        "BatteryPassthroughEnabled": True,
        "GuestControlledCacheTypes": vm.guest_controlled_cache_types,
        "HighMemoryMappedIoSpace": vm.high_memory_mapped_io_space,
        "LowMemoryMappedIoSpace": vm.low_memory_mapped_io_space,
        "LockOnDisconnect": enum("OnOffState", vm.lock_on_disconnect),
        "RemoteFxAdapter": None,
        "NetworkAdapters": [adapter_object(state, vm, a, point) for a in vm.nics_at(point)],
        "FibreChannelHostBusAdapters": [],
        "ComPort1": com_port_object(state, vm, 0),
        "ComPort2": com_port_object(state, vm, 1),
        "FloppyDrive": floppy_object(state, vm, point) if vm.generation == 1 else None,
        "DVDDrives": [dvd_object(state, vm, d, point) for d in vm.dvds],
        "HardDrives": [disk_object(state, vm, d, point) for d in vm.disks],
        "VMIntegrationService": service_objects(state, vm),
        "IsDeleted": False,
        "CimSession": SESSION,
        "Key": None,
    }
    text = f"VMSnapshot (Name = '{point.name}', VMName = '{vm.name}') [Id = '{point.id}']"
    return shaped(state, "VMSnapshot", properties, entity=point, text=text)


@cmdlet("Checkpoint-VM", takes=1.5)
def checkpoint(cmd: Command) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            _check(cmd, vm)
            stamp = cmd.clock.utc().strftime("%m/%d/%Y - %H:%M:%S")
            point = Checkpoint(cmd.args.text("SnapshotName") or cmd.say("checkpoint_name", vm.name, stamp))
            point.id, point.created = new_id(cmd.state), cmd.clock.now()
            point.parent = vm.checkpoints[-1].id if vm.checkpoints else None
            production = cmd.state.module2 and vm.checkpoint_type != "Standard" and in_contact(vm, "vss")
            point.state = "Off" if vm.state == "Off" or production else "Saved"
            for drive in vm.disks:
                if drive.path is not None:
                    point.disks[str(drive.at)] = drive.path
                    drive.path = differencing(cmd.state, drive.path, point.id)
            point.adapters = deepcopy(vm.nics)
            vm.checkpoints.append(point)
            cmd.passthru(checkpoint_object, cmd, vm, point)


def _check(cmd: Command, vm: Vm) -> None:
    if cmd.state.module2 and vm.checkpoint_type == "Disabled":
        # vagrant#9977: text [O]; id named without output by a source (observations 9)
        raise cmd.refuse("InvalidOperation", "checkpoints_disabled", vm.name)
    production = cmd.state.module2 and vm.checkpoint_type == "ProductionOnly"
    if production and vm.state == "Running" and not in_contact(vm, "vss"):
        # domain 12: production needs VSS or the file freeze in the guest; observations 4: text [O]; id [I]
        raise cmd.refuse("OperationFailed", "production_only", vm.name)
    if len(vm.checkpoints) >= MOST:
        raise cmd.refuse("OperationFailed", "checkpoint_failed", cmd.say("too_many", "VMSnapshot"))  # domain 12
    if any(_allows_none(d) for d in vm.disks):
        raise cmd.refuse("OperationFailed", "checkpoint_failed", cmd.say("no_sharing"))  # domain 12; id [I]
    if vm.tasks:
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)  # a merge is running; id domain 26


def _allows_none(drive: Drive) -> bool:
    """Pass-through disks and shared ones, but for VHD Sets (domain 8.5, 12)."""
    shared = drive.support_persistent_reservations and not (drive.path or "").lower().endswith(".vhds")
    return shared or drive.disk_number is not None


def _all(state: HostState) -> list[tuple[Vm, Checkpoint]]:
    return [(vm, point) for vm in state.vms for point in vm.checkpoints]


@cmdlet("Get-VMSnapshot")
def get(cmd: Command) -> None:
    args = cmd.args
    if "Id" in args:
        found = [(vm, p) for vm, p in _all(cmd.state) if p.id == args.text("Id").lower()]
    elif "ChildOf" in args:
        above = args.entities("ChildOf", Checkpoint)
        found = [(vm, p) for vm, p in _all(cmd.state) if any(p.parent == a.id for a in above)]
    elif "ParentOf" in args:
        below = {c.parent for c in args.entities("ParentOf", Checkpoint)}
        below |= {v.checkpoints[-1].id for v in args.entities("ParentOf", Vm) if v.checkpoints}
        found = [(vm, p) for vm, p in _all(cmd.state) if p.id in below]
    else:
        found = [(vm, p) for vm in vms(cmd) for p in vm.checkpoints]
    if "Name" in args:
        found = [(vm, p) for vm, p in found if like(p.name, args.text("Name"))]
    if "SnapshotType" in args:
        found = [(vm, p) for vm, p in found if p.type == args.word("SnapshotType", "SnapshotType")]
    if not found and args.any("Name", "Id") and not cmd.errors:
        raise cmd.refuse("ObjectNotFound", "snapshot_missing")  # observations 4: multipass#3748 [O]
    cmd.emit(*(checkpoint_object(cmd, vm, p) for vm, p in found))


@cmdlet("Remove-VMSnapshot", takes=0.3)
def remove(cmd: Command) -> None:
    for vm, point in _meant(cmd):
        doomed = [point]
        if cmd.args.flag("IncludeAllChildSnapshots"):
            doomed += [p for p in vm.checkpoints if _descends(vm, p, point)]
        shown = [checkpoint_object(cmd, vm, p) for p in doomed]
        for one in reversed(doomed):
            for child in vm.checkpoints:
                if child.parent == one.id:
                    child.parent = one.parent
            vm.checkpoints.remove(one)
        _merge_later(cmd, vm, doomed)
        if cmd.args.flag("Passthru"):
            cmd.emit(*shown)


def _meant(cmd: Command) -> list[tuple[Vm, Checkpoint]]:
    if "VMSnapshot" in cmd.args:
        points = cmd.args.entities("VMSnapshot", Checkpoint)
        found = [(cmd.alive(vm), p) for vm, p in _all(cmd.state) if any(p is q for q in points)]
    else:
        names = cmd.args.texts("Name") or ["*"]
        found = [(vm, p) for vm in vms(cmd) for p in vm.checkpoints if any(like(p.name, n) for n in names)]
    if not found and not cmd.errors:
        raise cmd.refuse("ObjectNotFound", "snapshot_missing")  # as Get-VMSnapshot; id by observations 3
    return found


def _descends(vm: Vm, point: Checkpoint, of: Checkpoint) -> bool:
    by_id = {p.id: p for p in vm.checkpoints}
    above = by_id.get(point.parent or "")
    return above is not None and (above is of or _descends(vm, above, of))


def _merge_later(cmd: Command, vm: Vm, points: list[Checkpoint]) -> None:
    """Asynchronous: the drives' paths stay .avhdx until the merge is done (domain 12, 8.3)."""
    vm.tasks.append("MergingDisks")

    def done() -> None:
        for point in reversed(points):
            merge(cmd.state, vm, point)
        vm.tasks.remove("MergingDisks")

    cmd.clock.after(MERGE_SECONDS, done)


def merge(state: HostState, vm: Vm, point: Checkpoint) -> None:
    """What was written after the checkpoint goes into the file that it kept; whoever named the upper file names
    the lower one from then on."""
    for kept in point.disks.values():
        for upper in files.children(state, kept):
            lower = files.vhd(state, kept)
            if lower is None:
                continue
            lower.size = upper.size
            for other in state.vhds:
                if files.same(other.parent, upper.path):
                    other.parent = lower.path
            for drive in vm.drives or ():
                if files.same(drive.path, upper.path):
                    drive.path = lower.path
            for later in vm.checkpoints:
                later.disks = {k: lower.path if files.same(v, upper.path) else v for k, v in later.disks.items()}
            files.forget(state, upper.path)
