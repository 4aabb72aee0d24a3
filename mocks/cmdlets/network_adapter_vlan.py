"""Get-, Set-VMNetworkAdapterVlan and …Isolation (domain 9.2)."""

from __future__ import annotations

from mocks.cmdlets import _management
from mocks.cmdlets.network_adapter import adapter_object, asked, ids, isolation_object, vlan_object
from mocks.cmdlets.network_adapter_change import meant
from mocks.command import Command, cmdlet
from mocks.machine import Adapter, Vlan, Vm
from mocks.objects import Refusal


@cmdlet("Get-VMNetworkAdapterVlan")
def get(cmd: Command) -> None:
    for vm, adapter in asked(cmd):
        cmd.emit(vlan_object(cmd.state, vm, adapter, adapter_object(cmd.state, vm, adapter)))


@cmdlet("Get-VMNetworkAdapterIsolation")
def get_isolation(cmd: Command) -> None:
    for vm, adapter in asked(cmd):
        cmd.emit(isolation_object(cmd.state, vm, adapter, adapter_object(cmd.state, vm, adapter)))


@cmdlet("Set-VMNetworkAdapterVlan", takes=0.1)
def change(cmd: Command) -> None:
    wanted = _wanted(cmd)
    for vm, adapter in list(meant(cmd, "VMNetworkAdapterName")):  # all of a shared name (domain 9.1) [O]
        before, adapter.vlan = adapter.vlan, Vlan(**vars(wanted))
        switch = cmd.state.switch(adapter.switch)
        if vm is None and switch and _management.carries(cmd, switch) and vars(before) != vars(wanted):
            _management.cut(cmd)  # the host now speaks another VLAN [I]
        cmd.passthru(_shown, cmd, vm, adapter)


def _shown(cmd: Command, vm: Vm | None, adapter: Adapter) -> object:
    return vlan_object(cmd.state, vm, adapter, adapter_object(cmd.state, vm, adapter))


def _wanted(cmd: Command) -> Vlan:
    args = cmd.args
    modes = [m for m in ("Untagged", "Access", "Trunk", "Isolated", "Community", "Promiscuous") if args.flag(m)]
    if len(modes) != 1:
        raise _invalid(cmd)  # exactly one mode; id [I]
    vlan = Vlan()
    match modes[0]:
        case "Access":
            vlan.mode, vlan.access = "Access", _id(cmd, "VlanId")
        case "Trunk":
            vlan.mode, vlan.native = "Trunk", _id(cmd, "NativeVlanId", 0)
            vlan.allowed = _list(cmd, "AllowedVlanIdList")
        case "Isolated" | "Community" as kind:
            vlan.mode, vlan.private_mode = "Private", kind
            vlan.primary, vlan.secondary = _id(cmd, "PrimaryVlanId"), _id(cmd, "SecondaryVlanId")
        case "Promiscuous":
            vlan.mode, vlan.private_mode = "Private", "Promiscuous"
            vlan.primary, vlan.secondaries = _id(cmd, "PrimaryVlanId"), _list(cmd, "SecondaryVlanIdList")
    return vlan


def _invalid(cmd: Command) -> Refusal:
    return cmd.refuse("InvalidParameter", "vlan_invalid")


def _id(cmd: Command, parameter: str, low: int = 1) -> int:
    value = cmd.args.number(parameter)
    if parameter not in cmd.args or not low <= value <= 4094:
        raise _invalid(cmd)  # domain 9.2: 1 to 4094, native 0 to 4094; id [I]
    return value


def _list(cmd: Command, parameter: str) -> str:
    text = cmd.args.text(parameter)
    try:
        numbers = ids(text)
    except ValueError:
        raise _invalid(cmd) from None
    if not numbers or not all(1 <= n <= 4094 for n in numbers):
        raise _invalid(cmd)
    return text


@cmdlet("Set-VMNetworkAdapterIsolation", takes=0.1)
def change_isolation(cmd: Command) -> None:
    args = cmd.args
    for vm, adapter in list(meant(cmd, "VMNetworkAdapterName")):
        isolation = adapter.isolation
        if "IsolationMode" in args:
            isolation.mode = args.word("IsolationMode", "VMNetworkAdapterIsolationMode")
        if "DefaultIsolationID" in args:
            isolation.default_id = args.number("DefaultIsolationID")
        if "AllowUntaggedTraffic" in args:
            isolation.allow_untagged_traffic = args.flag("AllowUntaggedTraffic")
        if "MultiTenantStack" in args:
            isolation.multi_tenant_stack = args.word("MultiTenantStack", "OnOffState")
        shown = adapter_object(cmd.state, vm, adapter)
        cmd.passthru(isolation_object, cmd.state, vm, adapter, shown)
