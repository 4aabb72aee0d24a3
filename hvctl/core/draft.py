"""One resource and its target → what is to be done about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hvctl.call import Call
from hvctl.contract import OS, Verdict, check
from hvctl.core.acceptance import Acceptance
from hvctl.core.changes import Change, HeldBackError, Step, finding
from hvctl.core.facts import Facts, UnreadableError, UnreadHostError
from hvctl.core.fields import free_text
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.misreading import Misreading
from hvctl.core.plan import Action, Line, Verb
from hvctl.core.resource import Resource
from hvctl.core.rules import fixed
from hvctl.core.target import WHOLE, Held
from hvctl.core.values import UNKNOWN, State
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


@dataclass(frozen=True, slots=True)
class Seen:
    """What the host has of a resource as desired; None: it does not exist."""

    actual: State | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be done about one resource. `wish`: its target. `held`: fields that are held back, WHOLE for all.
    `here`: it exists, or will when its steps have run, and what sits within it can be changed. `seen`: what was read, None
    where nothing could be. `away`: it is on another host and comes here. `waits`: it is held back by another resource only."""

    wish: Resource
    action: Action
    steps: tuple[Step, ...] = ()
    here: bool = True
    held: frozenset[str] = frozenset()
    seen: Seen | None = None
    away: bool = False
    waits: bool = False


def held_back(drafts: Mapping[Address, Draft]) -> Held:
    return Held(
        {address: draft.held for address, draft in drafts.items() if draft.held},
        frozenset(a for a, draft in drafts.items() if not (draft.here or draft.away or draft.wish.absent)),
    )


def drafted(
    wish: Resource,
    target: Resource,
    before: Draft | None,
    known: Sequence[Diagnostic],
    facts: Facts,
    allow: frozenset[Impact],
) -> Draft:
    """`known`: rules that the target breaks whatever the host looks like. `before`: of the pass that took out less; what is
    seen is of the first, in which nothing is taken out."""
    if before is not None and WHOLE in before.held:
        return replace(before, wish=target)
    seen: list[Seen] = []
    draft = _left_alone(wish, _drafted(wish, target, before, known, facts, allow, seen))
    told = before.seen if before is not None else next(iter(seen), None)
    return draft if draft.seen is told else replace(draft, seen=told)


def _drafted(
    wish: Resource,
    target: Resource,
    before: Draft | None,
    known: Sequence[Diagnostic],
    facts: Facts,
    allow: frozenset[Impact],
    seen: list[Seen],
) -> Draft:
    action = Action(wish.address(), wish.title(), "none", wish.place.mark(), file=wish.file)
    here = True
    try:
        target.check_rights(facts)
        actual = target.actual(facts)
        here = actual is not None
        seen.append(Seen(actual))
        whole = [f for f in known if f.holds and (not f.field or wish.absent)]
        if whole:
            return _whole_held(target, action, known, here)
        told = "" if here else target.owned_elsewhere(facts)
        if told and wish.absent:
            found = finding("ensure", f"{told}: it is not gone", "remove it where it is")
            return _whole_held(target, action, [*known, found], here)
        if wish.absent and not target.absent:  # it goes with its owner, whose removal is held back
            return Draft(target, action, held=frozenset({WHOLE}))
        if wish.absent:
            return _removal(target, action, here, facts, allow)
        if told:
            remark = Diagnostic(action.mark, told, "", "warning", address=action.address)
            return Draft(target, replace(action, remarks=(remark,)), here=False, held=frozenset({WHOLE}))
        if actual is None:
            return _creation(target, action, known, facts, allow)
        calm = None if known or before else _as_wanted(target, action, seen[0], facts)
        draft = calm or _update(wish, target, before, action, actual, known, facts, allow)
        return replace(draft, here=False, away=True) if target.away(facts) else draft
    except HeldBackError as error:
        return _whole_held(target, action, [*known, error.finding], here and not error.parts)
    except Exception as error:
        if isinstance(error, UnreadableError) and any(f.holds for f in known):
            return _whole_held(target, action, known, here=False)
        return misread(target, action, error)


def _left_alone(wish: Resource, draft: Draft) -> Draft:
    """What is held back as a whole and accepted as a whole."""
    action, found = draft.action, _in_force(wish)
    if action.verb != "held" or action.lines or found is None:
        return draft
    return replace(draft, action=replace(action, verb="accepted", accepted=found))


def _in_force(wish: Resource, field: str = "") -> Acceptance | None:
    found = wish.acceptance(field)
    return None if found is None or found.over else found


def misread(target: Resource, action: Action, error: Exception, field: str = "", *, here: bool = False) -> Draft:
    """Whatever a kind raises on facts is its resource's own trouble: neither in sync nor different."""
    found = Misreading.of(error)
    mark = target.place.mark(field) if field else action.mark
    remark = Diagnostic(
        mark, found.message, found.hint, "unknown", field, action.address, found.outside, found.trace, found.defect
    )
    action = replace(action, verb="unknown", lines=(), remarks=(remark,), made=())
    return Draft(target, action, here=here, held=frozenset({WHOLE}))


