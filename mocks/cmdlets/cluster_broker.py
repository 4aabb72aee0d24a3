"""Add-ClusterGroup, Add-ClusterResource, Set-ClusterResourceDependency, Start-ClusterGroup, as far as the Hyper-V Replica
Broker needs them (VB/20120814 of replica-migration 3).

Types of other groups and resources are not simulated. What is refused follows the system's own errors; its sentences, that a
cluster takes one broker and what a network name needs to come online are [I]."""

from __future__ import annotations

from mocks.cluster import BROKER, IP_ADDRESS, NETWORK_NAME, Cluster, OtherGroup, OtherResource
from mocks.cmdlets._cluster import cluster_of, failed, no_group, other_group_object, other_resource_object
from mocks.command import Command, cmdlet

TYPES = (BROKER, NETWORK_NAME, IP_ADDRESS)
EXISTS = "The object already exists"  # Win32 5010


def _not_simulated(cmd: Command, what: str) -> Exception:
    text = f"the simulated host makes the Hyper-V Replica Broker only, not {what}"
    return cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")


def _group(cmd: Command, cluster: Cluster, name: str) -> OtherGroup:
    found = next((g for g in cluster.groups if g.name.casefold() == name.casefold()), None)
    if found is None:
        raise no_group(cmd, name)
    return found


@cmdlet("Add-ClusterGroup", module="cluster", takes=0.3)
def add_group(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    kind = cmd.args.text("GroupType")
    if kind not in ("VMReplicaBroker", "115"):
        raise _not_simulated(cmd, f"a group of the type {kind or 'Unknown'}")
    for name in cmd.args.texts("Name"):
        if cluster.named(name) is not None or any(g.name.casefold() == name.casefold() for g in cluster.groups):
            raise failed(cmd, f"An error occurred while creating the clustered role '{name}'.", EXISTS)
        made = OtherGroup(name, cmd.state.name.upper())
        cluster.groups.append(made)
        cmd.emit(other_group_object(cluster, made))


@cmdlet("Add-ClusterResource", module="cluster", takes=0.3)
def add_resource(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    name, kind = cmd.args.text("Name"), cmd.args.text("ResourceType")
    group = _group(cmd, cluster, cmd.args.text("Group"))
    sentence = f"An error occurred while adding resource '{name}'."
    if kind not in TYPES:
        raise _not_simulated(cmd, f"a resource of the type {kind}")
    others = [r for g in cluster.groups for r in g.resources]
    if any(r.name.casefold() == name.casefold() for r in others):
        raise failed(cmd, sentence, EXISTS)
    if kind == BROKER and any(r.type == BROKER for r in others):
        raise failed(cmd, sentence, "Only one instance of this resource type is allowed in the cluster")  # Win32 5084
    made = OtherResource(name, kind)
    group.resources.append(made)
    cmd.emit(other_resource_object(cluster, group, made))


@cmdlet("Set-ClusterResourceDependency", module="cluster", takes=0.2)
def set_dependency(cmd: Command) -> None:
    """Of an expression of one name, in brackets."""
    cluster = cluster_of(cmd)
    name, needs = cmd.args.text("Resource"), cmd.args.text("Dependency").strip("[] ")
    for group in cluster.groups:
        one = next((r for r in group.resources if r.name.casefold() == name.casefold()), None)
        if one is None:
            continue
        other = next((r for r in group.resources if r.name.casefold() == needs.casefold()), None)
        if other is None or other is one:
            text = "The dependency cannot be found"  # Win32 5002; only resources of one group may depend on each other
            raise failed(cmd, f"Unable to set the dependencies of resource '{name}'.", text)
        one.needs = other.name
        return
    raise failed(cmd, f"An error occurred opening resource '{name}'.", "The cluster resource could not be found")


@cmdlet("Start-ClusterGroup", module="cluster", takes=3.0)
def start(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    group = _group(cmd, cluster, cmd.args.text("Name"))
    name, broker = group.of(NETWORK_NAME), group.of(BROKER)
    if name is None or broker is None or broker.needs != name.name or not _reachable(cluster, group, name):
        sentence = f"An error occurred while starting the clustered role '{group.name}'."
        raise failed(cmd, sentence, "The cluster resource could not be brought online by the resource monitor")  # 5018
    cluster.broker, cluster.broker_online = name.parameters["Name"], True
    cmd.emit(other_group_object(cluster, group))


def _reachable(cluster: Cluster, group: OtherGroup, name: OtherResource) -> bool:
    """A name of at most 15 characters, on an address of one of the cluster's networks."""
    address = group.of(IP_ADDRESS)
    own = name.parameters.get("Name", "")
    if address is None or name.needs != address.name or not 1 <= len(own) <= 15:
        return False
    if cluster.broker.casefold() == own.casefold() and not address.parameters:
        return True  # the one that an estate has from the beginning
    known = {n.name.casefold() for n in cluster.networks if n.role == 3}
    given = address.parameters
    return given.get("Network", "").casefold() in known and bool(given.get("Address") and given.get("SubnetMask"))


def remove_other(cmd: Command, cluster: Cluster, group: OtherGroup) -> None:
    """Of Remove-ClusterGroup: what it says of a role (cluster 4)."""
    if not cmd.args.flag("Force"):
        raise cmd.prompt()
    if group.resources and not cmd.args.flag("RemoveResources"):
        sentence = f"An error occurred while removing the clustered role '{group.name}'."
        raise failed(cmd, sentence, "The cluster group is not empty")
    if cluster.online(group) or group.of(BROKER) is not None:
        cluster.broker = ""
    cluster.groups.remove(group)
