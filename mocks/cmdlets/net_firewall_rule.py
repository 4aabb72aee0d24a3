"""Get-, Enable-, Disable-NetFirewallRule: rules that Windows has by itself, by name (replica-migration 3)."""

from __future__ import annotations

from mocks.cmdlets._cim import CIM, check_administrator, meant, word
from mocks.command import Command, cmdlet
from mocks.objects import PsObject
from mocks.state import HostState


def rule_object(state: HostState, name: str) -> PsObject:
    """`Enabled` is a word of two, as the module's type file turns the number of the class: True 1, False 2 [I]."""
    on = state.firewall_rules[name]
    properties = {
        "Name": name,
        "ID": name,
        "Enabled": word("NetSecurity.Enabled", "True" if on else "False", 1 if on else 2),
        "PSComputerName": None,
    }
    return PsObject(CIM + "MSFT_NetFirewallRule", properties, entity=name)


def _rules(cmd: Command) -> list[str]:
    return meant(cmd, "MSFT_NetFirewallRule", cmd.state.firewall_rules, {"Name": lambda name: name})


@cmdlet("Get-NetFirewallRule", module="host", takes=0.4)
def get(cmd: Command) -> None:
    cmd.emit(*(rule_object(cmd.state, name) for name in _rules(cmd)))


@cmdlet("Enable-NetFirewallRule", module="host", takes=0.4)
def enable(cmd: Command) -> None:
    _turn(cmd, True)


@cmdlet("Disable-NetFirewallRule", module="host", takes=0.4)
def disable(cmd: Command) -> None:
    _turn(cmd, False)


def _turn(cmd: Command, on: bool) -> None:
    check_administrator(cmd)
    for name in _rules(cmd):
        cmd.state.firewall_rules[name] = on
