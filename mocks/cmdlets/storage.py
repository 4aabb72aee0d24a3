"""Move-VMStorage: where a VM's configuration, checkpoints, paging file and disks lie (domain 4.3, 14.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mocks import files
from mocks.arguments import plain
from mocks.cmdlets._find import vms
from mocks.cmdlets.item_copy import COPIED_BYTES_PER_SECOND
from mocks.command import Command, cmdlet
from mocks.machine import Drive, Vm
from mocks.state import Vhd

_PLACES = {
    "VirtualMachinePath": "path",
    "SnapshotFilePath": "snapshot_file_location",
    "SmartPagingFilePath": "smart_paging_file_path",
}
SECONDS = 20.0


@cmdlet("Move-VMStorage", takes=1.0)
def move(cmd: Command) -> Iterator[float]:
    if "DestinationStoragePath" in cmd.args:
        text = "the simulated host moves no VM as a whole"  # loud, never a silent success
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
    for vm in vms(cmd):
        with cmd.trying():
            _check(cmd, vm)
            wanted = {field: cmd.args.text(p).rstrip("\\") for p, field in _PLACES.items() if p in cmd.args}
            disks = [_disk(cmd, vm, dict(m)) for m in cmd.args.many("Vhds")]
            if not wanted and not disks:
                raise cmd.refuse("InvalidParameter", "bad_parameter")  # nothing to move; id [I]
            for path in wanted.values():
                if vm.is_clustered and not files.on_cluster(cmd.state, path):
                    raise cmd.refuse("InvalidParameter", "bad_drive_path")  # as disks (domain 8.3); id, text [I]
                if not files.is_folder(cmd.state, path.partition("\\")[0]):
                    raise cmd.refuse("ObjectNotFound", "path_missing")  # as New-VM; a missing folder is made
            for n, (_, _, to) in enumerate(disks):
                if any(files.same(to, other) for _, _, other in disks[:n]):
                    raise cmd.refuse(
                        "OperationFailed", "vhd_exists", to
                    )  # as a file that is there (replica-migration 5) [I]
            for n, (disk, _, to) in enumerate(disks):
                if not files.take(cmd.state, to, disk.file_size or 0):
                    for before, _, taken in disks[:n]:
                        files.take(cmd.state, taken, -(before.file_size or 0))
                    raise cmd.refuse("OperationFailed", "vhd_create", to, cmd.say("disk_full"))  # 0x80070070 [I]
            vm.tasks = ["StorageMigrationPhaseOne"]
            yield SECONDS + sum((disk.file_size or 0) for disk, _, _ in disks) / COPIED_BYTES_PER_SECOND
            vm.tasks = []
            for disk, drive, to in disks:
                files.take(cmd.state, disk.path, -(disk.file_size or 0))
                files.make_folder(cmd.state, files.parent(disk.path))  # which stays, empty
                files.carry(cmd.state, disk.path, to)
                disk.path = drive.path = to
            for field, path in wanted.items():
                files.make_folder(cmd.state, path)
                setattr(vm, field, path)


def _disk(cmd: Command, vm: Vm, paths: dict[str, Any]) -> tuple[Vhd, Drive, str]:
    """A disk of the VM, its drive, and where it goes."""
    source, to = str(plain(paths.get("SourceFilePath"))), str(plain(paths.get("DestinationFilePath")))
    if vm.checkpoints:
        text = "disks with checkpoints are not moved"  # the chain would go along (replica-migration 5)
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
    drive = next((d for d in vm.disks if files.same(d.path, source)), None)
    disk = files.vhd(cmd.state, source)
    if drive is None or disk is None:
        raise cmd.refuse("InvalidParameter", "bad_parameter")  # no disk of the VM; id [I]
    name = disk.path.rpartition("\\")[2]
    to = f"{files.parent(to)}\\{name}"  # another name is ignored (replica-migration 4.1)
    if files.exists(cmd.state, to):
        raise cmd.refuse("OperationFailed", "vhd_exists", to)  # there is no overwriting (replica-migration 5); text [I]
    if not files.is_folder(cmd.state, files.parent(to)):
        raise cmd.refuse("OperationFailed", "vhd_create", to, cmd.say("path_missing"))  # as New-VHD [I]
    if vm.is_clustered and not files.on_cluster(cmd.state, to):
        raise cmd.refuse("InvalidParameter", "bad_drive_path")  # as when it is attached
    return disk, drive, to


def _check(cmd: Command, vm: Vm) -> None:
    if vm.tasks:
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)  # domain 14.2; id domain 26
    if vm.state not in ("Off", "Running"):
        # domain 14.1: with a saved state not on all versions, so refused here; paused: said nowhere, refused too
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)
    if any(d.support_persistent_reservations for d in vm.disks):
        raise cmd.refuse("NotSupported", "no_sharing")  # domain 8.5: no storage migration; text [O], id [I]
    if vm.checkpoints and "SnapshotFilePath" in cmd.args:
        raise cmd.refuse("InvalidState", "has_checkpoints")  # domain 12; id domain 26
