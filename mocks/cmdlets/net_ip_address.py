"""Get-, New-, Set-, Remove-NetIPAddress (networking 3 to 5)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface
from typing import Any

from mocks.cmdlets import _management
from mocks.cmdlets._cim import CIM, check_administrator, check_confirmed, here, meant, system_error, the_card, word
from mocks.command import Command, cmdlet
from mocks.interfaces import Address, Card, carrier, same_ip, way_in
from mocks.objects import PsObject

CHECKED_S = 3.0  # tentative to preferred (networking 3 [I])
_ORIGINS = {"Other": 0, "Manual": 1, "WellKnown": 2, "Dhcp": 3, "Link": 4}
_STATES = {"Invalid": 0, "Tentative": 1, "Duplicate": 2, "Deprecated": 3, "Preferred": 4}


@dataclass(frozen=True, eq=False)
class Listed:
    """An address as a row. `kept`: what it stands for; None: one that DHCP leaves."""

    card: Card
    ip: str
    length: int
    origin: str
    state: str
    kept: Address | None

    @property
    def family(self) -> str:
        return "IPv6" if ":" in self.ip else "IPv4"


def listed(cmd: Command) -> list[Listed]:
    found: list[Listed] = []
    for card in here(cmd):
        for a in card.addresses:
            origin = "WellKnown" if a.at.ip.is_link_local and a.origin == "Manual" else a.origin
            found.append(Listed(card, a.ip, a.at.network.prefixlen, origin, a.state, a))
        if card.link_local:
            found.append(Listed(card, card.link_local, 16, "WellKnown", "Preferred", None))
    return found


def _object(one: Listed, state: str = "", store: str = "ActiveStore") -> PsObject:
    state = state or one.state
    suffix = "Link" if one.origin == "WellKnown" else one.origin
    properties: dict[str, Any] = {
        "IPAddress": one.ip,
        "InterfaceAlias": one.card.name,
        "InterfaceIndex": one.card.index,
        "AddressFamily": word("NetIPAddress.AddressFamily", one.family, 23 if one.family == "IPv6" else 2),
        "PrefixLength": one.length,
        "Type": word("NetIPAddress.Type", "Unicast", 1),
        "PrefixOrigin": word("NetIPAddress.PrefixOrigin", one.origin, _ORIGINS[one.origin]),
        "SuffixOrigin": word("NetIPAddress.SuffixOrigin", suffix, _ORIGINS[suffix]),
        "AddressState": word("NetIPAddress.AddressState", state, _STATES[state]),
        "SkipAsSource": False,
        "PolicyStore": store,
        "PSComputerName": None,
    }
    return PsObject(CIM + "MSFT_NetIPAddress", properties, entity=one)


def _meant(cmd: Command) -> list[Listed]:
    keys = {
        "InterfaceIndex": lambda one: str(one.card.index),
        "InterfaceAlias": lambda one: one.card.name,
        "IPAddress": lambda one: one.ip,
        "AddressFamily": lambda one: one.family,
    }
    if "InputObject" in cmd.args:
        given = cmd.args.entities("InputObject", Listed)
        now = listed(cmd)
        return [n for g in given for n in now if n.ip == g.ip and n.card.id == g.card.id]
    return meant(cmd, "MSFT_NetIPAddress", listed(cmd), keys)


@cmdlet("Get-NetIPAddress", module="host", takes=0.2)
def get(cmd: Command) -> None:
    cmd.emit(*(_object(one) for one in _meant(cmd)))


@cmdlet("New-NetIPAddress", module="host", takes=0.4)
def new(cmd: Command) -> None:
    check_administrator(cmd)
    card, wanted = the_card(cmd), cmd.args.text("IPAddress")
    at = ip_interface(f"{wanted}/{cmd.args.number('PrefixLength') or (32 if '.' in wanted else 128)}")
    for one in listed(cmd):
        if same_ip(one.ip, wanted):
            if one.card.id == card.id:
                text = cmd.say("instance_exists", "MSFT_NetIPAddress")
                raise system_error(cmd, 87, text, "InvalidArgument")
            raise system_error(cmd, 5010, cmd.say("object_exists"))
    if at.version == 4 and card.dhcp and card.status != "Up":
        # networking 4: with the link down the stores disagree (proven, id 70963244838)
        raise system_error(cmd, 87, cmd.say("stores_differ"), "InvalidArgument")
    if "DefaultGateway" in cmd.args:
        if any(":" not in text for _, text in card.listed("gateways")):
            raise system_error(cmd, 87, cmd.say("instance_exists", "DefaultGateway"), "InvalidArgument")
        card.holders[-1].gateways.append(cmd.args.text("DefaultGateway"))
    carried = carrier(cmd.state)
    before = way_in(carried) if carried else None
    if at.version == 4 and card.dhcp:
        card.end_dhcp()  # PSD: it is disabled by itself
    text = f"{at} tentative"
    card.own.append(text)
    if before is not None and carried is not None and carried.id == card.id and way_in(card) != before:
        _management.cut(cmd)
    own = card.own

    def checked() -> None:
        if text in own:
            taken = any(same_ip(other, str(at.ip)) for other in cmd.state.addresses_elsewhere)
            own[own.index(text)] = f"{at} duplicate" if taken else str(at)

    if card.status == "Up":  # else it stays tentative (networking 3)
        cmd.clock.after(CHECKED_S, checked)
    one = Listed(card, str(at.ip), at.network.prefixlen, "Manual", "Tentative", None)
    cmd.emit(_object(one), _object(one, "Invalid", "PersistentStore"))


@cmdlet("Set-NetIPAddress", module="host", takes=0.3)
def change(cmd: Command) -> None:
    check_administrator(cmd)
    for one in _meant(cmd):
        if one.kept is not None and "PrefixLength" in cmd.args:
            rest = one.kept.text.split()[1:]
            one.kept.become(" ".join([f"{one.ip}/{cmd.args.number('PrefixLength')}", *rest]))


@cmdlet("Remove-NetIPAddress", module="host", takes=0.3)
def remove(cmd: Command) -> None:
    """Without a filter all of them: so it is said of the real one."""
    check_administrator(cmd)
    check_confirmed(cmd)
    for one in _meant(cmd):
        carried = carrier(cmd.state)
        came_by = way_in(carried) if carried is not None and carried.id == one.card.id else None
        if one.kept is not None:
            one.kept.home.remove(one.kept.text)
        if came_by is not None and same_ip(came_by, one.ip):
            _management.cut(cmd)
