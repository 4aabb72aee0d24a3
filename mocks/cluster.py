"""A failover cluster, as all of its nodes see it: nodes, roles, networks, shared volumes (cluster 1 to 6).

It does not model: quorum, more than one VM in a role, dependencies between resources, other roles than VMs and the broker,
quotas of the load balancer, sites and fault domains, how long a live migration takes, redirected volumes, roles that go back by
themselves."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mocks.machine import one_of

if TYPE_CHECKING:
    from mocks.machine import Vm
    from mocks.state import HostState

NONE = 2**32 - 1
"""Of FailoverThreshold: nodes less one; of DefaultOwner: nobody; of DefaultMoveType: as the cluster has it."""
LOCKED, QUEUED, UNMONITORED = 1, 4, 256
"""Bits of a role's StatusInformation (ClusterApplicationStatusInformation)."""
ISOLATED, QUARANTINED = 1, 2
"""Bits of a node's StatusInformation (ClusterNodeStatusInformation)."""
LEVELS = {"2012": 7, "2012r2": 8, "2016": 9, "2019": 10, "2022": 11, "2025": 12}
"""Functional levels (cluster 2); that of 2012 [I]."""
_NAMESPACE = uuid.UUID("2b0f2a5e-5d0b-4c57-8f57-02a9a3f1f0c6")


@dataclass(eq=False)
class Node:
    name: str
    state: str = field(default="Up", metadata=one_of("Up", "Down", "Paused", "Joining"))
    drain: int = 0  # DrainStatus: not initiated, in progress, completed, failed
    status: int = 0  # StatusInformation


@dataclass(eq=False)
class Role:
    """A clustered VM: its group, with the values that a new one has (cluster 1.2, 1.3, 1.5; those of
    restarts are seen of a disk's resource [I]), and what is set of its resource."""

    name: str
    owner: str
    vm: str = ""  # the name of its VM; omitted: the role's
    vm_id: str = ""  # omitted: of that VM on the owner
    failed: bool = False
    status: int = 0  # StatusInformation
    priority: int = 2000
    anti_affinity: list[str] = field(default_factory=list)
    auto_failback: int = 0
    failback_start: int = -1
    failback_end: int = -1
    failover_period: int = 6
    failover_threshold: int = NONE
    persistent_state: bool = False
    default_owner: int = NONE
    description: str = ""
    preferred_owners: list[str] = field(default_factory=list)
    possible_owners: list[str] | None = None  # omitted: every node
    restart_action: int = 2
    restart_threshold: int = 1
    restart_period: int = 900_000
    retry_period_on_failure: int = 3_600_000
    offline_action: int = 1
    check_heartbeat: int = 1
    default_move_type: int = NONE
    monitored: list[str] = field(default_factory=list)  # services, and events as "log,source,id"

    @property
    def resource(self) -> str:
        """What a renamed role's resources keep is what they were made with (cluster 2)."""
        return f"Virtual Machine {self.vm or self.name}"

    @property
    def configuration(self) -> str:
        return f"Virtual Machine Configuration {self.vm or self.name}"


class Part:
    """One of the two resources of a role."""

    def __init__(self, role: Role, kind: str) -> None:
        self.role, self.kind = role, kind

    @property
    def name(self) -> str:
        return self.role.resource if self.kind == "Virtual Machine" else self.role.configuration


@dataclass(eq=False)
class OtherResource:
    """One that is no VM's. `needs`: what it comes after, by its name."""

    name: str
    type: str
    parameters: dict[str, str] = field(default_factory=dict)
    needs: str = ""


@dataclass(eq=False)
class OtherGroup:
    """A group that is no VM's: that of the Hyper-V Replica Broker is all there is. `online` is told by the cluster's broker."""

    name: str
    owner: str = ""
    resources: list[OtherResource] = field(default_factory=list)

    def of(self, kind: str) -> OtherResource | None:
        return next((r for r in self.resources if r.type == kind), None)


BROKER, NETWORK_NAME, IP_ADDRESS = "Virtual Machine Replication Broker", "Network Name", "IP Address"
"""Types of resources, the same in every language (VB/20120814)."""


def _broker(called: str, owner: str) -> OtherGroup:
    """As one that is online has it."""
    address = OtherResource(f"{called} address", IP_ADDRESS)
    name = OtherResource(called, NETWORK_NAME, {"Name": called}, address.name)
    return OtherGroup(called, owner, [address, name, OtherResource(BROKER, BROKER, {}, name.name)])


