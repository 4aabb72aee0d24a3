"""Get-, Add-, Set-, Remove-VMMigrationNetwork (domain 2)."""

from __future__ import annotations

from ipaddress import ip_network

from mocks.command import Command, cmdlet
from mocks.objects import PsObject
from mocks.shape import SESSION, computer, shaped
from mocks.state import HostState, MigrationNetwork


def network_object(state: HostState, network: MigrationNetwork) -> PsObject:
    properties = {
        "Subnet": network.subnet,
        "Priority": network.priority,
        "ComputerName": computer(state, False),
        "CimSession": SESSION,
        "IsDeleted": False,
    }
    return shaped(state, "VMMigrationNetwork", properties, entity=network)


def _subnet(cmd: Command, parameter: str) -> str:
    """As Hyper-V keeps it. One that it has already is refused (replica-migration 10 [I])."""
    written = cmd.args.text(parameter)
    try:
        subnet = str(ip_network(written, strict=False))
    except ValueError as error:
        raise cmd.refuse("InvalidParameter", "out_of_range", parameter, written) from error  # class [I]
    if any(n.subnet == subnet for n in cmd.state.migration_networks):
        raise cmd.refuse("InvalidParameter", "out_of_range", parameter, written)
    return subnet


def _meant(cmd: Command) -> MigrationNetwork:
    """The contract allows wildcards; which of several is meant then is not documented, so none is."""
    text = cmd.args.text("Subnet")
    found = [n for n in cmd.state.migration_networks if n.subnet == text]
    if not found:
        raise cmd.refuse("ObjectNotFound", "out_of_range", "Subnet", text)  # replica-migration 10 [I]
    return found[0]


@cmdlet("Get-VMMigrationNetwork")
def get(cmd: Command) -> None:
    for network in cmd.state.migration_networks:
        cmd.emit(network_object(cmd.state, network))


@cmdlet("Add-VMMigrationNetwork", takes=0.1)
def add(cmd: Command) -> None:
    priority = cmd.args.number("Priority") if "Priority" in cmd.args else None
    network = MigrationNetwork(_subnet(cmd, "Subnet"), priority)
    cmd.state.migration_networks.append(network)
    cmd.passthru(network_object, cmd.state, network)


@cmdlet("Set-VMMigrationNetwork", takes=0.1)
def change(cmd: Command) -> None:
    network = _meant(cmd)
    if "NewSubnet" in cmd.args:
        network.subnet = _subnet(cmd, "NewSubnet")
    if "NewPriority" in cmd.args:
        network.priority = cmd.args.number("NewPriority")
    cmd.passthru(network_object, cmd.state, network)


@cmdlet("Remove-VMMigrationNetwork", takes=0.1)
def remove(cmd: Command) -> None:
    network = _meant(cmd)
    cmd.state.migration_networks.remove(network)
    cmd.passthru(network_object, cmd.state, network)
