"""Mount-, Dismount-VHD: a virtual disk as a disk of the host; Get-Partition: what is on it.

Drive letters and the file systems on partitions are not modelled.
"""

from __future__ import annotations

from typing import Any

from mocks import files
from mocks.cmdlets.disk import disks
from mocks.cmdlets.net_adapter import not_found
from mocks.cmdlets.vhd import absolute, existing, vhd_object
from mocks.command import Command, cmdlet
from mocks.machine import MB
from mocks.objects import PsObject
from mocks.state import Vhd

GPT_TYPES = {
    "efi": "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}",
    "reserved": "{e3c9e316-0b5c-4db8-817d-f92df00215ae}",
    "basic": "{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}",
    "recovery": "{de94bba4-06d1-4d40-a16a-bfd50179d6ac}",
}
"""GptType of MSFT_Partition (learn.microsoft.com/windows-hardware/drivers/storage/msft-partition)."""
_MBR_IFS = 7


@cmdlet("Mount-VHD", takes=1.5)
def mount(cmd: Command) -> None:
    for path in cmd.args.texts("Path"):
        with cmd.trying():
            disk = existing(cmd, path)
            chain = [*files.chain_paths(cmd.state, disk.path)]
            written = any(files.writer(cmd.state, member) is not None for member in chain)
            if disk.mounted_as is not None or written or files.opened(cmd.state, disk.path):
                # what another process writes to, or has open alone (domain 8.1, 8.2); as Get-VHD; id [I]
                raise cmd.refuse("ObjectInUse", "vhd_get", disk.path, cmd.say("in_use"))
            if not cmd.args.flag("ReadOnly") and (disk.read_only or files.holder(cmd.state, disk.path) is not None):
                raise cmd.refuse("OperationFailed", "vhd_get", disk.path, cmd.say("file_denied"))  # 0x80070005 [I]
            taken = {d.number for d in disks(cmd.state)}
            disk.mounted_as = next(n for n in range(1, len(taken) + 2) if n not in taken)
            cmd.passthru(vhd_object, cmd.state, disk)


@cmdlet("Dismount-VHD", takes=0.8)
def dismount(cmd: Command) -> None:
    for disk in _mounted(cmd):
        with cmd.trying():
            if disk.mounted_as is None:
                # not mounted: nothing to detach; kind and text [I]
                raise cmd.refuse("InvalidState", "vhd_get", disk.path, cmd.say("bad_state"))
            disk.mounted_as = None
            cmd.passthru(vhd_object, cmd.state, disk)


def _mounted(cmd: Command) -> list[Vhd]:
    if "DiskNumber" in cmd.args:
        return [v for v in cmd.state.vhds if v.mounted_as == cmd.args.number("DiskNumber")]
    return [existing(cmd, absolute(path)) for path in cmd.args.texts("Path")]


@cmdlet("Get-Partition", module="host", takes=0.3)
def partitions(cmd: Command) -> None:
    for text in cmd.args.texts("DiskNumber"):
        with cmd.trying():
            disk = next((v for v in cmd.state.vhds if v.mounted_as == int(text)), None)
            if disk is None and not any(d.number == int(text) for d in disks(cmd.state)):
                raise not_found(cmd, "MSFT_Partition", "DiskNumber", text)
            if disk is None:
                text_ = "partitions of the host's own disks are not simulated"
                raise cmd.fail("NotSimulated", "NotImplemented", text_, "System.NotImplementedException")
            if not disk.partitions:
                raise not_found(cmd, "MSFT_Partition", "DiskNumber", text)  # an empty disk has none
            cmd.emit(*(_partition(disk, number) for number in range(len(disk.partitions))))


def _partition(disk: Vhd, number: int) -> PsObject:
    kind = disk.partitions[number]
    properties: dict[str, Any] = {
        "PartitionNumber": number + 1,
        "DiskNumber": disk.mounted_as,
        "DriveLetter": "\0",
        "GptType": GPT_TYPES.get(kind),
        "MbrType": _MBR_IFS if kind == "mbr" else None,
        "Offset": (number + 1) * MB,
        "Size": disk.size // (len(disk.partitions) + 1),
        "PSComputerName": None,
    }
    name = "Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/Storage/MSFT_Partition"
    return PsObject(name, properties)
