"""A plan that is made a second time: whether it does the same as the first, and what it does otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from hvctl.call import Staged, to_json
from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.core.plan import Plan, PlannedStep
from hvctl.core.planner import make_plans
from hvctl.core.resource import Index

OLDEST = timedelta(days=31)
"""The clock that a plan was made by is put back for so long and no longer."""
AHEAD = timedelta(minutes=5)
"""Clocks of hosts are set."""
_TOLD = 20
"""Lines of differences, of one host."""
_WIDE = 80
"""Of a value that is shown."""


@dataclass(frozen=True)
class First:
    """What is kept of the plan that was made first. `steps`: as JSON. `computer`: that it was made for. `user`: steps may
    bear the account's name. Either may be "", not known. `time`: by the host's clock, if anything rests on that."""

    computer: str
    user: str
    time: str | None
    allow: frozenset[Impact]
    steps: Sequence[Any]

    @classmethod
    def of(cls, plan: Plan) -> First:
        return cls(plan.info.computer, plan.info.user, plan.facts.time, plan.allow, steps_data(plan))


def steps_data(plan: Plan) -> list[Any]:
    """The steps as JSON: all that decides what runs on the host; files by their hashes."""
    return [{"resource": list(s.action.words), **to_json(_hashed(s.task))["$task"], **_awaited(s)} for s in plan.steps]


def _awaited(step: PlannedStep) -> dict[str, Any]:
    return {"awaits": [[a.host, a.task] for a in step.awaits]} if step.awaits else {}


def replanned(desired: Index, facts: Facts, first: First) -> tuple[Plan, list[str]]:
    """The plan that these facts give, at the time of the first; and what it does otherwise, one line each. Facts
    that change neither steps nor verdicts do not matter."""
    host = desired.host
    return replanned_together((desired,), {host: facts}, {host: first})[host]


def replanned_together(
    unit: Sequence[Index], facts: Mapping[str, Facts], firsts: Mapping[str, First]
) -> dict[str, tuple[Plan, list[str]]]:
    """Of hosts that are planned as one, each at the time of its first plan. `facts`: of those that could be read."""
    allow = next(iter(firsts.values())).allow
    then = {h: own.at(firsts[h].time) if h in firsts else own for h, own in facts.items()}
    users = {h: firsts[h].user if h in firsts else own.info.user for h, own in facts.items()}
    as_signed = {
        h: replace(own, info=replace(own.info, user=users[h])) if users[h] not in ("", own.info.user) else own
        for h, own in then.items()
    }
    plans = make_plans(unit, then, allow)
    signed = plans if all(as_signed[h] is then[h] for h in then) else make_plans(unit, as_signed, allow)
    present = plans if all(then[h] is facts[h] for h in facts) else make_plans(unit, facts, allow)
    found: dict[str, tuple[Plan, list[str]]] = {}
    for host, first in firsts.items():
        if host not in facts:
            continue
        if wrong := list(_no_longer_meant(facts[host], first)):
            found[host] = present[host], wrong
            continue
        changed = list(differences(first.steps, signed[host])) or list(_overtaken(plans[host], present[host]))
        if len(changed) > _TOLD:
            changed = [*changed[:_TOLD], f"and {len(changed) - _TOLD} more"]
        found[host] = plans[host], changed
    return found


def _no_longer_meant(facts: Facts, first: First) -> Iterator[str]:
    """Another computer, or a time too far from that of the host."""
    if first.computer.casefold() not in ("", facts.info.computer.casefold()):
        yield f"the plan was made for the computer {first.computer}; {facts.info.computer} answers"
    then, now = _moment(first.time), _moment(facts.time)
    if then is None or now is None:
        return
    if then > now + AHEAD:
        yield f"the plan was made at {then:%Y-%m-%d %H:%M}Z, and the host's clock says {now:%Y-%m-%d %H:%M}Z"
    elif now - then > OLDEST:
        yield f"the plan was made on {then:%Y-%m-%d}, more than {OLDEST.days} days ago by the host's clock"


def _moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)[:19]).replace(tzinfo=UTC)
    except ValueError:
        return None


def _overtaken(plan: Plan, present: Plan) -> Iterator[str]:
    """What is done by the first's time, and by now has to wait: a window has closed."""
    for action in present.actions:
        then, now = ([s.task.call.cmdlet for s in p.steps if s.action == action.address] for p in (plan, present))
        if then != now:
            yield from (f"{action.address}: {r.message}" for r in action.remarks if r.level == "later")


