"""Start-VM, Stop-VM, Save-VM, Suspend-VM, Resume-VM, Restart-VM (domain 4.4)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks import files
from mocks.cmdlets._find import vms
from mocks.cmdlets.integration_service import fall_silent, in_contact
from mocks.cmdlets.vm import vm_object
from mocks.command import Command, cmdlet
from mocks.complete import give_mac
from mocks.machine import MB, Adapter, Vm
from mocks.objects import Refusal
from mocks.replicating import FAILED_OVER, REFUSALS

FORCED_OFF_AFTER = 300.0  # observations 4: -Force turns off after 5 minutes (2019 and later)
ACTIVE, PROCESSORS = 1024, 2048  # VMs and virtual processors that a host of any version runs (domain 21)
NEVER = 86_400.0  # domain 4.4: before that it hangs without end; a day stands for it


DHCP_S = 4.0


@cmdlet("Start-VM", takes=0.24)
def start(cmd: Command) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            if vm.state == "Running":
                cmd.warn("already")  # domain 1.3, trap 21: a warning, no error [O]
            elif vm.state in ("Off", "Saved", "Paused"):
                boot(cmd, vm)
            else:
                raise cmd.refuse("InvalidState", "bad_state")  # domain 26
            cmd.passthru(vm_object, cmd, vm)


def _check_node(cmd: Command, vm: Vm) -> None:
    """Nothing comes online on a paused node (cluster 6); that it is Hyper-V that refuses, id and text [I]."""
    node = cmd.state.cluster.node(cmd.state.name) if cmd.state.cluster is not None and vm.is_clustered else None
    if node is not None and node.state == "Paused":
        raise cmd.refuse("InvalidState", "bad_state")


def boot(cmd: Command, vm: Vm) -> None:
    _check_node(cmd, vm)
    if vm.state != "Paused":  # Start-VM on Paused resumes (domain 4.4 [I])
        _check_replication(cmd, vm)
        _check_resources(cmd, vm)
        _check_files(cmd, vm)
        vm.started = cmd.clock.now()
        vm.tpm_initialized = vm.tpm_initialized or vm.tpm_enabled  # domain 5.4: from its first start on
        if vm.state == "Off":  # what was saved goes on where it was
            fall_silent(cmd.clock, vm, *vm.integration_services)
        disks = [files.vhd(cmd.state, member) for d in vm.disks for member in files.chain_paths(cmd.state, d.path)]
        vm.guest.integration = vm.guest.integration or any(disk is not None and disk.installed for disk in disks)
        for adapter in vm.nics:
            give_mac(cmd.state, adapter)
            _give_address(cmd, vm, adapter)
    vm.state = "Running"


def _check_replication(cmd: Command, vm: Vm) -> None:
    r = vm.replication
    received = r is not None and r.mode in ("Replica", "ExtendedReplica") and r.state not in FAILED_OVER
    if received or (r is not None and (r.mode, r.state) == ("Primary", "PreparedForFailover")):
        row = REFUSALS["a replica does not start" if received else "prepared does not start"]
        raise cmd.refuse(row.kind, row.text, vm.name)


def _give_address(cmd: Command, vm: Vm, adapter: Adapter) -> None:
    """The guest's own address of the link at once, one of the network some seconds after it has booted."""
    switch = cmd.state.switch(adapter.switch)
    if switch is None or not switch.dhcp or not vm.guest.integration or adapter.ip_addresses:
        return
    adapter.ip_addresses = ["fe80::215:5dff:fe01:a0b"]
    address = f"198.51.100.{10 + int(adapter.mac_address[-2:], 16) % 200}"

    def told() -> None:
        adapter.ip_addresses.insert(0, address)

    cmd.clock.after(vm.guest.contact_seconds + DHCP_S, told)


