"""In which order steps run: owners before parts, one stop and one start around what needs a VM off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from hvctl.core.changes import Bracket, Step
from hvctl.core.resource import Resource
from hvctl.text.address import Address

Member = tuple[Resource, str, tuple[Step, ...]]
"""A resource, its verb, its steps."""

Placed = tuple[Step, Resource, tuple[Step, ...]]
"""A step, the resource it serves, all earlier steps that must have succeeded."""


@dataclass(frozen=True)
class Group:
    """A root resource and all that sits within it; they go down and come up together."""

    root: Resource
    bracket: Bracket | None = None
    members: tuple[Member, ...] = ()


def rank(wish: Resource) -> tuple[int, ...]:
    """Sort key: roots before their parts, kinds after those they name in `after`, otherwise as written."""
    return (*(rank(wish.owner) if wish.owner else ()), _depth(type(wish)))


@cache
def _depth(kind: type[Resource]) -> int:
    others = _kinds()
    return 1 + max((_depth(others[name]) for name in kind.after if name in others), default=0)


@cache
def _kinds() -> dict[str, type[Resource]]:
    found: dict[str, type[Resource]] = {}
    waiting = list(Resource.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.kind:
            found[kind.kind] = kind
    return found


def arrange(groups: Sequence[Group]) -> list[Placed]:
    """All steps of a host in order. What is removed goes last and backwards, so that nothing in use is removed."""
    keep = [g for g in groups if not g.root.absent]
    gone = [g for g in reversed(groups) if g.root.absent]
    steps_of: dict[Address, tuple[Step, ...]] = {
        wish.address(): steps for group in groups for wish, verb, steps in group.members if verb != "remove"
    }
    whole: dict[Address, list[Step]] = {}
    for at, steps in steps_of.items():
        if at.key and not at.owners:
            whole.setdefault(Address(at.host, at.kind), []).extend(steps)
    # An address without a key stands for all of that kind, where that is not a section which exists once.
    steps_of = {**{at: tuple(steps) for at, steps in whole.items()}, **steps_of}
    placed = [placed for group in (*keep, *gone) for placed in _arranged(group, steps_of)]
    return sorted(placed, key=lambda p: p[0].when == "closing")


def _arranged(group: Group, steps_of: dict[Address, tuple[Step, ...]]) -> list[Placed]:
    members = sorted(group.members, key=lambda m: m[1] != "remove" or m[0] is group.root)
    placed = [(s, wish, _needs(wish, verb, s, group, steps_of)) for wish, verb, steps in members for s in steps]
    early: list[Placed] = []
    for step, wish, needs in placed:
        if step.when == "early":
            early.append((step, wish, (*needs, *(p[0] for p in early))))
    before = tuple(p[0] for p in early)
    closing = [p for p in placed if p[0].when == "closing"]
    apart = ("early", "closing", "finish", "again")
    rest = [(s, w, (*n, *before)) for s, w, n in placed if s.when not in apart]
    framed = _framed(group, members, rest, before)
    return [*early, *_finished(framed, placed), *closing]


def _finished(framed: Sequence[Placed], placed: Sequence[Placed]) -> list[Placed]:
    """With what comes at the end; what waits for the start of a VM waits for one that comes then."""
    finish = [p for p in placed if p[0].when == "finish"]
    again = [p for p in placed if p[0].when == "again"]
    ups = [p for p in framed if p[0].when == "up"] if again else []
    done = [p for p in framed if p not in ups]
    steps = tuple(p[0] for p in done)
    started = tuple(p[0] for p in again[:1])
    closed = [(s, w, (*n, *steps)) for s, w, n in finish]
    return [*done, *closed, *again, *((s, w, (*n, *steps, *started)) for s, w, n in ups)]


def _framed(group: Group, members: Sequence[Member], placed: Sequence[Placed], early: tuple[Step, ...]) -> list[Placed]:
    """One stop and one start around what needs it off."""
    normal = [p for p in placed if p[0].when == "normal"]
    wake = [p for p in placed if p[0].when == "wake"]
    first = [p for p in placed if p[0].when == "first"]
    late = [p for p in placed if p[0].when == "late"]
    last = [p for p in placed if p[0].when == "last"]
    up = [p for p in placed if p[0].when == "up"]
    off = _while_off(normal)
    if group.bracket is None or not off:
        made = any(verb == "create" for wish, verb, _ in members if wish is group.root)
        awaited = tuple(p[0] for p in (normal if made else [p for p in off if p[0].off]))
        stops = tuple(p[0] for p in first)
        woken = tuple(p[0] for p in wake)
        normal = [(s, w, (*n, *stops)) if s.off else (s, w, n) for s, w, n in normal]
        normal = [(s, w, n) if w is group.root else (s, w, (*n, *woken)) for s, w, n in normal]
        late = [(s, w, (*n, *stops, *woken)) for s, w, n in late]
        started = tuple(p[0] for p in last)
        ups = [(s, w, (*n, *woken, *started)) for s, w, n in up]
        return [*wake, *first, *normal, *late, *((s, w, (*n, *awaited)) for s, w, n in last), *ups]
    # The bracket goes from up to off to the wished state, so the root's own stop and start steps are in it.
    # One that sleeps is not woken for what is live: that too waits until it is off.
    off = normal if wake else off
    before = [p for p in normal if p not in off]
    stops = group.bracket.stop
    stop = [(s, group.root, (*s.needs, *early)) for s in stops]
    during = [(s, w, (*n, *stops)) for s, w, n in (*off, *late)]
    start = [(s, group.root, (*s.needs, *stops)) for s in group.bracket.start]
    ups = [(s, w, (*n, *group.bracket.start)) for s, w, n in up]
    return [*before, *stop, *during, *start, *ups]


def _needs(
    wish: Resource, verb: str, step: Step, group: Group, steps_of: dict[Address, tuple[Step, ...]]
) -> tuple[Step, ...]:
    """Its own; the making of its owner; all of what it requires, and of what it follows."""
    found = list(step.needs)
    for member, made, steps in group.members:
        if member is wish.owner and made == "create" and steps:
            found.append(steps[0])
    if verb != "remove":
        for address in (*wish.requires(), *wish.follows(step)):
            found += [s for s in steps_of.get(address, ()) if s.when == "normal"]
    return tuple(found)


def _while_off(normal: Sequence[Placed]) -> list[Placed]:
    """Those that need it off, and those that rest on them."""
    chosen: list[Placed] = []
    ids: set[int] = set()
    for placed in normal:
        step, _, needs = placed
        if step.off or any(id(n) in ids for n in needs):
            chosen.append(placed)
            ids.add(id(step))
    return chosen if any(s.off for s, _, _ in chosen) else []


@cache
def kinds_within(owner: str) -> tuple[type[Resource], ...]:
    """The kinds of parts that an owner can have, as their steps run."""
    return tuple(sorted((k for k in _kinds().values() if k.within == owner), key=_depth))
