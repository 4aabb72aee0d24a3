"""What a plan file keeps of its plans for people: to be shown, never to be run or compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from hvctl.call import HostInfo, Task, from_json
from hvctl.contract import OS
from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.core.plan import Action, Awaited, Plan, PlannedStep, Restart
from hvctl.text.address import Address


@dataclass(frozen=True)
class ShownStep:
    """What the steps that are compared do not say of themselves."""

    text: str
    action: Address
    because: tuple[str, ...] = ()
    frame: bool = False
    resumes: bool = False
    awaits: tuple[Awaited, ...] = ()
    last: bool = False
    moves: bool = False


@dataclass(frozen=True)
class Shown:
    """`together`: the hosts that it is planned together with, its own among them."""

    os: OS
    info: HostInfo
    actions: tuple[Action, ...]
    restarts: tuple[Restart, ...]
    steps: tuple[ShownStep, ...]
    together: tuple[str, ...] = ()


_SHOWN: TypeAdapter[Shown] = TypeAdapter(Shown)


def shown_data(plan: Plan) -> Any:
    """As JSON. Of files only what they are."""
    steps = (ShownStep(s.text, s.action, s.because, s.frame, s.resumes, s.awaits, s.last, s.moves) for s in plan.steps)
    actions = (
        replace(a, wanted=(), searched=(), noted=None, there=None, file=a.file and replace(a.file, content=None))
        for a in plan.actions
    )
    others = tuple(plan.facts.others)
    together = others if len(others) > 1 else ()
    shown = Shown(plan.os, plan.info, tuple(actions), plan.restarts, tuple(steps), together)
    return _SHOWN.dump_python(shown, mode="json", exclude_defaults=True)


def shown_plan(host: str, data: Any, steps: Sequence[Any], allow: frozenset[Impact]) -> Plan:
    """The plan, of the very steps that an apply compares with. Raises ValueError for what is none."""
    shown = _SHOWN.validate_python(data)
    if len(shown.steps) != len(steps):
        raise ValueError(f"{len(shown.steps)} of {len(steps)} steps are described")
    made = tuple(
        PlannedStep(_task(step), s.text, s.action, s.because, s.frame, s.resumes, s.awaits, s.last, moves=s.moves)
        for s, step in zip(shown.steps, steps, strict=True)
    )
    facts = Facts(shown.os, shown.info, {}, others=dict.fromkeys(shown.together))
    return Plan(host, shown.os, shown.info, shown.actions, made, shown.restarts, facts, allow)


def _task(step: Any) -> Task:
    body = {k: v for k, v in step.items() if k not in ("resource", "awaits")} if isinstance(step, Mapping) else {}
    found = from_json({"$task": body})
    if not isinstance(found, Task):
        raise ValueError("a step is not a task")
    return found
