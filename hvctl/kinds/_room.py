"""Whether the host has the memory free that a start takes: known at the time of the plan, so no more than a warning."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.call import Call
from hvctl.core.changes import finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._machine import Machine
from hvctl.kinds._memory import MemoryPart
from hvctl.kinds._types import about_size, shown_size
from hvctl.kinds._vm import ALL_VMS, VMS, power, vm_row
from hvctl.text.diagnostic import Diagnostic

_NEW_STARTUP = 512 * 1024**2
"""What New-VM gives where nothing is written (domain 4.2)."""

_FREE = Call("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"}, select=("FreePhysicalMemory",))
_ASSIGNED = Call("Get-VM", select=(*VMS.select, "MemoryAssigned"))
_STARTUP = Call("Get-VMMemory", {"VM": ALL_VMS}, select=("VMId", "Startup"))
QUERIES = (_FREE, _ASSIGNED, _STARTUP)


def asked(vm: Machine) -> bool:
    """Whether its start is known to be wanted, so that it is asked what it would take."""
    return vm.state in ("running", "paused") or _written(vm) is not None


def short(vm: Machine, field: str, facts: Facts) -> Iterator[Diagnostic]:
    """A warning, if the VM's start and those that are wanted before it take more than is free."""
    if not asked(vm):
        return
    try:
        free = int(facts.rows(_FREE)[0]["FreePhysicalMemory"]) * 1024
        needs = [_takes(other, facts) for other in _up_to(vm, facts)]
    except (UnreadableError, IndexError):
        return  # no verdict rests on it
    if sum(needs) > free:
        more = f" beside the {len(needs) - 1} that are started before it" if len(needs) > 1 else ""
        text = (
            f"{vm.key()} takes {shown_size(startup(vm, facts))}{more}, and the host has about {about_size(free)} free"
        )
        yield finding(field, f"{text}: its start may fail", "use less, or stop something else first", "warning")


def startup(vm: Machine, facts: Facts) -> int:
    """The memory it starts with when the plan is done."""
    return _written(vm) or _stored(vm, facts)


def changes_startup(vm: Machine, facts: Facts) -> bool:
    written = _written(vm)
    return written is not None and (vm_row(vm, facts) is None or written != _stored(vm, facts))


def starts(vm: Machine, facts: Facts) -> bool:
    """Whether it is started, as far as that shows before there is a plan."""
    if vm.absent:
        return False
    if power(vm_row(vm, facts)) in ("Running", "Paused"):
        return changes_startup(vm, facts)
    return vm.state in ("running", "paused")


def _written(vm: Machine) -> int | None:
    memory = vm.part(MemoryPart)
    return memory.startup if memory is not None else None


def _stored(vm: Machine, facts: Facts) -> int:
    row = vm_row(vm, facts)
    rows = facts.of_key(_STARTUP, "VMId", row["Id"]) if row is not None else ()
    return int(rows[0]["Startup"]) if rows else _NEW_STARTUP


def _takes(vm: Machine, facts: Facts) -> int:
    """Beyond what it has now, which it gives back when it goes down."""
    row = vm_row(vm, facts)
    now = int(row["MemoryAssigned"]) if row is not None and power(row) in ("Running", "Paused") else 0
    return max(0, startup(vm, facts) - now)


def _up_to(vm: Machine, facts: Facts) -> Iterator[Machine]:
    """The VM and those that are started before it."""
    for other in vm.beside(Machine):
        if other is vm:
            break
        if starts(other, facts):
            yield other
    yield vm
