"""Get-NetAdapter, Get-NetIPAddress: what the network of the host looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mocks.arguments import is_pattern, like
from mocks.command import Command, cmdlet
from mocks.objects import PsObject, Refusal
from mocks.state import HostState

_CIM = "Microsoft.Management.Infrastructure.CimInstance#ROOT/StandardCimv2/"


@dataclass(frozen=True)
class Card:
    """An adapter as Windows lists it: a physical one, or a management OS adapter of a switch."""

    name: str
    description: str
    id: str
    index: int
    mac: str
    speed: int
    status: str
    virtual: bool = False
    addresses: Sequence[str] = field(default_factory=list)


def cards(state: HostState) -> list[Card]:
    found: list[Card] = []
    moved: dict[str, Sequence[str]] = {}
    for nic in state.nics:
        switch = next((s for s in state.switches if nic.name in s.net_adapters), None)
        if switch is not None:  # the addresses go to the switch's adapter
            moved[switch.id] = [*moved.get(switch.id, ()), *nic.addresses]
        own = [] if switch else nic.addresses
        found.append(
            Card(
                nic.name,
                nic.description,
                nic.id,
                nic.index,
                nic.mac_address,
                nic.link_speed,
                nic.status,
                addresses=own,
            )
        )
    for number, adapter in enumerate(state.management_adapters):
        suffix = f" #{number + 1}" if number else ""
        addresses = [*moved.pop(adapter.switch or "", ()), *adapter.ip_addresses]
        found.append(
            Card(
                f"vEthernet ({adapter.name})",
                f"Hyper-V Virtual Ethernet Adapter{suffix}",
                adapter.id,
                40 + number,
                adapter.mac_address,
                10_000_000_000,
                "Up",
                True,
                addresses,
            )
        )
    return found


def _speed(bits: int) -> str:
    for unit, size in (("Gbps", 10**9), ("Mbps", 10**6)):
        if bits >= size:
            return f"{bits / size:g} {unit}"
    return f"{bits} bps"


def card_object(state: HostState, card: Card) -> PsObject:
    mac = "-".join(card.mac[i : i + 2] for i in range(0, 12, 2))
    up = card.status == "Up"
    properties: dict[str, Any] = {
        "Name": card.name,
        "InterfaceAlias": card.name,
        "ifAlias": card.name,
        "InterfaceDescription": card.description,
        "ifDesc": card.description,
        "InterfaceIndex": card.index,
        "ifIndex": card.index,
        "InterfaceGuid": "{" + card.id.upper() + "}",
        "Status": card.status,
        "MediaConnectionState": "Connected" if up else "Disconnected",
        "MacAddress": mac,
        "PermanentAddress": card.mac,
        "LinkSpeed": _speed(card.speed),
        "Speed": card.speed,
        "TransmitLinkSpeed": card.speed,
        "ReceiveLinkSpeed": card.speed,
        "Virtual": card.virtual,
        "HardwareInterface": not card.virtual,
        "Hidden": False,
        "SystemName": state.name,
        "PSComputerName": None,
    }
    return PsObject(_CIM + "MSFT_NetAdapter", properties, entity=card)


def not_found(cmd: Command, of: str, prop: str, value: str) -> Refusal:
    """The refusal of a CDXML function whose query found nothing."""
    text = cmd.say("cim_missing", of, prop, value)
    exception = "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"
    return cmd.fail(f"CmdletizationQuery_NotFound_{prop}", "ObjectNotFound", text, exception, target=f"{value}:String")


@cmdlet("Get-NetAdapter", module="host", takes=0.2)
def get(cmd: Command) -> None:
    args = cmd.args
    found = cards(cmd.state)
    if args.flag("Physical"):
        found = [c for c in found if not c.virtual]
    keys: tuple[tuple[str, Callable[[Card], str]], ...] = (
        ("Name", lambda c: c.name),
        ("InterfaceDescription", lambda c: c.description),
        ("InterfaceIndex", lambda c: str(c.index)),
    )
    for parameter, of in keys:
        if parameter not in args:
            continue
        kept: list[Card] = []
        for text in args.texts(parameter):
            one = [c for c in found if like(of(c), text)]
            if not one and not is_pattern(text):
                with cmd.trying():
                    raise not_found(cmd, "MSFT_NetAdapter", parameter, text)
            kept += one
        found = kept
    cmd.emit(*(card_object(cmd.state, c) for c in found))


@cmdlet("Get-NetIPAddress", module="host", takes=0.2)
def get_addresses(cmd: Command) -> None:
    args = cmd.args
    aliases, wanted = args.texts("InterfaceAlias"), args.texts("IPAddress")
    families = [f.lower() for f in args.texts("AddressFamily")]
    emitted = len(cmd.objects)
    for card in cards(cmd.state):
        for text in card.addresses:
            address, _, prefix = text.partition("/")
            family = "IPv6" if ":" in address else "IPv4"
            if (aliases and not any(like(card.name, a) for a in aliases)) or (
                wanted and not any(like(address, w) for w in wanted)
            ):
                continue
            if "InterfaceIndex" in args and str(card.index) not in args.texts("InterfaceIndex"):
                continue
            if families and family.lower() not in families:
                continue
            properties = {
                "IPAddress": address,
                "InterfaceAlias": card.name,
                "InterfaceIndex": card.index,
                "AddressFamily": family,
                "PrefixLength": int(prefix or (64 if family == "IPv6" else 24)),
                "Type": "Unicast",
                "PrefixOrigin": "Manual",
                "SuffixOrigin": "Manual",
                "AddressState": "Preferred",
                "SkipAsSource": False,
                "PolicyStore": "ActiveStore",
                "PSComputerName": None,
            }
            cmd.emit(PsObject(_CIM + "MSFT_NetIPAddress", properties, entity=card))
    for parameter in ("IPAddress", "InterfaceAlias"):
        if parameter in args and len(cmd.objects) == emitted:
            raise not_found(cmd, "MSFT_NetIPAddress", parameter, args.texts(parameter)[0])
