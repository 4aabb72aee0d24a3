"""What a cluster says of itself, read on a node of it (cluster 1.2, 1.3): its nodes, its roles and whose VMs they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hvctl.call import Assignment, Call, Failure, Map, Ref, Row
from hvctl.contract import OS
from hvctl.core.changes import Step
from hvctl.core.facts import Facts, UnclearError, UnreadableError, UnreadHostError
from hvctl.core.resource import Resource
from hvctl.kinds._machine import Machine
from hvctl.kinds._vm import VMS

_IN = {"Namespace": "root/MSCluster"}
ROLES = Call(
    "Get-CimInstance",
    {**_IN, "ClassName": "MSCluster_ResourceGroup"},
    select=("Name", "GroupType", "OwnerNode", "State", "StatusInformation"),
)
"""All groups: a WQL that names a property which a version lacks fails (cluster 1.3)."""

RESOURCES = Call(
    "Get-CimInstance",
    {**_IN, "ClassName": "MSCluster_Resource"},
    select=("Name", "Type", "OwnerGroup", "State", "PrivateProperties.VmID"),
)
NODES = Call(
    "Get-CimInstance",
    {**_IN, "ClassName": "MSCluster_Node"},
    select=("Name", "State", "NodeDrainStatus", "StatusInformation"),
)
CLUSTERS = Call("Get-CimInstance", {**_IN, "ClassName": "MSCluster_Cluster"}, select=("Name", "ClusterFunctionalLevel"))
KNOWN = (ROLES, RESOURCES)
"""What a VM of any host is held against."""
WHOLE = (*KNOWN, NODES, CLUSTERS)
"""What a role is held against."""

VIRTUAL_MACHINE = 111
"""GroupType of a clustered VM."""
VM_RESOURCE = "Virtual Machine"
"""Type of the resource that stands for the VM; names of types are the same in every language (cluster 2)."""
UP, DOWN, PAUSED = 0, 1, 2
"""State of a node."""
ISOLATED, QUARANTINED, DRAINING, DRAIN_FAILED = 1, 2, 4, 0x10
"""Bits of a node's StatusInformation, from 2016 on (cluster 2)."""
LOCKED, QUEUED, UNMONITORED = 1, 4, 256
"""Bits of a group's StatusInformation (ClusterApplicationStatusInformation)."""
FAILED = 2
"""State of a group."""

LEVELS: Mapping[int, OS] = {8: "2012r2", 9: "2016", 10: "2019", 11: "2022", 12: "2025"}
"""Functional levels (cluster 2)."""

_NO_NAMESPACE = "8004100E"
"""WBEM_E_INVALID_NAMESPACE: no cluster software here, so no cluster."""

_DENIED, _NO_SERVICE = "80041003", "800706D9"
"""WBEM_E_ACCESS_DENIED; EPT_S_NOT_REGISTERED, of a node whose cluster service does not run (cluster 1.4)."""


@dataclass(frozen=True)
class ClusteredVm:
    """A role. `owner`: the node's name, "" for none."""

    name: str
    owner: str
    vm_id: str
    state: int
    status: int
    resource: str = ""

    @property
    def failed(self) -> bool:
        return self.state == FAILED

    @property
    def locked(self) -> bool:
        return bool(self.status & LOCKED)

    @property
    def unmonitored(self) -> bool:
        return bool(self.status & UNMONITORED)


