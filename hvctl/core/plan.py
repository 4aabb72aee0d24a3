"""Wishes and facts → what differs, what it costs, what is done about it, in which order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from hvctl.call import FOREIGN, Call, Foreign, HostInfo, Staged, Task
from hvctl.contract import OS, Verdict, check, contract, elsewhere, title
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.misreading import Misreading
from hvctl.core.order import Group, arrange, kinds_within, rank
from hvctl.core.resource import (
    UNKNOWN,
    Address,
    Bracket,
    Change,
    Finding,
    HeldBackError,
    Impact,
    Json,
    Missing,
    Resource,
    Step,
    free_text,
    settings,
)
from hvctl.core.target import WHOLE, Held, targets
from hvctl.text.source import Mark, Problem

Verb = Literal["none", "create", "update", "remove", "held", "later", "unknown"]


@dataclass(frozen=True)
class Line:
    """One field of an action, as text for people. `consent`: words that would allow it. `held`: whatever is allowed, it
    is not done now, and a remark says why. Neither: it is done. `in_time`: its time is to come, or has come and not
    passed. `before`, `after`: the values that the texts tell. `own_words`: what it is and shall be is said in words of
    hvctl's, and not in texts of the user's or the host's."""

    field: str
    now: Foreign
    wanted: Foreign
    impacts: tuple[Impact, ...]
    mark: Mark
    note: str = ""
    consent: tuple[Impact, ...] = ()
    held: Literal["", "impossible", "later"] = ""
    in_time: bool = False
    before: Annotated[Json, FOREIGN] = None
    after: Annotated[Json, FOREIGN] = None
    own_words: bool = dataclasses.field(default=True, compare=False, kw_only=True)

    @property
    def waits(self) -> bool:
        """It is done at its time, and until then no difference."""
        return self.in_time and self.held != "impossible"


@dataclass(frozen=True)
class Remark:
    """A finding with its place. "impossible" and "later" hold the resource back, "warning" does not. `trace`: where in
    hvctl it came up, if that may help; `defect`: it is hvctl's own. `outside`: what of the message is not hvctl's
    wording."""

    message: str
    hint: str
    mark: Mark
    level: Literal["impossible", "later", "warning", "unknown"]
    trace: str = ""
    defect: bool = False
    outside: tuple[Foreign, ...] = ()


@dataclass(frozen=True)
class Action:
    """What happens to one resource. `made`: what a new one is given, field by field. `file`: of the control node, that it
    is about."""

    address: Address
    title: str
    verb: Verb
    mark: Mark
    summary: str = ""
    lines: tuple[Line, ...] = ()
    remarks: tuple[Remark, ...] = ()
    made: tuple[str, ...] = ()
    file: Staged | None = None

    @property
    def blocked(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.consent)

    @property
    def undone(self) -> bool:
        """Whether something of it is left undone, whatever the apply does."""
        return self.verb == "held" or any((line.consent or line.held) and not line.waits for line in self.lines)

    @property
    def unread(self) -> bool:
        """Whether it, or a part of it, could not be read."""
        return self.verb == "unknown" or any(r.level == "unknown" for r in self.remarks)

    @property
    def differs(self) -> bool:
        """Whether it is not as desired; what waits for its time is."""
        return bool(self.drifted) if self.lines else self.verb not in ("none", "later", "unknown")

    @property
    def drifted(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if not line.waits)

    @property
    def waiting(self) -> tuple[Line, ...]:
        """What is done at its time."""
        return tuple(line for line in self.lines if line.waits)


@dataclass(frozen=True)
class PlannedStep:
    """One call in its order. `action`: the address it serves; for stops and starts that frame others, the
    address of what is stopped. `resumes`: it takes up what a run before left going on."""

    task: Task
    text: str
    action: Address
    because: tuple[str, ...] = ()
    frame: bool = False
    resumes: bool = False


@dataclass(frozen=True)
class Restart:
    """Something goes down and comes back once. `blocked`: it would, but nothing that needs it is allowed."""

    name: str
    because: tuple[str, ...]
    during: int
    back: bool = True
    blocked: bool = False