@dataclass(eq=False)
class ClusterNetwork:
    name: str
    id: str = ""
    role: int = 3  # 0 none, 1 cluster, 3 cluster and client
    address: str = ""


@dataclass(eq=False)
class Cluster:
    name: str = "hvcl01"
    hosts: list[str] = field(default_factory=list)  # of an estate, its nodes; omitted: all
    level: int | None = None  # functional; omitted: of the oldest node
    nodes: list[Node] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    networks: list[ClusterNetwork] = field(default_factory=lambda: [ClusterNetwork("Cluster Network 1")])
    drain_on_shutdown: int = 1
    resiliency_level: int = 2
    resiliency_default_period: int = 240
    quarantine_threshold: int = 3
    quarantine_duration: int = 7200
    enforced_anti_affinity: int = 0
    maximum_parallel_migrations: int | None = None  # 2022 with an update, and later (cluster 1.6); null: not there
    move_type_threshold: int = 2000  # of later versions than 2012 [I]
    migration_network_order: str = ""
    migration_exclude_networks: str = ""
    broker: str = ""  # the client access point of its Hyper-V Replica Broker, without the domain; none if it has none
    broker_online: bool = True
    groups: list[OtherGroup] = field(default_factory=list)  # omitted: that of its broker

    def online(self, group: OtherGroup) -> bool:
        name = group.of(NETWORK_NAME)
        known = name is not None and name.parameters.get("Name", "").casefold() == self.broker.casefold()
        return known and bool(self.broker) and self.broker_online

    @property
    def brokered(self) -> bool:
        return bool(self.broker) and self.broker_online

    def node(self, name: str) -> Node | None:
        return next((n for n in self.nodes if n.name.casefold() == name.casefold()), None)

    def role_of(self, vm_id: str) -> Role | None:
        return next((r for r in self.roles if vm_id and r.vm_id == vm_id), None)

    def named(self, name: str) -> Role | None:
        return next((r for r in self.roles if r.name.casefold() == name.casefold()), None)

    def possible(self, role: Role) -> list[str]:
        return [n.name for n in self.nodes] if role.possible_owners is None else role.possible_owners

    def available(self, role: Role, *, but: str = "") -> list[str]:
        """Nodes that could take it, the preferred ones first."""
        possible = {name.casefold() for name in self.possible(role)} - {but.casefold()}
        up = [n.name for n in self.nodes if n.state == "Up" and n.name.casefold() in possible]
        order = [name.casefold() for name in role.preferred_owners]
        return sorted(up, key=lambda n: order.index(n.casefold()) if n.casefold() in order else len(order))

    def complete(self, states: list[HostState]) -> None:
        """What follows from the hosts that are its nodes."""
        for name in [s.name.upper() for s in states] + [r.owner for r in self.roles if r.owner]:
            if self.node(name) is None:
                self.nodes.append(Node(name))
        if self.broker and not self.groups:
            self.groups.append(_broker(self.broker, states[0].name.upper() if states else ""))
        if self.level is None and states:
            self.level = min(LEVELS[s.os] for s in states)
        for network in self.networks:
            network.id = network.id or str(uuid.uuid5(_NAMESPACE, f"{self.name}/{network.name}"))
        for role in self.roles:
            owner = next((s for s in states if s.name.casefold() == role.owner.casefold()), None)
            found = next((v for v in owner.vms if v.name == (role.vm or role.name)), None) if owner else None
            if found is not None:
                role.vm_id = role.vm_id or found.id
            role.vm_id = role.vm_id or str(uuid.uuid5(_NAMESPACE, f"{self.name}/{role.name}"))
            role.vm = role.vm or role.name
        for state in states:
            for vm in state.vms:
                vm.is_clustered = vm.is_clustered or self.role_of(vm.id) is not None

    # --- states ---------------------------------------------------------------------------------------------------

    def resource_state(self, role: Role, vm: Vm | None) -> int:
        """Of the VM's resource (cluster 3): Failed, Offline while it is off or saved, Online. A VM that cannot be seen from
        here counts as running."""
        if role.failed:
            return 4
        return 3 if vm is not None and vm.state in ("Off", "Saved") else 2

    def group_state(self, role: Role, vm: Vm | None) -> int:
        """Its configuration resource stays online with a VM that is off, so that the group is online in part (cluster 2, by
        the rule; no real output of this case was found) [I]."""
        return {4: 2, 3: 3}.get(self.resource_state(role, vm), 0)