def differences(before: Sequence[Any], plan: Plan) -> Iterator[str]:
    """Step by step. `before` may hold any JSON: it is compared and shown, never run."""
    now = steps_data(plan)
    if list(before) == now:
        return
    old, new = ([_unnumbered(step) for step in side] for side in (before, now))
    found = False
    matcher = SequenceMatcher(None, [_word(s) for s in old], [_word(s) for s in new], autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            continue
        for i, j in zip_longest(range(a, b), range(c, d)):
            found = True
            if j is None:
                yield f"step {i + 1} of the plan is not needed now: {_call_of(old[i])}"
            elif i is None:
                yield f"a step is needed that is not in the plan: {plan.steps[j].text}: {_call_of(new[j])}"
            else:
                yield f"step {i + 1} of the plan, now {plan.steps[j].text}: {_changes(old[i], new[j])}"
    if not found:
        yield "the steps are the same, and rest on others than in the plan"


def _unnumbered(step: Any) -> Any:
    """Without what follows from its place among the others."""
    return {k: v for k, v in step.items() if k not in ("id", "needs")} if isinstance(step, Mapping) else step


def _changes(old: Any, new: Any) -> str:
    before, now = _flat(old), _flat(new)
    keys = [k for k in {**before, **now} if before.get(k) != now.get(k) or (k in before) != (k in now)]
    return ", ".join(f"{k} {_turned(str(before.get(k, 'none')), str(now.get(k, 'none')))}" for k in keys)


def _turned(old: str, new: str) -> str:
    """Of long texts, what differs and a little before."""
    differs = next((n for n, (a, b) in enumerate(zip_longest(old, new)) if a != b), 0)
    cut = max(0, differs - 20) if max(len(old), len(new)) > _WIDE else 0
    return " → ".join(_cut("…" * bool(cut) + text[cut:]) for text in (old, new))


def _call_of(step: Any) -> str:
    """For people: the cmdlet and what it is given."""
    flat = _flat(step.get("call") if isinstance(step, Mapping) else step)
    given = (f"{k} {_cut(v)}" for k, v in flat.items() if k != "cmdlet" and not k.endswith(".cmdlet"))
    return f"{_cut(flat.get('cmdlet', 'no cmdlet'))} ({', '.join(given)})"


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """The values by their dotted names; the wrappers of types and of parameters are left out."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            hidden = str(key).startswith("$") or key in ("call", "params")
            found |= _flat(inner, name if hidden else f"{name}.{key}".lstrip("."))
        return found
    if isinstance(value, list | tuple) and all(isinstance(v, str | int | float) for v in value):
        return {name: ", ".join(str(v) for v in value)}
    if isinstance(value, list | tuple):
        return {k: v for n, inner in enumerate(value) for k, v in _flat(inner, f"{name}.{n}".lstrip(".")).items()}
    return {name: value}


def _hashed(value: Any) -> Any:
    """With files by their hashes alone: where one comes from does not make a step another one, nor need it be said."""
    if isinstance(value, Staged):
        return Staged(value.sha256, value.size, "")
    if isinstance(value, Mapping):
        return {name: _hashed(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(_hashed(inner) for inner in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _hashed(getattr(value, f.name)) for f in fields(value)})
    return value


def _word(step: Any) -> str:
    return json.dumps(step, sort_keys=True)


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 1]}…"
