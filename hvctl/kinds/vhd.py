"""Virtual disks that no VM has: golden parents, disks kept for later (domain 8.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from hvctl.call import Call, Retry, Row
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Setting, settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import MISSING, UNKNOWN, State, Unknown
from hvctl.kinds._disk import COPY, FILE_FIELDS, RECONNECT, TYPES, DiskPart, DiskSize, SectorSize, VhdPath
from hvctl.kinds._drives import DISKS, Slot, file_query, folder_of, on_share, there, volume_of
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._image import is_unfinished
from hvctl.kinds._limits import limit
from hvctl.kinds._physical import vm_name
from hvctl.kinds._space import VOLUMES, free_at, item_query, sizes_query
from hvctl.kinds._types import MB, PATH, SIZE, Flag, Size, about_size, same_path, shown_size
from hvctl.kinds._vhd import Resize, Use, children, extension, is_checkpoint, resize, users, vhd
from hvctl.kinds._vm import VMS
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic

_RELEASE_S = 60
_FIELDS = tuple(name for name in FILE_FIELDS if name != "format")


class Vhd(OfHyperV):
    """A virtual disk that no VM has: made empty, or from a `parent`, unless it is there; `size` grows and shrinks it.
    `read_only` compares the attribute of the file, which no cmdlet of hvctl's sets. One that a VM has is not touched."""

    kind: ClassVar[str] = "vhd"
    section: ClassVar[str] = "vhds"
    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("host", "host_file")
    stand_in: ClassVar[Mapping[str, Any]] = {"path": "C:\\unnamed.vhdx"}
    setter: ClassVar[str] = "Set-VHD"
    odd: ClassVar[frozenset[str]] = frozenset({*_FIELDS, "read_only"})
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("file", "destination", "name"), "path"),
        **dict.fromkeys(("capacity", "size_gb", "size_bytes"), "size"),
        **dict.fromkeys(("base", "backing_file", "parent_path"), "parent"),
        **dict.fromkeys(("readonly", "write_protected"), "read_only"),
        "provisioning": "type",
        "state": "ensure",
        "format": "it is told by the path, which ends in .vhdx or .vhd",
        "image": "bring it with `host_files: [{host_source: …}]`",
    }  # fmt: skip

    path: VhdPath
    size: Annotated[DiskSize | None, Field(ge=3 * MB), Setting("Size", "SizeBytes", SIZE)] = None
    type: Annotated[str | None, TYPES, Setting("VhdType", codec=TYPES, fixed=COPY)] = None
    parent: Annotated[VhdPath | None, Setting("ParentPath", codec=PATH, fixed=RECONNECT)] = None
    block_size: Annotated[
        Size | None, Field(ge=MB, le=256 * MB), Setting("BlockSize", "BlockSizeBytes", SIZE, fixed=COPY)
    ] = None
    logical_sector_size: Annotated[
        SectorSize | None, Setting("LogicalSectorSize", "LogicalSectorSizeBytes", fixed=COPY)
    ] = None
    physical_sector_size: Annotated[SectorSize | None, Setting("PhysicalSectorSize", "PhysicalSectorSizeBytes")] = None
    read_only: Annotated[Flag | None, Setting("IsReadOnly")] = None
    ensure: Literal["present", "absent"] = "present"

    def key(self) -> str:
        return self.path

    # --- rules ------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        kind = extension(self.path)
        if is_checkpoint(self.path) or is_unfinished(self.path):
            yield finding(
                "path", f"{self.path} is a file that is not finished, or a checkpoint's", "write another path"
            )
        elif kind not in ("vhd", "vhdx", "vhds"):
            yield finding("path", f"{self.path} is no virtual disk by its extension", "write .vhdx (or .vhd, .vhds)")
        if kind == "vhds" and not at_least(os, "2016"):
            yield finding("path", f"{title(os)} has no VHD sets (.vhds)", f"{exists_from('2016')}; use a .vhdx")
        if any(c in self.path for c in "[]"):
            yield finding("path", "Get-VHD and Resize-VHD take [ and ] for wildcards", "choose a path without them")
        if self.absent:
            return
        most = limit("VHD" if kind == "vhd" else "VHDX", os)
        if self.size is not None and self.size > most:
            text = f"{shown_size(self.size)} is more than the {shown_size(most)} of a .{kind}"
            yield finding("size", text, f"use at most {shown_size(most)}")
        if self.parent is not None and self.type not in (None, "differencing"):
            yield finding("parent", f"a {self.type} disk has no parent", "write `type: differencing`")
        if self.parent is not None and extension(self.parent) != kind:
            yield finding("parent", "parent and disk must have one format", "give both the same extension")
        if self.parent is not None and same_path(self.parent, self.path):
            yield finding("parent", "a disk cannot be its own parent", "write another path")
        if self.type == "differencing" and self.parent is None:
            yield finding("type", "a differencing disk needs a parent", "write the parent's path")
        if self.block_size is not None and (self.block_size & (self.block_size - 1) or self.type == "fixed"):
            text = "blocks are of 1 MB, 2 MB, … 256 MB, and a fixed disk has none"
            yield finding("block_size", text, "write such a size, or leave it out")
        if kind == "vhd" and 4096 in (self.logical_sector_size, self.physical_sector_size):
            yield finding("path", "a .vhd has sectors of 512 bytes", "use a .vhdx")

    @classmethod
    def rules_together(cls, wishes: tuple[Self, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
        for wish in wishes:
            for disk in wish.beside(DiskPart):
                if not disk.absent and same_path(disk.path, wish.path):
                    text = f"{wish.path} is the disk of a VM at {disk.place.mark('path')}"
                    yield wish, finding("path", text, "say there what is wanted of it")
                if wish.absent and not disk.absent and same_path(disk.parent, wish.path):
                    text = f"{wish.path} is the parent of a disk at {disk.place.mark('parent')}"
                    yield wish, finding("ensure", text, "leave it there")

    # --- looking ----------------------------------------------------------------------------------------------------

    def queries(self) -> tuple[Call, ...]:
        files = tuple(p for p in (self.path, self.parent) if p)
        looked = tuple(dict.fromkeys(p for f in files for p in (f, folder_of(f), volume_of(f)) if p))
        item = (item_query(self.path),) if self.read_only is not None else ()
        return (VMS, DISKS, sizes_query(*files), file_query(*looked), VOLUMES, *item)

    def row(self, facts: Facts) -> Row | Unknown | None:
        found = vhd(self.path, facts)
        return found if not isinstance(found, Unknown) or there(self.path, facts) else None

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        if row is None:
            return None
        if isinstance(row, Unknown):
            return dict.fromkeys(self.wanted(), UNKNOWN)
        found = {name: value for name, value in self.read_settings(row).items() if value is not MISSING}
        return {**found, **self._attribute(facts)} if self.read_only is not None else found

    def _attribute(self, facts: Facts) -> State:
        query = item_query(self.path)
        rows = facts.reply(query).rows
        if not rows:
            raise UnreadableError(query, facts.reply(query).failure)
        return {"read_only": bool(rows[0]["IsReadOnly"])}

    def requires(self) -> tuple[Address, ...]:
        made = self._made_parent()
        return () if made is None else (made.address(),)

    def _made_parent(self) -> Vhd | None:
        others = (o for o in self.beside(Vhd) if not o.absent and o is not self)
        return next((o for o in others if same_path(o.path, self.parent)), None) if self.parent else None

    # --- judging ----------------------------------------------------------------------------------------------------

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if occasion == "remove" or (occasion == "update" and any(c.field != "read_only" for c in changes)):
            self._check_use(facts)
        if occasion == "remove" and (above := children(self.path, facts)):
            raise HeldBackError(f"{self.path} is the parent of {above[0]}", "remove that first", "ensure")
        row = self.row(facts)
        if isinstance(row, Unknown):
            text = f"{self.path} could not be read: something holds it"
            yield finding("path", text, "see what has it open, then run hvctl again", "unknown")
        if self.absent:
            return
        fields = {c.field for c in changes}
        plan = self._resize(facts)
        if plan is not None and plan.refused is not None:
            yield plan.refused
        if "read_only" in fields and occasion == "update":
            hint = f"run: attrib {'+R' if self.read_only else '-R'} {self.path}"
            yield finding("read_only", "no cmdlet that hvctl knows sets the attribute of a file", hint)
        elif occasion == "create" and self.read_only:
            text = "it is made writable: no cmdlet that hvctl knows sets the attribute"
            yield finding("read_only", text, f"run: attrib +R {self.path}", "warning")
        if fields - {"read_only"} and occasion == "update" and self.read_only and self._attribute(facts)["read_only"]:
            text, hint = (
                "the file is read-only, and nothing can change it",
                f"run: attrib -R {self.path}, then apply again",
            )
            raise HeldBackError(text, hint, "read_only")
        if occasion == "create":
            self._check_new(facts)

    def _check_use(self, facts: Facts) -> None:
        for user in users(self.path, facts):
            if not user.child:
                text = f"{self.path} is attached to {vm_name(user.row, facts)} at {Slot.of(user.row)}"
                raise HeldBackError(text, "say in its VM what is wanted of it, or detach it there first", "path")

    def _check_new(self, facts: Facts) -> None:
        if self.size is None and self.parent is None:
            raise HeldBackError(
                f"{self.path} is not there", "write its size to have it made, or the right path", "path"
            )
        if (volume := volume_of(self.path)) and not there(volume, facts):
            raise HeldBackError(f"the host has no volume {volume}", "write a path on one that it has", "path")
        if self.parent and self._made_parent() is None and not on_share(self.parent) and not there(self.parent, facts):
            raise HeldBackError(f"{self.parent} is not there", "write the path of an existing disk", "parent")
        for user in users(self.parent, facts) if self.parent else ():
            if not user.child:
                text = f"{self.parent} is attached to {vm_name(user.row, facts)}, which writes to it"
                raise HeldBackError(text, "detach it there first, or make the disk from a copy of it", "parent")
        free = free_at(self.path, facts)
        if self.type == "fixed" and self.size and free is not None and self.size > free:
            text = f"{about_size(self.size)} are needed, and {self.path[:2]} has {about_size(free)} free"
            raise HeldBackError(f"there is no room for it: {text}", "free some, or write another path", "size")

    def _resize(self, facts: Facts) -> Resize | None:
        row = self.row(facts)
        if self.size is None or row is None or isinstance(row, Unknown):
            return None
        return resize(row, self.size, facts.os, Use(None, children=children(self.path, facts)))

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        plan = self._resize(facts) if field == "size" else None
        return (
            frozenset({"destroy"}) if plan is not None and plan.shrinks else super().impacts(field, now, wanted, facts)
        )

    def summary(self) -> str:
        parts = (self.type, self.size and shown_size(self.size), self.parent and f"from {self.parent}")
        return ", ".join(str(p) for p in parts if p)

    # --- changing ---------------------------------------------------------------------------------------------------

    def create(self, facts: Facts) -> Iterator[Step]:
        needs: tuple[Step, ...] = ()
        folder = folder_of(self.path)
        if not there(folder, facts):
            make = Call("New-Item", {"Path": folder, "ItemType": "Directory", "Force": True})
            needs = (Step(make, f"make the folder {folder}"),)
            yield from needs
        table, wanted = settings(Vhd), self.wanted()
        given = {table[n].set_with: v for n, v in wanted.items() if n in _FIELDS and n != "type"}
        kind = "differencing" if self.parent else self.type or "dynamic"
        call = Call("New-VHD", {"Path": self.path, **given, kind.capitalize(): True})
        yield Step(call, f"make {self.path}", ("path", *wanted), needs=needs, job=kind == "fixed")

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        fields, plan = {c.field for c in changes}, self._resize(facts)
        if "size" in fields and plan is not None:
            call = Call("Resize-VHD", {"Path": self.path, "SizeBytes": plan.wanted})
            text = f"{'shrink' if plan.shrinks else 'grow'} {self.path} to {shown_size(plan.wanted)}"
            yield Step(call, text, ("size",), job=plan.job)
        if "physical_sector_size" in fields:
            params = {"Path": self.path, "PhysicalSectorSizeBytes": self.physical_sector_size}
            text = f"set the physical sector size of {self.path}"
            yield Step(Call("Set-VHD", params), text, ("physical_sector_size",))

    def remove(self, facts: Facts) -> Iterator[Step]:
        call = Call("Remove-Item", {"LiteralPath": self.path, "Force": True})
        again = Retry("RemoveFileSystemItemIOError", _RELEASE_S)
        yield Step(call, f"remove {self.path}", ("ensure",), retry=again)


def made(one: Resource, path: str | None) -> Vhd | None:
    """What the playbook has of a file beside its VMs."""
    found = (v for v in one.beside(Vhd) if not v.absent and same_path(v.path, path))
    return next(found, None) if path else None
