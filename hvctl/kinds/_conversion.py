"""Generation 1 → 2: what travels, what stands in the way, and where a conversion is taken up again.

Hyper-V cannot change the generation of a VM (domain 5.2). The VM is described and recorded on the host, removed, and
made anew of what was recorded and what the playbook says; its disks stay. Within a guest nothing is converted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hvctl.call import EACH, Call, Home, Ref, Row, Staged
from hvctl.contract import OS
from hvctl.core.changes import HeldBackError, Step
from hvctl.core.description import NOWHERE
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Fields, settings
from hvctl.core.resource import Entry, Index, Renewal, Resource
from hvctl.core.rules import broken_rules
from hvctl.core.values import ANYTHING, PLAIN, Codec, Unknown
from hvctl.kinds import _described, _maximums, _receipts, _room
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._drives import DISKS, DVDS, Drive, Slot, on_share, there
from hvctl.kinds._host import HOST
from hvctl.kinds._image import unfinished
from hvctl.kinds._machine import Machine
from hvctl.kinds._network import VM_ADAPTERS
from hvctl.kinds._space import VOLUMES, sizes_query
from hvctl.kinds._types import path_key, same_path
from hvctl.kinds._vhd import FILE_PROPERTIES, extension, vhd
from hvctl.kinds._vm import ALL_VMS, DEVICES, MEMORY, PROCESSORS, VMS, generation, in_vm, power, vm_row
from hvctl.text.diagnostic import ConfigError
from hvctl.text.source import load_text

FOLDER = "conversions"
FILES = Call(
    "Get-ChildItem", {"LiteralPath": Home(FOLDER), "Filter": "*.txt"}, select=("Name", "FullName", "LastWriteTimeUtc")
)
LINES = Call("Get-Content", {"LiteralPath": Ref(FILES, path="FullName", many=True), "Encoding": "UTF8"}, select=("*",))
"""The lines of all records, one after another."""
PORTS = Call("Get-VMComPort", {"VM": ALL_VMS}, select=("VMId", "Name", "Path"))
FLOPPIES = Call("Get-VMFloppyDiskDrive", {"VM": ALL_VMS}, select=("VMId", "Path"))
SNAPSHOTS = Call("Get-VM", select=(*VMS.select, "ParentSnapshotId", "ConfigurationLocation"))
MEDIA = Call("Test-Path", {"LiteralPath": (Ref(DVDS, path="Path", many=True),)}, select=("*",), each="LiteralPath")
"""Whether the images in DVD drives are there."""
WHERE = Call("Get-VMHost", select=("VirtualMachinePath",))

_FILE = "# file: "
_FIRST, _LAST = "hvctl conversion 1", "end of conversion"
REMOVED = ".removed.txt"
NO_MAC = "000000000000"


def queries(vm: Machine) -> tuple[Call, ...]:
    if not asked(vm):
        return (FILES, LINES) if vm.generation == 2 and not vm.absent else ()
    own = (FILES, LINES, PORTS, FLOPPIES, DEVICES, SNAPSHOTS, HOST, WHERE, MEDIA, VOLUMES, sizes_query())
    of_parts = (_maximums.COUNTS, *_room.QUERIES, PROCESSORS, MEMORY, _receipts.FILES, _receipts.LINES)
    return (*own, *of_parts, *_described.firmware().survey(), *_described.queries(vm))


def asked(vm: Machine) -> bool:
    return vm.boot_disk is not None and vm.generation == 2 and not vm.absent


def forsaken(vm: Machine, facts: Facts) -> None:
    """Raise HeldBackError if a VM that is to be made was removed to become generation 2, and nothing says how to go on."""
    if asked(vm) or not facts.asked(FILES) or (record := under_way(vm, facts)) is None:
        return
    kept = record_file(record.vm_id)
    text = f"{record.name} was removed to become generation 2, and is not made anew yet: {kept} has what it was"
    hint = (
        "write the boot_disk that the playbook had, and it is gone on with; "
        f"for a VM without what it had, remove {removed_file(record.vm_id)}"
    )
    raise HeldBackError(text, hint, "generation")


def due(vm: Machine, row: Row | None) -> bool:
    """Whether the VM that is there is to become one of the other generation, and the playbook says how."""
    return asked(vm) and row is not None and generation(row) == 1


# --- what becomes of its disks -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Copy:
    """A disk whose format generation 2 does not take, and what is made of it. `type`: of the copy; `bytes`: that it
    takes."""

    old: str
    new: str
    type: str
    bytes: int


def new_path(path: str) -> str:
    return f"{path.rpartition('.')[0]}.vhdx" if extension(path) == "vhd" else path


def drives(row: Row, facts: Facts) -> tuple[Row, ...]:
    return tuple(sorted(in_vm(DISKS, row, facts), key=lambda r: str(Slot.of(r))))


def boot_drive(row: Row, facts: Facts) -> Row | None:
    """What generation 1 starts from: the first disk on IDE (domain 5.1)."""
    return next((r for r in drives(row, facts) if not Slot.of(r).scsi), None)


def copies(row: Row, facts: Facts) -> tuple[Copy, ...]:
    found = []
    for drive in drives(row, facts):
        path = str(drive.get("Path") or "")
        if drive.get("DiskNumber") is not None or extension(path) != "vhd":
            continue
        file = vhd(path, facts)
        if not isinstance(file, Unknown):
            kind = "Fixed" if str(file["VhdType"]).casefold() == "fixed" else "Dynamic"
            taken = int(file["Size"]) if kind == "Fixed" else int(file.get("FileSize") or 0)
            found.append(Copy(path, new_path(path), kind, taken))
    return tuple(found)


# --- the record --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """What was written down of a VM that was removed to be made anew. `data`: as `vms:` takes it; `files`: of its disks,
    as Get-VHD told them."""

    vm_id: str
    name: str
    data: Mapping[str, Any]
    files: tuple[Row, ...] = ()


def _rows(query: Call, facts: Facts) -> tuple[Row, ...]:
    """Before the first record there is no folder."""
    reply = facts.reply(query)
    if reply.failure is not None and reply.failure.kind != "PathNotFound":
        raise UnreadableError(query, reply.failure)
    return reply.rows


def under_way(vm: Machine, facts: Facts) -> Record | None:
    """Of a VM of that name that hvctl removed, and whose making anew did not come to its end. Raises UnreadableError if the
    host did not say, or the record cannot be read."""
    names = {str(row["Name"]).casefold() for row in _rows(FILES, facts)}
    removed = {name.removesuffix(REMOVED) for name in names if name.endswith(REMOVED)}
    if not removed:
        return None
    wanted = {name.casefold() for name in vm.names}
    lines = [str(row[""]) for row in _rows(LINES, facts)]
    for n, line in enumerate(lines):
        if line != _FIRST or len(lines) < n + 5 or lines[n + 2].casefold() not in wanted:
            continue
        vm_id = lines[n + 1].casefold()
        if vm_id in removed and _LAST in lines[n:]:
            own = lines[n + 4 : lines.index(_LAST, n)]
            try:
                data = load_text("\n".join(own), str(record_file(vm_id))).data[0]["vms"][0]
                files = tuple(json.loads(line.removeprefix(_FILE)) for line in own if line.startswith(_FILE))
                return Record(vm_id, lines[n + 2], data, files)
            except (ConfigError, LookupError, TypeError, ValueError) as error:
                why = f"the record {record_file(vm_id)} of {vm.name} is damaged"
                raise UnreadableError(LINES, property="Value", why=why, outside=vm.name) from error
    return None


def record_file(vm_id: str) -> Home:
    return Home(f"{FOLDER}\\{vm_id.lower()}.txt")


def removed_file(vm_id: str) -> Home:
    return Home(f"{FOLDER}\\{vm_id.lower()}{REMOVED}")


def _format(path: str) -> str:
    return {"vhd": "VHD", "vhds": "VHDSet"}.get(extension(path), "VHDX")


def record_lines(vm_id: str, data: Mapping[str, Any], made: tuple[Copy, ...], facts: Facts) -> tuple[str, ...]:
    """A playbook, with what becomes of its disks beside it."""
    where = [f"# {copy.old} stays; its copy is {copy.new}" for copy in made]
    for path in (new_path(str(disk["path"])) for disk in data.get("disks", ()) if disk.get("path")):
        old = next((copy.old for copy in made if same_path(copy.new, path)), path)
        if not isinstance(row := vhd(old, facts), Unknown):
            told = {**{name: row.get(name) for name in FILE_PROPERTIES}, "Path": path, "VhdFormat": _format(path)}
            where.append(_FILE + json.dumps(told, ensure_ascii=False))
    text = _described.as_playbook(facts.info.computer or "host", data).splitlines()
    return (_FIRST, vm_id.lower(), str(data["name"]), facts.info.user or "unknown", *where, *text, _LAST)


# --- what it becomes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Conversion:
    """What goes before and after the making anew. `boot`: the file of the disk that the old VM started from; `running`:
    whether the old one ran, and `stop` how it is taken down; `removed`: it is gone already."""

    vm_id: str
    how: str
    boot: str = ""
    copies: tuple[Copy, ...] = ()
    record: tuple[str, ...] = ()
    running: bool = False
    removed: bool = False
    stop: tuple[Step, ...] = ()


def of_host(vm: Machine, row: Row, facts: Facts) -> Mapping[str, Any]:
    """The VM as it is, as far as it can travel: what generation 2 does not have is left out."""
    data, _ = _described.described(vm, facts)
    location, default = str(row["ConfigurationLocation"] or ""), str(facts.rows(WHERE)[0]["VirtualMachinePath"] or "")
    for field in ("checkpoint_path", "smart_paging_path"):
        if same_path(data.get(field), location):
            data.pop(field)  # where New-VM puts it anyway
    if same_path(data.get("path"), default):
        data.pop("path")
    data["state"] = "running" if power(row) == "Running" else "off"
    own = {str(r["Name"]).casefold(): r for r in in_vm(VM_ADAPTERS, row, facts)}
    for adapter in data.get("network_adapters", ()):
        adapter.pop("legacy", None)
        address = str(own[adapter["name"].casefold()]["MacAddress"] or NO_MAC)
        adapter["mac_address"] = "dynamic" if address == NO_MAC else address
        if not adapter.get("switch"):
            for field in [n for n in adapter if n not in ("name", "mac_address")]:
                adapter.pop(field)  # what is on no switch takes none of it (observations 4)
    return data


def beyond_new(kind: type[Resource], data: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Without what a new VM has by itself: it need not be set."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        dotted = f"{within}{name}"
        known = not within and kind.model_fields[name].is_required()
        usual = ANYTHING if known else kind.usual.get(dotted, ANYTHING)
        if isinstance(value, Mapping) and any(n.startswith(f"{dotted}.") for n in kind.usual):
            inner = beyond_new(kind, value, f"{dotted}.")
            if inner or usual is False:  # a section that is on by being there
                found[name] = inner
        elif usual is ANYTHING or not _codec(kind, dotted).same(value, usual):
            found[name] = value
    return found


def _codec(kind: type[Resource], dotted: str) -> Codec:
    setting = settings(kind).get(dotted)
    return setting.codec if setting is not None else PLAIN


def joined(first: Any, second: Any) -> Any:
    """What the playbook says, and of what it does not say, what was."""
    more: dict[str, Any] = {}
    for name in second.model_fields_set:
        theirs = getattr(second, name)
        if name not in first.model_fields_set:
            more[name] = theirs
        elif isinstance(getattr(first, name), Fields) and isinstance(theirs, Fields):
            more[name] = joined(getattr(first, name), theirs)
    for one, other in (("vlan", "isolation"), ("isolation", "vlan")):
        if one in first.model_fields_set and other in more:
            more.pop(other)
    return first.model_copy(update=more)


@dataclass(frozen=True)
class Placed:
    """Drives of generation 1 and where they come to sit. `lost`: what generation 2 cannot have, in words."""

    disks: tuple[tuple[str, Mapping[str, Any]], ...]
    dvds: tuple[tuple[str, Mapping[str, Any]], ...]
    moves: tuple[tuple[str, str], ...]
    lost: tuple[str, ...]
    boot: str = ""


def placed(vm: Machine, data: Mapping[str, Any], vm_id: str, facts: Facts) -> Placed:
    """A drive sits where the playbook has it, else where it was, else at the next free place on SCSI."""
    taken = {str(p.at) for p in vm.parts if isinstance(p, Drive)}
    taken |= {str(p.drive_place(facts)) for p in vm.parts if hasattr(p, "drive_place")}
    wanted = [p for p in vm.parts_of(DiskPart) if not p.absent]
    disks, dvds, moves, lost = [], [], [], []
    boot = ""
    first_ide = min((d["at"] for d in data.get("disks", ()) if d["at"].startswith("ide")), default="")
    for disk in data.get("disks", ()):
        path = new_path(str(disk.get("path") or ""))
        mine = next((w for w in wanted if _means(w, disk, path)), None)
        if mine is None and "disks" in vm.exclusive:
            lost.append(f"{path or 'physical disk ' + str(disk.get('disk_number'))} is not listed, and not attached")
            continue
        at = mine.at if mine is not None else _free(disk["at"], taken, data)
        taken.add(at)
        changed = {**disk, "at": at, **({"path": path} if path else {})}
        disks.append((disk["at"], changed))
        if disk["at"] != at:
            moves.append((disk["at"], at))
        boot = at if disk["at"] == first_ide else boot
    made = {path_key(path) for path in _receipts.seeds(vm_id, facts)}
    listed = [p for p in vm.parts if p.kind == "dvd"]
    for dvd in data.get("dvds", ()):
        if dvd.get("host_drive"):
            lost.append(f"the DVD drive at {dvd['at']} passes {dvd['host_drive']} through, which generation 2 cannot")
            continue
        path = str(dvd.get("path") or "")
        if path_key(path) in made or (listed and not path):
            continue  # the drive of a seed image comes with its section
        mine_too = next((p for p in listed if same_path(getattr(p, "path", None), path)), None)
        if mine_too is None and "dvds" in vm.exclusive:
            continue
        at = mine_too.key() if mine_too is not None else _free(dvd["at"], taken, data)
        taken.add(at)
        if path and mine_too is None and not on_share(path) and not there(path, facts):
            lost.append(f"{path} is not there: the DVD drive at {at} is empty")
            dvds.append((dvd["at"], {"at": at}))
        else:
            dvds.append((dvd["at"], {**dvd, "at": at}))
        moves.append((dvd["at"], at))
    return Placed(tuple(disks), tuple(dvds), tuple(moves), tuple(lost), boot)


def _means(wanted: DiskPart, disk: Mapping[str, Any], path: str) -> bool:
    if disk.get("disk_number") is not None:
        return bool(wanted.disk_number == disk["disk_number"])
    return same_path(wanted.path, path) or any(same_path(old, path) for old in wanted.previous_paths)


def _free(at: str, taken: set[str], data: Mapping[str, Any]) -> str:
    if at.startswith("scsi") and at not in taken:
        return at
    ours = {d["at"] for section in ("disks", "dvds") for d in data.get(section, ()) if d["at"].startswith("scsi")}
    return next(s for n in range(64) if (s := f"scsi 0:{n}") not in taken | ours)


def becomes(
    vm: Machine, data: Mapping[str, Any], vm_id: str, facts: Facts
) -> tuple[Machine, tuple[Resource, ...], Placed]:
    """The VM and its parts: what the playbook says, joined with what was."""
    kinds, vm = _described.classes(), vm.as_desired
    own = {name: value for name, value in data.items() if name not in kinds}
    own = {**beyond_new(type(vm), own), "state": data["state"]}
    whole = joined(vm, type(vm).model_validate({**own, "generation": 2}))
    places = placed(vm, data, vm_id, facts)
    was: dict[str, list[Mapping[str, Any]]] = {
        section: [data[section]]
        for section in ("processor", "memory", "scsi_controllers", "integration_services")
        if section in data
    }
    was["network_adapters"] = [
        a for a in data.get("network_adapters", ()) if not _unlisted(vm, "network_adapters", a["name"])
    ]
    was["disks"] = [d for _, d in places.disks]
    was["dvds"] = [d for _, d in places.dvds]
    if "scsi_controllers" in was:
        beyond = [Slot.at(d["at"]).number + 1 for d in (*was["disks"], *was["dvds"])]
        was["scsi_controllers"] = [{"count": max(1, was["scsi_controllers"][0]["count"], *beyond)}]
    parts: list[tuple[Resource, frozenset[str]]] = []
    for section, items in was.items():
        for item in items:
            if more := beyond_new(kinds[section], item):
                parts.append(_part(vm, kinds[section].model_validate(more)))
    if places.boot and vm.boot_disk == "converted":
        parts.append(_part(vm, _described.firmware().model_validate({"boot_order": [places.boot]})))
    carried = [whole.model_fields_set - vm.model_fields_set, *(fields for _, fields in parts)]
    whole, *rest = _possible([whole, *(part for part, _ in parts)], carried, facts.os)
    return whole, tuple(rest), places


def _unlisted(vm: Machine, section: str, name: str) -> bool:
    named = {p.key().casefold() for p in vm.parts if p.section == section}
    return section in vm.exclusive and name.casefold() not in named


def _part(vm: Machine, was: Resource) -> tuple[Resource, frozenset[str]]:
    mine = next((p for p in vm.parts if (p.kind, p.key().casefold()) == (was.kind, was.key().casefold())), None)
    if mine is None:
        return was, frozenset(was.model_fields_set)
    more = frozenset() if mine.absent else frozenset(was.model_fields_set - mine.model_fields_set)
    return mine if mine.absent else joined(mine, was), more


def _possible(ones: list[Any], carried: list[Any], os: OS) -> list[Any]:
    """Without what was and what this version, generation 2 or the playbook's own values do not allow."""
    for _ in range(20):
        index = Index([Entry(ones[0], NOWHERE), *(Entry(one, NOWHERE, 0) for one in ones[1:])])
        wrong = {
            (one.seat, found.field.partition(".")[0])
            for one, found in broken_rules(tuple(index), os)
            if found.holds and found.field.partition(".")[0] in carried[one.seat]
        }
        if not wrong:
            return ones
        ones = [
            one.without([field for seat, field in wrong if seat == n]) if any(seat == n for seat, _ in wrong) else one
            for n, one in enumerate(ones)
        ]
        carried = [fields - {field for seat, field in wrong if seat == n} for n, fields in enumerate(carried)]
    return ones


