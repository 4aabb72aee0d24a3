"""Simulated hosts that know each other: one time, storage that several see, and a network between them that may be cut.

It does not model: latency and bandwidth between hosts, name resolution that differs from host to host, rights on shares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from mocks import files
from mocks.clock import Clock
from mocks.cluster import Cluster
from mocks.complete import vhd as complete_vhd
from mocks.failover import lose_link, lose_node, restore_node
from mocks.host import SimulatedHost
from mocks.outage import Outage, lose_storage, restore_storage
from mocks.schema import StateError, load, load_as
from mocks.state import HostState, Storage, Vhd


@dataclass
class Shared:
    """Storage that several hosts see under one path, as it stands in a starting state."""

    hosts: list[str] = field(default_factory=list)  # omitted: all
    storage: Storage = field(default_factory=Storage)
    files: dict[str, int] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    vhds: list[Vhd] = field(default_factory=list, metadata={"keyed": "path"})


@dataclass
class _Given:
    shared: dict[str, Shared] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)


class Estate:
    """By the names that an inventory has for them. A host that is lost answers nobody and reaches nobody, and what it runs
    stands still for those who look from outside."""

    def __init__(self, hosts: Mapping[str, SimulatedHost], clock: Clock, data: Mapping[str, Any] | None = None) -> None:
        """`data`: what is of the estate and of no host: `shared`: path → `hosts`, `storage`, `files`, `folders`, `vhds`;
        `clusters`: name → what one has. Raises StateError."""
        self.hosts = dict(hosts)
        self.clock = clock
        self.lost: set[str] = set()
        self.cut: set[frozenset[str]] = set()
        """Pairs of hosts without a way between them; whoever manages them reaches both."""
        self.outages: list[Outage] = []
        """Shared storage that hosts do not see."""
        given = load_as(_Given, data or {}, "the estate")
        for path, shared in given.shared.items():
            self._share(path, shared)
        for host in self.hosts.values():
            host.estate = self
            host.state.beside = [other.state for other in self.hosts.values() if other is not host]
        for name, cluster in given.clusters.items():
            self._form(name, cluster)

    @classmethod
    def from_data(cls, data: Mapping[str, Any], clock: Clock | None = None) -> Estate:
        """With `hosts`: name → starting state."""
        clock = clock or Clock()
        rest = deepcopy(dict(data))
        own = {name: {"name": name.partition(".")[0].upper(), **(one or {})} for name, one in rest.pop("hosts").items()}
        return cls({name: SimulatedHost(load(one), clock.own()) for name, one in own.items()}, clock, rest)

    def _form(self, name: str, cluster: Cluster) -> None:
        if unknown := [host for host in cluster.hosts if host not in self.hosts]:
            raise StateError(f"cluster {name}: there is no host {', '.join(unknown)}")
        cluster.name = name
        states = [self.hosts[host].state for host in cluster.hosts or self.hosts]
        for state in states:
            state.cluster = cluster
        cluster.complete(states)
        if cluster.broker:  # what is set on one node is that of all (replica-migration 1.2)
            for state in states:
                state.replica_server = states[0].replica_server

    def name_of(self, host: SimulatedHost | HostState) -> str:
        return next(name for name, one in self.hosts.items() if host in (one, one.state))

    def find(self, name: str) -> SimulatedHost | None:
        """By computer name, FQDN or an address of it, as one host names another."""
        wanted = name.rstrip(".").casefold()
        return next((host for host in self.hosts.values() if wanted in _names(host.state)), None)

    def reached(self, name: str, *, by: HostState) -> SimulatedHost | None:
        """The host of that name, where there is a way to it."""
        other = self.find(name)
        if other is None or other.state is by:
            return other
        here, there = self.name_of(by), self.name_of(other)
        return None if {here, there} & self.lost or {here, there} in self.cut else other

    def receiving(self, name: str, vm_id: str, *, by: HostState) -> SimulatedHost | None:
        """The host that answers for Hyper-V Replica at that name, where there is a way to it. A broker sends on to the node
        that has the VM, or picks one that is up (VB/20120327)."""
        wanted = name.rstrip(".").casefold()
        nodes = [h for h in self.hosts.values() if wanted in _broker_names(h.state)]
        if not nodes:
            return self.reached(name, by=by)
        near = [h for h in nodes if self.reached(h.state.name, by=by) is h]
        up = [h for h in near if (c := h.state.cluster) and (n := c.node(h.state.name)) and n.state == "Up"]
        return next((h for h in near if vm_id and h.state.vm(vm_id) is not None), next(iter(up), None))

    def _share(self, path: str, shared: Shared) -> None:
        shared.storage.path = path
        for disk in shared.vhds:
            complete_vhd(next(iter(self.hosts.values())).state, disk)
        for name in shared.hosts or self.hosts:
            if name not in self.hosts:
                raise StateError(f"shared {path}: no host {name}; there are {', '.join(self.hosts)}")
            state = self.hosts[name].state
            state.storage.append(shared.storage)
            state.folders += [path, *shared.folders]
            state.files |= shared.files
            given = {disk.path.casefold() for disk in shared.vhds}  # a drive's host has made one up until now
            state.vhds[:] = [disk for disk in state.vhds if disk.path.casefold() not in given]
            state.vhds += shared.vhds  # the very objects: what becomes of one is seen by all

    def lose(self, *names: str) -> None:
        """The power goes. Clusters have others do what it did."""
        gone = [name for name in names if name not in self.lost]
        self.lost |= {*names}
        for name in gone:
            lose_node(self.hosts[name].state, self.clock)

    def bring_back(self, *names: str) -> None:
        for name in names:
            if name in self.lost:
                restore_node(self.hosts[name].state)
        self.lost -= {*names}

    def lose_storage(self, name: str, path: str) -> None:
        """A host sees what lies there no more."""
        state = self.hosts[name].state
        storage = next(one for one in state.storage if files.same(one.path, path))
        self.outages.append(lose_storage(state, storage, self.clock))

    def restore_storage(self, name: str) -> None:
        """All that a host has lost."""
        state = self.hosts[name].state
        for gone in [one for one in self.outages if one.state is state]:
            self.outages.remove(gone)
            restore_storage(gone, *(host.state for host in self.hosts.values() if host.state is not state))

    def lose_link(self, name: str, nic: str) -> None:
        """Raises StopIteration: it has no such network adapter."""
        lose_link(self.hosts[name].state, nic, self.clock)

    def restore_link(self, name: str, nic: str) -> None:
        next(one for one in self.hosts[name].state.nics if one.name == nic).status = "Up"

    def settle(self, actor: SimulatedHost) -> None:
        """What a host has done to storage that others see is so for them."""
        for storage in actor.state.storage:
            for host in self.hosts.values():
                if host is not actor and storage in host.state.storage:
                    _copy(storage, actor.state, host.state)


def _names(state: HostState) -> set[str]:
    own = {state.name.casefold(), f"{state.name}.{state.domain}".casefold()}
    addresses = {a.split("/")[0] for nic in state.nics for a in nic.addresses}
    return own | addresses | {a for adapter in state.management_adapters for a in adapter.ip_addresses}


def _broker_names(state: HostState) -> set[str]:
    cluster = state.cluster
    if cluster is None or not cluster.brokered:
        return set()
    return {cluster.broker.casefold(), f"{cluster.broker}.{state.domain}".casefold()}


def _copy(storage: Storage, one: HostState, other: HostState) -> None:
    def here(path: str) -> bool:
        return files.within(path, storage.path)

    def both(mine: Iterable[str], theirs: Iterable[str]) -> list[str]:
        return [*(p for p in theirs if not here(p)), *(p for p in mine if here(p))]

    other.folders[:] = both(one.folders, other.folders)
    for mine, theirs in ((one.files, other.files), (one.contents, other.contents)):
        _exchange(mine, theirs, both(mine, theirs))
    vhds: Sequence[Vhd] = [*(v for v in other.vhds if not here(v.path)), *(v for v in one.vhds if here(v.path))]
    other.vhds[:] = vhds


def _exchange(mine: Mapping[str, Any], theirs: dict[str, Any], paths: Iterable[str]) -> None:
    found = {path: mine[path] if path in mine else theirs[path] for path in paths}
    theirs.clear()
    theirs |= found
