"""Roles that go from node to node: on request, and by themselves when a node is lost (domain 16; cluster 2, 6)."""

from __future__ import annotations

from collections.abc import Sequence

from mocks import files
from mocks.clock import Clock
from mocks.cluster import ISOLATED, LOCKED, UNMONITORED, Cluster, Node, Role
from mocks.machine import Vm
from mocks.state import HostState

QUEUED_S = 30.0
"""Until a role is moved whose network is down: by the blog such moves queue; for how long it does not say [I]."""


def nodes_of(state: HostState) -> list[HostState]:
    """The hosts that are nodes of its cluster, as far as they are simulated; itself first."""
    return [s for s in (state, *state.beside) if s.cluster is state.cluster]


def state_of(name: str, states: Sequence[HostState]) -> HostState | None:
    return next((s for s in states if s.name.casefold() == name.casefold()), None)


def vm_of(role: Role, states: Sequence[HostState]) -> Vm | None:
    """Its VM, on the node that owns it."""
    owner = state_of(role.owner, states)
    return owner.vm(role.vm_id) if owner is not None else None


def lacking(vm: Vm, source: HostState, target: HostState) -> str:
    """The first thing that a node lacks for a VM: a switch of the same name, or a file (domain 14)."""
    there = {s.name.casefold() for s in target.switches}
    for adapter in vm.nics:
        switch = source.switch(adapter.switch)
        if switch is not None and switch.name.casefold() not in there:
            return f"Could not find Ethernet switch '{switch.name}'."
    for drive in vm.drives or ():
        if drive.path and not files.is_file(target, drive.path):
            return f"'{drive.path}' was not found."
    return ""


def carry(role: Role, target: str, states: Sequence[HostState]) -> None:
    """The role, and its VM as it is, to another node."""
    source, there = state_of(role.owner, states), state_of(target, states)
    vm = vm_of(role, states)
    role.owner = target
    if vm is None or source is None or there is None or source is there:
        return
    for adapter in vm.nics:
        switch = source.switch(adapter.switch)
        found = [s for s in there.switches if switch is not None and s.name.casefold() == switch.name.casefold()]
        adapter.switch = found[0].id if found else None
    source.vms.remove(vm)
    there.vms.append(vm)


def lose_node(state: HostState, clock: Clock) -> None:
    """The others take what it had at once; from 2016 on after the time that the cluster waits for it to come back."""
    cluster = state.cluster
    node = cluster.node(state.name) if cluster is not None else None
    if cluster is None or node is None:
        return
    states = nodes_of(state)
    node.state = "Down"
    wait = cluster.resiliency_default_period if (cluster.level or 0) >= 9 else 0
    if wait <= 0:
        _relocate(cluster, node, states)
        return
    node.status |= ISOLATED
    for role in cluster.roles:
        if role.owner.casefold() == node.name.casefold():
            role.status |= UNMONITORED

    def over() -> None:
        if node.status & ISOLATED:
            node.status &= ~ISOLATED
            _relocate(cluster, node, states)

    clock.after(wait, over)


def restore_node(state: HostState) -> None:
    node = state.cluster.node(state.name) if state.cluster is not None else None
    if state.cluster is None or node is None or node.state != "Down":
        return
    node.state = "Up"
    node.status &= ~ISOLATED
    for role in state.cluster.roles:
        if role.owner.casefold() == node.name.casefold():
            role.status &= ~UNMONITORED


def lose_link(state: HostState, name: str, clock: Clock) -> None:
    """A network adapter of the host loses its connection. From 2012 R2 on roles with a watched adapter on its switch go live to
    a node where that network is up; a move that has not begun when it returns is given up (cluster 8)."""
    next(nic for nic in state.nics if nic.name == name).status = "Disconnected"
    if state.cluster is not None and state.at_least("2012r2"):
        clock.after(QUEUED_S, lambda: _leave(state))


def _leave(state: HostState) -> None:
    cluster, states = state.cluster, nodes_of(state)
    assert cluster is not None
    for role in cluster.roles:
        vm = vm_of(role, states)
        if vm is None or vm.state != "Running" or state_of(role.owner, states) is not state:
            continue
        switches = [s.name for nic in vm.nics if nic.cluster_monitored and (s := state.switch(nic.switch)) is not None]
        down = [name for name in switches if not _linked(state, name)]
        if not down:
            continue
        for node in cluster.available(role, but=state.name):
            there = state_of(node, states)
            if there is not None and all(_linked(there, name) for name in down) and not lacking(vm, state, there):
                carry(role, node, states)
                break


def _linked(state: HostState, name: str) -> bool:
    switch = next((s for s in state.switches if s.name.casefold() == name.casefold()), None)
    return switch is not None and any(n.status == "Up" for n in state.nics if n.name in switch.net_adapters)


def _relocate(cluster: Cluster, node: Node, states: Sequence[HostState]) -> None:
    """What ran starts again on another node; what was saved or off is there too. A role without one stays, and has failed."""
    for role in cluster.roles:
        if role.owner.casefold() != node.name.casefold():
            continue
        role.status &= ~UNMONITORED
        targets = cluster.available(role, but=node.name)
        if targets:
            carry(role, targets[0], states)
        else:
            role.failed = True


def drain(state: HostState, node: Node, target: str = "") -> list[Role]:
    """By priority, each to the best of the others; those that no other takes stay (cluster 6), and locked ones [I]."""
    cluster, states = state.cluster, nodes_of(state)
    assert cluster is not None
    left = []
    own = [r for r in cluster.roles if r.owner.casefold() == node.name.casefold()]
    for role in sorted(own, key=lambda r: -r.priority):
        targets = [target] if target else cluster.available(role, but=node.name)
        vm, source = vm_of(role, states), state_of(role.owner, states)
        fit = [t for t in targets if not role.status & LOCKED and _takes(vm, source, state_of(t, states))]
        if fit:
            carry(role, fit[0], states)
        else:
            left.append(role)
    return left


def _takes(vm: Vm | None, source: HostState | None, target: HostState | None) -> bool:
    return vm is None or source is None or target is None or not lacking(vm, source, target)
