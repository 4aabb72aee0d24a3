"""A virtual switch as it is wished and as it is read (domain 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS, at_least, contract
from hvctl.core.changes import Change, HeldBackError
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Fields, Null, Setting, properties
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import ANYTHING, State
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._ip import NATS
from hvctl.kinds._network import (
    ADDRESSES,
    HOST_ADAPTERS,
    NICS,
    SWITCHES,
    VM_ADAPTERS,
    BitsPerSecond,
    named,
    switch_ref,
    switch_rows,
)
from hvctl.kinds._readdressed import QUERIES as READDRESSED
from hvctl.kinds._types import RATE, TEXT, Flag, Words
from hvctl.kinds._vm import ALL_VMS

TYPES = Words(external="External", internal="Internal", private="Private")
MODES = Words(weight="Weight", absolute="Absolute", none="None")
BALANCING = Words(hyper_v_port="HyperVPort", dynamic="Dynamic")
TEAMING = Words(switch_independent="SwitchIndependent")
SCHEDULING = Words(dynamic="Dynamic", static_vmq="StaticVmq", static_vrss="StaticVrss")

TEAMS = Call("Get-VMSwitchTeam", select=("Id", "Name", "LoadBalancingAlgorithm", "TeamingMode"))
INSTALLED = Call("Get-VMSystemSwitchExtension", select=("Id", "Name"))
CHECKPOINTS = Call("Get-VMSnapshot", {"VM": ALL_VMS}, select=("Name", "VMName", "NetworkAdapters[SwitchId]"))

REMADE: tuple[Impact, ...] = ("disconnect", "recreate")
FIXED = ("minimum_bandwidth_mode", "iov", "embedded_teaming", "packet_direct")
TEAM = ("load_balancing", "teaming_mode")
EXTENSIONS = "Extensions[Id,Name,Enabled]"
KNOWN = {
    "filtering_platform": "E7C3B2F0-F3C5-48DF-AF2B-10FED6D72E7A",
    "ndis_capture": "EA24CD6C-D17A-4348-9190-09F0D5BE83DD",
    "azure_vfp": "F74F241B-440F-4433-BB28-00F89EAD20D8",
}
"""Microsoft's own extensions; names on the host are localised (domain 3)."""

Extension = Annotated[str, Field(min_length=1)]
Extensions = dict[Extension, Flag]


class DefaultQueue(Fields):
    """How the queue is spread that serves all adapters without queues of their own. It needs hardware for VMMQ."""

    vrss: Annotated[Flag | None, Setting("DefaultQueueVrssEnabledRequested", "DefaultQueueVrssEnabled")] = None
    vmmq: Annotated[Flag | None, Setting("DefaultQueueVmmqEnabledRequested", "DefaultQueueVmmqEnabled")] = None
    queue_pairs: Annotated[
        int | None, Field(ge=1), Setting("DefaultQueueVmmqQueuePairsRequested", "DefaultQueueVmmqQueuePairs")
    ] = None
    minimum_queue_pairs: Annotated[
        int | None, Field(ge=1), Setting("DefaultQueueVrssMinQueuePairsRequested", "DefaultQueueVrssMinQueuePairs")
    ] = None
    scheduling: Annotated[
        str | None,
        SCHEDULING,
        Setting("DefaultQueueVrssQueueSchedulingModeRequested", "DefaultQueueVrssQueueSchedulingMode", SCHEDULING),
    ] = None
    exclude_primary_processor: Annotated[
        Flag | None,
        Setting("DefaultQueueVrssExcludePrimaryProcessorRequested", "DefaultQueueVrssExcludePrimaryProcessor"),
    ] = None


@dataclass(frozen=True)
class Shape:
    """What a switch is or will be in what New-VMSwitch decides."""

    type: str
    adapters: tuple[str, ...]
    shared: bool | None
    mode: str
    iov: bool
    packet_direct: bool
    team: bool


