"""Get-VMMemory, Set-VMMemory (domain 7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mocks.cmdlets._find import owners, vms
from mocks.command import Command, cmdlet
from mocks.machine import MB, TB, Checkpoint, Vm, is_on, version
from mocks.messages import say
from mocks.objects import PsObject
from mocks.shape import device_id, parts_of, shaped
from mocks.state import HostState

_COMPONENT = "4764334D-E001-4176-82EE-5594EC9B530E"
_MOST = {"2012": (TB, TB), "2012r2": (TB, TB), "2016": (TB, 12 * TB), "2019": (TB, 12 * TB)}  # domain 21


def memory_object(state: HostState, vm: Vm, point: Checkpoint | None = None) -> PsObject:
    m = vm.memory
    properties = {
        "ResourcePoolName": m.resource_pool_name,
        "Buffer": m.buffer,
        "DynamicMemoryEnabled": m.dynamic_memory_enabled,
        "Maximum": m.maximum,
        "MaximumPerNumaNode": m.maximum_per_numa_node,
        "Minimum": m.minimum,
        "Priority": m.priority,
        "Startup": m.startup,
        "Name": say(state.language, "memory"),
        "Id": device_id(vm, _COMPONENT),
        **parts_of(state, vm, point=point),
    }
    return shaped(state, "VMMemory", properties, entity=vm, text=f"VMMemory (VMName = '{vm.name}')")


@cmdlet("Get-VMMemory")
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        cmd.emit(memory_object(cmd.state, vm, point))


_SIZES = {"StartupBytes": "startup", "MinimumBytes": "minimum", "MaximumBytes": "maximum"}


@cmdlet("Set-VMMemory", takes=0.1)
def change(cmd: Command) -> None:
    args = cmd.args
    settings: dict[str, Any] = {f: args.number(p) for p, f in _SIZES.items() if p in args}
    if "DynamicMemoryEnabled" in args:
        settings["dynamic_memory_enabled"] = args.flag("DynamicMemoryEnabled")
    for parameter, field, low, high in (("Buffer", "buffer", 5, 2000), ("Priority", "priority", 0, 100)):
        if parameter in args:
            settings[field] = args.number(parameter)
            if not low <= settings[field] <= high:
                raise cmd.refuse("InvalidParameter", "out_of_range", parameter, settings[field])  # domain 7: ranges
    if "MaximumAmountPerNumaNodeBytes" in args:
        settings["maximum_per_numa_node"] = args.number("MaximumAmountPerNumaNodeBytes") // MB
    if "ResourcePoolName" in args:
        settings["resource_pool_name"] = cmd.pool()
    subjects: Iterable[Vm] = args.entities("VMMemory", Vm) if "VMMemory" in args else vms(cmd)
    for vm in subjects:
        with cmd.trying():
            apply(cmd, cmd.alive(vm), settings)
            cmd.passthru(memory_object, cmd.state, vm)


def check_alignment(cmd: Command, settings: dict[str, Any], name: str) -> None:
    for field in _SIZES.values():
        value = settings.get(field, 0)
        if value % (2 * MB):
            # domain 7: InvalidArgument, InvalidParameter [O, New-VM]
            text = cmd.say("memory_alignment", name, value // MB)
            raise cmd.refuse("InvalidParameter", "device", cmd.say("memory"), text)


def apply(cmd: Command, vm: Vm, settings: dict[str, Any]) -> None:
    """All of it or nothing: the module sends one modified device."""
    check_alignment(cmd, settings, vm.name)
    if is_on(vm):
        _check_running(cmd, vm, settings)
    _check_order(cmd, vm, settings)
    for field, value in settings.items():
        setattr(vm.memory, field, value)


def _check_order(cmd: Command, vm: Vm, settings: dict[str, Any]) -> None:
    """32 MB <= minimum <= startup <= maximum <= limit, with the values that would then hold (domain 7)."""
    now = {f: settings.get(f, getattr(vm.memory, f)) for f in (*_SIZES.values(), "dynamic_memory_enabled")}
    most = _MOST.get(cmd.state.os, (TB, 240 * TB))[vm.generation - 1]
    if version(vm.version) < (8, 0):
        most = TB  # domain 21
    # domain 7, vagrant#8033: startup outside the range fails [O]; with dynamic memory off the stored minimum and
    # maximum are dead values
    fine = 32 * MB <= now["startup"] <= most
    if now["dynamic_memory_enabled"]:
        fine = fine and 32 * MB <= now["minimum"] <= now["startup"] <= now["maximum"] <= max(most, TB)
    elif settings.keys() & {"minimum", "maximum"}:
        fine = fine and 32 * MB <= now["minimum"] <= now["maximum"] <= max(most, TB)
    if not fine:  # the kind as for alignment; text ours
        raise cmd.refuse("InvalidParameter", "device", cmd.say("memory"), cmd.say("memory_order", vm.name))


def _check_running(cmd: Command, vm: Vm, settings: dict[str, Any]) -> None:
    """domain 7, table of changes on a running VM."""
    memory, guest = vm.memory, vm.guest
    refused = cmd.refuse("InvalidState", "device", cmd.say("memory"), cmd.say("bad_state"))  # packer#8633 [O]
    changed = {f for f, v in settings.items() if v != getattr(memory, f)}
    if vm.state == "Saved" and changed:
        raise refused  # domain 4.4: saved refuses almost all hardware changes [I]
    if changed & {"dynamic_memory_enabled", "maximum_per_numa_node", "resource_pool_name"}:
        raise refused
    if guest.nested_hypervisor and changed:
        raise refused  # domain 7: a nested hypervisor blocks all live changes
    if not memory.dynamic_memory_enabled:
        if "startup" in changed:
            if not cmd.state.module2 or version(vm.version) < (6, 2) or not guest.integration:
                raise refused  # live resize of static memory: 2016+, version >= 6.2, a guest with hot add
            if settings["startup"] < guest.minimum_memory:
                raise refused  # shrinking is limited by the guest
        return
    lowered = {f for f in changed & set(_SIZES.values()) if settings[f] < getattr(memory, f)}
    if "startup" in changed or "maximum" in lowered or ("minimum" in changed and "minimum" not in lowered):
        raise refused  # R2DOC; on 2016+ lowering maximum, raising minimum: domain 26, refused
