"""hvctl schedule install --metering: the same timers, of another verb."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.metering.fleet import Fleet, host, settle, vm

Make = Callable[..., Fleet]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    settle(monkeypatch, tmp_path)
    monkeypatch.delenv("HVCTL_HISTORY")
    monkeypatch.setenv("HVCTL_NOTIFY", "json://example")
    (tmp_path / "lab.yml").write_text("- {hosts: all, vms: [{name: web01}]}", encoding="utf-8")
    return Fleet(tmp_path, capsys, host("hv01", vm("web01")))


def test_a_timer_reads_meters_under_a_name_of_its_own(fleet: Fleet) -> None:
    out = fleet.run(
        "schedule",
        "install",
        "lab.yml",
        "--metering",
        "--every",
        "1h",
        "--print",
        "--metrics",
        "m.prom",
        "--labels",
        "vm",
    )
    assert "hvctl-drift-lab-metering.timer" in out
    assert "Description=hvctl reading of meters: " in out
    (line,) = re.findall(r"^ExecStart=(.*)$", out, re.MULTILINE)
    words = shlex.split(line)
    at = words.index("metering")
    assert words[at:] == [
        "metering", "--exclusive", "lab-metering", "--metrics", str(fleet.folder / "m.prom"), "--labels", "vm",
        str(fleet.folder / "lab.yml"),
    ]  # fmt: skip
    assert "HVCTL_NOTIFY" not in fleet.err  # it has nobody to tell anything


def test_the_command_is_one_that_hvctl_runs(fleet: Fleet) -> None:
    out = fleet.run(
        "schedule", "install", "lab.yml", "--metering", "--every", "1h", "--splay", "1s", "--format", "cron"
    )
    assert out.startswith("# hvctl reading of meters lab-metering, every 1 h\n")
    words = shlex.split(out.splitlines()[1].partition(" && exec ")[2])
    at = words.index("metering")
    assert words[at : at + 3] == ["metering", "--splay", "1s"]
    first = words.index("-i")
    fleet.run(*words[first:at], "metering", *words[at + 3 :])
    assert [name for name, _ in fleet.batches] == ["hv01"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--metering", "--tags", "a"), "--tags is for drift checks, and --metering reads meters"),
        (("--metering", "--notify", "env:X"), "--notify is for drift checks, and --metering reads meters"),
        (("--metering", "--report", "html=a.html"), "--report is for drift checks, and --metering reads meters"),
        (("--metering", "--labels", "vm"), "--labels are those of metrics; say --metrics FILE too"),
        (("--metrics", "m.prom", "--labels", "vm"), "--labels are those of metering; say --metering too"),
    ],
)
def test_what_does_not_go_together_is_refused(fleet: Fleet, words: tuple[str, ...], says: str) -> None:
    fleet.run("schedule", "install", "lab.yml", "--every", "1h", "--print", *words, status=1)
    assert says in fleet.err
