"""What a whole host is now, as an index that somebody could have written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hvctl.call import Call
from hvctl.contract import OS
from hvctl.core.changes import HeldBackError
from hvctl.core.describe import Omission
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Entry, Index, Place, Resource
from hvctl.core.rules import broken_rules
from hvctl.text.address import Address
from hvctl.text.source import Document

NOWHERE = Place(Document(None, {}, {}, "as found"), ())
"""Where what nobody wrote stands."""

Kinds = Sequence[type[Resource]]
"""Owners before their parts."""


@dataclass(frozen=True)
class Description:
    """`index`: everything that was found, each with all that can be written of it. `omitted`: what is not in it."""

    index: Index
    omitted: tuple[tuple[Address, Omission], ...] = ()


def surveyed(kinds: Kinds) -> Iterator[Call]:
    """What `roots` rests on."""
    for kind in kinds:
        if kind.within is None:
            yield from (*kind.proof, *kind.survey())
        yield from kind.describing_first()


def roots(kinds: Kinds, facts: Facts, host: str = "") -> Description:
    """Everything that stands by itself, each by what it is known by alone. Raises UnreadableError where the account is
    not told of something."""
    omitted: list[tuple[Address, Omission]] = []
    found = [one for kind in kinds if kind.within is None for one in _found(kind, None, facts, host, omitted)]
    return Description(Index((Entry(one, NOWHERE) for one in found), host), tuple(omitted))


def describing(kinds: Kinds, owners: Iterable[Resource], seen: Facts | None = None) -> Iterator[Call]:
    """What `described` rests on. `seen`: what was surveyed, where more is to be looked for."""
    there = tuple(owners)
    own = {owner.kind for owner in there}
    own |= {kind.kind for kind in kinds if kind.within in own}
    for kind in kinds:
        if kind.kind in own or kind.within in own:
            yield from (*kind.proof, *kind.survey(), *kind.describing())
            yield from kind.describing_then(seen) if seen is not None else ()
            yield from (q for owner in there if owner.kind == kind.within for q in kind.describing_in(owner))


def described(kinds: Kinds, owners: Index, facts: Facts) -> Description:
    """These, each with all that can be written of it, and everything within them. What cannot be read, or is not there
    any more, is left out with all that sits within it."""
    host, omitted = owners.host, list[tuple[Address, Omission]]()
    entries = [*owners.entries]
    for owner in owners:
        for kind in (k for k in kinds if k.within == owner.kind):
            entries += [Entry(one, NOWHERE, owner.seat) for one in _found(kind, owner, facts, host, omitted)]
    found = Index(entries, host, owners.together)
    inner: list[Entry] = []  # within what sits within something itself
    for part in found:
        if part.owner is not None:
            for kind in (k for k in kinds if k.within == part.kind):
                inner += [Entry(one, NOWHERE, part.seat) for one in _found(kind, part, facts, host, omitted)]
    found = found.with_more(inner)
    told: list[Entry] = []
    seats: dict[int, int] = {}
    for one, entry in zip(found, found.entries, strict=True):
        if entry.owner is not None and entry.owner not in seats:
            continue
        try:
            known = one.described(facts)
        except (UnreadableError, HeldBackError) as error:
            omitted.append((one.address(), Omission("", str(error), isinstance(error, UnreadableError))))
            continue
        if known is None:
            continue
        model, left = known
        omitted += [(one.address(), omission) for omission in left]
        seats[one.seat] = len(told)
        owner_seat = None if entry.owner is None else seats[entry.owner]
        told.append(replace(entry, resource=model, owner=owner_seat))
    return Description(sound(Index(told, host, owners.together), facts.os, omitted), tuple(omitted))


def _found(
    kind: type[Resource],
    owner: Resource | None,
    facts: Facts,
    host: str,
    omitted: list[tuple[Address, Omission]],
) -> Iterator[Resource]:
    try:
        found = tuple(kind.discover(owner, facts))
    except (UnreadableError, HeldBackError) as error:
        if owner is None:
            raise
        unread = isinstance(error, UnreadableError)
        omitted.append((Address(host, kind.kind, owner.address().names, ""), Omission("", str(error), unread)))
        return
    for one in found[:1]:
        one.check_rights(facts)
    yield from found


def sound(index: Index, os: OS, omitted: list[tuple[Address, Omission]]) -> Index:
    """Without what breaks a rule of playbooks: a host may be as none may ask for."""
    while True:
        wrong: dict[int, tuple[str, str]] = {}
        for one, found in broken_rules(tuple(index), os):
            if found.holds:
                wrong.setdefault(one.seat, (found.field, found.message.replace(f" at {NOWHERE.mark()}", "")))
        if not wrong:
            return index
        omitted += [(index[seat].address(), Omission(*said)) for seat, said in wrong.items()]
        index = without(index, {seat: [field] for seat, (field, _) in wrong.items()})


def without(index: Index, fields: Mapping[int, Sequence[str]]) -> Index:
    """Less these fields, by seat. A resource goes whole, with all within it, where "" is among them, or one that it is
    known by."""
    entries: list[Entry] = []
    seats: dict[int, int] = {}
    for one, entry in zip(index, index.entries, strict=True):
        if entry.owner is not None and entry.owner not in seats:
            continue
        gone = fields.get(one.seat, ())
        if not all(field and entry.resource.without([field]) != entry.resource for field in gone):
            continue
        seats[one.seat] = len(entries)
        owner = None if entry.owner is None else seats[entry.owner]
        entries.append(replace(entry, resource=entry.resource.without(gone), owner=owner))
    return Index(entries, index.host, index.together)
