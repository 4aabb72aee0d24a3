"""A failover cluster: what of it is set once, and the VMs that are its roles (domain 16; cluster 1.3, 1.5, 1.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from hvctl.call import Call, Map, Ref, Row
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Change, Noted, Occasion, Step, finding
from hvctl.core.facts import Facts, UnclearError, UnreadableError
from hvctl.core.fields import Fields, Setting, properties, settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import ANYTHING, MISSING, Plain, State
from hvctl.kinds._cluster import (
    CLUSTERS,
    DOWN,
    DRAIN_FAILED,
    DRAINING,
    ISOLATED,
    PAUSED,
    QUARANTINED,
    UP,
    VM_RESOURCE,
    WHOLE,
    hosts_by_node,
    no_cluster,
    set_common,
    speaker,
    view,
)
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._role import BIT, Numbers
from hvctl.kinds._types import SPAN, Flag, Seconds
from hvctl.kinds._vm import VMS
from hvctl.text.diagnostic import Diagnostic

NETWORKS = Call(
    "Get-CimInstance",
    {"Namespace": "root/MSCluster", "ClassName": "MSCluster_Network"},
    select=("Name", "ID", "Role"),
)
_ORDER = ("MigrationNetworkOrder", "MigrationExcludeNetworks")
_TYPES = Call(
    "Get-CimInstance",
    {"Namespace": "root/MSCluster", "ClassName": "MSCluster_ResourceType"},
    select=("Name", *(f"PrivateProperties.{name}" for name in _ORDER)),
)
LEVELS = Numbers(special_heartbeat=1, always=2)
_NETWORKS = "live_migration_networks"


class _NetworkCodec(Plain):
    """Names in their order, without case."""

    free = True

    def same(self, now: Any, wanted: Any) -> bool:
        return [str(n).casefold() for n in now or ()] == [str(n).casefold() for n in wanted or ()]


class Resiliency(Fields):
    """What becomes of VMs whose node is out of reach: for `period` they wait for it. `isolate`: whether a node that leaves is
    isolated at all, always or only where it says so itself."""

    isolate: Annotated[str | None, LEVELS, Setting("ResiliencyLevel", codec=LEVELS)] = None
    period: Annotated[Seconds | None, Setting("ResiliencyDefaultPeriod", codec=SPAN)] = None


class Quarantine(Fields):
    """A node that leaves `threshold` times within an hour takes no roles for `duration`."""

    threshold: Annotated[int | None, Field(ge=1), Setting("QuarantineThreshold")] = None
    duration: Annotated[Seconds | None, Setting("QuarantineDuration", codec=SPAN)] = None


class Cluster(OfHyperV):
    """The cluster that the hosts of the play are nodes of (`hvctl_cluster` of the inventory): its settings, once, and under
    `vms:` the VMs that are its roles. `live_migration_networks`: cluster networks in the order in which live
    migrations use them; all others are excluded. `maximum_parallel_migrations` takes the place of the hosts' own limit."""

    kind: ClassVar[str] = "cluster"
    section: ClassVar[str] = "cluster"
    after: ClassVar[tuple[str, ...]] = ("host",)
    usual: ClassVar[Mapping[str, Any]] = {
        "drain_on_shutdown": True,
        "resiliency.isolate": "always",
        "resiliency.period": 240,
        "quarantine.threshold": 3,
        "quarantine.duration": 7200,
        "anti_affinity_enforced": False,
        "maximum_parallel_migrations": 1,
    }
    """Cluster 1.3, 1.6."""
    beneath: ClassVar[Mapping[str, Mapping[str, Any]]] = {"vms": {"role": {}}}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("roles", "virtual_machines", "groups"), "vms"),
        **dict.fromkeys(("anti_affinity", "enforced_anti_affinity"), "anti_affinity_enforced"),
        **dict.fromkeys(("migration_networks", "networks"), _NETWORKS),
        **dict.fromkeys(("drain", "drain_on_stop"), "drain_on_shutdown"),
    }

    drain_on_shutdown: Annotated[Flag | None, Setting("DrainOnShutdown", codec=BIT)] = None
    resiliency: Resiliency = Field(default_factory=Resiliency)
    quarantine: Quarantine = Field(default_factory=Quarantine)
    anti_affinity_enforced: Annotated[Flag | None, Setting("ClusterEnforcedAntiAffinity", codec=BIT)] = None
    live_migration_networks: Annotated[
        list[str] | None, Field(min_length=1), Setting("MigrationNetworkOrder", codec=_NetworkCodec())
    ] = None
    maximum_parallel_migrations: Annotated[int | None, Field(ge=1), Setting("MaximumParallelMigrations")] = None

    def title(self) -> str:
        return self.index.together

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def _own(cls) -> Call:
        return replace(CLUSTERS, select=("Name", *(p for p in properties(cls) if p != "MigrationNetworkOrder")))

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (cls._own(),)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """Of a node; which cluster it is the inventory says."""
        failure = facts.reply(cls._own()).failure
        if facts.rows(cls._own()) if failure is None else not no_cluster(failure):
            yield cls()

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return (VMS, *WHOLE, cls._own(), NETWORKS, _TYPES)

    def by_default(self, facts: Facts) -> State:
        """Nobody has said anything of networks."""
        try:
            row = self._order(facts)
        except UnreadableError:
            return self.usual
        said = any(str(row.get(f"PrivateProperties.{name}") or "").strip() for name in _ORDER)
        return self.usual if said else {**self.usual, _NETWORKS: ANYTHING}

    def queries(self) -> tuple[Call, ...]:
        networks = (_TYPES,) if _NETWORKS in self.model_fields_set else ()
        return (VMS, *WHOLE, self._own(), NETWORKS, *networks)

    def queries_once(self) -> tuple[Call, ...]:
        return tuple(q for q in self.queries() if q is not VMS)

    def seat_of(self, facts: Facts) -> str:
        """It is one, whichever node tells of it."""
        return speaker(facts)

    def row(self, facts: Facts) -> Row:
        rows = facts.rows(self._own())
        if not rows:
            raise UnreadableError(self._own(), facts.reply(self._own()).failure)
        return rows[0]

    def actual(self, facts: Facts) -> State | None:
        if not view(facts).nodes:
            text = f"{facts.info.computer} is no node of a cluster, and the inventory says {self.index.together}"
            raise UnclearError(text, "correct hvctl_cluster")
        row = self.row(facts)
        view(facts)  # a cluster that does not say what it holds is not judged
        table = settings(type(self))
        found: dict[str, Any] = {}
        for name in self.written():
            if name == _NETWORKS:
                found[name] = self._networks(facts)
            else:
                found[name] = table[name].get(row)
                found[name] = found[name] if found[name] is MISSING else table[name].codec.read(found[name])
        return found

    def _networks(self, facts: Facts) -> list[str]:
        """Those that are not excluded, by their order; without any order all that the cluster has."""
        names = {_id(r["ID"]): str(r["Name"]) for r in facts.rows(NETWORKS)}
        row = self._order(facts)
        order = _ids(row.get("PrivateProperties.MigrationNetworkOrder"))
        excluded = set(_ids(row.get("PrivateProperties.MigrationExcludeNetworks")))
        listed = [i for i in order if i in names and i not in excluded]
        return [names[i] for i in (*listed, *(i for i in names if i not in listed and i not in excluded))]

    def _order(self, facts: Facts) -> Row:
        return next((r for r in facts.rows(_TYPES) if r.get("Name") == VM_RESOURCE), {})

    # --- rules --------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if not self.index.together and self.index.host:
            hint = "write hvctl_cluster: NAME in the variables of the group of its nodes"
            yield finding("", "the inventory does not say which cluster this host is a node of", hint)
        for n, name in enumerate(self.live_migration_networks or ()):
            if name.casefold() in [o.casefold() for o in (self.live_migration_networks or ())[:n]]:
                yield finding(f"{_NETWORKS}.{n}", f"{name} is named twice", "write it once")
        if self.drain_on_shutdown is not None and not at_least(os, "2012r2"):
            yield finding("drain_on_shutdown", f"{title(os)} does not have it", exists_from("2012r2"))
        for field in ("resiliency", "quarantine"):
            if getattr(self, field).written() and not at_least(os, "2016"):
                yield finding(field, f"{title(os)} does not have {field}", exists_from("2016"))
        if self.maximum_parallel_migrations is not None and not at_least(os, "2022"):  # with KB5017381 (cluster 1.6)
            field = "maximum_parallel_migrations"
            yield finding(field, f"{title(os)} does not have it", exists_from("2022"))

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        told = view(facts)
        if told.name and told.name.casefold() != self.index.together.casefold():
            text = f"{facts.info.computer} is a node of the cluster {told.name}, and the inventory says {self.index.together}"
            yield finding("", text, "correct hvctl_cluster")
            return
        yield from self._nodes(facts)
        yield from self._level(facts)
        known = {str(r["Name"]).casefold(): str(r["Name"]) for r in facts.rows(NETWORKS)}
        for n, name in enumerate(self.live_migration_networks or ()):
            if name.casefold() not in known:
                text = f"the cluster has no network {name}"
                yield finding(f"{_NETWORKS}.{n}", text, f"its networks are {', '.join(known.values())}")
        internal = [r for r in facts.rows(NETWORKS) if r.get("Role") != 0]
        if len(internal) == 1:
            text = f"the cluster has one network only, {internal[0]['Name']}: when it fails, nodes lose each other"
            yield finding("", text, "give its nodes a second network", "warning")

    def _level(self, facts: Facts) -> Iterator[Diagnostic]:
        """While nodes are upgraded one after the other (cluster 9)."""
        level = view(facts).level
        newest = [f.os for f in (*facts.others.values(), facts) if f is not None and level and f.os != level]
        if level is None or not newest:
            return
        text = f"{self.index.together} has the functions of {title(level)} until its functional level is raised"
        yield finding(
            "", text, "Update-ClusterFunctionalLevel, once all nodes are new; there is no way back", "warning"
        )
        if not at_least(level, "2016"):
            for field in ("resiliency", "quarantine"):
                if getattr(self, field).written():
                    yield finding(
                        field, f"a cluster with the functions of {title(level)} has no {field}", exists_from("2016")
                    )

    def _nodes(self, facts: Facts) -> Iterator[Diagnostic]:
        hosts = hosts_by_node(facts) or {facts.info.computer.casefold(): (self.index.host, facts)}
        for node, (host, own) in hosts.items():
            if self.index.is_beside(host):  # that a role of it replicates to, or one that replicates to it
                continue
            if own is not None and view(facts).nodes and node not in view(facts).nodes:
                text = f"{host} is no node of {view(facts).name}"
                yield finding("", text, "take hvctl_cluster from it, or add it to the cluster", "warning")
        left_out = [name for node, (name, _, _) in view(facts).nodes.items() if node not in hosts]
        if left_out:
            text = f"{', '.join(left_out)} are nodes of the cluster, and are not among the hosts of this run"
            if len(left_out) == 1:
                text = f"{left_out[0]} is a node of the cluster, and is not among the hosts of this run"
            hint = "run it for all nodes, and see that the inventory's group of its nodes has them"
            yield finding("", text, hint, "warning")
        for name, state, status in view(facts).nodes.values():
            if word := _condition(state, status):
                yield finding("", f"the node {name} {word[0]}", word[1], "warning")

    def noted(self, facts: Facts) -> Noted | None:
        """How each of its nodes is."""
        told = view(facts)
        nodes = ((name, _word(state, status)) for name, state, status in told.nodes.values())
        states = ", ".join(f"{name} {word}" for name, word in sorted(nodes))
        return Noted(told.name, states, self.index.together) if states else None

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        return frozenset({"online"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "maximum_parallel_migrations":
            return "every node takes it in place of its own limit"
        return ""

    # --- changing -----------------------------------------------------------------------------------------------------

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        name = str(self.row(facts)["Name"])
        plain = tuple(c for c in changes if c.field != _NETWORKS)
        if plain:
            fields = tuple(c.field for c in plain)
            object = Ref(Call("Get-Cluster"), {"Name": name})
            yield set_common(
                "Cluster", {"Name": name}, self.arguments(plain), object, f"set the cluster {name}", fields
            )
        if len(plain) < len(changes):
            ids = {str(r["Name"]).casefold(): _id(r["ID"]) for r in facts.rows(NETWORKS)}
            order = [ids[n.casefold()] for n in self.live_migration_networks or ()]
            private: dict[str, Any] = {
                "MigrationNetworkOrder": ";".join(order),
                "MigrationExcludeNetworks": ";".join(i for i in ids.values() if i not in order),
            }
            kind = Ref(Call("Get-ClusterResourceType"), {"Name": VM_RESOURCE})
            call = Call("Set-ClusterParameter", {"InputObject": kind, "Multiple": Map(private)})
            yield Step(call, "set the networks of live migrations", (_NETWORKS,))


def _ids(text: object) -> list[str]:
    """Ids joined by semicolons (cluster 1.5)."""
    return [_id(part) for part in str(text or "").split(";") if part.strip()]


def _id(text: object) -> str:
    return str(text).strip().strip("{}").casefold()


def _word(state: int, status: int) -> str:
    """Of a node, one word of what Windows says of it (cluster 2)."""
    for bit, word in ((QUARANTINED, "quarantined"), (ISOLATED, "isolated")):
        if status & bit:
            return word
    if state != DOWN and status & DRAINING:
        return "draining"
    return {UP: "up", DOWN: "down", PAUSED: "paused"}.get(state, "unknown")


def _condition(state: int, status: int) -> tuple[str, str] | None:
    """Of a node, and what to do (cluster 2)."""
    if status & QUARANTINED:
        return "is quarantined: it left too often", "see why, then Start-ClusterNode -ClearQuarantine from another node"
    if status & ISOLATED:
        return "is isolated: its roles wait for it", "bring its network back; the cluster fails them over after a while"
    if state == DOWN:
        return "is down", "start it, or evict it from the cluster"
    if status & DRAIN_FAILED:
        return (
            "is paused, and could not be drained",
            "see the events of FailoverClustering; hvctl cluster resume takes it back",
        )
    if state == PAUSED or status & DRAINING:
        return "is paused: nothing moves or fails over to it", "hvctl cluster resume takes it back"
    return None