@dataclass(frozen=True)
class View:
    """The cluster as one of its nodes tells it. `nodes`: state and status by name, case-folded."""

    name: str
    roles: tuple[ClusteredVm, ...]
    nodes: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)
    by_vm: Mapping[str, ClusteredVm] = field(default_factory=dict)
    by_name: Mapping[str, ClusteredVm] = field(default_factory=dict)
    level: OS | None = None
    """The version whose functions it has, whatever its nodes run; from 2016 on."""

    def of_vm(self, vm_id: object) -> ClusteredVm | None:
        return self.by_vm.get(str(vm_id).casefold())

    def named(self, name: str) -> ClusteredVm | None:
        """A role is called like its VM unless somebody renamed it; Virtual Machine Manager has a name of its own
        (cluster 2)."""
        return next((r for n in usual_names(name) if (r := self.by_name.get(n)) is not None), None)

    def made_as(self, name: str) -> ClusteredVm | None:
        """By the name that its VM had when it became one: its resource keeps it, whatever becomes of both (cluster 2)."""
        usual = f"{VM_RESOURCE} {name}".casefold()
        return next((r for r in self.roles if r.resource.casefold() == usual), None)

    def up(self) -> tuple[str, ...]:
        """Names of nodes that take roles."""
        return tuple(name for name, state, _ in self.nodes.values() if state == UP)


def usual_names(vm: str) -> tuple[str, str]:
    """What the role of a VM is called, case-folded: as the VM, or as Virtual Machine Manager does (cluster 2)."""
    return vm.casefold(), f"scvmm {vm} resources".casefold()


def no_cluster(failure: Failure) -> bool:
    return _NO_NAMESPACE in f"{failure.id} {failure.hresult or ''}".upper()


def roles(facts: Facts) -> tuple[Row, ...]:
    """The clustered VMs of the cluster that the host is a node of; none on any other host. Raises UnreadableError where
    a node does not say."""
    failure = facts.reply(ROLES).failure
    if failure is not None:
        if no_cluster(failure) and not any(row.get("IsClustered") for row in facts.rows(VMS)):
            return ()
        raise _untold(failure, facts)
    return tuple(row for row in facts.rows(ROLES) if row.get("GroupType") == VIRTUAL_MACHINE)


def _untold(failure: Failure, facts: Facts) -> UnreadableError:
    """What to do, where it is known."""
    error = UnreadableError(ROLES, failure)
    if _DENIED in f"{failure.id} {failure.hresult or ''}".upper() or failure.category == "PermissionDenied":
        account = facts.info.user or "the account"
        error.hint = (
            f"Grant-ClusterAccess -User {account} -ReadOnly tells it of the cluster, -Full lets it change things"
        )
    elif _NO_SERVICE in f"{failure.id} {failure.hresult or ''}".upper():
        error.hint = f"start the cluster service on {facts.info.computer}: Start-Service ClusSvc"
    return error


def is_node(facts: Facts) -> bool:
    """Whether cluster software answers on the host, or may; `roles` says what it holds."""
    failure = facts.reply(ROLES).failure
    return failure is None or not no_cluster(failure)


def _own_view(facts: Facts) -> View:
    """Raises UnreadableError where the host does not say."""
    groups = roles(facts)
    ids: dict[str, tuple[str, str]] = {}
    if groups:
        for row in facts.rows(RESOURCES):
            if row.get("Type") == VM_RESOURCE and row.get("PrivateProperties.VmID"):
                vm_id = str(row["PrivateProperties.VmID"]).strip("{}").casefold()
                ids[str(row["OwnerGroup"]).casefold()] = (vm_id, str(row["Name"]))
    found = []
    for row in groups:
        name = str(row["Name"])
        vm_id, resource = ids.get(name.casefold(), ("", ""))
        status = int(row.get("StatusInformation") or 0)
        owner = str(row.get("OwnerNode") or "")
        found.append(ClusteredVm(name, owner, vm_id, int(row.get("State") or 0), status, resource))
    nodes, name, level = {}, "", None
    if _asked(NODES, facts) and facts.reply(NODES).failure is None:
        for row in facts.rows(NODES):
            own = str(row["Name"])
            nodes[own.casefold()] = (own, int(row["State"]), int(row.get("StatusInformation") or 0))
        for row in facts.rows(CLUSTERS):
            name, level = str(row["Name"]), LEVELS.get(int(row.get("ClusterFunctionalLevel") or 0))
    by_vm = {r.vm_id: r for r in found if r.vm_id}
    return View(name, tuple(found), nodes, by_vm, {r.name.casefold(): r for r in found}, level)