@dataclass(frozen=True)
class Plan:
    """What will be done on one host. Apply decides nothing new."""

    host: str
    os: OS
    info: HostInfo
    actions: tuple[Action, ...]
    steps: tuple[PlannedStep, ...]
    restarts: tuple[Restart, ...]
    facts: Facts = field(repr=False)
    allow: frozenset[Impact] = frozenset()

    @property
    def in_sync(self) -> bool:
        return not any(a.differs or a.unread for a in self.actions)

    @property
    def differs(self) -> bool:
        """Whether anything that could be read does."""
        return any(a.differs for a in self.actions)

    @property
    def unreadable(self) -> bool:
        return any(a.unread for a in self.actions)

    @property
    def defects(self) -> tuple[str, ...]:
        """Tracebacks of what is hvctl's own fault."""
        return tuple(r.trace for a in self.actions for r in a.remarks if r.defect)


def validate(wishes: Iterable[Resource], os: OS) -> list[Problem]:
    """Everything that can be known to be wrong for this version without asking a host."""
    return [
        Problem(
            wish.place.mark(found.field),
            found.message,
            found.hint,
            "error" if found.holds else "warning",
        )
        for wish, found in broken_rules(tuple(wishes), os)
    ]


def broken_rules(wishes: tuple[Resource, ...], os: OS) -> Iterator[tuple[Resource, Finding]]:
    """Rules that these resources break on this version, whatever the host looks like."""
    for wish in wishes:
        for found in (*wish.rules(os), *_supported(wish, os)):
            yield wish, found
    for kind in dict.fromkeys(type(w) for w in wishes):
        yield from kind.rules_together(tuple(w for w in wishes if type(w) is kind), os)


def make_plan(host: str, wishes: Sequence[Resource], facts: Facts, allow: frozenset[Impact]) -> Plan:
    """The plan of one host; pure: equal facts and wishes give an equal plan. Steps are made from the target: what is
    held back is taken out of the desired state and the rest is judged again, until nothing more must be held back."""
    surplus, unlisted = _surplus(wishes, facts)
    desired = tuple(sorted((*wishes, *surplus), key=rank))
    drafts: dict[Address, _Draft] = {}
    while True:
        held = _held_back(drafts)
        drafts = _judged(desired, targets(desired, held), drafts, facts, allow)
        if _held_back(drafts) == held:
            break
    drafts = _framed(_listed(_not_started(drafts), unlisted), facts)
    groups = _groups(drafts.values(), facts)
    order = arrange(groups)
    ids = {id(step): f"s{n}" for n, (step, _, _) in enumerate(order, 1)}
    steps = tuple(_planned(step, wish, needs, ids) for step, wish, needs in order)
    restarts = {g.root.address(): found for g in groups if (found := _restart(g, drafts, facts))}
    doubts = {g.root.address(): _doubts(g, facts) for g in groups if g.root.address() in restarts}
    actions = tuple(
        _doubted(drafts[wish.address()], facts.os, doubts.get(wish.address(), ()))
        for g in groups
        for wish, _, _ in g.members
    )
    return Plan(host, facts.os, facts.info, actions, steps, tuple(restarts.values()), facts, allow)


@dataclass(frozen=True)
class _Draft:
    """What is to be done about one resource. `wish`: its target. `held`: fields that are held back, WHOLE for all.
    `here`: it exists, or will when its steps have run, and what sits within it can be changed."""

    wish: Resource
    action: Action
    steps: tuple[Step, ...] = ()
    here: bool = True
    held: frozenset[str] = frozenset()


def _held_back(drafts: Mapping[Address, _Draft]) -> Held:
    return Held(
        {address: draft.held for address, draft in drafts.items() if draft.held},
        frozenset(address for address, draft in drafts.items() if not draft.here and not draft.wish.absent),
    )


def _judged(
    desired: Sequence[Resource],
    goals: Sequence[Resource],
    before: Mapping[Address, _Draft],
    facts: Facts,
    allow: frozenset[Impact],
) -> dict[Address, _Draft]:
    """`before`: the drafts of the pass that took out less."""
    broken: dict[Address, list[Finding]] = {}
    for target, found in broken_rules(tuple(goals), facts.os):
        broken.setdefault(target.address(), []).append(found)
    drafts: dict[Address, _Draft] = {}
    for wish, target in zip(desired, goals, strict=True):
        address = wish.address()
        known = broken.get(address, [])
        draft = _draft(wish, target, before.get(address), known, facts, allow | wish.place.allow)
        drafts[address] = _waiting(_contracted(draft, facts.os), drafts)
    return _not_half_made(_not_taken_down(drafts, facts))


