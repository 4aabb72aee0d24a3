"""A disk's file that moves to another path with its VM, running or off (replica-migration 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvctl.call import Call, Map
from hvctl.core.changes import Step, finding
from hvctl.core.facts import Facts
from hvctl.kinds._disk import DiskPart, Seen
from hvctl.kinds._drives import folder_of, on_cluster, there, volume_of
from hvctl.kinds._space import VOLUMES, free_at, sizes_query
from hvctl.kinds._types import about_size, same_path
from hvctl.kinds._vhd import children, extension
from hvctl.kinds._vm import state_at_work, vm_ref
from hvctl.text.diagnostic import Diagnostic

MOVE_S = 24 * 3600


def queries(disk: DiskPart) -> tuple[Call, ...]:
    return (sizes_query(*disk.previous_paths), VOLUMES) if disk.previous_paths else ()


def movable(disk: DiskPart, facts: Facts) -> bool:
    """Of one that is saved not on every version (domain 14.1); that a paused one can be is said nowhere."""
    return state_at_work(disk.vm, facts) in ("Off", "Running")


def findings(disk: DiskPart, seen: Seen, facts: Facts) -> Iterator[Diagnostic]:
    old, new = seen.moves_from, str(disk.path)
    name, (folder, _, other) = old.rpartition("\\")[2], new.rpartition("\\")
    if extension(old) != extension(new):
        hint = "keep the extension, or make a copy with Convert-VHD and write its path"
        yield finding("path", f"{old} is moved as it is, and cannot become a .{extension(new)}", hint)
    elif name.casefold() != other.casefold():
        # PSDOC Move-VMStorage: the name is the same in both paths; another one is ignored (replica-migration 4.1)
        yield finding(
            "path", f"{old} keeps its name when it moves, and cannot become {other}", f"write {folder}\\{name}"
        )
    if seen.checkpoint:
        hint = "remove the VM's checkpoints, wait for the merge, then run hvctl again"
        yield finding("path", f"{old} has checkpoints: the chain would move with it", hint)
    if (seen.drive or {}).get("SupportPersistentReservations"):
        yield finding("path", "a shared disk does not move", "write the path that it has")  # domain 8.5
    if below := children(old, facts):
        yield finding(
            "path", f"{old} is the parent of {below[0]}, which would not find it", "write the path that it has"
        )
    if (disk.vm_row(facts) or {}).get("IsClustered") and not on_cluster(new):
        hint = r"write a path below C:\ClusterStorage, or of a share, unless the volume is a cluster disk"
        yield finding(
            "path", f"{disk.vm.key()} is clustered; Hyper-V refuses storage outside the cluster", hint, "warning"
        )
    if (volume := volume_of(new)) and not there(volume, facts):
        yield finding("path", f"the host has no volume {volume}", "write a path on one that it has")
    elif volume_of(new).casefold() != volume_of(old).casefold():
        yield from _room(seen, new, facts)


def _room(seen: Seen, path: str, facts: Facts) -> Iterator[Diagnostic]:
    """It is not checked by Hyper-V before it begins (replica-migration 5)."""
    needed, free = int((seen.row or {}).get("FileSize") or 0), free_at(path, facts)
    if free is None:
        text = f"how much is free at {path} cannot be told; the disk takes {about_size(needed)}"
        yield finding("path", text, "make sure that it has room", "warning")
    elif needed > free:
        text = f"there is no room for it: {about_size(needed)} are needed, and {path[:2]} has {about_size(free)} free"
        yield finding("path", text, "free some, or write another path")


def steps(disk: DiskPart, seen: Seen, facts: Facts) -> Iterator[Step]:
    """The last moves it."""
    new = str(disk.path)
    needs: tuple[Step, ...] = ()
    folder = folder_of(new)
    if not there(folder, facts):
        call = Call("New-Item", {"Path": folder, "ItemType": "Directory", "Force": True})
        made = Step(call, f"make the folder {folder}", ("path",))
        yield made
        needs = (made,)
    files = Map({"SourceFilePath": seen.moves_from, "DestinationFilePath": new})
    params: dict[str, Any] = {"VM": vm_ref(disk.vm, facts), "Vhds": (files,)}
    yield Step(
        Call("Move-VMStorage", params),
        f"move {seen.moves_from} of {disk.vm.key()} to {new}",
        ("path",),
        needs=needs,
        off=not movable(disk, facts),
        job=True,
        limit_s=MOVE_S,
    )


def rules(disk: DiskPart) -> Iterator[Diagnostic]:
    for n, old in enumerate(disk.previous_paths):
        if disk.path is None:
            yield finding("previous_paths", "a disk that moves needs a path to move to", "write `path: …`")
            return
        if same_path(old, disk.path):
            yield finding(f"previous_paths.{n}", "a disk does not move to where it is", "remove it from this list")
