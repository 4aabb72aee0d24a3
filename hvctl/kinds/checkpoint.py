"""Checkpoints of a VM by their names (domain 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from hvctl.call import Call, Ending, Guard, Ref, Row
from hvctl.contract import OS
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import State
from hvctl.kinds._checkpoints import CHECKPOINTS, TYPES, checkpoints, made, obstacles
from hvctl.kinds._drives import DISKS
from hvctl.kinds._host import CLOCK, now
from hvctl.kinds._machine import machine
from hvctl.kinds._services import SERVICES
from hvctl.kinds._types import shown_age
from hvctl.kinds._vhd import extension, is_checkpoint
from hvctl.kinds._vm import VmPart, check_steady, in_vm, vm_ref, vm_row
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.duration import spoken

MERGE_S = 6 * 3600
"""How long a merge may take: it copies what was written since the checkpoint."""
_UNMERGED = f"Hyper-V had not merged the disks after {spoken(MERGE_S)}; it goes on with that"


class Checkpoint(VmPart):
    """A checkpoint of that name exists, or none does. One that is to be there is made before anything else of the VM
    is changed, one that is to go is merged before. Automatic checkpoints, those of Replica and of backups are left
    alone."""

    kind: ClassVar[str] = "checkpoint"
    section: ClassVar[str] = "checkpoints"
    stand_in: ClassVar[Mapping[str, Any]] = {"name": "unnamed"}
    many: ClassVar[bool] = True
    passing: ClassVar[bool] = True
    expires: ClassVar[str] = "checkpoint_maximum_age"

    name: Annotated[str, Field(min_length=1, max_length=100)]
    ensure: Literal["present", "absent"] = "present"

    _old: Row | None = PrivateAttr(default=None)
    """The one that is too old; None: all of the name are meant."""

    def key(self) -> str:
        return self.name if self._old is None else f"{self.name} of {made(self._old):%Y-%m-%d %H:%M:%S} UTC"

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if not self.absent and self.vm.checkpoint_type == "disabled":
            yield finding("", "the VM's checkpoint_type is disabled", "write another type, or leave the checkpoint out")

    # --- looking ----------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (CHECKPOINTS,)

    def queries(self) -> tuple[Call, ...]:
        return (TYPES, CHECKPOINTS, DISKS, SERVICES, CLOCK)

    def meant(self, facts: Facts) -> tuple[Row, ...]:
        vm = self.vm_row(facts)
        found = checkpoints(vm, facts) if vm else ()
        if self._old is not None:
            return tuple(r for r in found if r["Id"] == self._old["Id"])
        return tuple(r for r in found if str(r["Name"]).casefold() == self.name.casefold())

    def actual(self, facts: Facts) -> State | None:
        return {} if self.meant(facts) else None

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        vm, there = self.vm_row(facts), bool(self.meant(facts))
        if vm is None or there != self.absent:
            return
        check_steady(self.vm.key(), vm)
        if not self.absent:
            yield from obstacles(vm, self.vm.key(), facts)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        vm = vm_row(machine(owner), facts)
        names = dict.fromkeys(str(row["Name"]) for row in (checkpoints(vm, facts) if vm is not None else ()))
        yield from (cls.model_validate({"name": name}) for name in names)

    @classmethod
    def expired(cls, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> Iterator[Resource]:
        vm = vm_row(machine(owner), facts)
        if vm is None or owner.absent:
            return
        known = {wish.key().casefold() for wish in listed}
        for row in checkpoints(vm, facts):
            if str(row["Name"]).casefold() not in known and age(row, facts) > (
                machine(owner).checkpoint_maximum_age or 0
            ):
                wish = cls.model_validate({"name": str(row["Name"]), "ensure": "absent"})
                wish._old = row
                yield wish

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if not self.absent:
            return ""
        if self._old is None:
            return "it is merged into the disks: the VM keeps what it is now, the way back is lost"
        most = spoken(self.vm.checkpoint_maximum_age or 0)
        return f"it is {shown_age(age(self._old, facts))} old, and {most} are wanted at most"

    # --- changing ---------------------------------------------------------------------------------------------

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        return frozenset({"online"})

    def create(self, facts: Facts) -> Iterator[Step]:
        vm = self.vm_row(facts)
        yield Step(
            Call("Checkpoint-VM", {"VM": vm_ref(self.vm, facts), "SnapshotName": self.name}),
            f"make the checkpoint {self.name} of {self.vm.key()}",
            ("name",),
            when="early" if vm else "late",  # of a VM that is only made now there is nothing to keep before
            job=True,
        )

    def remove(self, facts: Facts) -> Iterator[Step]:
        vm = self.vm_row(facts) or {}
        name, last = self.vm.key(), len(in_vm(CHECKPOINTS, vm, facts)) == len(self.meant(facts))
        for row in self.meant(facts):
            yield Step(
                Call("Remove-VMSnapshot", {"VMSnapshot": Ref(Call("Get-VMSnapshot", {"Id": row["Id"]}))}),
                f"remove the checkpoint {row['Name']} of {name}",
                ("ensure",),
                when="early",
            )
            call = Call("Get-VM", {"Id": vm["Id"]})
            merging = Guard(call, {"SecondaryOperationalStatus": "MergingDisks"}, wait_s=MERGE_S, unmet=_UNMERGED)
            yield Step(call, f"wait until the disks of {name} are merged", ("ensure",), when="early", guard=merging)
        # The drives' paths stay those of the checkpoint until the merge is done (domain 8.3).
        leaves = {str(d.get("Path") or "") for d in in_vm(DISKS, vm, facts)}
        for suffix in sorted({extension(leaf) for leaf in leaves if is_checkpoint(leaf)}) if last else ():
            drives = Call("Get-VMHardDiskDrive", {"VM": vm_ref(self.vm, facts)})
            gone = Guard(drives, {"Path": Ending(f".{suffix}")}, wait_s=MERGE_S, unmet=_UNMERGED)
            text = f"wait until {name} has its disks back"
            yield Step(drives, text, ("ensure",), when="early", guard=gone)


def age(row: Row, facts: Facts) -> float:
    return (now(facts) - made(row)).total_seconds()


Checkpoint.query = CHECKPOINTS
