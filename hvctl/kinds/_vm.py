"""What all kinds that sit within a VM share: finding the VM, its state, and what being off costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from hvctl.call import Call, Ref, Row
from hvctl.core.changes import Change, HeldBackError, Occasion, Step
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import State
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._machine import Machine, machine
from hvctl.text.diagnostic import Diagnostic

VMS = Call(
    "Get-VM",
    select=(
        "Id",
        "Name",
        "State",
        "Generation",
        "Version",
        "IsClustered",
        "ReplicationMode",
        "OperationalStatus[]",
    ),
)
"""All VMs of the host: -Name takes wildcards and names are not unique, so all are fetched and compared here
(domain 4.1)."""

ALL_VMS = Ref(VMS, many=True)

MEMORY = Call("Get-VMMemory", {"VM": ALL_VMS}, select=("VMId", "DynamicMemoryEnabled"))
DEVICES = Call("Get-VMAssignableDevice", {"VM": ALL_VMS}, select=("VMId", "LocationPath"))
PARTITIONS = Call("Get-VMGpuPartitionAdapter", {"VM": ALL_VMS}, select=("VMId", "Id"))
PROCESSORS = Call("Get-VMProcessor", {"VM": ALL_VMS}, select=("VMId", "ExposeVirtualizationExtensions"))
NESTED = "while a hypervisor runs in the guest, its memory is neither dynamic nor changed live"
"""domain 6"""

CRITICAL_PAUSE = "PausedCritical"
STEADY = ("Running", "Off", "Saved", "Paused")
BUSY = {
    "CreatingSnapshot": "a checkpoint is being made",
    "DeletingSnapshot": "a checkpoint is being removed",
    "MergingDisks": "disks are being merged",
    "ExportingVirtualMachine": "it is being exported",
    "MigratingVirtualMachine": "it is being migrated",
    "BackingUpVirtualMachine": "it is being backed up",
    "ModifyingUpVirtualMachine": "it is being modified",
    "StorageMigrationPhaseOne": "its storage is being moved",
    "StorageMigrationPhaseTwo": "its storage is being moved",
}
"""Operational states in which nothing may be changed (domain 1.4)."""


REPLICAS = ("Replica", "TestReplica", "ExtendedReplica")
"""Modes of VMs that are another host's: none is started here, nor changed, nor one too many."""


def replica_row(vm: Machine, facts: Facts) -> Row | None:
    """What the host has of that name as a replica."""
    rows = (row for name in vm.names for row in facts.of_key(VMS, "Name", name))
    return next((row for row in rows if row.get("ReplicationMode") in REPLICAS), None)


def vm_row(vm: Machine, facts: Facts) -> Row | None:
    """The VM of that name, else one of its previous names, or None. Two of one name are nobody's wish: held back. A replica
    is not meant."""
    return facts.derived(_row_of, vm.names)


def _row_of(facts: Facts, names: tuple[str, ...]) -> Row | None:
    for name in names:
        rows = tuple(r for r in facts.of_key(VMS, "Name", name) if r.get("ReplicationMode") not in REPLICAS)
        if len(rows) > 1:
            ids = ", ".join(str(r["Id"]) for r in rows)
            raise HeldBackError(f"there are {len(rows)} VMs named {name} ({ids})", "rename or remove one of them")
        if rows:
            return rows[0]
    return None


def power(row: Row | None) -> str:
    """Running, Off, Saved, Paused or a passing state's name; a VM that does not exist yet is Off."""
    return str(row["State"]) if row else "Off"


def runs(owner: Machine, row: Row | None) -> bool:
    """Whether the VM runs now, or does when its plan is done: what comes last may meet either."""
    return power(row) in ("Running", "Paused") or owner.state in ("running", "paused")


def state_at_work(vm: Machine, facts: Facts) -> str:
    """The state in which the changes find a VM: one that sleeps and is to run is woken before them."""
    state = power(vm_row(vm, facts))
    return "Running" if state in ("Saved", "Paused") and vm.state == "running" else state


def generation(row: Row) -> int:
    """Windows Server 2012 has no generations: all are of the first (observations 2)."""
    return int(row.get("Generation") or 1)


def made_as(vm: Machine, row: Row | None) -> tuple[int, str | None]:
    """Generation and version of a VM as it is, or as the plan makes it."""
    if row is not None:
        return generation(row), row.get("Version")
    return vm.generation or 1, vm.version


def critical_pause(name: str) -> tuple[str, str]:
    """From 2016 on, by AutomaticCriticalErrorAction (domain 16)."""
    return (
        f"{name} is paused since its storage does not answer",
        "bring it back before its timeout: the VM goes on by itself",
    )


def check_steady(name: str, row: Row) -> None:
    """Raise HeldBackError for a VM that is between states or that Hyper-V works on (domain 1.4, 4.4, 14.2)."""
    state = power(row)
    if state == CRITICAL_PAUSE:
        raise HeldBackError(*critical_pause(name))
    if state not in STEADY:
        raise HeldBackError(f"{name} is in the state {state}", "run hvctl again when it has settled")
    for status in row.get("OperationalStatus[]") or ():
        if status in BUSY:
            raise HeldBackError(f"{name} cannot be changed while {BUSY[status]}", "run hvctl again when that is done")


