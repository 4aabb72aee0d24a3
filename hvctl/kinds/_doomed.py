"""Disks, and seed images, that are removed with their VM: which files, and a record of them on the host.

The record, a file for each VM, is written before the VM goes and removed after the last of the files: once the VM is gone,
nothing else says which files were its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hvctl.call import Call, Home, Ref, Retry, Row
from hvctl.core.changes import Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Entry
from hvctl.core.values import Unknown
from hvctl.kinds import _receipts
from hvctl.kinds._checkpoints import CHECKPOINTS
from hvctl.kinds._drives import DISKS, DVDS, Slot, on_cluster
from hvctl.kinds._machine import Machine
from hvctl.kinds._physical import vm_name
from hvctl.kinds._types import path_key, same_path
from hvctl.kinds._vhd import chain, children, users, vhd_query
from hvctl.kinds._vm import VMS, in_vm, vm_row
from hvctl.text.diagnostic import Diagnostic

FOLDER = "removals"
RELEASE_S = 120
"""How long the files may stay in use after their VM was removed: some seconds (observations 4)."""

FILES = Call("Get-ChildItem", {"LiteralPath": Home(FOLDER), "Filter": "*.txt"}, select=("Name", "FullName"))
LINES = Call("Get-Content", {"LiteralPath": Ref(FILES, path="FullName", many=True), "Encoding": "UTF8"}, select=("*",))
THERE = Call(
    "Test-Path", {"LiteralPath": (Ref(LINES, many=True),), "PathType": "Leaf"}, select=("*",), each="LiteralPath"
)
"""Of every line: most are paths of files. Leaf: no other question is merged with this one, which fails where there is no
record."""
SNAPSHOT_DISKS = Call(
    "Get-VMHardDiskDrive",
    {"VMSnapshot": (Ref(CHECKPOINTS, many=True),)},
    select=("VMId", "Path", "DiskNumber"),
    each="VMSnapshot",
)
QUERIES = (
    *(VMS, DISKS, DVDS, vhd_query(), CHECKPOINTS, SNAPSHOT_DISKS, FILES, LINES, THERE),
    *(_receipts.FILES, _receipts.LINES),
)

_FIRST, _LAST = "hvctl removal 1", "end of removal"


@dataclass(frozen=True)
class Record:
    """What was to be removed with a VM."""

    file: str
    vm: str
    vm_id: str
    paths: tuple[str, ...]


def records(facts: Facts) -> Iterator[Record]:
    """All that are whole. Raises UnreadableError if the host did not show them."""
    lines: list[str] | None = None
    for row in _rows(LINES, facts):
        text = str(row[""])
        if text == _FIRST:
            lines = []
        elif text == _LAST and lines is not None and len(lines) > 2:
            yield Record(lines[0], lines[1], lines[2], tuple(lines[3:]))
            lines = None
        elif lines is not None:
            lines.append(text)


def _rows(query: Call, facts: Facts) -> tuple[Row, ...]:
    """Before the first removal there is no folder."""
    reply = facts.reply(query)
    if reply.failure is not None and reply.failure.kind != "PathNotFound":
        raise UnreadableError(query, reply.failure)
    return reply.rows


def left(vm: Machine, facts: Facts) -> tuple[Record, ...]:
    """Of a VM that is gone: what a removal before this one did not finish, with the files that are still there."""
    here = {str(row["Id"]).casefold() for row in facts.rows(VMS)}
    there = {str(r["$each"]).casefold() for r in _rows(THERE, facts) if r[""]}
    found = []
    for record in records(facts):
        paths = tuple(p for p in record.paths if p.casefold() in there)
        if paths and record.vm.casefold() == vm.key().casefold() and record.vm_id.casefold() not in here:
            found.append(Record(record.file, record.vm, record.vm_id, paths))
    return tuple(found)


@dataclass(frozen=True)
class Fate:
    """What becomes of the disks of a VM: the files that go, and those that stay, with the reason."""

    gone: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


Claims = tuple[tuple[str, str], ...]
"""Files that the playbook uses, and where, also in what is held back."""


def claims_of(entries: Iterable[Entry]) -> Claims:
    return tuple(
        (value, str(entry.place.mark(field)))
        for entry in entries
        for field in ("path", "parent", "image", "source", "host_source")
        if isinstance(value := getattr(entry.resource, field, None), str) and not entry.resource.absent
    )


def fate(vm: Machine, claims: Claims, facts: Facts) -> Fate:
    """Raises UnreadableError where it is not known who uses them."""
    row = vm_row(vm, facts)
    if row is not None:
        paths = [str(d["Path"]) for d in in_vm(DISKS, row, facts) if d.get("DiskNumber") is None and d.get("Path")]
        seeds = {path_key(path) for path in _receipts.seeds(str(row["Id"]), facts)}
        paths += [str(d["Path"]) for d in in_vm(DVDS, row, facts) if path_key(str(d["Path"] or "")) in seeds]
    else:
        paths = [path for record in left(vm, facts) for path in record.paths]
    vm_id = str(row["Id"]) if row is not None else ""
    return _judged(vm_id, tuple(dict.fromkeys(paths)), claims, facts)


def _judged(vm_id: str, paths: tuple[str, ...], claims: Claims, facts: Facts) -> Fate:
    kept: dict[str, str] = {}
    while True:
        going = tuple(p for p in paths if p not in kept)
        found = {p: why for p in going if (why := _use(vm_id, p, going, claims, facts))}
        if not found:
            return Fate(going, tuple(kept.items()))
        kept |= found  # what stays may keep others


def _use(vm_id: str, path: str, going: tuple[str, ...], claims: Claims, facts: Facts) -> str:
    """Why a file stays; "" if it goes."""
    keys = {path_key(p) for p in going}
    for user in users(path, facts):
        if str(user.row["VMId"]).casefold() != vm_id.casefold():
            return f"{vm_name(user.row, facts)} has {user.child or 'it'} at {Slot.of(user.row)}"
    for drive in facts.rows(DVDS):
        if same_path(drive["Path"], path) and str(drive["VMId"]).casefold() != vm_id.casefold():
            return f"{vm_name(drive, facts)} has it at {Slot.of(drive)}"
    if above := next((c for c in children(path, facts) if path_key(c) not in keys), None):
        return f"{above} was made from it"
    for row in facts.rows(SNAPSHOT_DISKS):
        if (
            row.get("DiskNumber") is None
            and same_path(row["Path"], path)
            and str(row["VMId"]).casefold() != vm_id.casefold()
        ):
            return f"a checkpoint of {vm_name(row, facts)} has it"
    if on_cluster(path):
        return "it lies where other hosts may use it, which is not seen from here"
    return next((f"the playbook uses it at {place}" for used, place in claims if same_path(used, path)), "")


def findings(vm: Machine, claims: Claims, facts: Facts) -> Iterator[Diagnostic]:
    row = vm_row(vm, facts)
    if row is not None and in_vm(CHECKPOINTS, row, facts):
        hint = "remove its checkpoints first, or leave remove_disks out"
        yield finding("remove_disks", f"{vm.key()} has checkpoints, whose files are merged after its removal", hint)
    for drive in facts.rows(DISKS):
        path = str(drive.get("Path") or "") if drive.get("DiskNumber") is None else ""
        own = row is not None and drive["VMId"] == row["Id"]
        if path and not own and any(isinstance(link.row, Unknown) for link in chain(path, facts)):
            text = f"{path} of {vm_name(drive, facts)} could not be read: whether it was made from one of these is not known"
            yield finding("remove_disks", text, "see what has it open, or leave remove_disks out")
            return
    for path, why in fate(vm, claims, facts).kept:
        yield finding("remove_disks", f"{path} stays: {why}", "", "warning")


def name_of(vm_id: str) -> str:
    return hashlib.sha256(vm_id.casefold().encode()).hexdigest()[:32] + ".txt"


def steps(vm: Machine, removal: Step | None, claims: Claims, facts: Facts) -> Iterator[Step]:
    """`removal`: of the VM, if it is still there; with the record before it. Then the files, and the record."""
    because = ("ensure", "remove_disks")
    row, gone = vm_row(vm, facts), fate(vm, claims, facts).gone
    if removal is not None and row is not None and gone:
        file = name_of(str(row["Id"]))
        lines = (_FIRST, file, vm.key(), str(row["Id"]), *gone, _LAST)
        write = Call("Set-Content", {"LiteralPath": Home(f"{FOLDER}\\{file}"), "Value": lines, "Encoding": "UTF8"})
        folder = Call("New-Item", {"Path": Home(FOLDER), "ItemType": "Directory", "Force": True})
        made = Step(folder, "make the folder for records of removals", because)
        written = Step(write, f"note which disks go with {vm.key()}", because, needs=(made,))
        yield from (made, written)
        removal = replace(removal, needs=(*removal.needs, written))
    if removal is not None:
        yield removal
    before = (removal,) if removal is not None else ()
    files = tuple(
        Step(
            Call("Remove-Item", {"LiteralPath": path, "Force": True}),
            f"remove {path}",
            because,
            needs=before,
            retry=Retry("RemoveFileSystemItemIOError", RELEASE_S),
        )
        for path in gone
    )
    yield from files
    names = [name_of(str(row["Id"]))] if row is not None else [record.file for record in left(vm, facts)]
    for name in names if gone else ():
        call = Call("Remove-Item", {"LiteralPath": Home(f"{FOLDER}\\{name}")})
        yield Step(call, f"forget which disks went with {vm.key()}", because, needs=files)
