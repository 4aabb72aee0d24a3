"""Hosts shared out over processes: the same is found, a process that is gone takes only its hosts along, secrets are masked."""

from __future__ import annotations

import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from hvctl.fleet import workers
from hvctl.fleet.guard import SharedGuard
from hvctl.fleet.stop import Stop
from hvctl.fleet.workers import Gone, Say, Workers, count, shares
from hvctl.winrm.faults import WireFault
from mocks.bench import playbook_of, state_of
from mocks.bench_fleet import LAUNCHED, served, written
from mocks.endpoint import Endpoint
from mocks.host import SimulatedHost
from mocks.playback import Pace
from mocks.tls import make_authority
from mocks.wsman import Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")

SECRET = "ZR7-kestrel-Quay"


def nothing() -> None:
    """Nobody wants to hear of a stop."""


def said(workers: Workers) -> tuple[list[str], dict[str, Gone]]:
    """Hosts that were told of, and those whose process is gone."""
    hosts: list[str] = []
    gone: dict[str, Gone] = {}
    for share, what in workers:
        if isinstance(what, Gone):
            gone |= dict.fromkeys(share, what)
        else:
            hosts.append(what[1])
    return sorted(hosts), gone


def test_hosts_that_are_planned_together_stay_together() -> None:
    found = shares([["a", "b", "c"], ["d"], ["e"], ["f"]], 2)
    assert sorted(map(sorted, found)) == [["a", "b", "c"], ["d", "e", "f"]]
    assert shares([["a"]], 4) == [["a"]]


def test_a_few_hosts_need_one_process() -> None:
    assert count(20, None) == 1
    assert count(20, 3) == 3
    assert count(2, 3) == 2
    assert count(99, None, lambda: 4) == 1
    assert count(120, None, lambda: 4) == 2
    assert count(1000, None, lambda: 4) == 4
    assert count(1000, None, lambda: 64) == 8


def test_where_no_core_is_idle_one_process_is_enough() -> None:
    assert count(1000, None, lambda: -7) == 1
    assert 1 <= count(1000, None) <= 8


