"""One VM in several plays: put together key by key; what contradicts is an error with both places."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.cli import main
from hvctl.config.playbook import read_playbook, wishes
from hvctl.core.resource import Index
from hvctl.text.diagnostic import Diagnostic
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport


def desired(tmp_path: Path, *bodies: Any, allow: tuple[tuple[str, ...], ...] = ()) -> tuple[Index, list[Diagnostic]]:
    """Of a playbook with a play for each body."""
    allowed = itertools.chain(allow, itertools.repeat(()))
    plays = [{"hosts": "all", "allow": list(words), **body} for body, words in zip(bodies, allowed, strict=False)]
    file = tmp_path / "p.yml"
    file.write_text(yaml.safe_dump(plays, sort_keys=False))
    found, problems = read_playbook(file)
    index, more = wishes(found, {})
    return index, [*problems, *more]


def vm(**fields: Any) -> dict[str, Any]:
    return {"vms": [{"name": "web01", **fields}]}


def written(index: Index) -> dict[str, Any]:
    """All that is written of everything, by its address."""
    return {str(one.address()): one.model_dump(exclude_unset=True) for one in index}


def test_fields_sections_and_lists_of_several_plays_are_one_vm(tmp_path: Path) -> None:
    base = vm(notes="a", processor={"count": 4}, memory={"startup": "4GB", "dynamic": {"minimum": "1GB"}},
              disks=[{"at": "scsi 0:0", "size": "40GB"}], network_adapters=[{"name": "lan", "switch": "lan"}])  # fmt: skip
    more = vm(state="running", processor={"weight": 200}, memory={"dynamic": {"maximum": "8GB"}},
              disks=[{"at": "scsi 0:0", "iops": {"maximum": 2000}}, {"at": "scsi 0:1", "size": "10GB"}],
              network_adapters=[{"name": "LAN", "vlan": {"access": 20}}])  # fmt: skip
    whole = vm(notes="a", state="running", processor={"count": 4, "weight": 200},
               memory={"startup": "4GB", "dynamic": {"minimum": "1GB", "maximum": "8GB"}},
               disks=[{"at": "scsi 0:0", "size": "40GB", "iops": {"maximum": 2000}}, {"at": "scsi 0:1", "size": "10GB"}],
               network_adapters=[{"name": "lan", "switch": "lan", "vlan": {"access": 20}}])  # fmt: skip
    expected, nothing = desired(tmp_path, whole)
    found, problems = desired(tmp_path, base, more)
    assert (problems, nothing) == ([], [])

    def plain(index: Index) -> dict[str, Any]:
        return {key.casefold(): {n: v for n, v in data.items() if n != "name"} for key, data in written(index).items()}

    assert plain(found) == plain(expected)
    for one in found:
        assert (one.owner is None) == (one.kind == "vm")
        assert one.owner is None or one.owner.key() == "web01"


def test_the_role_of_a_vm_of_a_cluster_too(tmp_path: Path) -> None:
    def role(**fields: Any) -> dict[str, Any]:
        return {"cluster": vm(role=fields)}

    found, problems = desired(tmp_path, role(priority="high"), role(preferred_owners=["hv21"]))
    assert problems == []
    assert written(found)["role web01"] == {"priority": "high", "preferred_owners": ["hv21"]}


def test_three_plays_in_any_order_give_the_same(tmp_path: Path) -> None:
    bodies = (vm(notes="a"), vm(processor={"count": 2}), vm(processor={"weight": 50}, state="off"))
    results = [written(desired(tmp_path, *order)[0]) for order in itertools.permutations(bodies)]
    assert all(one == results[0] for one in results)
    assert results[0]["processor web01"] == {"count": 2, "weight": 50}


def test_switches_and_the_host_too(tmp_path: Path) -> None:
    found, problems = desired(
        tmp_path,
        {"host": {"numa_spanning": True}, "switches": [{"name": "lan", "type": "private"}]},
        {"host": {"live_migration": {"maximum": 2}}, "switches": [{"name": "lan", "notes": "x"}]},
    )
    assert problems == []
    assert written(found) == {
        "host": {"numa_spanning": True, "live_migration": {"maximum": 2}},
        "switch lan": {"name": "lan", "type": "private", "notes": "x"},
    }


def test_the_same_value_twice_is_no_contradiction_however_it_is_written(tmp_path: Path) -> None:
    found, problems = desired(tmp_path, vm(memory={"startup": "2GB"}), vm(memory={"startup": 2 * 1024**3}))
    assert problems == [] and written(found)["memory web01"] == {"startup": 2 * 1024**3}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"notes": "a"}, {"notes": "b"}, "vm web01: notes is 'b' here and 'a' in another play"),
        ({"notes": "a"}, {"notes": None}, "vm web01: notes is none here and 'a' in another play"),
        ({"processor": {"count": 4}}, {"processor": {"count": 8}}, "processor web01: count is 8 here and 4 in another play"),
        ({"memory": {"dynamic": {"maximum": "8GB"}}}, {"memory": {"dynamic": {"maximum": "4GB"}}},
         "memory web01: dynamic.maximum is 4 GB here and 8 GB in another play"),
        ({"memory": {"dynamic": False}}, {"memory": {"dynamic": {"maximum": "4GB"}}}, "memory web01: dynamic is "),
        ({"disks": [{"at": "scsi 0:0", "size": "40GB"}]}, {"disks": [{"at": "scsi 0:0", "size": "50GB"}]},
         "disk web01, scsi 0:0: size is 50 GB here and 40 GB in another play"),
        ({"ensure": "absent"}, {"notes": "a"}, "vm web01: is to be present here and absent in another play"),
        ({"network_adapters": [{"name": "lan", "vlan": {"access": 20}}]},
         {"network_adapters": [{"name": "lan", "vlan": {"trunk": "1-5"}}]}, "cannot be put together"),
        ({"exclusive": ["disks"]}, {"exclusive": ["dvds"]}, "vm web01: exclusive is "),
        ({"exclusive": ["disks"], "disks": [{"at": "scsi 0:0"}]}, {"disks": [{"at": "scsi 0:1"}]},
         "vm web01: disks are listed here, and another play says that its list is exclusive"),
        ({"disks": [{"at": "scsi 0:0"}]}, {"exclusive": ["disks"], "disks": [{"at": "scsi 0:1"}]},
         "vm web01: disks are listed here, and another play says that its list is exclusive"),
    ],
)  # fmt: skip
def test_a_contradiction_is_told_with_both_places(one: Any, other: Any, said: str, tmp_path: Path) -> None:
    _, problems = desired(tmp_path, vm(**one), vm(**other))
    assert len(problems) == 1, problems
    found = problems[0]
    assert found.message.startswith(said) or said in found.message, found.message
    assert found.mark is not None
    there = re.search(r"p\.yml:(\d+):\d+", found.hint)
    assert there and int(there[1]) != found.mark.line
    lines = (tmp_path / "p.yml").read_text().splitlines()
    second = next(n for n, line in enumerate(lines, 1) if n > 1 and line.startswith("- hosts"))
    assert min(found.mark.line, int(there[1])) < second <= max(found.mark.line, int(there[1]))


def test_exclusive_in_both_plays_is_one_list(tmp_path: Path) -> None:
    one = vm(exclusive=["disks"], disks=[{"at": "scsi 0:0"}])
    found, problems = desired(tmp_path, one, vm(exclusive=["disks"], disks=[{"at": "scsi 0:1"}]))
    assert problems == [] and [p.key() for p in found[0].parts] == ["scsi 0:0", "scsi 0:1"]


def test_within_one_play_a_second_entry_stays_an_error(tmp_path: Path) -> None:
    both = {"vms": [{"name": "web01", "notes": "a"}, {"name": "WEB01", "state": "off"}]}
    _, problems = desired(tmp_path, both, vm(processor={"count": 2}))
    assert [p.message for p in problems] == ["vm WEB01 is wanted twice"]


def test_what_one_of_the_plays_does_not_allow_is_not_allowed(tmp_path: Path) -> None:
    found, _ = desired(
        tmp_path, vm(notes="a", processor={"count": 2}), vm(state="off"), allow=(("restart", "destroy"), ("restart",))
    )
    allow = {one.kind: one.place.allow for one in found}
    assert allow == {"vm": {"restart"}, "processor": {"restart", "destroy"}}


def test_every_field_keeps_its_place(tmp_path: Path) -> None:
    found, _ = desired(tmp_path, vm(notes="a", processor={"count": 2}), vm(state="off", processor={"weight": 5}))
    lines = (tmp_path / "p.yml").read_text().splitlines()
    for one, field in ((found[0], "notes"), (found[0], "state"), (found[1], "count"), (found[1], "weight")):
        assert f"{field}:" in lines[one.place.mark(field).line - 1]


def test_a_template_that_both_plays_make_differently(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("same {{ x }}")
    file = {"template": "a.j2", "destination": "/etc/a"}
    one = {"vars": {"x": 1}, **vm(guest_files=[file])}
    assert desired(tmp_path, one, one)[1] == []
    _, problems = desired(tmp_path, one, {"vars": {"x": 2}, **vm(guest_files=[file])})
    assert ["is made of a file, which another play has otherwise" in p.message for p in problems] == [True]


# --- as a user has it ----------------------------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]
BASE = "- hosts: all\n  tags: [base]\n  vms:\n    - {name: web01, notes: base, processor: {weight: 50}}\n"
SITE = "- hosts: hv01\n  tags: [site]\n  vms:\n    - {name: web01, processor: {reserve: 10}}\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("P", "tests-only")
    monkeypatch.setenv("COLUMNS", "160")
    Path("inventory.yml").write_text(
        "all: {vars: {ansible_user: a, ansible_password: !env P}, hosts: {hv01: {}, hv02: {}}}"
    )
    Path("base.yml").write_text(BASE)
    Path("site.yml").write_text(SITE)
    hosts: dict[str, SimulatedHost] = {}

    def serve(connection: Any, wire: Any) -> TwinTransport:
        web = {"name": "web01", "generation": 2, "drives": [], "adapters": []}
        return TwinTransport(hosts.setdefault(connection.name, SimulatedHost.from_yaml({"os": "2022", "vms": [web]})))

    def hvctl(*words: str) -> tuple[int, str, str]:
        status = main(list(words), serve)
        out, err = capsys.readouterr()
        return status, out, err

    hvctl.hosts = hosts  # type: ignore[attr-defined]
    return hvctl


def test_two_playbooks_are_layers_of_one_vm(run: Run) -> None:
    status, out, _ = run("plan", "base.yml", "site.yml", "--limit", "hv01")
    assert status == 0
    assert "base.yml:4:28" in out and "base.yml:4:54" in out and "site.yml:4:42" in out
    assert run("apply", "base.yml", "site.yml", "-y", "--no-history")[0] == 0
    first, second = (run.hosts[n].state.vms[0] for n in ("hv01", "hv02"))  # type: ignore[attr-defined]
    assert (first.notes, first.processor.relative_weight, first.processor.reserve) == ("base", 50, 10)
    assert (second.notes, second.processor.relative_weight, second.processor.reserve) == ("base", 50, 0)


def test_tags_select_before_anything_is_put_together(run: Run) -> None:
    out = run("plan", "base.yml", "site.yml", "--limit", "hv01", "--tags", "site")[1]
    assert "reserve" in out and "weight" not in out
    Path("site.yml").write_text(SITE.replace("reserve: 10", "weight: 60"))
    status, _, err = run("plan", "base.yml", "site.yml", "--limit", "hv01")
    assert status == 1 and "site.yml:4:41: processor web01: weight is 60 here and 50 in another play" in err
    assert "the other is at base.yml:4:54" in err.replace("\n", " ")
    assert run("plan", "base.yml", "site.yml", "--limit", "hv01", "--tags", "site")[0] == 0


def test_a_saved_plan_holds_the_layers_together(run: Run) -> None:
    assert run("plan", "base.yml", "site.yml", "--out", "x.plan")[0] == 0
    assert run("apply", "x.plan", "-y", "--no-history")[0] == 0
    assert run("plan", "base.yml", "site.yml", "--detailed-exitcode")[0] == 0


def test_known_drift_of_several_plays_is_all_of_it(tmp_path: Path) -> None:
    accept = {"until": "2099-01-31", "reason": "moved by hand"}
    one = vm(notes="a", accept={**accept, "fields": ["notes"]})
    found, problems = desired(tmp_path, one, vm(state="off", accept={**accept, "fields": ["state"]}))
    assert problems == []
    assert [field for field in ("notes", "state", "generation") if found[0].acceptance(field)] == ["notes", "state"]


def test_an_exclusive_list_of_a_play_covers_what_all_plays_list(tmp_path: Path) -> None:
    found, problems = desired(
        tmp_path, {"exclusive": ["vms"], **vm(notes="a")}, {"exclusive": ["vms"], **vm(state="off")}
    )
    assert problems == []
    assert [str(one.address()) for one in found if one.owner is None] == ["exclusive vms", "vm web01"]
    _, problems = desired(
        tmp_path, {"exclusive": [{"list": "vms", "keep": ["a*"]}]}, {"exclusive": [{"list": "vms", "keep": ["b*"]}]}
    )
    assert len(problems) == 1 and problems[0].message.startswith("exclusive vms: keep is ")
