"""A check that is killed in the middle: what it saw is remembered by the next one, once, and nothing of it is a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hvctl.cli.checked import checked
from hvctl.cli.options import Settings
from hvctl.cli.prepared import Asked
from hvctl.core.check import Check
from hvctl.fleet.run import Run
from hvctl.history import place
from hvctl.history.opening import opened
from hvctl.history.runs import last_runs
from hvctl.history.scheduled import KILLED
from hvctl.history.seen import Seen
from hvctl.history.spool import Begun, Spool, broken_off
from hvctl.history.store import Store
from mocks.host import SimulatedHost
from mocks.tls import make_authority
from mocks.wsman import Endpoint, Server
from tests.history.looks import AT, COUNT, sees, told
from tests.schedule.conftest import Lab, lab

__all__ = ["lab"]

ROOT = Path(__file__).parents[2]
DEAD = 2**22 - 7
"""No process has that id."""
BEGUN = Begun("drift", ("lab.yml",), AT, "history.db", {"hv01": "hv01"})
STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "processor": {"count": 2}}]}

KILL = """
import os, sys
from hvctl.history.spool import Spool
real, left = Spool.add, int(sys.argv.pop(1))

def add(self, one):
    global left
    real(self, one)
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)

Spool.add = add
from hvctl.__main__ import entry
entry()
"""


def of_dead(folder: Path) -> Path:
    """As if its process had been killed."""
    (file,) = folder.glob(f"check-{os.getpid()}-*.jsonl")
    return file.rename(folder / f"check-{DEAD}-{'0' * 8}.jsonl")


def test_hosts_that_are_seen_alike_are_kept_once(tmp_path: Path) -> None:
    """A fleet's memory does not grow with hosts on which all is as wished; what differs stays each host's own."""
    spool = Spool(tmp_path, BEGUN)
    calm, drifted = sees(), sees("2")
    for n in range(3):
        for what, one in (("calm", calm), ("drifted", drifted)):
            spool.add(replace(one, host=f"{what}{n}", wished=dict(one.wished), agreed=frozenset([*one.agreed])))
    assert {spool.seen[f"calm{n}"].host for n in range(3)} == {"calm0", "calm1", "calm2"}
    assert len({id(spool.seen[f"calm{n}"].wished) for n in range(3)}) == 1
    assert len({id(spool.seen[f"drifted{n}"].wished) for n in range(3)}) == 3


def test_what_is_seen_of_a_host_is_read_back_as_it_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BEGUN)
    away = Seen("hv02", unreachable="connection refused")
    rich = replace(sees("2"), searched=frozenset({("disk", "ウェブ")}), unsearched=frozenset({("dvd", "a")}))
    for one in (rich, away):
        spool.add(one)
    assert not list(broken_off(tmp_path, "history.db"))  # it runs still
    of_dead(tmp_path)
    (found,) = broken_off(tmp_path, "history.db")
    assert found.seen == (rich, away)
    assert (found.check.started, found.check.exit_status, found.check.addresses) == (AT, KILLED, {"hv01": "hv01"})
    assert found.check.interrupted
    assert not list(broken_off(tmp_path, "history.db"))  # it is taken
    found.end()
    assert not list(tmp_path.iterdir())


def test_a_slow_disk_is_waited_for_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = [0.0], list[float]()

    def slow(number: int) -> None:
        waited.append(now[0])
        now[0] += 0.01

    monkeypatch.setattr(os, "fsync", slow)
    spool = Spool(tmp_path, BEGUN, lambda: now[0])
    for _ in range(20):
        spool.add(sees("2"))
        now[0] += 0.09
    spool.end()
    assert len(waited) == 4 and waited[0] == 0
    assert all(0.5 <= later - one < 0.7 for one, later in pairwise(waited))


def test_a_check_that_ends_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BEGUN)
    spool.add(sees())
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    spool.end()
    assert not list(tmp_path.iterdir())


def test_a_line_that_was_cut_off_costs_its_host_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BEGUN)
    spool.add(sees())
    spool.add(Seen("hv02", unreachable="gone"))
    file = of_dead(tmp_path)
    file.write_text(file.read_text()[:-9])
    (found,) = broken_off(tmp_path, "history.db")
    assert [one.host for one in found.seen] == ["hv01"]


def test_lines_that_were_cut_off_within_cost_no_other_host(tmp_path: Path) -> None:
    """As where the disk was full for a while; in the middle of a character."""
    spool = Spool(tmp_path, BEGUN)
    for host in ("hv01", "予備", "hv03", "hv04"):
        spool.add(Seen(host, unreachable="gone"))
    file = of_dead(tmp_path)
    first, *lines = file.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][: lines[1].index("備".encode()) + 1]
    file.write_bytes(b"".join((first, *lines)))
    (found,) = broken_off(tmp_path, "history.db")
    assert [one.host for one in found.seen] == ["hv01", "hv04"]


@pytest.mark.parametrize("text", ["", "{", "[]\n", '{"verb": "dance"}\n', "\x00\n"])
def test_what_cannot_be_read_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / f"check-{DEAD}-1.jsonl"
    file.write_text(text)
    assert not list(broken_off(tmp_path, "history.db"))
    assert file.exists()


def test_one_of_another_history_waits_for_it(tmp_path: Path) -> None:
    Spool(tmp_path, BEGUN).add(sees())
    of_dead(tmp_path)
    assert not list(broken_off(tmp_path, "other.db"))
    assert len(list(broken_off(tmp_path, "history.db"))) == 1


def test_what_another_machine_writes_in_the_same_folder_is_left_alone_until_it_is_silent_for_a_day(
    tmp_path: Path,
) -> None:
    Spool(tmp_path, replace(BEGUN, machine="another")).add(sees())
    file = of_dead(tmp_path)
    assert list(broken_off(tmp_path, "history.db")) == []
    os.utime(file, (0, 0))
    assert [one.check.machine for one in broken_off(tmp_path, "history.db")] == ["another"]


def test_what_a_killed_check_saw_stands_in_the_history(tmp_path: Path) -> None:
    store = Store(place(str(tmp_path / "history.db")))
    Spool(tmp_path, BEGUN).add(sees("2"))
    of_dead(tmp_path)
    (found,) = broken_off(tmp_path, "history.db")
    store.write(found.check, found.seen, found.check.finished.replace(microsecond=0))
    (past,) = told(store)
    assert [span.spot for span in past.spans] == [COUNT]


def test_an_hvctl_that_is_killed_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """A real process, over the real wire, ended by SIGKILL after two of three hosts."""
    authority = make_authority(tmp_path)
    endpoints = [Endpoint(SimulatedHost.from_yaml(STATE), {"u": "Pa55-of-tests"}, scheme="https") for _ in range(3)]
    with Server(endpoints, authority):
        lines = "".join(f"    hv{n}: {{ansible_port: {e.port}}}\n" for n, e in enumerate(endpoints))
        (tmp_path / "inventory.yml").write_text(
            "all:\n  vars: {ansible_host: 127.0.0.1, ansible_user: u, ansible_password: !env HV_PASSWORD, "
            f"ansible_winrm_transport: ntlm, ansible_winrm_ca_trust_path: '{authority.ca}'}}\n  hosts:\n{lines}"
        )
        (tmp_path / "lab.yml").write_text("- hosts: all\n  vms: [{name: web01, processor: {count: 4}}]\n")
        env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "160"}
        env |= {"HV_PASSWORD": "Pa55-of-tests"}
        env.pop("HVCTL_HISTORY", None)

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, *words], env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
            )

        killed = run("-c", KILL, "2", "--schedule", "night=1h", "--forks", "1", "drift", "lab.yml")
        assert killed.returncode == -9, killed.stderr
        file, _ = sorted((tmp_path / "state" / "hvctl" / "spool").iterdir())
        assert len(file.read_text().splitlines()) == 3
        assert "Pa55" not in file.read_text()
        shown = run("-m", "hvctl", "history")
        assert "was broken off; what it saw of 2 hosts is remembered now." in shown.stderr
        assert "hv0" in shown.stdout and "hv1" in shown.stdout and "2 → 4" in shown.stdout
        assert not list((tmp_path / "state" / "hvctl" / "spool").iterdir())
        with opened(place(str(tmp_path / "state" / "hvctl" / "history.db"))).connect() as connection:
            (of_schedule,) = last_runs(connection)
        assert (of_schedule.schedule, of_schedule.exit_status, of_schedule.playbooks) == ("night", KILLED, ("lab.yml",))
        assert of_schedule.next == of_schedule.started + timedelta(hours=1)
        again = run("-m", "hvctl", "drift", "lab.yml")
        assert (again.returncode, "broken off" in again.stderr) == (2, False)
        assert again.stdout.count("differs for") == 2, again.stdout  # of hv0 and hv1, which were seen before
        assert not list((tmp_path / "state" / "hvctl" / "spool").iterdir())


def test_the_time_of_a_check_is_kept_in_its_zone(tmp_path: Path) -> None:
    at = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
    Spool(tmp_path, replace(BEGUN, started=at))
    of_dead(tmp_path)
    (found,) = broken_off(tmp_path, "history.db")
    assert isinstance(found.check, Check)
    assert found.check.started == at
    assert found.seen == ()


def test_nothing_of_a_host_that_is_done_is_kept_but_what_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its connection nor what it answered about its VMs; how many requests it took is told all the same."""
    kept: list[Run] = []
    real = Run.check

    def check(self: Run, *words: Any, **more: Any) -> Check:
        kept.append(self)
        return real(self, *words, **more)

    monkeypatch.setattr(Run, "check", check)
    lab.drift("hv02", 150)
    done = checked(Settings(lab.connect, history=place(str(lab.folder / "h.db"))), Asked(("lab.yml",)), quiet=True)
    assert not kept[-1]._hosts.transports
    assert done.requests.keys() == {"hv01", "hv02"}
    assert [d.spot.host for d in done.drifts] == ["hv02"]
    for one in done.outcomes:
        assert one.plan is not None
        assert all(len(reply.rows) <= 1 for reply in one.plan.facts.replies.values())
