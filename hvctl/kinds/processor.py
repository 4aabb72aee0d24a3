"""The virtual processors of a VM (domain 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from hvctl.call import Call
from hvctl.contract import OS, title
from hvctl.core.changes import Change, Occasion, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import properties
from hvctl.core.values import ANYTHING, MISSING, State
from hvctl.kinds import _maximums
from hvctl.kinds._host import HOST, host_row
from hvctl.kinds._limits import LARGE, Limit, version_at_least, vm_limit
from hvctl.kinds._memory import MemoryPart
from hvctl.kinds._processor import MONITORS, ProcessorPart
from hvctl.kinds._vm import ALL_VMS, MEMORY, NESTED, in_vm, made_as
from hvctl.text.diagnostic import Diagnostic

_NEEDS_LARGE = ("expose_virtualization_extensions", "threads_per_core")


class Processor(ProcessorPart):
    """Virtual processors. Reserve and limit are per cent of the VM's own processors, as PowerShell has them."""

    kind: ClassVar[str] = "processor"
    section: ClassVar[str] = "processor"
    vital: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMProcessor"
    usual: ClassVar[Mapping[str, Any]] = {
        "count": 1,
        "maximum": 100,
        "reserve": 0,
        "weight": 100,
        "compatibility_for_migration": False,
        "compatibility_for_older_operating_systems": False,
        "maximum_count_per_numa_node": ANYTHING,
        "maximum_count_per_numa_socket": ANYTHING,
        "resource_pool": "Primordial",
        "expose_virtualization_extensions": False,
        "threads_per_core": 0,
        "host_resource_protection": False,
        "perfmon": [],
    }  # domain 4.2, 6
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("cores", "cpus", "vcpus", "number", "sockets"), "count"),
        **dict.fromkeys(("limit", "cap"), "maximum"),
        **dict.fromkeys(("nested", "nested_virtualization"), "expose_virtualization_extensions"),
        **dict.fromkeys(("migration_compatibility", "compatibility"), "compatibility_for_migration"),
    }

    def queries(self) -> tuple[Call, ...]:
        memory = (MEMORY,) if self.expose_virtualization_extensions else ()
        return (*super().queries(), _maximums.COUNTS, HOST, *memory)

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from self._too_many(vm_limit("processors", os, self.vm.generation))
        if self.maximum is not None:
            yield from self._reserve_fits(self.reserve, self.maximum)
        if os == "2019" and self.threads_per_core:
            hint = "use 0, which inherits"
            yield finding("threads_per_core", f"{title(os)} inherits the threads per core", hint, "warning")

    def _too_many(self, limit: Limit | None) -> Iterator[Diagnostic]:
        if limit is not None and self.count is not None and self.count > limit.most:
            yield finding(
                "count",
                f"{self.count:,} processors are more than the {limit.most:,} that {limit.of} can have",
                f"use at most {limit.most:,}",
            )

    def _reserve_fits(self, reserve: int | None, maximum: int) -> Iterator[Diagnostic]:
        if reserve is not None and reserve > maximum:
            yield finding(
                "reserve" if self.reserve is not None else "maximum",
                f"a reserve of {reserve} % is above the maximum of {maximum} %",
                "lower the reserve or raise the maximum",
            )

    def actual(self, facts: Facts) -> State | None:
        found = super().actual(facts)
        if found is None or "perfmon" not in self.model_fields_set:
            return found
        row = self.rows(facts)[0]
        if not all(name in row for name in MONITORS.values()):
            return {**found, "perfmon": MISSING}
        return {**found, "perfmon": [word for word, name in MONITORS.items() if row[name]]}

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if not changes:
            return
        yield from self._as_made(changes, facts)
        if any(c.field == "expose_virtualization_extensions" and c.wanted for c in changes):
            yield from self._nested(facts)
        rows = self.rows(facts)
        if {"reserve", "maximum"} & {c.field for c in changes} and (self.reserve is None or self.maximum is None):
            stored = rows[0] if rows else {"Reserve": 0, "Maximum": 100}
            reserve = self.reserve if self.reserve is not None else stored["Reserve"]
            yield from self._reserve_fits(reserve, self.maximum if self.maximum is not None else stored["Maximum"])
        if any(c.field == "count" for c in changes):
            yield from _maximums.growing(self.vm, facts)
        cores = int(host_row(facts)["LogicalProcessorCount"])
        if self.count is not None and self.count > cores and any(c.field == "count" for c in changes):
            # A VM with more is stored but does not start (domain 6 [I]): refused here, before anything is sent.
            yield finding(
                "count",
                f"{self.count} processors are more than the host's {cores} logical processors; the VM would not start",
                f"use at most {cores}",
            )

    def _nested(self, facts: Facts) -> Iterator[Diagnostic]:
        memory, row = self.vm.part(MemoryPart), self.vm_row(facts)
        wanted = memory.dynamic if memory is not None else None
        rows = in_vm(MEMORY, row, facts) if row is not None else ()
        if wanted or (wanted is None and any(r["DynamicMemoryEnabled"] for r in rows)):
            hint = "write memory: {dynamic: false}"
            yield finding("expose_virtualization_extensions", NESTED, hint, "warning")

    def _as_made(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        """Against the generation and version that the VM has (domain 6, 21)."""
        generation, version = made_as(self.vm, self.vm_row(facts))
        if any(c.field == "count" for c in changes):
            yield from self._too_many(vm_limit("processors", facts.os, generation, version))
        for change in changes:
            if change.field in _NEEDS_LARGE and change.wanted and not version_at_least(version or LARGE, LARGE):
                hint = "raise the VM's version first"
                yield finding(change.field, f"it needs VM version {LARGE}; this one is {version}", hint)

    def summary(self) -> str:
        return f"{self.count or 1} processor{'s' if (self.count or 1) > 1 else ''}"


Processor.query = Call(
    "Get-VMProcessor",
    {"VM": ALL_VMS},
    select=(*(p for p in properties(Processor, "VMId") if p != "Perfmon"), *MONITORS.values()),
)
