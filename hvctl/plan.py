"""Wishes and facts → what differs, what it costs, what is done about it, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from hvctl.call import Call, HostInfo, Task
from hvctl.contract import OS, Verdict, check, contract, title
from hvctl.facts import Facts
from hvctl.misreading import Misreading
from hvctl.order import Group, arrange, kinds_within, rank
from hvctl.resource import (
    Address,
    Bracket,
    Change,
    Finding,
    HeldBackError,
    Impact,
    Missing,
    Resource,
    Step,
    settings,
)
from hvctl.source import Mark, Problem

Verb = Literal["none", "create", "update", "remove", "held", "unknown"]


@dataclass(frozen=True)
class Line:
    """One field of an action, as text for people. `consent`: words that would allow it; empty: it is done."""

    field: str
    now: str
    wanted: str
    impacts: tuple[Impact, ...]
    mark: Mark
    note: str = ""
    consent: tuple[Impact, ...] = ()


@dataclass(frozen=True)
class Remark:
    """A finding with its place. "impossible" and "later" hold the resource back, "warning" does not. `trace`: where in
    hvctl it came up, if that may help; `defect`: it is hvctl's own."""

    message: str
    hint: str
    mark: Mark
    level: Literal["impossible", "later", "warning", "unknown"]
    trace: str = ""
    defect: bool = False


@dataclass(frozen=True)
class Action:
    """What happens to one resource. `made`: what a new one is given, field by field."""

    address: Address
    title: str
    verb: Verb
    mark: Mark
    summary: str = ""
    lines: tuple[Line, ...] = ()
    remarks: tuple[Remark, ...] = ()
    made: tuple[str, ...] = ()

    @property
    def blocked(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.consent)

    @property
    def undone(self) -> bool:
        """Whether something of it is left undone, whatever the apply does."""
        return self.verb == "held" or bool(self.blocked)

    @property
    def differs(self) -> bool:
        return self.verb not in ("none", "unknown") or bool(self.lines)


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
    """Something goes down and comes back once."""

    name: str
    because: tuple[str, ...]
    during: int
    back: bool = True


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
        return not any(a.differs or a.verb == "unknown" for a in self.actions)

    @property
    def unreadable(self) -> bool:
        return any(a.verb == "unknown" for a in self.actions)

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
        for wish, found in _rules(tuple(wishes), os)
    ]


def _rules(wishes: tuple[Resource, ...], os: OS) -> Iterator[tuple[Resource, Finding]]:
    for wish in wishes:
        for found in (*wish.rules(os), *_supported(wish, os)):
            yield wish, found
    for kind in dict.fromkeys(type(w) for w in wishes):
        yield from kind.rules_together(tuple(w for w in wishes if type(w) is kind), os)


def make_plan(host: str, wishes: Sequence[Resource], facts: Facts, allow: frozenset[Impact]) -> Plan:
    """The plan of one host; pure: equal facts and wishes give an equal plan."""
    drafts: dict[Address, _Draft] = {}
    broken: dict[Address, list[Finding]] = {}
    for wish, found in _rules(tuple(wishes), facts.os):
        broken.setdefault(wish.address(), []).append(found)
    surplus, unlisted = _surplus(wishes, facts)
    for wish in sorted((*wishes, *surplus), key=rank):
        draft = _draft(wish, facts, allow | wish.place.allow, broken.get(wish.address(), []))
        if wish.address() in unlisted and draft.action.verb != "unknown":
            draft = _unread(wish, draft.action, *unlisted[wish.address()], here=draft.here)
        drafts[wish.address()] = _waiting(draft, drafts)
    drafts, brackets = _bracketed(_not_started(drafts), facts)
    groups = _groups(drafts.values(), brackets)
    order = arrange(groups)
    ids = {id(step): f"s{n}" for n, (step, _, _) in enumerate(order, 1)}
    steps = tuple(_planned(step, wish, needs, ids) for step, wish, needs in order)
    doubts = {g.root.address(): g.bracket.doubts for g in groups if g.bracket is not None and _restart(g, drafts)}
    actions = tuple(
        _checked(drafts[wish.address()], facts.os, doubts.get(wish.address(), ()))
        for g in groups
        for wish, _, _ in g.members
    )
    restarts = tuple(r for g in groups if (r := _restart(g, drafts)))
    return Plan(host, facts.os, facts.info, actions, steps, restarts, facts, allow)


