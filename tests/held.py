"""A plan made again as if what it holds back had never been written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from hvctl.core.plan import Plan
from hvctl.core.resource import Entry, Index, Resource
from hvctl.text.address import Address


def held_back(plan: Plan) -> dict[Address, set[str]]:
    """Fields of what the plan shows as undone; "" for all of it."""
    found: dict[Address, set[str]] = {}
    for action in plan.actions:
        if action.verb in ("held", "later", "accepted", "unknown"):
            found[action.address] = {""}
        else:
            barred = {r.mark for r in action.remarks if r.level in ("impossible", "later")}
            fields = {line.field for line in action.lines if line.consent or line.accepted or line.mark in barred}
            if fields:
                found[action.address] = fields
    return found


def never_written(desired: Index, plan: Plan) -> Index:
    """The desired state without what is held back, made by hand and not by the planner."""
    held = held_back(plan)
    absent = {
        a.address
        for a in plan.actions
        if a.verb in ("held", "later", "accepted", "unknown") and not _exists(a.address, plan)
    }
    stays = {w.address() for w in desired if w.absent and w.address() in held}
    kept = only(desired, lambda w: not any(one.address() in absent | stays for one in _line_of(w)))
    return kept.mapped(lambda w, e: replace(e, resource=_without(w, held.get(w.address(), set()))))


def only(desired: Index, chosen: Callable[[Resource], bool]) -> Index:
    """Those, with what they sit within."""
    kept: dict[int, int] = {}
    entries: list[Entry] = []
    for one, entry in zip(desired, desired.entries, strict=True):
        if (entry.owner is None or entry.owner in kept) and chosen(one):
            kept[one.seat] = len(entries)
            entries.append(replace(entry, owner=None if entry.owner is None else kept[entry.owner]))
    return Index(entries, desired.host)


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


def sent(plan: Plan, but: frozenset[Address] = frozenset()) -> list[str]:
    """`but`: of these nothing, save what frames the steps of others."""
    return sorted(str(s.task.call) for s in plan.steps if s.frame or s.action not in but)


def held_whole(plan: Plan) -> frozenset[Address]:
    """What it is known by stays in `never_written`: a name that it is to have, and had another."""
    return frozenset(address for address, fields in held_back(plan).items() if "" in fields)
