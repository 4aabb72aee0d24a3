"""How far a copy on the host has come: what is seen of its file, how that is told, and that nothing rests on it."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from rich.console import Console

from hvctl.call import Batch, Call, Event, HostInfo, Reply, Task, Transport, TransportError, Watch, to_json
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.fleet import watching
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.fleet.watching import Copied, Watched, question
from hvctl.show.progress import Progress
from hvctl.winrm.steps import steps_of
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

GB = 2**30
STATE: dict[str, Any] = {
    "os": "2022",
    "volumes": {"D": {"free": "500GB", "size": "1TB"}},
    "vhds": {r"D:\images\ws.vhdx": {"size": "80GB", "file_size": "40GB"}},
    "files": {r"D:\iso\big.iso": "8GB", r"D:\iso\small.iso": "1MB"},
    "folders": [r"D:\web01", r"D:\iso\copies"],
}
PLAYBOOK = r"""
- hosts: all
  host_files:
    - {host_source: 'D:\iso\big.iso', destination: 'D:\iso\copies\big.iso'}
    - {host_source: 'D:\iso\small.iso', destination: 'D:\iso\copies\small.iso'}
  vms:
    - name: web01
      generation: 2
      disks: [{at: scsi 0:0, path: 'D:\web01\os.vhdx', image: 'D:\images\ws.vhdx'}]
"""
PART = r"D:\web01\os.hvctl-unfinished.vhdx"
LENGTH = Call("Get-Item", {"LiteralPath": PART}, select=("Length",))


def planned(host: SimulatedHost) -> tuple[Plan, TwinTransport]:
    transport = TwinTransport(host)
    desired, _ = wished(PLAYBOOK, "2022")
    return make_plan(desired, look(transport, desired), frozenset()), transport


def watched_of(plan: Plan) -> dict[str, Watch]:
    return {s.task.id: s.task.watch for s in plan.steps if s.task.watch is not None}


def path(watch: Watch) -> str:
    return str(watch.length.params["LiteralPath"])


# --- what is to be watched ------------------------------------------------------------------------------------------------


def test_copies_say_what_they_write() -> None:
    plan, _ = planned(SimulatedHost.from_yaml(STATE))
    assert [(path(w), w.size) for w in watched_of(plan).values()] == [
        (r"D:\iso\copies\big.iso.hvctl-unfinished", 8 * GB),
        (PART, 40 * GB),
    ]


def test_a_vhd_that_is_copied_as_it_is_is_watched_too() -> None:
    """A conversion tells its own progress."""
    state = {**STATE, "vhds": {r"D:\images\old.vhd": {"size": "80GB", "file_size": "40GB"}}}
    paths = {r"D:\web01\os.vhd": True, r"D:\web01\os.vhdx": False}
    for to, copied in paths.items():
        disk = {"at": "ide 0:0", "path": to, "image": r"D:\images\old.vhd"}
        transport = TwinTransport(SimulatedHost.from_yaml(state))
        plays = [{"hosts": "all", "vms": [{"name": "web01", "generation": 1, "disks": [disk]}]}]
        desired, _ = wished(yaml.safe_dump(plays), "2022")
        plan = make_plan(desired, look(transport, desired), frozenset())
        assert [w.size for w in watched_of(plan).values()] == ([40 * GB] if copied else [])
        assert {s.task.call.cmdlet for s in plan.steps} & {"Copy-Item", "Convert-VHD"} == (
            {"Copy-Item"} if copied else {"Convert-VHD"}
        )


def test_neither_the_host_nor_a_plan_file_hears_of_it() -> None:
    plan, _ = planned(SimulatedHost.from_yaml(STATE))
    step = next(s.task for s in plan.steps if s.task.watch)
    bare = Task(step.id, step.call, step.needs, step.guard, step.job, step.limit_s, step.retry)
    assert step == bare
    assert to_json(step) == to_json(bare)
    assert steps_of(Batch((step,), "change")) == steps_of(Batch((bare,), "change"))


# --- what is seen ---------------------------------------------------------------------------------------------------------


def test_a_copy_grows_while_another_process_looks() -> None:
    """40 GB at 400 MB/s; the two looks are made while the one PowerShell of the apply is busy."""
    host = SimulatedHost.from_yaml(STATE)
    plan, transport = planned(host)
    begun: dict[str, Copied] = {}
    heard: list[Event] = []

    def seen() -> None:
        reply = transport.another().run(question(Watch(LENGTH, 40 * GB)))[0]
        copied = begun[PART]
        event = copied.seen(int(reply.rows[0]["Length"]), host.clock.now())
        if event is not None:
            heard.append(event)

    def on_event(event: Event) -> None:
        watch = watched_of(plan).get(event.task)
        if event.kind == "start" and watch is not None:
            begun[path(watch)] = Copied(event.task, watch, host.clock.now())
            if path(watch) == PART:
                host.clock.after(15, seen)
                host.clock.after(60, seen)

    # An event of the twin comes before the call is made.
    report = apply_plan(plan, wished(PLAYBOOK, "2022")[0], transport, on_event)
    assert not isinstance(report, list)
    assert report.complete
    took = 40 * GB / 400e6
    percents = [e.percent for e in heard]
    assert percents == [int(100 * 15 / took), int(100 * 60 / took)]
    left = [(e.total - e.done) / e.rate for e in heard]
    assert left == pytest.approx([took - 15, took - 60], rel=0.02)


def test_a_destination_that_has_its_whole_length_at_once_is_not_told_as_done() -> None:
    host = SimulatedHost.from_yaml({**STATE, "long_at_once": True})
    host.invoke("Copy-Item", {"LiteralPath": r"D:\images\ws.vhdx", "Destination": PART})
    host.clock.sleep(10)
    (reply,) = TwinTransport(host).run(question(Watch(LENGTH, 40 * GB)))
    assert reply.rows[0]["Length"] == 40 * GB
    copied = Copied("s1", Watch(LENGTH, 40 * GB), 0)
    assert copied.seen(40 * GB, 10) is None
    assert copied.over


def test_the_time_left_goes_by_the_last_minute() -> None:
    """Ten times as fast at first, as into a cache."""
    copied = Copied("s1", Watch(LENGTH, 100 * GB), 0)
    events = [
        copied.seen(int(gb * GB), at) for at, gb in [(15, 15), (30, 30), (45, 31.5), (60, 33), (75, 34.5), (90, 36)]
    ]
    assert [e.percent for e in events if e] == [15, 30, 31, 33, 34, 36]
    last = events[-1]
    assert last is not None
    assert last.rate == pytest.approx(0.1 * GB)


def test_a_copy_that_stands_still_has_no_time_left() -> None:
    copied = Copied("s1", Watch(LENGTH, 100 * GB), 0)
    events = [copied.seen(10 * GB, at) for at in range(15, 120, 15)]
    assert events[-1] is not None
    assert events[-1].rate == 0


# --- how it is told -------------------------------------------------------------------------------------------------------


def test_told_by_quarters_in_a_pipe() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=120), {"hv01": {"s1": "copy the image"}})
    for percent in (8, 16, 24, 33, 41, 58, 66, 91):
        done = percent * GB
        progress.event("hv01", Event("progress", "s1", percent=percent, done=done, total=100 * GB, rate=GB))
    assert out.getvalue().splitlines() == [
        "hv01: step 1 of 1: copy the image: 33 % of 100.0 GB, 1 min 7 s left",
        "hv01: step 1 of 1: copy the image: 58 % of 100.0 GB, 42 s left",
        "hv01: step 1 of 1: copy the image: 91 % of 100.0 GB, 9 s left",
    ]


# --- that nothing rests on it ---------------------------------------------------------------------------------------------


@dataclass
class Other:
    """A second transport that answers with these lengths, or fails, or hangs."""

    lengths: list[int]
    fault: BaseException | None = None
    hangs: threading.Event | None = None
    closed: int = 0
    stopped: int = 0
    asked: int = 0

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        self.asked += 1
        if self.hangs is not None:
            self.hangs.wait(30)
        if self.fault is not None:
            raise self.fault
        return [Reply(({"Length": self.lengths.pop(0)},) if self.lengths else ())]

    requests = 0

    def info(self) -> HostInfo:
        raise AssertionError

    def stop(self) -> TransportError | None:
        self.stopped += 1
        if self.hangs is not None:
            self.hangs.set()
        return None

    def close(self) -> None:
        self.closed += 1


@dataclass
class Busy:
    """The transport of the apply."""

    other: Other
    at_once: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def another(self) -> Other:
        return self.other


@contextmanager
def following(other: Other, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hearer of a plan whose copy is watched every 10 ms, what it heard, and what stops it."""
    monkeypatch.setattr(watching, "EVERY_S", 0.01)
    plan, _ = planned(SimulatedHost.from_yaml(STATE))
    task = next(iter(watched_of(plan)))
    heard: list[Event] = []
    watched = Watched(4)
    with watched.of(plan, Busy(other), heard.append) as hear:  # type: ignore[arg-type]
        hear(Event("start", task))
        yield hear, heard, watched, task, plan.host


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_looks_go_on_until_the_step_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Other([GB, 2 * GB, 3 * GB])
    with following(other, monkeypatch) as (hear, heard, _, task, _):
        until(lambda: not other.lengths)
        until(lambda: len([e for e in heard if e.kind == "progress"]) == 3)
        hear(Event("done", task))
        count = len(heard)
        other.lengths = [4 * GB] * 100
        time.sleep(0.1)
        assert len(heard) == count
    assert [e.percent for e in heard if e.kind == "progress"] == [12, 25, 37]
    until(lambda: other.closed == other.asked)


