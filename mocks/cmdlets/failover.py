"""Start-, Complete-, Stop-VMFailover (domain 15.4, replica-migration 2)."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from mocks.cmdlets._find import vms
from mocks.cmdlets._replica import check_way, moved, passed, refusal
from mocks.cmdlets.vm import vm_object
from mocks.command import Command, cmdlet
from mocks.complete import new_id
from mocks.machine import Checkpoint, Replication, Vm
from mocks.replicating import RECOVERY_POINTS, counterpart, peer_of


def _relation(cmd: Command, vm: Vm) -> Replication:
    if vm.replication is None or vm.replication.mode == "None":
        raise refusal(cmd, "not replicated", vm.name, cmd.name)
    return vm.replication


def _confirmed(cmd: Command) -> None:
    """The contract: confirm impact High, so it asks unless -Confirm:$false."""
    if cmd.args.raw("Confirm") is not False:
        raise cmd.prompt()


def _subjects(cmd: Command) -> Iterator[tuple[Vm, Checkpoint | None]]:
    """VMs, or the one whose recovery point is given; another checkpoint is none [I]."""
    if "VMRecoverySnapshot" not in cmd.args:
        yield from ((vm, None) for vm in vms(cmd))
        return
    for point in cmd.args.entities("VMRecoverySnapshot", Checkpoint):
        vm = next((v for v in cmd.state.vms if point in v.checkpoints), None)
        with cmd.trying():
            if vm is None:
                raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)
            if point.type not in RECOVERY_POINTS:
                raise refusal(cmd, "no recovery point")
            yield vm, point


@cmdlet("Start-VMFailover", takes=3.0)
def start(cmd: Command) -> None:
    _confirmed(cmd)
    check_way(cmd)
    variant = next((v for v in ("Prepare", "AsTest") if cmd.args.flag(v)), "")
    for vm, point in _subjects(cmd):
        with cmd.trying():
            relation = _relation(cmd, vm)
            row = passed(cmd, vm, relation, variant)
            if variant == "Prepare":
                if vm.state != "Off":
                    raise refusal(cmd, "prepare needs off")
                peer = peer_of(cmd.estate, cmd.state, vm, relation)
                if peer is None:
                    raise refusal(cmd, "no way", vm.name, relation.replica_server)
                relation.last = peer.last = cmd.clock.now()  # what was not sent is sent now
            elif relation.tested:
                raise refusal(cmd, "tested already")
            elif variant == "AsTest":
                cmd.passthru(vm_object, cmd, _tested(cmd, vm, relation))
                continue
            else:
                found = counterpart(cmd.estate, cmd.state, vm, relation)
                if found is not None and found[1].state in ("Running", "Paused") and vm.extended is None:
                    raise refusal(cmd, "primary runs", vm.name, found[0].name)
                relation.point = point.name if point is not None else ""
                for adapter in vm.nics:
                    adapter.ip_addresses = [a for a in (adapter.failover.get("IPv4Address", ""),) if a]
            moved(row, relation, None)
            cmd.passthru(vm_object, cmd, vm)


def _tested(cmd: Command, vm: Vm, relation: Replication) -> Vm:
    """`<name> - Test`: another id, its adapters on nothing unless a switch was named for it (VB/20120725)."""
    made = deepcopy(vm)
    made.name, made.id, made.state = f"{vm.name} - Test", new_id(cmd.state), "Off"
    made.replication, made.extended, made.checkpoints = (
        Replication("TestReplica", "Disabled", "NotApplicable"),
        None,
        [],
    )
    for adapter, own in zip(made.nics, vm.nics, strict=True):
        adapter.id = new_id(cmd.state)
        switch = next((s for s in cmd.state.switches if s.name == own.test_replica_switch_name), None)
        adapter.switch = switch.id if switch is not None else None
    made.drives = []  # on files of its own, which go with it
    made.firmware.boot_order = []
    cmd.state.vms.append(made)
    relation.tested = made.id
    return made


@cmdlet("Complete-VMFailover", takes=1.0)
def complete(cmd: Command) -> None:
    _confirmed(cmd)
    check_way(cmd)
    for vm in vms(cmd):
        with cmd.trying():
            relation = _relation(cmd, vm)
            moved(passed(cmd, vm, relation), relation, None)
            vm.checkpoints = [p for p in vm.checkpoints if p.type not in RECOVERY_POINTS]  # PSDOC
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Stop-VMFailover", takes=1.0)
def stop(cmd: Command) -> None:
    """Of a test, its VM goes; of a failover that is not complete, the replica goes on to receive; of a primary that was
    prepared, it goes on to send."""
    check_way(cmd)
    for vm in vms(cmd):
        with cmd.trying():
            relation = _relation(cmd, vm)
            tested = cmd.state.vm(relation.tested) if relation.tested else None
            if tested is not None:
                if tested.state != "Off":
                    raise refusal(cmd, "stop needs off")
                cmd.state.vms.remove(tested)
                relation.tested = ""
                cmd.passthru(vm_object, cmd, vm)
                continue
            try:
                row = passed(cmd, vm, relation)
            except Exception as error:
                raise refusal(cmd, "nothing to stop") from error
            if vm.state != "Off" and row.side == "Replica":
                raise refusal(cmd, "stop needs off")
            relation.point = ""
            moved(row, relation, None)
            cmd.passthru(vm_object, cmd, vm)
