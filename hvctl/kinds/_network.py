"""What virtual adapters of VMs and of the management OS share: VLAN, bandwidth, guards; and the switches they meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS
from hvctl.facts import Facts
from hvctl.kinds._types import COUNT, ON_OFF, RATE, Flag, Rate, Words, multiple_of
from hvctl.kinds._vm import ALL_VMS
from hvctl.resource import Change, Fields, Finding, Plain, Resource, Setting, State, Step
from hvctl.source import suggest

SWITCHES = Call("Get-VMSwitch", select=("Id", "Name", "SwitchType", "BandwidthReservationMode", "AllowManagementOS"))

_VLAN = ("OperationMode", "AccessVlanId", "NativeVlanId", "AllowedVlanIdListString", "PrivateVlanMode", "PrimaryVlanId",
         "SecondaryVlanId", "SecondaryVlanIdListString")  # fmt: skip
ADAPTER = ("Id", "Name", "SwitchName", *(f"VlanSetting.{name}" for name in _VLAN))

VM_ADAPTERS = Call(
    "Get-VMNetworkAdapter",
    {"VM": ALL_VMS},
    select=("VMId", "VMName", "IsLegacy", "DynamicMacAddressEnabled", "MacAddress", *ADAPTER),
)
HOST_ADAPTERS = Call("Get-VMNetworkAdapter", {"ManagementOS": True}, select=ADAPTER)

NICS = Call("Get-NetAdapter", select=("Name", "InterfaceDescription"))
ADDRESSES = Call("Get-NetIPAddress", select=("InterfaceAlias", "IPAddress"))

_IDS = re.compile(r"^\s*\d+(?:\s*-\s*\d+)?(?:\s*,\s*\d+(?:\s*-\s*\d+)?)*\s*$")
MIRRORING = Words(none="None", source="Source", destination="Destination")


def switch_row(name: str, facts: Facts) -> Row | None:
    rows = facts.of_key(SWITCHES, "Name", name)
    return rows[0] if rows else None


def carries_addresses(alias: str, facts: Facts) -> bool:
    """Whether a host interface has an address that hvctl's own connection may use; link-local ones do not count."""
    local = ("127.", "169.254.", "::1", "fe80")
    found = facts.of_key(ADDRESSES, "InterfaceAlias", alias)
    return any(not str(row["IPAddress"]).casefold().startswith(local) for row in found)


def vlan_ids(text: str) -> frozenset[int]:
    """ "1-100,200" as numbers; lists compare as sets (domain 9.2)."""
    found: set[int] = set()
    for part in filter(None, (p.strip() for p in text.split(","))):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _id_list(value: str | None) -> str | None:
    if value is not None and (not _IDS.match(value) or not all(1 <= v <= 4094 for v in vlan_ids(value))):
        raise ValueError(f"{value!r} is no list of VLANs; write such as '1-100,200', numbers from 1 to 4094")
    return value


Id = Annotated[int, Field(ge=1, le=4094)]
Ids = Annotated[str, AfterValidator(_id_list)]


class Vlan(Fields):
    """One of: `access`; `trunk` with `native`; `isolated`, `community` or `promiscuous` with `primary`. `vlan: null`
    is untagged."""

    access: Id | None = None
    trunk: Ids | None = None
    native: Annotated[int | None, Field(ge=0, le=4094)] = None
    isolated: Id | None = None
    community: Id | None = None
    promiscuous: Ids | None = None
    primary: Id | None = None

    @model_validator(mode="after")
    def _one_mode(self) -> Vlan:
        modes = [m for m in ("access", "trunk", "isolated", "community", "promiscuous") if getattr(self, m) is not None]
        if len(modes) != 1:
            raise ValueError("a VLAN is one of access, trunk, isolated, community, promiscuous; write `{access: 20}`")
        if self.native is not None and modes != ["trunk"]:
            raise ValueError("native belongs to trunk; remove it")
        if (self.primary is not None) != (modes[0] in ("isolated", "community", "promiscuous")):
            raise ValueError(
                "primary belongs to isolated, community and promiscuous, which need it; write `primary: N`"
            )
        return self

    def state(self) -> tuple[Any, ...]:
        if self.access is not None:
            return ("access", self.access)
        if self.trunk is not None:
            return ("trunk", vlan_ids(self.trunk), self.native or 0)
        if self.promiscuous is not None:
            return ("promiscuous", self.primary, vlan_ids(self.promiscuous))
        return (
            ("isolated", self.primary, self.isolated) if self.isolated else ("community", self.primary, self.community)
        )

    def arguments(self) -> dict[str, Any]:
        if self.access is not None:
            return {"Access": True, "VlanId": self.access}
        if self.trunk is not None:
            return {"Trunk": True, "AllowedVlanIdList": self.trunk, "NativeVlanId": self.native or 0}
        if self.promiscuous is not None:
            return {"Promiscuous": True, "PrimaryVlanId": self.primary, "SecondaryVlanIdList": self.promiscuous}
        mode = {"Isolated": True} if self.isolated else {"Community": True}
        return {**mode, "PrimaryVlanId": self.primary, "SecondaryVlanId": self.isolated or self.community}


