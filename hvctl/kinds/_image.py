"""A disk that is made as a copy of an image: what it takes, what stands in the way, and the steps (operations 3.1).

The copy has another name until it is whole, so that a half one is never taken for the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hvctl.call import Call, Row
from hvctl.core.changes import HeldBackError, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Resource
from hvctl.core.values import Unknown
from hvctl.kinds import _coming
from hvctl.kinds._disk import TYPES, DiskPart
from hvctl.kinds._drives import Slot, file_query, on_share, there
from hvctl.kinds._limits import limit
from hvctl.kinds._physical import vm_name
from hvctl.kinds._space import VOLUMES, free_at, item_query, sizes_query
from hvctl.kinds._types import about_size, same_path, shown_size
from hvctl.kinds._vhd import extension, is_checkpoint, users, vhd
from hvctl.kinds._vm import VMS, power
from hvctl.text.diagnostic import Diagnostic

MARK = ".hvctl-unfinished"
COPY_S = 24 * 3600
"""How long a copy may take before it is left to itself."""


def unfinished(path: str) -> str:
    """The name of the copy until it is whole: the same extension, since Convert-VHD chooses the format by it."""
    stem, _, kind = path.rpartition(".")
    return f"{stem}{MARK}.{kind}"


def is_unfinished(path: str) -> bool:
    return path.casefold().rpartition(".")[0].endswith(MARK)


def queries(disk: DiskPart) -> tuple[Call, ...]:
    if disk.image is None or disk.path is None:
        return ()
    part = unfinished(disk.path)
    own = (sizes_query(disk.image), *map(item_query, (disk.image, part)), file_query(part), VOLUMES)
    return (*own, *_coming.queries(disk, disk.image))


@dataclass(frozen=True)
class Source:
    """An image as it is, for one disk. `converted`: a plain copy would not be what is wanted. `bytes`: what the disk
    takes up, as far as is known before."""

    path: str
    size: int
    type: str
    converted: bool
    bytes: int

    @classmethod
    def of(cls, disk: DiskPart, facts: Facts) -> Source:
        """Raises HeldBackError where there is none that can be copied, UnreadableError where that is not known."""
        image, path = str(disk.image), str(disk.path)
        row = _row(disk, facts)
        kind = str(TYPES.read(row["VhdType"]))
        wanted = disk.type or ("dynamic" if kind == "differencing" else kind)
        blocks = disk.block_size is not None and disk.block_size != row["BlockSize"]
        converted = wanted != kind or extension(image) != extension(path) or blocks or _read_only(disk, facts)
        now, size = int(row["Size"]), max(int(row["Size"]), disk.size or 0)
        taken = size if wanted == "fixed" else int(row.get("FileSize") or 0)
        return cls(image, now, wanted, converted, taken)


def _row(disk: DiskPart, facts: Facts) -> Row:
    image = str(disk.image)
    if (file := _coming.on_its_way(disk, image, facts)) is not None:
        if isinstance(known := _coming.row(file, facts), Unknown) or known["VhdType"] == "Differencing":
            text = f"{image} is brought by host_files, and no whole virtual disk as far as can be told before"
            raise HeldBackError(text, "run hvctl again when this is applied, or bring another file", "image")
        return known
    if not on_share(image) and not there(image, facts):
        raise HeldBackError(f"{image} is not there", "write the path of an existing disk", "image")
    row = vhd(image, facts)
    if isinstance(row, Unknown):
        hint = "see that it is a virtual disk, and what has it open, then run hvctl again"
        raise HeldBackError(f"{image} could not be read", hint, "image")
    return row


def _read_only(disk: DiskPart, facts: Facts) -> bool:
    """Copy-Item hands the attribute on, and nothing can then write to the disk; Convert-VHD does not."""
    image = str(disk.image)
    if (file := _coming.on_its_way(disk, image, facts)) is not None:
        return _coming.is_read_only(file, facts)
    reply = facts.reply(item_query(image))
    if not reply.rows:
        if on_share(image):
            return False  # Hyper-V may see what the session does not
        raise UnreadableError(item_query(image), reply.failure)
    return bool(reply.rows[0]["IsReadOnly"])


def obstacles(disk: DiskPart, facts: Facts) -> Iterator[Diagnostic]:
    """What is impossible holds the whole disk back (HeldBackError)."""
    source = Source.of(disk, facts)
    row = _row(disk, facts)
    _check_use(source, facts)
    if disk.size is not None and disk.size < source.size:
        text = f"{shown_size(disk.size)} is below the {shown_size(source.size)} of the image {source.path}"
        raise HeldBackError(text, "write at least as much, or use a smaller image", "size")
    if extension(str(disk.path)) == "vhd" and source.size > limit("VHD", facts.os):
        most = shown_size(limit("VHD", facts.os))
        text = f"the image {source.path} has {shown_size(source.size)}, and a .vhd has {most} at most"
        raise HeldBackError(text, "write a path that ends in .vhdx", "path")
    sectors = int(row["LogicalSectorSize"])
    if disk.logical_sector_size not in (None, sectors):
        text = f"the image {source.path} has sectors of {sectors} bytes, which a copy keeps"
        raise HeldBackError(text, "leave logical_sector_size out, or use another image", "logical_sector_size")
    if extension(source.path) == "vhd" and disk.generation(facts) == 2:
        text = f"{source.path} is a .vhd, as generation 1 boots from: its system may not start in generation 2"
        yield finding("image", text, "use an image that was made in generation 2", "warning")  # domain 5.2
    yield from _room(disk, facts)


def _check_use(source: Source, facts: Facts) -> None:
    """Raise HeldBackError if a VM writes to the image, or what reads it keeps it from being converted."""
    for user in users(source.path, facts):
        vm = next((r for r in facts.of_key(VMS, "Id", user.row["VMId"])), None)
        state, owner = power(vm), vm_name(user.row, facts)
        if state == "Off":
            continue
        if not user.child:
            text = f"{owner} is {state.lower()} and has {source.path} at {Slot.of(user.row)}; a copy would not be whole"
            raise HeldBackError(text, f"shut {owner} down first, or use an image that no VM writes to", "image")
        if source.converted:
            text = f"{owner} runs on {user.child}, which was made from {source.path}; in use, it cannot be converted"
            hint = "shut it down first, or leave out what differs from the image: type, format, block size"
            raise HeldBackError(text, hint, "image")


def _room(disk: DiskPart, facts: Facts) -> Iterator[Diagnostic]:
    """For this disk and those copied to the same drive before it."""
    path = str(disk.path)
    needed = sum(_takes(other, facts) for other in _up_to(disk)) + _coming.takes(disk, path, facts)
    free = free_at(path, facts)
    if free is None:
        text = f"how much is free at {path} cannot be told; the copy takes {about_size(needed)}"
        yield finding("path", text, "make sure that it has room", "warning")
        return
    free += _given_back(path, facts)
    if needed > free:
        text = f"there is no room for it: {about_size(needed)} are needed, and {path[:2]} has {about_size(free)} free"
        raise HeldBackError(text, "free some, or write another path", "path")


def _given_back(path: str, facts: Facts) -> int:
    """A half copy is removed before."""
    return sum(int(row["Length"]) for row in facts.reply(item_query(unfinished(path))).rows)


def _up_to(disk: DiskPart) -> Iterator[DiskPart]:
    for peer in disk.beside(DiskPart):
        if peer is disk:
            break
        if peer.image and not peer.absent and _drive(peer) == _drive(disk):
            yield peer
    yield disk


def _drive(disk: DiskPart) -> str:
    return str(disk.path)[:2].casefold()


def _takes(disk: DiskPart, facts: Facts) -> int:
    if there(str(disk.path), facts):
        return 0
    try:
        return Source.of(disk, facts).bytes
    except HeldBackError:
        return 0  # it is not copied


def leftover(disk: DiskPart, facts: Facts) -> Iterator[Diagnostic]:
    """Beside a disk that is there: a half copy that nothing will remove."""
    path = unfinished(disk.path) if disk.path else ""
    if disk.image and path and there(path, facts):
        yield finding("image", f"{path} is a copy that was not finished, beside the disk", "remove the file", "warning")


def steps(disk: DiskPart, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
    """Copy or convert, grow, and give it its name; the last is done only if all is."""
    source, path = Source.of(disk, facts), str(disk.path)
    part = unfinished(path)
    chain = list(needs)

    def step(call: Call, text: str, *because: str, **more: Any) -> Step:
        made = Step(call, text, because, needs=tuple(chain), **more)
        chain[:] = [made]
        return made

    if there(part, facts):
        yield step(Call("Remove-Item", {"LiteralPath": part, "Force": True}), f"remove {part}, which is a half copy")
    what = f"{source.path} ({about_size(source.bytes)})"
    if source.converted:
        params: dict[str, Any] = {"Path": source.path, "DestinationPath": part, "VHDType": TYPES.write(source.type)}
        if disk.block_size is not None:
            params["BlockSizeBytes"] = disk.block_size
        text = f"convert the image {what} to a {source.type} .{extension(path)}"
        because = tuple(n for n in ("type", "block_size") if n in disk.wanted())
        yield step(Call("Convert-VHD", params), text, *because, job=True, limit_s=COPY_S)
    else:
        # It has no progress, and is no job: it goes with the process that runs it (winrm 3.5).
        call = Call("Copy-Item", {"LiteralPath": source.path, "Destination": part})
        yield step(call, f"copy the image {what}; Copy-Item tells no progress", limit_s=COPY_S)
    if disk.physical_sector_size is not None:
        params = {"Path": part, "PhysicalSectorSizeBytes": disk.physical_sector_size}
        text = f"set the physical sector size of the copy to {disk.physical_sector_size}"
        yield step(Call("Set-VHD", params), text, "physical_sector_size")
    if disk.size is not None and disk.size > source.size:
        # To the same size is an error (trap 28).
        call = Call("Resize-VHD", {"Path": part, "SizeBytes": disk.size})
        grown = f"grow the copy to {shown_size(disk.size)}"
        yield step(call, grown, "size", job=source.type == "fixed")
    name = path.rpartition("\\")[2]
    yield step(Call("Rename-Item", {"LiteralPath": part, "NewName": name}), f"name the finished copy {path}", "path")


# --- what is known without a host ------------------------------------------------------------------------------------


def rules(disk: DiskPart) -> Iterator[Diagnostic]:
    if disk.path and is_unfinished(disk.path):
        yield finding("path", f"{MARK} is in the names of copies that are not finished", "write another path")
    if disk.image is None:
        return
    if disk.path is None:
        yield finding("image", "a disk that is made from an image needs a path", "write the path of the new disk")
    if disk.parent is not None or disk.type == "differencing":
        hint = "write `parent` for a differencing disk, `image` for a copy"
        yield finding("image", "a disk is a copy of an image or differs from a parent, not both", hint)
    if disk.path and same_path(disk.path, disk.image):
        yield finding("image", "a disk cannot be a copy of itself", "write another path")
    if is_checkpoint(disk.image) or extension(disk.image) not in ("vhd", "vhdx"):
        hint = "write the path of a .vhdx or .vhd"
        yield finding("image", f"{disk.image} is no image by its extension", hint)
    if extension(disk.path or "") == "vhds":
        yield finding("image", "a VHD set is not made from an image", "write a path that ends in .vhdx")


def rules_together(disks: tuple[DiskPart, ...]) -> Iterator[tuple[Resource, Diagnostic]]:
    """An image that a VM of the playbook writes to."""
    for wish in disks:
        for other in disks if wish.image else ():
            runs = getattr(other.vm, "state", None) in ("running", "paused")
            if other is not wish and runs and same_path(other.path, wish.image):
                text = f"{wish.image} is attached at {other.place.mark('path')} to a VM that is to run, and changes with it"
                yield wish, finding("image", text, "use an image that no VM writes to")