def _check_resources(cmd: Command, vm: Vm) -> None:
    state = cmd.state
    used = sum(v.memory.startup for v in state.vms if v.state in ("Running", "Paused"))
    if used + vm.memory.startup > state.memory:
        # observations 4: OutOfMemory, FromStdErr [O, Windows 10/11]; 1.x: Unspecified [I]
        kind = "OutOfMemory" if state.module2 else "Unspecified"
        raise cmd.refuse(kind, "no_memory", vm.name, vm.memory.startup // MB)
    if vm.processor.count > state.logical_processors:
        # domain 6: stored, but it does not start [I]
        raise cmd.refuse("OperationFailed", "start_failed", vm.name, cmd.say("too_many_processors"))
    running = [v for v in state.vms if v.state in ("Running", "Paused")]
    if len(running) >= ACTIVE or sum(v.processor.count for v in (*running, vm)) > PROCESSORS:
        # domain 21; that it is the start which is refused, text and id ours [I]
        raise cmd.refuse("OperationFailed", "start_failed", vm.name, cmd.say("too_many_running"))
    if sum(v.processor.count * v.processor.reserve for v in (*running, vm)) > 100 * state.logical_processors:
        # domain 6: the sum must fit the host at start; text and id ours
        raise cmd.refuse("OperationFailed", "start_failed", vm.name, cmd.say("no_reserve"))


def _check_files(cmd: Command, vm: Vm) -> None:
    for drive in vm.drives or ():
        if drive.path is None:
            continue
        for member in files.chain_paths(cmd.state, drive.path):
            if not files.is_file(cmd.state, member):
                raise _start_failed(cmd, vm, "file_missing")  # domain 4.4: 0x80070002 [O]
        if cmd.state.files.get(drive.path) == 0:
            raise _start_failed(cmd, vm, "corrupted")  # observations 4: 0-byte ISO attached [O, 25H2]
        if files.held(cmd.state, drive.path):
            raise _start_failed(cmd, vm, "sharing")  # observations 4: 0x80070020 [O]
        if drive.dvd or drive.support_persistent_reservations:
            continue
        if files.clashes(cmd.state, vm, drive):
            raise _start_failed(cmd, vm, "sharing")  # domain 8.3: a file attached twice fails at start 0x80070020


def _start_failed(cmd: Command, vm: Vm, why: str) -> Refusal:
    return cmd.refuse("OperationFailed", "start_failed", vm.name, cmd.say(why))


@cmdlet("Stop-VM", takes=0.1)
def stop(cmd: Command) -> Iterator[float]:
    for vm in vms(cmd):
        with cmd.trying():
            if vm.state == "Off":
                cmd.warn("already")  # observations 8, 4: the warning is the one with a mechanism described
            elif cmd.args.flag("Save"):
                _save(cmd, vm)
            elif cmd.args.flag("TurnOff"):
                vm.state = "Off"
            else:
                yield from shut_down(cmd, vm)
                vm.state = "Off"
            cmd.passthru(vm_object, cmd, vm)


def shut_down(cmd: Command, vm: Vm) -> Iterator[float]:
    """Ask the guest to shut down: the seconds until it has."""
    if vm.state not in ("Running", "Paused"):
        raise cmd.refuse("InvalidState", "bad_state")  # Saved: only -TurnOff or Remove-VMSavedState (domain 4.4)
    guest, force = vm.guest, cmd.args.flag("Force")
    answers = in_contact(vm, "shutdown")
    if answers and guest.shutdown == "ok":
        yield guest.shutdown_seconds  # no limit of its own (observations 4)
        return
    if guest.shutdown == "refuses":
        raise cmd.refuse("OperationFailed", "stop_failed")  # observations 4: hv-packer#1 [O]
    if guest.shutdown == "locked" and not force:
        if not cmd.state.module2:
            raise cmd.refuse("Unspecified", "guest_locked")  # observations 4: WS2012 [O]
        raise cmd.prompt()  # it asks whether to force
    if not force:
        raise cmd.prompt()  # domain 4.4, observations 4: refused in 83 ms, also with -Confirm:$false [O]
    if guest.shutdown == "locked" and answers:
        yield guest.shutdown_seconds
    elif cmd.state.at_least("2019"):
        yield FORCED_OFF_AFTER
    else:
        yield NEVER  # then, as observed on 2016: "Failed to stop." (observations 4)
        raise cmd.refuse("OperationFailed", "stop_failed")


@cmdlet("Save-VM", takes=0.2)
def save(cmd: Command) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            if vm.state == "Saved":
                cmd.warn("already")
            else:
                _save(cmd, vm)
            cmd.passthru(vm_object, cmd, vm)


def _save(cmd: Command, vm: Vm) -> None:
    if vm.state not in ("Running", "Paused"):
        raise cmd.refuse("InvalidState", "bad_state")  # domain 4.4: from Running or Paused; domain 26
    vm.state = "Saved"


@cmdlet("Suspend-VM", takes=0.1)
def suspend(cmd: Command) -> None:
    _switch(cmd, "Running", "Paused")


@cmdlet("Resume-VM", takes=0.1)
def resume(cmd: Command) -> None:
    _switch(cmd, "Paused", "Running")


def _switch(cmd: Command, before: str, after: str) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            if vm.state == after:
                cmd.warn("already")
            elif vm.state != before:
                raise cmd.refuse("InvalidState", "bad_state")  # domain 4.4; domain 26
            vm.state = after
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Restart-VM", takes=0.3)
def restart(cmd: Command) -> Iterator[float]:
    cmd.needs_consent()  # domain 4.4: Restart-VM -Force
    for vm in vms(cmd):
        with cmd.trying():
            if vm.state != "Running":
                raise cmd.refuse("InvalidState", "bad_state")  # domain 4.4; domain 26
            if cmd.args.flag("Wait"):
                yield 20.0
            vm.started = cmd.clock.now()
            fall_silent(cmd.clock, vm, *vm.integration_services)
            cmd.passthru(vm_object, cmd, vm)
