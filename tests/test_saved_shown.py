"""`hvctl show`: a saved plan reads as it did when it was made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.cli import main
from hvctl.cli.showing import FORMATS
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.test_show import HOST, PLAYBOOK

PASSWORD = "tests-only-7"
INVENTORY = "all: {children: {lab: {hosts: {hv01.tokyo: {ansible_user: a, ansible_password: !env P}}}}}"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("P", PASSWORD)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    Path("inventory.yml").write_text(INVENTORY)
    Path("lab.yml").write_text(PLAYBOOK, encoding="utf-8")

    def hvctl(*words: str, host: str = "") -> tuple[int, str, str]:
        served = SimulatedHost.from_yaml({**yaml.safe_load(host or HOST), "os": "2022"})
        status = main(list(words), lambda connection, wire: TwinTransport(served))
        out, err = capsys.readouterr()
        return status, out, err

    return hvctl


def nobody(*_: object) -> Any:
    raise AssertionError("a host was asked")


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["show", *words], nobody)
    out, err = capsys.readouterr()
    return status, out, err


def test_it_is_what_plan_printed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    _, said, _ = run("plan", "lab.yml", "--allow", "restart", "--out", "lab.plan")
    Path("lab.yml").unlink()
    Path("inventory.yml").unlink()
    status, out, _ = shown(capsys, "lab.plan")
    head, _, rest = out.partition("\n")
    assert (status, rest) == (0, said)
    assert head.startswith("Plan file lab.plan, made ") and head.endswith("; it allows restart:")


def test_the_difference_too(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    _, said, _ = run("plan", "lab.yml", "--diff", "--out", "lab.plan")
    assert shown(capsys, "lab.plan", "--format", "diff")[1].partition("\n")[2] == said


@pytest.mark.parametrize("form", [f for f in FORMATS if f not in ("text", "diff")])
def test_every_format_of_the_reports(form: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", "lab.yml", "--allow", "restart", "--out", "lab.plan", "--report", f"{form}=first")[0] == 0
    first = Path("first").read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    status, out, _ = shown(capsys, "lab.plan", "--format", form)
    assert status == 0
    if form == "json":
        before, now = json.loads(first), json.loads(out)
        for host in (*before["hosts"], *now["hosts"]):
            del host["requests"]
        assert now["hosts"] == before["hosts"]
        assert (now["verb"], now["playbooks"]) == ("plan", ["lab.plan"])
    else:
        calls = [line for line in first.splitlines() if "Set-VMProcessor" in line]
        assert calls or form == "junit"
        assert set(calls) <= set(out.splitlines())
    status, out, err = shown(capsys, "lab.plan", "--report", f"{form}=again")
    assert status == 0 and "Report written: again" in err and out.startswith("Plan file lab.plan")
    assert Path("again").stat().st_size > 500


def test_what_is_shown_are_the_steps_that_apply_compares(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever changes the file cannot show one thing and have another compared."""
    run("plan", "lab.yml", "--allow", "restart", "--out", "lab.plan")
    data = json.loads(Path("lab.plan").read_text(encoding="utf-8"))
    step = next(s for s in data["hosts"][0]["steps"] if s["call"]["$call"]["cmdlet"] == "Set-VMProcessor")
    step["call"]["$call"]["params"]["Count"] = 17
    Path("lab.plan").write_text(json.dumps(data))
    assert "-Count 17" in shown(capsys, "lab.plan", "--format", "powershell")[1]
    status, out, _ = run("apply", "lab.plan", "-y")
    assert status & 2 and "refused" in out
    del data["hosts"][0]["steps"][0]
    Path("lab.plan").write_text(json.dumps(data))
    status, _, err = shown(capsys, "lab.plan")
    assert status == 1 and "hosts[0].shown: " in err and "steps are described" in err


def test_a_file_of_before_says_what_to_do(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("plan", "lab.yml", "--out", "lab.plan")
    data = json.loads(Path("lab.plan").read_text(encoding="utf-8"))
    del data["hosts"][0]["shown"]
    Path("lab.plan").write_text(json.dumps(data))
    status, _, err = shown(capsys, "lab.plan")
    assert status == 1 and "nothing to show; make the plan again with hvctl plan --out" in err.replace("\n", " ")


@pytest.mark.parametrize("wrong", [7, {}, {"os": "2003"}, [], {"os": "2022", "info": {}, "actions": 1}])
def test_a_damaged_one_is_told_at_its_place(wrong: Any, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("plan", "lab.yml", "--out", "lab.plan")
    data = json.loads(Path("lab.plan").read_text(encoding="utf-8"))
    data["hosts"][0]["shown"] = wrong
    Path("lab.plan").write_text(json.dumps(data))
    status, _, err = shown(capsys, "lab.plan")
    assert status == 1 and "lab.plan: hosts[0].shown: " in err and "the plan file is damaged" in err.replace("\n", " ")


def test_what_is_no_plan_file_and_what_is_no_format(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "lab.yml is not a plan file" in shown(capsys, "lab.yml")[2]
    assert "nothing.json is not a plan file" in shown(capsys, "nothing.json")[2]
    run("plan", "lab.yml", "--out", "lab.plan")
    status, _, err = shown(capsys, "lab.plan", "--format", "htm")
    assert status == 1 and "--format htm: no such format; did you mean 'html'?" in err


def test_a_password_that_a_host_repeats_is_masked_in_what_is_shown(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be in no plan file before: what the host has is now kept for people."""
    host = HOST.replace("name: keep", f"name: keep, notes: 'the password is {PASSWORD}'", 1)
    Path("lab.yml").write_text("- hosts: all\n  vms:\n    - {name: keep, notes: other}\n")
    assert run("plan", "lab.yml", "--out", "lab.plan", host=host)[0] == 0
    assert PASSWORD not in Path("lab.plan").read_text(encoding="utf-8")
    assert "the password is ***" in shown(capsys, "lab.plan")[1]
