"""The memory of a VM (domain 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hvctl.call import Call, Value
from hvctl.contract import OS, at_least
from hvctl.facts import Facts
from hvctl.kinds._limits import limit, version_at_least
from hvctl.kinds._types import FOLD, MB, SIZE, Size, multiple_of, shown_size
from hvctl.kinds._vm import ALL_VMS, VmPart, power
from hvctl.resource import Change, Fields, Finding, Setting, State, properties

Memory2MB = Annotated[Size, multiple_of(2 * MB, "2 MB (Hyper-V allots memory in pieces of 2 MB)")]


class Dynamic(Fields):
    """Dynamic memory; writing the section turns it on."""

    minimum: Annotated[Memory2MB | None, Field(ge=32 * MB), Setting("Minimum", "MinimumBytes", SIZE)] = None
    maximum: Annotated[Memory2MB | None, Field(ge=32 * MB), Setting("Maximum", "MaximumBytes", SIZE)] = None
    buffer: Annotated[int | None, Field(ge=5, le=2000), Setting("Buffer")] = None


class Memory(VmPart):
    """Memory. `dynamic: false` is static memory; a section under `dynamic` turns dynamic memory on."""

    kind: ClassVar[str] = "memory"
    section: ClassVar[str] = "memory"
    setter: ClassVar[str] = "Set-VMMemory"

    startup: Annotated[Memory2MB | None, Field(ge=32 * MB), Setting("Startup", "StartupBytes", SIZE)] = None
    dynamic: Dynamic | Literal[False] | None = None
    priority: Annotated[int | None, Field(ge=0, le=100), Setting("Priority")] = None
    resource_pool: Annotated[str | None, Setting("ResourcePoolName", codec=FOLD, off=True)] = None

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

    def rules(self, os: OS) -> Iterator[Finding]:
        most = limit(f"memory, generation {getattr(self.vm, 'generation', None) or 1}", os)
        dynamic = self.dynamic or None
        for field, value in (("startup", self.startup), ("dynamic.maximum", dynamic and dynamic.maximum)):
            if value is not None and value > most:
                yield Finding(
                    field,
                    f"{shown_size(value)} is more than the {shown_size(most)} that a VM of this generation can have",
                    f"use at most {shown_size(most)}",
                )
        if dynamic:
            yield from self._order(dynamic.minimum, self.startup, dynamic.maximum)

    def _order(self, minimum: int | None, startup: int | None, maximum: int | None) -> Iterator[Finding]:
        if minimum is not None and startup is not None and minimum > startup:
            yield Finding(
                "dynamic.minimum",
                f"the minimum of {shown_size(minimum)} is above the startup memory of {shown_size(startup)}",
                "minimum ≤ startup ≤ maximum",
            )
        if maximum is not None and startup is not None and maximum < startup:
            yield Finding(
                "dynamic.maximum",
                f"the maximum of {shown_size(maximum)} is below the startup memory of {shown_size(startup)}",
                "minimum ≤ startup ≤ maximum",
            )

    def findings(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        yield from super().findings(changes, facts)
        if not changes:
            return
        rows = self.rows(facts)
        stored = rows[0] if rows else {"Minimum": 512 * MB, "Maximum": 1024**4, "DynamicMemoryEnabled": False}
        dynamic = self.dynamic or Dynamic()
        if self._dynamic(stored):
            # Against the effective values: the host keeps minimum 512 MB and maximum 1 TB by default (domain 4.2).
            for found in self._order(
                dynamic.minimum or stored["Minimum"],
                self.startup or stored.get("Startup"),
                dynamic.maximum or stored["Maximum"],
            ):
                written = found.field in self.wanted()
                yield (
                    found
                    if written
                    else Finding(
                        "startup" if self.startup else "dynamic",
                        found.message,
                        "write the dynamic section's bounds too",
                    )
                )

    def _dynamic(self, stored: Any) -> bool:
        return bool(stored["DynamicMemoryEnabled"]) if self.dynamic is None else self.dynamic is not False

    def needs_off(self, field: str, now: Any, wanted: Any, facts: Facts) -> bool:
        """What a running VM lets pass (domain 7, second table)."""
        row = self.vm_row(facts)
        if row is None:
            return False
        if field == "dynamic.maximum":
            return bool(now is not None and wanted < now)
        if field == "dynamic.minimum":
            return bool(now is not None and wanted > now)
        if field == "startup":
            live = at_least(facts.os, "2016") and version_at_least(str(row.get("Version") or "5.0"), "6.2")
            stored = self.rows(facts)[0]
            static = not stored["DynamicMemoryEnabled"] and not self._dynamic(stored)
            return not (live and static and power(row) == "Running")
        return field == "dynamic" or super().needs_off(field, now, wanted, facts)

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        # Startup and the toggle travel together: the host checks startup against the old mode otherwise (domain 7).
        found = super().arguments(changes)
        toggle = next((c.wanted for c in changes if c.field == "dynamic"), None)
        return {"DynamicMemoryEnabled": toggle, **found} if toggle is not None else found

    def summary(self) -> str:
        return shown_size(self.startup) if self.startup else ""


Memory.query = Call("Get-VMMemory", {"VM": ALL_VMS}, select=properties(Memory, "VMId", "DynamicMemoryEnabled"))
