"""A host that answers one property wrongly: the resource that rests on it is unknown, and nothing else is otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hvctl.call import EACH, Call
from hvctl.config.inventory import Inventory
from hvctl.config.prepare import prepare
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.plan import Action, Plan
from hvctl.core.planner import make_plan
from hvctl.core.resource import Index
from hvctl.core.rows import typed
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import look
from hvctl.kinds import owner_of
from hvctl.text.address import Address
from mocks.garbling import misread, otherwise
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, wished

SOAK = bool(os.environ.get("HVCTL_SOAK"))
EACH_CASE, EACH_LAB = (15, 1_000) if SOAK else (1, 20)
ROOT = Path(__file__).parents[2]
CASES = [c for c in all_cases() if "host" in c.data and "control" not in c.data]
GROUP = 20


@dataclass(frozen=True)
class Base:
    """A host that answers as it should, and what is planned for it."""

    wishes: Index
    facts: Facts

    @cached_property
    def before(self) -> Plan:
        return self.plan()

    def plan(self, call: Call | None = None, number: int = 0, row: Mapping[str, Any] | None = None) -> Plan:
        """With another row in the place of one."""
        facts = self.facts
        if call is not None and row is not None:
            reply = facts.replies[call]
            rows = (*reply.rows[:number], row, *reply.rows[number + 1 :])
            facts = Facts(facts.os, facts.info, {**facts.replies, call: replace(reply, rows=rows)})
        return make_plan(self.wishes, facts, frozenset())


@cache
def of_case(case: Case) -> Base | None:
    wishes, problems = wished(case.playbook, case.data.get("allow", ()))
    if problems or any(p.level == "error" for p in validate(wishes, case.os)):
        return None
    host = SimulatedHost.from_yaml({**(case.data["host"] or {}), "os": case.os})
    return Base(wishes, look(TwinTransport(host), wishes))


@cache
def of_lab(name: str) -> Base:
    inventory = Inventory.load(ROOT / "playbooks" / "inventory.yml")
    found = prepare(inventory, [str(ROOT / "playbooks" / "lab.yml")], learn=lambda secret: None)
    (work,) = [w for w in found.work if w.name == name]
    host = SimulatedHost.from_yaml(ROOT / "mocks" / "hosts" / f"{name}.yaml")
    return Base(work.desired, look(TwinTransport(host), work.desired))


def tried(base: Base, chance: Random) -> list[str]:
    """What is wrong with the plan of a host that answers one property otherwise than it should."""
    places = [(c, n, p) for c, reply in base.facts.replies.items() for n, row in enumerate(reply.rows) for p in row]
    if not places:
        return []
    call, number, name = chance.choice([p for p in places if p[2] != EACH] or places)
    row = base.facts.replies[call].rows[number]
    odd = misread(dict(row), name, chance)
    told = f"{call.cmdlet} row {number} {name}: {str(row[name])[:60]!r} → {str(odd.get(name, 'dropped'))[:60]!r}"
    try:
        return [f"{told}: {wrong}" for wrong in judged(base, call, number, name, odd)]
    except Exception as error:
        return [f"{told}: raised {error!r}"]


def judged(base: Base, call: Call, number: int, name: str, odd: Mapping[str, Any]) -> list[str]:
    before, after = base.before, base.plan(call, number, odd)
    wrong = [f"{a.address} is a defect of hvctl: {r.message}" for a in after.actions for r in a.remarks if r.defect]
    if not unreadable(base, call, number, name, odd):
        return wrong
    row = base.facts.replies[call].rows[number]
    value = otherwise(row[name])
    probe = base.plan(call, number, {**row, name: value}) if value is not None else before
    was, are, would = _actions(before), _actions(after), _actions(probe)
    for address, action in was.items():
        now = are.get(address)
        compared = _done(would.get(address)) != _done(action)
        if now is None:
            # What an owner has beyond its lists cannot be told where its list cannot be read.
            owner = are.get(up) if (up := owner_of(address)) else None
            wrong += [f"{address} is not told"] * (owner is None or owner.verb != "unknown")
        elif compared and now.verb == "none" and not now.lines and not _more(now, action):
            wrong.append(f"{address} is said to be in sync")
        elif (
            _done(now) != _done(action)
            and not compared
            and now.verb not in ("unknown", "held")
            and not _more(now, action)
        ):
            wrong.append(f"{address} is otherwise: {now.verb} {[r.message for r in now.remarks]}")
    # A name that cannot be read is another thing's, where one of that name was found.
    known = _calls(before) | (_calls(probe) if name in ("Name", "FullName") else set())
    return wrong + [f"would do {c}" for c in _calls(after) - known]


def _done(action: Action | None) -> object:
    return action and (action.verb, action.lines)


def unreadable(base: Base, call: Call, number: int, name: str, odd: Mapping[str, Any]) -> bool:
    """Whether hvctl knows that the value is not one that the cmdlet returns."""
    reply = base.facts.replies[call]
    rows = (*reply.rows[:number], odd, *reply.rows[number + 1 :])
    row = typed(base.facts.os, call, replace(reply, rows=rows)).rows[number]
    try:
        row[name]
    except UnreadableError:
        return True
    return False


def _actions(plan: Plan) -> dict[Address, Action]:
    return {a.address: a for a in plan.actions}


def _calls(plan: Plan) -> set[str]:
    return {str(s.task.call) for s in plan.steps}


def _more(now: Action, before: Action) -> bool:
    """That something is said of it that was not said before."""
    return bool(set(now.remarks) - set(before.remarks))


@pytest.mark.parametrize("group", range(0, len(CASES), GROUP))
def test_a_property_that_cannot_be_read_is_told_and_changes_nothing_else(
    group: int, figure: Callable[[str, int], None]
) -> None:
    wrong: list[str] = []
    count = 0
    for case in CASES[group : group + GROUP]:
        base = of_case(case)
        for seed in range(EACH_CASE if base is not None else 0):
            assert base is not None
            found = tried(base, Random(f"{case} {seed}"))
            wrong += [f"{case} {seed}: {w}" for w in found]
            count += 1
    figure("misread rows through a plan", count)
    figure("of them planned wrongly", len(wrong))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["hv01.tokyo", "hv02.osaka"])
def test_a_property_of_a_lab_host_that_cannot_be_read(name: str, figure: Callable[[str, int], None]) -> None:
    base = of_lab(name)
    wrong = [f"{seed}: {w}" for seed in range(EACH_LAB) for w in tried(base, Random(seed))]
    figure("misread rows of the lab through a plan", EACH_LAB)
    figure("of them planned wrongly", len(wrong))
    assert not wrong, "\n".join(wrong)
