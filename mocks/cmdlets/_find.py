"""What the -VM, -VMName, -VMSnapshot parameters of a cmdlet mean on the host."""

from __future__ import annotations

from collections.abc import Iterator

from mocks.arguments import is_pattern, like
from mocks.command import Command
from mocks.machine import Checkpoint, Vm
from mocks.objects import Refusal
from mocks.state import HostState, Switch


def visible(state: HostState) -> list[Vm]:
    """Without the right, older hosts show nothing at all (domain 1.3)."""
    return state.vms if state.administrator else []


def vm_missing(cmd: Command, name: str) -> Refusal:
    if cmd.name == "Get-VM" or not cmd.state.module2:
        # observations 4: Get-VM says InvalidParameter, all others ObjectNotFound; that is recorded for module 2.0.
        # In 1.x the text itself begins "A parameter is invalid": taken as InvalidParameter for all [I].
        return cmd.refuse("InvalidParameter", "vm_missing", name, target="name:String")
    return cmd.refuse("ObjectNotFound", "vm_missing", name)


def by_name(cmd: Command, patterns: list[str]) -> Iterator[Vm]:
    """Names take wildcards and are not unique: every VM that matches (domain 4.1). A pattern that matches
    nothing is no error (observations 2)."""
    for pattern in patterns:
        found = [vm for vm in visible(cmd.state) if like(vm.name, pattern)]
        if not found and not is_pattern(pattern):
            with cmd.trying():
                raise vm_missing(cmd, pattern)
        yield from found


def vms(cmd: Command) -> Iterator[Vm]:
    """The VMs that the cmdlet is about; a missing one is an error of its own."""
    if "VM" in cmd.args:
        for vm in cmd.args.entities("VM", Vm):
            with cmd.trying():
                yield cmd.alive(vm)
        return
    for name in ("VMName", "Name"):
        if name in cmd.args:
            for vm in by_name(cmd, cmd.args.texts(name)):
                with cmd.trying():
                    yield cmd.alive(vm)
            return


def owners(cmd: Command) -> Iterator[tuple[Vm, Checkpoint | None]]:
    """VMs, or the VM of a checkpoint as it was then."""
    if "VMSnapshot" not in cmd.args:
        for vm in vms(cmd):
            yield vm, None
        return
    for point in cmd.args.entities("VMSnapshot", Checkpoint):
        for vm in cmd.state.vms:
            if any(p is point for p in vm.checkpoints):
                yield vm, point


def switch_named(cmd: Command, name: str) -> Switch:
    """domain 9.1, observations 4: InvalidParameter, InvalidArgument; the Japanese text is recorded [O]."""
    found = [s for s in cmd.state.switches if like(s.name, name)]
    if not found:
        raise cmd.refuse("InvalidParameter", "switch_missing", name)
    return found[0]