def _update(
    wish: Resource,
    target: Resource,
    before: Draft | None,
    action: Action,
    actual: Mapping[str, object],
    known: Sequence[Diagnostic],
    facts: Facts,
    allow: frozenset[Impact],
) -> Draft:
    changes = target.changes(actual, facts)
    now = {c.field: _line(wish, c, allow) for c in changes}
    ruled = {f.field for f in known if f.holds}  # why the host lacks it, or does not say, is told by the rule
    parts, whole = True, False
    try:
        judged = target.judge("update" if changes else "leave", changes, facts)
        seen = [f for f in (*fixed(target, changes), *judged) if f.field not in ruled]
        found = [*known, *seen]
    except HeldBackError as error:
        parts, whole = not error.parts, True
        found = [*known, error.finding]
    found = [_without_held(f, before, wish) for f in found]
    known_drift = {f for f in now if _in_force(wish, f)}
    found = [f for f in found if f.level == "unknown" or not (f.field and _barred(f.field, known_drift))]
    now = {field: _accepted(wish, _as_held(line, found, whole)) for field, line in now.items()}
    told_of = {f.field for f in found if f.level == "unknown"}
    unread = [f for f in target.wanted() if actual.get(f) is UNKNOWN and f not in told_of | ruled]
    newly = frozenset({WHOLE, *now}) if whole else _newly_held(target, now, [f for f in found if f.holds], facts)
    earlier = {line.field: line for line in before.action.lines} if before else {}
    held = (before.held if before else frozenset()) | newly
    resting = [f for f in now if target.rests_on(f, facts) in newly and not (now[f].consent or now[f].held)]
    with_them, why = _along([now[f] for f in resting], [now[f] for f in now if f in newly and f not in resting])
    now |= {line.field: line for line in with_them}
    lines = {**now, **{f: line for f, line in earlier.items() if f in held or f not in now}}
    along = frozenset(f for f in lines if f not in held and f not in now)
    waiting, told = _along([lines[f] for f in lines if f in along], [lines[f] for f in lines if f in held])
    lines |= {line.field: line for line in waiting}
    kept = {line.mark for f, line in lines.items() if f in held}
    remarks = merged(
        tuple(r for r in (before.action.remarks if before else ()) if r.level != "warning" or r.mark in kept),
        (*placed(wish, found), *why, *told, *(_unread(wish, field) for field in unread)),
    )
    doable = () if WHOLE in held else tuple(c for c in changes if c.field not in held)
    steps = tuple(target.update(doable, facts)) if doable else ()
    parts = parts and not any(target.renews(field) for field in held & now.keys())
    back = _back(lines.values())
    verb: Verb = "update" if doable else back if held or lines else "unknown" if unread or told_of else "none"
    action = replace(action, verb=verb, lines=_in_order(wish, lines.values()), remarks=remarks)
    held |= {*along, *(() if doable or not (held or lines) else (WHOLE, *lines))}
    return _not_dragged_along(wish, Draft(target, action, steps, parts, held))


def _as_wanted(target: Resource, action: Action, seen: Seen, facts: Facts) -> Draft | None:
    """Of what is as it should be, as most things are; None where there is something to say of it."""
    actual = seen.actual or {}
    if any(actual.get(field) is UNKNOWN for field in target.wanted()) or target.changes(actual, facts):
        return None
    try:
        return None if any(target.judge("leave", (), facts)) else Draft(target, action, seen=seen)
    except HeldBackError:
        return None


def _not_dragged_along(wish: Resource, draft: Draft) -> Draft:
    """What is accepted is changed by no step that serves another field: a switch becomes external with its adapters."""
    known = {line.field for line in draft.action.known}
    tied = {f for step in draft.steps if known & set(step.because) for f in step.because} - known
    lines = [line for line in draft.action.lines if line.field in tied and not line.held]
    if not lines:
        return draft
    why = f"it goes with {', '.join(sorted(known))}, which is accepted"
    told = [Diagnostic(line.mark, why, "", "impossible", line.field) for line in lines]
    action = replace(draft.action, remarks=merged(draft.action.remarks, placed(wish, told)))
    return lost(replace(draft, action=action), frozenset(line.field for line in lines))


def _back(lines: Iterable[Line]) -> Verb:
    """Of what is not done, why."""
    reasons = {"later" if line.waits else "held" if line.drifts else "accepted" for line in lines}
    return "held" if "held" in reasons or not reasons else "accepted" if "accepted" in reasons else "later"


