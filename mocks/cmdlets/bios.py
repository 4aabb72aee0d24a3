"""Get-, Set-VMBios: generation 1 (domain 5.4)."""

from __future__ import annotations

from collections.abc import Iterable

from mocks.cmdlets._find import owners, vms
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Checkpoint, Vm
from mocks.objects import PsObject
from mocks.shape import parts_of, shaped
from mocks.state import HostState

_ALL = {"CD", "IDE", "LegacyNetworkAdapter", "Floppy"}


def bios_object(state: HostState, vm: Vm, point: Checkpoint | None = None) -> PsObject:
    properties = {
        "NumLockEnabled": vm.bios.num_lock_enabled,
        "StartupOrder": [enum("BootDevice", d) for d in vm.bios.startup_order],
        **parts_of(state, vm, lower=True, point=point),
    }
    return shaped(state, "VMBios", properties, entity=vm, text=f"VMBios (VMName = '{vm.name}')")


def _check_generation(cmd: Command, vm: Vm) -> None:
    if vm.generation != 1:
        raise cmd.refuse("InvalidParameter", "gen2_bios", vm.name)  # domain 5.4, 26: the mirror of the firmware's


@cmdlet("Get-VMBios")
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        with cmd.trying():
            _check_generation(cmd, vm)
            cmd.emit(bios_object(cmd.state, vm, point))


@cmdlet("Set-VMBios", takes=0.1)
def change(cmd: Command) -> None:
    args = cmd.args
    given = args.entities("VMBios", Vm)
    subjects: Iterable[Vm] = given if "VMBios" in args else vms(cmd)
    for vm in subjects:
        with cmd.trying():
            _check_generation(cmd, cmd.alive(vm))
            order = args.words("StartupOrder", "BootDevice")
            if "StartupOrder" in args and sorted(order) != sorted(_ALL):
                # domain 5.4: all four, once each; text and id ours
                raise cmd.refuse("InvalidParameter", "boot_order_bad")
            if vm.state != "Off":
                raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)  # domain 5.4: off; id domain 26
            if order:
                vm.bios.startup_order = order
            if args.any("EnableNumLock", "DisableNumLock"):
                vm.bios.num_lock_enabled = args.flag("EnableNumLock")
            cmd.passthru(bios_object, cmd.state, vm)
