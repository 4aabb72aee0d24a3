"""A disk whose file becomes a .vhdx: a copy that takes its place, while the old file stays (domain 5.2, 8.1)."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.call import Call
from hvctl.core.changes import Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.values import Unknown
from hvctl.kinds._disk import DiskPart, Seen, as_vhdx
from hvctl.kinds._drives import Slot, there
from hvctl.kinds._image import COPY_S, unfinished
from hvctl.kinds._physical import vm_name
from hvctl.kinds._space import VOLUMES, free_at, sizes_query
from hvctl.kinds._types import about_size
from hvctl.kinds._vhd import children, extension, users
from hvctl.text.diagnostic import Diagnostic


def queries(disk: DiskPart) -> tuple[Call, ...]:
    return (sizes_query(), VOLUMES) if disk.format is not None else ()


def target(disk: DiskPart, seen: Seen) -> str:
    return disk.path or as_vhdx(seen.converts)


def rules(disk: DiskPart) -> Iterator[Diagnostic]:
    if disk.format is not None and disk.path and extension(disk.path) != "vhdx":
        yield finding("format", f"{disk.path} is no .vhdx by its name", "write a path that ends in .vhdx")
    if disk.format is not None and disk.parent is not None:
        yield finding("format", "a differencing disk has the format of its parent", "leave it out")


def findings(disk: DiskPart, seen: Seen, facts: Facts) -> Iterator[Diagnostic]:
    old, new = seen.converts, target(disk, seen)
    if seen.checkpoint:
        hint = "remove the VM's checkpoints, wait for the merge, then run hvctl again"
        yield finding("format", f"{old} has checkpoints, which would stay behind", hint)
    if not isinstance(seen.row, Unknown) and (seen.row or {}).get("ParentPath"):
        hint = "make a new disk, or write the path that it has and leave format out"
        yield finding("format", f"{old} is made from a parent, and has its format", hint)
    if below := children(old, facts):
        yield finding("format", f"{old} is the parent of {below[0]}, which needs it as it is", "leave format out")
    mine = disk.vm_row(facts)
    for user in users(old, facts):
        own = mine is not None and user.row["VMId"] == mine["Id"] and Slot.of(user.row) == disk.slot
        if not own and not user.child:
            place = f"{vm_name(user.row, facts)} at {Slot.of(user.row)}"
            yield finding("format", f"{old} is attached to {place} too", "detach it there first")
    try:
        taken = there(new, facts)
    except (KeyError, UnreadableError):
        taken = False  # not asked for: the copy does not get its name then, and nothing else is changed
    if taken:
        hint = f"remove it, or give it another name; to attach it as it is, write path: '{new}' and leave format out"
        yield finding("format", f"{new} is there already, where the copy of {old} is to be", hint)
    yield from _room(seen, new, facts)


def _room(seen: Seen, path: str, facts: Facts) -> Iterator[Diagnostic]:
    needed, free = _bytes(seen), free_at(path, facts)
    if free is None:
        text = f"how much is free at {path} cannot be told; the copy takes {about_size(needed)}"
        yield finding("format", text, "make sure that it has room", "warning")
    elif needed > free:
        text = f"there is no room for it: {about_size(needed)} are needed, and {path[:2]} has {about_size(free)} free"
        yield finding("format", text, "free some")


def _bytes(seen: Seen) -> int:
    row = seen.row or {}
    fixed = str(row.get("VhdType")).casefold() == "fixed"
    return int(row.get("Size") or 0) if fixed else int(row.get("FileSize") or 0)


def steps(disk: DiskPart, seen: Seen, off: bool) -> Iterator[Step]:
    """The last gives the copy its name. `off`: the disk is attached, and its VM must be off meanwhile."""
    old, new = seen.converts, target(disk, seen)
    part, because = unfinished(new), ("format",)
    # With a wildcard it is no error that there is none.
    half = Call("Remove-Item", {"Path": f"{part[:-1]}?", "Force": True})
    cleared = Step(half, f"remove what an earlier copy left of {new}", because, off=off)
    call = Call("Convert-VHD", {"Path": old, "DestinationPath": part})
    text = f"convert {old} to {new} ({about_size(_bytes(seen))}); the old file stays"
    made = Step(call, text, because, needs=(cleared,), off=off, job=True, limit_s=COPY_S)
    rename = Call("Rename-Item", {"LiteralPath": part, "NewName": new.rpartition("\\")[2]})
    yield from (cleared, made, Step(rename, f"name the finished copy {new}", because, needs=(made,), off=off))
