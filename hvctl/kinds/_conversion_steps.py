"""The steps that make a VM anew as generation 2, and what is said of them before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

from hvctl.call import Call, Guard, Home, Ref, Row
from hvctl.core.changes import Step, finding
from hvctl.core.facts import Facts
from hvctl.kinds import _conversion, _described, _owed
from hvctl.kinds._conversion import Conversion, Copy
from hvctl.kinds._drives import Slot, volume_of
from hvctl.kinds._firmware import FirmwarePart
from hvctl.kinds._image import COPY_S
from hvctl.kinds._machine import Machine
from hvctl.kinds._space import free_at
from hvctl.kinds._types import about_size
from hvctl.kinds._vhd import is_checkpoint, users
from hvctl.kinds._vm import passed_through, power
from hvctl.text.diagnostic import Diagnostic

EFI = "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}"
"""GptType of an EFI system partition (learn.microsoft.com/windows-hardware/drivers/storage/msft-partition)."""
_FIELD = "generation"
_GONE_S = 60
"""How long a VM that was removed may still be listed (domain 4.2)."""


# --- before: what stands in the way, and what is lost ------------------------------------------------------------------


def findings(vm: Machine, row: Row, facts: Facts) -> Iterator[Diagnostic]:
    name = vm.key()
    yield from (finding(_FIELD, text, hint) for text, hint in _obstacles(vm, row, facts))
    data = _conversion.of_host(vm, row, facts)
    for left in _described.described(vm, facts)[1]:
        yield _told(f"it does not travel: {left}", "set it by hand afterwards")
    *_, places = _conversion.becomes(vm, data, str(row["Id"]), facts)
    text = (
        f"{name} gets another Id: replicas, backup chains and rights that go by it are lost, and there is no way back"
    )
    hint = f"it is recorded first, as a playbook, in {_conversion.record_file(str(row['Id']))}"
    yield _told(text, hint)
    if places.moves:
        moved = ", ".join(f"{old} → {new}" for old, new in places.moves)
        yield _told(f"generation 2 has no IDE controllers; drives move: {moved}", "write other places to choose them")
    made = _conversion.copies(row, facts)
    for copy in made:
        yield _told(f"{copy.old} becomes {copy.new}; the old file stays", "remove it when the VM is seen to work")
    yield from _room(made, facts)
    lost = (*places.lost, *(f"{thing} is lost" for thing in _conversion.lost_media(row, facts)))
    for one in lost:
        yield _told(one, "generation 2 has no such device")
    legacy = _conversion.legacy(row, facts)
    if legacy:
        yield _told(f"{', '.join(legacy)} becomes a synthetic adapter", "the guest needs the driver of one")
    if data.get("network_adapters"):
        text = "the guest sees new network adapters: an address set by hand in it is to be set again"
        yield _told(text, "MAC addresses stay, as static ones")
    if vm.boot_disk == "reinstall":
        text = f"{name} does not start from its disk before a system is installed on it"
        yield _told(text, "install one, or prepare the disk in the guest and write boot_disk: converted")
    firmware = vm.part(FirmwarePart)
    if vm.guest_os is None and (firmware is None or firmware.secure_boot is None):
        text = "secure boot is on in a new VM, for Windows; another guest may not start"
        yield _told(text, "write guest_os, or firmware: {secure_boot: …}")


def _told(text: str, hint: str) -> Diagnostic:
    return finding(_FIELD, text, hint, "warning")


def _obstacles(vm: Machine, row: Row, facts: Facts) -> Iterator[tuple[str, str]]:
    name, state = vm.key(), power(row)
    if state not in ("Running", "Off"):
        yield f"{name} is {state.lower()}: what its guest has not written would be lost", "start it, or turn it off"
    if _conversion.snapshots(row, facts):
        yield f"{name} has checkpoints", "remove them and wait for the merge"
    if str(row.get("ReplicationMode") or "None") != "None":
        yield f"{name} is replicated", "remove its replication first"
    if row.get("IsClustered"):
        yield f"{name} is a clustered role", "remove the role from the cluster first"
    for device in passed_through(row, facts):
        yield f"{name} has the host's device {device}", "remove it from the VM first"
    names = [str(r["Name"]).casefold() for r in _conversion.adapters(row, facts)]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        yield f"{name} has more than one network adapter named {twice}", "rename one of them"
    yield from _disk_obstacles(vm, row, facts)


def _disk_obstacles(vm: Machine, row: Row, facts: Facts) -> Iterator[tuple[str, str]]:
    name, boot = vm.key(), _conversion.boot_drive(row, facts)
    if vm.boot_disk == "converted" and (boot is None or not boot.get("Path") or boot.get("DiskNumber") is not None):
        hint = "write boot_disk: reinstall if it starts from elsewhere"
        yield f"{name} has no disk on IDE whose file can be looked into", hint
    for drive in _conversion.drives(row, facts):
        path = str(drive.get("Path") or "")
        if drive.get("DiskNumber") is None and is_checkpoint(path) and not _conversion.snapshots(row, facts):
            yield f"the disk at {Slot.of(drive)} writes to {path}", "wait for the merge, then run hvctl again"
    for path in _conversion.unseen(row, facts):
        yield f"{path} could not be read: something holds it, or it is gone", "see what has it open"
    for copy in _conversion.copies(row, facts):
        others = [u for u in users(copy.old, facts) if u.row["VMId"] != row["Id"] or u.child]
        if others:
            yield f"{copy.old} is used by another disk or VM", "detach it there first"
        if not _is_missing(copy.new, facts):
            hint = "remove it, or give it another name"
            yield f"{copy.new} is there already, where a copy of {copy.old} is to be", hint


def _is_missing(path: str, facts: Facts) -> bool:
    """As far as anything asked for it: what is there all the same keeps the copy from getting its name."""
    known = (r for r in facts.replies.items() if r[0].cmdlet == "Test-Path" and r[0].each)
    rows = [row for _, reply in known for row in reply.rows if str(row.get("$each")).casefold() == path.casefold()]
    return not any(row[""] for row in rows)


def _room(made: tuple[Copy, ...], facts: Facts) -> Iterator[Diagnostic]:
    for volume in dict.fromkeys(volume_of(copy.new).casefold() for copy in made):
        own = [copy for copy in made if volume_of(copy.new).casefold() == volume]
        needed, free = sum(copy.bytes for copy in own), free_at(own[0].new, facts)
        if free is None:
            text = f"how much is free at {own[0].new} cannot be told; the copies take {about_size(needed)}"
            yield _told(text, "make sure that it has room")
        elif needed > free:
            text = f"{about_size(needed)} are needed for copies, and {own[0].new[:2]} has {about_size(free)} free"
            yield finding(_FIELD, f"there is no room: {text}", "free some")


# --- the steps ---------------------------------------------------------------------------------------------------------


def before(vm: Machine, what: Conversion) -> tuple[Step, ...]:
    """All up to the removal of the old VM; the making of the new one rests on the last."""
    if what.removed:
        return ()
    name, found = vm.key(), list[Step]()
    because = (_FIELD,)

    def step(call: Call, text: str, *needs: Step, **more: Any) -> Step:
        made = Step(call, text, because, needs=needs, when="wake", **more)
        found.append(made)
        return made

    folder = Call("New-Item", {"Path": Home(_conversion.FOLDER), "ItemType": "Directory", "Force": True})
    last: tuple[Step, ...] = (step(folder, "make hvctl's folder of conversions"),)
    record: dict[str, Any] = {
        "LiteralPath": _conversion.record_file(what.vm_id),
        "Value": what.record,
        "Encoding": "UTF8",
    }
    last = (step(Call("Set-Content", record), f"record {name} as it is, as a playbook", *last),)
    down: dict[int, Step] = {}
    for one in what.stop:
        needs = tuple(down.get(id(n), n) for n in one.needs) or last
        down[id(one)] = replace(one, when="wake", needs=needs, because=because)
        found.append(down[id(one)])
    last = (found[-1],)
    if what.how == "converted":
        last = _looked_into(what.boot, name, last, step)
    for copy in what.copies:
        last = (_copied(copy, last, step),)
    old = Ref(Call("Get-VM", {"Id": what.vm_id}))
    text = f"remove {name} of generation 1; its disks stay"
    gone = step(Call("Remove-VM", {"VM": old, "Force": True}), text, *last)
    mark = Call("New-Item", {"Path": _conversion.removed_file(what.vm_id), "ItemType": "File", "Force": True})
    step(mark, f"note that {name} is removed, and to be made anew", gone)
    return tuple(found)


class _Adding(Protocol):
    def __call__(self, call: Call, text: str, *needs: Step, **more: Any) -> Step: ...


def _looked_into(path: str, name: str, last: tuple[Step, ...], step: _Adding) -> tuple[Step, ...]:
    """An EFI partition, by mounting the disk read-only; it is dismounted whatever is found."""
    mount = Call("Mount-VHD", {"Path": path, "ReadOnly": True, "NoDriveLetter": True})
    mounted = step(mount, f"look into {path}", *last)
    number = Ref(Call("Get-VHD", {"Path": path}), path="DiskNumber")
    partitions = Call("Get-Partition", {"DiskNumber": number})
    unmet = (
        f"{path} has no EFI partition, so that {name} would not start as generation 2: nothing is removed. "
        "Convert the disk in the guest first (mbr2gpt), or write boot_disk: reinstall"
    )
    guard = Guard(partitions, {"GptType": EFI}, 1, 9, unmet=unmet)
    seen = step(partitions, f"see that {path} has an EFI partition", mounted, guard=guard)
    return seen, step(Call("Dismount-VHD", {"Path": path}), f"dismount {path}", mounted)


def _copied(copy: Copy, last: tuple[Step, ...], step: _Adding) -> Step:
    part, name = _conversion.part_of(copy), copy.new.rpartition("\\")[2]
    # With a wildcard it is no error that there is none.
    half = Call("Remove-Item", {"Path": f"{part[:-1]}?", "Force": True})
    cleared = step(half, f"remove what an earlier copy left of {copy.new}", *last)
    params = {"Path": copy.old, "DestinationPath": part, "VHDType": copy.type}
    text = f"convert {copy.old} to {copy.new} ({about_size(copy.bytes)})"
    made = step(Call("Convert-VHD", params), text, cleared, job=True, limit_s=COPY_S)
    rename = Call("Rename-Item", {"LiteralPath": part, "NewName": name})
    return step(rename, f"name the finished copy {copy.new}", made)


def anew(made: Step, earlier: tuple[Step, ...]) -> Step:
    """The making, once the old one is gone."""
    guard = None if made.guard is None else replace(made.guard, wait_s=_GONE_S)
    return replace(made, needs=(*made.needs, *earlier[-1:]), guard=guard)


def finished(vm: Machine, what: Conversion) -> Iterator[Step]:
    """Forgotten only when everything is done."""
    name = vm.key()
    mark = Step(
        Call("Remove-Item", {"LiteralPath": _conversion.removed_file(what.vm_id)}),
        f"note that {name} is made anew",
        (_FIELD,),
        when="finish",
    )
    yield mark
    # What is written of how it is to be started again, too; with a wildcard it is no error that there is none.
    record = Call("Remove-Item", {"LiteralPath": _conversion.record_file(what.vm_id)})
    yield Step(record, f"remove the record of {name}", (_FIELD,), needs=(mark,), when="finish")
    if what.removed:
        owed = Call("Remove-Item", {"Path": Home(f"{_owed.FOLDER}\\{what.vm_id.lower()}.*.txt")})
        yield Step(owed, f"forget that {name} was taken down", needs=(mark,), when="finish")


def up_again(vm: Machine, what: Conversion, earlier: tuple[Step, ...]) -> Iterator[Step]:
    """The new one when it is whole, or the old one where it was not removed: whichever there is, by its name."""
    name = vm.key()
    unmet = f"{name} is removed and not whole yet: it is not started; run hvctl again, which goes on"
    marker = f"{what.vm_id.lower()}{_conversion.REMOVED}"
    files = Call(
        "Get-ChildItem",
        {"LiteralPath": Home(_conversion.FOLDER), "Filter": marker},
    )
    machine = Ref(Call("Get-VM"), {"Name": name})
    guard = Guard(files, {}, 0, 0, unmet=unmet)
    down = earlier[: 2 + len(what.stop)][-1:]
    start = Step(Call("Start-VM", {"VM": machine}), f"start {name}", ("state",), needs=down, when="again", guard=guard)
    yield start
    owed = Call("Remove-Item", {"Path": Home(f"{_owed.FOLDER}\\{what.vm_id.lower()}.*.txt")})
    yield Step(owed, f"forget that {name} was taken down", needs=(start,), when="again")
