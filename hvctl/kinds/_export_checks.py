"""What the facts show to stand in the way of an export (domain 13)."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.call import Row
from hvctl.contract import at_least, title
from hvctl.core.changes import finding
from hvctl.core.facts import Facts
from hvctl.core.values import Unknown
from hvctl.kinds._checkpoints import quiesces
from hvctl.kinds._drives import DISKS, Slot
from hvctl.kinds._machine import Machine
from hvctl.kinds._space import free_at
from hvctl.kinds._types import about_size, path_key
from hvctl.kinds._vhd import chain
from hvctl.kinds._vm import in_vm, power, runs
from hvctl.text.diagnostic import Diagnostic


def obstacles(
    owner: Machine, vm: Row, path: str, capture: str | None, given_back: int, facts: Facts
) -> Iterator[Diagnostic]:
    """`given_back`: bytes of half exports that are removed before."""
    name = owner.key()
    if runs(owner, vm) and not at_least(facts.os, "2012r2"):
        hint = "shut it down or save it first; from Windows Server 2012 R2 on it may run"
        yield finding("", f"{title(facts.os)} exports a VM only while it is off or saved; {name} is not", hint)
    disks = in_vm(DISKS, vm, facts)
    for drive in disks:
        # Refused or left out, no page says which: either way it would be no copy of the VM.
        if drive.get("DiskNumber") is not None:
            yield finding(
                "", f"the physical disk at {Slot.of(drive)} of {name} cannot be exported", "back it up otherwise"
            )
        elif drive.get("SupportPersistentReservations"):
            yield finding(
                "", f"the shared disk at {Slot.of(drive)} of {name} cannot be exported", "back it up otherwise"
            )
    if capture == "data_consistent" and power(vm) == "Running" and not quiesces(vm, facts):
        yield finding(
            "capture",
            f"the backup service (VSS) of {name} has no contact, so its data may not be brought to rest",
            "see to its integration services, or write another capture",
            "warning",
        )
    yield from _room(disks, path, given_back, facts)


def _room(disks: tuple[Row, ...], path: str, given_back: int, facts: Facts) -> Iterator[Diagnostic]:
    """The files of all chains against what is free where they go."""
    needed, unread = _needed(disks, facts)
    free = free_at(path, facts)
    if free is None:
        why = f"how much is free at {path} cannot be told"
        yield finding("path", f"{why}; the export takes {about_size(needed)}", "make sure that it has room", "warning")
    elif needed > free + given_back:
        room = f"{about_size(needed)} are needed, and {path[:2]} has {about_size(free + given_back)} free"
        yield finding("", f"there is no room for the export: {room}", "free some, keep fewer, or write another path")
    if unread:
        hint = "make sure that there is room"
        yield finding("path", f"the size of {unread[0]} could not be read", hint, "warning")


def _needed(disks: tuple[Row, ...], facts: Facts) -> tuple[int, list[str]]:
    """Bytes of the files of these disks, each once, and those files that could not be read."""
    sizes: dict[str, int] = {}
    unread: list[str] = []
    for drive in (d for d in disks if d.get("DiskNumber") is None):
        for link in chain(str(drive.get("Path") or ""), facts):
            if isinstance(link.row, Unknown):
                unread.append(link.path)
            else:
                sizes[path_key(link.path)] = int(link.row.get("FileSize") or 0)
    return sum(sizes.values()), unread
