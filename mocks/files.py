"""Paths on the simulated host: files, folders, virtual disk files, and what holds them open."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from mocks.machine import Drive, Vm
from mocks.state import Content, HostState, Storage, Vhd, Volume


@lru_cache(maxsize=65_536)
def key(path: str) -> str:
    """Windows paths compare without case; slashes and a closing separator do not count."""
    return path.replace("/", "\\").rstrip("\\. ").lower()


def parent(path: str) -> str:
    return path.replace("/", "\\").rstrip("\\").rpartition("\\")[0]


def same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and key(one) == key(other)


def vhd(state: HostState, path: str | None) -> Vhd | None:
    if path is None:
        return None
    wanted = key(path)
    return next((v for v in state.vhds if key(v.path) == wanted), None)


def is_file(state: HostState, path: str) -> bool:
    return vhd(state, path) is not None or any(same(f, path) for f in state.files)


def is_folder(state: HostState, path: str) -> bool:
    wanted = key(path)
    if any(wanted == f"{letter.lower()}:" for letter in state.volumes):
        return True
    if any(key(f) == wanted for f in state.folders):
        return True
    return any(key(f).startswith(wanted + "\\") for f in everything(state))


def exists(state: HostState, path: str) -> bool:
    return bool(path) and (is_file(state, path) or is_folder(state, path))


def everything(state: HostState) -> Iterator[str]:
    yield from state.folders
    yield from state.files
    yield from (v.path for v in state.vhds)


def spelled(state: HostState, path: str) -> str:
    """A path as the host has it."""
    return next((f for f in everything(state) if same(f, path)), path.replace("/", "\\").rstrip("\\"))


def inside(state: HostState, folder: str) -> tuple[list[str], list[str]]:
    """The folders and the files right below a folder, each by name."""
    start = key(folder) + "\\"
    folders: dict[str, str] = {}
    found: dict[str, str] = {}
    for path in everything(state):
        if not key(path).startswith(start):
            continue
        name, _, below = path.replace("/", "\\").rstrip("\\")[len(start) :].partition("\\")
        whole = path.replace("/", "\\")[: len(start)] + name
        if below or not is_file(state, whole):
            folders.setdefault(key(whole), whole)
        else:
            found[key(whole)] = whole
    return sorted(folders.values(), key=str.lower), sorted(found.values(), key=str.lower)


def content(state: HostState, path: str) -> Content | None:
    return next((c for p, c in state.contents.items() if same(p, path)), None)


def write(state: HostState, path: str, content: Content, size: int) -> bool:
    """Make or replace a file; false when the volume has no room for it."""
    path = spelled(state, path)
    if not take(state, path, size - state.files.get(path, 0)):
        return False
    state.files[path], state.contents[path] = size, content
    return True


def sha256(state: HostState, path: str) -> str:
    """Of a file whose bytes nobody gave, one that follows from its name and size."""
    known = content(state, path)
    if known is not None and known.text is not None:
        return hashlib.sha256(known.text.encode()).hexdigest()
    if known is not None and known.sha256:
        return known.sha256.lower()
    disk = vhd(state, path)
    size = disk.file_size if disk else state.files.get(spelled(state, path))
    return hashlib.sha256(f"{key(path)}:{size}".encode()).hexdigest()


def holder(state: HostState, path: str) -> Vm | None:
    """The running VM that has the file open, itself or through a chain."""
    standing = _standing(state, path)
    for vm in _running(state, path):
        if any(d.path and key(d.path) in standing for d in vm.drives or ()):
            return vm
    return None


def _standing(state: HostState, path: str) -> set[str]:
    """The file and all that stand on it, by their keys."""
    found = {key(path)}
    parents: dict[str, str] = {}
    for disk in state.vhds:
        if disk.parent:
            parents.setdefault(key(disk.path), key(disk.parent))
    while more := {disk for disk, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _running(state: HostState, path: str) -> Iterator[Vm]:
    """VMs of this host, and of those that see the same file, that may have it open."""
    shared = [s for s in state.storage if within(path, s.path)]
    seeing = (other for other in state.beside if any(s in other.storage for s in shared))
    for one in (state, *seeing):
        yield from (vm for vm in one.vms if vm.state in ("Running", "Paused"))


def writer(state: HostState, path: str) -> Vm | None:
    """The running VM that writes to the file; one that stands on it only reads it."""
    return next((vm for vm in _running(state, path) if any(same(d.path, path) for d in vm.disks)), None)


def held(state: HostState, path: str | None) -> bool:
    """Whether the file or one below it is mounted, or open in another program."""
    chain = (vhd(state, member) for member in chain_paths(state, path))
    return any(disk is not None and (disk.mounted_as is not None or disk.in_use_elsewhere) for disk in chain)


def opened(state: HostState, path: str) -> bool:
    """Whether a disk that is mounted, or open in another program, is the file or stands on it."""
    return any(
        same(member, path)
        for disk in state.vhds
        if disk.mounted_as is not None or disk.in_use_elsewhere
        for member in chain_paths(state, disk.path)
    )


def clashes(state: HostState, vm: Vm, drive: Drive) -> bool:
    """Whether a drive of the VM, running, would share its file with another one, of which one writes: the file
    itself, or one below either. Many may stand on one file that nobody writes to."""
    mine = [*chain_paths(state, drive.path)]
    others = [d.path for d in vm.disks if d.at != drive.at]
    others += [d.path for v in _running(state, drive.path or "") if v is not vm for d in v.disks]
    return any(
        any(same(other, member) for member in mine)
        or any(same(drive.path, member) for member in chain_paths(state, other))
        for other in others
    )


def owners(state: HostState, path: str) -> list[Vm]:
    return [vm for vm in state.vms if any(same(d.path, path) for d in vm.drives or ())]


def chain_paths(state: HostState, path: str | None) -> Iterator[str]:
    """From a file down to its base."""
    seen: set[str] = set()
    while path and key(path) not in seen:
        seen.add(key(path))
        yield path
        disk = vhd(state, path)
        path = disk.parent if disk else None


def children(state: HostState, path: str) -> list[Vhd]:
    return [v for v in state.vhds if same(v.parent, path)]


def on_cluster(state: HostState, path: str) -> bool:
    """A share, a cluster shared volume, or a cluster disk."""
    volume = next((v for letter, v in state.volumes.items() if path.lower().startswith(f"{letter.lower()}:")), None)
    shared = path.startswith("\\\\") or key(path).startswith("c:\\clusterstorage\\")
    return shared or (volume is not None and volume.clustered)


def within(path: str, folder: str) -> bool:
    """Whether it is the folder, or below it."""
    return f"{key(path)}\\".startswith(f"{key(folder)}\\")


def volume_of(state: HostState, path: str) -> Volume | Storage | None:
    """What a path's room is taken from; of a share that no host of the estate has, nothing is known."""
    shared = next((s for s in state.storage if within(path, s.path)), None)
    local = (v for letter, v in state.volumes.items() if path.lower().startswith(f"{letter.lower()}:"))
    return shared or next(local, None)


def make_folder(state: HostState, path: str) -> None:
    if not is_folder(state, path):
        state.folders.append(path.rstrip("\\"))


def take(state: HostState, path: str, size: int) -> bool:
    """Use (or give back) room on the path's volume; false when there is not enough."""
    volume = volume_of(state, path)
    if volume is None:
        return True
    if size > volume.free:
        return False
    volume.free -= size
    return True


def forget(state: HostState, path: str) -> None:
    gone = vhd(state, path)
    if gone is not None:
        state.vhds.remove(gone)
        take(state, gone.path, -(gone.file_size or 0))
    for name in [f for f in state.files if same(f, path)]:
        take(state, name, -state.files.pop(name))
        state.contents.pop(name, None)
