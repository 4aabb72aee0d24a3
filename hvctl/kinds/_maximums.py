"""What one host runs at a time (domain 21): by the wishes alone, and with what runs there beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hvctl.call import Call
from hvctl.contract import OS
from hvctl.core.changes import HeldBackError, finding
from hvctl.core.facts import Facts
from hvctl.core.resource import Resource
from hvctl.kinds._limits import limit
from hvctl.kinds._machine import Machine
from hvctl.kinds._processor import ProcessorPart
from hvctl.kinds._vm import VMS, vm_row
from hvctl.text.diagnostic import Diagnostic

_ELSEWHERE = "put some of them on another host"
_UP = ("running", "paused")
_IDLE = ("Off", "OffCritical", "Saved", "SavedCritical", "FastSaved", "FastSavedCritical", "Hibernated")
"""States in which a VM has no processors of the host. In any other it counts, also while it starts or stops."""

COUNTS = Call("Get-VM", select=(*VMS.select, "ProcessorCount"))


def _processors(vm: Machine) -> int | None:
    """As wished."""
    part = vm.part(ProcessorPart)
    return part.count if part is not None else None


def _up(vm: Machine) -> bool:
    return vm.state in _UP and not vm.absent


def rules_together(wishes: Sequence[Machine], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
    """A VM that says nothing of its processors counts as one."""
    running = [w for w in wishes if _up(w)]
    most = limit("active VMs", os)
    for beyond in running[most:][:1]:
        yield beyond, finding("state", f"{len(running):,} VMs are to run; a host runs {most:,} at most", _ELSEWHERE)
    most, processors = limit("virtual processors of a host", os), 0
    for wish in running:
        before, processors = processors, processors + (_processors(wish) or 1)
        if before <= most < processors:
            said = f"with it {processors:,} virtual processors are to run; a host runs {most:,} at most"
            yield wish, finding("state", said, _ELSEWHERE)


def starting(vm: Machine, facts: Facts) -> Iterator[Diagnostic]:
    """Of a VM that is started: with what runs when its turn comes. More wishes than fit are told without a host."""
    if not _up(vm) or _runs(vm, facts):
        return
    wished = [p for p in vm.beside(Machine) if _up(p)]
    asked = sum(_processors(p) or 1 for p in wished)
    rows = facts.rows(COUNTS)
    most, processors = limit("active VMs", facts.os), limit("virtual processors of a host", facts.os)
    if len(rows) + len(wished) <= most and sum(int(r["ProcessorCount"]) for r in rows) + asked <= processors:
        return  # however they are counted
    running, others = _running(vm, facts)
    if len(running) > most >= len(wished):
        told = f"{len(running):,} VMs would run, {others:,} of them not in the playbook; a host runs {most:,} at most"
        yield finding("state", told, "stop some, or put it on another host")
    if asked <= processors:
        yield from _too_many(sum(running.values()), "state", facts.os)


def growing(vm: Machine, facts: Facts) -> Iterator[Diagnostic]:
    """Of a VM that runs and gets more processors."""
    row = vm_row(vm, facts)
    count = _processors(vm)
    if row is None or count is None or not _runs(vm, facts) or vm.state not in (None, *_UP):
        return
    if count > _by_id(facts)[str(row["Id"])]:
        yield from _too_many(sum(_running(vm, facts)[0].values()), "count", facts.os)


def _too_many(processors: int, field: str, os: OS) -> Iterator[Diagnostic]:
    most = limit("virtual processors of a host", os)
    if processors > most:
        told = f"with it the host would run {processors:,} virtual processors; it runs {most:,} at most"
        yield finding(field, told, "give it fewer, or put it on another host")


def _by_id(facts: Facts) -> dict[str, int]:
    """The processors of every VM that is not idle."""
    return {str(r["Id"]): int(r["ProcessorCount"]) for r in facts.rows(COUNTS) if str(r["State"]) not in _IDLE}


def _runs(vm: Machine, facts: Facts) -> bool:
    row = vm_row(vm, facts)
    return row is not None and str(row["State"]) not in _IDLE


def _running(vm: Machine, facts: Facts) -> tuple[dict[str, int], int]:
    """By id, the processors of what runs when the wishes up to this one are fulfilled, and what stops has stopped; and how
    many VMs of it no wish is about."""
    found = _by_id(facts)
    wished: set[str] = set()
    passed = False
    for peer in vm.beside(Machine):
        try:
            row = vm_row(peer, facts)
        except HeldBackError:
            continue  # two of its name: both stay as they are
        key = str(row["Id"]) if row is not None else f"new {peer.key()}"
        wished.add(key)
        if peer.absent or peer.state in ("off", "saved"):
            found.pop(key, None)
        elif not passed and (_up(peer) or key in found):
            found[key] = _processors(peer) or (int(row["ProcessorCount"]) if row is not None else 1)
        passed = passed or peer is vm
    return found, len(found.keys() - wished)
