"""Address translation for an internal switch: the host's address, the NAT, its port mappings (networking 1, 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address, ip_interface
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS, at_least, contract, elsewhere, title
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.describe import all_written
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.rows import parsed
from hvctl.core.values import ANYTHING, State
from hvctl.kinds._addressed import OURS
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._ip import (
    CONNECTIONS,
    DEVICES,
    HOST_ADDRESSES,
    INTERFACES,
    NATS,
    Found,
    Interface,
    everywhere,
    interface_of,
    may_carry,
    nats_on,
    new_interface,
    on_interface,
    spelt,
    translated,
)
from hvctl.kinds._network import HOST_ADAPTERS, SWITCHES, switch_rows
from hvctl.kinds._switch import TYPES, SwitchPart
from hvctl.kinds._types import Flag, Words
from hvctl.kinds.host_network_adapter import HostNetworkAdapter
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.number import is_whole, whole
from hvctl.text.visible import quoted

MAPPINGS = Call(
    "Get-NetNatStaticMapping",
    select=(
        *("NatName", "StaticMappingID", "Protocol", "ExternalIPAddress", "ExternalPort"),
        *("InternalIPAddress", "InternalPort"),
    ),
)

PROTOCOL = Words(tcp="TCP", udp="UDP")
_PROTOCOLS = {6: "TCP", 17: "UDP"}
_ANY = IPv4Address(0)
"""As the outer address of a mapping: any of the host's. A specific one fails (networking 2)."""

SEVERAL: OS = "2022"
"""From here on several NATs are known to work beside each other; one is what is documented (networking 2)."""


def _prefix(text: str) -> str:
    try:
        loose = IPv4Network(text, strict=False)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not an IPv4 network; write such as '192.168.50.0/24'") from None
    if "/" not in text or str(loose) != text:
        raise ValueError(f"{quoted(text)} is not the address of a network; write '{loose}'")
    if not 8 <= loose.prefixlen <= 30:
        raise ValueError(f"{quoted(text)} leaves no addresses to translate; write a prefix length from 8 to 30")
    return text


def _inner_address(text: str) -> str:
    try:
        found = ip_interface(text)
    except ValueError:
        found = None
    if found is None or found.version != 4:
        raise ValueError(f"{quoted(text)} is not an IPv4 address; write such as '192.168.50.1'")
    return str(found) if "/" in text else str(found.ip)


def _endpoint(text: str) -> str:
    host, colon, port = text.partition(":")
    try:
        address = IPv4Address(host)
    except ValueError:
        address = None
    if address is None or not colon or not is_whole(port) or not 1 <= whole(port) <= 65_535:
        raise ValueError(f"{quoted(text)} is not an address and a port; write such as '192.168.50.10:443'")
    return f"{address}:{whole(port)}"


class PortMapping(Fields):
    """A port of the host that leads to one of a VM."""

    port: Annotated[int, Field(ge=1, le=65_535)]
    to: Annotated[str | None, AfterValidator(lambda text: text and _endpoint(text))] = None
    protocol: Annotated[str, PROTOCOL] = "tcp"
    ensure: Literal["present", "absent"] = "present"

    @property
    def outside(self) -> tuple[str, int]:
        return self.protocol, self.port


@dataclass(frozen=True, order=True)
class Mapped:
    """A mapping as the host has it. `id`: what the host calls it."""

    protocol: str
    port: int
    to: str
    nat: str
    id: int

    @property
    def text(self) -> str:
        return _text((self.protocol, self.port), self.to)


def _text(outside: tuple[str, int], to: str) -> str:
    return f"{outside[1]}/{outside[0]} to {to}"