@dataclass(frozen=True)
class _Draft:
    wish: Resource
    action: Action
    steps: tuple[Step, ...] = ()
    here: bool = True  # it exists, or will when its steps have run


def _draft(wish: Resource, facts: Facts, allow: frozenset[Impact], known: list[Finding]) -> _Draft:
    action = Action(wish.address(), wish.title(), "none", wish.place.mark())
    here = True
    try:
        if any(f.holds for f in known):
            return _held(wish, action, known, here=False)
        actual = wish.actual(facts)
        here = actual is not None
        if wish.absent:
            return _removal(wish, action, actual is not None, facts, allow)
        action = replace(action, remarks=_remarks(wish, known))
        if actual is None:
            return _creation(wish, action, facts, allow)
        return _update(wish, action, actual, facts, allow)
    except HeldBackError as error:
        return _held(wish, action, [error.finding], here)
    except Exception as error:
        return _unread(wish, action, error)


def _unread(wish: Resource, action: Action, error: Exception, field: str = "", *, here: bool = False) -> _Draft:
    """Whatever a kind raises on facts is its resource's own trouble: neither in sync nor different."""
    found = Misreading.of(error)
    mark = wish.place.mark(field) if field else action.mark
    remark = Remark(found.message, found.hint, mark, "unknown", found.trace, found.defect)
    return _Draft(wish, replace(action, verb="unknown", lines=(), remarks=(remark,), made=()), here=here)


def _update(
    wish: Resource, action: Action, actual: Mapping[str, object], facts: Facts, allow: frozenset[Impact]
) -> _Draft:
    changes = wish.changes(actual, facts)
    found = [*_fixed(wish, changes), *wish.findings(changes, facts)]
    action = replace(action, remarks=(*action.remarks, *_remarks(wish, found)))
    if not changes and not found:
        return _Draft(wish, action)
    barred = {f.field for f in found if f.holds}
    lines = tuple(_line(wish, c, allow) for c in changes)
    if "" in barred or not changes:
        verb: Verb = "held" if barred else "none"
        return _Draft(wish, replace(action, verb=verb, lines=() if verb == "none" else lines))
    doable = tuple(
        c for c, line in zip(changes, lines, strict=True) if not line.consent and not _barred(c.field, barred)
    )
    steps = tuple(wish.update(doable, facts)) if doable else ()
    return _Draft(wish, replace(action, verb="update" if doable else "held", lines=lines), steps)


def _barred(field: str, barred: set[str]) -> bool:
    """By a finding at it or at a part of it ("net_adapters.1")."""
    return any(b == field or b.startswith(f"{field}.") for b in barred)


def _creation(wish: Resource, action: Action, facts: Facts, allow: frozenset[Impact]) -> _Draft:
    changes = wish.as_changes(facts)
    found = list(wish.findings(changes, facts))
    made = tuple(f"{c.field}: {wish.show(c.field, c.wanted)}" for c in changes)
    action = replace(action, remarks=(*action.remarks, *_remarks(wish, found)), summary=wish.summary(), made=made)
    if any(f.holds for f in found):
        return _Draft(wish, replace(action, verb="held"), here=False)
    line = replace(
        _whole(wish, "absent", "present", wish.create_impacts(facts), allow),
        note=wish.note("", "absent", "present", facts),
    )
    if line.consent:
        return _Draft(wish, replace(action, verb="held", lines=(line,)), here=False)
    return _Draft(wish, replace(action, verb="create", lines=(line,)), tuple(wish.create(facts)))


