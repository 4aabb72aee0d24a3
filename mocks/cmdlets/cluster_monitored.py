"""Get-, Add- and Remove-ClusterVMMonitoredItem: services and events that the cluster watches in a guest (cluster 2).

Services are told by their names, events as log, source and id, with a plus for the slash of the log's name: the example of
Get-ClusterVMMonitoredItem, Windows Server 2012 [D]."""

from __future__ import annotations

from mocks.cluster import Role
from mocks.cmdlets._cluster import SPACE, cluster_of, failed, no_group, seen_vm
from mocks.cmdlets.integration_service import in_contact
from mocks.command import Command, cmdlet
from mocks.objects import PsObject


def _role(cmd: Command) -> Role:
    cluster = cluster_of(cmd)
    role = cluster.role_of(cmd.args.text("VMId").lower()) if "VMId" in cmd.args else None
    if role is None and (name := cmd.args.text("VirtualMachine")):
        role = next((r for r in cluster.roles if r.vm.casefold() == name.casefold()), None)
    if role is None:
        raise no_group(cmd, cmd.args.text("VMId") or cmd.args.text("VirtualMachine"))
    vm = seen_vm(cmd, role)
    if vm is None or vm.state != "Running" or not in_contact(vm, "heartbeat"):
        # The guest itself is asked (domain 16: in contact, domain trust, firewall); text [I].
        raise failed(cmd, f"Unable to reach the virtual machine '{role.vm}'.", "The RPC server is unavailable")
    return role


def _named(cmd: Command) -> list[str]:
    """An event is named whole: less of it names none [I]."""
    names = list(cmd.args.texts("Service")) if "Service" in cmd.args else []
    given = [part for part in ("EventLog", "EventSource", "EventId") if part in cmd.args]
    if len(given) in (1, 2) or not (given or names):
        raise failed(cmd, "The parameter is incorrect", "The parameter is incorrect")
    if given:
        log, source = cmd.args.text("EventLog").replace("/", "+"), cmd.args.text("EventSource")
        names.append(f"{log},{source},{cmd.args.number('EventId')}")
    return names


@cmdlet("Get-ClusterVMMonitoredItem", module="cluster", takes=1.0)
def get(cmd: Command) -> None:
    role = _role(cmd)
    for name in role.monitored:
        cmd.emit(PsObject(f"{SPACE}ClusterVMMonitoredItem", {"Name": name, "VMName": role.vm}, to_string=name))


@cmdlet("Add-ClusterVMMonitoredItem", module="cluster", takes=1.0)
def add(cmd: Command) -> None:
    role = _role(cmd)
    for name in _named(cmd):
        if name.casefold() not in {n.casefold() for n in role.monitored}:
            role.monitored.append(name)


@cmdlet("Remove-ClusterVMMonitoredItem", module="cluster", takes=1.0)
def remove(cmd: Command) -> None:
    role = _role(cmd)
    gone = {n.casefold() for n in _named(cmd)}
    role.monitored = [n for n in role.monitored if n.casefold() not in gone]
