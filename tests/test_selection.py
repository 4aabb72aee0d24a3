"""--vm and --tags: parts of what is desired; all of it must still be right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.cli import main
from hvctl.config.playbook import read_playbook, wishes
from hvctl.config.selection import named, narrowed, tagged
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

INVENTORY = "all: {vars: {ansible_user: a, ansible_password: !env P}, hosts: {hv01: {}, hv02: {}}}"
PLAYBOOK = """\
- name: Web
  hosts: hv01
  tags: [play]
  host: {maximum_storage_migrations: 3}
  switches:
    - {name: lan, type: private, notes: of the play}
  vms:
    - {name: web01, tags: [blue, edge], processor: {weight: 200}}
    - {name: web02, tags: green, notes: second}
    - {name: 'db{{ number }}', previous_names: [old-db], notes: third}
  vars: {number: 1}
- name: Other
  hosts: hv02
  vms:
    - {name: app01, tags: [blue], notes: fourth}
"""
VMS: list[dict[str, Any]] = [
    {"name": n, "generation": 2, "drives": [], "adapters": []} for n in ("web01", "web02", "db1", "app01")
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("P", "tests-only")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    Path("inventory.yml").write_text(INVENTORY)
    Path("p.yml").write_text(PLAYBOOK)
    hosts: dict[str, SimulatedHost] = {}

    def serve(connection: Any, wire: Any) -> TwinTransport:
        hosts.setdefault(connection.name, SimulatedHost.from_yaml({"os": "2022", "vms": [dict(v) for v in VMS]}))
        return TwinTransport(hosts[connection.name])

    def hvctl(*words: str) -> tuple[int, str, str]:
        status = main(list(words), serve)
        out, err = capsys.readouterr()
        return status, out, err

    hvctl.hosts = hosts  # type: ignore[attr-defined]
    return hvctl


def changed(out: str) -> list[str]:
    """The headlines of what is to be done."""
    return re.findall(r"^  [~+✗-] (.*?)(?:   .*)?$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), ["host", "switch lan", "processor web01", "vm web02", "vm db1", "vm app01"]),
        (("--vm", "web01"), ["processor web01"]),
        (("--vm", "WEB*"), ["processor web01", "vm web02"]),
        (("--vm", "web02,app01"), ["vm web02", "vm app01"]),
        (("--vm", "web0?", "--vm", "db1"), ["processor web01", "vm web02", "vm db1"]),
        (("--vm", "old-db"), ["vm db1"]),
        (("--tags", "play"), ["host", "switch lan", "processor web01", "vm web02", "vm db1"]),
        (("--tags", "blue"), ["processor web01", "vm app01"]),
        (("--tags", "green", "--tags", "edge"), ["processor web01", "vm web02"]),
        (("--tags", "blue", "--vm", "web*"), ["processor web01"]),
        (("--tags", "blue", "--limit", "hv02"), ["vm app01"]),
        (
            ("--tags", "play", "--tags", "blue"),
            ["host", "switch lan", "processor web01", "vm web02", "vm db1", "vm app01"],
        ),
    ],
)
def test_only_what_is_meant_is_planned(words: tuple[str, ...], wanted: list[str], run: Run) -> None:
    status, out, err = run("plan", "p.yml", *words)
    assert (status, changed(out)) == (0, wanted), out + err


def test_hosts_without_such_a_vm_are_not_asked(run: Run) -> None:
    run("plan", "p.yml", "--vm", "app01")
    assert list(run.hosts) == ["hv02"]  # type: ignore[attr-defined]


def test_an_apply_does_no_more(run: Run) -> None:
    status, _, _ = run("apply", "p.yml", "--vm", "web02", "-y", "--no-history")
    assert status == 0
    host = run.hosts["hv01"]  # type: ignore[attr-defined]
    assert [v.notes for v in host.state.vms] == ["", "second", "", ""]
    assert {c.cmdlet for c in host.log if not c.cmdlet.startswith("Get-")} == {"Set-VM"}


def test_a_drift_check_of_some_vms_ends_nothing_that_others_have(run: Run) -> None:
    assert run("drift", "p.yml", "--history", "h.db")[0] == 2
    assert run("drift", "p.yml", "--vm", "web02", "--history", "h.db")[0] == 2
    out = run("history", "--history", "h.db")[1]
    assert "app01" in out and " gone" not in out.replace("0 gone", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vm", "wbe01"), "--vm wbe01: no VM of these playbooks and hosts is called so; did you mean 'web01'?"),
        (
            ("--vm", "zzz", "--limit", "hv02"),
            "--vm zzz: no VM of these playbooks and hosts is called so; declared are app01",
        ),
        (("--vm", ""), "--vm is empty; leave it out, or name VMs"),
    ],
)
def test_a_name_that_nothing_has_is_an_error(words: tuple[str, ...], said: str, run: Run) -> None:
    status, _, err = run("plan", "p.yml", *words)
    assert (status, said in err.replace("\n", " ")) == (1, True), err


def test_a_tag_that_nothing_has_is_a_warning_that_suggests_one(run: Run) -> None:
    assert (
        "--tags bleu: no play and no VM has this tag; did you mean 'blue'?" in run("plan", "p.yml", "--tags", "bleu")[2]
    )


def test_what_is_wrong_elsewhere_is_told_all_the_same(run: Run) -> None:
    Path("p.yml").write_text(PLAYBOOK.replace("notes: second", "note: second"))
    status, _, err = run("plan", "p.yml", "--vm", "web01")
    assert status == 1 and "unknown key 'note' in vm" in err


def test_with_tags_the_rest_of_another_play_is_not_looked_at(run: Run) -> None:
    Path("p.yml").write_text(PLAYBOOK.replace("notes: third", "notes: '{{ not_there }}'"))
    assert run("plan", "p.yml", "--tags", "blue")[0] == 0
    assert run("plan", "p.yml", "--tags", "play")[0] == 1


def test_places_stay_those_of_the_file(run: Run) -> None:
    assert "p.yml:15:42" in run("plan", "p.yml", "--tags", "blue")[1]
    assert "p.yml:9:41" in run("plan", "p.yml", "--tags", "green")[1]


def test_a_saved_plan_takes_neither(run: Run) -> None:
    run("plan", "p.yml", "--vm", "web02", "--out", "x.plan")
    assert run("apply", "x.plan", "-y", "--vm", "web02")[0] == 1
    assert run("apply", "x.plan", "-y", "--no-history")[0] == 0


def test_a_schedule_keeps_them(run: Run) -> None:
    out = run("schedule", "install", "p.yml", "--every", "1h", "--format", "cron", "--vm", "web*", "--tags", "blue")[1]
    assert "--vm 'web*'" in out or '--vm "web*"' in out or r"--vm web\*" in out, out


def test_a_part_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    file.write_text(PLAYBOOK)
    plays, problems = read_playbook(file)
    found, faults = wishes(plays[:1], {})
    assert problems == faults == []
    alone = named(found, ["web01"])
    assert [(one.kind, one.owner.key() if one.owner else "") for one in alone] == [("vm", ""), ("processor", "web01")]
    body = yaml.safe_load(PLAYBOOK)[0]
    assert tagged(body, ["green"]) == {1}
    assert narrowed(body, frozenset({1}))["vms"][0] is None


@pytest.mark.parametrize("words", [("--vm", "web02"), ("--tags", "green"), ("--vm", "*")])
def test_what_others_have_is_no_surplus_of_a_part(words: tuple[str, ...], run: Run) -> None:
    """With the whole playbook the VM app01 of hv01 is one too many; a part says nothing of that."""
    Path("p.yml").write_text(PLAYBOOK.replace("  tags: [play]\n", "  tags: [play]\n  exclusive: [vms]\n"))
    assert "app01" in run("plan", "p.yml", "--limit", "hv01")[1]
    out = run("plan", "p.yml", "--limit", "hv01", *words)[1]
    assert "vm web02" in out and "app01" not in out
