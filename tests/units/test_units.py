"""Hosts that are planned together: one plan from the facts of all, steps across hosts, as few batches as that allows."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from weakref import ref

import pytest
from rich.console import Console

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.config.connection import Connection
from hvctl.config.inventory import Host
from hvctl.config.prepare import HostWork
from hvctl.core.facts import Facts
from hvctl.core.outcome import Outcome, exit_status
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plans
from hvctl.core.questions import questions_of
from hvctl.core.resource import Index
from hvctl.core.rounds import Rounds
from hvctl.core.status import DIFFERS, TROUBLE
from hvctl.core.unit import units
from hvctl.fleet import units as fleet_units
from hvctl.fleet.connect import Wire
from hvctl.fleet.reconcile import look_at
from hvctl.fleet.run import Run
from hvctl.kinds.vm import VM
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.units.pair import Needing, Pair, index


@dataclass
class Wired:
    """A host, every batch that reached it, and how it may be lost. `lost_at`: of its change batches, from 1 on."""

    host: SimulatedHost
    away: bool = False
    lost_at: int = 0
    reads: int = 0
    changes: list[Batch] = field(default_factory=list)
    closed: bool = True

    def __post_init__(self) -> None:
        self.inner = TwinTransport(self.host)
        self.requests = 0

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if self.away:
            raise TransportError("connection refused")
        self.closed = False
        if batch.mode == "read":
            self.reads += 1
        if batch.mode == "read" or not batch.tasks:  # about its lease alone
            return self.inner.run(batch, on_event)
        self.changes.append(batch)
        if len(self.changes) == self.lost_at:
            self.inner.run(batch, on_event)
            self.away = True
            raise TransportError("the connection was lost", executed="unknown")
        return self.inner.run(batch, on_event)

    def info(self) -> HostInfo:
        return self.inner.info()

    def stop(self) -> TransportError | None:
        return None

    def close(self) -> None:
        self.closed = True

    def sent(self) -> list[list[str]]:
        return [[str(task.call) for task in batch.tasks] for batch in self.changes]


@dataclass
class Estate:
    """hv01 with two VMs, hv02 with none; and a third that has nothing to do with them."""

    desired: tuple[Index, ...]
    wired: Mapping[str, Wired]
    out: StringIO = field(default_factory=StringIO)

    @contextmanager
    def run(self) -> Iterator[Run]:
        work = [
            HostWork(Host(one.host), Connection(one.host, one.host, 5986, "https", "ntlm"), one) for one in self.desired
        ]
        out, err = (Console(file=file, width=120, markup=False) for file in (self.out, StringIO()))

        def connect(connection: Connection, wire: Wire) -> Any:
            return self.wired[connection.host]

        with Run(
            work, connect, frozenset(), out, err, now=lambda: datetime.now(UTC), pause=lambda seconds: None
        ) as run:
            yield run

    def applied(self, *, recheck: bool = False) -> dict[str, Outcome]:
        with self.run() as run:
            outcomes = run.plan(warm=True)
            done = run.apply(outcomes, recheck=recheck)
            run.showing.reports(done)
        return {one.host: one for one in done}

    def planned(self) -> dict[str, Outcome]:
        with self.run() as run:
            outcomes = run.plan()
            run.showing.plans(outcomes)
        return {one.host: one for one in outcomes}


def simulated(*vms: str) -> SimulatedHost:
    machines = [{"name": name, "generation": 2, "state": "Off", "drives": [], "adapters": []} for name in vms]
    return SimulatedHost.from_yaml({"os": "2022", "vms": machines})


@pytest.fixture
def estate() -> Estate:
    here = index(
        "hv01",
        Pair(name="web01", partner="hv02", text="of web01"),
        Pair(name="web02", partner="hv02", text="of web02"),
        VM(name="web02", automatic_start_action="start"),
    )
    there = index("hv02", VM(name="other", notes="alone"))
    alone = index("hv03", VM(name="far", notes="apart"))
    hosts = {"hv01": simulated("web01", "web02"), "hv02": simulated("other"), "hv03": simulated("far")}
    return Estate((here, there, alone), {name: Wired(host) for name, host in hosts.items()})


def facts_of(estate: Estate, *, without: str = "") -> dict[str, Facts]:
    unit = estate.desired[:2]
    return {
        one.host: look_at(estate.wired[one.host], questions_of(one.host, unit)) for one in unit if one.host != without
    }


def test_hosts_that_are_linked_are_a_unit(estate: Estate) -> None:
    assert [[one.host for one in unit] for unit in units(estate.desired)] == [["hv01", "hv02"], ["hv03"]]
    far = index("hv03", Pair(name="x", partner="nowhere", text="n"))
    assert [[one.host for one in unit] for unit in units((far,))] == [["hv03"]]


def test_steps_carry_their_host_and_needs_cross(estate: Estate) -> None:
    plans = make_plans(estate.desired[:2], facts_of(estate), frozenset())
    here, there = plans["hv01"], plans["hv02"]
    assert [s.task.call.cmdlet for s in here.steps] == ["Set-VM"] * 3
    assert [s.task.call.cmdlet for s in there.steps] == ["Set-VM", *["New-VMSwitch", "Set-VMSwitch"] * 2]
    noted = [s for s in here.steps if s.awaits]
    assert [(a.host, a.text) for s in noted for a in s.awaits] == [
        ("hv02", "make the switch web01"),
        ("hv02", "make the switch web02"),
    ]
    assert {a.action.host for a in there.steps if a.task.call.cmdlet.endswith("Switch")} == {"hv01"}
    assert {a.address.host for a in there.actions} == {"hv02"}


def test_the_fewest_batches_do_it_and_nothing_is_left(estate: Estate) -> None:
    done = estate.applied()
    wired = estate.wired
    assert [len(batch) for batch in wired["hv02"].sent()] == [3, 2]  # what stands alone goes with the first
    assert [len(batch) for batch in wired["hv01"].sent()] == [3]
    assert [len(batch) for batch in wired["hv03"].sent()] == [1]
    assert {host: w.reads for host, w in wired.items()} == {"hv01": 2, "hv02": 2, "hv03": 2}
    assert all(one.report is not None and one.report.complete for one in done.values())
    assert exit_status(done.values(), changes_count=False) == 0
    assert all(one.plan is not None and one.plan.in_sync and not one.plan.steps for one in estate.planned().values())
    assert all(w.closed for w in wired.values())


def test_one_host_that_is_away_makes_unknown_what_rests_on_it_and_no_more(estate: Estate) -> None:
    estate.wired["hv02"].away = True
    done = estate.applied()
    plan = done["hv01"].plan
    assert plan is not None
    told = {str(a.address): [(r.level, r.message) for r in a.remarks] for a in plan.actions}
    assert told["test pair web01"] == [("unknown", "hv02 could not be read")]
    assert told["vm web02"] == []
    assert [[c.split()[0] for c in batch] for batch in estate.wired["hv01"].sent()] == [["Set-VM"]]
    assert done["hv02"].error is not None
    assert done["hv02"].plan is None
    assert done["hv03"].report is not None
    assert done["hv03"].report.complete
    assert exit_status(done.values(), changes_count=False) & TROUBLE
    assert "hv02 could not be read" in estate.out.getvalue()


def test_away_the_other_way_round(estate: Estate) -> None:
    """What is of hv02 alone goes on; nothing is sent to it for a host that could not be read."""
    estate.wired["hv01"].away = True
    done = estate.applied()
    assert done["hv01"].error is not None
    assert [[c.split()[0] for c in batch] for batch in estate.wired["hv02"].sent()] == [["Set-VM"]]


def test_a_step_that_fails_in_the_middle_stops_what_rests_on_it_on_the_other_host(estate: Estate) -> None:
    estate.wired["hv01"].host.failures.add(failure("Set-VM:of=of web01,error=no such luck"))
    done = estate.applied()
    there = done["hv02"].report
    assert there is not None
    skipped = [(r.step.text, r.why) for r in there.results if r.status != "ok"]
    assert skipped == [("note it there", "needs “note it here” on hv01, which failed")]
    assert [len(batch) for batch in estate.wired["hv02"].sent()] == [3, 1]  # the other VM's went through
    assert there.after is not None
    assert exit_status(done.values(), changes_count=False) == DIFFERS + TROUBLE
    again = estate.applied()
    assert all(one.report.complete for one in again.values() if one.report is not None)
    assert all(one.plan is not None and one.plan.in_sync for one in estate.planned().values())


@pytest.mark.parametrize(("host", "batch"), [("hv01", 1), ("hv02", 1), ("hv02", 2)])
def test_a_host_that_is_lost_in_the_middle_doubles_nothing(estate: Estate, host: str, batch: int) -> None:
    estate.wired[host].lost_at = batch
    done = estate.applied()
    report = done[host].report
    assert report is not None
    assert report.error is not None
    assert {r.status for r in report.results} <= {"ok", "unknown", "skipped"}
    told = [r.why for one in done.values() if one.report for r in one.report.results if r.status == "skipped"]
    words = ("may or may not have run", "was not done", "the connection was lost before")
    assert [why for why in told if not any(word in why for word in words)] == []
    assert done["hv03"].report is not None
    assert done["hv03"].report.complete
    estate.wired[host].away, estate.wired[host].lost_at = False, 0
    again = estate.applied()
    assert all(one.plan is not None for one in again.values())
    assert all(one.plan is not None and one.plan.in_sync for one in estate.planned().values())
    made = [c for w in estate.wired.values() for b in w.sent() for c in b if c.startswith("New-VMSwitch")]
    assert len(made) == 2


def test_what_has_changed_since_the_plan_refuses_the_unit_and_nobody_else(estate: Estate) -> None:
    with estate.run() as run:
        outcomes = run.plan(warm=True)
        estate.wired["hv02"].host.invoke("New-VMSwitch", {"Name": "web01", "SwitchType": "Private"})
        done = {one.host: one for one in run.apply(outcomes, recheck=True)}
    assert any("make the switch web01" in line or "New-VMSwitch" in line for line in done["hv02"].changed)
    assert done["hv01"].changed  # its own step no longer waits
    assert not estate.wired["hv01"].changes
    assert not estate.wired["hv02"].changes
    assert done["hv03"].report is not None
    assert done["hv03"].report.complete


def test_a_host_that_is_away_when_its_plan_is_checked_again_takes_its_unit_with_it(estate: Estate) -> None:
    with estate.run() as run:
        outcomes = run.plan(warm=True)
        estate.wired["hv01"].away = True
        done = {one.host: one for one in run.apply(outcomes, recheck=True)}
    here = done["hv01"].report
    assert here is not None
    assert str(here.error) == "connection refused"
    assert done["hv02"].changed == ("it is planned together with hv01, which is not reached",)
    assert not estate.wired["hv02"].changes
    assert done["hv03"].report is not None
    assert done["hv03"].report.complete


def test_a_plan_that_is_checked_again_is_applied_if_nothing_has_changed(estate: Estate) -> None:
    done = estate.applied(recheck=True)
    assert all(one.report is not None and one.report.complete for one in done.values())


def test_what_hvctl_itself_fails_at_after_the_changes_is_told(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    with estate.run() as run:
        outcomes = run.plan(warm=True)

        def broken(*args: object) -> Any:
            raise ZeroDivisionError("no")

        monkeypatch.setattr(fleet_units, "make_plans", broken)
        done = {one.host: one for one in run.apply(outcomes, recheck=False)}
    report = done["hv01"].report
    assert report is not None
    assert report.error is not None
    assert "ZeroDivisionError" in report.error.defect
    assert [r.status for r in report.results] == ["ok"] * 3


def test_what_waits_for_the_same_kind_elsewhere_waits_in_either_order() -> None:
    for first, second in (("hv01", "hv02"), ("hv02", "hv01")):
        here = index("hv01", Needing(name="a", partner="hv02"))
        there = index("hv02", Needing(name="b", impossible=True))
        by_host = {"hv01": here, "hv02": there}
        unit = (by_host[first], by_host[second])
        wired = {host: Wired(simulated()) for host in by_host}
        facts = {h: look_at(wired[h], questions_of(h, unit)) for h in by_host}
        plans = make_plans(unit, facts, frozenset())
        assert not plans["hv01"].steps
        (action,) = plans["hv01"].actions
        assert [r.message for r in action.remarks] == ["waits for test needing b of hv02, which is held back"]


def test_a_host_that_the_run_does_not_have_is_told_as_that(estate: Estate) -> None:
    alone = Estate(estate.desired[:1], estate.wired)
    plan = alone.planned()["hv01"].plan
    assert plan is not None
    told = {str(a.address): [r.message for r in a.remarks] for a in plan.actions}
    assert told["test pair web01"] == ["hv02 is not among the hosts of this run"]


def test_a_stop_between_rounds_begins_no_more(estate: Estate) -> None:
    with estate.run() as run:
        outcomes = run.plan(warm=True)
        wired = estate.wired["hv02"]
        inner = wired.inner.run

        def stopping(batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
            if batch.tasks and batch.mode == "change":
                run._stop._heard(2, None)
            return inner(batch, on_event)

        wired.inner.run = stopping  # type: ignore[method-assign]
        done = {one.host: one for one in run.apply(outcomes, recheck=False)}
    assert not estate.wired["hv01"].changes
    here, there = done["hv01"].report, done["hv02"].report
    assert here is not None
    assert there is not None
    assert {r.status for r in here.results} == {"skipped"}
    assert [r.status for r in there.results].count("ok") == 3
    assert there.stopped


def test_the_plan_says_what_a_host_does_for_another(estate: Estate) -> None:
    estate.planned()
    said = estate.out.getvalue()
    there = said[said.index("hv02  ") :]
    assert "→ for hv01" in there
    assert "make the switch web01" in there
    assert "note it there, after hv01" in there


def plans_of(estate: Estate) -> dict[str, Plan]:
    return make_plans(estate.desired[:2], facts_of(estate), frozenset())


def test_rounds_are_over_when_nothing_can_go(estate: Estate) -> None:
    rounds = Rounds(plans_of(estate))
    first = rounds.next()
    assert list(first) == ["hv02"]
    reports = rounds.reports()
    assert all(report.stopped for report in reports.values())


def test_what_is_desired_of_hosts_is_let_go_as_they_are_told(estate: Estate) -> None:
    """Nothing waits for the collector, which looks through a long check's memory no more than it must."""
    made = [ref(index[0]) for index in estate.desired]
    gc.collect()
    gc.disable()
    try:
        with estate.run() as run:
            outcomes = run.plan(only_told=True)
            assert [one() for one in made] == [None] * 3
    finally:
        gc.enable()
    assert [len(one.plan.actions) for one in outcomes if one.plan] == [3, 1, 1]
