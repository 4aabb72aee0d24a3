"""Plays as users write them, and every way they get them wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hvctl.config.playbook import read_playbook, wishes
from hvctl.config.salvage import Made
from hvctl.core.rules import validate
from hvctl.text.diagnostic import ConfigError
from tests.harness import wished


def problems_of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "p.yml"
    file.write_text(text, encoding="utf-8")
    try:
        plays, problems = read_playbook(file)
        problems += wishes(plays, {"x": 1})[1] if not problems else []
    except ConfigError as error:
        problems = list(error.problems)
    return "\n".join(str(p) for p in problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1", "a playbook is a list of plays"),
        ("all: {hosts: {hv01: }}\nold:", "an inventory and not a playbook; give it with -i"),
        ("- 5", "a play is a mapping"),
        ("- vms: []", "hosts is a pattern"),
        ("- hosts: {}", "hosts is a pattern"),
        ("- {hosts: all, vmz: []}", "unknown key 'vmz' in a play; did you mean 'vms'?"),
        ("- {hosts: all, allow: [restrat]}", "'restrat' is nothing that can be allowed; did you mean 'restart'?"),
        ("- {hosts: all, allow: 5}", "allow is a list of words"),
        ("- {hosts: all, vars: 5}", "vars is a mapping"),
        ("- {hosts: all, vars_files: [none.yml]}", "none.yml cannot be read"),
        ("- {hosts: all, vars_files: [p.yml]}", "p.yml is no mapping of variables"),
        ("- {hosts: all, vms: {}}", "vms is a list"),
        ("- {hosts: all, vms: [5]}", "vm is a mapping"),
        ("- {hosts: all, host: []}", "host is a mapping"),
        ("- {hosts: all, vms: [{}]}", "vm needs 'name'"),
        ("- {hosts: all, vms: [{name: 5}]}", "name is a text, not 5"),
        ("- {hosts: all, vms: [{name: a, processor: {count: many}}]}", "count is a whole number, not 'many'"),
        ("- {hosts: all, vms: [{name: a, processor: {count: 1.5}}]}", "count is a whole number"),
        ("- {hosts: all, vms: [{name: a, processor: {count: 0}}]}", "count: 0 is too small; at least 1"),
        ("- {hosts: all, vms: [{name: a, processor: {reserve: 200}}]}", "reserve: 200 is too large; at most 100"),
        ("- {hosts: all, vms: [{name: a, resource_metering: 5}]}", "resource_metering is yes or no, not 5"),
        ("- {hosts: all, vms: [{name: a, notes: true}]}", "notes is a text, not true"),
        ("- {hosts: all, vms: [{name: a, exclusive: disks}]}", "exclusive is a list, not 'disks'"),
        ("- {hosts: all, vms: [{name: a, ensure: gone}]}", "ensure: 'gone' is not 'present' or 'absent'"),
        ("- {hosts: all, vms: [{name: a, memory: {startup: 2gigs}}]}", "'2gigs' is no size"),
        ("- {hosts: all, vms: [{name: a, memory: {startup: 3MB}}]}", "is no multiple of 2 MB"),
        ("- {hosts: all, vms: [{name: a, memory: {startup: [1]}}]}", "size is a number or a text such as 60GB"),
        ("- {hosts: all, vms: [{name: a, memory: {startup: -1}}]}", "size cannot be negative"),
        ("- {hosts: all, vms: [{name: a, memory: {dynamic: {minimun: 1GB}}}]}", "did you mean 'minimum'?"),
        ("- {hosts: all, vms: [{name: a, path: VMs}]}", "'VMs' is not an absolute Windows path"),
        ("- {hosts: all, vms: [{name: a, path: 'D:/VMs'}]}", "is not an absolute Windows path"),
        ("- {hosts: all, vms: [{name: a, path: 'D:\\VMs|x'}]}", "has a character that no Windows path can have"),
        ("- {hosts: all, host: {mac_address_minimum: xyz}}", "'xyz' is no MAC address"),
        ("- {hosts: all, host: {resource_metering_save_interval: 2 weeks}}", "'2 weeks' is not a span of time"),
        ("- {hosts: all, vms: [{name: a, stop_timeout: 2s}]}", "stop_timeout: '2s' is too small; at least 10 s"),
        ("- {hosts: all, vms: [{name: a}, {name: A}]}", "vm A is wanted twice"),
        ("- {hosts: all, vms: [{name: '{{ y }}'}]}", "'y' is undefined"),
        ("- {hosts: all, vms: [{name: a, network_adapters: [{name: a, mac: x}]}]}", "did you mean 'mac_address'?"),
        ("- {hosts: all, vms: [{name: a, firmware: {boot_order: [cd]}}]}", "'cd' is nothing to boot from"),
        ("- {hosts: all, vms: [{name: a, bios: {boot_order: [cd]}}]}", "a boot order names all four devices"),
        ("- {hosts: all, vms: [{name: a, firmware: {boot_order: [scsi 0:0, SCSI 0:0]}}]}", "an entry stands twice"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    found = problems_of(tmp_path, text)
    assert said in found
    assert "p.yml:1:" in found or "none.yml" in found


def test_a_right_play_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "vars.yml").write_text("size: 60GB\n", encoding="utf-8")
    text = """