def _draft(
    wish: Resource,
    target: Resource,
    before: _Draft | None,
    known: Sequence[Finding],
    facts: Facts,
    allow: frozenset[Impact],
) -> _Draft:
    """`known`: rules that the target breaks whatever the host looks like."""
    if before is not None and WHOLE in before.held:
        return replace(before, wish=target)
    action = Action(wish.address(), wish.title(), "none", wish.place.mark(), file=wish.file)
    here = True
    try:
        target.check_rights(facts)
        actual = target.actual(facts)
        here = actual is not None
        whole = [f for f in known if f.holds and (not f.field or wish.absent)]
        if whole:
            return _whole_held(target, action, known, here)
        told = "" if here else target.owned_elsewhere(facts)
        if told and wish.absent:
            found = Finding("ensure", f"{told}: it is not gone", "remove the role and its VM in the cluster")
            return _whole_held(target, action, [*known, found], here)
        if wish.absent:
            return _removal(target, action, here, facts, allow)
        if told:
            remark = Remark(told, "", action.mark, "warning")
            return _Draft(target, replace(action, remarks=(remark,)), here=False, held=frozenset({WHOLE}))
        if actual is None:
            return _creation(target, action, known, facts, allow)
        return _update(wish, target, before, action, actual, known, facts, allow)
    except HeldBackError as error:
        return _whole_held(target, action, [*known, error.finding], here and not error.parts)
    except Exception as error:
        if isinstance(error, UnreadableError) and any(f.holds for f in known):
            return _whole_held(target, action, known, here=False)
        return _misread(target, action, error)


def _misread(target: Resource, action: Action, error: Exception, field: str = "", *, here: bool = False) -> _Draft:
    """Whatever a kind raises on facts is its resource's own trouble: neither in sync nor different."""
    found = Misreading.of(error)
    mark = target.place.mark(field) if field else action.mark
    remark = Remark(found.message, found.hint, mark, "unknown", found.trace, found.defect, found.outside)
    action = replace(action, verb="unknown", lines=(), remarks=(remark,), made=())
    return _Draft(target, action, here=here, held=frozenset({WHOLE}))


def _update(
    wish: Resource,
    target: Resource,
    before: _Draft | None,
    action: Action,
    actual: Mapping[str, object],
    known: Sequence[Finding],
    facts: Facts,
    allow: frozenset[Impact],
) -> _Draft:
    changes = target.changes(actual, facts)
    now = {c.field: _line(wish, c, allow) for c in changes}
    ruled = {f.field for f in known if f.holds}  # why the host lacks it, or does not say, is told by the rule
    parts, whole = True, False
    try:
        seen = [f for f in (*_fixed(target, changes), *target.findings(changes, facts)) if f.field not in ruled]
        found = [*known, *seen]
    except HeldBackError as error:
        parts, whole = not error.parts, True
        found = [*known, error.finding]
    found = [_without_held(f, before, wish) for f in found]
    now = {field: _as_held(line, found, whole) for field, line in now.items()}
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
    remarks = _merged(
        tuple(r for r in (before.action.remarks if before else ()) if r.level != "warning" or r.mark in kept),
        (*_remarks(wish, found), *why, *told, *(_unread(wish, field) for field in unread)),
    )
    doable = () if WHOLE in held else tuple(c for c in changes if c.field not in held)
    steps = tuple(target.update(doable, facts)) if doable else ()
    back: Verb = "later" if lines and all(line.waits for line in lines.values()) else "held"
    verb: Verb = "update" if doable else back if held or lines else "unknown" if unread or told_of else "none"
    action = replace(action, verb=verb, lines=_in_order(wish, lines.values()), remarks=remarks)
    held |= {*along, *(() if doable or not (held or lines) else (WHOLE, *lines))}
    return _Draft(target, action, steps, parts, held)


