"""What drafts mean for each other: what waits, what is not half made, what goes down together."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import replace

from hvctl.core.changes import Bracket
from hvctl.core.draft import Draft, in_severity, lost, merged, misread, placed
from hvctl.core.facts import Facts
from hvctl.core.order import Group, Member
from hvctl.core.plan import Line, Verb
from hvctl.core.resource import Resource
from hvctl.core.target import WHOLE
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


def all_waiting(drafts: dict[Address, Draft]) -> dict[Address, Draft]:
    """Hold back what rests on something that will not be there, and what rests on that, on whichever host."""
    while True:
        found: dict[Address, Draft] = {}
        for address, draft in drafts.items():
            found[address] = _waiting(draft, ChainMap(found, drafts))
        if all(found[address] is draft for address, draft in drafts.items()):
            return found
        drafts = found


def _waiting(draft: Draft, others: Mapping[Address, Draft]) -> Draft:
    owner = (draft.wish.owner.address(),) if draft.wish.owner else ()
    if not draft.away and any(above.away for address in owner if (above := others.get(address)) is not None):
        action = replace(draft.action, verb="none", lines=(), remarks=(), made=(), summary="")
        return Draft(draft.wish, action, (), False, seen=draft.seen, away=True)
    for address in (*owner, *draft.wish.requires()):
        other = others.get(address)
        if other is None or other.here or draft.wish.absent or draft.action.verb == "none":
            continue
        if address in owner and other.action.verb == "accepted":
            # Its owner is missing, which is accepted: of each part again that would bury the rest.
            if draft.action.verb == "accepted" and not draft.action.lines:
                continue
            action = replace(draft.action, verb="accepted", lines=(), remarks=(), accepted=None, made=())
            return Draft(draft.wish, action, here=False, held=frozenset({WHOLE}), seen=draft.seen)
        elsewhere = address in owner and other.action.verb == "none"
        if address in owner and any(other.wish.renews(line.field) for line in other.action.lines):
            # What it is to be cannot be told by what it sits within now; its owner is what waits.
            if draft.action.verb == "held" and not (draft.action.lines or draft.action.remarks or draft.here):
                continue
            action = replace(draft.action, verb="held", lines=(), remarks=())
            return Draft(draft.wish, action, here=False, held=frozenset({WHOLE}))
        if WHOLE in draft.held and not elsewhere:
            continue
        verb: Verb = "unknown" if other.action.verb == "unknown" else "held"
        if elsewhere:
            # It is elsewhere, and so is what sits within it.
            return Draft(
                draft.wish, replace(draft.action, verb="none", lines=(), remarks=()), (), False, draft.held | {WHOLE}
            )
        if address in owner and verb == "held" and other.action.verb == "held":
            # Its owner says why; of each part again it would bury that.
            action = replace(draft.action, verb=verb, lines=())
            return Draft(draft.wish, action, here=False, held=frozenset({WHOLE}))
        because = tuple(
            replace(r, mark=draft.action.mark, address=draft.action.address, field="")
            for r in other.action.remarks
            if r.level == "unknown"
        )
        if address in owner and because and not draft.action.remarks:
            # For the same reason as its owner, so that both are told once.
            action = replace(draft.action, verb="unknown", lines=(), remarks=because)
            return Draft(draft.wish, action, here=False, held=frozenset({WHOLE}), waits=True)
        name = str(address) if address.host == draft.action.address.host else f"{address} of {address.host}"
        remark = Diagnostic(
            draft.action.mark,
            f"waits for {name}, which " + ("could not be read" if verb == "unknown" else "is held back"),
            f"see what is said of {name}",
            "unknown" if verb == "unknown" else "impossible",
            address=draft.action.address,
        )
        action = replace(draft.action, verb=verb, lines=(), remarks=(*draft.action.remarks, remark))
        return Draft(draft.wish, action, here=False, held=frozenset({WHOLE}), waits=True)
    return draft


def part_of_unmade(wish: Resource, target: Resource, before: Mapping[Address, Draft]) -> Draft | None:
    """A part of what the pass before found not to be made. Judged by a target that lacks its owner's other parts, it would
    be said to be wrong where it is not."""
    if wish.owner is None or wish.absent:
        return None
    own, owner = before.get(wish.address()), before.get(wish.owner.address())
    if (
        own is None
        or owner is None
        or owner.here
        or owner.away
        or owner.action.verb != "held"
        or (WHOLE in own.held and not own.waits)
    ):
        return None
    remarks = () if own.waits else own.action.remarks
    action = replace(own.action, verb="held", lines=(), remarks=remarks)
    return Draft(target, action, here=False, held=frozenset({WHOLE}), seen=own.seen)


def not_taken_down(drafts: Mapping[Address, Draft], facts: Mapping[str, Facts]) -> dict[Address, Draft]:
    """Where the owner cannot be taken down, what needs it off is held back, and no consent to it is asked for."""
    found = dict(drafts)
    for group in grouped(drafts.values(), facts):
        asked = [found[w.address()] for w, _, _ in group.members if _asks_for_restart(found[w.address()])]
        bracket = group.bracket or (bracket_of(group.root, facts) if asked and not group.root.absent else None)
        refused = [d for d in (bracket.doubts if bracket else ()) if d.holds]
        if not refused:
            continue
        found |= {draft.action.address: _not_offered(draft) for draft in asked}
        for wish, _, steps in group.members:
            off = {name for step in steps if step.off for name in step.because}
            if any(step.off for step in steps):
                draft = found[wish.address()]
                served = [line for line in draft.action.lines if line.field in off and line.field]
                # What is live goes along in the same call, and need not wait.
                fields = {line.field for line in served if "restart" in line.impacts} or {x.field for x in served}
                whole = not fields or draft.action.verb != "update"
                held = frozenset({WHOLE, *fields} if whole else fields)
                action = replace(draft.action, verb="held")
                found[wish.address()] = lost(replace(draft, action=action, here=draft.action.verb != "create"), held)
        root = found[group.root.address()]
        action = replace(root.action, remarks=merged(root.action.remarks, placed(root.wish, refused)))
        found[group.root.address()] = replace(root, action=action)
    return found


def _asks_for_restart(draft: Draft) -> bool:
    return any("restart" in line.consent for line in draft.action.lines)


def _not_offered(draft: Draft) -> Draft:
    """What waits for consent to a restart that cannot be: it is held back already, and stays so whatever is allowed."""
    lines = tuple(
        replace(line, held="impossible", consent=()) if "restart" in line.consent else line
        for line in draft.action.lines
    )
    return replace(draft, action=replace(draft.action, lines=lines))


def _lacking(drafts: Mapping[Address, Draft], *, made: bool = False) -> dict[Address, Draft]:
    """By owner, the first vital part that it will not have. `made`: or that it is not made without."""
    found: dict[Address, Draft] = {}
    for draft in drafts.values():
        wish, verb = draft.wish, draft.action.verb
        needed = wish.vital or (made and wish.made_along)
        if needed and wish.owner and not wish.absent and not draft.here and verb in ("held", "accepted", "unknown"):
            found.setdefault(wish.owner.address(), draft)
    return found


def not_half_made(drafts: Mapping[Address, Draft]) -> dict[Address, Draft]:
    """What would be wrong from its first start is not created: a VM without its disk, or with other memory."""
    found = dict(drafts)
    for owner, part in _lacking(drafts, made=True).items():
        draft = drafts[owner]
        if draft.action.verb != "create":
            continue
        name = part_name(part.wish)
        consent = in_severity(frozenset(word for line in part.action.lines for word in line.consent))
        if consent:
            lines = tuple(
                replace(
                    line,
                    impacts=in_severity(frozenset({*line.impacts, *consent}) - {"online"}),
                    consent=consent,
                    note=_joined(line, name),
                )
                for line in draft.action.lines
            )
            action = replace(draft.action, verb="held", lines=lines)
            found[owner] = replace(draft, action=action, steps=(), here=False, held=frozenset({WHOLE}))
            continue
        remark = Diagnostic(
            draft.action.mark,
            f"it is not created: its {name} is held back",
            f"correct what is said of its {name}, or remove it",
            "impossible",
            address=draft.action.address,
        )
        action = replace(draft.action, verb="held", lines=(), remarks=(*draft.action.remarks, remark))
        found[owner] = replace(draft, action=action, steps=(), here=False, held=frozenset({WHOLE}))
    return found


def _joined(line: Line, name: str) -> str:
    why = f"its {name} needs that, and it is not created without"
    return f"{line.note}; {why}" if line.note else why


def part_name(wish: Resource) -> str:
    return f"{wish.kind} {wish.key()}".replace("_", " ").strip()


def not_started(drafts: Mapping[Address, Draft]) -> dict[Address, Draft]:
    """What lacks a vital part is left as it is, not started: a VM without its disk boots from the network."""
    lacking = {owner: part_name(part.wish) for owner, part in _lacking(drafts).items()}
    return {
        a: _without_start(d, lacking[o]) if (o := root_of(d.wish).address()) in lacking else d
        for a, d in drafts.items()
    }


def _without_start(draft: Draft, missing: str) -> Draft:
    steps = tuple(s for s in draft.steps if s.when not in ("last", "up"))
    dropped = next((s for s in draft.steps if s not in steps), None)
    if dropped is None:
        return draft
    wish = draft.wish
    field = dropped.because[0] if wish.owner is None else ""
    text = f"{root_of(wish).key()} is not started without its {missing}, which is held back"
    remark = Diagnostic(
        wish.place.mark(field), text, f"correct what is said of its {missing}", "impossible", field, wish.address()
    )
    action = replace(draft.action, remarks=(*draft.action.remarks, remark))
    return replace(draft, action=action if steps else replace(action, verb="held"), steps=steps)


def root_of(wish: Resource) -> Resource:
    while wish.owner is not None:
        wish = wish.owner
    return wish


def with_unlisted(
    drafts: Mapping[Address, Draft], unlisted: Mapping[Address, tuple[Exception, str]]
) -> dict[Address, Draft]:
    """Owners whose lists could not be held against the host are not in sync, whatever else is known of them."""
    return {
        a: misread(d.wish, d.action, *unlisted[a], here=d.here) if a in unlisted and d.action.verb != "unknown" else d
        for a, d in drafts.items()
    }


def framed(drafts: Mapping[Address, Draft], facts: Mapping[str, Facts]) -> dict[Address, Draft]:
    """Where it cannot be read how something is taken down, nothing that needs it is done within it."""
    roots = {root.address(): root for d in drafts.values() if _needs_off(d) for root in (root_of(d.wish),)}
    failed: dict[Address, Exception] = {}
    for address, root in roots.items():
        try:
            root.bracket(facts[address.host])
        except Exception as error:
            failed[address] = error
    return {a: _unframed(d, failed.get(root_of(d.wish).address())) for a, d in drafts.items()} if failed else {**drafts}


def _unframed(draft: Draft, error: Exception | None) -> Draft:
    if error is None or not draft.steps:
        return draft
    return misread(draft.wish, draft.action, error, here=draft.here and draft.action.verb != "create")


def bracket_of(root: Resource, facts: Mapping[str, Facts]) -> Bracket | None:
    """None also where it cannot be read: `framed` tells that."""
    try:
        return root.bracket(facts[root.address().host])
    except Exception:
        return None


def grouped(drafts: Iterable[Draft], facts: Mapping[str, Facts]) -> list[Group]:
    roots: dict[Address, Resource] = {}
    members: dict[Address, list[Member]] = {}
    brackets: dict[Address, Bracket | None] = {}
    for draft in drafts:
        root = root_of(draft.wish)
        address = root.address()
        roots.setdefault(address, root)
        members.setdefault(address, []).append((draft.wish, draft.action.verb, draft.steps))
        if brackets.get(address) is None and _needs_off(draft):
            brackets[address] = bracket_of(root, facts)
    return [Group(root, brackets.get(address), tuple(members[address])) for address, root in roots.items()]


def _needs_off(draft: Draft) -> bool:
    return any(step.off for step in draft.steps)
