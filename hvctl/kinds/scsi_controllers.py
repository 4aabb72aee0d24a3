"""How many SCSI controllers a VM has (domain 8.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from hvctl.call import Call, Ref
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.resource import Resource
from hvctl.core.values import State
from hvctl.kinds._drives import CONTROLLERS, DISKS, DVDS, ControllersPart, Slot
from hvctl.kinds._machine import machine
from hvctl.kinds._vm import VMS, in_vm, vm_ref, vm_row
from hvctl.text.diagnostic import Diagnostic

SNAPSHOTS = Call("Get-VM", select=("Id", "ParentSnapshotId"))


class ScsiControllers(ControllersPart):
    """The SCSI controllers of a VM, by number only: Hyper-V numbers them anew when one goes (domain 23, trap 27),
    so the last goes first, and none that has drives."""

    kind: ClassVar[str] = "scsi_controllers"
    section: ClassVar[str] = "scsi_controllers"

    stand_in: ClassVar[Mapping[str, Any]] = {"count": 1}
    usual: ClassVar[Mapping[str, Any]] = {"count": 1}  # domain 4.2

    def queries(self) -> tuple[Call, ...]:
        return (VMS, SNAPSHOTS, CONTROLLERS, DISKS, DVDS)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        vm = vm_row(machine(owner), facts)
        if vm is not None:
            yield cls(count=len(in_vm(CONTROLLERS, vm, facts)))

    def numbers(self, facts: Facts) -> tuple[int, ...]:
        """Those there are; a new VM has one (domain 4.2)."""
        row = self.vm_row(facts)
        if row is None:
            return (0,)
        return tuple(sorted(int(r["ControllerNumber"]) for r in in_vm(CONTROLLERS, row, facts)))

    def actual(self, facts: Facts) -> State | None:
        return None if self.vm_row(facts) is None else {"count": len(self.numbers(facts))}

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        row = self.vm_row(facts)
        if row is None:
            return
        going = self._going(facts)
        drives = (*in_vm(DISKS, row, facts), *in_vm(DVDS, row, facts))
        slots = sorted(str(s) for s in map(Slot.of, drives) if s.scsi and s.number in going)
        if slots:
            # Remove-VMScsiController takes its drives along (domain 8.3).
            yield finding(
                "count",
                f"the controllers to be removed have drives: {', '.join(slots)}",
                "take them out first (`ensure: absent`), then run hvctl again",
            )
        if going and any(r.get("ParentSnapshotId") for r in facts.of_key(SNAPSHOTS, "Id", row["Id"])):
            yield finding(
                "count",
                "controllers cannot be removed while the VM has checkpoints",
                "remove the checkpoints first",
            )

    def _going(self, facts: Facts) -> tuple[int, ...]:
        return tuple(reversed(self.numbers(facts)[self.count :]))

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        return "the last ones are removed" if self._going(facts) else ""

    def summary(self) -> str:
        return str(self.count)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        vm, name = vm_ref(self.vm, facts), self.vm.key()
        for _ in range(self.count - len(self.numbers(facts))):
            call = Call("Add-VMScsiController", {"VM": vm})
            yield Step(call, f"add a SCSI controller to {name}", ("count",), off=True)
        for number in self._going(facts):
            found = Ref(Call("Get-VMScsiController", {"VM": vm}), {"ControllerNumber": number})
            yield Step(
                Call("Remove-VMScsiController", {"VMScsiController": found}),
                f"remove SCSI controller {number} of {name}",
                ("count",),
                off=True,
            )


ScsiControllers.query = CONTROLLERS