- name: all of it
  hosts: [lab, '!hv03']
  tags: one, two
  allow: restart
  vars_files: [vars.yml]
  vms:
    - {name: a, resource_metering: on, stop_timeout: 2m, memory: {startup: 1.5GB},
       disks: [{at: scsi 0:0, path: 'D:\\a.vhdx', size: '{{ size }}'}]}
"""
    assert problems_of(tmp_path, text) == ""
    ((play,), _) = read_playbook(tmp_path / "p.yml")
    assert (play.name, play.hosts, play.tags) == ("all of it", "lab,!hv03", ("one", "two"))
    assert set(play.allow) == {"restart"}
    found, _ = wishes([play], {})
    assert [w.address().words for w in found] == [("vm", "a"), ("disk", "a", "scsi 0:0"), ("memory", "a")]


def test_what_is_written_alike_for_two_hosts_is_made_once_and_nothing_else(tmp_path: Path) -> None:
    """A number that an expression gives is another value for each of them, and true is not 1."""
    file = tmp_path / "p.yml"
    text = "- {hosts: all, vms: [{name: same}, {name: own, processor: {count: '{{ n }}'}, notes: 'of {{ n }}'}]}"
    file.write_text(text, encoding="utf-8")
    plays, _ = read_playbook(file)
    made = Made()
    (one, _), (other, _) = (wishes(plays, {"n": n}, made=made) for n in (2, 4))
    assert one.entries[0] is other.entries[0]
    assert [index[1].written()["notes"] for index in (one, other)] == ["of 2", "of 4"]
    assert [index[2].written()["count"] for index in (one, other)] == [2, 4]
    wrong = [wishes(plays, {"n": n}, made=made)[1] for n in (1, True)]
    assert [[str(p) for p in found if "count" in str(p)] != [] for found in wrong] == [False, True]


@pytest.mark.parametrize(
    ("wanted", "alone"),
    [
        ("[{name: a, processor: {count: 2}, disks: [{at: 'scsi 0:0', path: 'D:\\a.vhdx'}]}]", False),
        ("[{name: a, processor: {count: 2000}}]", False),
        ("[{name: a, processor: {count: '{{ n }}'}}]", True),
        ("[{name: '{{ item }}', loop: [a, b]}]", False),
        ("[{name: a, on_host: h2}]", True),
        ("[{name: a, guest_files: [{source: p.yml, destination: 'C:\\p.yml'}]}]", True),
    ],
    ids=["plain", "wrong", "an expression", "a loop", "on one host", "a file"],
)
def test_what_plays_without_expressions_want_is_made_once_for_all_of_their_hosts(
    wanted: str, alone: bool, tmp_path: Path
) -> None:
    file = tmp_path / "p.yml"
    file.write_text(f"- hosts: all\n  vms: {wanted}\n", encoding="utf-8")
    plays = [replace(play, members=("h1", "h2")) for play in read_playbook(file)[0]]
    made = Made()
    found = [wishes(plays, {"n": n}, host=host, made=made) for n, host in ((1, "h1"), (2, "h2"), (3, "h2"))]
    by_itself = [wishes(plays, {"n": n}, host=host) for n, host in ((1, "h1"), (2, "h2"), (3, "h2"))]
    assert [[one.model_dump() for one in index] for index, _ in found] == [
        [one.model_dump() for one in index] for index, _ in by_itself
    ]
    assert [problems for _, problems in found] == [problems for _, problems in by_itself]
    assert [index.host for index, _ in found] == ["h1", "h2", "h2"]
    assert (found[1][0].entries is found[0][0].entries) is not alone


def test_a_host_runs_so_many_vms_and_processors() -> None:
    def faults(count: int, processors: int) -> list[str]:
        vms = [f"- {{name: v{n}, state: running, processor: {{count: {processors}}}}}" for n in range(count)]
        found, problems = wished("- vms:\n    " + "\n    ".join(vms))
        assert problems == []
        return [f"{p.mark}: {p.message}" for p in validate(found, "2022")]

    assert faults(1024, 2) == []
    assert faults(1025, 1) == ["case.yml:1026:28: 1,025 VMs are to run; a host runs 1,024 at most"]
    assert faults(33, 64) == ["case.yml:34:26: with it 2,112 virtual processors are to run; a host runs 2,048 at most"]
