"""Get-, Set-VMFloppyDiskDrive: generation 1 always has one (domain 5.1, 8.3)."""

from __future__ import annotations

from collections.abc import Iterable

from mocks import files
from mocks.cmdlets._find import owners, vms
from mocks.command import Command, cmdlet
from mocks.machine import Checkpoint, Vm
from mocks.messages import say
from mocks.objects import PsObject
from mocks.shape import device_id, parts_of, shaped
from mocks.state import HostState

_CONTROLLER = "8F0D2762-0B00-4E04-AF4F-19010527CB93"


def floppy_object(state: HostState, vm: Vm, point: Checkpoint | None = None) -> PsObject:
    properties = {
        "PoolName": None,
        "Path": vm.floppy,
        "Disk": None,
        "Name": say(state.language, "diskette_drive"),
        "Id": device_id(vm, _CONTROLLER, "0", "0", "D"),
        **parts_of(state, vm, lower=True, point=point),
    }
    if state.module2:
        del properties["Disk"]
    return shaped(state, "VMFloppyDiskDrive", properties, entity=vm)


@cmdlet("Get-VMFloppyDiskDrive")
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        if vm.generation == 1:  # generation 2: none (recorded: FloppyDrive null)
            cmd.emit(floppy_object(cmd.state, vm, point))


@cmdlet("Set-VMFloppyDiskDrive", takes=0.1)
def change(cmd: Command) -> None:
    given = cmd.args.entities("VMFloppyDiskDrive", Vm)
    subjects: Iterable[Vm] = given if "VMFloppyDiskDrive" in cmd.args else vms(cmd)
    for vm in subjects:
        with cmd.trying():
            if cmd.alive(vm).generation == 2:
                raise cmd.refuse("InvalidParameter", "gen2_floppy")  # domain 5.1; text and id ours
            if vm.state == "Saved":  # as with DVD drives: trap 15; id domain 26
                raise cmd.refuse("InvalidState", "device", "Virtual Floppy Disk", cmd.say("bad_state"))
            path = cmd.args.text("Path") or None
            if path and not files.is_file(cmd.state, path):
                raise cmd.refuse("ObjectNotFound", "device_add", "Virtual Floppy Disk", cmd.say("file_missing"))  # [I]
            vm.floppy = path
            cmd.passthru(floppy_object, cmd.state, vm)
