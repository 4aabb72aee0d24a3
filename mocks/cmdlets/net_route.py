"""Get-, New-, Remove-NetRoute: default routes, and those that addresses bring (networking 3 to 5)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from mocks.cmdlets._cim import CIM, check_administrator, check_confirmed, here, meant, system_error, the_card, word
from mocks.command import Command, cmdlet
from mocks.interfaces import Card, same_ip
from mocks.objects import PsObject

DEFAULTS = ("0.0.0.0/0", "::/0")
_PROTOCOLS = {"Local": 2, "NetMgmt": 3, "Dhcp": 19}


@dataclass(frozen=True, eq=False)
class Route:
    """`home`, `text`: where it is kept; None: an address brings it."""

    card: Card
    to: str
    via: str
    protocol: str
    home: list[str] | None = None
    text: str = ""

    @property
    def family(self) -> str:
        return "IPv6" if ":" in self.to else "IPv4"


def _routes(cmd: Command) -> list[Route]:
    found: list[Route] = []
    for card in here(cmd):
        if card.status != "Up":
            continue
        for address in card.addresses:
            via = "::" if address.at.version == 6 else "0.0.0.0"
            found.append(Route(card, str(address.at.network), via, "Local"))
        for home, text in card.listed("gateways"):
            hop, *words = text.split()
            to = "::/0" if ":" in hop else "0.0.0.0/0"
            found.append(Route(card, to, hop, "Dhcp" if "dhcp" in words else "NetMgmt", home, text))
    return found


def _object(route: Route, store: str = "ActiveStore") -> PsObject:
    properties: dict[str, Any] = {
        "DestinationPrefix": route.to,
        "NextHop": route.via,
        "InterfaceAlias": route.card.name,
        "InterfaceIndex": route.card.index,
        "AddressFamily": word("NetRoute.AddressFamily", route.family, 23 if route.family == "IPv6" else 2),
        "RouteMetric": 256,
        "Protocol": word("NetRoute.Protocol", route.protocol, _PROTOCOLS[route.protocol]),
        "PolicyStore": store,
        "PSComputerName": None,
    }
    return PsObject(CIM + "MSFT_NetRoute", properties, entity=route)


def _meant(cmd: Command) -> list[Route]:
    if "InputObject" in cmd.args:
        given = cmd.args.entities("InputObject", Route)
        same = [(r, n) for r in given for n in _routes(cmd) if (n.card.id, n.to, n.via) == (r.card.id, r.to, r.via)]
        return [now for _, now in same]
    keys = {
        "DestinationPrefix": lambda r: r.to,
        "InterfaceIndex": lambda r: str(r.card.index),
        "InterfaceAlias": lambda r: r.card.name,
        "NextHop": lambda r: r.via,
        "AddressFamily": lambda r: r.family,
    }
    return meant(cmd, "MSFT_NetRoute", _routes(cmd), keys)


@cmdlet("Get-NetRoute", module="host", takes=0.2)
def get(cmd: Command) -> None:
    cmd.emit(*(_object(route) for route in _meant(cmd)))


@cmdlet("New-NetRoute", module="host", takes=0.3)
def new(cmd: Command) -> None:
    check_administrator(cmd)
    card, to, via = the_card(cmd), cmd.args.text("DestinationPrefix"), cmd.args.text("NextHop")
    try:
        ip_network(to)
    except ValueError:
        raise system_error(cmd, 87, cmd.say("parameter_wrong"), "InvalidArgument") from None  # PSD: host bits zero
    if to not in DEFAULTS:
        text = "the simulated host keeps default routes only"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
    if any(r.card.id == card.id and r.to == to and same_ip(r.via, via) for r in _routes(cmd)):
        raise system_error(cmd, 87, cmd.say("instance_exists", "MSFT_NetRoute"), "InvalidArgument")
    card.holders[-1].gateways.append(via)
    route = Route(card, to, via, "NetMgmt")
    cmd.emit(_object(route), _object(route, "PersistentStore"))


@cmdlet("Remove-NetRoute", module="host", takes=0.3)
def remove(cmd: Command) -> None:
    """Without a filter all of them, default routes included (networking 2)."""
    check_administrator(cmd)
    check_confirmed(cmd)
    for route in _meant(cmd):
        if route.home is not None and route.text in route.home:
            route.home.remove(route.text)