def _removal(wish: Resource, action: Action, exists: bool, facts: Facts, allow: frozenset[Impact]) -> _Draft:
    if not exists:
        return _Draft(wish, action, here=False)
    found = list(wish.findings((), facts))
    action = replace(action, remarks=_remarks(wish, found))
    line = replace(
        _whole(wish, "present", "absent", wish.remove_impacts(facts), allow),
        note=wish.note("", "present", "absent", facts),
    )
    if any(f.holds for f in found) or line.consent:
        return _Draft(wish, replace(action, verb="held", lines=(line,)))
    return _Draft(wish, replace(action, verb="remove", lines=(line,)), tuple(wish.remove(facts)))


def _held(wish: Resource, action: Action, found: Iterable[Finding], here: bool = True) -> _Draft:
    return _Draft(wish, replace(action, verb="held", remarks=_remarks(wish, found)), here=here)


def _waiting(draft: _Draft, earlier: Mapping[Address, _Draft]) -> _Draft:
    """Hold back what rests on something that will not be there."""
    owner = (draft.wish.owner.address(),) if draft.wish.owner else ()
    for address in (*owner, *draft.wish.requires()):
        other = earlier.get(address)
        if other is None or other.here or draft.wish.absent or draft.action.verb == "none":
            continue
        verb: Verb = "unknown" if other.action.verb == "unknown" else "held"
        remark = Remark(
            f"waits for {' '.join(address[:1])} {', '.join(address[1:])}, which is not there",
            "see there",
            draft.action.mark,
            "unknown" if verb == "unknown" else "impossible",
        )
        action = replace(draft.action, verb=verb, lines=(), remarks=(*draft.action.remarks, remark))
        return _Draft(draft.wish, action, here=False)
    return draft


def _not_started(drafts: Mapping[Address, _Draft]) -> dict[Address, _Draft]:
    """What lacks a vital part is left as it is, not started: a VM without its disk boots from the network."""
    lacking: dict[Address, str] = {}
    for draft in drafts.values():
        wish, verb = draft.wish, draft.action.verb
        if wish.vital and wish.owner and not wish.absent and not draft.here and verb in ("held", "unknown"):
            lacking.setdefault(wish.owner.address(), f"{wish.kind} {wish.address()[-1]}".replace("_", " "))
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
    remark = Remark(text, "see there", wish.place.mark(field), "impossible")
    action = replace(draft.action, remarks=(*draft.action.remarks, remark))
    return replace(draft, action=action if steps else replace(action, verb="held"), steps=steps)


def _root(wish: Resource) -> Resource:
    while wish.owner is not None:
        wish = wish.owner
    return wish


def questions(wishes: Iterable[Resource]) -> Iterator[Call]:
    """All that planning these wishes rests on: what they ask, and what lists that leave nothing else are held against."""
    for wish in wishes:
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
        yield Finding("", f"{title(os)} has no {wish.section}", "remove the section for this host")
        return
    if cmdlet is None:
        return
    for name in wish.written():
        setting = settings(type(wish))[name]
        if setting.fixed or name in type(wish).odd:
            continue
        if cmdlet.answer(setting.set_with) == "absent":
            yield Finding(name, f"{title(os)} does not have {name}", "remove it for this host")
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
    )


def _whole(wish: Resource, now: str, wanted: str, impacts: frozenset[Impact], allow: frozenset[Impact]) -> Line:
    return Line("", now, wanted, _sorted(impacts), wish.place.mark(), "", _sorted(impacts - allow - {"online"}))


def _sorted(impacts: frozenset[Impact]) -> tuple[Impact, ...]:
    order: tuple[Impact, ...] = ("online", "disconnect", "restart", "recreate", "destroy", "management")
    return tuple(i for i in order if i in impacts)


