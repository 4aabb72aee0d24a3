"""Plans that were made as one, as one text: host by host, then what waits for which host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.text import Text

from hvctl.core.apply import Report, StepResult
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.core.rounds import Rounds
from hvctl.show.cells import hint

_NAMED = 8
"""Hosts that a headline names."""


def units_of(outcomes: Iterable[Outcome]) -> list[list[Outcome]]:
    """In the order in which the first of each comes; most are one host."""
    known = list(outcomes)
    unit: dict[str, tuple[str, ...]] = {}
    for one in known:
        if one.plan is not None and len(one.plan.facts.others) > 1:
            unit |= dict.fromkeys(one.plan.facts.others, tuple(one.plan.facts.others))
    found: dict[tuple[str, ...], list[Outcome]] = {}
    for one in known:
        found.setdefault(unit.get(one.host, (one.host,)), []).append(one)
    return list(found.values())


def headline(hosts: Sequence[str]) -> Text:
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return Text(", ".join(hosts[:_NAMED]) + more, "bold").append(": planned together", "not bold")


def order_lines(plans: Mapping[str, Plan], width: int) -> Iterator[Text]:
    """The batches that an apply sends if all goes well, where hosts wait for each other; nothing where none does."""
    if not any(s.awaits or s.moves for plan in plans.values() for s in plan.steps):
        return
    yield Text("  In this order:", "bold")
    for number, part in enumerate(_rounds(plans), 1):
        for host, plan in part.items():
            waits = dict.fromkeys(a.host for s in plan.steps for a in s.awaits if a.host != host)
            after = f", after {', '.join(waits)}" if waits else ""
            texts = "; ".join(s.text for s in plan.steps[:3]) + ("; …" if len(plan.steps) > 3 else "")
            yield from hint(f"{number}. on {host}{after}: {texts}", width)
    moved = dict.fromkeys(f"{s.action.key} on {s.action.host}" for p in plans.values() for s in p.steps if s.moves)
    if moved:
        yield from hint(f"then they are read again, and what else is wanted of {', '.join(moved)} is done", width)
    yield Text()


def _rounds(plans: Mapping[str, Plan]) -> Iterator[dict[str, Plan]]:
    rounds = Rounds(plans)
    while part := rounds.next():
        yield part
        for host, one in part.items():
            rounds.heard(host, one, Report(one, tuple(StepResult(s, "ok") for s in one.steps)))
