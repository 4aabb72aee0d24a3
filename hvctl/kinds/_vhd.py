"""Virtual disk files: the chain from what a VM writes to down to the base, and what resizing one takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hvctl.call import EACH, Call, Ref, Row
from hvctl.contract import OS, at_least, title
from hvctl.core.changes import finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.values import UNKNOWN, Unknown
from hvctl.kinds._drives import DISKS, Slot
from hvctl.kinds._types import path_key, same_path, shown_size
from hvctl.text.diagnostic import Diagnostic

FILE_PROPERTIES = (
    "Path",
    "VhdFormat",
    "VhdType",
    "Size",
    "MinimumSize",
    "BlockSize",
    "LogicalSectorSize",
    "PhysicalSectorSize",
    "ParentPath",
)


def vhd_query(*paths: str) -> Call:
    """The files of all drives and these, each down to its base. An error of one file is that file's own:
    Get-VHD fails while another process holds it (domain 8.1)."""
    return Call(
        "Get-VHD",
        {"Path": (Ref(DISKS, path="Path", many=True), *paths)},
        select=FILE_PROPERTIES,
        each="Path",
        follow="ParentPath",
    )


_ALL = vhd_query()


def extension(path: str) -> str:
    return path_key(path).rpartition("\\")[2].rpartition(".")[2]


def is_checkpoint(path: str) -> bool:
    return extension(path) in ("avhd", "avhdx")


def _rows(column: str, value: str, facts: Facts) -> tuple[Row, ...]:
    try:
        return facts.of_key(_ALL, column, value)
    except UnreadableError as error:
        if error.property:
            raise  # which file is whose parent cannot be told
        return ()  # every file failed: each of them is unknown


def vhd(path: str, facts: Facts) -> Row | Unknown:
    """What Get-VHD says of a file."""
    rows = _rows(EACH, path, facts) or _rows("Path", path, facts)
    return rows[0] if rows else UNKNOWN


@dataclass(frozen=True)
class Link:
    """One file of a chain."""

    path: str
    row: Row | Unknown


def chain(leaf: str, facts: Facts) -> tuple[Link, ...]:
    """From the file that the VM writes to down to the base, as far as it could be read."""
    found: list[Link] = []
    path = leaf
    while path and not any(same_path(path, link.path) for link in found):
        row = vhd(path, facts)
        found.append(Link(path, row))
        path = "" if isinstance(row, Unknown) else str(row.get("ParentPath") or "")
    return tuple(found)


def matching(links: tuple[Link, ...], wanted: str | None) -> Link | Unknown | None:
    """The link that is the wanted file, if all before it are checkpoints' files (domain 8.3); with nothing
    wanted, the first that is none."""
    for link in links:
        if same_path(link.path, wanted) if wanted else not is_checkpoint(link.path):
            return link
        if not is_checkpoint(link.path):
            return None
        if isinstance(link.row, Unknown):
            return UNKNOWN
    return None


@dataclass(frozen=True)
class User:
    """A drive that uses a file: as its own, or (`child` says through which) as a parent."""

    row: Row
    child: str = ""


def users(path: str, facts: Facts) -> Iterator[User]:
    """Every drive on the host whose chain holds the file."""
    waiting: list[tuple[str, str]] = [(path, "")]
    seen: set[str] = set()
    while waiting:
        file, child = waiting.pop()
        if path_key(file) in seen:
            continue
        seen.add(path_key(file))
        yield from (User(row, child) for row in facts.of_key(DISKS, "Path", file))
        for row in _rows("ParentPath", file, facts):
            above = str(row.get("Path") or row.get(EACH))
            waiting.append((above, child or ("" if is_checkpoint(above) else above)))


def children(path: str, facts: Facts) -> tuple[str, ...]:
    """Differencing disks made from the file, checkpoints' files not counted."""
    above = (str(r.get("Path") or r.get(EACH)) for r in _rows("ParentPath", path, facts))
    return tuple(p for p in above if not is_checkpoint(p))


@dataclass(frozen=True)
class Use:
    """How a file is used. `slot`: where in the VM, None: nowhere. `state`: of that VM. `checkpoint`: the file that
    the VM writes to instead, if any. `children`: differencing disks made from it. `coming`: a checkpoint that is made
    before."""

    slot: Slot | None
    state: str = "Off"
    checkpoint: str = ""
    shared: bool = False
    children: tuple[str, ...] = ()
    coming: str = ""


@dataclass(frozen=True)
class Resize:
    """What it takes to give a file another size."""

    now: int
    wanted: int
    off: bool = False
    job: bool = False
    refused: Diagnostic | None = None

    @property
    def shrinks(self) -> bool:
        return self.wanted < self.now


def resize(file: Row, wanted: int, os: OS, use: Use) -> Resize | None:
    """The matrix of domain 8.2; None: nothing to do, since resizing to the same size is an error (trap 28)."""
    now = int(file["Size"])
    if now == wanted:
        return None
    live = use.slot is not None and use.slot.scsi and not _is(file, "VhdFormat", "vhd") and at_least(os, "2012r2")
    why = _refusal(file, os, use) or (_shrink_refusal(file, wanted) if wanted < now else None)
    return Resize(
        now,
        wanted,
        off=use.slot is not None and not live,
        job=_is(file, "VhdType", "fixed") and wanted > now,
        refused=finding("size", *why) if why else None,
    )


def _is(file: Row, column: str, word: str) -> bool:
    return str(file.get(column)).casefold() == word


def _refusal(file: Row, os: OS, use: Use) -> tuple[str, str] | None:
    path = str(file.get("Path"))
    if use.checkpoint:
        # The host would resize the parent and report success; the VM would not see it (domain 8.2, trap 4).
        name = use.checkpoint.rpartition("\\")[2]
        return (
            f"the disk has checkpoints: the VM writes to {name}",
            "remove the VM's checkpoints and wait for the merge, then run hvctl again",
        )
    if use.coming and use.slot is not None:
        return (
            f"the checkpoint {use.coming} is made before, and a disk with checkpoints cannot be resized",
            "leave the checkpoint out until the disk has its size",
        )
    if use.children:
        return f"{path} is the parent of {use.children[0]}, which a resize would break", "leave its size as it is"
    if use.slot is not None and use.state in ("Saved", "Paused"):
        return (
            f"Hyper-V does not resize disks of a VM that is {use.state.lower()}",
            "start the VM or turn it off, then run hvctl again",
        )
    if use.shared and (os == "2012r2" or not _is(file, "VhdFormat", "vhdset")):
        return (
            f"a shared .{extension(path)} cannot be resized on {title(os)}",
            "detach it from every VM first" if os == "2012r2" else "use a VHD set (.vhds), which can",
        )
    if _is(file, "VhdFormat", "vhd") and _is(file, "VhdType", "differencing"):
        return "a differencing .vhd cannot be resized", "convert it to .vhdx with Convert-VHD, which makes a copy"
    return None


def _shrink_refusal(file: Row, wanted: int) -> tuple[str, str] | None:
    now, least = int(file["Size"]), file.get("MinimumSize")
    if _is(file, "VhdFormat", "vhd"):
        return (
            f"a .vhd can only grow; it has {shown_size(now)}",
            "leave its size, or convert it to .vhdx with Convert-VHD, which makes a copy",
        )
    if least is None:
        return (
            f"it cannot shrink from {shown_size(now)}: Hyper-V sees no partitions in it and names no minimum",
            "leave its size as it is, or make a smaller disk in its place",
        )
    if wanted < int(least):
        return (
            f"{shown_size(wanted)} is below the {shown_size(int(least))} in use",
            "shrink the volume in the guest first",
        )
    return None
