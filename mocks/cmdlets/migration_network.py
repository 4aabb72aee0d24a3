"""Get-, Add-, Set-, Remove-VMMigrationNetwork (domain 2)."""

from __future__ import annotations

from ipaddress import ip_network

from mocks.arguments import is_pattern, like
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
    """An address or a network in CIDR form, as Hyper-V keeps it (replica-migration 1.3); host bits and masks are for the
    tool to turn (domain 2), so they are refused [I]. One that it has already is refused (replica-migration 10 [I])."""
    written = cmd.args.text(parameter)
    try:
        if "/" in written and not written.partition("/")[2].isdecimal():
            raise ValueError(written)
        subnet = str(ip_network(written))
    except ValueError as error:
        raise cmd.refuse("InvalidParameter", "out_of_range", parameter, written) from error  # class [I]
    if any(n.subnet == subnet for n in cmd.state.migration_networks):
        raise cmd.refuse("InvalidParameter", "out_of_range", parameter, written)
    return subnet


def _priority(cmd: Command, parameter: str) -> int | None:
    """A UInt32 goes in, an Int32 comes out."""
    if parameter not in cmd.args:
        return None
    number = cmd.args.number(parameter)
    if number >= 2**31:
        raise cmd.refuse("InvalidParameter", "out_of_range", parameter, number)  # [I]
    return number


def _meant(cmd: Command) -> list[MigrationNetwork]:
    """By wildcards too (replica-migration 1.3)."""
    text = cmd.args.text("Subnet")
    found = [n for n in cmd.state.migration_networks if like(n.subnet, text)]
    if not found and not is_pattern(text):
        raise cmd.refuse("ObjectNotFound", "out_of_range", "Subnet", text)  # replica-migration 10 [I]
    return found


@cmdlet("Get-VMMigrationNetwork")
def get(cmd: Command) -> None:
    patterns, priorities = cmd.args.texts("Subnet") or ["*"], cmd.args.many("Priority")
    for network in cmd.state.migration_networks:
        if not any(like(network.subnet, p) for p in patterns):
            continue
        if priorities and network.priority not in [int(p) for p in priorities]:
            continue
        cmd.emit(network_object(cmd.state, network))


@cmdlet("Add-VMMigrationNetwork", takes=0.1)
def add(cmd: Command) -> None:
    network = MigrationNetwork(_subnet(cmd, "Subnet"), _priority(cmd, "Priority"))
    cmd.state.migration_networks.append(network)
    cmd.passthru(network_object, cmd.state, network)


@cmdlet("Set-VMMigrationNetwork", takes=0.1)
def change(cmd: Command) -> None:
    for network in _meant(cmd):
        with cmd.trying():
            priority = _priority(cmd, "NewPriority")
            if "NewSubnet" in cmd.args:
                network.subnet = _subnet(cmd, "NewSubnet")
            network.priority = network.priority if priority is None else priority
            cmd.passthru(network_object, cmd.state, network)


@cmdlet("Remove-VMMigrationNetwork", takes=0.1)
def remove(cmd: Command) -> None:
    for network in _meant(cmd):
        cmd.state.migration_networks.remove(network)
        cmd.passthru(network_object, cmd.state, network)
