"""What the plan shows as held back is in nothing that is sent: every case, with few consents and many, is planned again
as if what is held back had never been written, and must give the same steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hvctl.plan import Plan, make_plan
from hvctl.reconcile import look
from hvctl.resource import IMPACTS, Address, Impact, Resource
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, wished

CONSENTS: tuple[frozenset[Impact], ...] = (
    frozenset(),
    *(frozenset({word}) for word in IMPACTS[1:]),
    frozenset({"disconnect", "restart"}),
    frozenset(IMPACTS),
)


def held_back(plan: Plan) -> dict[Address, set[str]]:
    """Fields of what the plan shows as undone; "" for all of it."""
    found: dict[Address, set[str]] = {}
    for action in plan.actions:
        if action.verb in ("held", "later", "unknown"):
            found[action.address] = {""}
        else:
            barred = {r.mark for r in action.remarks if r.level in ("impossible", "later")}
            fields = {line.field for line in action.lines if line.consent or line.mark in barred}
            if fields:
                found[action.address] = fields
    return found


def never_written(wishes: Sequence[Resource], plan: Plan) -> tuple[Resource, ...]:
    """The desired state without what is held back, made by hand and not by the planner."""
    held = held_back(plan)
    absent = {
        a.address for a in plan.actions if a.verb in ("held", "later", "unknown") and not _exists(a.address, plan)
    }
    stays = {w.address() for w in wishes if w.absent and w.address() in held}
    kept = [w for w in wishes if not any(one.address() in absent | stays for one in _line_of(w))]
    copies = {id(w): _without(w, held.get(w.address(), set())) for w in kept}
    for wish in kept:
        copies[id(wish)].relinked(
            None if wish.owner is None else copies[id(wish.owner)],
            tuple(copies[id(p)] for p in wish.parts if id(p) in copies),
            tuple(copies[id(p)] for p in wish.peers if id(p) in copies),
        )
    return tuple(copies[id(w)] for w in kept)


def _line_of(wish: Resource) -> Iterator[Resource]:
    yield wish
    if wish.owner is not None:
        yield from _line_of(wish.owner)


def _exists(address: Address, plan: Plan) -> bool:
    action = next(a for a in plan.actions if a.address == address)
    return not any(line.now == "absent" for line in action.lines) and bool(action.lines)


def _without(wish: Resource, fields: set[str]) -> Resource:
    if fields == {""}:
        return wish.without(list(wish.wanted()))
    return wish.without(sorted(fields))


def sent(plan: Plan) -> list[str]:
    return sorted(str(s.task.call) for s in plan.steps)


@pytest.mark.parametrize("case", [c for c in all_cases() if "host" in c.data], ids=str)
def test_steps_come_from_nothing_that_is_held_back(case: Case) -> None:
    with TemporaryDirectory() as folder:
        for name, text in case.data.get("control", {}).items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text, encoding="utf-8")
        wishes, problems = wished(case.playbook, (), folder)
        if problems:
            return
        host = SimulatedHost.from_yaml({**(case.data["host"] or {}), "os": case.os})
        transport = TwinTransport(host)
        facts = look(transport, wishes)
        transport.close()
        for allow in CONSENTS:
            plan = make_plan("host", wishes, facts, allow)
            again = make_plan("host", never_written(wishes, plan), facts, allow)
            assert sent(plan) == sent(again), sorted(allow)
