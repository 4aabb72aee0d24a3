"""Get-, Set-VMComPort: both ports exist on every VM (domain 10)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks.cmdlets._find import owners, vms
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Checkpoint, Vm
from mocks.objects import PsObject
from mocks.shape import device_id, parts_of, shaped
from mocks.state import HostState

_PORTS = "8E3A359F-559A-4B6A-98A9-1690A6100ED7"


def com_port_object(state: HostState, vm: Vm, number: int, point: Checkpoint | None = None) -> PsObject:
    """`number` from 0."""
    properties = {
        "Path": vm.com_ports[number],
        "DebuggerMode": enum("OnOffState", "Off"),
        "Name": f"COM{number + 1}",
        "Id": device_id(vm, _PORTS, str(number)),
        **parts_of(state, vm, point=point),
    }
    return shaped(state, "VMComPort", properties, entity=(vm, number))


@cmdlet("Get-VMComPort")
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        for number in range(2):
            if "Number" not in cmd.args or cmd.args.number("Number") == number + 1:
                cmd.emit(com_port_object(cmd.state, vm, number, point))


@cmdlet("Set-VMComPort", takes=0.1)
def change(cmd: Command) -> None:
    for vm, number in _meant(cmd):
        with cmd.trying():
            if vm.state != "Off" and not cmd.state.module2:
                # domain 10: off on R2 [I]; id domain 26
                raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)
            if vm.state == "Saved":
                raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)  # trap 15; id domain 26
            if "Path" in cmd.args:
                vm.com_ports[number] = cmd.args.text("Path")  # null clears
            cmd.passthru(com_port_object, cmd.state, vm, number)


def _meant(cmd: Command) -> Iterator[tuple[Vm, int]]:
    for vm, number in cmd.args.entities("VMComPort", tuple):
        yield cmd.alive(vm), number
    for vm in vms(cmd):
        number = cmd.args.number("Number")
        if number not in (1, 2):
            raise cmd.refuse("InvalidParameter", "out_of_range", "Number", number)  # two ports; id [I]
        yield vm, number - 1
