"""`loop` on an item of a list: one resource for each value, and errors at the place of the loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hvctl.config.playbook import read_playbook, wishes
from hvctl.config.selection import named
from hvctl.core.resource import Index
from hvctl.reference.schema import playbook_schema
from hvctl.text.diagnostic import Diagnostic
from tests.reference.editor import complaints, read

TEXT = """\
- hosts: all
  vars: {first: 1, sizes: {small: 2GB, big: 8GB}}
  vms:
    - name: 'web{{ item }}'
      loop: '{{ range(first, 4) }}'
      notes: 'number {{ item }} of {{ first }}'
      processor: {count: '{{ item * 2 }}'}
      disks:
        - {at: 'scsi 0:{{ item }}', path: 'D:\\VMs\\web\\{{ item }}-{{ inventory_hostname }}.vhdx', loop: [0, 1]}
        - {at: scsi 0:9}
    - {name: '{{ item.key }}01', loop: '{{ sizes | dict2items }}', memory: {startup: '{{ item.value }}'}}
    - {name: last}
"""


def desired(tmp_path: Path, text: str = TEXT) -> tuple[Index, list[Diagnostic]]:
    file = tmp_path / "p.yml"
    file.write_text(text, encoding="utf-8")
    plays, problems = read_playbook(file)
    found, more = wishes(plays, {"inventory_hostname": "hv01"})
    return found, [*problems, *more]


def test_every_value_makes_one_with_all_that_is_within_it(tmp_path: Path) -> None:
    found, problems = desired(tmp_path)
    assert problems == []
    vms = {one.key(): one for one in found if one.kind == "vm"}
    assert list(vms) == ["web1", "web2", "web3", "small01", "big01", "last"]
    assert [vars(vms[n])["notes"] for n in ("web1", "web3")] == ["number 1 of 1", "number 3 of 1"]
    parts = {n: [(p.kind, p.model_dump(exclude_unset=True)) for p in one.parts] for n, one in vms.items()}
    assert ("processor", {"count": 6}) in parts["web3"]
    assert [p.get("path") for kind, p in parts["web3"] if kind == "disk"] == [
        r"D:\VMs\web\0-hv01.vhdx",
        r"D:\VMs\web\1-hv01.vhdx",
        None,
    ]
    assert parts["big01"] == [("memory", {"startup": 8 * 1024**3})]


def test_places_are_those_of_the_item(tmp_path: Path) -> None:
    found, _ = desired(tmp_path)
    assert {one.place.mark("name").line for one in found if one.key().startswith("web")} == {4}
    assert next(one for one in found if one.key() == "last").place.mark().line == 12
    assert next(one for one in found if one.key() == "scsi 0:9").place.mark().line == 10


@pytest.mark.parametrize(
    ("items", "said", "line"),
    [
        ("{name: 'a{{ item }}', loop: '{{ missing }}'}", "missing", 4),
        ("{name: 'a{{ item }}', loop: 5}", "loop is not a list", 4),
        ("{name: 'a{{ item }}', loop: one}", "loop is not a list", 4),
        ("{name: 'a{{ item }}', loop: '{{ 5 }}'}", "loop is an expression that gives no list", 4),
        ("{name: same, loop: [1, 2]}", "the loop makes vm same twice", 4),
        (
            "{name: 'a{{ item }}', loop: [1, 2], disks: [{at: scsi 0:0, loop: [1, 2]}]}",
            "the loop makes disk a1, scsi 0:0 twice",
            4,
        ),
        ("{name: 'a{{ item }}', loop: [1], processor: {count: 1, loop: [1]}}", "unknown key 'loop' in processor", 4),
        ("{name: 'a{{ item }}', loop: [1], note: x}", "unknown key 'note' in vm", 4),
        ("{name: 'a{{ items }}', loop: [1]}", "items", 4),
        ("{name: 'a{{ item }}', lop: [1]}", "item", 4),
    ],
)
def test_what_is_wrong_is_told_at_its_place(items: str, said: str, line: int, tmp_path: Path) -> None:
    _, problems = desired(tmp_path, f"- hosts: all\n  vms:\n    - {{name: first}}\n    - {items}\n")
    assert any(said in p.message for p in problems), problems
    assert {p.mark.line for p in problems if p.mark} == {line}


def test_no_value_makes_none(tmp_path: Path) -> None:
    found, problems = desired(tmp_path, "- hosts: all\n  vms: [{name: 'a{{ item }}', loop: []}, {name: b}]\n")
    assert problems == [] and [one.key() for one in found] == ["b"]


def test_a_variable_called_item_is_still_one_outside_of_loops(tmp_path: Path) -> None:
    text = "- hosts: all\n  vars: {item: mine}\n  vms: [{name: 'a{{ item }}', loop: [1]}, {name: '{{ item }}'}]\n"
    assert [one.key() for one in desired(tmp_path, text)[0]] == ["a1", "mine"]


def test_one_of_a_loop_can_be_chosen_by_its_name(tmp_path: Path) -> None:
    alone = named(desired(tmp_path)[0], ["web2"])
    assert [one.key() for one in alone if one.kind == "vm"] == ["web2"]


def test_the_schema_knows_it() -> None:
    data: Any = read(TEXT)
    assert complaints(playbook_schema(), data) == []
    data[0]["vms"][0]["loop"] = 5
    assert complaints(playbook_schema(), data)


def test_switches_too(tmp_path: Path) -> None:
    text = "- hosts: all\n  switches: [{name: 'net{{ item }}', type: private, loop: [a, b]}]\n"
    assert [one.key() for one in desired(tmp_path, text)[0]] == ["neta", "netb"]
