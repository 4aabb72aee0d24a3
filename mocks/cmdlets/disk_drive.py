"""Get-, Add-, Set-, Remove-VMHardDiskDrive (domain 8.3 to 8.5)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks import files
from mocks.cmdlets._find import owners, vms
from mocks.cmdlets._slots import Controller, check_plug, choose, drive_id, fits, given, owner_of
from mocks.cmdlets.disk import check_disk
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Checkpoint, Drive, Slot, Vm
from mocks.messages import say
from mocks.objects import Guid, PsObject
from mocks.shape import parts_of, shaped
from mocks.state import HostState

DEVICE = "Virtual Hard Disk"


def disk_object(state: HostState, vm: Vm, drive: Drive, point: Checkpoint | None = None) -> PsObject:
    at = drive.at
    path = point.disks.get(str(at), drive.path) if point else drive.path
    attributes = drive.override_cache_attributes
    properties = {
        "DiskNumber": drive.disk_number,
        "SupportPersistentReservations": drive.support_persistent_reservations,
        "WriteHardeningMethod": enum("CacheAttributes", attributes or "Default"),
        "MaximumIOPS": drive.maximum_iops,
        "MinimumIOPS": drive.minimum_iops,
        "QoSPolicyID": Guid(drive.qos_policy_id) if drive.qos_policy_id else None,
        "ControllerType": enum("ControllerType", at.bus.upper()),
        "ControllerNumber": at.number,
        "ControllerLocation": at.location,
        "Name": say(state.language, "hard_drive", at.bus.upper(), at.number, at.location),
        "PoolName": drive.pool_name,
        "Path": path if drive.disk_number is None else f"Disk {drive.disk_number}",
        "Disk": None,
        "Id": drive_id(vm, at),
        **parts_of(state, vm, point=point),
    }
    if state.module2:
        del properties["Disk"]
    text = f"HardDiskDrive (Name = '{properties['Name']}', VMName = '{vm.name}')"
    return shaped(state, "HardDiskDrive", properties, entity=drive, text=text)


@cmdlet("Get-VMHardDiskDrive")
def get(cmd: Command) -> None:
    where = given(cmd)
    for controller in cmd.args.entities("VMDriveController", Controller):
        here = (controller.bus, controller.number, where[2])
        cmd.emit(*(disk_object(cmd.state, controller.vm, d) for d in controller.vm.disks if fits(d, *here)))
    for vm, point in owners(cmd):
        cmd.emit(*(disk_object(cmd.state, vm, d, point) for d in vm.disks if fits(d, *where)))


@cmdlet("Add-VMHardDiskDrive", takes=0.25)
def add(cmd: Command) -> None:
    bus, number, location = given(cmd)
    for controller in cmd.args.entities("VMDriveController", Controller):
        with cmd.trying():
            _add(cmd, controller.vm, choose(cmd, controller.vm, controller.bus, controller.number, location))
    for vm in vms(cmd):
        with cmd.trying():
            _add(cmd, vm, choose(cmd, vm, bus, number, location))


def _add(cmd: Command, vm: Vm, slot: Slot) -> None:
    args = cmd.args
    drive = Drive(slot, args.text("Path") or None)
    if "DiskNumber" in args:
        drive.disk_number = args.number("DiskNumber")
    drive.support_persistent_reservations = args.flag("SupportPersistentReservations")
    check_plug(cmd, vm, slot, DEVICE)
    check_file(cmd, vm, drive)
    _check_shared(cmd, drive)
    _tune(cmd, drive)
    vm.attach(drive)
    cmd.passthru(disk_object, cmd.state, vm, drive)


def check_file(cmd: Command, vm: Vm, drive: Drive) -> None:
    state, path = cmd.state, drive.path
    if drive.disk_number is not None:
        check_disk(cmd, drive.disk_number)
    if path is None:
        return
    if path.startswith("\\\\"):
        # observations 4: a share that Hyper-V cannot see, 0x80070043 [O]
        text = cmd.say("device_add", DEVICE, "(0x80070043).")
        raise cmd.refuse_text("OperationFailed", text)
    disk = files.vhd(state, path)
    if disk is None and not files.is_file(state, path):
        raise cmd.refuse("ObjectNotFound", "device_add", DEVICE, cmd.say("file_missing"))  # domain 8.3: 0x80070002 [O]
    if disk is None:
        raise cmd.refuse("InvalidParameter", "bad_drive_path")  # observations 4, text; a file that is no disk; id [I]
    if disk.read_only:
        # 0x80070005: the VM would write to it [I] (operations 3.1)
        raise cmd.refuse("OperationFailed", "device_add", DEVICE, cmd.say("file_denied"))
    if vm.is_clustered and not cmd.args.flag("AllowUnverifiedPaths") and not files.on_cluster(state, path):
        raise cmd.refuse("InvalidParameter", "bad_drive_path")  # domain 8.3: outside clustered storage; id, text [I]
    if vm.generation == 2 and disk.format == "VHD":
        raise cmd.refuse("InvalidParameter", "gen2_vhd", path)  # domain 5.1, 26; text and id ours
    if any(files.same(d.path, path) for d in vm.drives or () if d is not drive):
        # observations 4: crc-org/crc#1401 [O]
        raise cmd.refuse("InvalidParameter", "already_connected", path, vm.name)
    mounted = any(v.mounted_as is not None for p in files.chain_paths(state, path) if (v := files.vhd(state, p)))
    live = vm.state != "Off" and (
        files.held(state, path) or (not drive.support_persistent_reservations and files.clashes(state, vm, drive))
    )
    if mounted or live:
        # domain 8.2, 22: in use, 0x80070020. What another VM has is accepted while this one is off (domain 8.3 [I]);
        # what the host itself has mounted is not [I]
        raise cmd.refuse("OperationFailed", "device_add", DEVICE, cmd.say("sharing"))


def _check_shared(cmd: Command, drive: Drive) -> None:
    if not drive.support_persistent_reservations:
        return
    disk = files.vhd(cmd.state, drive.path)
    good_place = bool(drive.path) and files.key(drive.path or "").startswith("c:\\clusterstorage\\")
    if drive.at.bus != "scsi" or not good_place or (disk is not None and disk.type == "Differencing"):
        # domain 8.5: SCSI, CSV or SMB, not differencing; text [O]; when: at the attach (domain 26); id [I]
        raise cmd.refuse("NotSupported", "device_add", DEVICE, cmd.say("no_sharing"))


def _tune(cmd: Command, drive: Drive) -> None:
    """IOPS, policy and the like: the last part of a change."""
    args = cmd.args
    low = args.number("MinimumIOPS") if "MinimumIOPS" in args else drive.minimum_iops
    high = args.number("MaximumIOPS") if "MaximumIOPS" in args else drive.maximum_iops
    if high and low > high:
        raise cmd.refuse("InvalidParameter", "iops_order")  # domain 8.4; text and id ours (observations 9)
    if (low or high) and drive.support_persistent_reservations and not cmd.state.module2:
        raise cmd.refuse("InvalidParameter", "no_sharing")  # domain 8.4, 8.5: no IOPS on shared VHDX (R2); id [I]
    drive.minimum_iops, drive.maximum_iops = low, high
    if "QoSPolicyID" in args:
        drive.qos_policy_id = args.text("QoSPolicyID").strip("{}").lower() or None
    if "ResourcePoolName" in args:
        drive.pool_name = cmd.pool()
    if "OverrideCacheAttributes" in args:
        drive.override_cache_attributes = args.word("OverrideCacheAttributes", "CacheAttributes")


def _subjects(cmd: Command) -> Iterator[tuple[Vm, Drive]]:
    """Objects, or what matches the coordinates; without any, every disk of the VM (trap 13)."""
    if "VMHardDiskDrive" in cmd.args:
        for drive in cmd.args.entities("VMHardDiskDrive", Drive):
            with cmd.trying():
                yield owner_of(cmd, drive), drive
        return
    where = given(cmd)
    for vm in vms(cmd):
        found = [d for d in vm.disks if fits(d, *where)]
        if not found and any(w is not None for w in where):
            with cmd.trying():
                raise cmd.refuse("ObjectNotFound", "drive_missing")  # as other cmdlets (observations 3); text ours
        yield from ((vm, d) for d in found)


@cmdlet("Set-VMHardDiskDrive", takes=0.2)
def change(cmd: Command) -> None:
    args = cmd.args
    to = given(cmd, "To")
    for vm, drive in list(_subjects(cmd)):
        with cmd.trying():
            if vm.state == "Saved":
                raise cmd.refuse("InvalidState", "device", DEVICE, cmd.say("bad_state"))  # trap 15; id domain 26
            if any(w is not None for w in to):
                _move(cmd, vm, drive, to)
            if args.any("Path", "DiskNumber"):
                _swap(cmd, vm, drive)
            if "SupportPersistentReservations" in args:
                _share(cmd, vm, drive)
            if args.any("ResourcePoolName", "OverrideCacheAttributes") and vm.state != "Off":
                raise cmd.refuse(
                    "InvalidState", "device", DEVICE, cmd.say("bad_state")
                )  # whether live, nobody says [I]
            _tune(cmd, drive)
            cmd.passthru(disk_object, cmd.state, vm, drive)


def _move(cmd: Command, vm: Vm, drive: Drive, to: tuple[str | None, int | None, int | None]) -> None:
    bus, number, location = (
        to[0] or drive.at.bus,
        drive.at.number if to[1] is None else to[1],
        drive.at.location if to[2] is None else to[2],
    )
    if (bus, number, location) == (drive.at.bus, drive.at.number, drive.at.location):
        return
    if vm.state != "Off":
        raise cmd.refuse("InvalidState", "device", DEVICE, cmd.say("bad_state"))  # domain 8.3: Off; id domain 26
    drive.at = choose(cmd, vm, bus, number, location)


def _swap(cmd: Command, vm: Vm, drive: Drive) -> None:
    check_plug(cmd, vm, drive.at, DEVICE)  # domain 8.3: SCSI live, else off
    changed = Drive(drive.at, drive.path, disk_number=drive.disk_number)
    changed.support_persistent_reservations = drive.support_persistent_reservations
    if "Path" in cmd.args:
        changed.path, changed.disk_number = cmd.args.text("Path") or None, None
    else:
        changed.path, changed.disk_number = None, cmd.args.number("DiskNumber")
    if not files.same(changed.path, drive.path) or changed.disk_number != drive.disk_number:
        vm.drives = [d for d in vm.drives or () if d is not drive]
        try:
            check_file(cmd, vm, changed)
        finally:
            vm.drives.append(drive)
    drive.path, drive.disk_number = changed.path, changed.disk_number


def _share(cmd: Command, vm: Vm, drive: Drive) -> None:
    wanted = cmd.args.flag("SupportPersistentReservations")
    if wanted == drive.support_persistent_reservations:
        return
    if vm.state != "Off":
        raise cmd.refuse("InvalidState", "device", DEVICE, cmd.say("bad_state"))  # domain 8.5: not while running
    trial = Drive(drive.at, drive.path, support_persistent_reservations=wanted)
    _check_shared(cmd, trial)
    drive.support_persistent_reservations = wanted


@cmdlet("Remove-VMHardDiskDrive", takes=0.2)
def remove(cmd: Command) -> None:
    for vm, drive in list(_subjects(cmd)):
        with cmd.trying():
            check_plug(cmd, vm, drive.at, DEVICE)
            shown = disk_object(cmd.state, vm, drive)
            vm.detach(drive)  # the file stays
            if cmd.args.flag("Passthru"):
                cmd.emit(shown)
