"""Get-, Set-, Remove-VMNetworkAdapterTeamMapping: which member of an embedded team carries an adapter (domain 9)."""

from __future__ import annotations

from mocks.arguments import like
from mocks.cmdlets.network_adapter import adapter_object, asked
from mocks.cmdlets.network_adapter_change import meant
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Adapter, Vm
from mocks.objects import PsObject
from mocks.shape import SESSION, computer, shaped


def _shown(cmd: Command, vm: Vm | None, adapter: Adapter) -> PsObject:
    state = cmd.state
    nic = next((n for n in state.nics if n.name == adapter.team_mapping), None)
    properties = {
        "NetAdapterName": adapter.team_mapping,
        "NetAdapterDeviceId": "{" + nic.id.upper() + "}" if nic else "",
        "DisableOnFailover": enum("DisableOnFailoverFeature", "None"),
        "ParentAdapter": adapter_object(state, vm, adapter),
        "IsTemplate": False,
        "ComputerName": computer(state, False),
        "IsDeleted": False,
        "CimSession": SESSION,
    }
    return shaped(state, "VMNetworkAdapterTeamMappingSetting", properties, entity=adapter)


@cmdlet("Get-VMNetworkAdapterTeamMapping")
def get(cmd: Command) -> None:
    """Nothing for an adapter without a mapping [I]."""
    cmd.emit(*(_shown(cmd, vm, a) for vm, a in asked(cmd, "Name") if a.team_mapping))


@cmdlet("Set-VMNetworkAdapterTeamMapping", takes=0.1)
def change(cmd: Command) -> None:
    wanted = cmd.args.text("PhysicalNetAdapterName")
    for vm, adapter in list(meant(cmd, "VMNetworkAdapterName")):
        with cmd.trying():
            switch = cmd.state.switch(adapter.switch)
            members = switch.net_adapters if switch and switch.embedded_teaming_enabled else []
            member = next((m for m in members if like(m, wanted)), None)
            if member is None:
                raise cmd.refuse("InvalidParameter", "net_adapter_missing", wanted)  # domain 9: SET only; id [I]
            adapter.team_mapping = member
            cmd.passthru(_shown, cmd, vm, adapter)


@cmdlet("Remove-VMNetworkAdapterTeamMapping", takes=0.1)
def remove(cmd: Command) -> None:
    for vm, adapter in list(meant(cmd, "Name")):
        with cmd.trying():
            if not adapter.team_mapping:
                raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # [I]
            cmd.passthru(_shown, cmd, vm, adapter)
            adapter.team_mapping = None
