"""The virtual processors of a VM (domain 6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from hvctl.call import Call
from hvctl.contract import OS
from hvctl.facts import Facts
from hvctl.kinds._host import HOST, host_row
from hvctl.kinds._limits import limit
from hvctl.kinds._types import FOLD, Flag
from hvctl.kinds._vm import ALL_VMS, VmPart
from hvctl.resource import Change, Finding, Setting, properties


class Processor(VmPart):
    """Virtual processors. Reserve and limit are per cent of the VM's own processors, as PowerShell has them."""

    kind: ClassVar[str] = "processor"
    section: ClassVar[str] = "processor"
    setter: ClassVar[str] = "Set-VMProcessor"

    count: Annotated[int | None, Field(ge=1), Setting("Count", off=True)] = None
    maximum: Annotated[int | None, Field(ge=0, le=100), Setting("Maximum")] = None
    reserve: Annotated[int | None, Field(ge=0, le=100), Setting("Reserve")] = None
    weight: Annotated[int | None, Field(ge=1, le=10_000), Setting("RelativeWeight")] = None
    compatibility_for_migration: Annotated[Flag | None, Setting("CompatibilityForMigrationEnabled", off=True)] = None
    compatibility_for_older_operating_systems: Annotated[
        Flag | None, Setting("CompatibilityForOlderOperatingSystemsEnabled", off=True)
    ] = None
    maximum_count_per_numa_node: Annotated[int | None, Field(ge=1), Setting("MaximumCountPerNumaNode", off=True)] = None
    maximum_count_per_numa_socket: Annotated[
        int | None, Field(ge=1), Setting("MaximumCountPerNumaSocket", off=True)
    ] = None
    resource_pool: Annotated[str | None, Setting("ResourcePoolName", codec=FOLD, off=True)] = None
    expose_virtualization_extensions: Annotated[Flag | None, Setting("ExposeVirtualizationExtensions", off=True)] = None
    threads_per_core: Annotated[int | None, Field(ge=0, le=2), Setting("HwThreadCountPerCore", off=True)] = None
    host_resource_protection: Annotated[Flag | None, Setting("EnableHostResourceProtection")] = None

    def queries(self) -> tuple[Call, ...]:
        return (*super().queries(), HOST)

    def rules(self, os: OS) -> Iterator[Finding]:
        most = limit(f"processors, generation {getattr(self.vm, 'generation', None) or 1}", os)
        if self.count is not None and self.count > most:
            yield Finding(
                "count",
                f"{self.count} processors are more than the {most} that this version and generation allow",
                f"use at most {most}",
            )
        if self.reserve is not None and self.maximum is not None and self.reserve > self.maximum:
            yield Finding(
                "reserve",
                f"a reserve of {self.reserve} % is above the maximum of {self.maximum} %",
                "lower the reserve or raise the maximum",
            )

    def findings(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        yield from super().findings(changes, facts)
        cores = int(host_row(facts)["LogicalProcessorCount"])
        if self.count is not None and self.count > cores and any(c.field == "count" for c in changes):
            # A VM with more is stored but does not start (domain 6 [I]): refused here, before anything is sent.
            yield Finding(
                "count",
                f"{self.count} processors are more than the host's {cores} logical processors; the VM would not start",
                f"use at most {cores}",
            )

    def summary(self) -> str:
        return f"{self.count or 1} processor{'s' if (self.count or 1) > 1 else ''}"


Processor.query = Call("Get-VMProcessor", {"VM": ALL_VMS}, select=properties(Processor, "VMId"))
