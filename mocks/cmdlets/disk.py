"""The disks of the host: MSFT_Disk, which is what Get-Disk shows, and which of them a VM can have (domain 8.3)."""

from __future__ import annotations

from mocks.command import Command
from mocks.objects import PsObject
from mocks.state import HostState, PhysicalDisk

NAMESPACE, CLASS = "root/microsoft/windows/storage", "msft_disk"
FILE_BACKED_VIRTUAL = 15
"""BusType of a virtual disk that is mounted (MSFT_Disk, learn.microsoft.com/previous-versions/windows/desktop/stormgmt)."""


def disks(state: HostState) -> list[PhysicalDisk]:
    """The disks, and the virtual ones that are mounted."""
    mounted = [
        PhysicalDisk(v.mounted_as, size=v.size, bus=FILE_BACKED_VIRTUAL) for v in state.vhds if v.mounted_as is not None
    ]
    return [*(state.disks or ()), *mounted]


def show(cmd: Command) -> None:
    name = "Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/Storage/MSFT_Disk"
    for disk in disks(cmd.state):
        properties = {
            "Number": disk.number,
            "FriendlyName": "Msft Virtual Disk" if disk.bus == FILE_BACKED_VIRTUAL else f"Disk {disk.number}",
            "Size": disk.size,
            "IsBoot": disk.boot,
            "IsSystem": disk.system,
            "IsOffline": disk.offline,
            "BusType": disk.bus,
            "PSComputerName": None,
        }
        cmd.emit(PsObject(name, properties))


def check_disk(cmd: Command, number: int) -> None:
    """A disk that is offline on the host and that no VM has (domain 8.3)."""
    disk = next((d for d in disks(cmd.state) if d.number == number), None)
    if disk is None:
        # as for a file that is missing; id and text [I]
        raise cmd.refuse("ObjectNotFound", "device_add", "Physical Disk Drive", cmd.say("file_missing"))
    taken = any(d.disk_number == number for v in cmd.state.vms for d in v.disks)
    if not disk.offline or taken:
        # domain 8.3: offline on the host; as for a file that is in use, or in this VM twice; id and text [I]
        raise cmd.refuse("OperationFailed", "device_add", "Physical Disk Drive", cmd.say("sharing"))