def _as_held(line: Line, found: Iterable[Finding], whole: bool) -> Line:
    """With the gravest of what holds it back. What is impossible no consent allows. `whole`: all of them hold it."""
    levels = {f.level for f in found if f.holds and (whole or not f.field or _barred(line.field, {f.field}))}
    if "impossible" in levels:
        return replace(line, held="impossible", consent=())
    return replace(line, held="later") if levels else line


def _without_held(found: Finding, before: _Draft | None, wish: Resource) -> Finding:
    """What holds back a target that lacks something, said to the reader of the desired state, who wrote it."""
    held = [f for f in wish.wanted() if before is not None and f in before.held]
    if not held or not found.holds:
        return found
    names = f"{', '.join(held)}, which {'are' if len(held) > 1 else 'is'} held back"
    return replace(found, message=f"without {names}: {found.message}", hint="")


def _newly_held(target: Resource, now: Mapping[str, Line], holding: Sequence[Finding], facts: Facts) -> frozenset[str]:
    """Fields that lack consent or that a finding bars, and those that rest on them; all, if one bars what does not
    change: it does not say which of the changes does not go with it."""
    barred = {f.field for f in holding}
    if WHOLE in barred or any(not any(_barred(field, {b}) for field in now) for b in barred):
        return frozenset({WHOLE, *now})
    held = {field for field, line in now.items() if line.consent or _barred(field, barred)}
    return frozenset(held | {field for field in now if target.rests_on(field, facts) in held})


def _along(lines: Sequence[Line], held: Sequence[Line]) -> tuple[list[Line], list[Remark]]:
    """Changes that the target lost with others that are held back: they wait for the same consent, or say why."""
    if not lines:
        return [], []
    consent = _sorted(frozenset(word for line in held for word in line.consent))
    if consent:
        return [replace(line, consent=consent) for line in lines], []
    names = ", ".join(line.field for line in held) or "what is held back"
    why = f"it goes with {names}, which is held back"
    return [replace(line, held="impossible") for line in lines], [Remark(why, "", x.mark, "impossible") for x in lines]


def _in_order(wish: Resource, lines: Iterable[Line]) -> tuple[Line, ...]:
    order = {field: n for n, field in enumerate(wish.wanted())}
    return tuple(sorted(lines, key=lambda line: order.get(line.field, len(order))))


def _merged(before: Sequence[Remark], now: Sequence[Remark]) -> tuple[Remark, ...]:
    """What is said of what is held back stays said; of the rest, what is true of the target."""
    return tuple(dict.fromkeys((*before, *now)))


def _unread(wish: Resource, field: str) -> Remark:
    title = " ".join((wish.kind.replace("_", " "), wish.title())).strip()
    return Remark(
        f"{field} of {title} could not be read, so whether it differs is not known",
        "look at the host",
        wish.place.mark(field),
        "unknown",
    )


def _barred(field: str, barred: set[str]) -> bool:
    """By a finding at it, at a part of it ("net_adapters.1"), or at what it is a part of."""
    return any(b == field or b.startswith(f"{field}.") or field.startswith(f"{b}.") for b in barred if b)


def _creation(
    wish: Resource, action: Action, known: Sequence[Finding], facts: Facts, allow: frozenset[Impact]
) -> _Draft:
    changes = wish.as_changes(facts)
    there = wish.taken_over(facts) or {}
    made = tuple(f"{c.field}: {wish.show(c.field, c.wanted)}" for c in changes)
    summary = ", ".join(text for text in (wish.summary(), there.get("", "")) if text)
    action = replace(action, summary=summary, made=made)
    held = frozenset({WHOLE})
    try:
        found = [*known, *wish.findings(changes, facts)]
    except HeldBackError as error:
        found = [*known, error.finding]
    action = replace(action, remarks=_remarks(wish, found))
    adopted = [_line(wish, c, allow) for c in wish.changes(there, facts) if c.field in there] if there else []
    if any(f.holds for f in found):
        lines = tuple(_as_held(line, found, whole=True) for line in adopted)
        return _Draft(wish, replace(action, verb="held", lines=lines), here=False, held=held)
    line = replace(
        _whole(wish, "absent", "present", wish.create_impacts(facts), allow),
        note=wish.note("", "absent", "present", facts),
    )
    lines = (line, *adopted)
    if any(x.consent for x in lines):
        return _Draft(wish, replace(action, verb="held", lines=lines), here=False, held=held)
    return _Draft(wish, replace(action, verb="create", lines=lines), tuple(wish.create(facts)))


