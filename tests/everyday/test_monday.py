"""A fleet's Monday morning: 100 hosts, 7 drifted, 2 away; what an administrator reads then."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from hvctl.call import Batch, Reply, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.core.outcome import Outcome
from hvctl.fleet.connect import Wire
from hvctl.fleet.showing import Showing
from hvctl.redaction.redact import Redactor
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

NAMES = [f"hv{n:03}" for n in range(1, 101)]
VM = {"name": "web01", "generation": 2, "state": "Running", "drives": [], "adapters": [],
      "processor": {"relative_weight": 200}, "notes": "kept"}  # fmt: skip
OTHER = {**VM, "name": "web 02", "processor": {"relative_weight": 100}, "notes": ""}
PLAYBOOK = """
- hosts: all
  vms:
    - {name: web01, notes: kept, processor: {weight: 200}}
    - {name: web 02}
- hosts: hv100
  vms:
    - {name: web 02, notes: x, accept: {until: 2026-12-31, reason: its owner is away}}
"""
DRIFTED = {"hv007": 1, "hv021": 1, "hv060": 1, "hv061": 3, "hv070": 3, "hv082": 5, "hv099": 5}
"""By host, the day on which it was changed by hand."""
AWAY = {"hv050": 1, "hv090": 3}
BEGUN = datetime(2026, 3, 2, 6, tzinfo=UTC)


class Away:
    """No answer."""

    requests = 0

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, batch: Batch, on_event: object = None) -> list[Reply]:
        raise TransportError(f"connection refused by {self.name}.example:5986 (5 tries in 8 s)", hint="is it on?")

    def info(self) -> object:
        raise AssertionError

    def close(self) -> None:
        return


@dataclass
class Fleet:
    folder: Path
    capsys: pytest.CaptureFixture[str]
    now: datetime = BEGUN
    away: set[str] = field(default_factory=set)
    hosts: dict[str, SimulatedHost] = field(default_factory=dict)
    err: str = ""

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        name = connection.name
        return Away(name) if name in self.away else TwinTransport(self.hosts[name])  # type: ignore[return-value]

    def run(self, *words: str) -> tuple[int, str]:
        status = main(["-f", "8", *words], self.connect, lambda: self.now)
        out, self.err = self.capsys.readouterr()
        return status, out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fleet")
    hosts = "\n".join(f"    {name}:" for name in NAMES)
    text = f"all:\n  vars: {{ansible_user: a, ansible_password: !env HVCTL_TEST_PASSWORD}}\n  hosts:\n{hosts}\n"
    (made / "inventory.yml").write_text(text, encoding="utf-8")
    return made


@pytest.fixture
def fleet(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "s3cret-in-tests")
    monkeypatch.setenv("HVCTL_HISTORY", "history.db")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "110")
    playbook = PLAYBOOK.replace("    - {name: web 02}\n", "")
    (folder / "site.yml").write_text(playbook, encoding="utf-8")
    made = Fleet(folder, capsys)
    made.hosts = {name: SimulatedHost.from_yaml({"os": "2022", "name": name, "vms": [VM, OTHER]}) for name in NAMES}
    return made


def week(fleet: Fleet) -> None:
    """From Monday to Friday."""
    fleet.run("drift", "site.yml")
    for day in (1, 3, 5):
        fleet.now = BEGUN + timedelta(days=day)
        for name in (n for n, when in DRIFTED.items() if when == day):
            fleet.hosts[name].invoke("Set-VMProcessor", {"VMName": "web01", "RelativeWeight": 100})
            fleet.hosts[name].invoke("Set-VM", {"Name": "web01", "Notes": f"by hand on {name}"})
        fleet.away |= {n for n, when in AWAY.items() if when == day}
        if day < 5:
            fleet.run("drift", "site.yml")
    fleet.now += timedelta(days=2)


def test_a_monday_morning(fleet: Fleet) -> None:
    week(fleet)
    reports = "html=r.html,markdown=r.md,json=r.json"
    status, out = fleet.run("drift", "site.yml", "--report", reports)
    assert status == 6
    lines = out.splitlines()

    # Text: what is not in sync, the worst first, the oldest first; then all of them at a glance.
    told = [line.split()[0] for line in lines if re.match(r"hv\d", line)]
    order = ["hv050", "hv090", "hv007", "hv021", "hv060", "hv061", "hv070", "hv082", "hv099"]
    assert told == order
    assert len(lines) < 90
    glance = lines[-11:-2]
    assert [line.split()[1] for line in glance] == order
    assert re.match(r"unreachable  hv050  for 6 d +connection refused by hv050", glance[0])
    assert re.match(r"drifted +hv007  for 6 d +2 fields differ", glance[2])
    assert re.match(r"drifted +hv099  new +2 fields differ", glance[-1])
    assert lines[-1] == "100 hosts: 90 in sync, 7 drifted, 2 unreachable, 1 accepted.  14 differences: 14 drifted."
    assert "to change" not in out

    # With --all the rest too; what is the same on many is told once, with all their names.
    _, everything = fleet.run("drift", "site.yml", "--all")
    assert "\n90 hosts, the same on each  Windows Server 2022 (20348) " in everything
    assert set(re.findall(r"\bhv\d\d\d\b", everything)) == set(NAMES)

    # A plan of all of them lists what is to be done, too; in the order of the inventory.
    _, planned = fleet.run("plan", "site.yml", "--limit", "all:!hv050:!hv090")
    assert re.findall(r"^hv\d\d\d ", planned, re.MULTILINE) == [f"{n} " for n in (*sorted(DRIFTED), "hv100")]
    assert "90 hosts in sync are not listed; -v lists them" in planned
    _, verbose = fleet.run("-v", "plan", "site.yml", "--limit", "hv00*:hv01*:hv02*")
    assert len(re.findall(r"^hv\d\d\d ", verbose, re.MULTILINE)) == 29

    # JSON keeps the order of the inventory, for programs.
    assert [h["host"] for h in json.loads(Path("r.json").read_text(encoding="utf-8"))["hosts"]] == NAMES

    # Markdown and HTML: the same order, since when, and what is open.
    text = Path("r.md").read_text(encoding="utf-8")
    rows = [row.split(" | ") for row in text.splitlines() if re.match(r"\| hv\d", row)]
    assert [row[0].strip("| ") for row in rows[:9]] == order
    assert rows[0][1] == "unreachable, for 6 d" and rows[2][1] == "drifted, for 6 d"
    assert "**Open** (14)" in text
    assert "| for 6 d, since 2026-03-03 06:00 UTC, the host was changed | hv007 | vm web01 | notes |" in text
    page = Page(Path("r.html").read_text(encoding="utf-8"))
    assert [href for href in page.links if href.count("/") == 1 and href.startswith("#host/")][14:23] == [
        f"#host/{name}" for name in order
    ]
    assert "#host/hv007/processor/web01" in page.links and "host/hv007/processor/web01" in page.ids
    assert {link[1:] for link in page.links} <= page.ids | {"hosts"}

    # The history: what is open, by VM and by kind.
    status, out = fleet.run("history", "--open")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines() if re.match(r"hv\d", line)] == sorted([*order, "hv100"])
    assert "nothing differed" not in out


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"] or "")
        if "id" in found:
            self.ids.add(found["id"] or "")


def test_all_in_sync_is_one_line(fleet: Fleet) -> None:
    (fleet.folder / "site.yml").write_text("- hosts: all\n  vms:\n    - {name: web01, notes: kept}\n", encoding="utf-8")
    assert fleet.run("drift", "site.yml", "--no-history") == (0, "100 hosts: 100 in sync.\n")


def test_an_apply_of_many_tells_what_did_not_go_as_planned(fleet: Fleet) -> None:
    (fleet.folder / "site.yml").write_text("- hosts: all\n  vms:\n    - {name: web01, notes: new}\n", encoding="utf-8")
    wrong = ["hv012", "hv034", "hv056", "hv078"]
    for name in wrong:
        fleet.hosts[name].failures.add(failure("Set-VM:times=always"))
    apply = ("apply", "site.yml", "--auto-approve", "--no-history")
    status, out = fleet.run(*apply, "--limit", "hv0*:hv100", "--serial", "60", "--max-failures", "2")
    assert status == 6
    report = out[out.index("Plan: 100 to change") :].splitlines()
    at = next(
        n for n, line in enumerate(report) if line.startswith("3 hosts, the same on each  0 of 1 step done, 1 failed")
    )
    assert report[at + 1].split(", ") == [f"    {wrong[0]}", *wrong[1:3]]
    assert "57 hosts done and seen in sync are not listed; -v lists them" in report
    assert f"40 hosts not begun: {', '.join(NAMES[60:])}" in report
    assert report[-1] == "100 hosts: 57 done, in sync, 3 failed, 40 not begun."
    for name in NAMES[60:]:
        fleet.hosts[name].failures.add(failure("Set-VM:times=always"))
    report = fleet.run(*apply)[1].splitlines()
    at = next(n for n, line in enumerate(report) if line.startswith("43 hosts, the same on each  0 of 1 step done"))
    assert re.findall(r"hv\d+", " ".join(report[at + 1 : at + 5])) == [*wrong[:3], *NAMES[60:]]


def test_hosts_that_a_stop_came_before_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    out = Console(width=100)
    Showing(out, out, Redactor(), 0).plans([Outcome(name) for name in NAMES])
    assert capsys.readouterr().out.splitlines() == [
        "100 hosts not looked at: hvctl was stopped", "", "100 hosts: 100 not looked at."
    ]  # fmt: skip