class SwitchPart(OfHyperV):
    """The fields of a switch and how they are read."""

    setter: ClassVar[str] = "Set-VMSwitch"
    stand_in: ClassVar[Mapping[str, Any]] = {"name": "unnamed"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("net_adapter", "adapter", "adapters", "nic", "nics", "uplink", "uplinks"), "net_adapters"),
        **dict.fromkeys(("management", "management_os", "host_access"), "allow_management_os"),
        **dict.fromkeys(("note", "description", "comment"), "notes"),
        **dict.fromkeys(("team", "teaming", "set"), "embedded_teaming"),
        **dict.fromkeys(("bandwidth_mode", "qos"), "minimum_bandwidth_mode"),
        "sriov": "iov",
    }
    usual: ClassVar[Mapping[str, Any]] = {
        "allow_management_os": True,
        "notes": "",
        "default_flow_minimum_bandwidth_absolute": ANYTHING,  # a tenth of the link
        "teaming_mode": "switch_independent",
        "iov": False,
        "packet_direct": False,
        "software_rsc": True,
        "default_queue.vrss": True,
        "default_queue.vmmq": False,
        "default_queue.queue_pairs": 16,
        "default_queue.minimum_queue_pairs": 1,
        "default_queue.scheduling": "static_vrss",
        "default_queue.exclude_primary_processor": False,
    }  # domain 3
    odd: ClassVar[frozenset[str]] = frozenset({"type", *TEAM, *FIXED})

    name: Annotated[str, Field(min_length=1)]
    ensure: Literal["present", "absent"] = "present"
    type: Annotated[str | None, TYPES, Setting("SwitchType", codec=TYPES, costs=("disconnect",))] = None
    net_adapters: list[str] | None = None
    allow_management_os: Annotated[Flag | None, Setting("AllowManagementOS", costs=("disconnect", "management"))] = None
    notes: Annotated[str | None, Setting("Notes", codec=TEXT), Null()] = None
    minimum_bandwidth_mode: Annotated[
        str | None, MODES, Setting("BandwidthReservationMode", codec=MODES, costs=REMADE)
    ] = None
    default_flow_minimum_bandwidth_absolute: Annotated[
        BitsPerSecond | None, Setting("DefaultFlowMinimumBandwidthAbsolute", codec=RATE), Null()
    ] = None
    default_flow_minimum_bandwidth_weight: Annotated[
        int | None, Field(ge=0, le=100), Setting("DefaultFlowMinimumBandwidthWeight")
    ] = None
    embedded_teaming: Annotated[Flag | None, Setting("EmbeddedTeamingEnabled", costs=REMADE)] = None
    teaming_mode: Annotated[str | None, TEAMING, Setting("TeamingMode", codec=TEAMING)] = None
    load_balancing: Annotated[str | None, BALANCING, Setting("LoadBalancingAlgorithm", codec=BALANCING)] = None
    iov: Annotated[Flag | None, Setting("IovEnabled", costs=REMADE)] = None
    packet_direct: Annotated[Flag | None, Setting("PacketDirectEnabled", costs=REMADE)] = None
    software_rsc: Annotated[Flag | None, Setting("SoftwareRscEnabled", "EnableSoftwareRsc")] = None
    default_queue: DefaultQueue = Field(default_factory=DefaultQueue)
    extensions: Extensions | None = None
    extension_order: list[Extension] | None = None

    def key(self) -> str:
        return self.name

    @property
    def known_by(self) -> str:
        return self.name.casefold()

    # --- looking ---------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        names = tuple(
            n for n in properties(cls, *SWITCHES.select) if n not in ("LoadBalancingAlgorithm", "TeamingMode")
        )
        return (replace(SWITCHES, select=names), NICS)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """By name; of two that share one, neither can be declared."""
        counts = Counter(str(row["Name"]).casefold() for row in facts.rows(SWITCHES))
        yield from (cls(name=str(r["Name"])) for r in facts.rows(SWITCHES) if counts[str(r["Name"]).casefold()] == 1)

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return (*cls.survey(), TEAMS, replace(SWITCHES, select=(EXTENSIONS,)))

    def as_written(self, found: State, facts: Facts) -> State:
        """Of the type and the mode that it has. Extensions by a word, else by their ids: names are localised."""
        outside, mode = found["type"] == "external", found["minimum_bandwidth_mode"]
        odd = {f"default_flow_minimum_bandwidth_{m}" for m in ("absolute", "weight") if m != mode}
        odd |= set() if outside else {"net_adapters", "allow_management_os", "iov", "packet_direct", "embedded_teaming"}
        odd |= set() if found.get("embedded_teaming") is True else {*TEAM}
        present = (self.row(facts) or {}).get(EXTENSIONS) or ()
        words = {id.casefold(): word for word, id in KNOWN.items()}
        known = {words.get(key, key): e["Enabled"] for e in present for key in (str(e["Id"]).casefold(),)}
        told = {n: v for n, v in found.items() if n not in odd and (outside or not n.startswith("default_queue."))}
        return {**told, "extensions": known, "extension_order": list(known)} if known else told

    def by_default(self, facts: Facts) -> State:
        """As New-VMSwitch makes it for hvctl (domain 3)."""
        weight = self.default_flow_minimum_bandwidth_weight
        known = {"filtering_platform": True, "ndis_capture": False, "azure_vfp": False}
        own = all(known.get(name) is on for name, on in (self.extensions or {}).items())
        return {
            **self.usual,
            "minimum_bandwidth_mode": "none" if self.iov else "weight",
            "default_flow_minimum_bandwidth_weight": ANYTHING if weight in (0, 1, 10) else None,  # pages differ
            "embedded_teaming": len(self.net_adapters or ()) > 1,
            "load_balancing": "hyper_v_port" if at_least(facts.os, "2019") else "dynamic",
            "extensions": ANYTHING if own else None,
            "extension_order": ANYTHING if set(self.extension_order or ()) <= set(known) else None,
        }

    @classmethod
    def unnameable(cls, owner: Resource | None, facts: Facts) -> Iterator[tuple[str, str]]:
        names = [str(row["Name"]) for row in facts.rows(SWITCHES)]
        counts = Counter(name.casefold() for name in names)
        for name, count in {n.casefold(): (n, counts[n.casefold()]) for n in reversed(names)}.values():
            if count > 1:
                yield name, f"there are {count} switches of this name, which nothing in a playbook can tell apart"

    def queries(self) -> tuple[Call, ...]:
        found = [*self.survey(), ADDRESSES, VM_ADAPTERS, HOST_ADAPTERS]
        if self.may_go:
            found += [CHECKPOINTS, replace(SWITCHES, select=(EXTENSIONS,)), NATS, *READDRESSED]
        if self.may_go or any(getattr(self, name) for name in TEAM):
            found.append(TEAMS)
        if self.extensions or self.extension_order:
            found += [INSTALLED, replace(SWITCHES, select=(EXTENSIONS,))]
        return tuple(found)

    @property
    def may_go(self) -> bool:
        """Whether its plan may remove it, to make it anew or not: what that rests on is not asked otherwise."""
        fixed = any(getattr(self, name) is not None for name in FIXED)
        team = self.type in ("internal", "private") or len(self.net_adapters or ()) > 1
        return self.absent or fixed or team

    def row(self, facts: Facts) -> Row | None:
        rows = switch_rows(self.name, facts)
        if len(rows) > 1:
            raise HeldBackError(f"the host has {len(rows)} switches named {self.name}", "rename or remove one")
        return rows[0] if rows else None

    def ref(self, facts: Facts) -> Ref:
        row = self.row(facts)
        return switch_ref(self.name) if row is None else Ref(Call("Get-VMSwitch", {"Id": row["Id"]}))

    @property
    def made(self) -> Ref:
        """Once its plan has made it."""
        return switch_ref(self.name)

    def wanted(self) -> State:
        found = dict(self.written())
        if self.type in ("internal", "private"):
            found.pop("allow_management_os", None)  # the type says the same
        if self.net_adapters:
            found["net_adapters"] = tuple(self.net_adapters)
        found |= {f"extensions.{name}": on for name, on in (self.extensions or {}).items()}
        if self.extension_order:
            found["extension_order"] = tuple(self.extension_order)
        return found

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        if row is None:
            return None
        found = self.read_settings(row)
        if self.model_fields_set & {*TEAM}:
            teams = facts.of_key(TEAMS, "Id", row["Id"])
            found["load_balancing"] = BALANCING.read(teams[0]["LoadBalancingAlgorithm"]) if teams else None
            found["teaming_mode"] = TEAMING.read(teams[0]["TeamingMode"]) if teams else None
        present = row.get(EXTENSIONS) or ()
        for name in self.extensions or ():
            one = extension(name, present)
            found[f"extensions.{name}"] = None if one is None else one["Enabled"]
        ids = [str(e["Id"]).casefold() for e in present]
        listed = {name: extension(name, present) for name in self.extension_order or ()}
        there = [(ids.index(str(one["Id"]).casefold()), name) for name, one in listed.items() if one is not None]
        found["extension_order"] = tuple(name for _, name in sorted(there))
        return {**found, "net_adapters": named(row, facts)}

    def shape(self, facts: Facts) -> Shape:
        """As it will be: what is wished, else what it is, else what hvctl makes of it."""
        row = self.row(facts) or {}
        adapters = tuple(self.net_adapters or (named(row, facts) if row else ()))
        was = TYPES.read(row["SwitchType"]) if row else None
        kind = self.type or ("external" if self.net_adapters else was) or "external"
        outside = kind == "external"

        def either(field: str, name: str) -> bool:
            wish = getattr(self, field)
            return outside and bool(wish if wish is not None else row.get(name))

        iov = either("iov", "IovEnabled")
        # Never left to the host: three sources give three defaults (domain 3).
        before = "none" if self.iov else MODES.read(row["BandwidthReservationMode"]) if row else None
        mode = self.minimum_bandwidth_mode or before or ("none" if iov else "weight")
        # Converted in place it stays shared or not; the host itself would share it (PSDOC).
        shared = self.allow_management_os
        if shared is None and row:
            shared = bool(row["AllowManagementOS"])
        team = outside and (either("embedded_teaming", "EmbeddedTeamingEnabled") or len(adapters) > 1)
        return Shape(
            kind, adapters if outside else (), shared, mode, iov, either("packet_direct", "PacketDirectEnabled"), team
        )

    def remakes(self, field: str, facts: Facts) -> bool:
        """Fixed at creation; and a switch becomes a team, or stops being one, by being made anew."""
        if field in FIXED:
            return True
        row = self.row(facts)
        team = bool(row and row.get("EmbeddedTeamingEnabled"))
        if field == "net_adapters":
            return len(self.net_adapters or ()) > 1 and not team
        return field == "type" and team

    def remade_by(self, changes: tuple[Change, ...], facts: Facts) -> str:
        """The field for which it is made anew, or ""."""
        anew = (c.field for c in changes if self.row(facts) is not None and self.remakes(c.field, facts))
        return next(anew, "")

    def remade(self, facts: Facts) -> str:
        """The same of all that differs."""
        there = None if self.absent else self.actual(facts)
        return "" if there is None else self.remade_by(self.changes(there, facts), facts)

    def connected(self, facts: Facts) -> list[Row]:
        """The adapters of VMs that are on it."""
        if failure := facts.reply(VM_ADAPTERS).failure:
            # A VM whose adapters were not read may be on it.
            raise UnreadableError(VM_ADAPTERS, failure)
        return [r for r in facts.rows(VM_ADAPTERS) if str(r["SwitchName"] or "").casefold() == self.known_by]

    def of_host(self, facts: Facts) -> list[Row]:
        """The adapters of the management OS that are on it."""
        return [r for r in facts.rows(HOST_ADAPTERS) if str(r["SwitchName"] or "").casefold() == self.known_by]

    def staying(self, facts: Facts) -> list[Row]:
        """Those that come back when it is recreated: the one of its name, where it is shared afterwards."""
        shape = self.shape(facts)
        shared = shape.type == "internal" or (shape.type == "external" and bool(shape.shared))
        return [r for r in self.of_host(facts) if shared and str(r["Name"]).casefold() == self.known_by]

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "net_adapters":
            return {str(n).casefold() for n in now} == {str(w).casefold() for w in wanted}
        return super().same(field, now, wanted)


def extension(name: str, present: Any) -> Row | None:
    """By a word of `KNOWN`, an id or the host's own name."""
    meant = KNOWN.get(name.casefold().replace("-", "_"), name).casefold().strip("{}")
    return next((e for e in present if meant in (str(e["Id"]).casefold(), str(e["Name"]).casefold())), None)


def can_turn_coalescing_off(os: OS) -> bool:
    """Documented of 2019 alone, though later versions surely can."""
    cmdlet = contract(os).cmdlet(SwitchPart.setter)
    return cmdlet is not None and cmdlet.answer("EnableSoftwareRsc") == "present"
