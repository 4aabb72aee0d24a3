"""Where a VM's own files lie, and how they move: its configuration, its checkpoints, its paging file (domain 4.3, 14.1)."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.call import Call, Row
from hvctl.core.changes import Change, Step, finding
from hvctl.core.facts import Facts
from hvctl.kinds._drives import DISKS, file_query, on_cluster, there, volume_of
from hvctl.kinds._machine import Machine
from hvctl.kinds._vm import state_at_work, vm_ref
from hvctl.text.diagnostic import Diagnostic

PLACES = {
    "path": "VirtualMachinePath",
    "checkpoint_path": "SnapshotFilePath",
    "smart_paging_path": "SmartPagingFilePath",
}
"""The fields, and with which parameter a storage migration moves what lies there."""

_FILES = {"path": "configuration", "checkpoint_path": "checkpoint", "smart_paging_path": "smart paging"}


def place_queries(*paths: str | None) -> tuple[Call, ...]:
    """Whether there are volumes for them, and whether the VM has disks that bind it to its place."""
    volumes = [volume_of(path) for path in paths if path]
    return (DISKS, *(file_query(volume) for volume in volumes if volume)) if volumes else ()


def moves(vm: Machine, facts: Facts) -> bool:
    """Whether its storage can be moved as it is. Of one that is saved not on every version (domain 14.1); that a
    paused one can be is said nowhere."""
    return state_at_work(vm, facts) in ("Off", "Running")


def migration(vm: Machine, changes: tuple[Change, ...], facts: Facts, *needs: Step) -> Step:
    """A storage migration, which a running VM does not notice, and which makes the folders. The configuration goes
    where New-VM would have put it: into a folder of the VM's name."""
    to = {PLACES[c.field]: f"{c.wanted}\\{vm.key()}" if c.field == "path" else c.wanted for c in changes}
    return Step(
        Call("Move-VMStorage", {"VM": vm_ref(vm, facts), **to}),
        f"move the {' and '.join(_FILES[c.field] for c in changes)} files of {vm.key()}",
        tuple(c.field for c in changes),
        off=not moves(vm, facts),
        needs=needs,
        job=True,
    )


def place_findings(vm: Machine, change: Change, row: Row, facts: Facts) -> Iterator[Diagnostic]:
    path, volume = str(change.wanted), volume_of(str(change.wanted))
    if row.get("IsClustered") and not on_cluster(path):  # refused, as disks are (domain 8.3)
        hint = r"write a path below C:\ClusterStorage, or of a share, unless the volume is a cluster disk"
        told = f"{vm.key()} is clustered; Hyper-V refuses storage outside the cluster"
        yield finding(change.field, told, hint, "warning")
    if volume and not there(volume, facts):
        yield finding(change.field, f"the host has no volume {volume}", "write a path on one that it has")
    if any(d.get("SupportPersistentReservations") for d in facts.of_key(DISKS, "VMId", row["Id"])):
        # domain 8.5, 14.1: not for shared disks
        yield finding(change.field, "the storage of a VM with shared disks does not move", "write the path that it has")
