"""Desired states and facts → a plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hvctl.call import Task
from hvctl.core.agreed import with_wanted
from hvctl.core.draft import Draft, contracted, drafted, held_back, merged, misread, placed, verdicts
from hvctl.core.drafts import (
    all_waiting,
    bracket_of,
    framed,
    grouped,
    not_half_made,
    not_started,
    not_taken_down,
    part_name,
    part_of_unmade,
    root_of,
    with_unlisted,
)
from hvctl.core.facts import Facts, UnreadHostError
from hvctl.core.impact import Impact
from hvctl.core.order import Group, Placed, arrange, rank
from hvctl.core.plan import Action, Awaited, Plan, PlannedStep, Restart, Searched
from hvctl.core.questions import Beyond, beyond
from hvctl.core.renewal import as_one_index, as_renewed, completed, renewals, with_renewed
from hvctl.core.resource import Index, Renewal, Resource
from hvctl.core.rules import broken_rules
from hvctl.core.target import targets_of
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


def make_plan(desired: Index, facts: Facts, allow: frozenset[Impact]) -> Plan:
    """The plan of one host; pure: equal facts and desired states give an equal plan."""
    return make_plans((desired,), {desired.host: facts}, allow)[desired.host]


def make_plans(unit: Sequence[Index], facts: Mapping[str, Facts], allow: frozenset[Impact]) -> dict[str, Plan]:
    """The plans, by host, of hosts that are planned as one. Those that are not among the facts could not be read: they
    have no plan, and what rests on them is unknown. Steps are made from the target: what is held back is taken out of the
    desired state and the rest is judged again, until nothing more must be held back."""
    if len(unit) > 1 or unit[0].links:
        others = {one.host: facts.get(one.host) for one in unit}
        facts = {host: replace(own, others=others) for host, own in facts.items()}
    unit = [_seated(desired, unit, facts) for desired in unit]
    everything: dict[str, Index] = {}
    unlisted: dict[Address, tuple[Exception, str]] = {}
    searched: dict[Address, list[Searched]] = {}
    for desired in unit:
        more = beyond(desired, facts[desired.host]) if desired.host in facts else Beyond()
        everything[desired.host] = desired.with_more(more.unwanted)
        unlisted |= more.unlisted
        searched |= more.searched
    before, drafts = facts, _settled(everything, facts, allow)
    renewed, unknown = renewals(everything, drafts, facts)
    if renewed:
        first = drafts
        drafts, facts = _renewed(everything, renewed, facts, allow)
        drafts = completed(first, drafts, renewed)
    drafts |= unknown
    drafts = framed(with_unlisted(not_started(drafts), unlisted), facts)
    told = {a: as_renewed(first[a], drafts[a], r) for a, r in renewed.items() if r.field}
    groups = grouped(drafts.values(), facts)
    steps = _planned(arrange(groups), facts)
    declared = {wish.address(): (wish, tuple(searched.get(wish.address(), ()))) for one in unit for wish in one}
    of_host: dict[str, list[Group]] = {host: [] for host in everything}
    for group in groups:
        of_host[group.root.address().host].append(group)
    elsewhere = _elsewhere(unit, before) if len(unit) > 1 else {}
    plans = {
        host: with_renewed(_plan_of(host, own, {**drafts, **told}, declared, steps[host], before, allow), told, drafts)
        for host, own in of_host.items()
        if host in facts
    }
    return {
        host: replace(plan, elsewhere=tuple(dict.fromkeys(elsewhere.get(host, ())))) for host, plan in plans.items()
    }


def _elsewhere(unit: Sequence[Index], facts: Mapping[str, Facts]) -> dict[str, list[tuple[str, Address]]]:
    """By host, what is planned on another one."""
    found: dict[str, list[tuple[str, Address]]] = {one.host: [] for one in unit}
    for one in unit:
        for host, root in one.away:
            found[one.host].append((host, replace(root.address(), host=host)))
        for root in one if one.host in facts else ():
            for host in _not_on(root, facts[one.host]) if root.owner is None else ():
                found.setdefault(host, []).append((one.host, root.address()))
    return found


def _not_on(root: Resource, facts: Facts) -> tuple[str, ...]:
    """None where that cannot be read."""
    try:
        return root.not_on(facts)
    except Exception:
        return ()


def _settled(
    everything: Mapping[str, Index], facts: Mapping[str, Facts], allow: frozenset[Impact]
) -> dict[Address, Draft]:
    ordered = sorted((wish for index in everything.values() for wish in index), key=rank)
    linked = any(index.links for index in everything.values())
    drafts: dict[Address, Draft] = {}
    while True:
        held = held_back(drafts)
        goals = targets_of(everything, held, linked=linked)
        drafts = _judged(ordered, goals, drafts, facts, allow)
        if held_back(drafts) == held:
            return drafts


def _renewed(
    everything: Mapping[str, Index],
    renewed: Mapping[Address, Renewal],
    facts: Mapping[str, Facts],
    allow: frozenset[Impact],
) -> tuple[dict[Address, Draft], Mapping[str, Facts]]:
    """Judged again, with what is made anew as something that is not there."""
    indexes = {host: as_one_index(index, renewed) for host, index in everything.items()}
    facts = {**facts, **{address.host: one.facts for address, one in renewed.items()}}
    return _settled(indexes, facts, allow), facts


def _seat_of(one: Resource, facts: Facts) -> str:
    """ "" also where that cannot be read: then every host says so of it."""
    try:
        return one.seat_of(facts)
    except Exception:
        return ""


def _seated(desired: Index, unit: Sequence[Index], facts: Mapping[str, Facts]) -> Index:
    """Without what is written for several hosts and planned on another one, where it is written too."""
    if desired.host not in facts:
        return desired
    own = facts[desired.host]
    roots = [(seat, one) for one in desired if one.owner is None and (seat := _seat_of(one, own))]
    if not roots:
        return desired
    written = {(one.host, type(root), root.key().casefold()) for one in unit for root in one if root.owner is None}
    return desired.less(
        (seat, one)
        for seat, one in roots
        if seat != desired.host and (seat, type(one), one.key().casefold()) in written
    )


def _plan_of(
    host: str,
    groups: Sequence[Group],
    drafts: Mapping[Address, Draft],
    declared: Mapping[Address, tuple[Resource, tuple[Searched, ...]]],
    steps: tuple[PlannedStep, ...],
    facts: Mapping[str, Facts],
    allow: frozenset[Impact],
) -> Plan:
    own = facts[host]
    restarts = {g.root.address(): found for g in groups if (found := _restart(g, drafts, facts))}
    doubts = {g.root.address(): _doubts(g, facts) for g in groups if g.root.address() in restarts}
    actions = []
    for address in (wish.address() for g in groups for wish, _, _ in g.members):
        action = _doubted(drafts[address], facts, doubts.get(address, ()))
        if address in declared:
            action = with_wanted(action, declared[address][0], drafts[address], own, declared[address][1])
        actions.append(action)
    return Plan(host, own.os, own.info, tuple(actions), steps, tuple(restarts.values()), own, allow)


def _judged(
    desired: Sequence[Resource],
    goals: Mapping[str, Index],
    before: Mapping[Address, Draft],
    facts: Mapping[str, Facts],
    allow: frozenset[Impact],
) -> dict[Address, Draft]:
    """`before`: the drafts of the pass that took out less."""
    broken: dict[Address, list[Diagnostic]] = {}
    by_host: dict[str, list[Resource]] = {}
    for wish in desired:
        host = wish.address().host
        by_host.setdefault(host, []).append(goals[host][wish.seat])
    for host, own in by_host.items():
        if host in facts:
            for target, found in broken_rules(tuple(own), facts[host].os):
                broken.setdefault(target.address(), []).append(found)
    drafts: dict[Address, Draft] = {}
    for wish in desired:
        address = wish.address()
        target, known = goals[address.host][wish.seat], broken.get(address, [])
        if (unmade := part_of_unmade(wish, target, before)) is not None:
            drafts[address] = unmade
        elif address.host in facts:
            draft = drafted(wish, target, before.get(address), known, facts[address.host], allow | wish.place.allow)
            drafts[address] = contracted(draft, facts)
        else:
            action = Action(address, wish.title(), "unknown", wish.place.mark(), file=wish.file)
            drafts[address] = misread(target, action, UnreadHostError(address.host))
    return not_half_made(not_taken_down(all_waiting(drafts), facts))


def _restart(group: Group, drafts: Mapping[Address, Draft], facts: Mapping[str, Facts]) -> Restart | None:
    """Why it goes down: the fields that need it, and what is created or removed for which it must be off."""
    because: list[str] = []
    waiting: list[str] = []
    during = 0
    for wish, _, steps in group.members:
        off = {name for step in steps if step.off for name in step.because}
        needed = any(step.off for step in steps)
        during += (len(off) or 1) if needed else 0
        for line in drafts[wish.address()].action.lines:
            if "restart" in line.impacts and not line.held:
                name = f"{wish.section}.{line.field}" if wish.owner and line.field else line.field
                name = name or part_name(wish)
                if "restart" in line.consent:
                    waiting.append(name)
                elif needed and not line.consent:
                    because.append(name)
    if group.bracket is not None and during:
        return Restart(group.root.address(), tuple(dict.fromkeys(because)), during, bool(group.bracket.start))
    bracket = bracket_of(group.root, facts) if waiting and not group.root.absent else None
    if bracket is None:
        return None
    return Restart(group.root.address(), tuple(dict.fromkeys(waiting)), len(waiting), bool(bracket.start), blocked=True)


def _doubts(group: Group, facts: Mapping[str, Facts]) -> tuple[Diagnostic, ...]:
    """Why taking it down may fail; also told before it is allowed."""
    bracket = group.bracket or bracket_of(group.root, facts)
    return bracket.doubts if bracket is not None else ()


def _planned(order: Sequence[Placed], facts: Mapping[str, Facts]) -> dict[str, tuple[PlannedStep, ...]]:
    """By the host that each runs on, numbered there."""
    hosts = {id(step): step.host or wish.address().host for step, wish, _ in order}
    counts: Counter[str] = Counter()
    ids: dict[int, str] = {}
    for step, _, _ in order:
        counts[hosts[id(step)]] += 1
        ids[id(step)] = f"s{counts[hosts[id(step)]]}"
    found: dict[str, list[PlannedStep]] = {host: [] for host in facts}
    for step, wish, needs in order:
        host = hosts[id(step)]
        known = [n for n in dict.fromkeys(needs) if id(n) in ids]
        here = tuple(dict.fromkeys(ids[id(n)] for n in known if hosts[id(n)] == host))
        there = tuple(Awaited(hosts[id(n)], ids[id(n)], n.text) for n in known if hosts[id(n)] != host)
        task = Task(
            ids[id(step)], step.call, here, step.guard, step.job, step.limit_s, step.retry, step.instead, step.watch
        )
        frame = step.when in ("first", "last")
        last = step.when == "closing" or root_of(wish).absent
        found[host].append(
            PlannedStep(
                task,
                step.text,
                wish.address(),
                step.because,
                frame,
                step.resumes,
                there,
                last,
                root_of(wish).address(),
                step.moves,
                step.reaches,
                step.leads_on,
            )
        )
    return {host: tuple(steps) for host, steps in found.items()}


def _doubted(draft: Draft, facts: Mapping[str, Facts], doubts: tuple[Diagnostic, ...]) -> Action:
    """With what is not known of its calls: whether this version takes them, whether its owner goes down."""
    told = [
        Diagnostic(draft.action.mark, f"{call.cmdlet}: {verdict.reason}", "", "warning", address=draft.action.address)
        for step in draft.steps
        for call, verdict in verdicts(step, facts[step.host or draft.action.address.host].os)
    ]
    if not (draft.action.remarks or doubts or told):
        return draft.action
    remarks = merged(draft.action.remarks, (*placed(draft.wish, doubts), *told))
    return replace(draft.action, remarks=tuple(replace(r, address=draft.action.address) for r in remarks))
