"""Get-, Suspend- and Resume-ClusterNode: nodes, their drain and the way back (cluster 6)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks.cluster import LOCKED, Cluster, Node
from mocks.cmdlets._cluster import cluster_of, failed, node_object
from mocks.command import Command, cmdlet
from mocks.failover import carry, drain, lacking, nodes_of, state_of, vm_of
from mocks.objects import PsObject

DRAIN_S = 10.0


def _meant(cmd: Command, cluster: Cluster) -> list[Node]:
    if "InputObject" in cmd.args:
        return [
            o.entity for o in cmd.args.many("InputObject") if isinstance(o, PsObject) and isinstance(o.entity, Node)
        ]
    found = []
    for name in cmd.args.texts("Name"):
        node = cluster.node(name)
        if node is None:  # Win32 5042
            raise failed(cmd, f"An error occurred opening node '{name}'.", "The cluster node could not be found")
        found.append(node)
    return found


@cmdlet("Get-ClusterNode", module="cluster", takes=0.1)
def get(cmd: Command) -> None:
    cluster = cluster_of(cmd)
    cmd.emit(*map(node_object, _meant(cmd, cluster) or cluster.nodes))


@cmdlet("Suspend-ClusterNode", module="cluster", takes=0.5)
def suspend(cmd: Command) -> Iterator[float]:
    """Paused first, then its roles go (cluster 6). With -Wait it returns when they have."""
    cluster = cluster_of(cmd)
    for node in _meant(cmd, cluster) or [n for n in cluster.nodes if n.name.casefold() == cmd.state.name.casefold()]:
        if node.state == "Down":
            raise failed(cmd, f"An error occurred pausing node '{node.name}'.", "The cluster node is down")
        node.state = "Paused"
        if cmd.args.flag("Drain"):
            node.drain = 1

            def gone(node: Node = node) -> None:
                if node.drain == 1:
                    node.drain = 3 if drain(cmd.state, node, cmd.args.text("TargetNode")) else 2

            if not cmd.args.flag("Wait"):  # it returns at once (cluster 6)
                cmd.clock.after(DRAIN_S, gone)
                cmd.emit(node_object(node))
                continue
            yield DRAIN_S
            gone()
            if node.drain == 3:  # event 1137; text of the cmdlet [I]
                sentence = f"An error occurred draining node '{node.name}'."
                raise failed(cmd, sentence, "Not every clustered role could be moved")
        cmd.emit(node_object(node))


@cmdlet("Resume-ClusterNode", module="cluster", takes=0.5)
def resume(cmd: Command) -> None:
    """-Failback Immediate brings back what prefers it; which is the default is not said (cluster 6) [I: Policy]."""
    cluster = cluster_of(cmd)
    for node in _meant(cmd, cluster) or [n for n in cluster.nodes if n.name.casefold() == cmd.state.name.casefold()]:
        if node.state == "Down":
            raise failed(cmd, f"An error occurred resuming node '{node.name}'.", "The cluster node is down")
        node.state, node.drain = "Up", 0
        if cmd.args.text("Failback") == "Immediate":
            states = nodes_of(cmd.state)
            for role in cluster.roles:
                first = next(iter(role.preferred_owners), "")
                vm, here, there = vm_of(role, states), state_of(role.owner, states), state_of(node.name, states)
                fits = vm is None or here is None or there is None or not lacking(vm, here, there)
                if first.casefold() == node.name.casefold() and fits and not role.status & LOCKED:
                    carry(role, node.name, states)
        cmd.emit(node_object(node))
