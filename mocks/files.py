"""Paths on the simulated host: files, folders, virtual disk files, and what holds them open."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from mocks.machine import Vm
from mocks.state import HostState, Vhd


@lru_cache(maxsize=4096)
def key(path: str) -> str:
    """Windows paths compare without case; slashes and a closing separator do not count."""
    return path.replace("/", "\\").rstrip("\\. ").lower()


def parent(path: str) -> str:
    return path.replace("/", "\\").rstrip("\\").rpartition("\\")[0]


def same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and key(one) == key(other)


def vhd(state: HostState, path: str | None) -> Vhd | None:
    return next((v for v in state.vhds if same(v.path, path)), None)


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


def holder(state: HostState, path: str) -> Vm | None:
    """The running VM that has the file open, itself or through a chain."""
    for vm in state.vms:
        if vm.state not in ("Running", "Paused"):
            continue
        for drive in vm.drives or ():
            if any(same(member, path) for member in chain_paths(state, drive.path)):
                return vm
    return None


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


def make_folder(state: HostState, path: str) -> None:
    if not is_folder(state, path):
        state.folders.append(path.rstrip("\\"))


def take(state: HostState, path: str, size: int) -> bool:
    """Use (or give back) room on the path's volume; false when there is not enough."""
    volume = next((v for letter, v in state.volumes.items() if path.lower().startswith(f"{letter.lower()}:")), None)
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
