"""The checkpoints that people made of a VM, and what stands in the way of another (domain 12)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from hvctl.call import Call, Row
from hvctl.core.changes import finding
from hvctl.core.facts import Facts
from hvctl.kinds._drives import DISKS, Slot
from hvctl.kinds._host import CLOCK, instant, now
from hvctl.kinds._limits import limit
from hvctl.kinds._machine import Machine
from hvctl.kinds._services import GUIDS, SERVICES, guid_of
from hvctl.kinds._vhd import extension
from hvctl.kinds._vm import ALL_VMS, VMS, in_vm, power, vm_row
from hvctl.text.diagnostic import Diagnostic

CHECKPOINTS = Call(
    "Get-VMSnapshot",
    {"VM": ALL_VMS},
    select=("VMId", "Id", "Name", "SnapshotType", "IsAutomaticCheckpoint", "CreationTime"),
)
AGES = (CHECKPOINTS, DISKS, CLOCK)
"""What it takes to find old ones, and to wait for their merge."""

TYPES = Call("Get-VM", select=(*VMS.select, "CheckpointType"))
"""VMS, and what kind of checkpoints a VM makes (2016 on)."""


def checkpoints(vm: Row, facts: Facts) -> tuple[Row, ...]:
    """Those that people made, oldest first. Automatic ones, those of Replica and of backups come and go by
    themselves (trap 24)."""
    rows = (r for r in in_vm(CHECKPOINTS, vm, facts) if r["SnapshotType"] == "Standard")
    return tuple(sorted((r for r in rows if not r.get("IsAutomaticCheckpoint")), key=made))


def check_ages(vm: Row, facts: Facts) -> None:
    """Raise UnreadableError if old ones cannot be told: that would read as none."""
    checkpoints(vm, facts)
    now(facts)


def coming(owner: Machine, facts: Facts) -> str:
    """The name of a checkpoint that is to be made before anything else of the VM is changed; "" for none."""
    vm = vm_row(owner, facts)
    if vm is None or not (wished := [p for p in owner.parts if p.kind == "checkpoint" and not p.absent]):
        return ""
    there = {str(r["Name"]).casefold() for r in checkpoints(vm, facts)}
    return next((p.key() for p in wished if p.key().casefold() not in there), "")


def made(row: Row) -> datetime:
    return instant(row["CreationTime"])


def obstacles(vm: Row, name: str, facts: Facts) -> Iterator[Diagnostic]:
    """Why Hyper-V would refuse a checkpoint now, or may (domain 12)."""
    kind = vm.get("CheckpointType")
    if kind == "Disabled":
        hint = "write checkpoint_type: production (or standard) in the VM; once that is applied, run hvctl again"
        yield finding("", f"checkpoints are disabled for {name}", hint)
    most, there = limit("checkpoints", facts.os), len(in_vm(CHECKPOINTS, vm, facts))
    if there >= most:
        yield finding("", f"{name} has {there} checkpoints, and Hyper-V makes no more than {most}", "remove some first")
    for drive in in_vm(DISKS, vm, facts):
        if drive.get("DiskNumber") is not None:
            yield finding(
                "", f"the physical disk at {Slot.of(drive)} of {name} allows no checkpoints", "detach it first"
            )
        elif drive.get("SupportPersistentReservations") and extension(str(drive.get("Path"))) != "vhds":
            hint = "detach it first, or use a VHD set (.vhds)"
            yield finding("", f"the shared disk at {Slot.of(drive)} of {name} allows no checkpoints", hint)
    if kind == "ProductionOnly" and power(vm) == "Running" and not quiesces(vm, facts):
        yield finding(
            "",
            f"the backup service (VSS) of {name} has no contact, so a production checkpoint may fail",
            "see to its integration services, or write checkpoint_type: production, which falls back to standard",
            "warning",
        )


def quiesces(vm: Row, facts: Facts) -> bool:
    """Whether the guest can bring its data to rest: its backup service is on and in contact."""
    found = [s for s in facts.of_key(SERVICES, "VMId", vm["Id"]) if guid_of(s["Id"]) == GUIDS["vss"]]
    return any(s["Enabled"] and s["PrimaryOperationalStatus"] == "Ok" for s in found)