def _removal(wish: Resource, action: Action, exists: bool, facts: Facts, allow: frozenset[Impact]) -> _Draft:
    if not exists:
        return _Draft(wish, action, here=False)
    try:
        found = list(wish.findings((), facts))
    except HeldBackError as error:
        found = [error.finding]
    action = replace(action, remarks=_remarks(wish, found))
    line = replace(
        _whole(wish, "present", "absent", wish.remove_impacts(facts), allow),
        note=wish.note("", "present", "absent", facts),
    )
    line = _as_held(line, found, whole=True)
    if any(f.holds for f in found) or line.consent:
        return _Draft(wish, replace(action, verb="held", lines=(line,)), held=frozenset({WHOLE, "ensure"}))
    return _Draft(wish, replace(action, verb="remove", lines=(line,)), tuple(wish.remove(facts)))


def _whole_held(wish: Resource, action: Action, found: Iterable[Finding], here: bool = True) -> _Draft:
    found = tuple(found)
    verb: Verb = "later" if {f.level for f in found if f.holds} == {"later"} else "held"
    action = replace(action, verb=verb, remarks=_remarks(wish, found))
    return _Draft(wish, action, here=here, held=frozenset({WHOLE}))


def _contracted(draft: _Draft, os: OS) -> _Draft:
    """A call that this version surely refuses is not sent: what it serves is held back."""
    refused = [(s, c, v) for s in draft.steps for c, v in _verdicts(s, os) if v.answer == "refused"]
    if not refused:
        return draft
    lines = {line.field for line in draft.action.lines if line.field}
    served = {field for step, _, _ in refused for field in step.because if field in lines}
    held = frozenset(served if served and draft.action.verb == "update" else {WHOLE})
    mark = draft.wish.place.mark
    told = [
        Remark(f"{call.cmdlet}: {verdict.reason}", "", mark(next(iter(step.because), "")), "impossible")
        for step, call, verdict in refused
    ]
    action = replace(draft.action, verb="held", remarks=_merged(draft.action.remarks, told))
    return _lost(replace(draft, action=action, here=draft.action.verb != "create"), held)


def _lost(draft: _Draft, fields: frozenset[str]) -> _Draft:
    """Held back after all: what remains of it is judged again."""
    lines = tuple(
        replace(line, held="impossible", consent=()) if line.field in fields or WHOLE in fields else line
        for line in draft.action.lines
    )
    return replace(draft, action=replace(draft.action, lines=lines), steps=(), held=draft.held | fields)


def _verdicts(step: Step, os: OS) -> Iterator[tuple[Call, Verdict]]:
    for call in (step.call, *(r.call for r in step.call.refs())):
        verdict: Verdict = check(os, call)
        if verdict.answer != "accepted":
            yield call, verdict


def _waiting(draft: _Draft, earlier: Mapping[Address, _Draft]) -> _Draft:
    """Hold back what rests on something that will not be there."""
    owner = (draft.wish.owner.address(),) if draft.wish.owner else ()
    for address in (*owner, *draft.wish.requires()):
        other = earlier.get(address)
        if other is None or other.here or draft.wish.absent or draft.action.verb == "none" or WHOLE in draft.held:
            continue
        verb: Verb = "unknown" if other.action.verb == "unknown" else "held"
        if address in owner and other.action.verb == "none":
            # It is elsewhere, and so is what sits within it.
            return _Draft(
                draft.wish, replace(draft.action, verb="none", lines=(), remarks=()), (), False, draft.held | {WHOLE}
            )
        if address in owner and verb == "held" and other.action.verb == "held":
            # Its owner says why; of each part again it would bury that.
            action = replace(draft.action, verb=verb, lines=())
            return _Draft(draft.wish, action, here=False, held=frozenset({WHOLE}))
        name = f"{address[0].replace('_', ' ')} {', '.join(address[1:])}".strip()
        remark = Remark(
            f"waits for {name}, which " + ("could not be read" if verb == "unknown" else "is held back"),
            f"see what is said of {name}",
            draft.action.mark,
            "unknown" if verb == "unknown" else "impossible",
        )
        action = replace(draft.action, verb=verb, lines=(), remarks=(*draft.action.remarks, remark))
        return _Draft(draft.wish, action, here=False, held=frozenset({WHOLE}))
    return draft


