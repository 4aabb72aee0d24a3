"""Move-VMStorage: where a VM's configuration, checkpoints, paging file and disks lie (domain 4.3, 14.1)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks import files
from mocks.cmdlets._find import vms
from mocks.command import Command, cmdlet
from mocks.machine import Vm

_PLACES = {
    "VirtualMachinePath": "path",
    "SnapshotFilePath": "snapshot_file_location",
    "SmartPagingFilePath": "smart_paging_file_path",
}
SECONDS = 20.0


@cmdlet("Move-VMStorage", takes=1.0)
def move(cmd: Command) -> Iterator[float]:
    if cmd.args.any("DestinationStoragePath", "Vhds"):
        # Of disks nothing is simulated: loud, never a silent success.
        text = "the simulated host moves no disks"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
    for vm in vms(cmd):
        with cmd.trying():
            _check(cmd, vm)
            wanted = {field: cmd.args.text(p).rstrip("\\") for p, field in _PLACES.items() if p in cmd.args}
            if not wanted:
                raise cmd.refuse("InvalidParameter", "bad_parameter")  # nothing to move; id [I]
            for path in wanted.values():
                if vm.is_clustered and not files.on_cluster(cmd.state, path):
                    raise cmd.refuse("InvalidParameter", "bad_drive_path")  # as disks (domain 8.3); id, text [I]
                if not files.is_folder(cmd.state, path.partition("\\")[0]):
                    raise cmd.refuse("ObjectNotFound", "path_missing")  # as New-VM; a missing folder is made
            vm.tasks = ["StorageMigrationPhaseOne"]
            yield SECONDS
            vm.tasks = []
            for field, path in wanted.items():
                files.make_folder(cmd.state, path)
                setattr(vm, field, path)


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