def renewal(vm: Machine, facts: Facts) -> tuple[Renewal, Conversion] | None:
    """Of a VM that is to be converted, or whose conversion is under way."""
    row = vm_row(vm, facts)
    if due(vm, row) and row is not None:
        vm_id, data, made = str(row["Id"]), of_host(vm, row, facts), copies(row, facts)
        whole, parts, _ = becomes(vm, data, vm_id, facts)
        boot = boot_drive(row, facts) or {}
        lines = record_lines(vm_id, data, made, facts)
        running = power(row) == "Running"
        conversion = Conversion(vm_id, str(vm.boot_disk), str(boot.get("Path") or ""), made, lines, running)
        text = "\n".join(lines[4:-1]).encode()
        name = f"record of {vm.name}, as a playbook"
        told = Staged(hashlib.sha256(text).hexdigest(), len(text), name, content=text)
        return Renewal(whole, parts, without(vm_id, made, facts), "generation", told), conversion
    record = under_way(vm, facts) if asked(vm) else None
    if record is None:
        return None
    known = with_files(tuple(f for f in record.files if isinstance(vhd(str(f["Path"]), facts), Unknown)), facts)
    known = with_paths([str(dvd["path"]) for dvd in record.data.get("dvds", ()) if dvd.get("path")], known)
    whole, parts, _ = becomes(vm, record.data, record.vm_id, known)
    return Renewal(whole, parts, known), Conversion(record.vm_id, str(vm.boot_disk), removed=True)


