"""The memory of a VM (domain 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from hvctl.call import Call, Row, Value
from hvctl.contract import OS, at_least
from hvctl.core.changes import Change, Occasion, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import properties
from hvctl.core.values import ANYTHING, State
from hvctl.kinds import _guests, _room
from hvctl.kinds._host import HOST, host_row
from hvctl.kinds._limits import Limit, version_at_least, vm_limit
from hvctl.kinds._memory import Dynamic, MemoryPart
from hvctl.kinds._processor import ProcessorPart
from hvctl.kinds._types import MB, shown_size
from hvctl.kinds._vm import ALL_VMS, NESTED, PROCESSORS, in_vm, made_as, state_at_work
from hvctl.text.diagnostic import Diagnostic

# As New-VM leaves it: the minimum and maximum are stored although dynamic memory is off (domain 4.2).
_NEW: Row = {"Minimum": 512 * MB, "Startup": 512 * MB, "Maximum": 1024**4, "DynamicMemoryEnabled": False}


class Memory(MemoryPart):
    """Memory. `dynamic: false` is static memory; `dynamic: true` or a section under it is dynamic memory."""

    kind: ClassVar[str] = "memory"
    section: ClassVar[str] = "memory"
    vital: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMMemory"
    usual: ClassVar[Mapping[str, Any]] = {
        "dynamic": False,
        "dynamic.minimum": 512 * MB,
        "dynamic.maximum": 1024**4,
        "dynamic.buffer": 20,
        "priority": 50,
        "maximum_per_numa_node": ANYTHING,
        "resource_pool": "Primordial",
    }  # domain 4.2, 7
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("size", "amount", "ram", "static", "assigned"), "startup"),
        **dict.fromkeys(("min", "minimum", "minimum_bytes"), "dynamic.minimum"),
        **dict.fromkeys(("max", "maximum", "maximum_bytes"), "dynamic.maximum"),
        "buffer": "dynamic.buffer",
        "weight": "priority",
    }

    def queries(self) -> tuple[Call, ...]:
        free = _room.QUERIES if self.startup is not None else ()
        return (*super().queries(), HOST, *((PROCESSORS,) if self.dynamic else ()), *free)

    def wanted(self) -> State:
        found = dict(super().wanted())
        if "dynamic" in self.model_fields_set and self.dynamic is not None:
            found = {"dynamic": self.dynamic is not False, **found}
        return found

    def actual(self, facts: Facts) -> State | None:
        found = super().actual(facts)
        if found is None:
            return None
        return {**found, "dynamic": bool(self.rows(facts)[0]["DynamicMemoryEnabled"])}

    def as_written(self, found: State, facts: Facts) -> State:
        """What is stored of dynamic memory while it is off cannot be written."""
        return found if found["dynamic"] else {n: v for n, v in found.items() if not n.startswith("dynamic.")}

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from self._too_much(vm_limit("memory", os, self.vm.generation))
        dynamic = self.dynamic or None
        if dynamic:
            yield from self._order(dynamic.minimum, self.startup, dynamic.maximum)
            if self.startup is None:
                yield from self._order(dynamic.minimum, dynamic.maximum, None, "maximum")

    def _too_much(self, limit: Limit | None) -> Iterator[Diagnostic]:
        if limit is None:
            return
        most = limit.most
        for field, value in (("startup", self.startup), ("dynamic.maximum", self.dynamic and self.dynamic.maximum)):
            if value and value > most:
                yield finding(
                    field,
                    f"{shown_size(value)} is more than the {shown_size(most)} that {limit.of} can have",
                    f"use at most {shown_size(most)}",
                )

    def _order(
        self, minimum: int | None, startup: int | None, maximum: int | None, what: str = "startup memory"
    ) -> Iterator[Diagnostic]:
        if minimum is not None and startup is not None and minimum > startup:
            yield finding(
                "dynamic.minimum",
                f"the minimum of {shown_size(minimum)} is above the {what} of {shown_size(startup)}",
                "minimum ≤ startup ≤ maximum",
            )
        if maximum is not None and startup is not None and maximum < startup:
            yield finding(
                "dynamic.maximum",
                f"the maximum of {shown_size(maximum)} is below the startup memory of {shown_size(startup)}",
                "minimum ≤ startup ≤ maximum",
            )

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if not changes:
            return
        if any(c.field == "dynamic" and c.wanted for c in changes):
            yield from self._nested(facts)
        rows = self.rows(facts)
        stored = rows[0] if rows else _NEW
        generation, version = made_as(self.vm, self.vm_row(facts))
        yield from self._too_much(vm_limit("memory", facts.os, generation, version))
        capacity = int(host_row(facts)["MemoryCapacity"])
        if self.startup is not None and any(c.field == "startup" for c in changes):
            if self.startup > capacity:
                text = (
                    f"{shown_size(self.startup)} is more than the host's {shown_size(capacity)}; the VM would not start"
                )
                yield finding("startup", text, f"use less than {shown_size(capacity)}")
            elif _room.starts(self.vm, facts):
                yield from _room.short(self.vm, "startup", facts)
        dynamic = self.dynamic or Dynamic()
        if self._dynamic(stored):
            # Against the effective values: the host keeps minimum 512 MB and maximum 1 TB by default (domain 4.2).
            for found in self._order(
                dynamic.minimum or stored["Minimum"],
                self.startup or stored["Startup"],
                dynamic.maximum or stored["Maximum"],
            ):
                # The toggle and the amounts go in one call, or not at all: a part of them may break the order too.
                hint = found.hint if found.field in self.wanted() else "write the bound in the dynamic section too"
                yield replace(found, field="", hint=hint)

    def _nested(self, facts: Facts) -> Iterator[Diagnostic]:
        """What the playbook says of nesting is told there."""
        part, row = self.vm.part(ProcessorPart), self.vm_row(facts)
        if row is None or (part is not None and part.expose_virtualization_extensions is not None):
            return
        if any(r.get("ExposeVirtualizationExtensions") for r in in_vm(PROCESSORS, row, facts)):
            hint = "turn expose_virtualization_extensions off, or write dynamic: false"
            yield finding("dynamic", NESTED, hint, "warning")

    def _dynamic(self, stored: Any) -> bool:
        return bool(stored["DynamicMemoryEnabled"]) if self.dynamic is None else self.dynamic is not False

    def needs_off(self, field: str, now: Any, wanted: Any, facts: Facts) -> bool:
        """What a running VM lets pass (domain 7, second table)."""
        row = self.vm_row(facts)
        if row is None:
            return False
        state = state_at_work(self.vm, facts)
        if state == "Saved":
            return True  # nothing of it changes under a saved state (domain 4.4)
        if field.startswith("dynamic.") and not self.rows(facts)[0]["DynamicMemoryEnabled"]:
            return True  # goes with the toggle, in one call
        if field == "dynamic.maximum":
            return bool(now is not None and wanted < now)
        if field == "dynamic.minimum":
            return bool(now is not None and wanted > now)
        if field == "startup":
            live = at_least(facts.os, "2016") and version_at_least(str(row.get("Version") or "5.0"), "6.2")
            stored = self.rows(facts)[0]
            static = not stored["DynamicMemoryEnabled"] and not self._dynamic(stored)
            return not (live and static and state == "Running" and _guests.resizes_memory(self.vm))
        return field == "dynamic" or super().needs_off(field, now, wanted, facts)

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        # Startup and the toggle travel together: the host checks startup against the old mode otherwise (domain 7).
        found = super().arguments(changes)
        toggle = next((c.wanted for c in changes if c.field == "dynamic"), None)
        return {"DynamicMemoryEnabled": toggle, **found} if toggle is not None else found

    def summary(self) -> str:
        return shown_size(self.startup) if self.startup else ""


Memory.query = Call("Get-VMMemory", {"VM": ALL_VMS}, select=properties(Memory, "VMId", "DynamicMemoryEnabled"))
