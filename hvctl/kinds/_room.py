"""Whether the host has the memory free that a start takes: known at the time of the plan, so no more than a warning."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.call import Call
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Finding, Resource
from hvctl.kinds._types import about_size, shown_size
from hvctl.kinds._vm import ALL_VMS, VMS, power, vm_row

_NEW_STARTUP = 512 * 1024**2
"""What New-VM gives where nothing is written (domain 4.2)."""

_FREE = Call("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"}, select=("FreePhysicalMemory",))
_ASSIGNED = Call("Get-VM", select=(*VMS.select, "MemoryAssigned"))
_STARTUP = Call("Get-VMMemory", {"VM": ALL_VMS}, select=("VMId", "Startup"))
QUERIES = (_FREE, _ASSIGNED, _STARTUP)


def asked(vm: Resource) -> bool:
    """Whether its start is known to be wanted, so that it is asked what it would take."""
    return _state(vm) in ("running", "paused") or _written(vm) is not None


def short(vm: Resource, field: str, facts: Facts) -> Iterator[Finding]:
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
        yield Finding(field, f"{text}: its start may fail", "use less, or stop something else first", "warning")


def startup(vm: Resource, facts: Facts) -> int:
    """The memory it starts with when the plan is done."""
    return _written(vm) or _stored(vm, facts)


def changes_startup(vm: Resource, facts: Facts) -> bool:
    written = _written(vm)
    return written is not None and (vm_row(vm, facts) is None or written != _stored(vm, facts))


def starts(vm: Resource, facts: Facts) -> bool:
    """Whether it is started, as far as that shows before there is a plan."""
    if vm.absent:
        return False
    if power(vm_row(vm, facts)) in ("Running", "Paused"):
        return changes_startup(vm, facts)
    return _state(vm) in ("running", "paused")


def _state(vm: Resource) -> str | None:
    state: str | None = getattr(vm, "state", None)
    return state


def _written(vm: Resource) -> int | None:
    return next((getattr(p, "startup", None) for p in vm.parts if p.kind == "memory"), None)


def _stored(vm: Resource, facts: Facts) -> int:
    row = vm_row(vm, facts)
    rows = facts.of_key(_STARTUP, "VMId", row["Id"]) if row is not None else ()
    return int(rows[0]["Startup"]) if rows else _NEW_STARTUP


def _takes(vm: Resource, facts: Facts) -> int:
    """Beyond what it has now, which it gives back when it goes down."""
    row = vm_row(vm, facts)
    now = int(row["MemoryAssigned"]) if row is not None and power(row) in ("Running", "Paused") else 0
    return max(0, startup(vm, facts) - now)


def _up_to(vm: Resource, facts: Facts) -> Iterator[Resource]:
    """The VM and those that are started before it."""
    for other in vm.peers:
        if other is vm:
            break
        if other.kind == "vm" and starts(other, facts):
            yield other
    yield vm