def without(vm_id: str, made: tuple[Copy, ...], facts: Facts) -> Facts:
    """The host as it will be when the VM is gone and its disks are copied."""
    gone = vm_id.casefold()
    news = tuple(_copied(facts, made))
    facts = with_files(news, facts)

    def stays(call: Call, row: Row) -> bool:
        ids = ("Id", "VMId") if call.cmdlet == "Get-VM" else ("VMId",)
        return all(str(row.get(name) or "").casefold() != gone for name in ids)

    return _with(facts, lambda call, rows: tuple(row for row in rows if stays(call, row)))


def with_files(files: tuple[Row, ...], facts: Facts) -> Facts:
    """With virtual disks that are there, or will be."""
    paths = [str(file["Path"]) for file in files]

    def more(call: Call, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        own = files if call.cmdlet == "Get-VHD" else ()
        return (*rows, *({**file, EACH: file["Path"]} for file in own))

    return with_paths(paths, _with(facts, more)) if files else facts


def with_paths(paths: Sequence[str], facts: Facts) -> Facts:
    """With files that are there, or will be."""

    def more(call: Call, rows: tuple[Row, ...]) -> tuple[Row, ...]:
        if call.cmdlet != "Test-Path" or not call.each:
            return rows
        others = (r for r in rows if not any(same_path(str(r.get(EACH)), path) for path in paths))
        return (*others, *({EACH: path, "": True} for path in paths))

    return _with(facts, more) if paths else facts


def _with(facts: Facts, rows: Callable[[Call, tuple[Row, ...]], tuple[Row, ...]]) -> Facts:
    replies = {call: replace(reply, rows=rows(call, reply.rows)) for call, reply in facts.replies.items()}
    return replace(facts, replies=replies)


def _copied(facts: Facts, made: tuple[Copy, ...]) -> Iterator[Row]:
    for copy in made:
        if not isinstance(old := vhd(copy.old, facts), Unknown):
            told = {name: old.get(name) for name in (*FILE_PROPERTIES, "FileSize")}
            yield {**told, "Path": copy.new, "VhdFormat": "VHDX", "VhdType": copy.type, "ParentPath": None}


def part_of(copy: Copy) -> str:
    """The copy until it is whole."""
    return unfinished(copy.new)


def unseen(row: Row, facts: Facts) -> Iterator[str]:
    """Disks that could not be read, and of which no copy can be judged."""
    for drive in drives(row, facts):
        path = str(drive.get("Path") or "")
        if drive.get("DiskNumber") is None and path and isinstance(vhd(path, facts), Unknown) and not on_share(path):
            yield path


def lost_media(row: Row, facts: Facts) -> Iterator[str]:
    """Devices of generation 1 that generation 2 does not have, as far as something is in them (domain 5.1)."""
    for floppy in facts.of_key(FLOPPIES, "VMId", row["Id"]):
        if floppy.get("Path"):
            yield f"the floppy drive with {floppy['Path']}"
    for port in facts.of_key(PORTS, "VMId", row["Id"]):
        if port.get("Path"):
            yield f"{port['Name']}, connected to {port['Path']}"


def adapters(row: Row, facts: Facts) -> tuple[Row, ...]:
    return in_vm(VM_ADAPTERS, row, facts)


def legacy(row: Row, facts: Facts) -> tuple[str, ...]:
    return tuple(str(r["Name"]) for r in adapters(row, facts) if r["IsLegacy"])


def snapshots(row: Row, facts: Facts) -> bool:
    found = facts.of_key(SNAPSHOTS, "Id", row["Id"])
    return any(r.get("ParentSnapshotId") for r in found)