UNTAGGED = ("untagged",)


def vlan_of(row: Row) -> tuple[Any, ...]:
    """As `Vlan.state` says it, from an adapter's row."""
    setting = {name: row.get(f"VlanSetting.{name}") for name in _VLAN}
    mode = str(setting["OperationMode"] or "Untagged").casefold()
    if mode == "access":
        return ("access", setting["AccessVlanId"])
    if mode == "trunk":
        return ("trunk", vlan_ids(str(setting["AllowedVlanIdListString"] or "")), setting["NativeVlanId"] or 0)
    if mode == "private":
        kind = str(setting["PrivateVlanMode"]).casefold()
        if kind == "promiscuous":
            return (kind, setting["PrimaryVlanId"], vlan_ids(str(setting["SecondaryVlanIdListString"] or "")))
        return (kind, setting["PrimaryVlanId"], setting["SecondaryVlanId"])
    return UNTAGGED


def vlan_text(state: Any) -> str:
    if not isinstance(state, tuple):
        return str(state)
    mode, *rest = state
    shown = [_ids_text(r) if isinstance(r, frozenset) else str(r) for r in rest]
    if mode == "trunk":
        return f"trunk {shown[0] or 'none'}, native {shown[1]}"
    return " ".join([mode, *(["/".join(shown)] if shown else [])])


def _ids_text(ids: frozenset[int]) -> str:
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ",".join("-".join(str(n) for n in run) for run in runs)


class _VlanCodec(Plain):
    def show(self, value: Any) -> str:
        return vlan_text(value)


VLAN = _VlanCodec()
BitsPerSecond = Annotated[Rate, multiple_of(8, "8 bit/s, in which Hyper-V keeps rates")]


class Bandwidth(Fields):
    """`weight` on switches of the weight mode, `minimum` on those of the absolute mode. 0 or null: none."""

    weight: Annotated[
        int | None,
        Field(ge=0, le=100),
        Setting("BandwidthSetting.MinimumBandwidthWeight", "MinimumBandwidthWeight", COUNT),
    ] = None
    minimum: Annotated[
        BitsPerSecond | None, Setting("BandwidthSetting.MinimumBandwidthAbsolute", "MinimumBandwidthAbsolute", RATE)
    ] = None
    maximum: Annotated[BitsPerSecond | None, Setting("BandwidthSetting.MaximumBandwidth", "MaximumBandwidth", RATE)] = (
        None
    )


