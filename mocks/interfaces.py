"""The interfaces of the simulated host as TCP/IP has them: whose addresses, default routes and name servers they show.

An address is written `192.0.2.11/24`, with words behind it for what is not as usual: `dhcp` or `other` for where it comes
from (else by hand), `tentative`, `duplicate` or `deprecated` for its state (else preferred). Next hops and name servers may
be followed by `dhcp` too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from math import inf

from mocks.machine import Adapter
from mocks.state import HostState, NetAdapter

_STATES = ("tentative", "duplicate", "deprecated")
_ORIGINS = {"dhcp": "Dhcp", "other": "Other"}


@dataclass(frozen=True, eq=False)
class Address:
    """`home`: the list that it stands in, as `text`."""

    home: list[str]
    text: str

    @property
    def at(self) -> IPv4Interface | IPv6Interface:
        return ip_interface(self.text.split()[0])

    @property
    def ip(self) -> str:
        return str(self.at.ip)

    @property
    def family(self) -> str:
        return f"IPv{self.at.version}"

    @property
    def origin(self) -> str:
        return next((_ORIGINS[w] for w in self.text.split()[1:] if w in _ORIGINS), "Manual")

    @property
    def state(self) -> str:
        return next((w.capitalize() for w in self.text.split()[1:] if w in _STATES), "Preferred")

    def become(self, text: str) -> None:
        self.home[self.home.index(self.text)] = text


@dataclass(frozen=True, eq=False)
class Card:
    """An adapter as Windows lists it: a physical one, or a management OS adapter of a switch. `holders`: whose settings of
    TCP/IP it shows: those of the adapter below a switch move to one on it. `appears`: on the clock."""

    name: str
    description: str
    id: str
    index: int
    mac: str
    speed: int
    status: str
    virtual: bool
    holders: tuple[NetAdapter | Adapter, ...]
    appears: float = 0.0

    @property
    def addresses(self) -> list[Address]:
        return [Address(texts, text) for h in self.holders for texts in (_texts(h),) for text in texts]

    @property
    def own(self) -> list[str]:
        """Where a new address goes."""
        return _texts(self.holders[-1])

    @property
    def dhcp(self) -> bool:
        """One that took over the settings of another does as that did."""
        return bool(self.holders and self.holders[0].dhcp)

    @property
    def link_local(self) -> str | None:
        """What DHCP leaves where nobody answers (networking 3: WellKnown, Link)."""
        alone = not any(a.family == "IPv4" for a in self.addresses)
        number = int(self.mac[-4:] or "1", 16) % 65000
        return (
            f"169.254.{number // 256 % 254 + 1}.{number % 256}" if self.dhcp and alone and self.status == "Up" else None
        )

    def listed(self, name: str) -> Iterator[tuple[list[str], str]]:
        """`gateways` or `dns`, each with the list it stands in."""
        for holder in self.holders:
            texts: list[str] = getattr(holder, name)
            yield from ((texts, text) for text in list(texts))

    def end_dhcp(self) -> None:
        """It is turned off, and what a lease brought is gone."""
        for holder in self.holders:
            holder.dhcp = False
            for texts in (_texts(holder), holder.gateways, holder.dns):
                for text in [t for t in texts if "dhcp" in t.split()[1:]]:
                    if texts is not _texts(holder) or ip_interface(text.split()[0]).version == 4:
                        texts.remove(text)


def _texts(holder: NetAdapter | Adapter) -> list[str]:
    return holder.addresses if isinstance(holder, NetAdapter) else holder.ip_addresses


def cards(state: HostState, now: float = inf) -> list[Card]:
    """Those that Windows has at that time."""
    found: list[Card] = []
    moved: dict[str, tuple[NetAdapter, ...]] = {}
    for nic in state.nics:
        switch = next((s for s in state.switches if nic.name in s.net_adapters), None)
        if switch is not None:
            moved[nic.moved_to or ""] = (*moved.get(nic.moved_to or "", ()), nic)
        own = () if switch else (nic,)
        found.append(
            Card(nic.name, nic.description, nic.id, nic.index, nic.mac_address, nic.link_speed, nic.status, False, own)
        )
    for number, adapter in enumerate(state.management_adapters):
        suffix = f" #{number + 1}" if number else ""
        brought = tuple(n for n in moved.get(adapter.id, ()) if n.addresses or n.gateways or n.dns)
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
                (*brought, adapter),
                adapter.appears,
            )
        )
    return [card for card in found if card.appears <= now]


def carrier(state: HostState) -> Card | None:
    """The one that WinRM comes in by: the adapter or switch of that name, or the switch over that adapter."""
    name = state.management.lower()
    below = next((s.name.lower() for s in state.switches if name in (n.lower() for n in s.net_adapters)), "")
    named = {name, f"vethernet ({name})", f"vethernet ({below})"}
    having = [c for c in cards(state) if c.name.lower() in named and way_in(c)]
    return having[0] if having else None


def way_in(card: Card) -> str | None:
    """The address that the connection is to."""
    usable = (a for a in card.addresses if not a.at.ip.is_link_local and a.state not in ("Duplicate", "Tentative"))
    return next((a.ip for a in usable), None)


def same_ip(one: str, other: str) -> bool:
    try:
        return ip_address(one.partition("%")[0]) == ip_address(other.partition("%")[0])
    except ValueError:
        return one.lower() == other.lower()
