"""What cmdlets of failover clusters share: their objects, their refusals, what they are about (cluster 2, 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mocks.assignment import GROUP, RESOURCE, cluster_table, shown
from mocks.cluster import Cluster, Node, OtherGroup, OtherResource, Part, Role
from mocks.command import Command
from mocks.failover import nodes_of, vm_of
from mocks.machine import Vm
from mocks.objects import EnumValue, ErrorRecord, PsObject, Refusal

SPACE = "Microsoft.FailoverClusters.PowerShell."
EXCEPTION = f"{SPACE}ClusterCmdletException"
VIRTUAL_MACHINE, REPLICA_BROKER = 111, 115
GROUP_STATES = {0: "Online", 1: "Offline", 2: "Failed", 3: "PartialOnline", 4: "Pending"}
RESOURCE_STATES = {2: "Online", 3: "Offline", 4: "Failed"}
NODE_STATES = {"Up": 0, "Down": 1, "Paused": 2, "Joining": 3}
_DRAINS = ("NotInitiated", "InProgress", "Completed", "Failed")
NOT_POSSIBLE = (
    "The operation failed because either the specified cluster node is not the owner of the group, or the node is not a "
    "possible owner of the group"
)


def cluster_of(cmd: Command) -> Cluster:
    """Raises what a cmdlet says whose service or rights are missing (cluster 5)."""
    cluster = cmd.state.cluster
    if cluster is None:
        text = cmd.say("not_recognized", cmd.name)
        exception = "System.Management.Automation.CommandNotFoundException"
        record = ErrorRecord(
            "CommandNotFoundException", "ObjectNotFound", text, ((exception, -2146233087, text),), f"{cmd.name}:String"
        )
        raise Refusal(record)
    if not cmd.state.cluster_running:
        text = f"The cluster service is not running. Make sure that the service is running on {cmd.state.name}."
        raise cmd.fail("ClusterEndpointNotRegistered", "ConnectionError", text, EXCEPTION)
    if not (cmd.state.administrator and cmd.state.cluster_access):
        text = "You do not have administrative privileges on the cluster. Access is denied."
        raise cmd.fail(cmd.name, "NotSpecified", text, EXCEPTION)
    return cluster


def failed(cmd: Command, sentence: str, why: str) -> Refusal:
    """Two lines, what failed and the system's own message; the id of most of these is [I] (cluster 11)."""
    return cmd.fail(cmd.name, "NotSpecified", f"{sentence}\r\n    {why}", EXCEPTION)


def no_group(cmd: Command, name: str) -> Refusal:
    """Win32 5013 (cluster 5); text of the cmdlet [I]."""
    return failed(cmd, f"An error occurred opening clustered role '{name}'.", "The cluster group could not be found")


def seen_vm(cmd: Command, role: Role) -> Vm | None:
    return vm_of(role, nodes_of(cmd.state))


def roles_meant(cmd: Command, cluster: Cluster) -> list[Role]:
    """By -InputObject, -VMId or -Name; all without one."""
    if "InputObject" in cmd.args:
        return cmd.args.entities("InputObject", Role)
    if "VMId" in cmd.args:
        role = cluster.role_of(cmd.args.text("VMId").lower())
        if role is None:
            raise no_group(cmd, cmd.args.text("VMId"))
        return [role]
    if names := cmd.args.texts("Name"):
        found = []
        for name in names:
            role = cluster.named(name)
            if role is None:
                raise no_group(cmd, name)
            found.append(role)
        return found
    return list(cluster.roles)


def node_object(node: Node) -> PsObject:
    properties = {
        "Name": node.name,
        "NodeName": node.name,
        "State": EnumValue(f"{SPACE}ClusterNodeState", node.state, NODE_STATES[node.state]),
        "DrainStatus": EnumValue(f"{SPACE}ClusterNodeDrainStatus", _DRAINS[node.drain], node.drain),
    }
    return PsObject(f"{SPACE}ClusterNode", properties, node, to_string=node.name)


def owner_object(cluster: Cluster, name: str) -> PsObject:
    return node_object(cluster.node(name) or Node(name))


def group_object(cmd: Command, cluster: Cluster, role: Role) -> PsObject:
    state = cluster.group_state(role, seen_vm(cmd, role))
    properties: Mapping[str, Any] = {
        "Name": role.name,
        "OwnerNode": owner_object(cluster, role.owner),
        "State": EnumValue(f"{SPACE}ClusterGroupState", GROUP_STATES[state], state),
        "GroupType": EnumValue(f"{SPACE}GroupType", "VirtualMachine", VIRTUAL_MACHINE),
        **shown(role, GROUP),
        "IsCoreGroup": False,
    }
    return PsObject(f"{SPACE}ClusterGroup", properties, role, to_string=role.name, assignable=True)


def cluster_object(cmd: Command, cluster: Cluster) -> PsObject:
    properties = {"Name": cluster.name, **shown(cluster, cluster_table(cmd.state, cluster))}
    return PsObject(f"{SPACE}Cluster", properties, cluster, to_string=cluster.name, assignable=True)


def resource_objects(cmd: Command, cluster: Cluster, role: Role) -> list[PsObject]:
    found = []
    for kind in ("Virtual Machine", "Virtual Machine Configuration"):
        state = cluster.resource_state(role, seen_vm(cmd, role)) if kind == "Virtual Machine" else 2
        part = Part(role, kind)
        of = PsObject(f"{SPACE}ClusterResourceType", {"Name": kind}, to_string=kind)
        properties = {
            "Name": part.name,
            "OwnerGroup": group_object(cmd, cluster, role),
            "OwnerNode": owner_object(cluster, role.owner),
            "ResourceType": of,
            "State": EnumValue(f"{SPACE}ClusterResourceState", RESOURCE_STATES[state], state),
        }
        if kind == "Virtual Machine":
            properties |= shown(role, RESOURCE)
        found.append(PsObject(f"{SPACE}ClusterResource", properties, part, to_string=part.name, assignable=True))
    return found


def other_group_object(cluster: Cluster, group: OtherGroup) -> PsObject:
    state = 0 if cluster.online(group) else 1
    properties: Mapping[str, Any] = {
        "Name": group.name,
        "OwnerNode": owner_object(cluster, group.owner),
        "State": EnumValue(f"{SPACE}ClusterGroupState", GROUP_STATES[state], state),
        "GroupType": EnumValue(f"{SPACE}GroupType", "VMReplicaBroker", REPLICA_BROKER),
        "Priority": 2000,
        "IsCoreGroup": False,
    }
    return PsObject(f"{SPACE}ClusterGroup", properties, group, to_string=group.name)


def other_resource_object(cluster: Cluster, group: OtherGroup, one: OtherResource) -> PsObject:
    state = 2 if cluster.online(group) else 3
    properties = {
        "Name": one.name,
        "OwnerGroup": other_group_object(cluster, group),
        "OwnerNode": owner_object(cluster, group.owner),
        "ResourceType": PsObject(f"{SPACE}ClusterResourceType", {"Name": one.type}, to_string=one.type),
        "State": EnumValue(f"{SPACE}ClusterResourceState", RESOURCE_STATES[state], state),
    }
    return PsObject(f"{SPACE}ClusterResource", properties, one, to_string=one.name)
