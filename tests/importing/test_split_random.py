"""Whatever hosts have: split into files they say of each host what its own playbook says."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvctl.config.inventory import Inventory
from hvctl.config.prepare import prepare
from hvctl.core.resource import Index
from hvctl.importing.look import Imported, play_text, read_back
from hvctl.importing.split import split_files
from hvctl.importing.taste import Body
from tests.test_convergence import Data, of, some

HOSTS = ("a1", "a2", "b1", "b2", "c")
GROUPS = {"a": ("a1", "a2"), "b": ("b1", "b2"), "odd": ("a1", "b1", "c"), "all": HOSTS}
count = itertools.count()


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    """What is written of a host, out of few values, so that hosts have much in common."""
    switches: list[Data] = [
        {"name": name, "type": draw(of("internal", "private")), "notes": draw(of("x", "y", "yes", "{{ z }}")),
         "minimum_bandwidth_mode": "weight", **draw(some(default_flow_minimum_bandwidth_weight=of(5, 6)))}
        for name in draw(st.lists(of("lan", "社内", "LAN 2"), unique_by=str.casefold, max_size=3))
    ]  # fmt: skip
    host: Data = draw(
        some(
            virtual_machine_path=of(r"D:\VMs", r"E:\VMs"),
            virtual_hard_disk_path=of(r"D:\Disks"),
            enhanced_session_mode=of(True),
            live_migration=some(maximum=of(2, 4), performance=of("smb")),
        )
    )
    data: dict[str, Any] = {"host": host, "switches": switches, "vms": [{"name": draw(of("web", "db"))}]}
    comments: dict[Any, list[str]] = (
        {("switches", 0): ["something"]} if switches and draw(of(True, False, False)) else {}
    )
    return Body({key: value for key, value in data.items() if value}, comments)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(bodies(), min_size=len(HOSTS), max_size=len(HOSTS)))
def test_split_files_say_the_same(tmp_path: Path, drawn: list[Body]) -> None:
    folder = tmp_path / str(next(count))
    folder.mkdir()
    found = [Imported(host, "2022", body, (), ()) for host, body in zip(HOSTS, drawn, strict=True)]
    children = {g: {"hosts": dict.fromkeys(m)} for g, m in GROUPS.items() if g != "all"}
    (folder / "inventory.yml").write_text(
        yaml.safe_dump({"all": {"vars": {"ansible_user": "a", "ansible_password": "b"}, "children": children}}), "utf-8"
    )
    files = split_files(found, GROUPS)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    playbooks = [str(folder / name) for name in files if "/" not in name]
    inventory = Inventory.load(folder / "inventory.yml")
    work = prepare(inventory, playbooks, learn=lambda secret: None).work if playbooks else ()
    desired = {one.name: one.desired for one in work}
    for one in found:
        alone = read_back(play_text(one.host, one.body), one.host)
        assert said(desired.get(one.host, Index())) == said(alone), files
    assert all(
        text in "\n".join(files.values()) for body in drawn for texts in body.comments.values() for text in texts
    )


def said(index: Index) -> dict[str, Any]:
    return {str(one.address()): one.model_dump(exclude_unset=True) for one in index}
