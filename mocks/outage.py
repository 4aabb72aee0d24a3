"""Shared storage that a host sees no more, and what becomes of the VMs whose disks lie on it (domain 16)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from mocks import files
from mocks.clock import Clock
from mocks.cluster import Role
from mocks.failover import carry, lacking, nodes_of, state_of
from mocks.machine import Vm
from mocks.state import Content, HostState, Storage, Vhd

CRITICAL = "PausedCritical"


@dataclass
class Outage:
    """What a host does not see, as it was when it went: another host that sees it knows better."""

    state: HostState
    storage: Storage
    folders: list[str]
    files: dict[str, int]
    contents: dict[str, Content]
    vhds: list[Vhd]


def lose_storage(state: HostState, storage: Storage, clock: Clock) -> Outage:
    """From 2016 on a VM waits for it, paused, as long as its settings say, and is turned off then; before, and where they say
    so, it is not (domain 16). One that is a role starts on a node that sees its disks."""

    def there(path: str) -> bool:
        return files.within(path, storage.path)

    gone = Outage(
        state,
        storage,
        [p for p in state.folders if there(p)],
        {p: size for p, size in state.files.items() if there(p)},
        {p: content for p, content in state.contents.items() if there(p)},
        [disk for disk in state.vhds if there(disk.path)],
    )
    state.storage.remove(storage)
    state.folders[:] = [p for p in state.folders if not there(p)]
    for kept in (state.files, state.contents):
        for path in [p for p in kept if there(p)]:
            del kept[path]
    state.vhds[:] = [disk for disk in state.vhds if not there(disk.path)]
    for vm in [vm for vm in state.vms if vm.state == "Running" and _rests_on(vm, storage)]:
        if state.at_least("2016") and vm.automatic_critical_error_action == "Pause":
            vm.state = CRITICAL
            clock.after(60 * vm.automatic_critical_error_action_timeout, partial(_gives_up, state, vm))
        else:
            _relocate(state, vm)
    return gone


def restore_storage(gone: Outage, *others: HostState) -> None:
    """What waited for it runs on. `others`: hosts that see it too, whose word counts."""
    state, path = gone.state, gone.storage.path
    now = next((s for s in others if gone.storage in s.storage), None)
    state.storage.append(gone.storage)
    if now is None:
        state.folders += gone.folders
        state.files |= gone.files
        state.contents |= gone.contents
        state.vhds += gone.vhds
    else:
        state.folders += [p for p in now.folders if files.within(p, path)]
        state.files |= {p: size for p, size in now.files.items() if files.within(p, path)}
        state.contents |= {p: one for p, one in now.contents.items() if files.within(p, path)}
        state.vhds += [disk for disk in now.vhds if files.within(disk.path, path)]
    for vm in state.vms:
        if vm.state == CRITICAL and _rests_on(vm, gone.storage):
            vm.state = "Running"


def _rests_on(vm: Vm, storage: Storage) -> bool:
    """A shared disk that is lost is taken out of the VM, which runs on (cluster 7)."""
    own = (drive for drive in vm.drives or () if drive.path and not drive.support_persistent_reservations)
    return any(files.within(drive.path or "", storage.path) for drive in own)


def _gives_up(state: HostState, vm: Vm) -> None:
    if vm in state.vms and vm.state == CRITICAL:
        _relocate(state, vm)


def _relocate(state: HostState, vm: Vm) -> None:
    """It is off here; the cluster starts its role where its disks are seen, or the role has failed [I]."""
    cluster = state.cluster
    role: Role | None = cluster.role_of(vm.id) if cluster is not None else None
    if cluster is None or role is None:
        if vm.state == CRITICAL:
            vm.state = "Off"
        return  # before 2016 it runs on without its disk, for all that is known
    states = nodes_of(state)
    vm.state = "Off"
    for name in cluster.available(role, but=state.name):
        target = state_of(name, states)
        if target is not None and not lacking(vm, state, target):
            carry(role, name, states)
            vm.state = "Running"
            return
    role.failed = True
