"""Get-ClusterGroup, Get-ClusterResource, Add-ClusterVirtualMachineRole, Remove-ClusterGroup, Move-ClusterVirtualMachineRole,
Update-ClusterVirtualMachineConfiguration: roles (cluster 2, 4, 6)."""

from __future__ import annotations

from mocks import files
from mocks.cluster import LOCKED, Role
from mocks.cmdlets._cluster import (
    NOT_POSSIBLE,
    cluster_of,
    failed,
    group_object,
    other_group_object,
    other_resource_object,
    resource_objects,
    roles_meant,
    seen_vm,
)
from mocks.cmdlets.cluster_broker import remove_other
from mocks.command import Command, cmdlet
from mocks.failover import carry, lacking, nodes_of, state_of


@cmdlet("Get-ClusterGroup", module="cluster", takes=0.1)
def get_group(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    names = [n.casefold() for n in cmd.args.texts("Name")]
    groups = [] if cmd.args.any("InputObject", "VMId") else list(cluster.groups)
    others = [g for g in groups if not names or g.name.casefold() in names]
    cmd.emit(*(other_group_object(cluster, group) for group in others))
    if not names or len(others) < len(names):
        cmd.emit(*(group_object(cmd, cluster, role) for role in roles_meant(cmd, cluster)))


@cmdlet("Get-ClusterResource", module="cluster", takes=0.1)
def get_resource(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    if names := cmd.args.texts("Name"):
        every = [r for role in cluster.roles for r in resource_objects(cmd, cluster, role)]
        every += [other_resource_object(cluster, g, r) for g in cluster.groups for r in g.resources]
        for name in names:
            found = [r for r in every if str(r.to_string).casefold() == name.casefold()]
            if not found:  # Win32 5007 (cluster 5)
                sentence = f"An error occurred opening resource '{name}'."
                raise failed(cmd, sentence, "The cluster resource could not be found")
            cmd.emit(*found)
        return
    for role in roles_meant(cmd, cluster):
        cmd.emit(*resource_objects(cmd, cluster, role))
    if not cmd.args.any("InputObject", "VMId"):
        cmd.emit(*(other_resource_object(cluster, g, r) for g in cluster.groups for r in g.resources))


@cmdlet("Add-ClusterVirtualMachineRole", module="cluster", takes=2.0)
def add(cmd: Command) -> None:
    """Run where the VM is registered (cluster 4)."""
    cluster = cluster_of(cmd)
    wanted = cmd.args.text("VMId").lower()
    named = cmd.args.text("VMName") or cmd.args.text("VirtualMachine")
    found = [v for v in cmd.state.vms if (v.id == wanted if wanted else v.name.casefold() == named.casefold())]
    sentence = f"An error occurred while creating a clustered role for the virtual machine '{named or wanted}'."
    if len(found) != 1:  # text [I]
        raise failed(cmd, sentence, "The virtual machine could not be found on this node")
    vm = found[0]
    name = cmd.args.text("Name") or vm.name
    if cluster.role_of(vm.id) is not None:  # refused; text [I] (cluster 4)
        raise failed(cmd, sentence, "The virtual machine is already clustered")
    if cluster.named(name) is not None:  # Win32 5010, object already exists [I]
        raise failed(cmd, sentence, "The object already exists")
    if any(d.path and not files.on_cluster(cmd.state, d.path) for d in vm.drives or ()) or not files.on_cluster(
        cmd.state, vm.path
    ):
        # A warning with a report, no error (cluster 4); its text is of the sibling cmdlets [I].
        text = "There were issues while creating the clustered role that may prevent it from starting."
        cmd.warnings.append(f"{text} For more information view the report file below.")
        cmd.warnings.append(r"Report file location: C:\Windows\cluster\Reports\Add Virtual Machine Role.htm")
    role = Role(name, cmd.state.name.upper(), vm.name, vm.id)
    cluster.roles.append(role)
    vm.is_clustered = True
    vm.automatic_start_action = "Nothing"  # domain 4.3: the cluster sets it for its roles
    cmd.emit(group_object(cmd, cluster, role))


@cmdlet("Remove-ClusterGroup", module="cluster", takes=1.0)
def remove(cmd: Command) -> None:
    """The VM and its files stay (cluster 4)."""
    cluster = cluster_of(cmd)
    group = next((g for n in cmd.args.texts("Name") for g in cluster.groups if g.name.casefold() == n.casefold()), None)
    if group is not None:
        remove_other(cmd, cluster, group)
        return
    for role in roles_meant(cmd, cluster):
        if not cmd.args.flag("Force"):
            raise cmd.prompt()
        if not cmd.args.flag("RemoveResources"):
            sentence = f"An error occurred while removing the clustered role '{role.name}'."
            raise failed(cmd, sentence, "The cluster group is not empty")  # refused; text [I]
        vm = seen_vm(cmd, role)
        cluster.roles.remove(role)
        if vm is not None:
            vm.is_clustered = False


@cmdlet("Move-ClusterVirtualMachineRole", module="cluster", takes=5.0)
def move(cmd: Command) -> None:
    """Live where the VM runs, else as it is: without -MigrationType both are right (cluster 6)."""
    cluster = cluster_of(cmd)
    for role in roles_meant(cmd, cluster):
        sentence = f"An error occurred while moving the clustered role '{role.name}'."
        target = cmd.args.text("Node") or next(iter(cluster.available(role, but=role.owner)), "")
        node = cluster.node(target)
        if node is None:
            raise failed(cmd, sentence, "The cluster node could not be found")  # Win32 5042
        possible = {name.casefold() for name in cluster.possible(role)}
        if node.state != "Up" or node.name.casefold() not in possible:
            raise failed(cmd, sentence, NOT_POSSIBLE)  # Win32 5016 [O]
        if role.status & LOCKED and not cmd.args.flag("IgnoreLocked"):  # refused; text [I]
            raise failed(cmd, sentence, "The clustered role is locked from moving")
        states = nodes_of(cmd.state)
        vm, source, there = seen_vm(cmd, role), state_of(role.owner, states), state_of(node.name, states)
        if "MigrationType" in cmd.args and cmd.args.text("MigrationType") == "Live" and vm and vm.state == "Off":
            raise failed(cmd, sentence, "The cluster resource is not in the correct state")  # Win32 5023 (cluster 6)
        lost = cmd.estate is not None and there is not None and cmd.estate.name_of(there) in cmd.estate.lost
        if lost:
            raise failed(cmd, sentence, "The RPC server is unavailable")
        if vm is not None and source is not None and there is not None and (why := lacking(vm, source, there)):
            raise failed(cmd, sentence, why)
        carry(role, node.name, states)
        role.failed = False
        cmd.emit(group_object(cmd, cluster, role))


@cmdlet("Update-ClusterVirtualMachineConfiguration", module="cluster", takes=0.5)
def update(cmd: Command) -> None:
    """Hyper-V's cmdlets do this for their own changes (cluster 4); it works from any node [I]."""
    cluster = cluster_of(cmd)
    for role in roles_meant(cmd, cluster):
        cmd.emit(resource_objects(cmd, cluster, role)[1])
