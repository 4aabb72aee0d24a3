"""Which properties an object has on which Windows Server version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hvctl.contract import OS
from hvctl.contract.since import lacking
from mocks.machine import ZERO, Checkpoint, Vm
from mocks.objects import Guid, PsObject
from mocks.state import HostState

HYPERV = "Microsoft.HyperV.PowerShell."
SESSION = PsObject("Microsoft.Management.Infrastructure.CimSession", {"ComputerName": "."}, to_string="CimSession: .")


def shaped(
    state: HostState,
    cls: str,
    properties: Mapping[str, Any],
    *,
    entity: Any = None,
    text: str | None = None,
    space: str = HYPERV,
    of: str = "",
) -> PsObject:
    """The object with the properties that this host's version has. `of`: the class whose table counts."""
    absent = set(lacking(cast(OS, state.os), of or cls))
    if state.module2:
        absent.add("Key")  # of module 1.x (observations 2)
    kept = {k: v for k, v in properties.items() if k not in absent}
    # ToString: the type's name in 1.x, a description in 2.0 (observations 1)
    return PsObject(space + cls, kept, entity=entity, to_string=text if state.module2 else None)


def computer(state: HostState, lower: bool) -> str:
    """One host, two spellings, even within one VM (observations 2: no rule can be drawn)."""
    return state.name.lower() if lower else state.name.upper()


def parts_of(
    state: HostState, vm: Vm | None, *, lower: bool = False, point: Checkpoint | None = None
) -> dict[str, Any]:
    """What every component of a VM says about where it belongs."""
    running = vm is not None and vm.state == "Running"
    snapshot = Guid(point.id if point else ZERO)
    return {
        "ComputerName": computer(state, lower or running),
        "IsDeleted": False,
        "VMId": Guid(vm.id if vm else ZERO),
        "VMName": vm.name if vm else None,
        "VMSnapshotId": snapshot,
        "VMSnapshotName": point.name if point else None,
        "VMCheckpointId": snapshot,
        "VMCheckpointName": point.name if point else None,
        "CimSession": SESSION,
        "Key": None,
    }


def device_id(vm: Vm, *parts: str) -> str:
    """`Microsoft:<VM GUID upper>\\<instance upper>\\…` (observations 2)."""
    return "Microsoft:" + "\\".join([vm.id.upper(), *(p.upper() for p in parts)])