def _not_taken_down(drafts: Mapping[Address, _Draft], facts: Facts) -> dict[Address, _Draft]:
    """Where the owner cannot be taken down, what needs it off is held back."""
    found = dict(drafts)
    for group in _groups(drafts.values(), facts):
        refused = [d for d in (group.bracket.doubts if group.bracket else ()) if d.holds]
        if not refused:
            continue
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
                found[wish.address()] = _lost(replace(draft, action=action, here=draft.action.verb != "create"), held)
        root = found[group.root.address()]
        action = replace(root.action, remarks=_merged(root.action.remarks, _remarks(root.wish, refused)))
        found[group.root.address()] = replace(root, action=action)
    return found


def _lacking(drafts: Mapping[Address, _Draft]) -> dict[Address, _Draft]:
    """By owner, the first vital part that it will not have."""
    found: dict[Address, _Draft] = {}
    for draft in drafts.values():
        wish, verb = draft.wish, draft.action.verb
        if wish.vital and wish.owner and not wish.absent and not draft.here and verb in ("held", "unknown"):
            found.setdefault(wish.owner.address(), draft)
    return found


def _not_half_made(drafts: Mapping[Address, _Draft]) -> dict[Address, _Draft]:
    """What would be wrong from its first start is not created: a VM without its disk, or with other memory."""
    found = dict(drafts)
    for owner, part in _lacking(drafts).items():
        draft = drafts[owner]
        if draft.action.verb != "create":
            continue
        name = _part_name(part.wish)
        consent = _sorted(frozenset(word for line in part.action.lines for word in line.consent))
        if consent:
            lines = tuple(
                replace(
                    line,
                    impacts=_sorted(frozenset({*line.impacts, *consent}) - {"online"}),
                    consent=consent,
                    note=_joined(line, name),
                )
                for line in draft.action.lines
            )
            action = replace(draft.action, verb="held", lines=lines)
            found[owner] = replace(draft, action=action, steps=(), here=False, held=frozenset({WHOLE}))
            continue
        remark = Remark(
            f"it is not created: its {name} is held back",
            f"correct what is said of its {name}, or remove it",
            draft.action.mark,
            "impossible",
        )
        action = replace(draft.action, verb="held", lines=(), remarks=(*draft.action.remarks, remark))
        found[owner] = replace(draft, action=action, steps=(), here=False, held=frozenset({WHOLE}))
    return found


def _joined(line: Line, name: str) -> str:
    why = f"its {name} needs that, and it is not created without"
    return f"{line.note}; {why}" if line.note else why


def _part_name(wish: Resource) -> str:
    return f"{wish.kind} {wish.key()}".replace("_", " ").strip()


def _not_started(drafts: Mapping[Address, _Draft]) -> dict[Address, _Draft]:
    """What lacks a vital part is left as it is, not started: a VM without its disk boots from the network."""
    lacking = {owner: _part_name(part.wish) for owner, part in _lacking(drafts).items()}
    return {
        a: _without_start(d, lacking[o]) if (o := _root(d.wish).address()) in lacking else d for a, d in drafts.items()
    }


def _without_start(draft: _Draft, missing: str) -> _Draft:
    steps = tuple(s for s in draft.steps if s.when not in ("last", "up"))
    dropped = next((s for s in draft.steps if s not in steps), None)
    if dropped is None:
        return draft
    wish = draft.wish
    field = dropped.because[0] if wish.owner is None else ""
    text = f"{_root(wish).key()} is not started without its {missing}, which is held back"
    remark = Remark(text, f"correct what is said of its {missing}", wish.place.mark(field), "impossible")
    action = replace(draft.action, remarks=(*draft.action.remarks, remark))
    return replace(draft, action=action if steps else replace(action, verb="held"), steps=steps)


def _root(wish: Resource) -> Resource:
    while wish.owner is not None:
        wish = wish.owner
    return wish


