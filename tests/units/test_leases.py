"""Leases on the hosts of a unit: taken in one order, checked with each batch, given back; two applies do not mix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from hvctl.call import Batch, Call, Event, Lease, Reply, Task, TransportError
from hvctl.core.outcome import Outcome
from hvctl.fleet.leases import LASTS_S, Leases, holder, is_gone
from hvctl.winrm.protocol import client_name
from mocks.twin import Twin, TwinTransport
from tests.units.test_units import Estate, estate, simulated

__all__ = ["estate"]
OTHER = "sato@ctl02:4711"
DO = Batch((Task("t", Call("Get-VM")),), "change")


def batch(lease: Lease | None = None, *, empty: bool = False) -> Batch:
    return Batch(() if empty else DO.tasks, "change", 60, lease)


def asked(on: TwinTransport, one: Batch) -> str:
    """Why it is refused."""
    try:
        on.run(one)
    except TransportError as error:
        assert error.executed == "no"
        return str(error)
    return ""


@pytest.fixture
def two() -> tuple[TwinTransport, TwinTransport]:
    """Runners of two control nodes on one host."""
    one = TwinTransport(simulated("web01"))
    return one, TwinTransport(one.twin.host, disk=one.twin.disk)


def test_others_are_kept_out_between_batches_too(two: tuple[TwinTransport, TwinTransport]) -> None:
    mine, theirs = two
    assert asked(mine, batch(Lease("a", "take", 60, "tanaka@ctl01:1"), empty=True)) == ""
    told = asked(theirs, batch())
    assert "another apply has taken this host (user" in told
    assert "from tanaka@ctl01:1, since 2026-04-01 00:00:" in told
    assert "until 2026-04-01 00:01:" in told
    assert "has taken" in asked(theirs, batch(Lease("b", "take", 60, OTHER), empty=True))
    assert asked(theirs, Batch(DO.tasks)) == "", "reading is nobody's matter"
    assert asked(mine, batch(Lease("a"))) == ""
    assert "has taken" in asked(mine, batch()), "a batch without it is anybody's"
    assert asked(mine, batch(Lease("a", "release"), empty=True)) == ""
    assert asked(theirs, batch()) == ""


def test_it_runs_out_and_each_batch_renews_it(two: tuple[TwinTransport, TwinTransport]) -> None:
    mine, theirs = two
    mine.run(batch(Lease("a", "take", 60), empty=True))
    clock = mine.twin.host.clock
    for _ in range(3):
        clock.sleep(50)
        assert "has taken" in asked(theirs, batch())
        assert asked(mine, batch(Lease("a", seconds=60))) == ""
    clock.sleep(61)
    assert asked(mine, batch(Lease("a", seconds=60))) == "", "nobody else has taken it meanwhile"
    clock.sleep(61)
    assert asked(theirs, batch(Lease("b", "take", 60, OTHER), empty=True)) == ""
    assert "another apply has taken this host meanwhile: nothing more" in asked(mine, batch(Lease("a")))
    assert theirs.run(batch(Lease("b", "release"), empty=True)) == []
    assert "meanwhile" in asked(mine, batch(Lease("a"))), "whoever had it may have changed the host"


def test_a_release_of_anothers_does_nothing(two: tuple[TwinTransport, TwinTransport]) -> None:
    mine, theirs = two
    mine.run(batch(Lease("a", "take", 60), empty=True))
    theirs.run(batch(Lease("b", "release"), empty=True))
    assert "has taken" in asked(theirs, batch())


def test_what_is_over_is_taken_over(two: tuple[TwinTransport, TwinTransport]) -> None:
    mine, theirs = two
    mine.run(batch(Lease("a", "take", 60), empty=True))
    assert asked(theirs, batch(Lease("b", "take", 60, OTHER, over="a"), empty=True)) == ""
    assert "meanwhile" in asked(mine, batch(Lease("a")))


def test_a_run_of_this_machine_that_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert is_gone(f"{client_name()}:{gone.pid}")
    assert is_gone(holder()), "an earlier apply of this process"
    assert not is_gone(f"{client_name()}:{os.getppid()}")
    assert not is_gone(f"sato@elsewhere:{gone.pid}")
    assert not is_gone("")


def test_a_unit_is_taken_and_given_back(estate: Estate) -> None:
    done = estate.applied()
    assert all(one.report is not None and one.report.complete for one in done.values())
    assert all(wired.inner.twin.disk.lease is None for wired in estate.wired.values())
    leases = {host: [b.lease.do for b in wired.changes if b.lease] for host, wired in estate.wired.items()}
    assert leases == {"hv01": ["keep"], "hv02": ["keep", "keep"], "hv03": []}, "a host by itself needs none"


def leased(twin: Twin, owner: str = OTHER, seconds: float = 600) -> None:
    twin.disk.lease = {"lease": "x", "until": twin._stamp(seconds), "owner": owner, "user": "sato", "pid": 1}


@pytest.mark.parametrize("host", ["hv01", "hv02"])
def test_of_two_applies_one_gets_all_and_the_other_nothing(estate: Estate, host: str) -> None:
    leased(estate.wired[host].inner.twin)
    done = estate.applied()
    other = {"hv01": "hv02", "hv02": "hv01"}[host]
    refused, beside = done[host].report, done[other].report
    assert refused is not None
    assert beside is not None
    assert "another apply has taken" in str(refused.error)
    assert f"planned together with {host}: another apply has taken" in str(beside.error)
    assert not estate.wired["hv01"].changes
    assert not estate.wired["hv02"].changes
    assert estate.wired[other].inner.twin.disk.lease is None, "what was taken is given back"
    assert done["hv03"].report is not None
    assert done["hv03"].report.complete
    estate.wired[host].inner.twin.host.clock.sleep(601)
    again = estate.applied()
    assert all(one.report.complete for one in again.values() if one.report is not None)
    assert all(one.plan is not None and one.plan.in_sync for one in estate.planned().values())


def test_what_a_killed_run_of_this_machine_left_is_taken_over(estate: Estate) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    leased(estate.wired["hv02"].inner.twin, f"{client_name()}:{gone.pid}")
    leased(estate.wired["hv03"].inner.twin, f"{client_name()}:{gone.pid}")  # which needs none itself
    assert all(one.report is not None and one.report.complete for one in estate.applied().values())


def test_one_that_was_lost_between_the_batches_stops_the_rest(estate: Estate) -> None:
    wired = estate.wired["hv02"]
    run = wired.inner.run

    def stolen(one: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        replies = run(one, on_event)
        if one.tasks and one.mode == "change":
            leased(wired.inner.twin)
        return replies

    wired.inner.run = stolen  # type: ignore[method-assign, assignment]
    done = estate.applied()
    report = done["hv02"].report
    assert report is not None
    assert "has taken" in str(report.error)
    assert [r.status for r in report.results].count("ok") == 3
    assert {r.status for r in report.results} == {"ok", "skipped"}


def test_they_are_taken_in_the_order_of_the_computers(estate: Estate) -> None:
    order: list[str] = []

    def watched(name: str, run: Callable[..., list[Reply]], one: Batch, *more: Any) -> list[Reply]:
        if one.lease is not None and one.lease.do == "take":
            order.append(name)
        return run(one, *more)

    for name, wired in estate.wired.items():
        wired.inner.run = partial(watched, name, wired.inner.run)  # type: ignore[method-assign]
    for number, name in enumerate(("hv02", "hv01")):
        estate.wired[name].host.state.name = f"HV{number:02}"
    estate.applied()
    assert order == ["hv02", "hv01"]


def test_what_is_idle_is_renewed_and_what_is_busy_is_not(estate: Estate) -> None:
    with estate.run() as run:
        outcomes: list[Outcome] = run.plan(warm=True)
        leases = Leases(run._hosts)
        assert leases.take({o.host: o.plan for o in outcomes if o.plan is not None and o.host != "hv03"}) == {}
        twins = {name: wired.inner.twin for name, wired in estate.wired.items()}
        for twin in (twins["hv01"], twins["hv02"]):
            twin.host.clock.sleep(100)
        leases.begins(["hv01"])
        leases.renew()
        left = {name: twins[name].disk.lease for name in ("hv01", "hv02")}
        assert left["hv01"] is not None
        assert left["hv02"] is not None
        assert left["hv02"]["until"] == twins["hv02"]._stamp(LASTS_S)
        assert left["hv01"]["until"] < twins["hv01"]._stamp(LASTS_S)
        assert json.loads(json.dumps(left["hv01"]))["owner"] == holder()
        leases.release()
        assert twins["hv01"].disk.lease is None
