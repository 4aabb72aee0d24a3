"""Move-VM, Compare-VM: a VM goes to another host, with its storage or without (replica-migration 4, domain 14.1)."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

from mocks import files
from mocks.arguments import plain
from mocks.cmdlets._find import vms
from mocks.cmdlets.item_copy import COPIED_BYTES_PER_SECOND
from mocks.cmdlets.vm import vm_object
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import MB, Vm
from mocks.migration import MOVING, Move, Row, chain_of, landed, refused
from mocks.objects import PsObject, Refusal
from mocks.shape import HYPERV
from mocks.state import HostState

SETTLING_S = 10.0
MEMORY_BYTES_PER_SECOND = 100 * MB
_PLACES = {
    "VirtualMachinePath": "path",
    "SnapshotFilePath": "snapshot_file_location",
    "SmartPagingFilePath": "smart_paging_file_path",
}


@cmdlet("Move-VM", takes=1.0)
def move(cmd: Command) -> Iterator[float]:
    for vm in vms(cmd):
        with cmd.trying():
            asked = _asked(cmd, vm)
            _connected(cmd, asked)
            for row, about in refused(asked, "compatibility"):
                raise _refusal(cmd, asked, row, about)
            _check_files(cmd, asked)
            yield from _moved(cmd, asked)
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Compare-VM", takes=2.0)
def compare(cmd: Command) -> None:
    """A report that is not used leaves nothing behind (replica-migration 4.4). Any cause comes with an entry that says no
    more than that the move fails."""
    if "DestinationHost" not in cmd.args:
        text = "the simulated host compares for moves to a host only"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
    for vm in vms(cmd):
        with cmd.trying():
            asked = _asked(cmd, vm)
            _connected(cmd, asked)
            found = [*refused(asked, "compatibility")]
            entries = [_entry(cmd, asked, row, about) for row, about in found]
            if entries:
                text = cmd.say("move_incompatible", vm.name, asked.target.name)
                entries.insert(0, _error(24024, text, vm_object(cmd, vm)))
            kind = "MoveVirtualMachineAndStorage" if asked.storage else "MoveVirtualMachine"
            properties = {
                "VM": vm_object(cmd, vm),
                "OperationType": enum("OperationType", kind),
                "Destination": asked.name,
                "Path": asked.places.get("path"),
                "SnapshotPath": asked.places.get("snapshot_file_location"),
                "VhdDestinationPath": None,
                "VhdSourcePath": None,
                "Incompatibilities": entries,
            }
            cmd.emit(PsObject(HYPERV + "VMCompatibilityReport", properties))


def _error(number: int, text: str, source: PsObject) -> PsObject:
    return PsObject(HYPERV + "VMCompatibilityError", {"Message": text, "MessageId": number, "Source": source})


def _entry(cmd: Command, asked: Move, row: Row, about: str) -> PsObject:
    return _error(row.message_id, cmd.say(row.text, asked.vm.name, asked.target.name, about), vm_object(cmd, asked.vm))


def _asked(cmd: Command, vm: Vm) -> Move:
    if cmd.args.any("DestinationCimSession", "CompatibilityReport", "DestinationCredential", "ResourcePoolName"):
        text = "the simulated host moves a VM by -DestinationHost alone"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
    if vm.tasks or vm.state not in ("Off", "Running"):
        # domain 14.2; domain 14.1: with a saved state not on all versions, so refused here; paused: said nowhere
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)
    name = cmd.args.text("DestinationHost")
    reached = cmd.estate.reached(name, by=cmd.state) if cmd.estate is not None else None
    found = Move(vm, cmd.state, reached.state if reached is not None else None, name)
    found.places = {field: cmd.args.text(p).rstrip("\\") for p, field in _PLACES.items() if p in cmd.args}
    whole = cmd.args.text("DestinationStoragePath").rstrip("\\")
    if cmd.args.flag("IncludeStorage") and not whole:
        raise cmd.refuse("InvalidParameter", "bad_parameter")
    if whole:
        found.places = dict.fromkeys(_PLACES.values(), whole)
    ways = {files.key(str(plain(m["SourceFilePath"]))): str(plain(m["DestinationFilePath"])) for m in _maps(cmd)}
    known = {files.key(d.path) for d in vm.disks if d.path}
    if ways.keys() - known:
        raise cmd.refuse("InvalidParameter", "bad_parameter")  # no disk of the VM; id [I]
    for drive in vm.disks:
        to = ways.get(files.key(drive.path or ""))
        folder = files.parent(to) if to else f"{whole}\\Virtual Hard Disks" if whole else ""
        if (
            folder
        ):  # a changed file name is ignored: only the folder counts (replica-migration 4.1); the chain goes along
            found.disks += [(d, f"{folder}\\{d.path.rpartition(chr(92))[2]}") for d in chain_of(cmd.state, drive)]
    found.storage = bool(whole or found.disks)
    return found


def _maps(cmd: Command) -> list[dict[str, Any]]:
    return [dict(m) for m in cmd.args.many("Vhds")]


def _connected(cmd: Command, asked: Move) -> None:
    for row, about in refused(asked, "connection"):
        raise _refusal(cmd, asked, row, about)


_PLAIN = ("itself", "clustered", "not_configured", "limit")


def _refusal(cmd: Command, asked: Move, row: Row, about: str) -> Refusal:
    """Ids are inferred (replica-migration 10); nothing may branch on them."""
    other = asked.there.name if asked.there is not None else asked.name
    text = cmd.say(row.text, about) if row.name == "limit" else cmd.say(row.text, asked.vm.name, other, about)
    if row.kind == "connection" and row.name not in _PLAIN:
        text = cmd.say("move_no_connection", asked.name, text)
    return _framed(cmd, asked, text, row.at)


def _framed(cmd: Command, asked: Move, text: str, at: str) -> Refusal:
    host = asked.here.name if at == "source" or asked.there is None else asked.there.name
    whole = cmd.say(f"move_frame_{at}", asked.vm.name, host, asked.vm.id.upper())
    return cmd.refuse_text("OperationFailed", f"{whole}\n{text}")


def _check_files(cmd: Command, asked: Move) -> None:
    there, vm = asked.target, asked.vm
    for path in (*asked.places.values(), *(to for _, to in asked.disks)):
        if not path.startswith("\\\\") and not files.is_folder(there, path.partition("\\")[0]):
            raise _framed(cmd, asked, cmd.say("path_missing"), "destination")
    for _, to in asked.disks:
        if files.exists(there, to):  # there is no overwriting (replica-migration 5); text [I]
            raise _framed(cmd, asked, cmd.say("vhd_exists", to), "destination")
    if any(files.children(cmd.state, d.path) for drive in vm.disks for d in chain_of(cmd.state, drive)
           if not _of(asked, files.children(cmd.state, d.path))):  # fmt: skip
        text = "the simulated host moves no parent of another VM's disk"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")


def _of(asked: Move, disks: list[Any]) -> bool:
    """Whether all of them go along, or are of the VM."""
    own = {id(d) for drive in asked.vm.disks for d in chain_of(asked.here, drive)}
    return all(id(d) in own for d in disks)


def _moved(cmd: Command, asked: Move) -> Iterator[float]:
    """Room is not looked at before (replica-migration 5): a volume that gets full ends it in the middle."""
    vm, there = asked.vm, asked.target
    vm.tasks = [MOVING]
    size = sum(disk.file_size or 0 for disk, _ in asked.disks)
    yield (
        SETTLING_S + size / COPIED_BYTES_PER_SECOND + (vm.memory.startup / MEMORY_BYTES_PER_SECOND if asked.runs else 0)
    )
    vm.tasks = []
    if not any(v is vm for v in asked.here.vms):
        return
    if not _both_up(cmd, asked):
        _broken_off(cmd, asked, there)
        raise _framed(cmd, asked, cmd.say("move_cut_off"), "source")
    taken: list[tuple[str, int]] = []
    for disk, to in asked.disks:
        if not files.take(there, to, disk.file_size or 0):
            for path, room in taken:
                files.take(there, path, -room)
            raise _framed(cmd, asked, cmd.say("disk_full"), "destination")
        taken.append((to, disk.file_size or 0))
    landed(asked)


def _both_up(cmd: Command, asked: Move) -> bool:
    estate = cmd.estate
    return estate is not None and estate.reached(asked.name, by=asked.here) is not None


def _broken_off(cmd: Command, asked: Move, there: HostState) -> None:
    """A destination that was lost keeps a planned VM of the same Id; where the source was, the VM stays as it was, without a
    trace of the move but half files (replica-migration 4.4, 4.5)."""
    estate = cmd.estate
    for _, to in asked.disks:
        there.files[to] = 0
    if estate is None or estate.name_of(asked.here) in estate.lost:
        return
    left = copy(asked.vm)
    left.planned, left.state, left.tasks, left.drives, left.adapters = True, "Off", [], [], []
    left.firmware, left.checkpoints = copy(left.firmware), []
    left.firmware.boot_order = []
    there.vms.append(left)
