"""Get-, Set-VMSwitchTeam, Add-, Remove-VMSwitchTeamMember: embedded teaming, 2016 and later (domain 3)."""

from __future__ import annotations

from mocks.arguments import like
from mocks.cmdlets import _management
from mocks.cmdlets.switch import check_bind, check_team, net_adapters, switch_object, switches
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.objects import Guid, PsObject
from mocks.shape import shaped
from mocks.state import HostState, NetAdapter, Switch


def team_object(state: HostState, switch: Switch) -> PsObject:
    nics = [n for n in state.nics if n.name in switch.net_adapters]
    properties = {
        "Name": switch.name,
        "Id": Guid(switch.id),
        "NetAdapterInterfaceDescription": [n.description for n in nics],
        "NetAdapterInterfaceGuid": [Guid(n.id) for n in nics],
        "TeamingMode": enum("VMSwitchTeamingMode", "SwitchIndependent"),
        "LoadBalancingAlgorithm": enum("VMSwitchLoadBalancingAlgorithm", switch.load_balancing_algorithm or "Dynamic"),
    }
    return shaped(state, "VMSwitchTeam", properties, entity=switch)


@cmdlet("Get-VMSwitchTeam", takes=0.06)
def get(cmd: Command) -> None:
    found = list(switches(cmd)) if cmd.args.any("Name", "VMSwitch") else list(cmd.state.switches)
    cmd.emit(*(team_object(cmd.state, s) for s in found if s.embedded_teaming_enabled))


def _check_team(cmd: Command, switch: Switch) -> None:
    if not switch.embedded_teaming_enabled:
        raise cmd.refuse("InvalidParameter", "switch_modify_failed")  # teaming is fixed at creation; id [I]


def _set_members(cmd: Command, switch: Switch, nics: list[NetAdapter]) -> None:
    check_team(cmd, nics)
    carried = _management.carries(cmd, switch)
    switch.net_adapters = [n.name for n in nics]
    if carried and not _management.carries(cmd, switch):
        cmd.state.management = switch.name  # the addresses are the switch's, not its member's


@cmdlet("Set-VMSwitchTeam", takes=1.0)
def change(cmd: Command) -> None:
    for switch in list(switches(cmd)):
        with cmd.trying():
            _check_team(cmd, switch)
            if "LoadBalancingAlgorithm" in cmd.args:
                wanted = cmd.args.word("LoadBalancingAlgorithm", "VMSwitchLoadBalancingAlgorithm")
                switch.load_balancing_algorithm = wanted
            if cmd.args.any("NetAdapterName", "NetAdapterInterfaceDescription"):
                nics = net_adapters(cmd)
                check_bind(cmd, nics, switch)
                _set_members(cmd, switch, nics)
            cmd.passthru(switch_object, cmd.state, switch)


@cmdlet("Add-VMSwitchTeamMember", takes=1.0)
def add(cmd: Command) -> None:
    _members(cmd, adding=True)


@cmdlet("Remove-VMSwitchTeamMember", takes=1.0)
def remove(cmd: Command) -> None:
    _members(cmd, adding=False)


def _members(cmd: Command, adding: bool) -> None:
    given = net_adapters(cmd)
    for switch in list(switches(cmd)):
        with cmd.trying():
            _check_team(cmd, switch)
            now = [n for n in cmd.state.nics if any(like(n.name, m) for m in switch.net_adapters)]
            if adding:
                check_bind(cmd, given, switch)
                wanted = now + [n for n in given if n not in now]
            else:
                wanted = [n for n in now if n not in given]
            _set_members(cmd, switch, wanted)
            cmd.passthru(switch_object, cmd.state, switch)
