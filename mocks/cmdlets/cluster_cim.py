"""root/MSCluster: Get-CimInstance of its classes, Set-CimInstance of what of them is writable (cluster 1.2 to 1.4).

That Set-CimInstance works over a WinRM session, and what it says of a property that cannot be written, is [I] (cluster 11)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mocks.arguments import plain
from mocks.assignment import GROUP, RESOURCE, cluster_table
from mocks.cluster import NONE, Cluster, Role
from mocks.cmdlets._cluster import NODE_STATES, REPLICA_BROKER, VIRTUAL_MACHINE, seen_vm
from mocks.command import Command, cmdlet
from mocks.objects import PsObject, Refusal
from mocks.wql import WqlError, matches

NAMESPACE = "root/mscluster"
_CIM = "Microsoft.Management.Infrastructure.CimInstance#root/MSCluster/"
_EXCEPTION = "Microsoft.Management.Infrastructure.CimException"
_QUERY = re.compile(r"SELECT\s+\*\s+FROM\s+(\w+)(?:\s+WHERE\s+(.+))?", re.IGNORECASE | re.DOTALL)


def _private(of: Mapping[str, Any]) -> PsObject:
    return PsObject(f"{_CIM}MSCluster_Property", of)


def _clusters(cmd: Command, cluster: Cluster) -> Iterator[tuple[dict[str, Any], Any]]:
    own = {name: getattr(cluster, field) for name, field in cluster_table(cmd.state, cluster).items()}
    level = {"ClusterFunctionalLevel": cluster.level} if cmd.state.at_least("2016") else {}
    yield {"Name": cluster.name, "CreationClassName": "MSCluster_Cluster", **own, **level}, cluster


def _nodes(cmd: Command, cluster: Cluster) -> Iterator[tuple[dict[str, Any], Any]]:
    for node in cluster.nodes:
        drain = {"NodeDrainStatus": node.drain} if cmd.state.at_least("2012r2") else {}
        late = {"StatusInformation": node.status} if cmd.state.at_least("2016") else {}
        yield {"Name": node.name, "State": NODE_STATES[node.state], **drain, **late}, node


def _groups(cmd: Command, cluster: Cluster) -> Iterator[tuple[dict[str, Any], Any]]:
    core = {name: getattr(Role("", ""), field) for name, field in GROUP.items()}
    owner = cmd.state.name.upper()
    yield {
        **core, "Name": "Cluster Group", "GroupType": 1, "OwnerNode": owner, "IsCore": True, "State": 0,
        "StatusInformation": 0, "PrivateProperties": _private({}),
    }, None  # fmt: skip
    for group in cluster.groups:
        yield {
            **core, "Name": group.name, "GroupType": REPLICA_BROKER, "OwnerNode": group.owner, "IsCore": False,
            "State": 0 if cluster.online(group) else 1, "StatusInformation": 0, "PrivateProperties": _private({}),
        }, None  # fmt: skip
    for role in cluster.roles:
        yield (
            {
                **{name: getattr(role, field) for name, field in GROUP.items()},
                "Name": role.name,
                "GroupType": VIRTUAL_MACHINE,
                "OwnerNode": role.owner,
                "IsCore": False,
                "State": cluster.group_state(role, seen_vm(cmd, role)),
                "StatusInformation": role.status,
                "PrivateProperties": _private({}),
            },
            role,
        )


def _resources(cmd: Command, cluster: Cluster) -> Iterator[tuple[dict[str, Any], Any]]:
    for group in cluster.groups:
        for one in group.resources:
            yield {
                "OwnerGroup": group.name, "OwnerNode": group.owner, "Name": one.name, "Type": one.type,
                "State": 2 if cluster.online(group) else 3, "PrivateProperties": _private(one.parameters),
            }, None  # fmt: skip
    for role in cluster.roles:
        private = {
            "VmID": role.vm_id,
            "OfflineAction": role.offline_action,
            "CheckHeartbeat": role.check_heartbeat,
            "DefaultMoveType": role.default_move_type,
        }
        common = {"OwnerGroup": role.name, "OwnerNode": role.owner}
        state = cluster.resource_state(role, seen_vm(cmd, role))
        yield {
            **common, **{name: getattr(role, field) for name, field in RESOURCE.items()},
            "Name": role.resource, "Type": "Virtual Machine", "State": state, "PrivateProperties": _private(private),
        }, role  # fmt: skip
        yield {
            **common, "Name": role.configuration, "Type": "Virtual Machine Configuration", "State": 2,
            "PrivateProperties": _private({"VmID": role.vm_id}),
        }, None  # fmt: skip


def _types(cmd: Command, cluster: Cluster) -> Iterator[tuple[dict[str, Any], Any]]:
    private = {
        "MoveTypeThreshold": cluster.move_type_threshold,
        "MigrationNetworkOrder": cluster.migration_network_order,
        "MigrationExcludeNetworks": cluster.migration_exclude_networks,
    }
    yield {"Name": "Virtual Machine", "PrivateProperties": _private(private)}, None
    yield {"Name": "Virtual Machine Configuration", "PrivateProperties": _private({})}, None


def _networks(cmd: Command, cluster: Cluster) -> Iterator[tuple[dict[str, Any], Any]]:
    for network in cluster.networks:
        yield (
            {"Name": network.name, "ID": network.id, "Role": network.role, "State": 3, "Address": network.address},
            None,
        )


_Rows = Callable[[Command, Cluster], Iterator[tuple[dict[str, Any], Any]]]
CLASSES: dict[str, tuple[str, _Rows]] = {
    name.lower(): (name, rows)
    for name, rows in (
        ("MSCluster_Cluster", _clusters),
        ("MSCluster_Node", _nodes),
        ("MSCluster_ResourceGroup", _groups),
        ("MSCluster_Resource", _resources),
        ("MSCluster_ResourceType", _types),
        ("MSCluster_Network", _networks),
    )
}


def no_namespace(cmd: Command) -> Refusal:
    """root/MSCluster exists where the failover clustering feature is (cluster 1.2)."""
    text = cmd.say("cim_namespace_missing")
    return cmd.fail("HRESULT 0x8004100e", "MetadataError", text, _EXCEPTION, hresult=-2147217394)


def _answers(cmd: Command) -> None:
    """Only a running service tells, and only administrators of the cluster (cluster 1.4, 5). Ids and texts [I]."""
    if not cmd.state.cluster_running:
        text = "There are no more endpoints available from the endpoint mapper."
        raise cmd.fail("HRESULT 0x800706d9", "ConnectionError", text, _EXCEPTION, hresult=-2147023143)
    if not (cmd.state.administrator and cmd.state.cluster_access):
        text = "Access denied"
        raise cmd.fail("HRESULT 0x80041003", "PermissionDenied", text, _EXCEPTION, hresult=-2147217405)


def show(cmd: Command) -> None:
    if cmd.state.cluster is None:
        raise no_namespace(cmd)
    _answers(cmd)
    name, rows = CLASSES[cmd.args.text("ClassName").lower()]
    for properties, entity in rows(cmd, cmd.state.cluster):
        cmd.emit(PsObject(f"{_CIM}{name}", {**properties, "PSComputerName": None}, entity))


@cmdlet("Set-CimInstance", module="host", takes=0.2)
def set_instance(cmd: Command) -> None:
    """Of a query that names no column; what is not writable is refused with its CIM error [I]."""
    namespace = cmd.args.text("Namespace").replace("\\", "/").lower()
    query = _QUERY.fullmatch(cmd.args.text("Query").strip())
    cluster = cmd.state.cluster
    if namespace != NAMESPACE or cluster is None:
        raise no_namespace(cmd)
    _answers(cmd)
    known = CLASSES.get(query[1].lower()) if query else None
    if query is None or known is None:
        raise _invalid(cmd)
    try:
        found = [(p, e) for p, e in known[1](cmd, cluster) if matches(query[2] or "", p)]
    except WqlError as error:
        raise _invalid(cmd) from error
    given = cmd.args.raw("Property")
    own = cluster_table(cmd.state, cluster)
    tables = {"mscluster_resource": RESOURCE, "mscluster_resourcegroup": GROUP, "mscluster_cluster": own}
    table = tables.get(query[1].lower(), {})
    for properties, entity in found:
        for name, value in dict(given).items():
            field = next((f for n, f in table.items() if n.casefold() == str(name).casefold()), None)
            if field is None or entity is None:
                known_here = any(n.casefold() == str(name).casefold() for n in properties)
                kind, code = ("0x80041038", -2147217352) if known_here else ("0x80041031", -2147217359)
                text = f"Property '{name}' cannot be written"
                raise cmd.fail(f"HRESULT {kind}", "InvalidOperation", text, _EXCEPTION, hresult=code)
            setattr(entity, field, _stored(getattr(entity, field), plain(value)))


def _stored(now: Any, value: Any) -> Any:
    if isinstance(now, bool):
        return bool(value)
    if isinstance(now, int):
        return NONE if value == -1 and now == NONE else int(value)
    return value


def _invalid(cmd: Command) -> Refusal:
    text = "Invalid query"
    return cmd.fail("HRESULT 0x80041017", "InvalidArgument", text, _EXCEPTION, hresult=-2147217385)
