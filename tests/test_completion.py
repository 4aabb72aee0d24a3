"""What a shell offers after Tab."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from hvctl import completion
from hvctl.monitor.schedule.units import PREFIX
from scripts.completion import COMPLETION
from scripts.completion import completion as made

INVENTORY = """\
all:
  vars: {ansible_user: a, ansible_password: !env P}
  children:
    lab: {hosts: {'hv[01:03].tokyo': {}, hv09: {ansible_password: !command [a, b]}}}
    osaka: {hosts: {hv20.osaka: }, children: {umeda: {hosts: {hv21.osaka: {}}}}}
"""
PLAYBOOK = """\
- hosts: lab
  tags: [web, 'b c']
  vms:
    - {name: web01, tags: edge}
    - {name: 'db{{ item }}', loop: [1], tags: [db, blue]}
    - {name: 仮想01}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HVCTL_INVENTORY", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "inventory.yml").write_text(INVENTORY)
    (tmp_path / "p.yml").write_text(PLAYBOOK, encoding="utf-8")
    return tmp_path


def words(line: str) -> list[str]:
    """Offered at the end of a line, in bash."""
    at = len(line.split()) - (0 if line.endswith(" ") else 1)
    text, status = completion.answer({"_HVCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(at)})
    assert status == 0
    return text.splitlines()


HOSTS = ["all", "lab", "hv01.tokyo", "hv02.tokyo", "hv03.tokyo", "hv09", "osaka", "hv20.osaka", "umeda", "hv21.osaka"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hvctl plan p.yml --limit ", HOSTS),
        ("hvctl plan p.yml -l hv2", ["hv20.osaka", "hv21.osaka"]),
        ("hvctl plan p.yml --limit lab:&os", ["lab:&osaka"]),
        ("hvctl plan p.yml --limit=um", ["--limit=umeda"]),
        ("hvctl facts hv09", ["hv09"]),
        ("hvctl doctor osa", ["osaka"]),
        ("hvctl plan p.yml --tags ", ["web", "b c", "edge", "db", "blue"]),
        ("hvctl drift p.yml -t e", ["edge"]),
        ("hvctl apply p.yml --vm ", ["web01", "仮想01"]),
        ("hvctl plan --allow ", ["disconnect", "restart", "move", "recreate", "destroy", "management"]),
        ("hvctl plan --allow restart,de", ["restart,destroy"]),
        ("hvctl plan --report ", ["html=", "junit=", "json=", "markdown=", "powershell="]),
        ("hvctl show x.plan --format m", ["markdown"]),
        ("hvctl schedule install p.yml --format ", ["systemd", "cron", "taskxml"]),
        ("hvctl schedule remove ", ["lab", "night"]),
        ("hvctl schema p", ["playbook", "prices"]),
        ("hvctl explain vms.disks.iops.", ["vms.disks.iops.minimum", "vms.disks.iops.maximum"]),
        ("hvctl sch", ["schema", "schedule"]),
        ("hvctl schedule ", ["install", "list", "remove"]),
        ("hvctl plan --dif", ["--diff"]),
        ("hvctl --verb", ["--verbose"]),
        ("hvctl -v -i inventory.yml plan --limit hv09", ["hv09"]),
        ("hvctl plan --limit 'hv09", ["hv09"]),
        ("hvctl plan p.yml --diff --limit hv09", ["hv09"]),
        ("hvctl plan ", []),  # files, which the shell knows
        ("hvctl plan --out ", []),
    ],
)
def test_it_offers(line: str, offered: list[str], folder: Path) -> None:
    timers = folder / "config" / "systemd" / "user"
    timers.mkdir(parents=True)
    for name in ("night", "lab"):
        (timers / f"{PREFIX}{name}.timer").touch()
    assert sorted(words(line)) == sorted(offered)


def test_inventories_that_are_named_and_of_every_sort(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "other.ini").write_text("[web]\nw[1:2] ansible_port=5985\n# no\n[web:vars]\nx=1\n[all:children]\nweb\n")
    assert words("hvctl -i other.ini plan --limit ") == ["web", "w1", "w2", "all"]
    assert words("hvctl --inventory=other.ini plan --limit w2") == ["w2"]
    (folder / "many").mkdir()
    (folder / "many" / "a.yml").write_text("a: {hosts: {one: }}")
    (folder / "many" / "b").write_text("[b]\ntwo\n")
    monkeypatch.setenv("HVCTL_INVENTORY", "many")
    assert words("hvctl plan --limit ") == ["a", "one", "b", "two"]


@pytest.mark.parametrize("text", ["a: [", "- 1", "5", "", "a: &a {b: *a}", "\x00", "all: {hosts: {'h[1:99999999]': }}"])
def test_what_cannot_be_read_offers_little_and_says_nothing(text: str, folder: Path) -> None:
    (folder / "inventory.yml").write_text(text)
    (folder / "p.yml").write_text(text)
    assert len(words("hvctl plan p.yml --limit ")) < 1000
    assert words("hvctl plan p.yml --tags ") == []


def test_the_other_shells_take_it_in_their_ways() -> None:
    def asked(shell: str, line: str, **more: str) -> tuple[str, int]:
        return completion.answer({"_HVCTL_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line, **more})

    assert asked("zsh", "hvctl sche")[0].startswith('_arguments \'*: :(("schedule":"Drift')
    assert asked("zsh", "hvctl plan ")[0] == "_files"
    assert asked("fish", "hvctl plan --limit hv09", _TYPER_COMPLETE_FISH_ACTION="get-args") == ("hv09", 0)
    assert asked("fish", "hvctl plan ", _TYPER_COMPLETE_FISH_ACTION="is-args") == ("", 1)
    assert asked("powershell", "hvctl plan --allow ", _TYPER_COMPLETE_WORD_TO_COMPLETE="re")[0].startswith("restart:::")


def test_only_a_shell_that_asks_is_answered() -> None:
    assert completion.asked({"_HVCTL_COMPLETE": "complete_zsh"})
    for other in ("", "source_bash", "complete_csh", "complete"):
        assert not completion.asked({"_HVCTL_COMPLETE": other})


def test_the_table_is_that_of_the_command_line() -> None:
    assert COMPLETION.read_text(encoding="utf-8") == made(), "run make docs"


def test_it_takes_less_than_three_tenths_of_a_second() -> None:
    """Of the processor, at best of three: others may be at work on this machine."""
    line = {"_HVCTL_COMPLETE": "complete_bash", "COMP_WORDS": "hvctl plan p.yml --limit hv09", "COMP_CWORD": "4"}
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "hvctl"], env={**os.environ, **line}, capture_output=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.stdout.split() == [b"hv09"]
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 0.3, times
