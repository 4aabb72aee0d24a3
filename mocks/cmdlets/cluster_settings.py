"""Get-Cluster, Get-ClusterResourceType, Set-ClusterParameter, Get- and Set-ClusterOwnerNode (cluster 1.5, 2)."""

from __future__ import annotations

from collections.abc import Mapping

from mocks.arguments import plain
from mocks.cluster import IP_ADDRESS, NETWORK_NAME, Cluster, OtherResource, Part, Role
from mocks.cmdlets._cluster import SPACE, cluster_object, cluster_of, failed, no_group, owner_object, seen_vm
from mocks.command import Command, cmdlet
from mocks.objects import PsObject

OF_VM = {
    "OfflineAction": "offline_action",
    "CheckHeartbeat": "check_heartbeat",
    "DefaultMoveType": "default_move_type",
}
OF_TYPE = {
    "MigrationNetworkOrder": "migration_network_order",
    "MigrationExcludeNetworks": "migration_exclude_networks",
}
ONLINE = 2


@cmdlet("Get-Cluster", module="cluster", takes=0.1)
def get_cluster(cmd: Command) -> None:
    """Of the node's own, without a name."""
    cmd.emit(cluster_object(cmd, cluster_of(cmd)))


@cmdlet("Get-ClusterResourceType", module="cluster", takes=0.1)
def get_type(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    names = [n.casefold() for n in cmd.args.texts("Name")]
    for name in ("Virtual Machine", "Virtual Machine Configuration"):
        if not names or name.casefold() in names:
            entity = cluster if name == "Virtual Machine" else None
            cmd.emit(PsObject(f"{SPACE}ClusterResourceType", {"Name": name}, entity, to_string=name))


@cmdlet("Set-ClusterParameter", module="cluster", takes=0.2)
def set_parameter(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    given = cmd.args.raw("Multiple")
    values = dict(given) if isinstance(given, Mapping) else {cmd.args.text("Name"): cmd.args.raw("Value")}
    for one in cmd.args.many("InputObject"):
        thing = one.entity if isinstance(one, PsObject) else one
        if isinstance(thing, OtherResource):
            _set_other(cmd, thing, values)
            continue
        table, target = (OF_TYPE, thing) if isinstance(thing, Cluster) else (OF_VM, getattr(thing, "role", None))
        if isinstance(thing, Part) and thing.kind != "Virtual Machine":
            table = {}
        for name, value in values.items():
            if str(name) not in table or target is None:  # text [I]
                sentence = f"Unable to save property changes for '{one}'."
                raise failed(cmd, sentence, f"The property '{name}' does not exist")
            setattr(target, table[str(name)], plain(value))
        # On an online resource a warning, which is no failure (cluster 1.5) [O].
        if isinstance(thing, Part) and cluster.resource_state(thing.role, seen_vm(cmd, thing.role)) == ONLINE:
            cmd.warnings.append(
                "The properties were stored, but not all changes will take effect until "
                f"{thing.name} is taken offline and then online again."
            )


OF_OTHERS = {
    IP_ADDRESS: ("Address", "SubnetMask", "Network", "EnableDhcp"),
    NETWORK_NAME: ("Name", "DnsName"),
}


def _set_other(cmd: Command, one: OtherResource, values: Mapping[object, object]) -> None:
    for name, value in values.items():
        if str(name) not in OF_OTHERS.get(one.type, ()):  # text [I]
            sentence = f"Unable to save property changes for '{one.name}'."
            raise failed(cmd, sentence, f"The property '{name}' does not exist")
        one.parameters[str(name)] = str(plain(value))


def _meant(cmd: Command, cluster: Cluster) -> tuple[Role, bool]:
    """And whether its resource is meant: possible owners, and not preferred ones."""
    for one in cmd.args.many("InputObject"):
        thing = one.entity if isinstance(one, PsObject) else one
        if isinstance(thing, Part):
            return thing.role, True
        if isinstance(thing, Role):
            return thing, False
    if name := cmd.args.text("Resource"):
        role = next(
            (r for r in cluster.roles if name.casefold() in (r.resource.casefold(), r.configuration.casefold())), None
        )
        if role is None:
            raise failed(
                cmd, f"An error occurred opening resource '{name}'.", "The cluster resource could not be found"
            )
        return role, True
    role = cluster.named(cmd.args.text("Group"))
    if role is None:
        raise no_group(cmd, cmd.args.text("Group"))
    return role, False


@cmdlet("Get-ClusterOwnerNode", module="cluster", takes=0.05)
def get_owners(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    role, resource = _meant(cmd, cluster)
    names = cluster.possible(role) if resource else role.preferred_owners
    name = role.resource if resource else role.name
    of = PsObject(f"{SPACE}ClusterObject", {"Name": name}, to_string=name)
    properties = {"ClusterObject": of, "OwnerNodes": [owner_object(cluster, n) for n in names]}
    cmd.emit(PsObject(f"{SPACE}ClusterOwnerNodeList", properties))


@cmdlet("Set-ClusterOwnerNode", module="cluster", takes=0.2)
def set_owners(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    role, resource = _meant(cmd, cluster)
    names = []
    for name in cmd.args.texts("Owners"):
        node = cluster.node(name)
        if node is None:  # Win32 5042
            raise failed(cmd, f"Unable to set the owner nodes of '{role.name}'.", "The cluster node could not be found")
        names.append(node.name)
    if not resource:
        role.preferred_owners = names
        return
    if role.owner.casefold() not in {n.casefold() for n in names}:  # refused; text [I]
        raise failed(cmd, f"Unable to set the owner nodes of '{role.resource}'.", NOT_REMOVED)
    role.possible_owners = names


NOT_REMOVED = "The specified node is the owner of the resource and cannot be removed from its possible owners"
