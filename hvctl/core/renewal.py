"""What is made anew out of what it was: everything of it is planned as of something that is not there, and told as a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hvctl.core.draft import Draft, merged, misread
from hvctl.core.facts import Facts
from hvctl.core.plan import Plan, Restart
from hvctl.core.resource import Entry, Index, Renewal
from hvctl.core.target import WHOLE
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


def renewals(
    desired: Mapping[str, Index], drafts: Mapping[Address, Draft], facts: Mapping[str, Facts]
) -> tuple[dict[Address, Renewal], dict[Address, Draft]]:
    """Of what is allowed and possible, and of what goes on, as desired: what a part may not change now, it is made with.
    Several on one host see each other gone. And the drafts of what could not be told, and of its parts."""
    found: dict[Address, Renewal] = {}
    failed: dict[Address, Draft] = {}
    seen = dict(facts)
    for address, draft in drafts.items():
        if draft.wish.owner is not None or draft.wish.absent or address.host not in seen or draft.seen is None:
            continue
        fields = [line.field for line in draft.action.lines if draft.wish.renews(line.field)]
        if draft.action.verb == "unknown" or any({WHOLE, field} & draft.held for field in fields):
            continue
        try:
            one = desired[address.host][draft.wish.seat].renewal(seen[address.host])
        except Exception as error:
            failed[address] = misread(draft.wish, draft.action, error)
            failed |= {a: _held(d, keep=False) for a, d in drafts.items() if _owner(d) == address}
            continue
        if one is not None and (not one.field or one.field in fields):
            found[address], seen[address.host] = one, one.facts
    return {address: replace(one, facts=seen[address.host]) for address, one in found.items()}, failed


def _owner(draft: Draft) -> Address | None:
    return draft.wish.owner.address() if draft.wish.owner is not None else None


def as_one_index(index: Index, renewed: Mapping[Address, Renewal]) -> Index:
    """With each resource that is made anew, and its parts, in the place of what the playbook says of them."""
    gone = {one.seat for one in index if one.owner is None and one.address() in renewed}
    # What the old one had beyond its lists goes with it; such entries are the last, and own nothing.
    entries = [e for e in index.entries if e.there or e.owner not in gone]
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


def completed(
    first: Mapping[Address, Draft], drafts: Mapping[Address, Draft], renewed: Mapping[Address, Renewal]
) -> dict[Address, Draft]:
    """Nothing goes before all that is to be in its place can be made; and what is under way is not taken for done."""
    found = dict(drafts)
    for address, renewal in renewed.items():
        parts = {a: d for a, d in drafts.items() if _owner(d) == address}
        stuck = next((d for d in parts.values() if _lacks(d)), None)
        if stuck is None:
            continue
        root = drafts[address]
        if not renewal.field:
            found[address] = replace(root, steps=tuple(s for s in root.steps if s.when not in _AT_THE_END))
            continue
        name = f"{stuck.wish.kind} {stuck.wish.key()}".replace("_", " ").strip()
        text, hint = f"its {name} is held back, so that it is left as it is", f"correct what is said of its {name}"
        mark = root.wish.place.mark(renewal.field)
        told = Diagnostic(mark, text, hint, "impossible", renewal.field, address)
        remarks = merged(first[address].action.remarks, (*root.action.remarks, told))
        found[address] = _held(replace(root, action=replace(root.action, remarks=remarks)), keep=True)
        found |= {a: _held(d, keep=_lacks(d)) for a, d in parts.items()}
    return found


_AT_THE_END = ("finish", "again", "last", "up")


def _lacks(draft: Draft) -> bool:
    return draft.action.verb in ("held", "unknown") and not draft.wish.absent


def _held(draft: Draft, keep: bool) -> Draft:
    verb = draft.action.verb if draft.action.verb == "unknown" else "held"
    action = replace(draft.action, verb=verb, lines=(), remarks=draft.action.remarks if keep else ())
    return replace(draft, action=action, steps=(), here=False, held=draft.held | {WHOLE})


def as_renewed(first: Draft, then: Draft, renewal: Renewal) -> Draft:
    """Told as the change that it is. What holds the making back holds the change back."""
    remarks = merged(first.action.remarks, then.action.remarks)
    if then.action.verb == "create":
        return replace(first, action=replace(first.action, remarks=remarks, file=renewal.record))
    lines = tuple(replace(line, held="impossible", consent=()) for line in first.action.lines)
    action = replace(then.action, lines=lines, remarks=remarks)
    return replace(first, action=action, steps=())


def with_renewed(plan: Plan, told: Mapping[Address, Draft], drafts: Mapping[Address, Draft]) -> Plan:
    """With the restart that it is for what ran."""
    more = [
        Restart(address, tuple(line.field for line in draft.action.lines), len(draft.action.lines))
        for address, draft in told.items()
        if address.host == plan.host
        and drafts[address].action.verb == "create"
        and any("restart" in line.impacts for line in draft.action.lines)
    ]
    return replace(plan, restarts=(*plan.restarts, *more))
