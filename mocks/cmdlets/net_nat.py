"""Get-, New-, Remove-NetNat; Get-, Add-, Remove-NetNatStaticMapping (networking 1, 2, 5)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

from mocks.cmdlets._cim import CIM, check_administrator, check_confirmed, here, meant, system_error, word
from mocks.command import Command, cmdlet
from mocks.objects import PsObject, Refusal
from mocks.state import HostState, Nat, NatMapping

_CIM_EXCEPTION = "Microsoft.Management.Infrastructure.CimException"
ANY = ("0.0.0.0", "0.0.0.0/0", "0.0.0.0/24")  # how any address of the host is given (networking 2)


def _wrong(cmd: Command) -> Refusal:
    return system_error(cmd, 87, cmd.say("parameter_wrong"), "InvalidArgument")


def _check_installed(cmd: Command) -> None:
    if not cmd.state.hyper_v_installed:
        text = cmd.say("cim_class_missing")  # networking 5: without WinNAT
        raise cmd.fail("HRESULT 0x80041010", "MetadataError", text, _CIM_EXCEPTION)


def _nat_object(nat: Nat) -> PsObject:
    properties: dict[str, Any] = {
        "Name": nat.name,
        "InternalIPInterfaceAddressPrefix": nat.internal or None,
        "ExternalIPInterfaceAddressPrefix": nat.external or None,
        "InternalRoutingDomainId": "{00000000-0000-0000-0000-000000000000}",
        "IcmpQueryTimeout": 30,
        "TcpEstablishedConnectionTimeout": 1800,
        "TcpTransientConnectionTimeout": 120,
        "UdpIdleSessionTimeout": 120,
        "TcpFilteringBehavior": word("NetNat.FilteringBehaviorType", "AddressDependentFiltering", 1),
        "UdpFilteringBehavior": word("NetNat.FilteringBehaviorType", "AddressDependentFiltering", 1),
        "UdpInboundRefresh": False,
        "Store": word("NetNat.Store", "Local", 0),
        "Active": True,
        "PSComputerName": None,
    }
    return PsObject(CIM + "MSFT_NetNat", properties, entity=nat)


def _nats(cmd: Command) -> list[Nat]:
    if "InputObject" in cmd.args:
        return [n for n in cmd.args.entities("InputObject", Nat) if n in cmd.state.nats]
    return meant(cmd, "MSFT_NetNat", cmd.state.nats, {"Name": lambda nat: nat.name})


@cmdlet("Get-NetNat", module="host", takes=0.3)
def get(cmd: Command) -> None:
    _check_installed(cmd)
    cmd.emit(*(_nat_object(nat) for nat in _nats(cmd)))


@cmdlet("New-NetNat", module="host", takes=0.8)
def new(cmd: Command) -> None:
    _check_installed(cmd)
    check_administrator(cmd)
    state, name = cmd.state, cmd.args.text("Name")
    internal, external = (cmd.args.text(f"{side}IPInterfaceAddressPrefix") for side in ("Internal", "External"))
    if external or not internal:
        raise _wrong(cmd)  # an external one is for gateways of virtual networks (networking 2, 5)
    try:
        prefix = IPv4Network(internal)
    except ValueError:
        raise _wrong(cmd) from None  # host bits (networking 2: TFW)
    held = [IPv4Network(nat.internal, strict=False) for nat in state.nats if nat.internal]
    unseen = [IPv4Network(text, strict=False) for text in state.hidden_nats]
    if any(nat.name.lower() == name.lower() for nat in state.nats) or prefix in (*held, *unseen):
        raise system_error(cmd, 52, cmd.say("duplicate_name"))
    if any(prefix.overlaps(other) for other in (*held, *unseen)):
        raise system_error(cmd, 52, cmd.say("duplicate_name"))  # refused (networking 2); the code [I]
    if state.nats and not state.at_least("2022"):
        raise _wrong(cmd)  # one on hosts of 2016's time; of 2019 nothing is attested
    if any(ip_address(a.ip) in prefix for card in here(cmd) if not _inside(state, card.id) for a in card.addresses):
        raise _wrong(cmd)
    state.nats.append(nat := Nat(name, internal))
    cmd.emit(_nat_object(nat))


def _inside(state: HostState, adapter_id: str) -> bool:
    """An adapter on an internal switch: those the prefix is for."""
    own = next((a for a in state.management_adapters if a.id == adapter_id), None)
    switch = state.switch(own.switch) if own else None
    return switch is not None and switch.type == "Internal"


@cmdlet("Remove-NetNat", module="host", takes=0.8)
def remove(cmd: Command) -> None:
    """Its mappings go with it [I]. Without a name all of them (networking 2)."""
    _check_installed(cmd)
    check_administrator(cmd)
    check_confirmed(cmd)
    gone = _nats(cmd)
    cmd.state.nats = [nat for nat in cmd.state.nats if nat not in gone]


# --- static mappings ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Mapped:
    nat: Nat
    mapping: NatMapping


def _mapping_object(one: Mapped) -> PsObject:
    inner, _, port = one.mapping.to.partition(":")
    properties: dict[str, Any] = {
        "StaticMappingID": one.mapping.id,
        "NatName": one.nat.name,
        "Protocol": word(
            "NetNatStaticMapping.Protocol", one.mapping.protocol, 6 if one.mapping.protocol == "TCP" else 17
        ),
        "RemoteExternalIPAddressPrefix": "0.0.0.0/0",
        "ExternalIPAddress": one.mapping.external,
        "ExternalPort": one.mapping.port,
        "InternalIPAddress": inner,
        "InternalPort": int(port),
        "InternalRoutingDomainId": "{00000000-0000-0000-0000-000000000000}",
        "Active": True,
        "PSComputerName": None,
    }
    return PsObject(CIM + "MSFT_NetNatStaticMapping", properties, entity=one)


def _mappings(cmd: Command) -> list[Mapped]:
    all_of = [Mapped(nat, mapping) for nat in cmd.state.nats for mapping in nat.mappings]
    if "InputObject" in cmd.args:
        given = [m.mapping for m in cmd.args.entities("InputObject", Mapped)]
        return [m for m in all_of if m.mapping in given]
    keys = {"NatName": lambda m: m.nat.name, "StaticMappingID": lambda m: str(m.mapping.id)}
    return meant(cmd, "MSFT_NetNatStaticMapping", all_of, keys)


@cmdlet("Get-NetNatStaticMapping", module="host", takes=0.3)
def get_mappings(cmd: Command) -> None:
    _check_installed(cmd)
    cmd.emit(*(_mapping_object(one) for one in _mappings(cmd)))


@cmdlet("Add-NetNatStaticMapping", module="host", takes=0.5)
def add_mapping(cmd: Command) -> None:
    _check_installed(cmd)
    check_administrator(cmd)
    args, state = cmd.args, cmd.state
    nat = next((n for n in state.nats if n.name.lower() == args.text("NatName").lower()), None)
    if nat is None or not nat.internal:
        raise system_error(cmd, 1168, cmd.say("element_missing"), "ObjectNotFound")  # code [I]
    port, protocol = args.number("ExternalPort"), args.text("Protocol").upper()
    taken = ((m.protocol, m.port) for n in state.nats for m in n.mappings)
    in_use = (protocol, port) in taken or port in state.reserved_ports
    if in_use or args.text("ExternalIPAddress") not in ANY:
        raise system_error(cmd, 32, cmd.say("port_in_use"))  # networking 2: taken, reserved, or a specific address
    inner = args.text("InternalIPAddress")
    if port == 0 or ip_address(inner) not in ip_network(nat.internal, strict=False):
        raise _wrong(cmd)  # [I]
    to = f"{inner}:{args.number('InternalPort') or port}"  # PSD: the same where it is not given
    number = 1 + max((m.id for n in state.nats for m in n.mappings), default=-1)
    mapping = NatMapping(port, to, protocol, id=number)
    nat.mappings.append(mapping)
    cmd.emit(_mapping_object(Mapped(nat, mapping)))


@cmdlet("Remove-NetNatStaticMapping", module="host", takes=0.5)
def remove_mapping(cmd: Command) -> None:
    _check_installed(cmd)
    check_administrator(cmd)
    check_confirmed(cmd)
    for one in _mappings(cmd):
        one.nat.mappings.remove(one.mapping)
