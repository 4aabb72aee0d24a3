"""What the commit ae02886 left on a host and on a control node is read, or refused by name with what to do. The files in
data/ae02886 are what that code wrote: an apply of the playbook there on a simulated host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from hvctl.call import Reply
from hvctl.cli import main
from hvctl.winrm.journal import Journal
from hvctl.winrm.leftovers import OpenShell, OpenShells
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

LEFT = Path(__file__).parent / "data" / "ae02886"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command line beside the playbook, for a host as it was left, less the files given by a piece of their path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    shutil.copy(LEFT / "playbook.yml", tmp_path / "p.yml")
    shutil.copy(LEFT / "plan.json", tmp_path / "plan.json")
    (tmp_path / "app.conf").write_text("port = 80\n", encoding="utf-8")
    (tmp_path / "inventory.yml").write_text("all: {hosts: {hv01: {ansible_user: a, ansible_password: tests-only}}}")

    def run(*words: str, without: str = "nothing of that name") -> tuple[int, str]:
        data = yaml.safe_load((LEFT / "host.yaml").read_text(encoding="utf-8"))
        for part in ("files", "contents"):
            data[part] = {path: value for path, value in data[part].items() if without not in path}
        host = SimulatedHost.from_yaml(data)
        status = main(list(words), lambda connection, wire: TwinTransport(host))
        out, err = capsys.readouterr()
        return status, out + err

    return run


def test_receipts_and_marks_of_exports_are_known(lab: Run) -> None:
    assert "1 host: 1 in sync." in lab("plan", "p.yml")[1]


@pytest.mark.parametrize(
    ("without", "said"), [("receipts", "no receipt"), ("hvctl-export", "export web01")], ids=["receipt", "mark"]
)
def test_it_is_these_files_that_are_read(lab: Run, without: str, said: str) -> None:
    found = lab("plan", "p.yml", without=without)[1]
    assert said in found and "Plan: 1 to change" in found, found


def test_its_plan_is_refused_with_what_to_do(lab: Run) -> None:
    status, said = lab("apply", "plan.json", "-y")
    assert status == 1
    assert "plan.json is a plan file of format 1, written by an older hvctl" in said
    assert "make the plan" in said


def test_its_journal_is_read_to_the_end() -> None:
    lines = (LEFT / "journal.jsonl").read_text(encoding="utf-8").splitlines()
    whole, broken_off = Journal.read(lines), Journal.read(lines[:-2])
    steps = [f"s{n}" for n in range(1, 9)]
    assert not whole.damaged
    assert whole.ended(steps) == dict.fromkeys(steps, Reply())
    assert (broken_off.over, broken_off.running) == (False, None)
    assert list(broken_off.ended(steps)) == steps[:-1]
    assert broken_off.not_begun(steps) == {"s8": Reply(skipped="not begun")}


def test_its_open_shells_are_taken_over(tmp_path: Path) -> None:
    """It knew of no process in them."""
    left = {"http://h:5985/wsman": [{"shell": "S1", "batch": "b-0001"}]}
    (tmp_path / "shells-4194305.json").write_text(json.dumps(left), encoding="utf-8")
    assert OpenShells(tmp_path).leftovers("http://h:5985/wsman") == [OpenShell("S1", "b-0001", "")]