def _accepted(wish: Resource, line: Line) -> Line:
    """Left as it is, whatever is allowed, while that is accepted; what was accepted until some day says so."""
    found = wish.acceptance(line.field)
    if found is None:
        return line
    if found.over:
        was = f"was {found}; that is over"
        return replace(line, note=f"{line.note}; {was}" if line.note else was)
    return replace(line, held="accepted", consent=(), accepted=found)


def _as_held(line: Line, found: Iterable[Diagnostic], whole: bool) -> Line:
    """With the gravest of what holds it back. What is impossible no consent allows. `whole`: all of them hold it."""
    levels = {f.level for f in found if f.holds and (whole or not f.field or _barred(line.field, {f.field}))}
    if "impossible" in levels:
        return replace(line, held="impossible", consent=())
    return replace(line, held="later") if levels else line


def _without_held(found: Diagnostic, before: Draft | None, wish: Resource) -> Diagnostic:
    """What holds back a target that lacks something, said to the reader of the desired state, who wrote it."""
    held = [f for f in wish.wanted() if before is not None and f in before.held]
    if not held or not found.holds:
        return found
    names = f"{', '.join(held)}, which {'are' if len(held) > 1 else 'is'} held back"
    return replace(found, message=f"without {names}: {found.message}", hint="")


def _newly_held(
    target: Resource, now: Mapping[str, Line], holding: Sequence[Diagnostic], facts: Facts
) -> frozenset[str]:
    """Fields that lack consent or that a finding bars, and those that rest on them; all, if one bars what does not
    change: it does not say which of the changes does not go with it."""
    barred = {f.field for f in holding}
    if WHOLE in barred or any(not any(_barred(field, {b}) for field in now) for b in barred):
        return frozenset({WHOLE, *now})
    held = {field for field, line in now.items() if line.consent or line.accepted or _barred(field, barred)}
    while more := {field for field in now.keys() - held if target.rests_on(field, facts) in held}:
        held |= more
    return frozenset(held)


def _along(lines: Sequence[Line], held: Sequence[Line]) -> tuple[list[Line], list[Diagnostic]]:
    """Changes that the target lost with others that are held back: they wait for the same consent, or say why."""
    if not lines:
        return [], []
    consent = in_severity(frozenset(word for line in held for word in line.consent))
    if consent:
        return [replace(line, consent=consent) for line in lines], []
    names = ", ".join(line.field for line in held)
    why = f"it goes with {names}, which is held back" if names else "it is held back with the rest"
    return [replace(line, held="impossible") for line in lines], [
        Diagnostic(x.mark, why, "", "impossible", x.field) for x in lines
    ]


def _in_order(wish: Resource, lines: Iterable[Line]) -> tuple[Line, ...]:
    order = {field: n for n, field in enumerate(wish.wanted())}
    return tuple(sorted(lines, key=lambda line: order.get(line.field, len(order))))


