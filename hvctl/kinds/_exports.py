"""What lies in a folder of exports: those that hvctl made, told by its markers, and how far each has come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from hvctl.call import EACH, Call, Ref, Row
from hvctl.core.changes import HeldBackError
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._drives import file_query, folder_of, on_share, there, volume_of
from hvctl.kinds._host import instant
from hvctl.kinds._limits import version_at_least
from hvctl.kinds._types import path_key, same_path

FORMAT = 1
EXPORTING = "ExportingVirtualMachine"
BEGUN, DONE = "hvctl-export.json", "hvctl-export-done.json"
"""The markers in the dated folder of an export: before it begins, and after it has succeeded. When it began is when
the first was written, by the host's clock; a plan may be older than its apply."""


def folders_query(*paths: str) -> Call:
    return Call("Get-ChildItem", {"LiteralPath": paths, "Directory": True}, select=("FullName",), each="LiteralPath")


def markers_query(*paths: str) -> Call:
    """Of every folder right below these: what else is in a stranger's folder is not looked at."""
    return Call(
        "Get-ChildItem",
        {"LiteralPath": (Ref(folders_query(*paths), path="FullName", many=True),), "Filter": "hvctl-export*.json"},
        select=("FullName", "LastWriteTimeUtc"),
        each="LiteralPath",
    )


def contents_query(*paths: str) -> Call:
    marker = Ref(markers_query(*paths), path="FullName", many=True)
    return Call("Get-Content", {"LiteralPath": (marker,), "Raw": True}, select=("*",), each="LiteralPath")


def files_query(*paths: str) -> Call:
    """All files of the folders that hvctl made; those of an export that runs grow."""
    folder = Ref(markers_query(*paths), path="DirectoryName", many=True)
    return Call(
        "Get-ChildItem",
        {"LiteralPath": (folder,), "Recurse": True, "File": True},
        select=("FullName", "Length"),
        each="LiteralPath",
    )


AROUND = folders_query(*(f"{letter}:\\" for letter in "CDEFGHIJKLMNOPQRSTUVWXYZ"))
"""The folders right below the drives, of which some may be folders of exports."""
_SYSTEM = ("windows", "program files", "program files (x86)", "programdata", "users", "system volume information",
           "$recycle.bin", "perflogs", "recovery")  # fmt: skip


def around(facts: Facts) -> tuple[str, ...]:
    """Without those that belong to Windows."""
    found = (str(row["FullName"]) for row in facts.reply(AROUND).rows)
    return tuple(path for path in found if path.rpartition("\\")[2].casefold() not in _SYSTEM)


def paths_of(vm_id: str, facts: Facts) -> Iterator[str]:
    """Folders of exports that hvctl made of a VM, where they were looked for."""
    if not facts.asked(contents_query()):
        return
    seen: dict[str, str] = {}
    for row in facts.reply(contents_query()).rows:
        folder, _, name = str(row[EACH]).rpartition("\\")
        mine = str(_marker(str(row.get(""))).get("vm_id")).casefold() == vm_id.casefold()
        if name.casefold() == BEGUN and mine:
            seen.setdefault(path_key(folder_of(folder)), folder_of(folder))
    yield from seen.values()


def queries(path: str) -> tuple[Call, ...]:
    looked = tuple(dict.fromkeys(p for p in (folder_of(path), volume_of(path)) if p))
    reading = (folders_query(path), markers_query(path), contents_query(path), files_query(path))
    return (*reading, file_query(*looked))


@dataclass(frozen=True)
class Copy:
    """One export that hvctl began. `config`: its configuration file is there, which Hyper-V writes when it exports
    (domain 13: a folder alone proves nothing)."""

    folder: str
    vm: str
    began: datetime
    by: str
    done: bool
    config: bool
    size: int

    @property
    def name(self) -> str:
        return self.folder.rpartition("\\")[2]


