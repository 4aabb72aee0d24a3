"""Get-VMProcessor, Set-VMProcessor (domain 6)."""

from __future__ import annotations

from typing import Any

from mocks.cmdlets._find import owners, vms
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Checkpoint, Processor, Vm, is_on, version
from mocks.messages import say
from mocks.objects import PsObject
from mocks.shape import device_id, parts_of, shaped
from mocks.state import HostState

_COMPONENT = "B637F346-6A0E-4DEC-AF52-BD70CB80A21D"


def processor_object(state: HostState, vm: Vm, point: Checkpoint | None = None) -> PsObject:
    p = vm.processor
    name = say(state.language, "processor")
    properties = {
        "ResourcePoolName": p.resource_pool_name,
        "Count": p.count,
        "CompatibilityForMigrationEnabled": p.compatibility_for_migration_enabled,
        "CompatibilityForOlderOperatingSystemsEnabled": p.compatibility_for_older_operating_systems_enabled,
        "HwThreadCountPerCore": p.hw_thread_count_per_core,
        "ExposeVirtualizationExtensions": p.expose_virtualization_extensions,
        "EnablePerfmonPmu": "pmu" in p.perfmon,
        "EnablePerfmonLbr": "lbr" in p.perfmon,
        "EnablePerfmonPebs": "pebs" in p.perfmon,
        "EnablePerfmonIpt": "ipt" in p.perfmon,
        "EnableLegacyApicMode": False,
        "AllowACountMCount": True,
        "Maximum": p.maximum,
        "Reserve": p.reserve,
        "RelativeWeight": p.relative_weight,
        "MaximumCountPerNumaNode": p.maximum_count_per_numa_node,
        "MaximumCountPerNumaSocket": p.maximum_count_per_numa_socket,
        "EnableHostResourceProtection": p.enable_host_resource_protection,
        "OperationalStatus": [enum("VMProcessorOperationalStatus", "Ok")],
        "StatusDescription": [say(state.language, "ok")],
        "Name": name,
        "Id": device_id(vm, _COMPONENT, "0"),
        **parts_of(state, vm, point=point),
    }
    return shaped(state, "VMProcessor", properties, entity=vm, text=f"VMProcessor (VMName = '{vm.name}')")


@cmdlet("Get-VMProcessor")
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        cmd.emit(processor_object(cmd.state, vm, point))


# parameter -> field, whether the VM must be off (domain 6), smallest, largest
_SETTINGS: tuple[tuple[str, str, bool, int, int], ...] = (
    ("Count", "count", True, 1, 2048),
    ("Maximum", "maximum", False, 0, 100),
    ("Reserve", "reserve", False, 0, 100),
    ("RelativeWeight", "relative_weight", False, 1, 10_000),
    ("MaximumCountPerNumaNode", "maximum_count_per_numa_node", True, 1, 2048),
    ("MaximumCountPerNumaSocket", "maximum_count_per_numa_socket", True, 1, 256),
    ("HwThreadCountPerCore", "hw_thread_count_per_core", True, 0, 2),
)
_FLAGS = (
    ("CompatibilityForMigrationEnabled", "compatibility_for_migration_enabled", True),
    (
        "CompatibilityForOlderOperatingSystemsEnabled",
        "compatibility_for_older_operating_systems_enabled",
        True,
    ),
    ("ExposeVirtualizationExtensions", "expose_virtualization_extensions", True),
    ("EnableHostResourceProtection", "enable_host_resource_protection", False),
)

# vCPU per VM, generation 1 / 2 (domain 21)
_MOST = {"2012": (64, 64), "2012r2": (64, 64), "2016": (64, 240), "2019": (64, 240), "2022": (64, 1024)}


@cmdlet("Set-VMProcessor", takes=0.1)
def change(cmd: Command) -> None:
    subjects = list(cmd.args.entities("VMProcessor", Vm)) if "VMProcessor" in cmd.args else vms(cmd)
    for vm in subjects:
        with cmd.trying():
            apply(cmd, cmd.alive(vm), wanted(cmd))
            cmd.passthru(processor_object, cmd.state, vm)


def wanted(cmd: Command) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for parameter, field, _, low, high in _SETTINGS:
        if parameter not in cmd.args:
            continue
        value = cmd.args.number(parameter)
        if not low <= value <= high:
            raise cmd.refuse("InvalidParameter", "out_of_range", parameter, value)  # domain 6: ranges
        found[field] = value
    found |= {field: cmd.args.flag(parameter) for parameter, field, _ in _FLAGS if parameter in cmd.args}
    if "ResourcePoolName" in cmd.args:
        found["resource_pool_name"] = cmd.pool()
    if "Perfmon" in cmd.args:
        found["perfmon"] = [t.lower() for t in cmd.args.texts("Perfmon") if t]
    return found


def apply(cmd: Command, vm: Vm, settings: dict[str, Any]) -> None:
    """All of it or nothing: the module sends one modified device."""
    processor: Processor = vm.processor
    _check(cmd, vm, settings)
    for field, value in settings.items():
        setattr(processor, field, value)


def _check(cmd: Command, vm: Vm, settings: dict[str, Any]) -> None:
    state, processor = cmd.state, vm.processor
    device = cmd.say("processor")
    off_only = {f for _, f, off, *_ in (*_SETTINGS, *_FLAGS) if off} | {"resource_pool_name", "perfmon"}
    if vm.state == "Saved" or (is_on(vm) and off_only & settings.keys()):
        # domain 6: "Failed to modify device 'Processor'." [O, text], InvalidState [I by analogy with memory];
        # saved refuses almost all hardware changes, live ones too (domain 4.4 [I])
        raise cmd.refuse("InvalidState", "device", device, cmd.say("bad_state"))
    most = _MOST.get(state.os, (64, 2048))[vm.generation - 1]
    if version(vm.version) < (8, 0):
        most = min(most, 64)  # domain 21: above 64 needs version 8.0
    if settings.get("count", 1) > most:
        raise cmd.refuse("InvalidParameter", "device", device, cmd.say("out_of_range", "Count", settings["count"]))
    reserve, maximum = (settings.get(f, getattr(processor, f)) for f in ("reserve", "maximum"))
    if reserve > maximum:
        # domain 6: reserve <= maximum
        raise cmd.refuse("InvalidParameter", "device", device, cmd.say("out_of_range", "Reserve", reserve))
    if settings.get("expose_virtualization_extensions") and version(vm.version) < (8, 0):
        raise cmd.refuse("NotSupported", "not_supported_property")  # domain 6, LabBuilder#251 [O]: id and text
    if settings.get("hw_thread_count_per_core") and version(vm.version) < (8, 0):
        raise cmd.refuse("NotSupported", "not_supported_property")  # domain 6: version >= 8.0
