"""What virtual adapters of VMs and of the management OS share: VLAN, bandwidth, guards, ACLs (domain 9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS, contract, elsewhere, title
from hvctl.core.changes import Change, HeldBackError, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields, Null, Setting, settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import MISSING, State
from hvctl.kinds._acl import (
    ACLS,
    EXTENDED_ACLS,
    Acl,
    ExtendedAcl,
    acl_steps,
    acls_written,
    clashes,
    entries,
    entries_of,
    entries_text,
    extended_of,
    extended_steps,
    extended_twice,
    extended_written,
    same_extended,
)  # fmt: skip
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._network import NICS, SWITCHES, BitsPerSecond, full_names, named, switch_rows
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds._types import COUNT, FOLD, ON_OFF, RATE, Flag, Words
from hvctl.kinds._vlan import UNTAGGED, Isolation, VlanWish, same_vlan, vlan_of, vlan_text, vlan_written
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import suggest

MIRRORING = Words(none="None", source="Source", destination="Destination")


_CMDLETS = {
    "acls": "Add-VMNetworkAdapterAcl",
    "extended_acls": "Add-VMNetworkAdapterExtendedAcl",
    "isolation": "Set-VMNetworkAdapterIsolation",
    "team_mapping": "Set-VMNetworkAdapterTeamMapping",
}
"""What Set-VMNetworkAdapter does not set, and what does."""


_SET_APART = ("allow_untagged", "default_id", "multi_tenant_stack")

ODD = ("vlan", "switch", "mac_address", "legacy", "acls", "extended_acls", "team_mapping")
"""Fields that are no setting of one property and one parameter."""


class Bandwidth(Fields):
    """`weight` on switches of the weight mode, `minimum` on those of the absolute mode. 0 or null: none."""

    weight: Annotated[
        int | None,
        Field(ge=0, le=100),
        Setting("BandwidthSetting.MinimumBandwidthWeight", "MinimumBandwidthWeight", COUNT),
        Null(),
    ] = None
    minimum: Annotated[
        BitsPerSecond | None,
        Setting("BandwidthSetting.MinimumBandwidthAbsolute", "MinimumBandwidthAbsolute", RATE),
        Null(),
    ] = None
    maximum: Annotated[
        BitsPerSecond | None, Setting("BandwidthSetting.MaximumBandwidth", "MaximumBandwidth", RATE), Null()
    ] = None


def _stuck(wish: Resource, facts: Facts) -> bool:
    try:
        changes = wish.changes(wish.actual(facts) or {}, facts)
        return any(found.level == "impossible" for found in wish.judge("update", changes, facts))
    except HeldBackError:
        return True


class Adapter(OfHyperV):
    """Fields of adapters of VMs and of the management OS."""

    setter: ClassVar[str] = "Set-VMNetworkAdapter"
    stand_in: ClassVar[Mapping[str, Any]] = {"name": "unnamed"}
    usual: ClassVar[Mapping[str, Any]] = {
        "switch": None,
        "vlan": None,
        "isolation.mode": "vlan",
        "isolation.allow_untagged": False,
        "isolation.default_id": 0,
        "isolation.multi_tenant_stack": False,
        "bandwidth.weight": 0,
        "bandwidth.minimum": 0,
        "bandwidth.maximum": 0,
        **dict.fromkeys(("mac_address_spoofing", "dhcp_guard", "router_guard", "ieee_priority_tag"), False),
        **dict.fromkeys(("allow_teaming", "device_naming", "fixed_speed_10g", "legacy", "vmmq"), False),
        "port_mirroring": "none",
        "vmq_weight": 100,
        "vrss": True,
        "vmmq_queue_pairs": 16,
        "ipsec_offload_maximum": 512,
        **dict.fromkeys(("dynamic_ip_address_limit", "storm_limit", "virtual_subnet"), 0),
        "acls": [],
        "extended_acls": [],
        "team_mapping": None,
        "mac_address": "dynamic",
        "iov_weight": 0,
        "iov_queue_pairs": 1,
        "iov_interrupt_moderation": "default",
        "protected_network": True,
        "resource_pool": "Primordial",
        "test_replica_switch": None,
        "test_replica_pool": None,
        "mandatory_features": [],
        **{f"packet_direct.{n}": 0 for n in ("processors", "moderation_count", "moderation_interval")},
    }  # domain 9
    odd: ClassVar[frozenset[str]] = frozenset(f"isolation.{name}" for name in Isolation.model_fields)

    name: Annotated[str, Field(min_length=1)]
    switch: str | None = None
    vlan: Annotated[VlanWish, Null("untagged")] = None
    isolation: Isolation = Field(default_factory=Isolation)
    bandwidth: Bandwidth = Field(default_factory=Bandwidth)
    mac_address_spoofing: Annotated[Flag | None, Setting("MacAddressSpoofing", codec=ON_OFF)] = None
    dhcp_guard: Annotated[Flag | None, Setting("DhcpGuard", codec=ON_OFF)] = None
    router_guard: Annotated[Flag | None, Setting("RouterGuard", codec=ON_OFF)] = None
    ieee_priority_tag: Annotated[Flag | None, Setting("IeeePriorityTag", codec=ON_OFF)] = None
    allow_teaming: Annotated[Flag | None, Setting("AllowTeaming", codec=ON_OFF)] = None
    port_mirroring: Annotated[str | None, MIRRORING, Setting("PortMirroringMode", "PortMirroring", MIRRORING)] = None
    vmq_weight: Annotated[int | None, Field(ge=0, le=100), Setting("VMQWeight", "VmqWeight")] = None
    vrss: Annotated[Flag | None, Setting("VrssEnabledRequested", "VrssEnabled")] = None
    vmmq: Annotated[Flag | None, Setting("VmmqEnabledRequested", "VmmqEnabled")] = None
    vmmq_queue_pairs: Annotated[int | None, Field(ge=1), Setting("VmmqQueuePairsRequested", "VmmqQueuePairs")] = None
    ipsec_offload_maximum: Annotated[
        int | None, Field(ge=0), Setting("IPsecOffloadMaxSA", "IPsecOffloadMaximumSecurityAssociation")
    ] = None
    dynamic_ip_address_limit: Annotated[
        int | None, Field(ge=0), Setting("DynamicIPAddressLimit", codec=COUNT), Null()
    ] = None
    storm_limit: Annotated[int | None, Field(ge=0), Setting("StormLimit", codec=COUNT), Null()] = None
    virtual_subnet: Annotated[
        int | None, Field(ge=0, le=16_777_215), Setting("VirtualSubnetId", codec=COUNT), Null()
    ] = None
    acls: Annotated[list[Acl] | None, Null()] = None
    extended_acls: Annotated[list[ExtendedAcl] | None, Null()] = None
    team_mapping: Annotated[str | None, Null()] = None

    def key(self) -> str:
        return self.name

    def wrote(self, field: str) -> bool:
        return field in self.model_fields_set

    def borrowed(self) -> Iterator[tuple[str, tuple[str, str]]]:
        if self.switch:
            yield "switch", ("switch", self.switch)

    # --- looking ---------------------------------------------------------------------------------------------------

    def asked(self, adapters: Call, mappings: Call) -> Iterator[Call]:
        """More of the adapters, where it is wished: most playbooks have none of it."""
        more = [select for field, select in (("acls", ACLS), ("extended_acls", EXTENDED_ACLS)) if self.wrote(field)]
        if more:
            yield replace(adapters, select=tuple(more))
        if self.wrote("team_mapping"):
            yield mappings
            yield NICS

    def as_written(self, found: State, facts: Facts) -> State:
        """VLAN and isolation are two views of one thing (domain 9.2): of both, the one that says it all."""
        words = {"vlan": vlan_written, "acls": acls_written, "extended_acls": extended_written}
        told = {n: words[n](v) if n in words else v for n, v in found.items()}
        own = any(found.get(f"isolation.{n}") is not MISSING and found.get(f"isolation.{n}") for n in _SET_APART)
        vlan = found.get("isolation.mode") in (None, MISSING, "none", "vlan")
        odd = ("isolation.",) if vlan and not (own and found["vlan"] == UNTAGGED) else ("vlan",)
        lacks = {field for field, cmdlet in _CMDLETS.items() if contract(facts.os).cmdlet(cmdlet) is None}
        return {n: v for n, v in told.items() if n not in lacks and not n.startswith(odd)}

    def wanted(self) -> State:
        found = dict(self.written())
        if self.wrote("vlan"):
            found["vlan"] = self.vlan.state() if self.vlan else UNTAGGED
        if self.wrote("acls"):
            found["acls"] = entries(self.acls or ())
        if self.wrote("extended_acls"):
            found["extended_acls"] = tuple(sorted(acl.entry() for acl in self.extended_acls or ()))
        if self.wrote("team_mapping"):
            found["team_mapping"] = self.team_mapping
        return found

    def compound(self, row: Row, mappings: Call, facts: Facts) -> dict[str, Any]:
        """The fields of `ODD` that adapters of VMs and of the host share, as the host has them."""
        found: dict[str, Any] = {
            "switch": row["SwitchName"] or None,
            "vlan": vlan_of(row) if "VlanSetting.OperationMode" in row else MISSING,
            "acls": entries_of(row[ACLS] or ()) if ACLS in row else MISSING,
            "extended_acls": extended_of(row[EXTENDED_ACLS] or ()) if EXTENDED_ACLS in row else MISSING,
        }
        if self.wrote("team_mapping"):
            own = facts.of_key(mappings, "ParentAdapter.Id", row["Id"])
            found["team_mapping"] = own[0]["NetAdapterName"] if own else None
        return found

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "extended_acls":
            return same_extended(now, wanted)
        if field == "vlan":
            return same_vlan(now, wanted)
        return FOLD.same(now, wanted) if field in ("switch", "team_mapping") else super().same(field, now, wanted)

    def show(self, field: str, value: Any) -> str:
        if field == "vlan" and isinstance(value, tuple):
            return vlan_text(value)
        if field == "acls" and isinstance(value, frozenset):
            return entries_text(value)
        return super().show(field, value)

    # --- rules -----------------------------------------------------------------------------------------------------

    def adapter_rules(self, os: OS) -> Iterator[Diagnostic]:
        band = self.bandwidth
        for field, cmdlet in _CMDLETS.items():
            if self.wrote(field) and contract(os).cmdlet(cmdlet) is None:
                yield finding(field, f"{title(os)} does not have {field}", elsewhere(os, cmdlet))
        if band.weight and band.minimum:
            yield finding(
                "bandwidth.weight", "weight and minimum exclude each other", "keep the one of the switch's mode"
            )
        if band.minimum and band.maximum and band.maximum < band.minimum:
            yield finding("bandwidth.maximum", "the maximum is below the minimum", "raise it")
        if self.virtual_subnet is not None and 0 < self.virtual_subnet < 4096:
            yield finding("virtual_subnet", f"{self.virtual_subnet} is no virtual subnet", "0, or from 4096 on")
        yield from self._separated()
        yield from clashes(self.acls or ())
        yield from extended_twice(self.extended_acls or ())
        wished = self.wished_switch
        if wished is not None and wished.absent and not self.absent:
            yield finding("switch", f"the switch {self.switch} is to be absent", "choose another switch")
        elif wished is not None:
            yield from self._mode(wished.minimum_bandwidth_mode)
            yield from self._member(wished.net_adapters)

    def _separated(self) -> Iterator[Diagnostic]:
        """VLAN and isolation are two views of one thing: one of them is managed (domain 9.2)."""
        isolation = self.isolation
        if self.wrote("vlan") and self.wrote("isolation"):
            yield finding("isolation", "vlan says the same otherwise", "keep one of them")
        if isolation.default_id and isolation.allow_untagged is False:
            yield finding("isolation.default_id", "it is the network of untagged traffic, which is not allowed",
                          "write allow_untagged: true, or remove it")  # fmt: skip

    def _member(self, members: Sequence[str] | None) -> Iterator[Diagnostic]:
        """A mapping names a member of the embedded team below its switch (domain 9)."""
        wanted = self.team_mapping
        if wanted and members is not None and wanted.casefold() not in {m.casefold() for m in members}:
            yield finding("team_mapping", f"{wanted} is not in the team of the switch", f"it has {', '.join(members)}")

    # --- what only the host knows ----------------------------------------------------------------------------------

    def adapter_findings(self, row: Row | None, facts: Facts) -> Iterator[Diagnostic]:
        """The switch it is or will be on: that it is there, its bandwidth mode, its team."""
        name = self.switch if self.wrote("switch") else (row or {}).get("SwitchName")
        if not name:
            if self.team_mapping:
                yield finding("team_mapping", "it is on no switch", "write the switch, one with an embedded team")
            spoofs = ON_OFF.read((row or {}).get("MacAddressSpoofing", "Off"))
            if self.mac_address_spoofing not in (None, spoofs):
                # observations 4: "Modifying features of the Ethernet connection failed"
                yield finding(
                    "mac_address_spoofing", "an adapter that is on no switch does not take it", "write the switch"
                )
            return
        wished = self.named(SwitchPart, str(name))
        there = switch_rows(str(name), facts)
        if len(there) > 1 and str((row or {}).get("SwitchName") or "").casefold() != str(name).casefold():
            yield finding("switch", f"the host has {len(there)} switches named {name}", "rename or remove one")
            return
        found = there[0] if there else None
        if wished is not None and not wished.absent:
            # As it will be: what is wished, else what it is, else what hvctl makes of it.
            made = "none" if wished.iov else "weight"
            now = str(found["BandwidthReservationMode"]).casefold() if found else made
            yield from self._mode(wished.minimum_bandwidth_mode or now)
        elif found is None and self.switch:
            known = [str(r["Name"]) for r in facts.rows(SWITCHES)]
            has = f"the host has {', '.join(known) or 'none'}; make it, or choose another"
            hint = " ".join(filter(None, (suggest(str(name), known), has)))
            yield finding("switch", f"there is no switch {name}", hint)
        elif found is not None:
            yield from self._mode(str(found["BandwidthReservationMode"]).casefold())
        yield from self._teamed(wished, found, str(name), facts)

    def _teamed(self, wished: SwitchPart | None, found: Row | None, name: str, facts: Facts) -> Iterator[Diagnostic]:
        if not self.team_mapping:
            return
        members: Sequence[str] | None = wished.net_adapters if wished is not None else None
        if members is None and found is not None:
            members = named(found, facts)
        team = (wished is not None and wished.embedded_teaming) or len(members or ()) > 1
        if not team and not (found and found.get("EmbeddedTeamingEnabled")):
            yield finding("team_mapping", f"the switch {name} has no embedded team", "remove it")
        elif wished is None or wished.net_adapters is None:
            yield from self._member(members)

    def _mode(self, mode: str | None) -> Iterator[Diagnostic]:
        """A minimum of the other mode is refused by the host (domain 9.1; its text is not known)."""
        band = self.bandwidth
        if mode is not None and band.weight and mode != "weight":
            yield finding("bandwidth.weight", f"the switch shares bandwidth by {mode}, not by weight",
                          "use minimum, or a switch of mode weight")  # fmt: skip
        if mode is not None and band.minimum and mode != "absolute":
            yield finding("bandwidth.minimum", f"the switch shares bandwidth by {mode}, not by absolute minima",
                          "use weight, or a switch of mode absolute")  # fmt: skip

    # --- changing --------------------------------------------------------------------------------------------------

    def adapter_steps(
        self, changes: tuple[Change, ...], adapter: Ref, what: str, row: Row | None, os: OS
    ) -> Iterator[Step]:
        """Everything but connecting and the MAC address."""
        fields = {c.field for c in changes}
        plain = tuple(c for c in changes if c.field not in ODD and c.field not in self.odd)
        if arguments := self.arguments(plain):
            named_so = full_names(self.setter, {**self._exclusive(plain, row), **arguments}, os)
            call = Call(self.setter, {"VMNetworkAdapter": adapter, **named_so})
            yield Step(call, f"set {what}", tuple(c.field for c in plain))
        if "vlan" in fields:
            now = vlan_of(row) if row is not None else UNTAGGED
            how = self.vlan.arguments(now) if self.vlan else {"Untagged": True}
            call = Call("Set-VMNetworkAdapterVlan", {"VMNetworkAdapter": adapter, **how})
            yield Step(call, f"set the VLAN of {what}", ("vlan",))
        apart = tuple(c for c in changes if c.field in self.odd)
        if apart:
            call = Call(_CMDLETS["isolation"], {"VMNetworkAdapter": adapter, **self.arguments(apart)})
            yield Step(call, f"set the isolation of {what}", tuple(c.field for c in apart))
        if "acls" in fields:
            yield from acl_steps(entries(self.acls or ()), (row or {}).get(ACLS) or (), adapter, what)
        if "extended_acls" in fields:
            now = extended_of((row or {}).get(EXTENDED_ACLS) or ())
            yield from extended_steps(self.extended_acls or (), now, adapter, what)
        for change in changes:
            if change.field == "team_mapping" and (self.team_mapping or change.now):
                yield self._mapped(adapter, what)

    def with_switch(self, field: str, found: frozenset[Impact], facts: Facts) -> frozenset[Impact]:
        """What a field costs that the switch must change for first: both are done or neither."""
        first, wished = self.of_switch_first(field, facts), self.wished_switch
        if first is None or wished is None:
            return found
        return (found | wished.impacts(first, None, None, facts)) - {"online"}

    @property
    def wished_switch(self) -> SwitchPart | None:
        return self.named(SwitchPart, self.switch) if self.switch else None

    def of_switch_first(self, field: str, facts: Facts) -> str | None:
        """The field of its switch that must change before this one can."""
        wished, there = self.wished_switch, switch_rows(self.switch or "", facts)
        if wished is None or wished.absent or len(there) != 1:
            return None
        row = there[0]
        if field in ("bandwidth.weight", "bandwidth.minimum"):
            now, mode = str(row["BandwidthReservationMode"]).casefold(), wished.minimum_bandwidth_mode
            return "minimum_bandwidth_mode" if mode not in (None, now) else None
        if field != "team_mapping" or not self.team_mapping:
            return None
        if not row.get("EmbeddedTeamingEnabled"):
            return "embedded_teaming"
        members = {m.casefold() for m in named(row, facts)}
        return "net_adapters" if self.team_mapping.casefold() not in members else None

    def waits(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        """Held back with its switch."""
        wished = self.wished_switch
        fields = [c.field for c in changes if self.of_switch_first(c.field, facts)]
        if wished is not None and fields and _stuck(wished, facts):
            for field in fields:
                yield finding(field, f"it waits for the switch {self.switch}, which cannot be changed now", "see there")

    def _exclusive(self, changes: tuple[Change, ...], row: Row | None) -> dict[str, Any]:
        """Weight and absolute minimum exclude each other (domain 9.1): the one that is set makes the other go."""
        changed = {c.field: c.wanted for c in changes}
        found = {}
        for field, other in (("weight", "minimum"), ("minimum", "weight")):
            setting = settings(type(self))[f"bandwidth.{other}"]
            there = row is not None and row.get(setting.name)
            if changed.get(f"bandwidth.{field}") and there and f"bandwidth.{other}" not in changed:
                found[setting.set_with] = 0
        return found

    def _mapped(self, adapter: Ref, what: str) -> Step:
        params: dict[str, Any] = {"VMNetworkAdapter": adapter}
        if not self.team_mapping:
            call = Call("Remove-VMNetworkAdapterTeamMapping", params)
            return Step(call, f"take {what} off its team member", ("team_mapping",))
        call = Call(_CMDLETS["team_mapping"], {**params, "PhysicalNetAdapterName": self.team_mapping})
        return Step(call, f"map {what} to {self.team_mapping}", ("team_mapping",))