@pytest.mark.parametrize("fault", [TransportError("no shell is left"), RuntimeError("odd")], ids=["quota", "defect"])
def test_what_is_refused_is_left_out(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Other([], fault)
    with following(other, monkeypatch) as (hear, heard, _, task, _):
        until(lambda: other.closed)
        time.sleep(0.05)
        hear(Event("done", task))
    assert other.asked == 1
    assert [e.kind for e in heard] == ["start", "done"]


def test_a_look_without_an_answer_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Other([GB], hangs=threading.Event())
    with following(other, monkeypatch) as (hear, heard, _, task, _):
        until(lambda: other.asked)
        before = time.monotonic()
        hear(Event("done", task))
        hear(Event("start", task))
        time.sleep(0.05)
        assert other.asked == 1, "one connection beside at most"
    assert time.monotonic() - before < 5
    assert other.hangs is not None
    other.hangs.set()
    until(lambda: other.closed)
    assert "progress" not in [e.kind for e in heard]


def test_a_stop_breaks_the_look_off(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Other([GB], hangs=threading.Event())
    with following(other, monkeypatch) as (hear, heard, watched, task, host):
        until(lambda: other.asked)
        watched.stop(host)
        until(lambda: other.closed)
        hear(Event("start", task))
        time.sleep(0.05)
    assert (other.stopped, other.asked) == (1, 1)
    assert "progress" not in [e.kind for e in heard]


def test_a_transport_that_cannot_be_had_twice_is_not_watched() -> None:
    plan, _ = planned(SimulatedHost.from_yaml(STATE))
    heard: list[Event] = []
    hear = heard.append
    alone: Transport = Other([])
    with Watched(1).of(plan, alone, hear) as same:
        assert same is hear
