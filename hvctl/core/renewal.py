"""What is made anew out of what it was: everything of it is planned as of something that is not there, and told as a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hvctl.core.draft import Draft, merged
from hvctl.core.facts import Facts
from hvctl.core.plan import Plan, Restart
from hvctl.core.resource import Entry, Index, Renewal
from hvctl.core.target import WHOLE
from hvctl.text.address import Address


def renewals(drafts: Mapping[Address, Draft], facts: Mapping[str, Facts]) -> dict[Address, Renewal]:
    """Of what is allowed and possible, and of what goes on. Several on one host see each other gone."""
    found: dict[Address, Renewal] = {}
    seen = dict(facts)
    for address, draft in drafts.items():
        if draft.wish.owner is not None or draft.wish.absent or address.host not in seen or draft.seen is None:
            continue
        fields = [line.field for line in draft.action.lines if draft.wish.renews(line.field)]
        if draft.action.verb == "unknown" or any({WHOLE, field} & draft.held for field in fields):
            continue
        one = draft.wish.renewal(seen[address.host])
        if one is not None and (not one.field or one.field in fields):
            found[address], seen[address.host] = one, one.facts
    return {address: replace(one, facts=seen[address.host]) for address, one in found.items()}


def as_one_index(index: Index, renewed: Mapping[Address, Renewal]) -> Index:
    """With each resource that is made anew, and its parts, in the place of what the playbook says of them."""
    entries = list(index.entries)
    for one in index:
        renewal = renewed.get(one.address()) if one.owner is None else None
        if renewal is None:
            continue
        entries[one.seat] = replace(entries[one.seat], resource=renewal.whole)
        own = {(p.kind, p.key().casefold()): p.seat for p in index.parts(one)}
        place = replace(one.place, path=(*one.place.path, renewal.field or "generation"))
        for part in renewal.parts:
            seat = own.get((part.kind, part.key().casefold()))
            if seat is None:
                entries.append(Entry(part, place, one.seat))
            else:
                entries[seat] = replace(entries[seat], resource=part)
    return Index(entries, index.host)


def as_renewed(first: Draft, then: Draft) -> Draft:
    """Told as the change that it is. What holds the making back holds the change back."""
    remarks = merged(first.action.remarks, then.action.remarks)
    if then.action.verb == "create":
        return replace(first, action=replace(first.action, remarks=remarks))
    lines = tuple(replace(line, held="impossible", consent=()) for line in first.action.lines)
    action = replace(then.action, lines=lines, remarks=remarks)
    return replace(first, action=action, steps=())


def with_renewed(plan: Plan, told: Mapping[Address, Draft], drafts: Mapping[Address, Draft]) -> Plan:
    """With the restart that it is for what ran."""
    more = [
        Restart(address, tuple(line.field for line in draft.action.lines), len(drafts[address].steps))
        for address, draft in told.items()
        if address.host == plan.host
        and drafts[address].action.verb == "create"
        and any("restart" in line.impacts for line in draft.action.lines)
    ]
    return replace(plan, restarts=(*plan.restarts, *more))