class Nat(OfHyperV):
    """Address translation for the VMs on an internal switch (Windows Server 2016 and later): the host gets `address` on
    its adapter of the switch, and a NAT of that `prefix` (`name`, else the switch's name). `address` has the prefix's
    length unless it is written with one of its own, for a wide prefix that several switches share. `mappings` lead a port
    of the host's to a VM; those that are not listed stay, unless `mappings_only` is written. Nothing opens the
    firewall: see [address translation](host-network.md#address-translation)."""

    kind: ClassVar[str] = "nat"
    section: ClassVar[str] = "nat"
    within: ClassVar[str | None] = "switch"
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("subnet", "network", "internal_prefix"), "prefix"),
        **dict.fromkeys(("gateway", "ip"), "address"),
        **dict.fromkeys(("ports", "forwards", "port_forwards", "static_mappings"), "mappings"),
    }

    name: Annotated[str | None, Field(min_length=1)] = None
    prefix: Annotated[str | None, AfterValidator(lambda text: text and _prefix(text))] = None
    host_address: Annotated[
        str | None, Field(alias="address"), AfterValidator(lambda text: text and _inner_address(text))
    ] = None  # a resource has an address of its own
    mappings: list[PortMapping] | None = None
    mappings_only: Flag = False
    ensure: Literal["present", "absent"] = "present"

    # --- as desired ------------------------------------------------------------------------------------------------

    @property
    def switch(self) -> SwitchPart:
        assert isinstance(self.owner, SwitchPart)
        return self.owner

    @property
    def absent(self) -> bool:
        """With its switch, too."""
        return self.ensure == "absent" or (self.owner is not None and self.owner.absent)

    @property
    def called(self) -> str:
        return self.name or self.switch.name

    def _unwrite(self, dotted: str) -> None:
        super()._unwrite("host_address" if dotted == "address" else dotted)

    @property
    def _adapter(self) -> HostNetworkAdapter | None:
        """The host's adapter on the switch, where the playbook says all addresses of it."""
        peer = self.named(HostNetworkAdapter, self.switch.name)
        return peer if peer is not None and not peer.absent and peer.addresses is not None else None

    @property
    def elsewhere(self) -> bool:
        """Whether its address is another resource's."""
        return self._adapter is not None

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        made = contract(os).cmdlet("New-NetNat")
        if not self.absent and (made is None or made.answer("InternalIPInterfaceAddressPrefix") != "present"):
            hint = elsewhere(os, "New-NetNat", "InternalIPInterfaceAddressPrefix")
            yield finding("", f"{title(os)} has no address translation for internal switches", hint)
        if self.absent:
            return
        if self.switch.type not in (None, "internal") or (self.switch.type is None and self.switch.net_adapters):
            kind = self.switch.type or "external"
            yield finding("", f"{self.switch.name} is {kind}; a NAT is for the VMs on an internal switch", "remove it")
        if self.prefix is not None:
            yield from self._within(IPv4Network(self.prefix))
            yield from self._agreed(IPv4Network(self.prefix))
        if self.mappings_only and self.mappings is None:
            yield finding("mappings_only", "no mappings are written", "write `mappings: []` to remove all of them")
        seen: dict[tuple[str, int], int] = {}
        for n, one in enumerate(self.mappings or ()):
            if seen.setdefault(one.outside, n) != n:
                yield finding(f"mappings.{n}.port", f"{one.port}/{one.protocol} is mapped twice", "keep one of them")
            if one.ensure == "present" and one.to is None:
                yield finding(f"mappings.{n}", f"port {one.port} leads nowhere", "write `to`")

    def _agreed(self, prefix: IPv4Network) -> Iterator[Diagnostic]:
        """With what is written of the adapter."""
        peer = self._adapter
        own = _with_length(self.host_address, prefix)
        if peer is not None and own is not None and str(own) not in (peer.addresses or ()):
            place = peer.place.mark("addresses")
            yield finding(
                "address", f"{own} is not among the addresses of the host's adapter at {place}", "add it there"
            )

    def _within(self, prefix: IPv4Network) -> Iterator[Diagnostic]:
        own = _with_length(self.host_address, prefix)
        if own is not None and (own.ip not in prefix or own.ip in _ends(own.network) or own.ip in _ends(prefix)):
            yield finding(
                "address", f"{own.ip} is not an address that a host can have within {prefix}", "write another one of it"
            )
        for n, one in enumerate(self.mappings or ()):
            inner = IPv4Address(one.to.partition(":")[0]) if one.to and one.ensure == "present" else None
            if inner is not None and inner not in prefix:
                yield finding(f"mappings.{n}.to", f"{inner} is not within {prefix}", "write a VM's address there")
            elif inner is not None and own is not None and inner == own.ip:
                yield finding(f"mappings.{n}.to", f"{inner} is the host itself", "write a VM's address")

    @classmethod
    def rules_together(cls, wishes: tuple[Self, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
        nats = [w for w in wishes if not w.absent and w.prefix is not None]
        for n, one in enumerate(nats):
            for first in nats[:n]:
                yield from ((one, found) for found in _beside(one, first, os))

    # --- as it is --------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (NATS, MAPPINGS, DEVICES, INTERFACES, HOST_ADDRESSES)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """By the host's address, which is all that links it with a switch; one that several share is of none."""
        if isinstance(owner, SwitchPart) and (own := owner.of_host(facts)):
            for name in nats_on(own, facts)[:1]:
                yield cls.model_validate({"name": name})

    def queries(self) -> tuple[Call, ...]:
        return (*self.survey(), CONNECTIONS, SWITCHES)

    @classmethod
    def unnameable(cls, owner: Resource | None, facts: Facts) -> Iterator[tuple[str, str]]:
        if not facts.asked(NATS):
            return
        adapters = facts.rows(HOST_ADAPTERS)
        on = [[r for r in adapters if r["SwitchName"] == name] for name in {r["SwitchName"] for r in adapters}]
        linked = {name for those in on for name in nats_on(those, facts)[:1]}
        for name in (str(row["Name"]) for row in facts.rows(NATS)):
            if name not in linked:
                yield name, "no address of the host says on which switch it is"

    def reader(self) -> Self:
        return all_written(self, {"mappings": [], "mappings_only": True})

    def as_written(self, found: State, facts: Facts) -> State:
        mappings = [
            {"port": m.port, "to": m.to, **({"protocol": m.protocol} if m.protocol != "tcp" else {})}
            for m in self.mapped(facts)
        ]
        return {**found, "mappings": mappings}

    def by_default(self, facts: Facts) -> State:
        return {"name": self.switch.name, "mappings": [], "mappings_only": ANYTHING}

    def row(self, facts: Facts) -> Row | None:
        """networking 2: names are unique."""
        return next(iter(facts.of_key(NATS, "Name", self.called)), None)

    def mapped(self, facts: Facts) -> tuple[Mapped, ...]:
        """Its mappings from any address of the host."""
        return tuple(m for m in _all_mapped(facts) if m.nat.casefold() == self.called.casefold())

    def wanted(self) -> State:
        found: dict[str, Any] = {}
        if self.prefix is not None:
            found["prefix"] = self.prefix
        if self.host_address is not None and not self.elsewhere:
            found["address"] = self.host_address
        if self.mappings is not None:
            present = (m for m in self.mappings if m.ensure == "present" and m.to)
            found["mappings"] = frozenset(_text(m.outside, m.to or "") for m in present)
        return found

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        if row is None:
            return None
        if not row.get("InternalIPInterfaceAddressPrefix"):
            outer = row.get("ExternalIPInterfaceAddressPrefix")
            text = f"the NAT {self.called} of this host is for virtual networks (external prefix {outer})"
            raise HeldBackError(text, "write another name")
        return {"prefix": str(translated(row)), "address": self._address(facts), "mappings": self._mappings(facts)}

    def _network(self, facts: Facts) -> IPv4Network | None:
        """As it is written, else as it is."""
        if self.prefix is not None:
            return IPv4Network(self.prefix)
        row = self.row(facts)
        return None if row is None or not row.get("InternalIPInterfaceAddressPrefix") else translated(row)

    def _own(self, facts: Facts) -> IPv4Interface | None:
        """The host's address, as it is written, with the length of its prefix."""
        network = self._network(facts)
        return None if network is None else _with_length(self.host_address, network)

    def _mappings(self, facts: Facts) -> frozenset[str]:
        listed = {m.outside for m in self.mappings or ()}
        return frozenset(m.text for m in self.mapped(facts) if self.mappings_only or (m.protocol, m.port) in listed)

    def _address(self, facts: Facts) -> str | None:
        """As it is written, if it is so; else what it has of the prefix."""
        own, there = self._own(facts), self._there(facts)
        if any(own is not None and f.at == own and f.by_hand and f.state != "Duplicate" for f in there):
            return self.host_address
        return ", ".join(f"{f.text} (duplicate)" if f.state == "Duplicate" else f.text for f in there) or None

    def _there(self, facts: Facts) -> tuple[Found, ...]:
        """What the host has of the prefix, before and after, on its adapter of the switch."""
        interface = self._present(facts)
        if interface.new:
            return ()
        row = self.row(facts)
        within = [network for network in (self._network(facts),) if network is not None]
        within += [translated(row)] if row is not None and row.get("InternalIPInterfaceAddressPrefix") else []
        found = on_interface(interface.alias, facts)
        return tuple(f for f in found if f.at.version == 4 and any(f.at.ip in network for network in within))

    def _interface(self, facts: Facts) -> Interface:
        """As the steps find it: a switch that is recreated has another adapter, with what the old one had."""
        return new_interface(self.switch.name) if self.switch.remade(facts) else self._present(facts)

    def _present(self, facts: Facts) -> Interface:
        """Of the host's adapter on the switch: the one of its name, else the only one."""
        own = self.switch.of_host(facts)
        if not own:
            return new_interface(self.switch.name)
        named = [r for r in own if str(r["Name"]).casefold() == self.switch.known_by] or own
        if len(named) > 1:
            raise HeldBackError(
                f"the host has {len(named)} adapters on {self.switch.name}, none of its name",
                "name one of them like the switch",
            )
        device = next(r for r in facts.rows(DEVICES) if r["Id"] == named[0]["Id"])
        return interface_of(device, facts)

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "prefix":
            return now is not None and IPv4Network(now, strict=False) == IPv4Network(wanted)
        return super().same(field, now, wanted)

    def show(self, field: str, value: Any) -> str:
        if field == "mappings" and isinstance(value, frozenset):
            return ", ".join(sorted(value, key=lambda t: (int(t.partition("/")[0]), t))) or "none"
        return super().show(field, value)

    def summary(self) -> str:
        return ", ".join(filter(None, (self.prefix, f"host {self.host_address}" if self.host_address else "")))

    # --- what the facts show ---------------------------------------------------------------------------------------

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if self.absent:
            if self.switch.absent and any(f.holds for f in self.switch.judge("remove", (), facts)):
                yield finding("", "it goes with its switch, which cannot be removed now", "see there")
            return
        fields = {c.field for c in changes}
        rows = switch_rows(self.switch.name, facts)
        now = TYPES.read(rows[0]["SwitchType"]) if rows else None
        if self.switch.type is None and not self.switch.net_adapters and now not in (None, "internal"):
            yield finding(
                "", f"{self.switch.name} is {now}; a NAT is for the VMs on an internal switch", "make it internal"
            )
        if self.row(facts) is None and self.prefix is None:
            yield finding("prefix", f"there is no NAT {self.called}, and its prefix is not written", "write its prefix")
        elif self.prefix is None and (network := self._network(facts)) is not None:
            yield from self._within(network)
        if "prefix" in fields and self.prefix is not None:
            yield from self._held(IPv4Network(self.prefix), facts)
        if "address" in fields:
            yield from self._taken(facts)
        if "mappings" in fields:
            for n, one in enumerate(self.mappings or ()):
                held = (
                    m for m in _all_mapped(facts) if (m.protocol, m.port) == one.outside and one.ensure == "present"
                )
                other = next((m.nat for m in held if m.nat.casefold() != self.called.casefold()), None)
                if other is not None:
                    text = f"{one.port}/{one.protocol} is mapped by the NAT {other}"
                    yield finding(f"mappings.{n}.port", text, "write another port")

    def _held(self, network: IPv4Network, facts: Facts) -> Iterator[Diagnostic]:
        """What else of the host is in the way of the prefix (networking 2)."""
        others = [r for r in facts.rows(NATS) if str(r["Name"]).casefold() != self.called.casefold()]
        for row in others:
            name = str(row["Name"])
            if row.get("InternalIPInterfaceAddressPrefix") and translated(row).overlaps(network):
                same = translated(row) == network
                hint = f"write `name: {name}` if that is the one that is meant" if same else "write another prefix"
                yield finding("prefix", f"the NAT {name} of this host has {translated(row)}", hint)
                return
        if others and not at_least(facts.os, SEVERAL):
            yield finding("", f"the host has the NAT {others[0]['Name']}, and {title(facts.os)} takes one",
                          "remove that one, or give both switches addresses of one wide prefix")  # fmt: skip
            return
        if others:
            text = f"the host has the NAT {others[0]['Name']} too; Microsoft documents one for a host"
            yield finding("", text, "give both switches addresses of one wide prefix", "warning")
        inside = _inside(facts)
        for found in everywhere(facts):
            if found.at.version != 4 or found.alias.casefold() in inside:
                continue
            if found.at.ip in network:
                yield finding("prefix", f"the host has {found.text} on {found.alias}, which is within {network}",
                              "write a prefix that the host has no address of")  # fmt: skip
                return
            if found.at.network.overlaps(network):
                text = f"the host's network {found.at.network} on {found.alias} overlaps {network}"
                yield finding("prefix", text, "machines of both are not told apart; write another", "warning")

    def _taken(self, facts: Facts) -> Iterator[Diagnostic]:
        interface, own = self._present(facts), self._own(facts)
        for found in everywhere(facts):
            if own is None or found.at.ip != own.ip:
                continue
            if found.alias.casefold() != interface.alias.casefold():
                yield finding("address", f"{found.ip} is on {found.alias} of this host", "take it from there first")
            elif found.state == "Duplicate":
                yield finding("address", f"{found.ip} is a duplicate: another machine on the switch has it",
                              "free it there, or write another")  # fmt: skip
            elif not found.by_hand:
                yield finding("address", f"the adapter has {found.ip} from DHCP", "give it another, or end DHCP there")

    # --- changing --------------------------------------------------------------------------------------------------

    def rests_on(self, field: str, facts: Facts) -> str:
        """What is within the new prefix is not within the old one."""
        row = self.row(facts)
        differs = (
            row is not None and self.prefix is not None and not self.same("prefix", str(translated(row)), self.prefix)
        )
        return "prefix" if differs and field != "prefix" else ""

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        if field == "prefix":
            return frozenset({"disconnect", "recreate"})
        if field == "address":
            return self._cost_of_address(bool(self._gone(facts)), facts)
        fewer = field == "mappings" and now and not now <= wanted
        return frozenset({"disconnect"} if fewer else {"online"})

    def _cost_of_address(self, goes: bool, facts: Facts) -> frozenset[Impact]:
        interface = self._present(facts)
        if not interface.new and may_carry(interface.alias, facts):
            return frozenset({"disconnect", "management"})
        return frozenset({"disconnect"} if goes else {"online"})

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        if not self._adds(facts):
            return frozenset({"online"})
        return self._cost_of_address(bool(self._gone(facts)), facts)

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        """Connections of its VMs; nothing that the playbook cannot make again."""
        found: frozenset[Impact] = frozenset({"disconnect"})
        if self.switch.absent:  # both or neither
            found |= self.switch.remove_impacts(facts)
        return found | self._cost_of_address(True, facts) if self._removed(facts) else found

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        parts = []
        if (field, wanted) == ("", "absent"):
            lost = self.mapped(facts)
            parts.append("connections over it end" + _go(lost))
        if field == "prefix":
            kept = self._kept(facts)
            listed = {m.outside for m in self.mappings or ()}
            lost = tuple(m for m in self.mapped(facts) if m not in kept and (m.protocol, m.port) not in listed)
            parts.append("it is recreated, and connections over it end" + _go(lost))
        touched = (field in ("", "address")) and (self._removed(facts) if wanted == "absent" else self._adds(facts))
        interface = self._present(facts) if touched else None
        if interface is not None and not interface.new and may_carry(interface.alias, facts):
            parts.append(f"the host's addresses on {interface.alias} carry connections; {OURS}")
        return "; ".join(parts)

    def _kept(self, facts: Facts) -> tuple[Mapped, ...]:
        """What is not listed and leads into the prefix that is written."""
        listed = {m.outside for m in self.mappings or ()}
        rest = (m for m in self.mapped(facts) if not self.mappings_only and (m.protocol, m.port) not in listed)
        return tuple(m for m in rest if IPv4Address(m.to.partition(":")[0]) in IPv4Network(self.prefix or "0.0.0.0/0"))

    def _adds(self, facts: Facts) -> bool:
        return self._own(facts) is not None and not self.elsewhere and self._address(facts) != self.host_address

    def _gone(self, facts: Facts) -> tuple[Found, ...]:
        """The one address of the prefix that makes room for another; of several nobody knows whose they are."""
        own = self._own(facts)
        if own is None or not self._adds(facts):
            return ()
        others = tuple(f for f in self._there(facts) if f.by_hand and f.at.ip != own.ip)
        return others if len(others) == 1 else ()

    def _removed(self, facts: Facts) -> tuple[Found, ...]:
        """What goes with the NAT: the address that is written, else the only one of its prefix."""
        if self.elsewhere:
            return ()
        there = tuple(f for f in self._there(facts) if f.by_hand)
        if self.host_address is not None:
            ip = ip_interface(self.host_address).ip
            return tuple(f for f in there if f.at.ip == ip)
        return there if len(there) == 1 else ()

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from self._made(facts, self._mine(), ())

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        fields = {c.field for c in changes}
        now = self.mapped(facts)
        if "prefix" in fields:
            gone = self._remove_nat("prefix")
            yield gone
            yield from self._made(
                facts, {**{(m.protocol, m.port): m.to for m in self._kept(facts)}, **self._mine()}, (gone,)
            )
            return
        yield from self._placed(facts)
        if "mappings" not in fields:
            return
        mine, listed = self._mine(), {m.outside for m in self.mappings or ()}
        there = {(m.protocol, m.port): m for m in now if self.mappings_only or (m.protocol, m.port) in listed}
        freed: dict[tuple[str, int], Step] = {}
        for outside, one in there.items():
            if mine.get(outside) != one.to:
                freed[outside] = _unmapped(one, self.called)
                yield freed[outside]
        for outside, to in mine.items():
            if outside not in there or there[outside].to != to:
                yield self._mapping(outside, to, tuple(s for o, s in freed.items() if o == outside))

    def remove(self, facts: Facts) -> Iterator[Step]:
        """Mappings, NAT, address (networking 2)."""
        last: tuple[Step, ...] = ()
        for one in self.mapped(facts):
            step = _unmapped(one, self.called, last)
            yield step
            last = (step,)
        gone = self._remove_nat("ensure", last)
        yield gone
        for found in self._removed(facts):
            yield self._less_address(found, facts, "ensure", (gone,))

    # --- the parts -------------------------------------------------------------------------------------------------

    def _mine(self) -> dict[tuple[str, int], str]:
        present = (m for m in self.mappings or () if m.ensure == "present" and m.to)
        return {m.outside: m.to or "" for m in present}

    def _made(self, facts: Facts, mappings: dict[tuple[str, int], str], needs: tuple[Step, ...]) -> Iterator[Step]:
        placed = tuple(self._placed(facts, needs))
        yield from placed
        params = {"Name": self.called, "InternalIPInterfaceAddressPrefix": self.prefix}
        made = Step(Call("New-NetNat", params), f"make the NAT {self.called}", ("prefix",), needs=(*needs, *placed))
        yield made
        for outside, to in mappings.items():
            yield self._mapping(outside, to, (made,))

    def _placed(self, facts: Facts, needs: tuple[Step, ...] = ()) -> Iterator[Step]:
        """The host's address, as it is to be, before what it replaces goes."""
        interface, at = self._interface(facts), self._own(facts)
        if at is None or not self._adds(facts):
            return
        has = next((f for f in self._there(facts) if f.at.ip == at.ip), None)
        params: dict[str, Any] = {
            "InterfaceIndex": interface.index,
            "IPAddress": str(at.ip),
            "PrefixLength": at.network.prefixlen,
        }
        call = Call("New-NetIPAddress" if has is None else "Set-NetIPAddress", params)
        step = Step(call, f"give the host {at} on {interface.alias}", ("address",), needs=needs, guard=interface.guard)
        yield step
        for found in self._gone(facts):
            yield self._less_address(found, facts, "address", (step,))

    def _less_address(self, found: Found, facts: Facts, because: str, needs: tuple[Step, ...]) -> Step:
        index = self._interface(facts).index
        call = Call("Remove-NetIPAddress", {"InterfaceIndex": index, "IPAddress": found.ip, "Confirm": False})
        return Step(call, f"take {found.text} from {found.alias}", (because,), needs=needs)

    def _remove_nat(self, because: str, needs: tuple[Step, ...] = ()) -> Step:
        params: dict[str, Any] = {"InputObject": Ref(Call("Get-NetNat"), {"Name": self.called}), "Confirm": False}
        return Step(Call("Remove-NetNat", params), f"remove the NAT {self.called}", (because,), needs=needs)

    def _mapping(self, outside: tuple[str, int], to: str, needs: tuple[Step, ...]) -> Step:
        inner, _, port = to.partition(":")
        params: dict[str, Any] = {
            "NatName": self.called,
            "Protocol": PROTOCOL.write(outside[0]),
            "ExternalIPAddress": str(_ANY),
            "ExternalPort": outside[1],
            "InternalIPAddress": inner,
            "InternalPort": int(port),
        }
        call = Call("Add-NetNatStaticMapping", params)
        return Step(call, f"map {_text(outside, to)} in the NAT {self.called}", ("mappings",), needs=needs)


def _go(lost: Sequence[Mapped]) -> str:
    told = ", ".join(m.text for m in sorted(lost, key=lambda m: (m.port, m.protocol)))
    return f", and so do the mappings that go: {told}" if told else ""


def _unmapped(one: Mapped, nat: str, needs: tuple[Step, ...] = ()) -> Step:
    """The very one: an id may be another mapping's by then."""
    where: dict[str, Any] = {"NatName": one.nat, "StaticMappingID": one.id, "ExternalPort": one.port}
    params: dict[str, Any] = {"InputObject": Ref(Call("Get-NetNatStaticMapping"), where), "Confirm": False}
    call = Call("Remove-NetNatStaticMapping", params)
    return Step(call, f"remove the mapping {one.text} from the NAT {nat}", ("mappings",), needs=needs)


def _with_length(address: str | None, prefix: IPv4Network) -> IPv4Interface | None:
    if address is None:
        return None
    return IPv4Interface(address if "/" in address else f"{address}/{prefix.prefixlen}")


def _ends(network: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    return network.network_address, network.broadcast_address


def _all_mapped(facts: Facts) -> Iterator[Mapped]:
    for row in facts.rows(MAPPINGS):
        outer = parsed(row, "ExternalIPAddress", lambda text: ip_address(text.partition("/")[0]))
        if outer == _ANY:
            protocol = str(PROTOCOL.read(spelt(row, "Protocol", _PROTOCOLS)))
            to = f"{row['InternalIPAddress']}:{row['InternalPort']}"
            yield Mapped(protocol, int(row["ExternalPort"]), to, str(row["NatName"]), int(row["StaticMappingID"]))


def _inside(facts: Facts) -> frozenset[str]:
    """Interfaces on internal switches, whose addresses may be within a prefix."""
    internal = {str(r["Name"]).casefold() for r in facts.rows(SWITCHES) if r["SwitchType"] == "Internal"}
    own = (r for r in facts.rows(DEVICES) if str(r["SwitchName"] or "").casefold() in internal)
    return frozenset(interface_of(row, facts).alias.casefold() for row in own)


def _beside(one: Nat, first: Nat, os: OS) -> Iterator[Diagnostic]:
    place = first.place.mark()
    if one.called.casefold() == first.called.casefold():
        yield finding("name", f"the NAT {one.called} is declared at {place} too", "write one name for each")
    elif IPv4Network(one.prefix or "").overlaps(IPv4Network(first.prefix or "")):
        yield finding("prefix", f"{one.prefix} overlaps {first.prefix} at {place}", "write another prefix")
    elif not at_least(os, SEVERAL):
        yield finding("", f"{title(os)} takes one NAT, and {first.called} is declared at {place}",
                      "give both switches addresses of one wide prefix")  # fmt: skip
