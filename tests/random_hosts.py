"""Hosts as somebody may have left them: VMs, switches and adapters, two of one name, roles, replicas, chains of disks."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from hvctl.contract import VERSIONS
from tests.test_convergence import Data, flags, of, some, vms
from tests.test_convergence_network import hosts as network_hosts

ODD_NAMES = ("yes", "123", "1.5", "null", "~", "a: b", "# one", "仮想 マシン", "全角：コロン", "ｗｅｂ０１", "- x", "{{ x }}",
             "o'ne", "a, b", "[x]", "0x1F", "2026-01-02", "1_000", "&a", "!x", "%d", "@x", "`x`", "12:30:45")  # fmt: skip


@st.composite
def drives(draw: st.DrawFn, vm: Data) -> tuple[list[Data], Data]:
    """The drives of a VM, and their files: some made from a parent, some at a checkpoint."""
    name = vm["name"]
    found: list[Data] = []
    files: Data = {}
    for drive in vm["drives"]:
        if drive.get("dvd"):
            found.append({**drive, **draw(some(path=of(r"D:\iso\a.iso")))})
            continue
        path = rf"D:\VMs\{name}\os.vhdx"
        file: Data = draw(some(size=of("100GB", "127GB"), type=of("Dynamic", "Fixed"), in_use_elsewhere=flags))
        if draw(st.integers(0, 3)) == 0:
            file = {"type": "Differencing", "parent": r"D:\images\a.vhdx"}
        files[path] = file
        found.append({**drive, "path": path, **draw(some(minimum_iops=of(0, 100), maximum_iops=of(0, 500)))})
    return found, files


@st.composite
def machines(draw: st.DrawFn) -> Data:
    """A host with VMs of all sorts."""
    os = draw(st.sampled_from(VERSIONS))
    names = draw(st.lists(of("web01", "web02", *ODD_NAMES), max_size=3, unique=True))
    found: list[Data] = []
    files: Data = {}
    for name in names:
        vm = draw(vms(name, os))
        vm["name"] = name
        vm["drives"], own = draw(drives(vm))
        files |= own
        found.append({**vm, **draw(some(notes=of("", "メモ", "a\nb\n", "yes", " #", "x: y")))})
    if found and draw(st.integers(0, 3)) == 0:
        found.append({"name": found[0]["name"].upper(), "generation": 1, "drives": [], "adapters": []})
    return {
        "os": os,
        "resource_pools": ["gold"],
        "volumes": {"C": {}, "D": {"clustered": True}},
        "folders": [r"D:\VMs"],
        "files": {r"D:\iso\a.iso": "4GB"},
        "switches": [{"name": "lan"}],
        "vhds": {r"D:\images\a.vhdx": {"size": "127GB"}, **files},
        "vms": found,
    }


def networks() -> st.SearchStrategy[Data]:
    return st.sampled_from(VERSIONS).flatmap(network_hosts)


def any_host() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(machines(), networks())
