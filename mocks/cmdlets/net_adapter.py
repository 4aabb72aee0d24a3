"""Get-NetAdapter: the adapters of the host, and those that it has on switches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mocks.arguments import is_pattern, like
from mocks.command import Command, cmdlet
from mocks.interfaces import Card, cards
from mocks.objects import PsObject, Refusal
from mocks.state import HostState

_CIM = "Microsoft.Management.Infrastructure.CimInstance#ROOT/StandardCimv2/"


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
    found = cards(cmd.state, cmd.clock.now())
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