def _asked(query: Call, facts: Facts) -> bool:
    try:
        facts.reply(query)
    except KeyError:
        return False
    return True


def view(facts: Facts) -> View:
    """As the first of the cluster's nodes tells it that answers, so that all hosts of a unit go by the same. Raises
    UnreadableError where none does."""
    told = [view for other in facts.others.values() if other is not None and (view := _of_node(other))]
    own = facts.info.computer.casefold()
    mine = next((v for v in told if own in v.nodes), None)
    if mine is None and (not told or (_asked(ROLES, facts) and not is_node(facts))):
        return facts.derived(_own_view)  # of a host beside a cluster: of no cluster
    return mine or told[0]


def _of_node(facts: Facts) -> View | None:
    """Of a host that is one."""
    told = _readable(facts) if _asked(NODES, facts) else None
    return told if told is not None and facts.info.computer.casefold() in told.nodes else None


def _readable(facts: Facts) -> View | None:
    try:
        return facts.derived(_own_view)
    except UnreadableError:
        return None


def role_of(vm: Machine, row: Row | None, facts: Facts) -> ClusteredVm | None:
    """Of a VM that is on the host, by its id; of any other by its names."""
    told = view(facts)
    found = told.of_vm(row["Id"]) if row is not None else None
    return found or next((r for n in vm.names if (r := told.named(n)) is not None and _free(r, row)), None)


def _free(role: ClusteredVm, row: Row | None) -> bool:
    """Whether a role of the name may be that VM's: it is not another VM's."""
    return row is None or not role.vm_id or role.vm_id == str(row["Id"]).casefold()


def role_named(name: str, facts: Facts) -> ClusteredVm | None:
    """The role of a VM of that name; None if the cluster has none, or there is no cluster. Of a node that is read it is known
    by the id of its VM, of any other also by the name that its VM had when it became a role."""
    told, read = view(facts), {facts.info.computer.casefold()}
    for other in facts.others.values():
        if other is not None and _asked(VMS, other):
            read.add(other.info.computer.casefold())
            for row in other.of_key(VMS, "Name", name):
                if (role := told.of_vm(row["Id"])) is not None:
                    return role
    found = told.named(name)
    if found is None and (old := told.made_as(name)) is not None and old.owner.casefold() not in read:
        return old
    return found


def owner_of(name: str, facts: Facts) -> str | None:
    """The node that owns it."""
    found = role_named(name, facts)
    return None if found is None else found.owner


def elsewhere(name: str, facts: Facts) -> str | None:
    """The other node, or "" for none, that owns the role of a VM of that name; None if it is here or nowhere."""
    owner = owner_of(name, facts)
    return None if owner is None or owner.casefold() == facts.info.computer.casefold() else owner


def nodes_without(vm: Machine, row: Row | None, facts: Facts) -> tuple[str, ...]:
    """Of a VM that a host has, the other hosts of its cluster that could be read and do not have it."""
    if row is None:
        return ()
    nodes = view(facts).nodes
    found = []
    for node, (host, own) in hosts_by_node(facts).items():
        if own is None or node not in nodes or host == vm.index.host:
            continue
        if not any(own.of_key(VMS, "Name", n) for n in vm.names) and not own.of_key(VMS, "Id", row["Id"]):
            found.append(host)
    return tuple(found)


def roles_elsewhere(facts: Facts) -> bool:
    """Whether there are roles of other nodes whose VMs cannot be seen from here."""
    seen = {f.info.computer.casefold() for f in facts.others.values() if f is not None}
    here = {facts.info.computer.casefold(), *seen}
    return any(r.owner.casefold() not in here for r in view(facts).roles)


# --- hosts of the unit that are nodes ------------------------------------------------------------------------------------


def hosts_by_node(facts: Facts) -> dict[str, tuple[str, Facts | None]]:
    """By the name of a node, case-folded: the host of the run and its answers. One that did not answer is known by the first
    label of its name."""
    found: dict[str, tuple[str, Facts | None]] = {}
    for host, own in facts.others.items():
        name = own.info.computer if own is not None else host.partition(".")[0]
        found[name.casefold()] = (host, own)
    return found


