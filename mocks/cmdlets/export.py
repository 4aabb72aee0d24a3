"""Export-VM: a job of the management service, which goes on whoever started it is gone (domain 13)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks import files
from mocks.clock import Clock
from mocks.cmdlets._find import vms
from mocks.cmdlets.vm import vm_object
from mocks.command import Command, cmdlet
from mocks.machine import MB, Exporting, Vm, version
from mocks.state import Content, HostState

BYTES_PER_SECOND = 200 * MB
SETTLING_S = 4.0
EXPORTING = "ExportingVirtualMachine"


@cmdlet("Export-VM", takes=0.5)
def export(cmd: Command) -> Iterator[float]:
    for vm in vms(cmd):
        with cmd.trying():
            _check(cmd, vm)
            target = f"{cmd.args.text('Path').rstrip(chr(92))}\\{vm.name}"
            if files.exists(cmd.state, target):
                # observations 4, domain 13: id and code [O]
                raise cmd.refuse("OperationFailed", "export_exists", vm.name, target)
            folders = [f"{target}\\{name}" for name in ("Snapshots", "Virtual Hard Disks", "Virtual Machines")]
            for folder in folders:
                files.make_folder(cmd.state, folder)
            done = _copy_disks(cmd, vm, folders[1])
            vm.exporting = Exporting(target, SETTLING_S + done.size / BYTES_PER_SECOND, done.whole)
            go_on(cmd.state, cmd.clock, vm)
            yield vm.exporting.seconds
            if not done.whole:
                # domain 8.2: 0x80070070, disk full; id as for other failures of Export-VM
                raise cmd.refuse("OperationFailed", "export_failed", vm.name, cmd.say("disk_full"))
            cmd.passthru(vm_object, cmd, vm)


def go_on(state: HostState, clock: Clock, vm: Vm) -> None:
    """The job of an export, until it is done."""
    job = vm.exporting
    if job is None:
        return
    if EXPORTING not in vm.tasks:
        vm.tasks.append(EXPORTING)

    def end() -> None:
        vm.tasks.remove(EXPORTING)
        vm.exporting = None
        if job.whole:
            _configure(state, clock, vm, f"{job.path}\\Virtual Machines")

    clock.after(job.seconds, end)


def _check(cmd: Command, vm: Vm) -> None:
    if vm.tasks or vm.state not in ("Off", "Saved", "Running", "Paused"):
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)  # domain 13; id domain 26
    if cmd.state.os == "2012" and vm.state in ("Running", "Paused"):
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)  # domain 13: Off or Saved before R2; id domain 26
    if any(d.support_persistent_reservations or d.disk_number is not None for d in vm.disks):
        # domain 13: refused or left out [I]; here the stricter of both
        raise cmd.refuse("OperationFailed", "export_failed", vm.name, cmd.say("no_sharing"))


class _Copied:
    def __init__(self) -> None:
        self.size = 0
        self.whole = True


def _copy_disks(cmd: Command, vm: Vm, folder: str) -> _Copied:
    """Every attached disk with its parents; a volume that gets full ends it in the middle."""
    copied = _Copied()
    for path in dict.fromkeys(p for d in vm.disks for p in files.chain_paths(cmd.state, d.path)):
        disk = files.vhd(cmd.state, path)
        size = (disk.file_size if disk else None) or 0
        name = path.rpartition("\\")[2]
        written = Content(written=cmd.clock.now())
        if not files.write(cmd.state, f"{folder}\\{name}", written, size):
            room = _free(cmd.state, folder)
            files.write(cmd.state, f"{folder}\\{name}", written, room)
            copied.size, copied.whole = copied.size + room, False
            return copied
        copied.size += size
    return copied


def _free(state: HostState, path: str) -> int:
    volume = files.volume_of(state, path)
    return volume.free if volume else 0


def _configure(state: HostState, clock: Clock, vm: Vm, folder: str) -> None:
    """The configuration, written last [I]: XML up to configuration version 5 (domain 1.1, 13)."""
    new = version(vm.version) >= (6, 0)
    for suffix, size in (("vmcx", 27_000), ("VMRS", 57_000)) if new else (("xml", 46_832),):
        files.write(state, f"{folder}\\{vm.id.upper()}.{suffix}", Content(written=clock.now()), size)
