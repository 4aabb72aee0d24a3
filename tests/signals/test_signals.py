"""SIGTERM and Ctrl-C, at chosen moments: nothing more is begun, what runs is followed or left, all that is known is told."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from mocks.catalogue import fault_named
from mocks.faults import Injector
from tests.signals.conftest import STEPS, Lab, Labs, each_with_each

SIGNALS = [
    (signal.SIGTERM, 143, "Stopping (SIGTERM)"),
    (signal.SIGHUP, 129, "Stopping (SIGHUP)"),
    (signal.SIGINT, 130, "Interrupted"),
]


class Moment:
    """A step of a host at which something happens while it runs: the host waits until `over`."""

    def __init__(self, lab: Lab, number: int, nth: int, phase: str = "before") -> None:
        self.came, self.over = threading.Event(), threading.Event()
        self._at = ("invoke", phase, nth)
        lab.endpoints[number].faults.watch = self._watch

    def _watch(self, action: str, phase: str, nth: int) -> None:
        if (action, phase, nth) == self._at:
            self.came.set()
            assert self.over.wait(60)

    def reached(self) -> None:
        assert self.came.wait(60)


@pytest.mark.parametrize(("number", "status", "word"), SIGNALS)
def test_no_host_and_no_step_is_begun_any_more(lab: Labs, number: signal.Signals, status: int, word: str) -> None:
    at = lab(3)
    moment = Moment(at, 0, 1)
    running = at.start("--forks", "1", "apply", "-y", "lab.yml", "--report", "json=r.json,html=r.html")
    moment.reached()
    running.signal(number)
    running.until(f"{word}: finishing the step that runs")
    until(lambda: bool(at.endpoints[0].disk.stops))
    moment.over.set()
    assert running.ends() == status
    assert (at.changes(0), at.changes(1), at.changes(2)) == (STEPS[:1], [], [])
    said = at.report()
    assert said["exit_status"] == status
    first, *others = said["hosts"]
    assert [s["status"] for s in first["report"]["steps"]] == ["ok", "skipped", "skipped"]
    assert first["report"]["stopped"] is True
    for other in others:
        assert {s["why"] for s in other["report"]["steps"]} == {"not begun"}
        assert other["report"]["left"]
    assert "hv1  not begun" in running.said
    assert "3 hosts: 1 done, something left, 2 not begun." in running.said
    assert "not begun" in (at.folder / "r.html").read_text(encoding="utf-8")
    assert all(e.shells.open == 0 for e in at.endpoints)
    # What the look before had seen is remembered.
    _, told = at.hvctl("history")
    assert "hv1" in told and "hv2" in told
    assert at.hvctl("apply", "-y", "lab.yml")[0] == 0


def test_a_step_that_never_ends_is_left_after_the_grace_and_judged_by_the_next_look(lab: Labs) -> None:
    at = lab(1)
    moment = Moment(at, 0, 2)
    running = at.start(
        "apply", "-y", "--grace", "1s", "lab.yml", "--report", "json=r.json,markdown=r.md,junit=r.xml,html=r.html"
    )
    moment.reached()
    running.signal(signal.SIGTERM)
    assert running.ends() == 143
    report = at.report()["hosts"][0]["report"]
    (batch,) = at.endpoints[0].disk.journals
    assert report["running"] == batch
    assert report["error"]["message"] == f"still running on hv0, batch {batch}"
    assert [s["status"] for s in report["steps"]] == ["ok", "unknown", "skipped"]
    for name in ("r.md", "r.xml", "r.html"):
        text = (at.folder / name).read_text(encoding="utf-8").replace("\\", "")
        assert f"still running on hv0, batch {batch}" in text, name
    assert f"still running on hv0, batch {batch}" in running.said
    # Nobody ended it: its shell is there, and goes on when the step does.
    assert at.endpoints[0].shells.open == 1
    again = at.start("plan", "lab.yml")
    again.until(f"hv0: an earlier apply still runs here, batch {batch}: 1 step done, {STEPS[1]} had begun")
    moment.over.set()
    assert again.ends() == 0
    assert "hv0: an earlier apply was broken off here: 2 steps done" in again.said
    assert at.changes(0) == STEPS[:2]
    assert at.endpoints[0].shells.open == 0
    assert at.hvctl("apply", "-y", "lab.yml")[0] == 0
    assert at.changes(0) == STEPS


def test_the_second_ctrl_c_leaves_the_step(lab: Labs) -> None:
    at = lab(1)
    moment = Moment(at, 0, 1)
    running = at.start("apply", "-y", "lab.yml", "--report", "json=r.json")
    moment.reached()
    running.signal(signal.SIGINT)
    running.until("once more leaves it to its host")
    running.signal(signal.SIGINT)
    assert running.ends() == 130
    assert at.report()["hosts"][0]["report"]["running"]
    assert at.endpoints[0].shells.open == 1
    moment.over.set()


def test_changes_that_are_done_are_told_though_the_host_never_answers_again(lab: Labs) -> None:
    """A stop while the host is looked at after its changes: what became of the steps is known by then."""
    at = lab(1, [fault_named("hang:action=Send,nth=3,times=99")])
    away = threading.Event()

    def watch(action: str, phase: str, nth: int) -> None:
        if (action, nth) == ("Send", 3):
            away.set()

    at.endpoints[0].faults.watch = watch
    running = at.start("apply", "-y", "lab.yml", "--report", "json=r.json")
    assert away.wait(60)
    running.signal(signal.SIGTERM)
    assert running.ends(within=20) == 143
    assert at.changes(0) == STEPS
    report = at.report()["hosts"][0]["report"]
    assert [s["status"] for s in report["steps"]] == ["ok", "ok", "ok"]
    assert report["stopped"] and not report["complete"] and report["running"] is None
    assert "hv0  3 of 3 steps done" in running.said
    assert "1 host: 1 done, not seen afterwards." in running.said
    assert "the host was not seen afterwards; run plan to see what is left" in running.said


@pytest.mark.parametrize(
    ("fault", "heard"), each_with_each(["hang", "drip:times=1,seconds=3,amount=1000", "connect-hang"], SIGNALS)
)
def test_a_read_ends_at_once_whatever_the_host_sends(
    lab: Labs, fault: str, heard: tuple[signal.Signals, int, str]
) -> None:
    number, status, word = heard
    at = lab(2, [fault_named(fault)])
    struck = threading.Event()

    def watch(faults: Injector, action: str, phase: str, nth: int) -> None:
        if faults.events:
            struck.set()

    for endpoint in at.endpoints:
        endpoint.faults.watch = partial(watch, endpoint.faults)
    running = at.start("drift", "lab.yml", "--report", "json=r.json")
    assert struck.wait(60)
    running.signal(number)
    assert running.ends(within=20) == status
    assert f"{word}: nothing more is begun." in running.said
    assert at.report()["summary"]["not_looked_at"] == 2
    assert running.said.count("not looked at: hvctl was stopped") == 2


@pytest.mark.parametrize("verb", ["facts", "doctor"])
def test_the_host_of_a_read_that_is_broken_off_keeps_no_shell(lab: Labs, verb: str) -> None:
    at = lab(1)
    held = Held(at)
    running = at.start(verb, "hv0")
    held.reached()
    running.signal(signal.SIGTERM)
    until(lambda: at.endpoints[0].shells.open == 0)
    held.over.set()
    assert running.ends() == 143


class Held:
    """A host whose cmdlets that read wait."""

    def __init__(self, lab: Lab) -> None:
        self.came, self.over = threading.Event(), threading.Event()
        host = lab.endpoints[0].simulated
        before = host.invoke

        def invoke(*words: object) -> object:
            self.came.set()
            assert self.over.wait(60)
            return before(*words)  # type: ignore[arg-type]

        host.invoke = invoke  # type: ignore[method-assign,assignment]

    def reached(self) -> None:
        assert self.came.wait(60)


def test_an_interrupted_check_ends_no_difference_of_the_history(lab: Labs) -> None:
    at = lab(2)
    assert at.hvctl("drift", "lab.yml")[0] == 2
    before = at.hvctl("history", "--json")[1]
    reached, over = threading.Event(), threading.Event()

    def watch(action: str, phase: str, nth: int) -> None:
        if action == "Receive":
            reached.set()
            assert over.wait(60)

    at.endpoints[1].faults.watch = watch
    running = at.start("--forks", "1", "drift", "lab.yml")
    assert reached.wait(60)
    running.signal(signal.SIGTERM)
    assert running.ends() == 143
    over.set()
    assert "hv1  not looked at" in running.said
    after = at.hvctl("history", "--json")[1]
    assert after.count('"gone": null') == before.count('"gone": null') > 0
    assert '"unreachable": null' in after or '"unreachable": []' in after


@pytest.mark.parametrize(("number", "status", "word"), SIGNALS)
def test_a_prompt_is_left_with_nothing_changed(
    lab: Labs, terminal: int, number: signal.Signals, status: int, word: str
) -> None:
    at = lab(1)
    running = at.start("apply", "lab.yml", "--report", "json=r.json", stdin=terminal)
    running.until("Only 'yes' goes on")
    running.signal(number)
    assert running.ends() == status
    assert at.changes(0) == []
    assert at.report()["exit_status"] == status
    assert at.endpoints[0].shells.open == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_pause_between_checks_ends_at_once(lab: Labs, number: signal.Signals, status: int) -> None:
    at = lab(1)
    running = at.start("drift", "--every", "15m", "lab.yml")
    running.until("Next check at")
    running.signal(number)
    assert running.ends() == status


def test_a_terminal_that_is_closed_under_an_apply(lab: Labs) -> None:
    """Its window is shut, or the SSH session is lost: what can be said is in the report, for nobody reads the terminal."""
    at = lab(1)
    moment = Moment(at, 0, 1)
    ours, theirs = pty.openpty()

    owning = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
    )
    words = (sys.executable, "-m", "hvctl", "apply", "-y", "lab.yml", "--report", "json=r.json")
    running = subprocess.Popen(
        [sys.executable, "-c", owning, *words],
        cwd=at.folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    drained = threading.Thread(target=_drained, args=(ours,), daemon=True)
    drained.start()
    moment.reached()
    os.close(ours)
    until(lambda: bool(at.endpoints[0].disk.stops))
    moment.over.set()
    assert running.wait(60) == 129
    assert at.changes(0) == STEPS[:1]
    assert [s["status"] for s in at.report()["hosts"][0]["report"]["steps"]] == ["ok", "skipped", "skipped"]
    assert at.endpoints[0].shells.open == 0


def test_without_a_terminal_by_wish_the_hangup_is_not_heard(lab: Labs) -> None:
    at = lab(1)
    moment = Moment(at, 0, 1)
    deaf = "import runpy, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); runpy.run_module('hvctl', None, '__main__')"
    running = at.start("apply", "-y", "lab.yml", program=("-c", deaf))
    moment.reached()
    running.signal(signal.SIGHUP)
    moment.over.set()
    assert running.ends() == 0
    assert at.changes(0) == STEPS


def _drained(terminal: int) -> None:
    with suppress(OSError):
        while os.read(terminal, 4096):
            pass


def until(there: Callable[[], bool]) -> None:
    """Asked again and again; the machine is left to others in between."""
    pause = threading.Event()
    for _ in range(6000):
        if there():
            return
        pause.wait(0.01)
    raise AssertionError("it does not come")
