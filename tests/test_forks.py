"""Jobs side by side: what is begun, what is waited for, and what is left."""

from __future__ import annotations

import signal
import threading
from functools import partial

import pytest

from hvctl.fleet.forks import SideBySide
from hvctl.fleet.stop import TOGETHER_S, Stop


def test_results_come_as_they_are_done_and_each_host_is_finished() -> None:
    finished: list[str] = []
    jobs = [(f"hv{n}", partial(int, n)) for n in range(20)]
    found = dict(SideBySide(jobs, 3, finish=finished.append))
    assert found == {f"hv{n}": n for n in range(20)}
    assert sorted(finished) == sorted(found)


def test_a_fault_of_one_job_leaves_the_others_alone() -> None:
    found: list[str] = []

    def job(name: str) -> str:
        if name == "b":
            raise KeyError(name)
        return name

    with pytest.raises(KeyError):
        for name, _ in SideBySide([(n, partial(job, n)) for n in "abcd"], 2):
            found.append(name)
    assert sorted(found) == ["a", "c", "d"]


def test_after_a_stop_nothing_is_begun_and_a_job_that_hangs_is_not_waited_for() -> None:
    stop, never = Stop(), threading.Event()

    def hangs() -> None:
        stop.times = 1
        never.wait()

    hosts = SideBySide[None]([("a", hangs), ("b", lambda: None)], 1, stop)
    assert list(hosts) == []
    assert hosts.begun == {"a"}
    never.set()


def test_what_is_changed_is_waited_for_until_it_is_left() -> None:
    stop, over, asked = Stop(), threading.Event(), threading.Event()
    polls = iter(range(10**9))

    def changes() -> str:
        stop.times = 1
        asked.set()
        over.wait()
        return "done"

    def changing(name: str) -> bool:
        if next(polls) == 30:  # three seconds, which is more than a read would get
            over.set()
        return not over.is_set()

    assert dict(SideBySide([("a", changes)], 1, stop, changing=changing)) == {"a": "done"}
    stop, over = Stop(), threading.Event()

    def leaves(name: str) -> bool:
        stop.times = 2
        return True

    assert dict(SideBySide([("a", changes)], 1, stop, changing=leaves)) == {}
    over.set()


def test_signals_together_are_one_and_the_third_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """timeout(1) sends SIGTERM to the child and to its group: two in a moment."""
    stop = Stop(grace=0)
    with stop.listening():
        stop.hold()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert (stop.times, stop.status, stop.terminated) == (1, 143, True)
        assert stop.over  # without a grace
        stop.times = 2
        stop._last -= TOGETHER_S
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert stop.status == 143


def test_a_request_that_was_noted_is_raised_when_nothing_is_held_any_more() -> None:
    stop = Stop()
    with stop.listening():
        stop.hold()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            stop.release()