def questions(wishes: Iterable[Resource]) -> Iterator[Call]:
    """All that planning these wishes rests on: what they ask, and what lists that leave nothing else are held against."""
    for wish in wishes:
        yield from wish.proof
        yield from wish.queries()
        for kind in _exclusive(wish):
            yield from kind.survey()


def _exclusive(owner: Resource) -> Iterator[type[Resource]]:
    sections = getattr(owner, "exclusive", ())
    return (kind for kind in kinds_within(owner.kind) if kind.section in sections)


def _surplus(wishes: Sequence[Resource], facts: Facts) -> tuple[list[Resource], dict[Address, tuple[Exception, str]]]:
    """Absent wishes for what an owner has beyond its lists, where the user wrote `exclusive`, and for what it has
    had too long; and the owners whose lists could not be held against the host, with the field that asks for it."""
    unwanted: list[Resource] = []
    unlisted: dict[Address, tuple[Exception, str]] = {}
    for owner in wishes:
        for kind in kinds_within(owner.kind):
            ways = {"exclusive": kind.surplus} if kind in _exclusive(owner) else {}
            if kind.expires and getattr(owner, kind.expires, None) is not None:
                ways[kind.expires] = kind.expired
            listed = tuple(p for p in owner.parts if isinstance(p, kind))
            for why, found in ways.items():
                try:
                    gone = tuple(found(owner, listed, facts))
                except HeldBackError:
                    continue  # the owner's own draft says so
                except Exception as error:
                    unlisted.setdefault(owner.address(), (error, why))
                    continue
                for wish in gone:
                    wish._place, wish._owner = replace(owner.place, path=(*owner.place.path, why)), owner
                    unwanted.append(wish)
    return unwanted, unlisted


def _supported(wish: Resource, os: OS) -> Iterator[Finding]:
    """Fields whose parameter this version's cmdlet does not have."""
    cmdlet = contract(os).cmdlet(type(wish).setter) if type(wish).setter else None
    if type(wish).setter and cmdlet is None:
        yield Finding("", f"{title(os)} has no {wish.section}", elsewhere(os, type(wish).setter))
        return
    if cmdlet is None:
        return
    for name in wish.written():
        setting = settings(type(wish))[name]
        if setting.fixed or name in type(wish).odd:
            continue
        if cmdlet.answer(setting.set_with) == "absent":
            hint = elsewhere(os, type(wish).setter, setting.set_with)
            yield Finding(name, f"{title(os)} does not have {name}", hint)
        elif cmdlet.answer(setting.set_with) == "unknown":
            yield Finding(name, f"it is not documented whether {title(os)} has {name}", "", "warning")


def _fixed(wish: Resource, changes: Iterable[Change]) -> Iterator[Finding]:
    for change in changes:
        setting = settings(type(wish)).get(change.field)
        if isinstance(change.now, Missing):
            yield Finding(change.field, f"this host does not have {change.field}", "remove it for this host")
        elif setting and setting.fixed:
            yield Finding(
                change.field,
                f"it is {wish.show(change.field, change.now)} and cannot be changed",
                setting.fixed,
            )


def _line(wish: Resource, change: Change, allow: frozenset[Impact]) -> Line:
    return Line(
        change.field,
        wish.show(change.field, change.now),
        wish.show(change.field, change.wanted),
        _sorted(change.impacts),
        wish.place.mark(change.field),
        change.note,
        _sorted(change.impacts - allow - {"online"}),
        in_time=change.in_time,
        before=wish.value(change.field, change.now),
        after=wish.value(change.field, change.wanted),
        own_words=not free_text(type(wish), change.field),
    )


def _whole(wish: Resource, now: str, wanted: str, impacts: frozenset[Impact], allow: frozenset[Impact]) -> Line:
    consent = _sorted(impacts - allow - {"online"})
    return Line("", now, wanted, _sorted(impacts), wish.place.mark(), "", consent, before=now, after=wanted)


def _sorted(impacts: frozenset[Impact]) -> tuple[Impact, ...]:
    order: tuple[Impact, ...] = ("online", "disconnect", "restart", "recreate", "destroy", "management")
    return tuple(i for i in order if i in impacts)


def _remarks(wish: Resource, found: Iterable[Finding]) -> tuple[Remark, ...]:
    return tuple(Remark(f.message, f.hint, wish.place.mark(f.field), f.level, outside=f.outside) for f in found)