def passed_through(row: Row, facts: Facts) -> Iterator[str]:
    """Location paths of the host's devices that a VM was given."""
    yield from (str(r.get("LocationPath")) for r in facts.of_key(DEVICES, "VMId", row["Id"]))


def partitions(row: Row, facts: Facts) -> int:
    """How many partitions of the host's GPUs a VM has."""
    return len(facts.of_key(PARTITIONS, "VMId", row["Id"]))


def in_vm(query: Call, vm: Row, facts: Facts) -> tuple[Row, ...]:
    """A VM's rows of a query of all VMs; a VM whose part of the answer failed is not taken for empty."""
    rows = facts.of_key(query, "VMId", vm["Id"])
    if not rows and (failure := facts.reply(query).failure):
        raise UnreadableError(query, failure)
    return rows


def vm_ref(vm: Machine, facts: Facts) -> Ref:
    """The VM object for a step: by Id; one that the plan itself makes, by its name among all."""
    row = vm_row(vm, facts)
    if row is not None:
        return Ref(Call("Get-VM", {"Id": row["Id"]}))
    return Ref(Call("Get-VM"), {"Name": vm.key()})


def off_impacts(owner: Machine, facts: Facts) -> frozenset[Impact]:
    """What it means for this VM, now, that a change needs it off."""
    state = power(vm_row(owner, facts))
    if state == "Off":
        return frozenset({"online"})
    cut = owner.stop_method == "turn_off"
    # Saved: its memory would have to be thrown away first (domain 4.4), so it counts as data lost.
    lost: frozenset[Impact] = frozenset({"destroy"}) if state == "Saved" or cut else frozenset()
    return lost | {"restart"}


def queries_behind(vm: Machine) -> tuple[Call, ...]:
    """Of all parts."""
    parts = (part for part in vm.parts if isinstance(part, VmPart))
    return tuple(dict.fromkeys(query for part in parts for query in part.queries_behind()))


class VmPart(OfHyperV):
    """A section of a VM. By default: one object per VM, always there, set by one call."""

    within: ClassVar[str | None] = "vm"
    query: ClassVar[Call]

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (cls.query,)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """A section that exists once, of a VM that has it."""
        vm = None if cls.many else vm_row(machine(owner), facts)
        if vm is not None and facts.of_key(cls.query, "VMId", vm["Id"]):
            yield cls()

    @property
    def vm(self) -> Machine:
        return machine(self.owner)

    def queries(self) -> tuple[Call, ...]:
        return (VMS, type(self).query)

    def queries_behind(self) -> tuple[Call, ...]:
        """What is asked of hosts on which its VM may have been, and where something was kept of it."""
        return ()

    def vm_row(self, facts: Facts) -> Row | None:
        return vm_row(self.vm, facts)

    def rows(self, facts: Facts) -> tuple[Row, ...]:
        """This VM's rows of the kind's query."""
        vm = self.vm_row(facts)
        return facts.of_key(type(self).query, "VMId", vm["Id"]) if vm else ()

    def actual(self, facts: Facts) -> State | None:
        if self.vm_row(facts) is None:
            return None
        rows = self.rows(facts)
        if not rows:
            raise UnreadableError(type(self).query, facts.reply(type(self).query).failure)
        return self.read_settings(rows[0])

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        row = self.vm_row(facts)
        if row is not None and changes:
            check_steady(self.vm.key(), row)
        yield from ()

    def needs_off(self, field: str, now: Any, wanted: Any, facts: Facts) -> bool:
        """A saved VM takes hardly any change of its hardware, live or not (domain 4.4, trap 15)."""
        setting = settings(type(self)).get(field)
        return bool(setting and setting.off) or state_at_work(self.vm, facts) == "Saved"

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        found = super().impacts(field, now, wanted, facts)
        if self.needs_off(field, now, wanted, facts):
            found = (found | off_impacts(self.vm, facts)) - {"online"} or frozenset({"online"})
        return found

    def step(
        self,
        cmdlet: str,
        params: dict[str, Any],
        text: str,
        changes: tuple[Change, ...],
        facts: Facts,
        **more: Any,
    ) -> Step:
        """A step that serves these changes, off if one of them needs that."""
        off = any(self.needs_off(c.field, c.now, c.wanted, facts) for c in changes)
        return Step(Call(cmdlet, params), text, tuple(c.field for c in changes), off=off, **more)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """One call with all changed settings: Hyper-V checks them against each other."""
        arguments = self.arguments(changes)
        if arguments:
            params = {"VM": vm_ref(self.vm, facts), **arguments}
            yield self.step(self.setter, params, f"set the {self.kind} of {self.vm.key()}", changes, facts)

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from self.update(self.as_changes(facts), facts)
