"""The fields of the processors of a VM (domain 6)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from hvctl.call import Value
from hvctl.core.fields import Instead, Null, Setting
from hvctl.core.values import Json, Plain, as_json
from hvctl.kinds._types import FOLD, Cleared, Flag, Pool
from hvctl.kinds._vm import VmPart

Monitor = Literal["pmu", "lbr", "pebs", "ipt"]
MONITORS: dict[str, str] = {
    "pmu": "EnablePerfmonPmu",
    "lbr": "EnablePerfmonLbr",
    "pebs": "EnablePerfmonPebs",
    "ipt": "EnablePerfmonIpt",
}


class _Monitored(Plain):
    """Which monitors are on, in any order; null is none of them."""

    def write(self, value: Any) -> Value:
        return list(value or ())

    def same(self, now: Any, wanted: Any) -> bool:
        return set(now or ()) == set(wanted or ())

    def show(self, value: Any) -> str:
        return super().show(list(value or ()))

    def value(self, value: Any) -> Json:
        return as_json(frozenset(value or ()))


class ProcessorPart(VmPart):
    """What may be written of them."""

    count: Annotated[int | None, Field(ge=1), Setting("Count", off=True)] = None
    maximum: Annotated[
        int | None, Field(ge=0, le=100), Setting("Maximum", codec=Cleared(100)), Null("100, no limit")
    ] = None
    reserve: Annotated[int | None, Field(ge=0, le=100), Setting("Reserve", codec=Cleared(0)), Null("0")] = None
    weight: Annotated[int | None, Field(ge=1, le=10_000), Setting("RelativeWeight")] = None
    compatibility_for_migration: Annotated[Flag | None, Setting("CompatibilityForMigrationEnabled", off=True)] = None
    compatibility_for_older_operating_systems: Annotated[
        Flag | None, Setting("CompatibilityForOlderOperatingSystemsEnabled", off=True)
    ] = None
    maximum_count_per_numa_node: Annotated[int | None, Field(ge=1), Setting("MaximumCountPerNumaNode", off=True)] = None
    maximum_count_per_numa_socket: Annotated[
        int | None, Field(ge=1), Setting("MaximumCountPerNumaSocket", off=True)
    ] = None
    resource_pool: Annotated[Pool | None, Instead("Primordial"), Setting("ResourcePoolName", codec=FOLD, off=True)] = (
        None
    )
    expose_virtualization_extensions: Annotated[Flag | None, Setting("ExposeVirtualizationExtensions", off=True)] = None
    threads_per_core: Annotated[int | None, Field(ge=0, le=2), Setting("HwThreadCountPerCore", off=True)] = None
    host_resource_protection: Annotated[Flag | None, Setting("EnableHostResourceProtection")] = None
    perfmon: Annotated[list[Monitor] | None, Setting("Perfmon", codec=_Monitored(), off=True), Null("none of them")] = (
        None
    )
