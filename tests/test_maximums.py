"""Maximums count what runs on the host beside the wishes (domain 21)."""

from __future__ import annotations

from typing import Any

import pytest

from hvctl.contract import OS
from hvctl.core.impact import IMPACTS
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

STRANGER = {"generation": 1, "state": "Running", "memory": {"startup": "32MB"}, "drives": [], "adapters": []}


def host(strangers: int, processors: int = 1, os: OS = "2022", *more: dict[str, Any]) -> SimulatedHost:
    """One that runs VMs of which no playbook speaks."""
    others = [{**STRANGER, "name": f"x{n}", "processor": {"count": processors}} for n in range(strangers)]
    data = {"os": os, "logical_processors": 512, "memory": "256GB", "vms": [*others, *more]}
    return SimulatedHost.from_yaml(data)


def planned(host: SimulatedHost, playbook: str, *, apply: bool = True) -> tuple[Plan, list[str]]:
    """The plan and why something of it is held back; what is not held back can be done."""
    found, problems = wished(playbook)
    assert not problems
    transport = TwinTransport(host)
    plan = make_plan(found, look(transport, found), frozenset(IMPACTS))
    if apply:
        report = apply_plan(plan, found, transport)
        assert not isinstance(report, list) and not report.failed
    return plan, [r.message for a in plan.actions for r in a.remarks if r.level != "warning"]


def off(name: str, processors: int = 1, state: str = "Off") -> dict[str, Any]:
    return {**STRANGER, "name": name, "state": state, "processor": {"count": processors}}


def test_a_vm_is_not_started_beside_as_many_as_a_host_runs() -> None:
    playbook = "- vms: [{name: a, state: running}, {name: b, state: running}, {name: c}]"
    plan, why = planned(host(1023, 1, "2012r2", off("a"), off("b")), playbook)
    assert why == ["1,025 VMs would run, 1,023 of them not in the playbook; a host runs 1,024 at most"]
    assert [a.verb for a in plan.actions] == ["update", "held", "create"]
    assert [s.task.call.cmdlet for s in plan.steps if s.task.call.cmdlet == "Start-VM"] == ["Start-VM"]


def test_the_simulated_host_refuses_what_the_plan_would_not_do() -> None:
    full = host(1024, 1, "2022", off("a"))
    outcome = full.invoke("Start-VM", {"Name": ["a"]})
    assert [e.id.partition(",")[0] for e in outcome.errors] == ["OperationFailed"]


def test_what_is_stopped_makes_room() -> None:
    playbook = "- vms: [{name: x0, state: off, stop_method: turn_off}, {name: a, state: running}]"
    _, why = planned(host(32, 64, "2022", off("a", 64)), playbook)
    assert not why


@pytest.mark.parametrize(
    ("playbook", "why"),
    [
        ("{name: a, state: running}", []),
        ("{name: a, state: running, processor: {count: 9}}", ["with it the host would run 2,049 virtual processors; "]),
        ("{name: a, processor: {count: 9}}", []),
        ("{name: new, state: running, processor: {count: 9}}", ["with it the host would run 2,049 virtual processors; "]),
        ("{name: s, processor: {count: 64}}", []),
    ],
)  # fmt: skip
def test_processors_count_with_what_runs(playbook: str, why: list[str]) -> None:
    full = host(255, 8, "2022", off("a", 8), off("s", 1))
    _, told = planned(full, f"- vms: [{playbook}]")
    assert [text.startswith(w) for text, w in zip(told, why, strict=True)] == [True] * len(why), told


def test_a_vm_that_runs_gets_no_more_processors_than_the_host_has_left() -> None:
    full = host(255, 8, "2022", {**STRANGER, "name": "a", "processor": {"count": 8}})
    playbook = "- vms: [{name: a, stop_method: turn_off, processor: {count: 9, weight: 50}}]"
    plan, told = planned(full, playbook)
    assert told == ["with it the host would run 2,049 virtual processors; it runs 2,048 at most"]
    assert [line.field for a in plan.actions for line in a.lines if line.held] == ["count"]


def test_saved_and_stopped_vms_run_nothing() -> None:
    full = host(31, 64, "2022", off("a", 64), off("b", 64), off("s", 64, "Saved"))
    _, told = planned(full, "- vms: [{name: a, state: running}]")
    assert not told


def test_wishes_that_are_too_many_are_told_without_a_host_and_once() -> None:
    many = ", ".join(f"{{name: v{n}, state: running, processor: {{count: 64}}}}" for n in range(33))
    _, told = planned(host(0), f"- vms: [{many}]", apply=False)
    assert told == ["with it 2,112 virtual processors are to run; a host runs 2,048 at most"]
