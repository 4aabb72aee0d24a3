"""What is asked of a host to plan it; and what it has beyond what is listed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hvctl.call import Batch, Call
from hvctl.core.changes import HeldBackError
from hvctl.core.facts import Facts, read_batch
from hvctl.core.order import kinds_within
from hvctl.core.plan import Searched
from hvctl.core.resource import Entry, Index, Resource
from hvctl.core.values import as_json
from hvctl.text.address import Address


def questions(wishes: Iterable[Resource]) -> Iterator[Call]:
    """All that planning these wishes rests on: what they ask, and what lists that leave nothing else are held against."""
    for wish in wishes:
        yield from wish.proof
        yield from wish.queries()
        for kind in _exclusive(wish):
            yield from kind.survey()


def asked_of(desired: Index) -> Batch:
    """As one batch, what is asked of a host that is planned by itself: made once where the same is wanted of many."""
    entries = desired.entries
    if not desired.by_itself:
        return read_batch(questions(desired))
    if entries.asked is None:
        entries.asked = read_batch(questions(desired))
    return entries.asked


def questions_once(unit: Iterable[Index], together: str) -> tuple[Call, ...]:
    """What one of the hosts that are planned together by this answers for all of them."""
    wishes = (wish for desired in unit if desired.together == together for wish in desired)
    return tuple(dict.fromkeys(q for wish in wishes for q in wish.queries_once())) if together else ()


def questions_of(host: str, unit: Iterable[Index], *, without: Iterable[Call] = ()) -> Iterator[Call]:
    """What is asked of one host of several that are planned together. `without`: what another one is asked."""
    elsewhere = {call.family for call in without}
    for desired in unit:
        if desired.host == host:
            yield from (q for q in questions(desired) if q.family not in elsewhere)
        else:
            yield from (q for wish in desired if host in wish.links() for q in wish.queries_on(host))


def further_of(unit: Sequence[Index], facts: Mapping[str, Facts]) -> Iterator[tuple[str, Call]]:
    """What is asked of hosts that are planned together besides, by host, from what they have answered."""
    linked = {h: replace(own, others={one.host: facts.get(one.host) for one in unit}) for h, own in facts.items()}
    for one in unit:
        for wish in one if one.host in linked else ():
            if wish.links():
                try:
                    yield from wish.further(linked[one.host])
                except Exception:
                    continue


def _exclusive(owner: Resource) -> Iterator[type[Resource]]:
    yield from owner.whole_lists()
    if sections := owner.__dict__.get("exclusive"):
        yield from (kind for kind in kinds_within(owner.kind) if kind.section in sections)


@dataclass(frozen=True)
class Beyond:
    """What a host has beyond what is listed. `unwanted`: as absent wishes. `unlisted`: owners whose lists could not be held
    against the host, with the field that asks for it. `searched`: all such lists, by their owner."""

    unwanted: list[Entry] = field(default_factory=list)
    unlisted: dict[Address, tuple[Exception, str]] = field(default_factory=dict)
    searched: dict[Address, list[Searched]] = field(default_factory=dict)


def beyond(desired: Index, facts: Facts) -> Beyond:
    """Absent wishes for what an owner has beyond its lists, where the user wrote `exclusive`, and for what it has
    had too long; and the owners whose lists could not be held against the host, with the field that asks for it."""
    found = Beyond()
    for owner in desired:
        whole = owner.whole_lists()
        exclusive = tuple(_exclusive(owner))
        for kind in (*kinds_within(owner.kind), *whole):
            ways = {"exclusive": kind.surplus} if kind in exclusive else {}
            if not (ways or kind.expires):
                continue
            if kind.expires and getattr(owner, kind.expires, None) is not None:
                ways[kind.expires] = kind.expired
            listed = owner.listed(kind)
            for n, (why, look) in enumerate(ways.items()):
                more: bool | None = None
                try:
                    gone = tuple(look(owner, listed, facts))
                    more = bool(gone)
                except HeldBackError:
                    gone = ()  # the owner's own draft says so
                except Exception as error:
                    gone = ()
                    found.unlisted.setdefault(owner.address(), (error, why))
                by = "exclusive" if why == "exclusive" else as_json(getattr(owner, why))
                if n == 0:
                    found.searched.setdefault(owner.address(), []).append(Searched(kind.kind, by, more))
                place = replace(owner.place, path=(*owner.place.path, why))
                if kind in whole:  # what is accepted of the list is accepted of all that is beyond it
                    accept = desired.entries[owner.seat].accept
                    found.unwanted.extend(Entry(w.undescribed(), place, there=False, accept=accept) for w in gone)
                else:
                    found.unwanted.extend(Entry(wish, place, owner.seat, there=False) for wish in gone)
    return found
