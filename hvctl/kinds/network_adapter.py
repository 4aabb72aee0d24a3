"""The network adapters of a VM (domain 9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field

from hvctl.call import Call, Ref, Row, Value
from hvctl.contract import OS, at_least
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.describe import all_written
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields, Input, Instead, Null, Setting, properties
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import Json, Plain, State, as_json
from hvctl.kinds._adapter import Adapter
from hvctl.kinds._limits import adapter_limit
from hvctl.kinds._machine import Machine, machine
from hvctl.kinds._network import SWITCHES, TEAM_MAPPINGS, VM_ADAPTERS, switch_ref, switch_rows
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds._types import FOLD, MAC, MAC_PATTERN, NAME, NOT, ON_OFF, Flag, Pool, Words, bare_mac
from hvctl.kinds._vm import VMS, check_steady, generation, in_vm, made_as, off_impacts, state_at_work, vm_ref, vm_row
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted

MODERATION = Words(default="Default", adaptive="Adaptive", off="Off", low="Low", medium="Medium", high="High")
_ADDED = ("switch", "mac_address", "legacy")


def _mac(value: Any) -> Any:
    if value is None or (isinstance(value, str) and value.casefold() == "dynamic"):
        return "dynamic" if value else value
    bare = bare_mac(str(value))
    if len(bare) != 12 or any(c not in "0123456789ABCDEF" for c in bare):
        raise ValueError(
            f"{quoted(value)} is no MAC address; write dynamic, or twelve hex digits such as '00-15-5D-01-02-03'"
        )
    if int(bare[:2], 16) & 1 or not int(bare, 16):
        # Refused as "Failed to modify device" (vagrant#11681).
        raise ValueError(f"{quoted(value)} is a multicast or empty address; its first byte must be even")
    return bare


_MAC_OR_DYNAMIC = Input(pattern=rf"^[Dd]ynamic$|{MAC_PATTERN}")


def _feature(value: Any) -> Any:
    try:
        return str(UUID(value)) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"{quoted(value)} is no id of a feature; write a GUID") from None


class _FeaturesCodec(Plain):
    """Ids without an order, in any case, with or without braces."""

    def same(self, now: Any, wanted: Any) -> bool:
        return {_bare(one) for one in now or ()} == {_bare(one) for one in wanted or ()}

    def write(self, value: Any) -> Value:
        return tuple(value or ())

    def value(self, value: Any) -> Json:
        return as_json({_bare(one) for one in value or ()})


def _bare(feature: str) -> str:
    return feature.strip("{}").casefold()


FeatureId = Annotated[str, BeforeValidator(_feature)]


class PacketDirect(Fields):
    """How packets are moderated and polled on a switch with packet direct, in the units of Set-VMNetworkAdapter."""

    processors: Annotated[int | None, Field(ge=0), Setting("PacketDirectNumProcs")] = None
    moderation_count: Annotated[int | None, Field(ge=0), Setting("PacketDirectModerationCount")] = None
    moderation_interval: Annotated[int | None, Field(ge=0), Setting("PacketDirectModerationInterval")] = None


class NetworkAdapter(Adapter):
    """A network adapter, found by its name within the VM. `switch: null` disconnects it. `acls` and `extended_acls` are
    the whole list: what is not in it goes, but for the entries of resource metering; the latter and `isolation` are of
    2012 R2 and later. `team_mapping`, of 2016 and later, names the member of an embedded team that carries it.
    `mandatory_features` are the ids of features without which it gets no connection, `[]` for none."""

    kind: ClassVar[str] = "network_adapter"
    section: ClassVar[str] = "network_adapters"
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("mac", "macaddress", "hwaddr"), "mac_address"),
        **dict.fromkeys(("bridge", "network", "portgroup", "virtual_switch"), "switch"),
        **dict.fromkeys(("vlan_id", "vlanid", "tag"), "vlan"),
        **dict.fromkeys(("spoofing", "mac_spoofing"), "mac_address_spoofing"),
        **dict.fromkeys(("qos", "rate", "rate_limit"), "bandwidth"),
        "sriov": "iov_weight",
        "mirroring": "port_mirroring",
    }
    vital: ClassVar[bool] = True
    within: ClassVar[str | None] = "vm"
    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("memory", "processor")

    ensure: Literal["present", "absent"] = "present"
    switch: Annotated[str | None, Null("connected to none")] = None
    legacy: Flag | None = None
    mac_address: Annotated[str | None, BeforeValidator(_mac), _MAC_OR_DYNAMIC, Instead("dynamic")] = None
    device_naming: Annotated[Flag | None, Setting("DeviceNaming", codec=ON_OFF)] = None
    iov_weight: Annotated[int | None, Field(ge=0, le=100), Setting("IovWeight")] = None
    iov_queue_pairs: Annotated[int | None, Field(ge=1), Setting("IovQueuePairsRequested")] = None
    iov_interrupt_moderation: Annotated[str | None, MODERATION, Setting("IovInterruptModeration", codec=MODERATION)] = (
        None
    )
    protected_network: Annotated[Flag | None, Setting("ClusterMonitored", "NotMonitoredInCluster", NOT)] = None
    resource_pool: Annotated[Pool | None, Instead("Primordial"), Setting("PoolName", "ResourcePoolName", FOLD)] = None
    test_replica_switch: Annotated[str | None, Setting("TestReplicaSwitchName", codec=NAME), Null()] = None
    test_replica_pool: Annotated[str | None, Setting("TestReplicaPoolName", codec=NAME), Null()] = None
    fixed_speed_10g: Annotated[Flag | None, Setting("FixSpeed10G", codec=ON_OFF)] = None
    mandatory_features: Annotated[
        list[FeatureId] | None, Setting("MandatoryFeatureId[]", "MandatoryFeatureId", _FeaturesCodec()), Instead("[]")
    ] = None
    packet_direct: PacketDirect = Field(default_factory=PacketDirect)

    @property
    def vm(self) -> Machine:
        return machine(self.owner)

    # --- rules -----------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from self.adapter_rules(os)
        if self.legacy and self.vm.generation == 2:
            yield finding("legacy", "a generation 2 VM has no legacy adapters", "remove legacy")

    @classmethod
    def rules_together(cls, wishes: tuple[Self, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
        """Maximums per VM (domain 21), and MAC addresses, which hosts do not compare across VMs (domain 9.1)."""
        yield from cls._one_address_each(wishes)
        for vm in {w.vm.seat: w.vm for w in wishes if w.owner is not None}.values():
            own = [w for w in vm.parts_of(cls) if not w.absent]
            legacy = [w for w in own if w.legacy]
            others = [w for w in own if not w.legacy]
            made = (vm.generation, vm.version)
            for those, field in ((legacy, "legacy"), (others, "")):
                most = adapter_limit(os, *made, legacy=bool(field))
                if most is not None and len(those) > most.most:
                    words = f"{field} network adapters".strip()
                    text = f"{len(those)} {words} are more than the {most.most} that {most.of} can have"
                    yield those[-1], finding(field, text, f"use at most {most.most}")

    @classmethod
    def _one_address_each(cls, wishes: tuple[Self, ...]) -> Iterator[tuple[Resource, Diagnostic]]:
        seen: dict[str, Resource] = {}
        for wish in wishes:
            mac = wish.mac_address
            if not mac or mac == "dynamic" or wish.absent:
                continue
            if mac in seen:
                message = f"{mac} is wanted at {seen[mac].place.mark('mac_address')} too"
                yield wish, finding("mac_address", message, "give each adapter an address of its own")
            seen.setdefault(mac, wish)

    def requires(self) -> tuple[Address, ...]:
        return (self.wished_switch.address(),) if self.wished_switch is not None else ()

    # --- looking ---------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        """With the addresses that the guests told."""
        return (*cls._asked(), Call("Get-VMNetworkAdapter", VM_ADAPTERS.params, ("VMId", "Name", "IPAddresses[]")))

    @classmethod
    def _asked(cls) -> tuple[Call, ...]:
        return (Call("Get-VMNetworkAdapter", VM_ADAPTERS.params, properties(cls, *VM_ADAPTERS.select)), SWITCHES)

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return (*cls._asked(), *all_written(cls(name="any")).asked(VM_ADAPTERS, TEAM_MAPPINGS))

    def queries(self) -> tuple[Call, ...]:
        return (VMS, *self._asked(), *self.asked(VM_ADAPTERS, TEAM_MAPPINGS))

    def row(self, facts: Facts) -> Row | None:
        vm = vm_row(self.vm, facts)
        if vm is None:
            return None
        own = in_vm(VM_ADAPTERS, vm, facts)
        named = [r for r in own if str(r["Name"]).casefold() == self.name.casefold()]
        if len(named) > 1:
            # Every cmdlet by name would change all of them (domain 9.1).
            on = ", ".join(str(r["SwitchName"] or "no switch") for r in named)
            text = f"{self.vm.key()} has {len(named)} adapters named {self.name}"
            raise HeldBackError(text, f"rename or remove one; they are on {on}")
        return named[0] if named else None

    def wanted(self) -> State:
        found = dict(super().wanted())
        if "switch" in self.model_fields_set:
            found = {"switch": self.switch, **found}
        if self.mac_address is not None:
            found["mac_address"] = self.mac_address
        if self.legacy is not None:
            found["legacy"] = self.legacy
        return found

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        if row is None:
            return None
        dynamic = row["DynamicMacAddressEnabled"]
        return {
            **self.read_settings(row),
            **self.compound(row, TEAM_MAPPINGS, facts),
            "mac_address": "dynamic" if dynamic else row["MacAddress"],
            "legacy": bool(row["IsLegacy"]),
        }

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        return MAC.same(now, wanted) if field == "mac_address" else super().same(field, now, wanted)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        vm = vm_row(self.vm, facts)
        if vm is not None and occasion != "leave":
            check_steady(self.vm.key(), vm)
        if occasion == "remove":
            return
        row = self.row(facts)
        yield from self.adapter_findings(row, facts)
        yield from self.waits(changes, facts)
        yield from self._doubts(row, facts)
        if row is None:
            yield from self._room(vm, facts)
        for change in changes:
            if change.field == "legacy" and change.now is not None:
                yield finding("legacy", "an adapter stays legacy or not", "remove it and add one under another name")
        if self.legacy and vm is not None and generation(vm) == 2:
            yield finding(
                "legacy", f"{self.vm.key()} is of generation 2, which has no legacy adapters", "remove legacy"
            )

    def _room(self, vm: Row | None, facts: Facts) -> Iterator[Diagnostic]:
        """The VM has what is wished before this one, and what it had before and keeps (domain 21)."""
        parts = self.vm.parts_of(NetworkAdapter)
        wished = {p.key().casefold(): p for p in parts}
        everything = "network_adapters" in self.vm.exclusive
        kinds = [
            bool(row["IsLegacy"])
            for row in (in_vm(VM_ADAPTERS, vm, facts) if vm is not None else ())
            if not (wished[n].absent if (n := str(row["Name"]).casefold()) in wished else everything)
        ]
        there = {str(row["Name"]).casefold() for row in (in_vm(VM_ADAPTERS, vm, facts) if vm is not None else ())}
        new = [p for p in parts if not p.absent and p.key().casefold() not in there]
        kinds += [bool(p.legacy) for p in new[: new.index(self) + 1]]
        made, version = made_as(self.vm, vm)
        most = adapter_limit(facts.os, made, version, legacy=bool(self.legacy))
        there_then = sum(kind == bool(self.legacy) for kind in kinds)
        if most is not None and there_then > most.most:
            words = "legacy network adapters" if self.legacy else "network adapters"
            text = f"{self.vm.key()} would have {there_then} {words}, those it has included; {most.of} can have {most.most}"
            yield finding("", text, "remove one first, or write `exclusive: [network_adapters]`")

    def _doubts(self, row: Row | None, facts: Facts) -> Iterator[Diagnostic]:
        name = str((self.switch if self.wrote("switch") else (row or {}).get("SwitchName")) or "")
        wished = self.named(SwitchPart, name) if name else None
        iov = wished.iov if wished is not None else None
        if iov is None:
            iov = any(r.get("IovEnabled") for r in switch_rows(name, facts)) if name else None
        if self.iov_weight and iov is False:
            yield finding("iov_weight", f"the switch {name} has no SR-IOV", "it has no effect there", "warning")
        if self.iov_weight and (self.acls or self.extended_acls):
            # domain 9.1 [I]
            yield finding("iov_weight", "port ACLs keep traffic off SR-IOV", "keep one of them", "warning")
        other = self._same_address(facts)
        if other:
            yield finding("mac_address", f"{other} has {self.mac_address} too", "give it another address", "warning")

    def _same_address(self, facts: Facts) -> str | None:
        """Hosts do not compare addresses across VMs (domain 9.1)."""
        if not self.mac_address or self.mac_address == "dynamic":
            return None
        mine = (self.vm.key().casefold(), self.name.casefold())
        for row in facts.of_key(VM_ADAPTERS, "MacAddress", self.mac_address):
            if (str(row["VMName"]).casefold(), str(row["Name"]).casefold()) != mine:
                return f"{row['Name']} of {row['VMName']}"
        return None

    # --- changing --------------------------------------------------------------------------------------------------

    def _plugs_off(self, facts: Facts, legacy: bool) -> bool:
        """Adapters come and go while it runs on generation 2 from 2016 on, legacy ones never (domain 9.1)."""
        vm = vm_row(self.vm, facts)
        live = not legacy and at_least(facts.os, "2016") and vm is not None and generation(vm) == 2
        return vm is not None and not (live and state_at_work(self.vm, facts) == "Running")

    def _up(self, facts: Facts) -> bool:
        return state_at_work(self.vm, facts) in ("Running", "Paused")

    def _saved(self, facts: Facts) -> bool:
        """A saved VM takes hardly any change of its hardware (domain 4.4)."""
        return state_at_work(self.vm, facts) == "Saved"

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        return self.with_switch(field, self._impacts(field, now, facts), facts)

    def _impacts(self, field: str, now: Any, facts: Facts) -> frozenset[Impact]:
        if field == "mac_address" or self._saved(facts):
            return off_impacts(self.vm, facts)
        if field in ("switch", "vlan") or field.startswith("isolation."):
            blinks = self._up(facts) and (field != "switch" or now)
            return frozenset({"disconnect"}) if blinks else frozenset({"online"})
        return frozenset({"online"})

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        off = self._plugs_off(facts, bool(self.legacy))
        found: frozenset[Impact] = off_impacts(self.vm, facts) if off else frozenset({"online"})
        for field in self.wanted():
            found = self.with_switch(field, found, facts)
        return found

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        row = self.row(facts)
        if self._plugs_off(facts, bool(row and row["IsLegacy"])):
            return off_impacts(self.vm, facts)
        return frozenset({"disconnect"}) if self._up(facts) else frozenset({"online"})

    def ref(self, facts: Facts) -> Ref:
        return Ref(Call("Get-VMNetworkAdapter", {"VM": vm_ref(self.vm, facts)}), {"Name": self.name})

    @property
    def _what(self) -> str:
        return f"adapter {self.name} of {self.vm.key()}"

    def create(self, facts: Facts) -> Iterator[Step]:
        params: dict[str, Any] = {"VM": vm_ref(self.vm, facts), "Name": self.name}
        if self.switch:
            params["SwitchName"] = self.switch
        if self.legacy:
            params["IsLegacy"] = True
        if self.mac_address and self.mac_address != "dynamic":
            params["StaticMacAddress"] = self.mac_address
        off = self._plugs_off(facts, bool(self.legacy))
        added = Step(Call("Add-VMNetworkAdapter", params), f"add {self._what}", _ADDED, off=off)
        yield added
        rest = tuple(c for c in self.as_changes(facts) if c.field not in _ADDED)
        for step in self.adapter_steps(rest, self.ref(facts), self._what, None, facts.os):
            yield replace(step, needs=(*step.needs, added), off=off)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        adapter, saved = self.ref(facts), self._saved(facts)
        fields = {c.field for c in changes}
        connected: tuple[Step, ...] = ()
        if "switch" in fields:
            call = (
                Call("Connect-VMNetworkAdapter", {"VMNetworkAdapter": adapter, "VMSwitch": switch_ref(self.switch)})
                if self.switch
                else Call("Disconnect-VMNetworkAdapter", {"VMNetworkAdapter": adapter})
            )
            text = f"{'connect' if self.switch else 'disconnect'} {self._what}"
            connected = (Step(call, text, ("switch",), off=saved),)
            yield from connected
        if "mac_address" in fields:
            how = (
                {"DynamicMacAddress": True} if self.mac_address == "dynamic" else {"StaticMacAddress": self.mac_address}
            )
            call = Call(self.setter, {"VMNetworkAdapter": adapter, **how})
            yield Step(call, f"set the MAC address of {self._what}", ("mac_address",), off=True)
        for step in self.adapter_steps(changes, adapter, self._what, self.row(facts), facts.os):
            yield replace(step, needs=(*step.needs, *connected), off=saved)

    def remove(self, facts: Facts) -> Iterator[Step]:
        row = self.row(facts)
        off = self._plugs_off(facts, bool(row and row["IsLegacy"]))
        call = Call("Remove-VMNetworkAdapter", {"VMNetworkAdapter": self.ref(facts)})
        yield Step(call, f"remove {self._what}", ("ensure",), off=off)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """Two of a name are one here: nothing can tell them apart by it."""
        vm = vm_row(machine(owner), facts)
        names = {str(row["Name"]).casefold(): str(row["Name"]) for row in (in_vm(VM_ADAPTERS, vm, facts) if vm else ())}
        yield from (cls(name=name) for name in names.values())