@pytest.mark.parametrize(
    ("load", "running", "processes"),
    [(0.2, [9] * 5, 4), (3.9, [0, 9, 0, 0, 9], 4), (3.9, [2] * 5, 2), (3.9, [9] * 5, 1), (0.2, [sys.maxsize] * 5, 4)],
    ids=["was idle", "idle by now", "half of it by now", "busy", "not told"],
)
def test_a_core_is_idle_that_was_or_is(
    load: float, running: list[int], processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load lags a minute behind: what ran before a check may have ended."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    moments = iter(running)
    monkeypatch.setattr(workers, "_running", lambda: next(moments))
    assert count(1000, None) == processes


@pytest.mark.parametrize(
    "end, why",
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "ended by signal 9 (SIGKILL)"),
        (lambda: os._exit(3), "ended with status 3"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
    ids=["killed", "ended", "failed"],
)
def test_a_process_that_is_gone_takes_only_its_own_hosts_along(end: object, why: str) -> None:
    def job(names: Sequence[str], say: Say) -> None:
        for name in names:
            if name == "b2":
                assert callable(end)
                end()
            say(("host", name))

    hosts, gone = said(Workers([["a1", "a2"], ["b1", "b2"]], job, Stop(), nothing))
    assert hosts == ["a1", "a2", "b1"]
    assert gone.keys() == {"b1", "b2"}
    assert gone["b2"].why.endswith(why)
    assert "hvctl itself failed" in str(gone["b2"].error)
    assert gone["b2"].error.defect


def test_a_stop_reaches_the_processes() -> None:
    stop, heard = Stop(), []

    def job(names: Sequence[str], say: Say) -> None:
        while not stop.asked:  # of this process
            time.sleep(0.02)
        say(("host", names[0]))

    def asked() -> None:
        stop.number, stop.times = signal.SIGINT, 1

    timer = threading.Timer(0.3, asked)
    timer.start()
    began = time.monotonic()
    hosts, gone = said(Workers([["a"], ["b"]], job, stop, lambda: heard.append("stop")))
    timer.join()
    assert (hosts, gone, heard) == (["a", "b"], {}, ["stop"])
    assert time.monotonic() - began < 4


def test_a_process_that_does_not_end_after_a_stop_is_ended() -> None:
    def job(names: Sequence[str], say: Say) -> None:
        say(("host", os.getpid()))
        time.sleep(600)

    stop = Stop()
    pids = []
    for _, what in Workers([["a"]], job, stop, nothing):
        assert isinstance(what, tuple)
        pids.append(what[1])
        stop.number, stop.times = signal.SIGTERM, 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_no_process_outlives_whoever_stops_listening() -> None:
    def job(names: Sequence[str], say: Say) -> None:
        say(("host", os.getpid()))
        time.sleep(600)

    everything = iter(Workers([["a"]], job, Stop(), nothing))
    _, what = next(everything)
    everything.close()  # type: ignore[attr-defined]
    assert isinstance(what, tuple)
    with pytest.raises(ProcessLookupError):
        os.kill(what[1], 0)


def test_no_process_outlives_a_run_that_is_killed() -> None:
    """Nobody reads what they say any more; the other end of this pipe is theirs until the last of them has ended."""
    alive, held = os.pipe()

    def job(names: Sequence[str], say: Say) -> None:
        os.write(held, f"{os.getpid()} ".encode())
        while True:
            say(("host", "x" * 1000))

    def run() -> None:
        for _ in Workers([["a"], ["b"]], job, Stop(), nothing):
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    os.close(held)
    process.join()
    pids, ended = b"", False
    while not ended and select.select([alive], [], [], 10)[0]:
        pids += (found := os.read(alive, 100))
        ended = not found
    os.close(alive)
    for pid in pids.split() if not ended else ():
        os.kill(int(pid), signal.SIGKILL)
    assert ended


def test_a_password_that_one_process_saw_refused_is_not_tried_by_another() -> None:
    fork = multiprocessing.get_context("fork")
    guard = SharedGuard(fork)
    bad, good = ("ntlm", "admin", "wrong"), ("ntlm", "admin", "right")

    def other() -> None:
        guard.enter(bad)
        guard.leave(bad, False)
        guard.enter(good)
        guard.leave(good, True)

    process = fork.Process(target=other)
    process.start()
    process.join()
    with pytest.raises(WireFault, match="another host refused"):
        guard.enter(bad)
    guard.enter(good)


def test_a_host_without_an_answer_lets_the_next_one_of_another_process_try() -> None:
    fork = multiprocessing.get_context("fork")
    guard = SharedGuard(fork, alone=0.2)
    credential = ("ntlm", "admin", "password")
    process = fork.Process(target=guard.enter, args=(credential,))
    process.start()
    process.join()  # and never leaves
    began = time.monotonic()
    guard.enter(credential)
    assert 0.05 <= time.monotonic() - began < 3


def drift(folder: Path, *options: str, verb: str = "drift") -> tuple[int, str, str]:
    words = [*options, "-i", str(folder / "inventory.yml"), verb, str(folder / "fleet.yml")]
    environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "BENCH_PASSWORD": SECRET}
    more = ["--no-history"] if verb == "drift" else []
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHED, *words, *more],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("verb", ["drift", "plan"])
def test_several_processes_find_what_one_does(tmp_path: Path, verb: str) -> None:
    state = state_of(2)
    state["vms"][1]["processor"] = {"count": 4}  # differs
    state["vms"][0]["notes"] = f"the password is {SECRET}"
    playbook = playbook_of(2).replace("weight: 100}", "weight: 100}\n      notes: nothing", 1)
    with served(state, 5, Pace()) as (ports, counted):
        written(tmp_path, ports, playbook)
        alone = drift(tmp_path, "--processes", "1", verb=verb)
        requests = counted()[0]
        shared = drift(tmp_path, "--processes", "3", verb=verb)
        assert shared == alone
        assert counted()[0] == 2 * requests
    status, out, err = shared
    assert status == (2 if verb == "drift" else 0)
    assert len(re.findall(r"hv000\d", out)) >= 5
    assert "***" in out
    assert SECRET not in out + err


def test_a_wrong_password_is_tried_by_one_process_only(tmp_path: Path) -> None:
    """Which is what keeps an account from being locked out."""
    authority = make_authority(Path("build/bench"))
    endpoints = [Endpoint(SimulatedHost.from_yaml(state_of(1)), {"bench": "another"}, scheme="https") for _ in range(4)]
    with Server(endpoints, authority):
        written(tmp_path, [one.port for one in endpoints], playbook_of(1))
        status, out, _ = drift(tmp_path, "--processes", "4")
    assert status == 4
    assert out.count("not tried: another host refused") >= 3
