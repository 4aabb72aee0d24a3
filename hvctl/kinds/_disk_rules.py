"""What Hyper-V's own rules say about a wished disk, whatever the host looks like (domain 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import finding
from hvctl.core.resource import Resource
from hvctl.kinds import _disk_convert, _disk_move, _image
from hvctl.kinds._disk import FILE_FIELDS, DiskPart
from hvctl.kinds._drives import on_cluster, twice
from hvctl.kinds._guests import declared
from hvctl.kinds._limits import limit
from hvctl.kinds._types import TB, path_key, same_path, shown_size
from hvctl.kinds._vhd import extension, is_checkpoint
from hvctl.text.diagnostic import Diagnostic

CONVERT = "Convert-VHD makes a .vhdx copy of it; a boot disk needs more than that (it has a BIOS loader)"


def rules(disk: DiskPart, os: OS) -> Iterator[Diagnostic]:
    yield from _medium(disk)
    if disk.path:
        yield from _path(disk, disk.path, os)
    yield from _size(disk, os)
    yield from _file(disk)
    yield from _image.rules(disk)
    yield from _disk_move.rules(disk)
    yield from _disk_convert.rules(disk)
    yield from _quality(disk)
    if disk.shared:
        yield from _shared(disk, os)


def rules_together(disks: Sequence[DiskPart]) -> Iterator[tuple[Resource, Diagnostic]]:
    """Between all disks of a host: one owner per file (domain 8.3)."""
    for path, wish, first in twice((d.path, d) for d in disks if d.path):
        both = isinstance(wish, DiskPart) and isinstance(first, DiskPart) and wish.shared and first.shared
        if not both or wish.owner is first.owner:
            yield (
                wish,
                finding(
                    "path",
                    f"{path} is wanted at {first.place.mark('path')} too; a file has one owner, unless it is shared",
                    "write another path, or `shared: true` at both",
                ),
            )
    for number, wish, first in twice((str(d.disk_number), d) for d in disks if d.disk_number is not None):
        mark = first.place.mark("disk_number")
        yield wish, finding("disk_number", f"physical disk {number} is wanted at {mark} too", "give it to one VM")
    yield from _image.rules_together(tuple(disks))
    homes = {path_key(d.path): d for d in disks if d.path}
    for wish in disks:
        for n, old in enumerate(wish.previous_paths):
            other = homes.get(path_key(old))
            if other is not None and other is not wish:
                text = f"{old} is wanted at {other.place.mark('path')} too, and cannot move away from there"
                yield wish, finding(f"previous_paths.{n}", text, "remove one of the two")
    owners = {(d.path or "").casefold(): d for d in disks if d.path}
    for wish in disks:
        writer = owners.get((wish.parent or "").casefold())
        if writer is not None and writer is not wish:
            mark = writer.place.mark("path")
            yield (
                wish,
                finding(
                    "parent",
                    f"{wish.parent} is itself attached at {mark}; writing to a parent breaks what is made from it",
                    "attach a differencing disk there too",
                ),
            )


def _medium(disk: DiskPart) -> Iterator[Diagnostic]:
    if disk.disk_number is None:
        if "path" in disk.model_fields_set and disk.path is None:
            yield finding("path", "a disk cannot be empty", "write a path; or `ensure: absent` to take it out")
        return
    if disk.path is not None:
        yield finding("disk_number", "a disk is a file or a physical disk, not both", "leave out path or disk_number")
    for field in (*FILE_FIELDS, "iops", "qos_policy_id", "shared"):
        if getattr(disk, field) is not None and disk.path is None:
            yield finding(field, "a physical disk has no such setting", "leave it out")


def _path(disk: DiskPart, path: str, os: OS) -> Iterator[Diagnostic]:
    kind = extension(path)
    if is_checkpoint(path):
        yield finding("path", f"a .{kind} is a checkpoint's file", "write the disk that the checkpoint was made of")
    elif kind not in ("vhd", "vhdx", "vhds"):
        yield finding("path", f"{path} is no virtual disk by its extension", "write .vhdx (or .vhd, .vhds)")
    if kind == "vhds" and not at_least(os, "2016"):
        yield finding("path", f"{title(os)} has no VHD sets (.vhds)", f"{exists_from('2016')}; use a .vhdx")
    if re.search(r"[\[\]]", path):
        yield finding("path", "Get-VHD and Resize-VHD take [ and ] for wildcards", "choose a path without them")
    if kind == "vhd" and disk.vm.generation == 2:
        yield finding("path", "generation 2 has no .vhd disks", CONVERT)
    if kind == "vhd":
        for field in ("logical_sector_size", "physical_sector_size"):
            if getattr(disk, field) == 4096:
                yield finding(field, "a .vhd has sectors of 512 bytes", "use a .vhdx")


def _size(disk: DiskPart, os: OS) -> Iterator[Diagnostic]:
    if disk.size is None:
        return
    vhd = extension(disk.path or "") == "vhd"
    most = limit("VHD" if vhd else "VHDX", os)
    if disk.size > most:
        hint = f"use at most {shown_size(most)}" + (", or a .vhdx" if vhd else "")
        name = "vhd" if vhd else "vhdx"
        yield finding("size", f"{shown_size(disk.size)} is more than the {shown_size(most)} of a .{name}", hint)
    if disk.size > 2 * TB and disk.at == "ide 0:0":
        # BIOS and MBR (domain 5.1). Of a VM whose system is declared, this is what it starts from.
        yield finding(
            "size",
            "generation 1 boots from at most 2 TB",
            "make the boot disk smaller, and another one for data",
            "warning" if declared(disk.vm) is None else "impossible",
        )


def _file(disk: DiskPart) -> Iterator[Diagnostic]:
    differencing = disk.type == "differencing" or (disk.type is None and disk.parent is not None)
    if disk.type == "differencing" and disk.parent is None and disk.path:
        yield finding("type", "a differencing disk needs a parent", "write the parent's path", "warning")
    if disk.parent is not None:
        if not differencing:
            yield finding("parent", f"a {disk.type} disk has no parent", "write `type: differencing`")
        if disk.path is None:
            yield finding("parent", "a parent needs the path of the disk made from it", "write path")
        elif same_path(disk.parent, disk.path):
            yield finding("parent", "a disk cannot be its own parent", "write another path")
        elif extension(disk.parent) != extension(disk.path):
            yield finding("parent", "parent and disk must have one format", "give both the same extension")
    if disk.block_size is not None and disk.block_size & (disk.block_size - 1):
        yield finding("block_size", f"{shown_size(disk.block_size)} is no power of two", "write 1MB, 2MB, … 256MB")
    if disk.block_size is not None and disk.type == "fixed":
        yield finding("block_size", "a fixed disk is not made of blocks", "leave it out")
    if disk.logical_sector_size is not None and differencing:
        yield finding("logical_sector_size", "a differencing disk has its parent's sectors", "leave it out")


def _quality(disk: DiskPart) -> Iterator[Diagnostic]:
    if disk.iops is None:
        return
    least, most = disk.iops.minimum or 0, disk.iops.maximum or 0
    if most and least > most:
        yield finding(
            "iops.minimum", f"a minimum of {least:,} is above the maximum of {most:,}", "minimum ≤ maximum; 0 is none"
        )
    if disk.qos_policy_id is not None and (least or most):
        yield finding("qos_policy_id", "a policy overrides the disk's own iops", "write one of both")


def _shared(disk: DiskPart, os: OS) -> Iterator[Diagnostic]:
    """Shared disks (domain 8.5)."""
    if not disk.slot.scsi:
        yield finding("shared", "a shared disk sits on SCSI", "write a place such as scsi 0:1")
    if disk.type == "differencing" or disk.parent:
        yield finding("shared", "a differencing disk cannot be shared", "use a fixed or dynamic disk")
    if disk.path and extension(disk.path) == "vhd":
        yield finding("shared", "a .vhd cannot be shared", "use a .vhdx" if os == "2012r2" else "use a .vhdx or .vhds")
    if disk.path and not on_cluster(disk.path):
        yield finding(
            "shared",
            "a shared disk lies on a cluster shared volume or a scale-out file server",
            r"write a path below C:\ClusterStorage, or of a share",
        )
    if os == "2012r2" and disk.iops and (disk.iops.minimum or disk.iops.maximum):
        yield finding("iops", f"{title(os)} has no IOPS limits on shared disks", exists_from("2016"))
