"""Work at night: applies and exports by a schedule, within a window, alone, and up to so many changes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
import typer

from hvctl.call import Batch, Event, Reply, Transport
from hvctl.cli import main
from hvctl.cli.nightly import at_night
from hvctl.cli.options import Settings
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire, real_connect
from hvctl.monitor.schedule.lock import locked
from hvctl.show.screen import Screen
from hvctl.text.state import state_folder
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.schedule.test_install import Fake, written

INVENTORY = """
all:
  vars: {ansible_user: a, ansible_password: !env HVCTL_TEST_PASSWORD}
  hosts: {hv01: {hvctl_os: 2022}, hv02: {hvctl_os: 2022}}
"""
VM = {"name": "web01", "id": "11111111-1111-1111-1111-111111111111", "generation": 2, "state": "Running",
      "drives": [], "adapters": []}  # fmt: skip
PLAYBOOK = r"""
- hosts: all
  switches:
    - {name: lan, type: private}
  vms:
    - name: web01
      notes: kept
      processor: {count: 2, weight: 200}
"""
EXPORTS = r"""
- hosts: all
  switches:
    - {name: lan, type: private}
  vms:
    - name: web01
      notes: kept
      exports: [{path: 'E:\exports', every: 24h, keep: 2}]
"""


class Slow(TwinTransport):
    """A host whose changes take an hour."""

    clock: Night

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda e: None) -> list[Reply]:
        replies = super().run(batch, on_event)
        if batch.mode == "change":
            self.clock.now += timedelta(hours=1)
        else:
            self.clock.looked()
        return replies


class Night:
    """Two hosts, a folder and the time. `reading`: how long the look at both takes, which neither keeps the other from."""

    reading = timedelta(0)
    looks = 0

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.now = datetime(2026, 3, 1, 2, tzinfo=UTC)
        disk = {"path": r"E:\x.vhdx", "size": "1GB"}
        state = {"os": "2022", "vms": [VM], "vhds": [disk], "folders": [r"E:\exports"]}
        self.hosts = {name: SimulatedHost.from_yaml({**state, "name": name}) for name in ("hv01", "hv02")}
        self.folder, self._capsys = folder, capsys
        self._lock = Lock()
        (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
        (folder / "lab.yml").write_text(PLAYBOOK, encoding="utf-8")

    def looked(self) -> None:
        with self._lock:
            self.looks += 1
            if self.looks == len(self.hosts):
                self.now += self.reading

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        transport = Slow(self.hosts[connection.name])
        transport.clock = self
        return transport

    def hvctl(self, *words: str) -> tuple[int, str, str]:
        status = main(list(words), self.connect, lambda: self.now)
        out, err = self._capsys.readouterr()
        return status, out, err

    def weights(self) -> list[Any]:
        found = (h.invoke("Get-VMProcessor", {"VMName": "web01"}).objects[0] for h in self.hosts.values())
        return [one.properties["RelativeWeight"] for one in found]

    def touched(self) -> list[bool]:
        return [bool(h.invoke("Get-VMSwitch", {}).objects) for h in self.hosts.values()]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Night:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HVCTL_TEST_PASSWORD": "s3cret-in-tests",
        "NO_COLOR": "1",
        "COLUMNS": "160",
        "TZ": "UTC",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }.items():
        monkeypatch.setenv(name, value)
    return Night(tmp_path, capsys)


# --- a ceiling -----------------------------------------------------------------------------------------------------


def test_beyond_the_ceiling_nothing_at_all_is_done(lab: Night) -> None:
    status, out, err = lab.hvctl("apply", "lab.yml", "-y", "--at-most", "5")
    assert status == 2
    assert "4 to change" in out or "2 to change" in out  # the plan is shown all the same
    assert "Nothing was changed: 6 changes on 2 hosts are more than --at-most 5." in err
    assert lab.touched() == [False, False]
    status, out, _ = lab.hvctl("history")
    assert "6 open" in out or "open" in out  # and it is on record


def test_up_to_the_ceiling_all_is_done(lab: Night) -> None:
    status, _, err = lab.hvctl("apply", "lab.yml", "-y", "--at-most", "6")
    assert status == 2, err  # two processors need a restart, which nobody has allowed: no change of this apply
    assert (lab.touched(), lab.weights()) == ([True, True], [200, 200])
    assert lab.hvctl("apply", "lab.yml", "--check", "--at-most", "1")[0] == 0  # says what it would do


# --- a window ------------------------------------------------------------------------------------------------------


def test_outside_its_window_nothing_is_looked_at(lab: Night) -> None:
    lab.now = datetime(2026, 3, 1, 7, 12, tzinfo=UTC)
    status, out, err = lab.hvctl("apply", "lab.yml", "-y", "--window", "01:00-05:00")
    assert (status, out) == (75, "")
    assert "Left out: it is 07:12, and the window is 01:00-05:00. Nothing was looked at." in err
    assert lab.touched() == [False, False]


def test_what_is_not_begun_by_the_end_of_the_window_is_left(lab: Night) -> None:
    lab.now = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
    status, out, err = lab.hvctl("-f", "1", "apply", "lab.yml", "-y", "--window", "01:00-05:00")
    assert status & 2 and status < 70, err
    assert lab.touched() == [True, False]  # the first took an hour
    assert "The window is over: what is marked as not done was not begun." in err
    assert "Interrupted" not in out + err
    lab.now = datetime(2026, 3, 2, 1, tzinfo=UTC)
    lab.hvctl("apply", "lab.yml", "-y", "--window", "01:00-05:00")
    assert lab.touched() == [True, True]


def test_a_window_that_is_over_before_the_first_change_changes_nothing(lab: Night) -> None:
    lab.now = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
    lab.reading = timedelta(hours=1)
    status, _, err = lab.hvctl("apply", "lab.yml", "-y", "--window", "01:00-05:00")
    assert status == 2 and "The window is over: nothing was changed." in err
    assert lab.touched() == [False, False]


@pytest.mark.parametrize("given", ["01:00", "25:00-26:00", "05:00-05:00"])
def test_a_window_that_is_none_is_refused(lab: Night, given: str) -> None:
    status, _, err = lab.hvctl("apply", "lab.yml", "-y", "--window", given)
    assert status == 1 and "--window: " in err and lab.touched() == [False, False]


# --- alone ---------------------------------------------------------------------------------------------------------


class Waiting:
    """A clock on which a wait lets the other end."""

    def __init__(self, then: Callable[[], object]) -> None:
        self.slept: list[float] = []
        self.then = then

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 2, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.then()

    def chance(self) -> float:
        return 0.5


def test_a_change_waits_for_the_check_that_runs_and_gives_up_in_the_end(lab: Night) -> None:
    said = io.StringIO()
    settings = Settings(real_connect, lambda: lab.now, err=Screen(stderr=True))
    settings.err.file = said
    file = state_folder() / "locks" / "lab.lock"
    held = locked(file, lab.now)
    held.__enter__()
    clock = Waiting(lambda: held.__exit__(None, None, None) if len(clock.slept) == 3 else None)
    with at_night(settings, None, "lab", clock=clock):
        assert clock.slept == [2, 2, 2]
    clock = Waiting(lambda: None)
    with locked(file, lab.now), pytest.raises(typer.Exit) as left, at_night(settings, None, "lab", clock=clock):
        pass
    assert left.value.exit_code == 75
    assert re.search(r"Left out: lab is held by process \d+ .*, still after 10 min", said.getvalue())


# --- exports that are due ------------------------------------------------------------------------------------------


def test_export_due_makes_the_exports_of_a_playbook_and_nothing_else(lab: Night) -> None:
    (lab.folder / "lab.yml").write_text(EXPORTS, encoding="utf-8")
    status, out, err = lab.hvctl("export", "--due", "lab.yml", "-y")
    assert status == 0, out + err
    assert "switch" not in out and "notes" not in out and lab.touched() == [False, False]
    assert out.count("seen in sync") == 2
    status, out, _ = lab.hvctl("export", "--due", "lab.yml", "-y")
    assert status == 0 and "export web01" not in out  # none is due
    lab.hvctl("drift", "lab.yml")
    assert lab.hvctl("export", "--due", "lab.yml", "--to", r"E:\x")[0] == 1
    (lab.folder / "none.yml").write_text(PLAYBOOK, encoding="utf-8")
    status, _, err = lab.hvctl("export", "--due", "none.yml", "-y")
    assert status == 1 and "none.yml has no exports" in err


# --- schedules -----------------------------------------------------------------------------------------------------


@pytest.fixture
def systemctl(lab: Night, monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake(lab.folder / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE", str(fake.folder))
    return fake


APPLY = ("schedule", "install", "--apply", "--cron", "0 2 * * *", "--window", "01:00-05:00", "--at-most", "20",
         "--allow", "restart,disconnect")  # fmt: skip


def test_a_nightly_apply_has_its_consents_in_its_unit(lab: Night, systemctl: Fake) -> None:
    status, out, err = lab.hvctl(*APPLY, "lab.yml")
    assert status == 0, err
    assert "Installed: lab-apply, 0 2 * * *" in out
    service = written(lab)["hvctl-drift-lab-apply.service"]  # type: ignore[arg-type]
    command = next(line for line in service.splitlines() if line.startswith("ExecStart="))
    tail = " apply --exclusive lab --auto-approve --allow disconnect,restart --at-most 20 --window 01:00-05:00 "
    assert tail in command and command.endswith(f"{lab.folder}/lab.yml")
    assert "SuccessExitStatus=75 130 143\n" in service  # what it left undone is a failure
    listed = lab.hvctl("schedule", "list")[1]
    assert f"applies (allowed: disconnect, restart) {lab.folder}/lab.yml" in listed
    assert "something was left undone" in listed


def test_the_check_and_the_apply_of_a_playbook_hold_one_lock(lab: Night, systemctl: Fake) -> None:
    lab.hvctl("schedule", "install", "--every", "15m", "lab.yml")
    lab.hvctl(*APPLY, "lab.yml")
    lab.hvctl("schedule", "install", "--export", "--cron", "0 3 * * *", "lab.yml")
    found = {name: re.findall(r"--exclusive (\S+)", text) for name, text in written(lab).items() if "service" in name}  # type: ignore[arg-type]
    assert found == {
        "hvctl-drift-lab.service": ["lab"],
        "hvctl-drift-lab-apply.service": ["lab"],
        "hvctl-drift-lab-export.service": ["lab"],
    }
    export = written(lab)["hvctl-drift-lab-export.service"]  # type: ignore[arg-type]
    assert " export --exclusive lab --due --auto-approve " in export


def test_what_is_installed_can_be_run_as_it_stands(lab: Night) -> None:
    _, out, _ = lab.hvctl(*APPLY, "--format", "cron", "--splay", "5s", "lab.yml")
    words = re.findall(r"apply .*$", out, re.MULTILINE)[-1].split()
    assert words[1:3] == ["--splay", "5s"]
    words[2] = "0s"
    status, _, err = lab.hvctl(*words)
    assert status == 0, err
    assert lab.weights() == [200, 200]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--apply", "--export", "--every", "1d"), "say one of --apply and --export"),
        (("--every", "1d", "--allow", "restart"), "--allow is for --apply"),
        (("--export", "--every", "1d", "--at-most", "3"), "--at-most is for --apply"),
        (("--every", "1d", "--window", "01:00-05:00"), "--window is for --apply, --export and --metering"),
        (("--apply", "--every", "1d", "--window", "noon"), "--window: 'noon' is no window"),
        (("--apply", "--every", "1d", "--allow", "everything"), "--allow everything: unknown"),
        (("--apply", "--every", "1d", "--notify", "env:HOOK"), "--notify is for checks, and --apply changes something"),
        (("--apply", "--cron", "0 12 * * *", "--window", "01:00-05:00"), "is never due within --window 01:00-05:00"),
    ],
)
def test_what_does_not_fit_is_refused(lab: Night, words: tuple[str, ...], said: str) -> None:
    status, _, err = lab.hvctl("schedule", "install", *words, "lab.yml")
    assert status == 1 and said in err, err
