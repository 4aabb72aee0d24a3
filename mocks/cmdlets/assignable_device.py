"""Get-VMAssignableDevice, Get-VMGpuPartitionAdapter: devices of the host, and partitions of its GPUs, that a VM was given."""

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


@cmdlet("Get-VMGpuPartitionAdapter", takes=0.1)
def partitions(cmd: Command) -> None:
    """What their parts are, no case asks."""
    for vm, point in owners(cmd):
        for n in range(vm.gpu_partitions):
            name = f"Microsoft:{vm.id.upper()}\\{n}"
            cmd.emit(
                PsObject(
                    HYPERV + "VMGpuPartitionAdapter", {"Id": name, "Name": name, **parts_of(cmd.state, vm, point=point)}
                )
            )