@dataclass(frozen=True)
class Ledger:
    """The exports of a VM in a folder, each kind newest first. `running`: goes on now. `unmarked`: was finished when
    nobody watched any more. `half`: came to nothing."""

    finished: tuple[Copy, ...] = ()
    running: Copy | None = None
    unmarked: tuple[Copy, ...] = ()
    half: tuple[Copy, ...] = ()

    @property
    def newest(self) -> datetime | None:
        good = (*self.finished, *self.unmarked, *((self.running,) if self.running else ()))
        return max((c.began for c in good), default=None)


def ledger(path: str, vm: Row, facts: Facts) -> Ledger:
    """Raises UnreadableError or HeldBackError if the folder could not be read."""
    if not _listed(path, facts):
        return Ledger()
    found = sorted(_begun(path, str(vm["Id"]), facts), key=lambda c: (c.began, c.folder), reverse=True)
    running = next((c for c in found if not c.done), None) if exporting(vm) else None
    rest = [c for c in found if c is not running]
    return Ledger(
        tuple(c for c in rest if c.done and c.config),
        running,
        tuple(c for c in rest if c.config and not c.done),
        tuple(c for c in rest if not c.config),
    )


def newest_in(path: str, vm_id: str, facts: Facts) -> datetime | None:
    """When the newest export of a VM began that another host has; what is half counts for nothing. Raises UnreadableError or
    HeldBackError."""
    if not facts.asked(folders_query(path)) or not _listed(path, facts):
        return None
    return max((c.began for c in _begun(path, vm_id, facts) if c.config), default=None)


def exporting(vm: Row) -> bool:
    return EXPORTING in (vm.get("OperationalStatus[]") or ())


def _listed(path: str, facts: Facts) -> bool:
    failure = facts.reply(folders_query(path)).failure
    if failure is None:
        return True
    if failure.kind != "PathNotFound":
        raise UnreadableError(folders_query(path), failure)
    if on_share(path) and not there(folder_of(path), facts):
        raise HeldBackError(
            f"{path} could not be read over WinRM",
            "a share needs a login that may be passed on (CredSSP, or delegation); or export to a disk of the host",
            "path",
        )
    if (volume := volume_of(path)) and not there(volume, facts):
        raise HeldBackError(f"the host has no volume {volume}", "write a path on one that it has", "path")
    return False


def _begun(path: str, vm_id: str, facts: Facts) -> Iterator[Copy]:
    for row in facts.reply(contents_query()).rows:
        folder, _, name = str(row[EACH]).rpartition("\\")
        marker = _marker(str(row.get("")))
        if name.casefold() != BEGUN or str(marker.get("vm_id")).casefold() != vm_id.casefold():
            continue
        if not same_path(folder_of(folder), path):
            continue
        (written,) = facts.of_key(markers_query(), "FullName", row[EACH])
        files = facts.of_key(files_query(), EACH, folder)
        yield Copy(
            folder,
            str(marker.get("vm")),
            instant(written["LastWriteTimeUtc"]),
            str(marker.get("by")),
            bool(facts.of_key(markers_query(), "FullName", f"{folder}\\{DONE}")),
            any(_is_config(folder, r) for r in files),
            sum(int(r.get("Length") or 0) for r in files),
        )


@lru_cache(maxsize=4096)
def _marker(text: str) -> Mapping[str, Any]:
    """A file of that name that hvctl did not write makes its folder a stranger's."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) and data.get("hvctl_export") == FORMAT else {}


def _is_config(folder: str, file: Row) -> bool:
    parts = path_key(str(file["FullName"])).removeprefix(path_key(folder) + "\\").split("\\")
    return len(parts) == 3 and parts[1] == "virtual machines" and parts[2].rpartition(".")[2] in ("vmcx", "xml")


def config_suffix(vm: Row) -> str:
    """XML up to configuration version 5, also on later hosts (domain 1.1)."""
    return ".vmcx" if version_at_least(str(vm.get("Version") or "4.0"), "6.0") else ".xml"
