"""Virtual switches (domain 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS, at_least, title
from hvctl.facts import Facts, UnreadableError
from hvctl.kinds._network import ADDRESSES, HOST_ADAPTERS, NICS, SWITCHES, VM_ADAPTERS, BitsPerSecond, carries_addresses
from hvctl.kinds._types import RATE, TEXT, Flag, Words
from hvctl.resource import Change, Finding, HeldBackError, Impact, Resource, Setting, State, Step, properties
from hvctl.source import suggest

TYPES = Words(external="External", internal="Internal", private="Private")
MODES = Words(weight="Weight", absolute="Absolute", none="None")
BALANCING = Words(hyper_v_port="HyperVPort", dynamic="Dynamic")

TEAMS = Call("Get-VMSwitchTeam", select=("Id", "Name", "LoadBalancingAlgorithm"))
_FIXED = ("minimum_bandwidth_mode", "iov", "embedded_teaming", "packet_direct")
_CUTS: frozenset[Impact] = frozenset({"disconnect", "management"})
_REMADE: frozenset[Impact] = frozenset({"disconnect", "recreate"})
_ONE, _MANY = "NetAdapterInterfaceDescription", "NetAdapterInterfaceDescriptions[]"


class Switch(Resource):
    """A virtual switch, found by its name. `net_adapters` are names of the host's adapters, as Get-NetAdapter has
    them. The bandwidth mode and the teaming of a switch are fixed when it is made: changing them recreates it."""

    kind: ClassVar[str] = "switch"
    section: ClassVar[str] = "switches"
    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("host",)
    setter: ClassVar[str] = "Set-VMSwitch"
    odd: ClassVar[frozenset[str]] = frozenset({"type", "load_balancing", *_FIXED})

    name: Annotated[str, Field(min_length=1)]
    ensure: Literal["present", "absent"] = "present"
    type: Annotated[str | None, TYPES, Setting("SwitchType", codec=TYPES)] = None
    net_adapters: list[str] | None = None
    allow_management_os: Annotated[Flag | None, Setting("AllowManagementOS")] = None
    notes: Annotated[str | None, Setting("Notes", codec=TEXT)] = None
    minimum_bandwidth_mode: Annotated[str | None, MODES, Setting("BandwidthReservationMode", codec=MODES)] = None
    default_flow_minimum_bandwidth_absolute: Annotated[
        BitsPerSecond | None, Setting("DefaultFlowMinimumBandwidthAbsolute", codec=RATE)
    ] = None
    default_flow_minimum_bandwidth_weight: Annotated[
        int | None, Field(ge=0, le=100), Setting("DefaultFlowMinimumBandwidthWeight")
    ] = None
    embedded_teaming: Annotated[Flag | None, Setting("EmbeddedTeamingEnabled")] = None
    load_balancing: Annotated[str | None, BALANCING, Setting("LoadBalancingAlgorithm", codec=BALANCING)] = None
    iov: Annotated[Flag | None, Setting("IovEnabled")] = None
    packet_direct: Annotated[Flag | None, Setting("PacketDirectEnabled")] = None

    def key(self) -> str:
        return self.name

    # --- rules -----------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Finding]:
        if self.absent:
            return
        wanted = self.type or ("external" if self.net_adapters else None)
        if self.net_adapters and wanted != "external":
            yield Finding("net_adapters", f"a {wanted} switch has no adapters of the host", "write type: external")
        if wanted == "external" and self.type and self.net_adapters == []:
            yield Finding("net_adapters", "an external switch needs an adapter of the host", "write its name")
        if self.allow_management_os is not None and wanted in ("internal", "private"):
            # False on an internal switch silently makes it private (domain 3).
            yield Finding("allow_management_os", f"it belongs to external switches, not to {wanted} ones", "remove it")
        yield from self._teaming(os)
        mode = self.minimum_bandwidth_mode
        if self.default_flow_minimum_bandwidth_absolute is not None and mode not in (None, "absolute"):
            yield Finding(
                "default_flow_minimum_bandwidth_absolute", f"it does not go with the mode {mode}", "remove it"
            )
        if self.default_flow_minimum_bandwidth_weight is not None and mode not in (None, "weight"):
            yield Finding("default_flow_minimum_bandwidth_weight", f"it does not go with the mode {mode}", "remove it")
        if self.iov and mode not in (None, "none"):
            yield Finding("minimum_bandwidth_mode", "with SR-IOV a switch shares no bandwidth", "write none")

    def _teaming(self, os: OS) -> Iterator[Finding]:
        count = len(self.net_adapters or ())
        if (self.embedded_teaming or count > 1 or self.packet_direct) and not at_least(os, "2016"):
            field = (
                "packet_direct"
                if self.packet_direct
                else "embedded_teaming"
                if self.embedded_teaming
                else "net_adapters"
            )
            yield Finding(
                field, f"{title(os)} has no embedded teaming and no packet direct", "use one adapter or an LBFO team"
            )
        if count > 1 and self.embedded_teaming is False:
            yield Finding("embedded_teaming", "several adapters are an embedded team", "write true or remove it")
        if count > 8:
            yield Finding("net_adapters", "an embedded team has at most 8 adapters", "write fewer")
        if self.packet_direct and (self.iov or self.embedded_teaming or count > 1):
            yield Finding("packet_direct", "packet direct excludes SR-IOV and teaming", "keep one of them")

    # --- looking ---------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        names = tuple(n for n in properties(cls, *SWITCHES.select, _ONE, _MANY) if n != "LoadBalancingAlgorithm")
        return (Call("Get-VMSwitch", select=names), NICS)

    def queries(self) -> tuple[Call, ...]:
        return (*self.survey(), ADDRESSES, VM_ADAPTERS, HOST_ADAPTERS, *((TEAMS,) if self.load_balancing else ()))

    def row(self, facts: Facts) -> Row | None:
        rows = facts.of_key(SWITCHES, "Name", self.name)
        if len(rows) > 1:
            raise HeldBackError(f"the host has {len(rows)} switches named {self.name}", "rename or remove one")
        return rows[0] if rows else None

    def wanted(self) -> State:
        found = dict(self.written())
        if self.net_adapters:
            found["net_adapters"] = tuple(self.net_adapters)
        return found

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        if row is None:
            return None
        found = self.read_settings(row)
        if self.load_balancing:
            teams = facts.of_key(TEAMS, "Id", row["Id"])
            found["load_balancing"] = BALANCING.read(teams[0]["LoadBalancingAlgorithm"]) if teams else None
        return {**found, "net_adapters": self._adapters(row, facts)}

    def _adapters(self, row: Row, facts: Facts) -> tuple[str, ...]:
        """Names: what is read back are descriptions (domain 3)."""
        several = row.get(_MANY)
        described = several if several else [row[_ONE]] if row.get(_ONE) else []
        names = {str(n["InterfaceDescription"]).casefold(): str(n["Name"]) for n in facts.rows(NICS)}
        return tuple(names.get(str(d).casefold(), str(d)) for d in described)

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "net_adapters":
            return {str(n).casefold() for n in now} == {str(w).casefold() for w in wanted}
        if field == "allow_management_os" and not wanted:
            # It reads on as soon as the host has any adapter on the switch, wished ones included.
            own = (p for p in self.peers if p.kind == "host_network_adapter" and not p.absent)
            if any(str(getattr(p, "switch", "")).casefold() == self.name.casefold() for p in own):
                return True
        return super().same(field, now, wanted)

    def findings(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        row = self.row(facts)
        if self.absent:
            users = self._users(facts)
            if users:
                yield Finding(
                    "", f"{len(users)} adapters are on it: {', '.join(users[:4])}", "connect them elsewhere first"
                )
            return
        if row is None and self.type is None and not self.net_adapters:
            yield Finding("type", f"there is no switch {self.name}, and its type is not written", "write its type")
        yield from self._nics(facts, row)
        yield from self._own_adapters(changes, facts)
        if row is not None and self.allow_management_os is not None and self.type is None:
            now = TYPES.read(row["SwitchType"])
            if now != "external" and not self.net_adapters:
                yield Finding(
                    "allow_management_os", f"the switch is {now}; it belongs to external ones", "write its type"
                )

    def _own_adapters(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        """Recreating a switch would take the host's own adapters on it away, with all their settings."""
        remade = [c.field for c in changes if "recreate" in c.impacts]
        others = [
            str(r["Name"])
            for r in facts.rows(HOST_ADAPTERS)
            if str(r["SwitchName"] or "").casefold() == self.name.casefold() and r["Name"] != self.name
        ]
        if remade and others:
            yield Finding(remade[0], f"the host has adapters of its own on it: {', '.join(others)}",
                          "remove them first, and add them again afterwards")  # fmt: skip

    def _nics(self, facts: Facts, row: Row | None) -> Iterator[Finding]:
        known = [str(n["Name"]) for n in facts.rows(NICS)]
        own = {n.casefold() for n in self._adapters(row, facts)} if row is not None else set()
        taken = {
            name.casefold(): str(other["Name"])
            for other in facts.rows(SWITCHES)
            if row is None or other["Id"] != row["Id"]
            for name in self._adapters(other, facts)
        }
        for n, name in enumerate(self.net_adapters or ()):
            if name.casefold() not in {k.casefold() for k in known}:
                hint = suggest(name, known) or f"the host has {', '.join(known)}"
                yield Finding(f"net_adapters.{n}", f"the host has no adapter {name}", hint)
            elif name.casefold() in taken and name.casefold() not in own:
                yield Finding(f"net_adapters.{n}", f"{name} is bound to the switch {taken[name.casefold()]}",
                              "take it from there first")  # fmt: skip

    def _connected(self, facts: Facts) -> list[Row]:
        if failure := facts.reply(VM_ADAPTERS).failure:
            # A VM whose adapters were not read may be on it.
            raise UnreadableError(VM_ADAPTERS, failure)
        return [r for r in facts.rows(VM_ADAPTERS) if str(r["SwitchName"] or "").casefold() == self.name.casefold()]

    def _users(self, facts: Facts) -> list[str]:
        """Adapters on it that no wish takes off it."""
        leaving, key = set(), self.name.casefold()
        for peer in self.peers:
            if peer.kind == "vm" and peer.absent:
                leaving.add((peer.key().casefold(), ""))
            elif peer.kind == "network_adapter" and peer.owner is not None:
                elsewhere = (
                    "switch" in peer.model_fields_set and str(getattr(peer, "switch", None) or "").casefold() != key
                )
                if peer.absent or elsewhere:
                    leaving.add((peer.owner.key().casefold(), peer.key().casefold()))
        found = []
        for row in self._connected(facts):
            vm, name = str(row["VMName"]), str(row["Name"])
            if not {(vm.casefold(), name.casefold()), (vm.casefold(), "")} & leaving:
                found.append(f"{name} of {vm}")
        return found

    # --- changing --------------------------------------------------------------------------------------------------

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        blinks: frozenset[Impact] = frozenset({"disconnect"})
        if field in _FIXED or (field == "net_adapters" and self._becomes_team(facts)):
            return _REMADE | self._management(facts)
        if field in ("type", "net_adapters"):
            return blinks | self._management(facts)
        if field == "allow_management_os":
            return _CUTS
        return frozenset({"online"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field not in _FIXED:
            return ""
        count = len(self._connected(facts))
        return f"fixed at creation ({count} adapter{'s lose' if count != 1 else ' loses'} the network while it is recreated)"

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        if any(carries_addresses(n, facts) for n in self.net_adapters or ()):
            return frozenset(("disconnect", "management"))
        return frozenset(("online",))

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        blinks: frozenset[Impact] = frozenset(("disconnect",))
        return blinks | self._management(facts)

    def _becomes_team(self, facts: Facts) -> bool:
        """Several adapters on a switch that is no embedded team: teaming is fixed when a switch is made."""
        row = self.row(facts)
        return len(self.net_adapters or ()) > 1 and row is not None and not row.get("EmbeddedTeamingEnabled")

    def _management(self, facts: Facts) -> frozenset[Impact]:
        """What the switch's adapters or its management-OS adapter carry may be hvctl's own way in (observations 4:
        making or removing an external switch takes the host's network away for 5 to 15 s)."""
        row = self.row(facts)
        names = [*(self.net_adapters or ()), *(self._adapters(row, facts) if row else ())]
        shared = row is not None and TYPES.read(row["SwitchType"]) == "external" and bool(row["AllowManagementOS"])
        carried = shared or any(carries_addresses(n, facts) for n in (*names, f"vEthernet ({self.name})"))
        return frozenset({"management"}) if carried else frozenset()

    def summary(self) -> str:
        return self.type or "external"

    @property
    def ref(self) -> Ref:
        return Ref(Call("Get-VMSwitch"), {"Name": self.name})

    def create(self, facts: Facts) -> Iterator[Step]:
        made = self._made(facts, None)
        yield made
        yield from self._after(self.as_changes(facts), made, facts)

    def _made(self, facts: Facts, row: Row | None, needs: tuple[Step, ...] = ()) -> Step:
        """New-VMSwitch. What is not wished stays as it was when the switch is made anew."""
        was = TYPES.read(row["SwitchType"]) if row else None
        adapters = list(self.net_adapters or (self._adapters(row, facts) if row else ()))
        kind = self.type or ("external" if adapters else was)
        iov = self.iov if self.iov is not None else bool(row and row.get("IovEnabled"))
        # Never left to the host: three sources give three defaults (domain 3).
        was_mode = MODES.read(row["BandwidthReservationMode"]) if row else None
        mode = self.minimum_bandwidth_mode or ("none" if iov else was_mode or "weight")
        params: dict[str, Any] = {"Name": self.name}
        if kind == "external":
            params["NetAdapterName"] = adapters if at_least(facts.os, "2016") else adapters[0]
            shared = (
                self.allow_management_os if self.allow_management_os is not None else row and row["AllowManagementOS"]
            )
            if shared is not None:
                params["AllowManagementOS"] = bool(shared)
        else:
            params["SwitchType"] = TYPES.write(kind)
        params["MinimumBandwidthMode"] = MODES.write(mode)
        notes = self.notes if self.notes is not None else (row or {}).get("Notes")
        more = {
            "Notes": notes,
            "EnableIov": iov,
            "EnablePacketDirect": self.packet_direct,
            "EnableEmbeddedTeaming": self.embedded_teaming or len(adapters) > 1,
        }
        params |= {name: value for name, value in more.items() if value}
        served = tuple(f for f in self.wanted() if not f.startswith(("default_flow", "load_bal")))
        return Step(Call("New-VMSwitch", params), f"make switch {self.name}", served, needs=needs)

    def _after(self, changes: tuple[Change, ...], made: Step, facts: Facts) -> Iterator[Step]:
        """What New-VMSwitch has no parameter for."""
        rest = tuple(c for c in changes if c.field.startswith("default_flow"))
        if arguments := self.arguments(rest):
            call = Call(self.setter, {"VMSwitch": self.ref, **arguments})
            yield Step(call, f"set switch {self.name}", tuple(c.field for c in rest), needs=(made,))
        if any(c.field == "load_balancing" for c in changes):
            yield self._balanced(facts, (made,))

    def _balanced(self, facts: Facts, needs: tuple[Step, ...]) -> Step:
        row = self.row(facts)
        members = list(self.net_adapters or (self._adapters(row, facts) if row else ()))
        params: dict[str, Any] = {"VMSwitch": self.ref, "NetAdapterName": members}
        if self.load_balancing:
            params["LoadBalancingAlgorithm"] = BALANCING.write(self.load_balancing)
        return Step(Call("Set-VMSwitchTeam", params), f"set the team of switch {self.name}",
                    ("net_adapters", "load_balancing"), needs=needs)  # fmt: skip

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        fields = {c.field for c in changes}
        row = self.row(facts)
        remade = fields & set(_FIXED) or ("net_adapters" in fields and self._becomes_team(facts))
        if remade and row is not None:
            yield from self._recreated(changes, row, facts)
            return
        team = bool(row and row.get("EmbeddedTeamingEnabled"))
        first: tuple[Step, ...] = ()
        if "net_adapters" in fields and team:
            first = (self._balanced(facts, ()),)
            fields -= {"load_balancing"}
        elif fields & {"type", "net_adapters"}:
            first = (self._converted(facts, "allow_management_os" in fields),)
            fields -= {"allow_management_os"}
        yield from first
        plain = tuple(
            c for c in changes if c.field in fields and c.field not in ("type", "net_adapters", "load_balancing")
        )
        if arguments := self.arguments(plain):
            call = Call(self.setter, {"VMSwitch": self.ref, **arguments})
            yield Step(call, f"set switch {self.name}", tuple(c.field for c in plain), needs=first)
        if "load_balancing" in fields:
            yield self._balanced(facts, first)

    def _converted(self, facts: Facts, management: bool) -> Step:
        """In place, with VMs connected (domain 3). Set-VMSwitch takes one adapter, never a list."""
        wanted = self.type or "external"
        params: dict[str, Any] = {"VMSwitch": self.ref}
        if wanted == "external":
            row = self.row(facts)
            names = self.net_adapters or (list(self._adapters(row, facts)) if row else [])
            if not names:
                raise HeldBackError(f"switch {self.name} is to be external, and no adapter is written",
                                    "write net_adapters", "type")  # fmt: skip
            params["NetAdapterName"] = names[0]
            if management:
                params["AllowManagementOS"] = bool(self.allow_management_os)
        else:
            params["SwitchType"] = TYPES.write(wanted)
        served = ("type", "net_adapters", *(("allow_management_os",) if management else ()))
        return Step(Call(self.setter, params), f"make switch {self.name} {wanted}", served)

    def _recreated(self, changes: tuple[Change, ...], row: Row, facts: Facts) -> Iterator[Step]:
        gone = Step(Call("Remove-VMSwitch", {"VMSwitch": self.ref, "Force": True}), f"remove switch {self.name}",
                    tuple(c.field for c in changes))  # fmt: skip
        yield gone
        made = self._made(facts, row, (gone,))
        yield made
        yield from self._after(changes, made, facts)
        for adapter in self._connected(facts):
            vm = Ref(Call("Get-VM", {"Id": adapter["VMId"]}))
            found = Ref(Call("Get-VMNetworkAdapter", {"VM": vm}), {"Id": adapter["Id"]})
            call = Call("Connect-VMNetworkAdapter", {"VMNetworkAdapter": found, "SwitchName": self.name})
            yield Step(call, f"connect adapter {adapter['Name']} of {adapter['VMName']} again", needs=(made,))

    def remove(self, facts: Facts) -> Iterator[Step]:
        yield Step(
            Call("Remove-VMSwitch", {"VMSwitch": self.ref, "Force": True}), f"remove switch {self.name}", ("ensure",)
        )
