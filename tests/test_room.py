"""How many hosts at a time, where nobody has said it: more while hosts are waited for, none while there is work enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from hvctl.config.connection import Connection
from hvctl.config.inventory import Host
from hvctl.config.prepare import HostWork
from hvctl.core.resource import Entry, Index, Place
from hvctl.fleet import hosts
from hvctl.fleet.forks import MOST_FORKS, Room, SideBySide
from hvctl.fleet.run import Run
from hvctl.fleet.stop import Stop
from hvctl.kinds.vm import VM
from hvctl.text.source import Document
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport


class Machine:
    """A clock, and the CPU that was used by then."""

    def __init__(self) -> None:
        self.now = self.used = 0.0

    def passes(self, seconds: float, busy: float) -> None:
        self.now += seconds
        self.used += seconds * busy

    def room(self, most: int) -> Room:
        return Room(most, lambda: self.used, lambda: self.now)


def test_while_hosts_are_waited_for_there_are_more_of_them() -> None:
    machine = Machine()
    room, forks = machine.room(64), [16]
    for _ in range(6):
        machine.passes(1.1, busy=0.2)
        forks.append(room.after(forks[-1]))
    assert forks == [16, 32, 64, 64, 64, 64, 64]


def test_while_one_core_is_busy_there_are_no_more() -> None:
    machine = Machine()
    room = machine.room(64)
    machine.passes(5, busy=0.95)
    assert room.after(16) == 16
    machine.passes(0.2, busy=0.0)
    assert room.after(16) == 16, "too short to be told"
    machine.passes(5, busy=0.1)
    assert room.after(16) == 32, "what was before does not count"


def test_what_the_user_said_is_never_exceeded() -> None:
    machine = Machine()
    room = machine.room(16)
    machine.passes(60, busy=0.0)
    assert room.after(16) == 16


def most_at_once(most: int) -> int:
    lock, now, highest = threading.Lock(), 0, 0

    def look() -> None:
        nonlocal now, highest
        with lock:
            now += 1
            highest = max(highest, now)
        time.sleep(0.4)
        with lock:
            now -= 1

    looks = SideBySide([(f"hv{n}", look) for n in range(20)], 2, most=most, cpu=lambda: 0.0)
    assert len(list(looks)) == 20
    return highest


def test_hosts_that_only_take_time_are_looked_at_side_by_side() -> None:
    assert most_at_once(0) == 2
    assert 3 <= most_at_once(6) <= 6


def two_hosts() -> tuple[dict[str, SimulatedHost], list[HostWork]]:
    """On the first there is nothing to do."""
    made: dict[str, SimulatedHost] = {}
    work: list[HostWork] = []
    for name, notes in (("hv01", "new"), ("hv02", "")):
        vm = {"name": "web01", "generation": 2, "state": "Off", "notes": notes}
        made[name] = SimulatedHost.from_yaml({"os": "2022", "name": name, "vms": [vm]})
        wish = Entry(VM(name="web01", notes="new"), Place(Document(None, {}, {}, "p.yml"), ()))
        work.append(HostWork(Host(name), Connection(name, name, 5986, "https", "ntlm"), Index([wish], name)))
    return made, work


def run_of(simulated: Mapping[str, SimulatedHost], work: Sequence[HostWork], forks: int | None) -> Run:
    quiet = Console(quiet=True)
    return Run(
        work, lambda connection, wire: TwinTransport(simulated[connection.name]), frozenset(), quiet, quiet, forks=forks,
        now=lambda: datetime.now(UTC),
    )  # fmt: skip


def test_of_a_host_on_which_an_apply_has_nothing_to_do_only_what_is_told_is_kept() -> None:
    simulated, work = two_hosts()
    with run_of(simulated, work, None) as run:
        in_sync, differing = run.plan(warm=True, only_done=True)
        assert in_sync.plan is not None
        assert differing.plan is not None
        assert len(in_sync.plan.facts.replies) < len(differing.plan.facts.replies)
        assert [len(run._hosts.work[name].desired) for name in ("hv01", "hv02")] == [0, 1]
        as_before, done = run.apply([in_sync, differing], recheck=True)
    assert as_before is in_sync
    assert done.report is not None
    assert (done.report.failed, done.report.undone) == (False, False)
    assert simulated["hv02"].state.vms[0].notes == "new"
    with run_of(simulated, two_hosts()[1], None) as run:
        whole = run.plan(warm=True)[0]
    assert whole.plan is not None
    assert whole.plan == replace(in_sync.plan, facts=whole.plan.facts)


@pytest.mark.parametrize(("said", "looking"), [(None, MOST_FORKS), (5, 0)])
def test_hosts_that_are_only_looked_at_are_more_at_a_time(
    said: int | None, looking: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An apply before it changes anything too; not so what is changed, or is to be."""
    asked: list[tuple[str, int]] = []
    simulated, work = two_hosts()

    class Watched(SideBySide[Any]):
        def __init__(self, work: Any, forks: int, stop: Stop | None = None, *, most: int = 0, **more: Any) -> None:
            asked.append((doing, most))
            super().__init__(work, forks, stop, most=most, **more)

    monkeypatch.setattr(hosts, "SideBySide", Watched)
    with run_of(simulated, work, said) as run:
        doing = "look"
        found = run.plan(warm=True)
        run.ask("reading meters", lambda name, transport: name)
        doing = "change"
        run.ask("resetting meters", lambda name, transport: name, keep=True)
        run.apply(found, recheck=False)
        doing = "close"
    assert simulated["hv02"].state.vms[0].notes == "new"
    assert [most for what, most in asked if what == "look"] == [looking, looking]
    assert {most for what, most in asked if what == "change"} == {0}
