"""Virtual disks: the drive in the VM and the file behind it (domain 8.1 to 8.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

from hvctl.call import Call, Guard, Row
from hvctl.contract import OS
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import ANYTHING, State, Unknown
from hvctl.kinds import _coming, _disk_convert, _disk_move, _guests, _image
from hvctl.kinds import _disk_checks as checks
from hvctl.kinds import _disk_rules as offline
from hvctl.kinds._disk import FILE_FIELDS, DiskPart, Seen, claimed
from hvctl.kinds._drives import Slot, at_slot, folder_of, there
from hvctl.kinds._machine import machine
from hvctl.kinds._types import MB, shown_size
from hvctl.kinds._vm import off_impacts, power, state_at_work, vm_ref, vm_row
from hvctl.kinds.host_file import brought
from hvctl.kinds.vhd import made
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


class Disk(DiskPart):
    """A hard disk drive and its file. It is found by its place; a file that is there already is attached as it is, one that is
    not is made: empty, as a copy of `image` (a disk of the host; see [images](images.md)), or from a `parent`. One that has
    one of `previous_paths` is moved to `path`, also while the VM runs. Without `path`, whatever disk sits at the place is
    meant. `format: vhdx` makes a copy of a .vhd, beside it under the same name, and attaches that; the old file stays.
    `write_cache` overrides what the guest is told of the disk's cache (from 2016 on)."""

    kind: ClassVar[str] = "disk"
    section: ClassVar[str] = "disks"
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("source", "template", "clone_from", "copy_from", "image_path", "from_image"), "image"),
        **dict.fromkeys(("previous_path", "old_path", "moved_from"), "previous_paths"),
        **dict.fromkeys(("base", "backing_file", "parent_path"), "parent"),
        **dict.fromkeys(("file", "vhd", "vhdx", "location"), "path"),
        **dict.fromkeys(("controller", "slot", "bus", "lun"), "at"),
        **dict.fromkeys(("capacity", "gb", "size_gb", "size_bytes"), "size"),
        **dict.fromkeys(("qos", "io", "max_iops", "iops_max"), "iops"),
        **dict.fromkeys(("passthrough", "physical_disk"), "disk_number"),
        "provisioning": "type",
    }  # fmt: skip
    vital: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMHardDiskDrive"
    usual: ClassVar[Mapping[str, Any]] = {
        "type": "dynamic",
        "logical_sector_size": 512,
        "iops.minimum": 0,
        "iops.maximum": 0,
        "qos_policy_id": None,
        "shared": False,
        "resource_pool": "Primordial",
        "write_cache": "default",
    }  # domain 8.1
    odd: ClassVar[frozenset[str]] = frozenset({"size", "physical_sector_size", "format"})

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from super().rules(os)
        if not self.absent:
            yield from offline.rules(self, os)

    @classmethod
    def rules_together(cls, wishes: tuple[Self, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
        yield from offline.rules_together([w for w in wishes if isinstance(w, DiskPart) and not w.absent])

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if self.absent:
            if not self.off_to_plug(facts):
                hint = "take it offline in the guest first"
                yield finding("", "the guest loses this disk at once; its file stays", hint, "warning")
            return
        seen = self.see(facts)
        if seen.drive is None:
            self.check_place(facts)
        if seen.moves_from and any(c.field == "path" for c in changes):
            yield from _disk_move.findings(self, seen, facts)
        elif seen.converts and (seen.drive is None or any(c.field == "format" for c in changes)):
            yield from _disk_convert.findings(self, seen, facts)
        elif seen.drive is None or any(c.field in ("path", "disk_number") for c in changes):
            yield from checks.attaching(self, seen, facts)
        plan = self.resize(seen, facts)
        if plan and plan.refused:
            yield plan.refused
        elif plan:
            live = not plan.off and power(self.vm_row(facts)) == "Running"
            yield from _guests.resizing(self.vm, live)
        yield from checks.file(self, seen, changes, facts)
        yield from checks.quality(self, seen, changes)

    def coming(self, facts: Facts) -> Row | None:
        file = _coming.on_its_way(self, self.path, facts)
        known = None if file is None else _coming.row(file, facts)
        return None if isinstance(known, Unknown) else known

    def by_default(self, facts: Facts) -> State:
        """domain 8.1; what is made from a parent has what that has."""
        old = (self.path or "").casefold().endswith(".vhd")
        own = {"block_size": (2 if old else 32) * MB, "physical_sector_size": 512 if old else 4096}
        of_parent = ("size", "block_size", "logical_sector_size", "physical_sector_size") if self.parent else ()
        return {**self.usual, **own, **dict.fromkeys(of_parent, ANYTHING)}

    def asides(self, facts: Facts) -> Iterator[str]:
        if leaf := self.see(facts).checkpoint:
            yield f"the VM writes to {leaf}, of a checkpoint"

    def requires(self) -> tuple[Address, ...]:
        files = [brought(self, path) for path in (self.path, self.parent, self.image)]
        parent = made(self, self.parent)
        own = () if parent is None else (parent.address(),)
        shared = (maker,) if (maker := self.maker()) is not None else ()
        return (*super().requires(), *(f.address() for f in files if f is not None), *own, *shared)

    def queries(self) -> tuple[Call, ...]:
        more = (
            *_coming.queries(self, self.path, self.parent),
            *_image.queries(self),
            *_disk_move.queries(self),
            *_disk_convert.queries(self),
        )
        return (*super().queries(), *more)

    # --- what it costs --------------------------------------------------------------------------------------------

    def needs_off(self, field: str, now: Any, wanted: Any, facts: Facts) -> bool:
        if field == "size":
            plan = self.resize(self.see(facts), facts)
            return plan is not None and plan.off
        if field == "format" and not self.see(facts).attached:
            return False
        if field == "path" and self.see(facts).moves_from:
            return not _disk_move.movable(self, facts)
        return super().needs_off(field, now, wanted, facts)

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        seen = self.see(facts)
        found = set(super().impacts(field, now, wanted, facts))
        if field == "size":
            found |= self._shrinking(seen, facts)
        if self.replaces(seen) and field in (*FILE_FIELDS, "path"):
            # The file's own changes wait for the consent that attaching it takes.
            found |= off_impacts(self.vm, facts)
            if seen.file is None:
                found.add("recreate")
        return frozenset(found - {"online"}) or frozenset({"online"})

    def rests_on(self, field: str, facts: Facts) -> str:
        """What is wanted of the file is wanted of no other that sits at the place now."""
        return "path" if field in FILE_FIELDS and self.replaces(self.see(facts)) else ""

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        off = self.off_to_plug(facts) or self.elsewhere(facts) is not None
        found: set[Impact] = {*(off_impacts(self.vm, facts) if off else ()), *self._shrinking(self.see(facts), facts)}
        return frozenset(found - {"online"}) or frozenset({"online"})

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        lost: frozenset[Impact] = frozenset({"destroy"})
        return lost | (self.plug_impacts(facts) - {"online"})

    def _shrinking(self, seen: Seen, facts: Facts) -> frozenset[Impact]:
        plan = self.resize(seen, facts)
        return frozenset({"destroy"}) if plan and plan.shrinks else frozenset()

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        seen = self.see(facts)
        if field == "format" and seen.converts:
            return f"{seen.converts} is copied to {_disk_convert.target(self, seen)}; the old file stays"
        if field == "path" and seen.moves_from:
            return "its file moves" + (", and the VM runs on" if state_at_work(self.vm, facts) == "Running" else "")
        if field == "path":
            made = "a new disk is made from its image; " if self.image else "a new, empty disk is made; "
            return (made if seen.file is None else "") + "the old one's file stays"
        plan = self.resize(seen, facts) if field == "size" else None
        if plan is None:
            return ""
        if plan.shrinks:
            return "what lies beyond the new end is lost"
        return "extending the partition is the guest's task" + ("; writing zeros may take long" if plan.job else "")

    def summary(self) -> str:
        if self.disk_number is not None:
            return f"physical disk {self.disk_number}"
        image = f"from {self.image}" if self.image else ""
        shared = "shared" if self.shared else ""
        return ", ".join(p for p in (self.path, self.type, self.size and shown_size(self.size), image, shared) if p)

    def taken_over(self, facts: Facts) -> State | None:
        """A file that is there is attached, not made."""
        row = self.see(facts).row
        if row is None or self.disk_number is not None:
            return None
        now = self.read_settings(row)
        return {"": f"existing file of {shown_size(int(row['Size']))}", **{n: now[n] for n in FILE_FIELDS if n in now}}

    # --- changing -------------------------------------------------------------------------------------------------

    def create(self, facts: Facts) -> Iterator[Step]:
        file = tuple(self._file_steps(self.see(facts), self._file_differences(facts), facts))
        yield from file
        old = self.elsewhere(facts)
        drive = tuple(c for c in self.as_changes(facts) if c.field not in FILE_FIELDS)
        if old is not None:
            yield self._move(old, tuple(c for c in drive if c.field != "path"), file, facts)
            return
        drive = tuple(c for c in drive if c.wanted or c.field == "disk_number")  # nothing is set on a new drive
        yield Step(
            Call(
                "Add-VMHardDiskDrive",
                {"VM": vm_ref(self.vm, facts), **self.slot.where, **self.arguments(drive)},
            ),
            f"attach {self.path or self.summary()} to {self.vm.key()} at {self.at}",
            tuple(c.field for c in drive),
            needs=file,
            off=self.off_to_plug(facts),
        )

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        fields = {c.field for c in changes}
        seen = self.see(facts)
        moved = tuple(_disk_move.steps(self, seen, facts)) if seen.moves_from and "path" in fields else ()
        if moved:
            changes = tuple(c for c in changes if c.field != "path")
        yield from moved
        steps = (
            [replace(s, needs=(*s.needs, *moved[-1:])) for s in self._file_steps(seen, fields, facts)]
            if moved
            else [*self._file_steps(seen, fields, facts)]
        )
        fields -= {"path"} if moved else set()
        if "path" in fields and (old := self.elsewhere(facts)) is not None:
            steps.append(self.take_out(facts, f"take {self.path} out of {self.vm.key()} at {old}", old, off=True))
        yield from steps
        if seen.converts and "format" in fields:
            new, name = _disk_convert.target(self, seen), self.vm.key()
            put = Call(self.setter, {self.noun: self.ref(facts), "Path": new})
            yield Step(put, f"attach {new} to {name} at {self.at}", ("format",), needs=tuple(steps), off=True)
        if drive := tuple(c for c in changes if c.field not in FILE_FIELDS):
            yield self.step(
                self.setter,
                {self.noun: self.ref(facts), **self.arguments(drive)},
                f"set the disk of {self.vm.key()} at {self.at}",
                drive,
                facts,
                needs=tuple(steps) if "path" in fields else (),
            )

    def remove(self, facts: Facts) -> Iterator[Step]:
        yield self.take_out(facts, f"take the disk at {self.at} out of {self.vm.key()}; its file stays")

    def _move(self, old: Slot, drive: tuple[Change, ...], needs: tuple[Step, ...], facts: Facts) -> Step:
        to = {f"To{name}": value for name, value in self.slot.where.items()}
        return Step(
            Call(self.setter, {self.noun: self.ref(facts, old), **to, **self.arguments(drive)}),
            f"move {self.path} of {self.vm.key()} from {old} to {self.at}",
            ("at", *(c.field for c in drive)),
            needs=needs,
            off=True,
        )

    # --- the file -------------------------------------------------------------------------------------------------

    def _file_differences(self, facts: Facts) -> set[str]:
        """The fields of a file that is there already which differ, and `path` for one that is to be made."""
        row = self.see(facts).row
        if row is None:
            return {"path"}
        now, wanted = self.read_settings(row), self.wanted()
        return {n for n in FILE_FIELDS if n in wanted and not self.same(n, now[n], wanted[n])}

    def _file_steps(self, seen: Seen, fields: set[str], facts: Facts) -> Iterator[Step]:
        """Make the file, or bring these fields of it to what is wished."""
        if seen.converts and "format" in fields:
            copied = tuple(_disk_convert.steps(self, seen, off=seen.attached))
            yield from copied
            rest = replace(seen, link=None, file={**(seen.row or {}), "VhdFormat": "VHDX"}, converts="")
            path = _disk_convert.target(self, seen)
            for step in self.model_copy(update={"path": path})._file_steps(rest, fields - {"format"}, facts):
                yield replace(step, needs=(*step.needs, *copied[-1:]), off=seen.attached)
            return
        if seen.file is None and self.path and "path" in fields and self.maker() is None:
            yield from self._make(self.path, facts)
        path = self.path or str((seen.row or {}).get("Path"))
        if "size" in fields:
            yield from self._resize(path, seen, facts)
        if "physical_sector_size" in fields:
            yield Step(
                Call("Set-VHD", {"Path": path, "PhysicalSectorSizeBytes": self.physical_sector_size}),
                f"set the physical sector size of {path}",
                ("physical_sector_size",),
                off=seen.attached,
            )

    def _make(self, path: str, facts: Facts) -> Iterator[Step]:
        folder = folder_of(path)
        needs: tuple[Step, ...] = ()
        if not there(folder, facts):
            # Force: it is no error if another disk of the same plan made it.
            params: dict[str, Any] = {"Path": folder, "ItemType": "Directory", "Force": True}
            needs = (Step(Call("New-Item", params), f"make the folder {folder}"),)
            yield from needs
        if self.image:
            yield from _image.steps(self, needs, facts)
            return
        wanted = {n: v for n, v in self.wanted().items() if n in FILE_FIELDS and n not in ("type", "format")}
        kind = "differencing" if self.parent else self.type or "dynamic"
        table = settings(type(self))
        given: dict[str, Any] = {table[name].set_with: value for name, value in wanted.items()}
        yield Step(
            Call("New-VHD", {"Path": path, **given, kind.capitalize(): True}),
            f"make {self.summary()}",
            tuple(wanted),
            needs=needs,
            job=kind == "fixed",
        )

    def _resize(self, path: str, seen: Seen, facts: Facts) -> Iterator[Step]:
        plan = self.resize(seen, facts)
        if plan is None:
            return
        guard = None
        if seen.attached and seen.leaf.casefold() == path.casefold():
            # A checkpoint made since: the host would resize the parent, and the VM would not see it (domain 8.2).
            drives = Call("Get-VMHardDiskDrive", {"VM": vm_ref(self.vm, facts)})
            guard = Guard(drives, {"Path": path}, 1, 1, unmet=f"no drive of {self.vm.key()} has {path} any more")
        yield Step(
            Call("Resize-VHD", {"Path": path, "SizeBytes": plan.wanted}),
            f"{'shrink' if plan.shrinks else 'grow'} {path} to {shown_size(plan.wanted)}",
            ("size",),
            off=plan.off or (not seen.attached and self.elsewhere(facts) is not None),
            guard=guard,
            job=plan.job,
        )

    def stays(self, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> bool:
        """A listed wish moves it."""
        row = at_slot(self.query, vm_row(machine(owner), facts), self.slot, facts)
        return row is not None and claimed(str(row.get("Path") or ""), listed, facts)
