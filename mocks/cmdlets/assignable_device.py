"""Get-VMAssignableDevice: devices of the host that a VM was given (discrete device assignment)."""

from __future__ import annotations

from mocks.cmdlets._find import owners
from mocks.command import Command, cmdlet
from mocks.objects import PsObject
from mocks.shape import HYPERV, parts_of


@cmdlet("Get-VMAssignableDevice", takes=0.1)
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        for path in vm.assigned_devices:
            properties = {
                "InstanceID": path,
                "LocationPath": path,
                "Name": path,
                **parts_of(cmd.state, vm, point=point),
            }
            cmd.emit(PsObject(HYPERV + "VMAssignedDevice", properties))