def _listed(
    drafts: Mapping[Address, _Draft], unlisted: Mapping[Address, tuple[Exception, str]]
) -> dict[Address, _Draft]:
    """Owners whose lists could not be held against the host are not in sync, whatever else is known of them."""
    return {
        a: _misread(d.wish, d.action, *unlisted[a], here=d.here) if a in unlisted and d.action.verb != "unknown" else d
        for a, d in drafts.items()
    }


def _framed(drafts: Mapping[Address, _Draft], facts: Facts) -> dict[Address, _Draft]:
    """Where it cannot be read how something is taken down, nothing that needs it is done within it."""
    roots = {root.address(): root for d in drafts.values() if _needs_off(d) for root in (_root(d.wish),)}
    failed: dict[Address, Exception] = {}
    for address, root in roots.items():
        try:
            root.bracket(facts)
        except Exception as error:
            failed[address] = error
    return {a: _unframed(d, failed.get(_root(d.wish).address())) for a, d in drafts.items()} if failed else {**drafts}


def _unframed(draft: _Draft, error: Exception | None) -> _Draft:
    if error is None or not draft.steps:
        return draft
    return _misread(draft.wish, draft.action, error, here=draft.here and draft.action.verb != "create")


def _bracket(root: Resource, facts: Facts) -> Bracket | None:
    """None also where it cannot be read: `_framed` tells that."""
    try:
        return root.bracket(facts)
    except Exception:
        return None


def _groups(drafts: Iterable[_Draft], facts: Facts) -> list[Group]:
    groups: dict[Address, Group] = {}
    for draft in drafts:
        root = _root(draft.wish)
        group = groups.setdefault(root.address(), Group(root, _bracket(root, facts) if _needs_off(draft) else None))
        if group.bracket is None and _needs_off(draft):
            group = replace(group, bracket=_bracket(root, facts))
        members = (*group.members, (draft.wish, draft.action.verb, draft.steps))
        groups[root.address()] = replace(group, members=members)
    return list(groups.values())


def _needs_off(draft: _Draft) -> bool:
    return any(step.off for step in draft.steps)


def _doubts(group: Group, facts: Facts) -> tuple[Finding, ...]:
    """Why taking it down may fail; also told before it is allowed."""
    bracket = group.bracket or _bracket(group.root, facts)
    return bracket.doubts if bracket is not None else ()


def _restart(group: Group, drafts: Mapping[Address, _Draft], facts: Facts) -> Restart | None:
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
                name = name or _part_name(wish)
                if "restart" in line.consent:
                    waiting.append(name)
                elif needed and not line.consent:
                    because.append(name)
    if group.bracket is not None and during:
        return Restart(group.root.key(), tuple(dict.fromkeys(because)), during, bool(group.bracket.start))
    bracket = _bracket(group.root, facts) if waiting and not group.root.absent else None
    if bracket is None:
        return None
    return Restart(group.root.key(), tuple(dict.fromkeys(waiting)), len(waiting), bool(bracket.start), blocked=True)


def _planned(step: Step, wish: Resource, needs: tuple[Step, ...], ids: Mapping[int, str]) -> PlannedStep:
    task = Task(
        ids[id(step)],
        step.call,
        tuple(dict.fromkeys(ids[id(n)] for n in needs if id(n) in ids)),
        step.guard,
        step.job,
        step.limit_s,
        step.retry,
    )
    frame = step.when in ("first", "last")
    return PlannedStep(task, step.text, wish.address(), step.because, frame, step.resumes)


def _doubted(draft: _Draft, os: OS, doubts: tuple[Finding, ...]) -> Action:
    """With what is not known of its calls: whether this version takes them, whether its owner goes down."""
    told = [
        Remark(f"{call.cmdlet}: {verdict.reason}", "", draft.action.mark, "warning")
        for step in draft.steps
        for call, verdict in _verdicts(step, os)
    ]
    remarks = tuple(dict.fromkeys((*draft.action.remarks, *_remarks(draft.wish, doubts), *told)))
    return replace(draft.action, remarks=remarks) if len(remarks) > len(draft.action.remarks) else draft.action
