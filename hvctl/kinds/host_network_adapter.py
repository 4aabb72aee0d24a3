"""Virtual network adapters of the management OS (domain 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.describe import all_written
from hvctl.core.facts import Facts
from hvctl.core.fields import properties
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import MISSING, UNKNOWN, State
from hvctl.kinds._addressed import ALL_IP, IP, Addressed
from hvctl.kinds._ip import Interface, Now, interface_of, new_interface
from hvctl.kinds._network import (
    ADDRESSES,
    HOST_ADAPTERS,
    HOST_TEAM_MAPPINGS,
    NICS,
    SWITCHES,
    addresses_on,
    named,
    switch_rows,
)
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds._vlan import UNTAGGED
from hvctl.kinds._way_in import OURS, addresses_of
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic

_PARTS = ("vlan", "acls", "extended_acls", "virtual_subnet")
"""What may keep an adapter's traffic from where it went before."""


class HostNetworkAdapter(Addressed):
    """A virtual adapter of the host itself. The one that `allow_management_os` makes belongs to its switch. `acls`,
    `isolation`, `extended_acls` (from 2012 R2 on) and `team_mapping` (from 2016 on) as of adapters of VMs. `addresses` are
    all that are set by hand, each with the length of its prefix, IPv4 or IPv6; `gateway` is its default route of that
    family, `dns` its name servers in their order, `[]` for none of its own. `dhcp` is compared, and turned off by the first
    address; nothing turns it on: see [addresses of the host](host-network.md)."""

    kind: ClassVar[str] = "host_network_adapter"
    section: ClassVar[str] = "host_network_adapters"
    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("switch",)

    ensure: Literal["present", "absent"] = "present"

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from self.adapter_rules(os)
        yield from self.ip_rules(os)
        if not self.switch and not self.absent:
            yield finding("name", f"{self.name} has no switch", "write the switch it is on")
        if not self.absent and self.wished_switch is not None and self.wished_switch.type == "private":
            yield self._private

    @property
    def _private(self) -> Diagnostic:
        return finding("switch", f"{self.switch} is private: the host has no adapter there", "make it internal")

    def requires(self) -> tuple[Address, ...]:
        return (self.wished_switch.address(),) if self.wished_switch is not None else ()

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        selected = properties(cls, *HOST_ADAPTERS.select)
        return (Call("Get-VMNetworkAdapter", HOST_ADAPTERS.params, selected), SWITCHES, ADDRESSES, NICS)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        counts = Counter(str(row["Name"]).casefold() for row in facts.rows(HOST_ADAPTERS))
        for row in facts.rows(HOST_ADAPTERS):
            if counts[str(row["Name"]).casefold()] == 1 and row["SwitchName"]:
                yield cls(name=str(row["Name"]), switch=str(row["SwitchName"]))

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return cls(name="any", switch="any").reader().queries()

    def reader(self) -> Self:
        return all_written(self, ALL_IP)

    def as_written(self, found: State, facts: Facts) -> State:
        """What a lease brings is not set by hand; whether name servers are is not told then."""
        told = super().as_written(found, facts)
        odd = ("gateway", "dns") if found["dhcp"] is True else ("dhcp",) if found["dhcp"] is UNKNOWN else ()
        return {n: v for n, v in told.items() if n not in odd}

    def by_default(self, facts: Facts) -> State:
        own: State = {"addresses": [], "gateway": None, "dns": [], "dhcp": True}
        return {**self.usual, **own, "switch": MISSING}

    @property
    def implied(self) -> bool:
        """The one of its switch's name comes with it."""
        return str(self.switch).casefold() == self.name.casefold()

    @classmethod
    def unnameable(cls, owner: Resource | None, facts: Facts) -> Iterator[tuple[str, str]]:
        counts = Counter(str(row["Name"]).casefold() for row in facts.rows(HOST_ADAPTERS))
        told: set[str] = set()
        for row in facts.rows(HOST_ADAPTERS):
            name = str(row["Name"])
            if counts[name.casefold()] > 1 and name.casefold() not in told:
                yield name, f"there are {counts[name.casefold()]} adapters of the host of this name"
            elif not row["SwitchName"]:
                yield name, "it is on no switch"
            told.add(name.casefold())

    def stays(self, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> bool:
        """The switch rules the one of its name."""
        return self.implied

    def queries(self) -> tuple[Call, ...]:
        return (*self.survey(), *self.asked(HOST_ADAPTERS, HOST_TEAM_MAPPINGS), *self.ip_queries())

    def row(self, facts: Facts) -> Row | None:
        rows = facts.of_key(HOST_ADAPTERS, "Name", self.name)
        if len(rows) > 1:
            raise HeldBackError(f"the host has {len(rows)} adapters named {self.name}", "rename or remove one")
        return rows[0] if rows else None

    def wanted(self) -> State:
        return {**super().wanted(), **({"switch": self.switch} if self.switch else {}), **self.ip_wanted()}

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        if row is None:
            return None
        own = self.ip_actual(self._now(facts), facts) if self.ip_written else {}
        return {**self.read_settings(row), **self.compound(row, HOST_TEAM_MAPPINGS, facts), **own}

    # --- what TCP/IP has on it -------------------------------------------------------------------------------------

    def _remade(self, facts: Facts) -> bool:
        """Whether it is recreated with its switch, which sets what it had again: its interface is a new one then."""
        switch = self.wished_switch
        same = switch is not None and switch.key().casefold() == self.name.casefold()
        return same and isinstance(switch, SwitchPart) and bool(switch.remade(facts))

    def _interface(self, facts: Facts) -> Interface:
        """As the steps find it, once those of its switch are done."""
        row = self.row(facts)
        return new_interface(self.name) if row is None or self._remade(facts) else interface_of(row, facts)

    def _now(self, facts: Facts) -> Now:
        """Of its interface; of the adapter of the host whose addresses move to it with a new switch."""
        row = self.row(facts)
        if row is not None:
            there = interface_of(row, facts)
            return Now(None) if there.new else Now.of(there.alias, facts)
        moving = self._moving(facts)
        return Now.of(moving[0], facts) if len(moving) == 1 else Now(None, made=True)

    def taken_over(self, facts: Facts) -> State | None:
        if not self.ip_written or (now := self._now(facts)).alias is None:
            return None
        return self.ip_actual(now, facts)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if occasion == "remove":
            return
        yield from self.adapter_findings(self.row(facts), facts)
        yield from self.waits(changes, facts)
        if self.ip_written:
            now = self._now(facts)
            own = changes if self.row(facts) is not None else self._differing_ip(changes, facts)
            yield from self.ip_findings(own, now, self._interface(facts), facts)
        wished = self.wished_switch
        stays = wished is None or not (wished.type or wished.net_adapters)
        if stays and self._private_now(facts):
            yield self._private
        if any(c.field == "switch" and c.now is not None for c in changes):
            yield finding("switch", "an adapter of the management OS cannot change its switch",
                          "remove it and add it on the other switch")  # fmt: skip

    def _addresses(self, facts: Facts) -> tuple[str, ...]:
        """Those that it has, or that move to it when its switch is made over an adapter of the host."""
        if self.row(facts) is not None:
            return addresses_of((self.name,), facts)
        return tuple(a for name in self._moving(facts) for a in addresses_on(name, facts))

    def _moving(self, facts: Facts) -> list[str]:
        """Adapters of the host with addresses that its switch is made over."""
        if not self._brought(facts):
            return []
        rows, switch = switch_rows(self.switch or "", facts), self.wished_switch
        bound = {n.casefold() for row in rows for n in named(row, facts)}
        new = [n for n in (switch.net_adapters if switch is not None else None) or () if n.casefold() not in bound]
        return [name for name in new if addresses_on(name, facts)]

    def _costs(self, facts: Facts) -> frozenset[Impact]:
        found: frozenset[Impact] = frozenset({"disconnect"})
        return found | {"management"} if self._addresses(facts) else found

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        if field in ("vlan", "switch") or field.startswith("isolation."):
            return self._costs(facts)
        if field in IP:
            return self.ip_impacts(field, now, self._now(facts), facts)
        # A limit or a guard on an adapter with addresses may choke hvctl's own way in.
        found: frozenset[Impact] = self._costs(facts) & {"management"} or frozenset({"online"})
        return self.with_switch(field, found, facts)

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        found: frozenset[Impact] = frozenset({"online"})
        set_apart = any(f in _PARTS or f.startswith("isolation.") for f in self._differing(facts))
        if set_apart and self._addresses(facts):
            found = self._costs(facts)
        for field in self.wanted():
            found = self.with_switch(field, found, facts)
        return found

    def _differing(self, facts: Facts) -> Iterator[str]:
        """What a new adapter is not by itself."""
        for change in self.as_changes(facts):
            if change.wanted not in (None, (), frozenset(), UNTAGGED):
                yield change.field

    def of_switch_first(self, field: str, facts: Facts) -> str | None:
        if field == "switch" and self.wished_switch and self._private_now(facts):
            return "type"
        return super().of_switch_first(field, facts)

    def _private_now(self, facts: Facts) -> bool:
        return any(row["SwitchType"] == "Private" for row in switch_rows(self.switch or "", facts))

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        return self._costs(facts)

    def ref(self) -> Ref:
        return Ref(Call("Get-VMNetworkAdapter", {"ManagementOS": True}), {"Name": self.name})

    def _brought(self, facts: Facts) -> bool:
        """Whether the plan's own steps for its switch make it: one that becomes shared has an adapter of its name
        (domain 3)."""
        switch, rows = self.wished_switch, switch_rows(self.switch or "", facts)
        if switch is None or switch.absent or switch.key().casefold() != self.name.casefold() or len(rows) > 1:
            return False
        shape = switch.shape(facts)
        # New-VMSwitch shares unless told otherwise.
        after = shape.type == "internal" or (shape.type == "external" and shape.shared is not False)
        return after and not (rows and rows[0]["AllowManagementOS"])

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if (field, wanted) == ("", "present") and self._brought(facts):
            comes = f"it comes with the switch {self.switch}"
            moved = ", ".join(self._addresses(facts))
            apart = "management" in self.create_impacts(facts) and moved
            return (
                f"{comes}; addresses that move to it ({moved}) are cut off by what is set on it; {OURS}"
                if apart
                else comes
            )
        if field in IP:
            return self.ip_note(field, self._now(facts), facts)
        if not (own := ", ".join(self._addresses(facts))):
            return super().note(field, now, wanted, facts)
        if (field, wanted) == ("", "absent"):
            return f"its addresses ({own}) are lost for good; {OURS}"
        if field == "vlan" or field.startswith("isolation."):
            return f"its addresses ({own}) answer elsewhere than before, for good; {OURS}"
        if "management" in self.impacts(field, now, wanted, facts):
            return f"it may choke its addresses ({own}); {OURS}"
        return super().note(field, now, wanted, facts)

    def create(self, facts: Facts) -> Iterator[Step]:
        what = f"adapter {self.name} of the host"
        whole = tuple(c for c in self.as_changes(facts) if c.field != "switch")
        rest = tuple(c for c in whole if c.field not in IP)
        if self._brought(facts):
            yield from self.adapter_steps(rest, self.ref(), what, None, facts.os)
            yield from self._addressing(self._differing_ip(whole, facts), facts)
            return
        params: dict[str, Any] = {"ManagementOS": True, "Name": self.name, "SwitchName": self.switch}
        added = Step(Call("Add-VMNetworkAdapter", params), f"add {what}", ("switch",))
        yield added
        for step in self.adapter_steps(rest, self.ref(), what, None, facts.os):
            yield replace(step, needs=(*step.needs, added))
        for step in self._addressing(self._differing_ip(whole, facts), facts):
            yield replace(step, needs=(*step.needs, added))

    def _differing_ip(self, changes: tuple[Change, ...], facts: Facts) -> tuple[Change, ...]:
        """Of a new one: what it does not bring along."""
        there = self.ip_actual(self._now(facts), facts) if self.ip_written else {}
        known = {field: value for field, value in there.items() if value is not UNKNOWN}
        return tuple(c for c in changes if c.field in known and not self.same(c.field, known[c.field], c.wanted))

    def _addressing(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        if not self.ip_written:
            return
        what, interface = f"adapter {self.name} of the host", self._interface(facts)
        steps = tuple(self.ip_steps(changes, self._now(facts), interface, what))
        yield from steps
        if not steps and interface.guard:
            yield self.ip_waits(interface, what)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        what = f"adapter {self.name} of the host"
        own = tuple(c for c in changes if c.field not in IP)
        yield from self.adapter_steps(own, self.ref(), what, self.row(facts), facts.os)
        yield from self._addressing(changes, facts)

    def remove(self, facts: Facts) -> Iterator[Step]:
        call = Call("Remove-VMNetworkAdapter", {"VMNetworkAdapter": self.ref()})
        yield Step(call, f"remove adapter {self.name} of the host", ("ensure",))
