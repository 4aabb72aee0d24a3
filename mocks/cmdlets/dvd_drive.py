"""Get-, Add-, Set-, Remove-VMDvdDrive (domain 8.3): IDE on generation 1, SCSI on generation 2."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mocks import files
from mocks.arguments import is_pattern
from mocks.cmdlets._find import owners, vms
from mocks.cmdlets._slots import Controller, check_plug, choose, drive_id, fits, given, owner_of
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Checkpoint, Drive, Slot, Vm
from mocks.messages import say
from mocks.objects import PsObject, Refusal
from mocks.shape import parts_of, shaped
from mocks.state import HostState

DEVICE = "Virtual CD/DVD Disk"
_LETTER = re.compile(r"[A-Za-z]:\\?")


def dvd_object(
    state: HostState, vm: Vm, drive: Drive, point: Checkpoint | None = None, *, nameless: bool = False
) -> PsObject:
    at = drive.at
    properties = {
        "DvdMediaType": enum("DvdMediaType", _media_type(drive)),
        # empty: null recorded on 2012 R2, "" seen on 2022 (domain 8.3) [O]
        "Path": drive.path or ("" if state.module2 else None),
        "ControllerType": enum("ControllerType", at.bus.upper()),
        "ControllerNumber": at.number,
        "ControllerLocation": at.location,
        "Name": say(state.language, "dvd_drive", at.bus.upper(), at.number, at.location),
        "PoolName": drive.pool_name if drive.path else None,
        "Id": drive_id(vm, at),
        **parts_of(state, vm, point=point),
    }
    if nameless:
        properties["VMName"] = ""
    text = f"DvdDrive (Name = '{properties['Name']}', VMName = '{vm.name}')"
    return shaped(state, "DvdDrive", properties, entity=drive, text=text)


def _media_type(drive: Drive) -> str:
    if not drive.path:
        return "None"
    return "PassThrough" if _LETTER.fullmatch(drive.path) else "ISO"


@cmdlet("Get-VMDvdDrive")
def get(cmd: Command) -> None:
    _, number, location = given(cmd)
    # observations 2: by a wildcard the objects lack the VM's name (older modules) [O]
    nameless = not cmd.state.module2 and any(is_pattern(n) for n in cmd.args.texts("VMName"))
    for controller in cmd.args.entities("VMDriveController", Controller):
        here = (controller.bus, controller.number, location)
        cmd.emit(*(dvd_object(cmd.state, controller.vm, d) for d in controller.vm.dvds if fits(d, *here)))
    for vm, point in owners(cmd):
        found = [d for d in vm.dvds if fits(d, None, number, location)]
        cmd.emit(*(dvd_object(cmd.state, vm, d, point, nameless=nameless) for d in found))


@cmdlet("Add-VMDvdDrive", takes=0.25)
def add(cmd: Command) -> None:
    _, number, location = given(cmd)
    for controller in cmd.args.entities("VMDriveController", Controller):
        with cmd.trying():
            if controller.bus == "scsi" and controller.vm.generation == 1:
                # domain 5.1: generation 1 has DVDs on IDE only; id [I]
                raise cmd.refuse("InvalidParameter", "slot_unavailable")
            _add(cmd, controller.vm, choose(cmd, controller.vm, controller.bus, controller.number, location))
    for vm in vms(cmd):
        with cmd.trying():
            _add(cmd, vm, choose(cmd, vm, "ide" if vm.generation == 1 else "scsi", number, location))


def _add(cmd: Command, vm: Vm, slot: Slot) -> None:
    check_plug(cmd, vm, slot, DEVICE)
    drive = Drive(slot, cmd.args.text("Path") or None, dvd=True)
    _check_medium(cmd, vm, drive)
    if "ResourcePoolName" in cmd.args:
        drive.pool_name = cmd.pool()
    vm.attach(drive)
    cmd.passthru(dvd_object, cmd.state, vm, drive)


def _check_medium(cmd: Command, vm: Vm, drive: Drive) -> None:
    path = drive.path
    if path is None:
        return
    if _LETTER.fullmatch(path):
        _check_host_drive(cmd, vm, drive, path)
        return
    if path.startswith("\\\\"):
        # observations 4: ISO on a share, the host's account lacks the right [O]
        raise cmd.refuse_text(
            "AccessDenied",
            f"Failed to add device '{DEVICE}'.\nUser Account does not have permission to open attachment. "
            f"'{path}'. Error: 'General access denied error' (0x80070005).",
        )
    if not path.lower().endswith(".iso"):
        raise cmd.refuse("InvalidParameter", "bad_drive_path")  # observations 4: text [O, 25H2]; id [I]
    if not files.is_file(cmd.state, path):
        raise cmd.refuse("ObjectNotFound", "device_add", DEVICE, cmd.say("file_missing"))  # 0x80070002; id as disks


def _check_host_drive(cmd: Command, vm: Vm, drive: Drive, letter: str) -> None:
    """domain 5.1: generation 1 only, one in a VM; that -Path takes a letter, and the ids, [I]."""
    if vm.generation == 2:
        raise cmd.refuse("InvalidParameter", "bad_drive_path")
    if letter[:2].upper() not in (d[:2].upper() for d in cmd.state.dvd_drives):
        raise cmd.refuse("ObjectNotFound", "device_add", DEVICE, cmd.say("file_missing"))
    if any(_LETTER.fullmatch(d.path or "") for d in vm.dvds if d is not drive):
        raise cmd.refuse("InvalidParameter", "too_many", DEVICE)


def _subjects(cmd: Command) -> Iterator[tuple[Vm, Drive]]:
    if "VMDvdDrive" in cmd.args:
        for drive in cmd.args.entities("VMDvdDrive", Drive):
            with cmd.trying():
                yield owner_of(cmd, drive), drive
        return
    _, number, location = given(cmd)
    for vm in vms(cmd):
        found = [d for d in vm.dvds if fits(d, None, number, location)]
        if not found:
            with cmd.trying():
                raise cmd.refuse("ObjectNotFound", "drive_missing")  # as other cmdlets (observations 3); text ours
        yield from ((vm, d) for d in found)


@cmdlet("Set-VMDvdDrive", takes=0.2)
def change(cmd: Command) -> None:
    _, to_number, to_location = given(cmd, "To")
    for vm, drive in list(_subjects(cmd)):
        with cmd.trying():
            if vm.state == "Saved":
                raise cmd.refuse("InvalidState", "device", DEVICE, cmd.say("bad_state"))  # trap 15; id domain 26
            if to_number is not None or to_location is not None:
                _move(cmd, vm, drive, to_number, to_location)
            if "Path" in cmd.args:  # the medium changes live; null ejects
                before, drive.path = drive.path, cmd.args.text("Path") or None
                try:
                    _check_medium(cmd, vm, drive)
                except Refusal:
                    drive.path = before
                    raise
            if "ResourcePoolName" in cmd.args:
                if vm.state != "Off":
                    raise cmd.refuse(
                        "InvalidState", "device", DEVICE, cmd.say("bad_state")
                    )  # whether live, nobody says [I]
                drive.pool_name = cmd.pool()
            cmd.passthru(dvd_object, cmd.state, vm, drive)


def _move(cmd: Command, vm: Vm, drive: Drive, number: int | None, location: int | None) -> None:
    number = drive.at.number if number is None else number
    location = drive.at.location if location is None else location
    if (number, location) == (drive.at.number, drive.at.location):
        return
    if vm.state != "Off":
        raise cmd.refuse("InvalidState", "device", DEVICE, cmd.say("bad_state"))  # domain 8.3: Off
    drive.at = choose(cmd, vm, drive.at.bus, number, location)


@cmdlet("Remove-VMDvdDrive", takes=0.2)
def remove(cmd: Command) -> None:
    for vm, drive in list(_subjects(cmd)):
        with cmd.trying():
            check_plug(cmd, vm, drive.at, DEVICE)
            shown = dvd_object(cmd.state, vm, drive)
            vm.detach(drive)
            if cmd.args.flag("Passthru"):
                cmd.emit(shown)