def speaker(facts: Facts) -> str:
    """The host that the cluster itself is planned on: the first node that tells what it holds, else the first that answers."""
    own = _of_node(facts)  # of several clusters in a unit, those of its own
    told = [
        h
        for h, f in facts.others.items()
        if f is not None and (v := _of_node(f)) is not None and (own is None or v.name == own.name)
    ]
    return next(iter((*told, *(h for h, f in facts.others.items() if f is not None))), "")


def told_by(one: Resource, facts: Facts) -> str:
    """Of what all nodes of a cluster share, and each is written: the host on which it is planned, "" if it is the resource's
    own, or no cluster is named."""
    if not one.index.together or not facts.others:
        return ""
    first = speaker(facts)
    return "" if first == one.index.host else first


@dataclass(frozen=True)
class Whereabouts:
    """Where a role of a playbook is. `host`: that it is planned on. `fault`: why nothing is known of it."""

    host: str
    fault: UnreadableError | None = None


def whereabouts(vm: Machine, home: Sequence[str], possible: Sequence[str], facts: Facts) -> Whereabouts:
    """Of a VM that is written for the whole cluster. The same from every host of the unit. `home`: nodes on which it is made
    rather than on others, `possible`: on which it may be made, all if there are none."""
    try:
        told = view(facts)
    except UnreadableError as error:
        return Whereabouts(speaker(facts), error)
    first = speaker(facts) or vm.address().host
    if not told.nodes or told.name.casefold() != vm.index.together.casefold():
        of = f"a node of {told.name}" if told.nodes else "no node of a cluster"
        text = f"{facts.info.computer} is {of}, and the inventory says {vm.index.together}"
        return Whereabouts(first, UnclearError(text, "correct hvctl_cluster"))
    nodes = hosts_by_node(facts) or {facts.info.computer.casefold(): (vm.address().host, facts)}
    holders: dict[str, Row] = {}
    for node, (_, own) in nodes.items():
        if own is None or node not in told.nodes:
            continue
        try:
            rows = next((found for n in vm.names if (found := own.of_key(VMS, "Name", n))), ())
        except UnreadableError as error:
            return Whereabouts(nodes[node][0], error)
        if rows:
            holders[node] = rows[0]
    known = [r for row in holders.values() if (r := told.of_vm(row["Id"])) is not None]
    role = next(iter(known), None) or next((r for n in vm.names if (r := told.named(n)) is not None), None)
    role = role or next((r for n in vm.names if (r := told.made_as(n)) and not _read(r.owner, nodes)), None)
    if role is None:
        makers = _makers(home, possible, nodes, told)
        return _without_role(vm, holders, nodes, told, (*makers, first))
    owner = role.owner.casefold()
    host, own = nodes.get(owner, (role.owner, None))
    if not role.owner:
        return Whereabouts(first, UnclearError(f"no node owns the role {role.name}", _LOOK))
    if own is None:
        fault = UnreadHostError(host if owner in nodes else role.owner, in_run=owner in nodes)
        fault.text = f"it is a role on {role.owner}: {fault.text}"
        return Whereabouts(first, fault)
    others = [told.nodes[n][0] for n in holders if n != owner]
    if others:
        called = next(row["Name"] for n, row in holders.items() if n != owner)
        text = f"{role.name} is a role on {role.owner}, and a VM {called} is on {' and '.join(others)} too"
        return Whereabouts(host, UnclearError(text, "see which of them is the right one; nothing is done about either"))
    if owner not in holders or (role.vm_id and role.vm_id != str(holders[owner]["Id"]).casefold()):
        text = f"the cluster has the role {role.name} on {role.owner}, where Hyper-V has no such VM"
        return Whereabouts(host, UnclearError(text, _LOOK))
    return Whereabouts(host)


_LOOK = "look at the role in the cluster"