class Adapter(Resource):
    """Fields of adapters of VMs and of the management OS."""

    setter: ClassVar[str] = "Set-VMNetworkAdapter"

    name: Annotated[str, Field(min_length=1)]
    switch: str | None = None
    vlan: Vlan | None = None
    bandwidth: Bandwidth = Field(default_factory=Bandwidth)
    mac_address_spoofing: Annotated[Flag | None, Setting("MacAddressSpoofing", codec=ON_OFF)] = None
    dhcp_guard: Annotated[Flag | None, Setting("DhcpGuard", codec=ON_OFF)] = None
    router_guard: Annotated[Flag | None, Setting("RouterGuard", codec=ON_OFF)] = None
    ieee_priority_tag: Annotated[Flag | None, Setting("IeeePriorityTag", codec=ON_OFF)] = None
    allow_teaming: Annotated[Flag | None, Setting("AllowTeaming", codec=ON_OFF)] = None
    port_mirroring: Annotated[str | None, MIRRORING, Setting("PortMirroringMode", "PortMirroring", MIRRORING)] = None
    vmq_weight: Annotated[int | None, Field(ge=0, le=100), Setting("VMQWeight", "VmqWeight")] = None
    storm_limit: Annotated[int | None, Field(ge=0), Setting("StormLimit")] = None
    virtual_subnet: Annotated[int | None, Field(ge=0, le=16_777_215), Setting("VirtualSubnetId")] = None

    def key(self) -> str:
        return self.name

    def wanted(self) -> State:
        found = dict(self.written())
        if "vlan" in self.model_fields_set:
            found["vlan"] = self.vlan.state() if self.vlan else UNTAGGED
        return found

    def show(self, field: str, value: Any) -> str:
        return vlan_text(value) if field == "vlan" and isinstance(value, tuple) else super().show(field, value)

    def adapter_rules(self, os: OS) -> Iterator[Finding]:
        band = self.bandwidth
        if band.weight and band.minimum:
            yield Finding(
                "bandwidth.weight", "weight and minimum exclude each other", "keep the one of the switch's mode"
            )
        if band.minimum and band.maximum and band.maximum < band.minimum:
            yield Finding("bandwidth.maximum", "the maximum is below the minimum", "raise it")
        if self.virtual_subnet is not None and 0 < self.virtual_subnet < 4096:
            yield Finding("virtual_subnet", f"{self.virtual_subnet} is no virtual subnet", "0, or from 4096 on")
        wished = self.peer("switch", self.switch) if self.switch else None
        if wished is not None and wished.absent and not self.absent:
            yield Finding("switch", f"the switch {self.switch} is to be absent", "choose another switch")
        elif wished is not None:
            yield from self._mode(getattr(wished, "minimum_bandwidth_mode", None))

    def adapter_findings(self, row: Row | None, facts: Facts) -> Iterator[Finding]:
        """The switch it is or will be on: that it is there, and its bandwidth mode."""
        name = self.switch if "switch" in self.model_fields_set else (row or {}).get("SwitchName")
        if not name:
            return
        wished = self.peer("switch", str(name))
        found = switch_row(str(name), facts)
        if wished is not None and not wished.absent:
            # As it will be: what is wished, else what it is, else what hvctl makes of it.
            made = "none" if getattr(wished, "iov", None) else "weight"
            now = str(found["BandwidthReservationMode"]).casefold() if found else made
            yield from self._mode(getattr(wished, "minimum_bandwidth_mode", None) or now)
            return
        if found is None and self.switch:
            known = [str(r["Name"]) for r in facts.rows(SWITCHES)]
            yield Finding(
                "switch", f"there is no switch {name}", suggest(str(name), known) or "make it, or choose another"
            )
        elif found is not None:
            yield from self._mode(str(found["BandwidthReservationMode"]).casefold())

    def _mode(self, mode: str | None) -> Iterator[Finding]:
        """A minimum of the other mode is refused by the host (domain 9.1; its text is not known)."""
        band = self.bandwidth
        if mode is not None and band.weight and mode != "weight":
            yield Finding("bandwidth.weight", f"the switch shares bandwidth by {mode}, not by weight",
                          "use minimum, or a switch of mode weight")  # fmt: skip
        if mode is not None and band.minimum and mode != "absolute":
            yield Finding("bandwidth.minimum", f"the switch shares bandwidth by {mode}, not by absolute minima",
                          "use weight, or a switch of mode absolute")  # fmt: skip

    def adapter_steps(self, changes: tuple[Change, ...], adapter: Ref, what: str) -> Iterator[Step]:
        """Everything but connecting and the MAC address."""
        plain = tuple(c for c in changes if c.field not in ("vlan", "switch", "mac_address", "legacy"))
        if arguments := self.arguments(plain):
            call = Call(self.setter, {"VMNetworkAdapter": adapter, **arguments})
            yield Step(call, f"set {what}", tuple(c.field for c in plain))
        if any(c.field == "vlan" for c in changes):
            how = self.vlan.arguments() if self.vlan else {"Untagged": True}
            call = Call("Set-VMNetworkAdapterVlan", {"VMNetworkAdapter": adapter, **how})
            yield Step(call, f"set the VLAN of {what}", ("vlan",))