def merged(before: Sequence[Diagnostic], now: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """What is said of what is held back stays said; of the rest, what is true of the target."""
    found: dict[object, Diagnostic] = {}
    for one in (*before, *now):
        found.setdefault((one.mark, one.level, one.message, one.hint), one)
    return tuple(found.values())


def _unread(wish: Resource, field: str) -> Diagnostic:
    title = " ".join((wish.kind.replace("_", " "), wish.title())).strip()
    message = f"{field} of {title} could not be read, so whether it differs is not known"
    return Diagnostic(wish.place.mark(field), message, "look at the host", "unknown", field, wish.address())


def _barred(field: str, barred: set[str]) -> bool:
    """By a finding at it, at a part of it ("net_adapters.1"), or at what it is a part of."""
    return any(b == field or b.startswith(f"{field}.") or field.startswith(f"{b}.") for b in barred if b)


def _creation(
    wish: Resource, action: Action, known: Sequence[Diagnostic], facts: Facts, allow: frozenset[Impact]
) -> Draft:
    changes = wish.as_changes(facts)
    there = wish.taken_over(facts) or {}
    made = tuple(f"{c.field}: {wish.show(c.field, c.wanted)}" for c in changes)
    summary = ", ".join(text for text in (wish.summary(), there.get("", "")) if text)
    action = replace(action, summary=summary, made=made)
    held = frozenset({WHOLE})
    try:
        found = [*known, *wish.judge("create", changes, facts)]
    except HeldBackError as error:
        found = [*known, error.finding]
    action = replace(action, remarks=placed(wish, found))
    adopted = [_line(wish, c, allow) for c in wish.changes(there, facts) if c.field in there] if there else []
    line = replace(
        _whole(wish, "absent", "present", wish.create_impacts(facts), allow),
        note=wish.note("", "absent", "present", facts),
    )
    line = _accepted(wish, line)
    if line.accepted:
        return Draft(wish, replace(action, verb="accepted", lines=(line,), remarks=(), made=()), here=False, held=held)
    if any(f.holds for f in found):
        lines = tuple(_as_held(line, found, whole=True) for line in adopted)
        return Draft(wish, replace(action, verb="held", lines=lines), here=False, held=held)
    lines = (line, *adopted)
    if any(x.consent for x in lines):
        return Draft(wish, replace(action, verb="held", lines=lines), here=False, held=held)
    return Draft(wish, replace(action, verb="create", lines=lines), tuple(wish.create(facts)))


def _removal(wish: Resource, action: Action, exists: bool, facts: Facts, allow: frozenset[Impact]) -> Draft:
    if not exists:
        return Draft(wish, action, here=False)
    try:
        found = list(wish.judge("remove", (), facts))
    except HeldBackError as error:
        found = [error.finding]
    action = replace(action, remarks=placed(wish, found))
    line = replace(
        _whole(wish, "present", "absent", wish.removal_impacts(facts), allow),
        note=wish.note("", "present", "absent", facts),
    )
    line = _accepted(wish, _as_held(line, found, whole=True))
    if line.accepted:
        action = replace(action, verb="accepted", lines=(line,), remarks=())
        return Draft(wish, action, held=frozenset({WHOLE, "ensure"}))
    if any(f.holds for f in found) or line.consent:
        return Draft(wish, replace(action, verb="held", lines=(line,)), held=frozenset({WHOLE, "ensure"}))
    return Draft(wish, replace(action, verb="remove", lines=(line,)), tuple(wish.remove(facts)))


def _whole_held(wish: Resource, action: Action, found: Iterable[Diagnostic], here: bool = True) -> Draft:
    found = tuple(found)
    verb: Verb = "later" if {f.level for f in found if f.holds} == {"later"} else "held"
    action = replace(action, verb=verb, remarks=placed(wish, found))
    return Draft(wish, action, here=here, held=frozenset({WHOLE}))


def contracted(draft: Draft, facts: Mapping[str, Facts]) -> Draft:
    """A call that this version surely refuses is not sent: what it serves is held back."""
    own = draft.action.address.host
    if unread := next((s.host for s in draft.steps if s.host and s.host not in facts), ""):
        return misread(
            draft.wish, draft.action, UnreadHostError(unread), here=draft.here and draft.action.verb != "create"
        )
    refused = [(s, c, v) for s in draft.steps for c, v in verdicts(s, facts[s.host or own].os) if v.answer == "refused"]
    if not refused:
        return draft
    lines = {line.field for line in draft.action.lines if line.field}
    served = {field for step, _, _ in refused for field in step.because if field in lines}
    held = frozenset(served if served and draft.action.verb == "update" else {WHOLE})
    mark = draft.wish.place.mark
    told = [
        Diagnostic(
            mark(field := next(iter(step.because), "")), f"{call.cmdlet}: {verdict.reason}", "", "impossible", field
        )
        for step, call, verdict in refused
    ]
    action = replace(draft.action, verb="held", remarks=merged(draft.action.remarks, told))
    return lost(replace(draft, action=action, here=draft.action.verb != "create"), held)


def lost(draft: Draft, fields: frozenset[str]) -> Draft:
    """Held back after all: what remains of it is judged again."""
    lines = tuple(
        replace(line, held="impossible", consent=()) if line.field in fields or WHOLE in fields else line
        for line in draft.action.lines
    )
    return replace(draft, action=replace(draft.action, lines=lines), steps=(), held=draft.held | fields)


def verdicts(step: Step, os: OS) -> Iterator[tuple[Call, Verdict]]:
    instead = (step.instead.to.call,) if step.instead is not None else ()
    for call in (step.call, *(r.call for r in step.call.refs()), *instead):
        verdict: Verdict = check(os, call)
        if verdict.answer != "accepted":
            yield call, verdict


def _line(wish: Resource, change: Change, allow: frozenset[Impact]) -> Line:
    return Line(
        change.field,
        wish.show(change.field, change.now),
        wish.show(change.field, change.wanted),
        in_severity(change.impacts),
        wish.place.mark(change.field),
        change.note,
        in_severity(change.impacts - allow - {"online"}),
        in_time=change.in_time,
        before=wish.value(change.field, change.now),
        after=wish.value(change.field, change.wanted),
        own_words=not free_text(type(wish), change.field),
    )


def _whole(wish: Resource, now: str, wanted: str, impacts: frozenset[Impact], allow: frozenset[Impact]) -> Line:
    consent = in_severity(impacts - allow - {"online"})
    return Line("", now, wanted, in_severity(impacts), wish.place.mark(), "", consent, before=now, after=wanted)


def in_severity(impacts: frozenset[Impact]) -> tuple[Impact, ...]:
    return tuple(i for i in IMPACTS if i in impacts)


def placed(wish: Resource, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(replace(f, mark=wish.place.mark(f.field), address=wish.address()) for f in found)