def _read(node: str, nodes: Mapping[str, tuple[str, Facts | None]]) -> bool:
    return nodes.get(node.casefold(), ("", None))[1] is not None


def _without_role(
    vm: Machine,
    holders: Mapping[str, Row],
    nodes: Mapping[str, tuple[str, Facts | None]],
    told: View,
    makers: Sequence[str],
) -> Whereabouts:
    if len(holders) > 1:
        names = " and ".join(told.nodes[n][0] for n in holders)
        hint = "see which of them is the right one; nothing is done about either"
        return Whereabouts(nodes[next(iter(holders))][0], UnclearError(f"a VM {vm.name} is on {names}", hint))
    for node, row in holders.items():
        text = f"Hyper-V on {told.nodes[node][0]} says that {vm.name} is clustered, and the cluster has no role for it"
        return Whereabouts(nodes[node][0], UnclearError(text, _LOOK) if row.get("IsClustered") else None)
    for node, (name, _, _) in told.nodes.items():
        host, own = nodes.get(node, (name, None))
        if own is None:  # one that is down too: its own VM of the name would be there again when it comes back
            fault = UnreadHostError(host, in_run=node in nodes)
            fault.text = f"no other node has it, and {fault.text}"
            if node in nodes:
                fault.hint = "it may be there: bring that node up, or evict it from the cluster"
            else:
                fault.hint = "it may be there: run it for that host too"
            return Whereabouts(makers[-1], fault)
    return Whereabouts(makers[0])


def _makers(
    home: Sequence[str], possible: Sequence[str], nodes: Mapping[str, tuple[str, Facts | None]], told: View
) -> Iterator[str]:
    """Hosts where it may be made, those it is at home on first."""
    up = [n.casefold() for n in told.up() if nodes.get(n.casefold(), ("", None))[1] is not None]
    allowed = {bare(n) for n in possible} or set(up)
    for node in (*(bare(n) for n in home), *up):
        if node in up and node in allowed:
            yield nodes[node][0]


def bare(node: str) -> str:
    """A node is known by the first label of its name, without case."""
    return node.partition(".")[0].casefold()


def wql(text: str) -> str:
    """A text within a WQL query."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


NOT_AVAILABLE = tuple(f"HRESULT 0x{code}" for code in ("8004100e", "80041010", "80041003", "8004100c", "80041024"))
"""Error ids of a write over WMI that was not made: no namespace, no class, access denied, not supported, and a provider that
cannot (WBEM_E_INVALID_NAMESPACE, _INVALID_CLASS, _ACCESS_DENIED, _NOT_SUPPORTED, _PROVIDER_NOT_CAPABLE)."""


def set_common(
    kind: str, where: Mapping[str, str], given: Mapping[str, Any], to: Ref, text: str, fields: tuple[str, ...]
) -> Step:
    """Common properties of a role, of its resource or of the cluster. Set-CimInstance sets without an assignment, which a
    restricted language mode refuses. Where that way is not to be had, properties of the object of `to` are assigned
    (cluster 1.1)."""
    conditions = " AND ".join(f"{key}={wql(value)}" for key, value in where.items())
    query = f"SELECT * FROM MSCluster_{kind} WHERE {conditions}"
    call = Call("Set-CimInstance", {**_IN, "Query": query, "Property": Map(given)})
    values = {property: _unsigned(value) for property, value in given.items()}
    return Step(call, text, fields, instead=Assignment(NOT_AVAILABLE, to, values))


def _unsigned(value: Any) -> Any:
    """As the properties of objects are, which have no sign and are no booleans (cluster 1.3)."""
    return int(value) if isinstance(value, bool) else 2**32 - 1 if value == -1 else value


def removal(role: ClusteredVm, text: str) -> Step:
    """Without its resources it is refused, without -Force it asks (cluster 4)."""
    call = Call("Remove-ClusterGroup", {"Name": role.name, "RemoveResources": True, "Force": True})
    return Step(call, text, ("ensure",))