def _remarks(wish: Resource, found: Iterable[Finding]) -> tuple[Remark, ...]:
    return tuple(Remark(f.message, f.hint, wish.place.mark(f.field), f.level) for f in found)


def _bracketed(
    drafts: Mapping[Address, _Draft], facts: Facts
) -> tuple[dict[Address, _Draft], dict[Address, Bracket | None]]:
    """How each root that must be off is framed. Where that cannot be read, nothing is done within it."""
    brackets: dict[Address, Bracket | None] = {}
    failed: dict[Address, Exception] = {}
    for draft in drafts.values():
        root = _root(draft.wish)
        if not _needs_off(draft) or root.address() in {**brackets, **failed}:
            continue
        try:
            brackets[root.address()] = root.bracket(facts)
        except Exception as error:
            failed[root.address()] = error
    return {a: _unframed(d, failed.get(_root(d.wish).address())) for a, d in drafts.items()}, brackets


def _unframed(draft: _Draft, error: Exception | None) -> _Draft:
    if error is None or not draft.steps:
        return draft
    if isinstance(error, HeldBackError):
        return _held(draft.wish, draft.action, [error.finding], draft.here)
    return _unread(draft.wish, draft.action, error, here=draft.here and draft.action.verb != "create")


def _groups(drafts: Iterable[_Draft], brackets: Mapping[Address, Bracket | None]) -> list[Group]:
    groups: dict[Address, Group] = {}
    for draft in drafts:
        root = _root(draft.wish)
        group = groups.setdefault(root.address(), Group(root, brackets.get(root.address())))
        members = (*group.members, (draft.wish, draft.action.verb, draft.steps))
        groups[root.address()] = replace(group, members=members)
    return list(groups.values())


def _needs_off(draft: _Draft) -> bool:
    return any(step.off for step in draft.steps)


def _restart(group: Group, drafts: Mapping[Address, _Draft]) -> Restart | None:
    """Why it goes down: the fields that need it, and what is made or removed for which it must be off."""
    if group.bracket is None or not any(s.off for _, _, steps in group.members for s in steps):
        return None
    because: list[str] = []
    during = 0
    for wish, _, steps in group.members:
        off = {name for step in steps if step.off for name in step.because}
        if not any(step.off for step in steps):
            continue
        during += len(off) or 1
        for line in drafts[wish.address()].action.lines:
            if "restart" in line.impacts and not line.consent:
                name = f"{wish.section}.{line.field}" if wish.owner and line.field else line.field
                because.append(name or f"{wish.kind} {wish.key()}".replace("_", " ").strip())
    return Restart(group.root.key(), tuple(dict.fromkeys(because)), during, bool(group.bracket.start))


def _planned(step: Step, wish: Resource, needs: tuple[Step, ...], ids: Mapping[int, str]) -> PlannedStep:
    task = Task(
        ids[id(step)],
        step.call,
        tuple(dict.fromkeys(ids[id(n)] for n in needs if id(n) in ids)),
        step.guard,
        step.job,
        step.limit_s,
    )
    frame = step.when in ("first", "last")
    return PlannedStep(task, step.text, wish.address(), step.because, frame, step.resumes)


def _checked(draft: _Draft, os: OS, doubts: tuple[Finding, ...]) -> Action:
    """Every call against the contract of that version, before anything is sent."""
    remarks = [*draft.action.remarks, *_remarks(draft.wish, doubts)]
    for step in draft.steps:
        calls: list[Call] = [step.call, *(r.call for r in step.call.refs())]
        for call in calls:
            verdict: Verdict = check(os, call)
            if verdict.answer != "accepted":
                level: Literal["impossible", "warning"] = "impossible" if verdict.answer == "refused" else "warning"
                remarks.append(Remark(f"{call.cmdlet}: {verdict.reason}", "", draft.action.mark, level))
    if len(remarks) == len(draft.action.remarks):
        return draft.action
    return replace(draft.action, remarks=tuple(remarks))
