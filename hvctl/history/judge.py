"""What was known of a host and what is seen now → what begins, lasts and ends, and whose doing it is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from hvctl.core.check import Moved, Since, Spot
from hvctl.history.seen import TEXT, Difference, Key, Seen, Thing, Wished, family_of, item_of, key_of, within

Ending = Literal["as wished", "not wished", "moved", "not there"]
"""Why it is over. It has moved: it goes on on another host. It is not there: what it is a field of is gone."""

CLOCKS = timedelta(days=1)
"""A check that is older than the last by less arrived late; by more, the clock was wrong then."""


@dataclass(frozen=True)
class Open:
    """A difference that is on record and has not ended. `accepted`: it was known drift when it was seen last."""

    id: int
    spot: Spot
    file: str
    first_seen: datetime
    moved: Moved
    accepted: bool = False

    def returns(self, now: Difference) -> bool:
        """Whether it is accepted no more."""
        return self.accepted and now.accepted is None


@dataclass(frozen=True)
class Wish:
    """`value` is wished since `since`; `agreed`: the last wished value that the host was seen to have. Both as `seen`
    prepares them for comparing; in what an earlier release stored they are texts."""

    value: str | None
    since: datetime
    agreed: str | None
    spot: Spot
    file: str


@dataclass(frozen=True)
class Absence:
    id: int
    first_seen: datetime


class Ended(NamedTuple):
    """`to`: the host that it has moved to."""

    spot: Spot
    ending: Ending
    to: str = ""


@dataclass(frozen=True)
class Elsewhere:
    """Where a thing is looked at that is, or was, known of another host. `look`: what was seen there; None: nothing is."""

    host: str
    look: Seen | None


Elsewheres = Mapping[Thing, Elsewhere]


@dataclass(frozen=True)
class Known:
    """What is on record of one host. `looked`: when it was looked at last. `came`, `came_wishes`: what was on record of another
    one, of things that are here now. `calm`: nothing is open, and what is seen now is on record as it is."""

    looked: datetime | None = None
    open: Mapping[Key, Open] = field(default_factory=dict)
    wishes: Mapping[Key, Wish] = field(default_factory=dict)
    covered: frozenset[str] = frozenset()
    absence: Absence | None = None
    came: Mapping[Key, Open] = field(default_factory=dict)
    came_wishes: Mapping[Key, Wish] = field(default_factory=dict)
    calm: bool = False

    def late(self, at: datetime) -> bool:
        """Whether it is a newer check that was stored already."""
        return self.looked is not None and timedelta(0) < self.looked - at < CLOCKS


@dataclass(frozen=True)
class Judged:
    """What is to be written of one host, and what is to be told. `returned`: what lasts and was accepted, and is no more.
    `came`: what begins here and went on on another host before."""

    since: Mapping[Key, Since] = field(default_factory=dict)
    begun: Mapping[Key, Difference] = field(default_factory=dict)
    lasting: Mapping[int, tuple[Key, Difference]] = field(default_factory=dict)
    ended: Mapping[int, Ended] = field(default_factory=dict)
    wishes: Mapping[Key, Wish] = field(default_factory=dict)
    forgotten: frozenset[Key] = frozenset()
    unreachable: datetime | None = None
    lost: bool = False
    back: bool = False
    late: bool = False
    returned: frozenset[Key] = frozenset()
    came: frozenset[Key] = frozenset()


def elsewhere(found: Sequence[Seen], late: Collection[str] = ()) -> dict[str, dict[Thing, Elsewhere]]:
    """By host, what is looked at on another one in the same check. `late`: hosts of which a newer check is stored already."""
    looks = {one.host: one for one in found if one.unreachable is None and one.host not in late}
    told: dict[str, dict[Thing, Elsewhere]] = {}
    for one in found:
        for thing, host in one.elsewhere:
            look = looks.get(host)
            known = look is not None and (thing in look.there or thing in look.missing)
            told.setdefault(one.host, {})[thing] = Elsewhere(host, look if known else None)
    return told


def judged(known: Known, seen: Seen, at: datetime, away: Elsewheres | None = None) -> Judged:
    """`away`: what is looked at on other hosts."""
    away = away or {}
    if known.late(at):
        return _late(known, seen)
    if seen.unreachable is not None:
        return Judged(
            unreachable=known.absence.first_seen if known.absence else at,
            lost=known.absence is None,
        )
    if known.calm:
        return Judged(back=known.absence is not None)
    stored = known.wishes
    before = {**known.came_wishes, **stored}
    known = replace(known, wishes={k: _adopted(wish, seen.wished.get(k)) for k, wish in before.items()})
    wishes = {key: _wish(known, seen, key, at) for key in seen.wished}
    since = {key: _since(known, seen, key, wishes, at) for key in seen.differing}
    return Judged(
        since,
        {key: d for key, d in seen.differing.items() if key not in known.open},
        {known.open[key].id: (key, d) for key, d in seen.differing.items() if key in known.open},
        {known.open[key].id: ended for key, ended in _endings(known, seen, away)},
        {key: wish for key, wish in wishes.items() if stored.get(key) != wish},
        frozenset(key for key in stored if _forgotten(known.wishes[key], key, seen, away)),
        back=known.absence is not None,
        returned=frozenset(k for k, d in seen.differing.items() if (row := _row(known, k)) and row.returns(d)),
        came=frozenset(k for k in seen.differing if k in known.came and k not in known.open),
    )


def _late(known: Known, seen: Seen) -> Judged:
    """A newer check was stored while this one ran: it tells what is known and changes nothing."""
    since = {key: Since(row.first_seen, row.moved) for key, row in known.open.items() if key in seen.differing}
    lost = known.absence is not None and seen.unreachable is not None
    return Judged(since, unreachable=known.absence.first_seen if known.absence and lost else None, late=True)


def _adopted(before: Wish, now: Wished | None) -> Wish:
    """What was kept as a text, as the value that is told so now. Where it is told otherwise now, it may be the words that
    changed or the playbook: then it is not known who left whom, and nobody is said to have."""
    if now is None:
        return before
    value, agreed = before.value, before.agreed
    if agreed is not None and agreed.startswith(TEXT):
        told_so = value is None or value == now.text
        agreed = now.value if agreed == now.text else agreed if told_so else None
    if value is not None and value.startswith(TEXT):
        value = now.value
    return replace(before, value=value, agreed=agreed)


def _wish(known: Known, seen: Seen, key: Key, at: datetime) -> Wish:
    now, before = seen.wished[key], known.wishes.get(key)
    since = before.since if before is not None and before.value == now.value else at
    agreed = now.value if key in seen.agreed else before.agreed if before is not None else None
    return Wish(now.value, since, agreed, now.spot, now.file)


def _since(known: Known, seen: Seen, key: Key, wishes: Mapping[Key, Wish], at: datetime) -> Since:
    row = _row(known, key)
    moved = _moved(known, seen, seen.differing[key].rests_on)
    if moved == "unknown" and row is not None:
        moved = row.moved  # what was known when it began
    wish = wishes.get(seen.differing[key].rests_on)
    return Since(row.first_seen if row else at, moved, wish.since if wish else None)


def _row(known: Known, key: Key) -> Open | None:
    return known.open.get(key) or known.came.get(key)


def _moved(known: Known, seen: Seen, key: Key) -> Moved:
    """Whose doing a difference is: compare what is wished with what host and playbook last agreed upon."""
    now, before = seen.wished.get(key), known.wishes.get(key)
    if now is None or now.value is None:
        return "unknown"
    if before is not None and before.agreed is not None:
        return "host" if before.agreed == now.value else "wish"
    if before is None and now.file in known.covered:
        return "wish"  # this playbook was looked at in full before, and did not say it then
    return "unknown"


def _endings(known: Known, seen: Seen, away: Elsewheres) -> Iterator[tuple[Key, Ended]]:
    """Only what was looked at can end: a host or thing that cannot be read leaves its differences open. What is on another host
    now is judged by what was seen there."""
    for key, row in known.open.items():
        if key in seen.differing:
            continue
        place = _place(row.spot, away)
        look = place.look if place is not None else seen
        if look is None:
            continue
        if place is not None and key in look.differing:
            yield key, Ended(row.spot, "moved", place.host)
            continue
        extra = key not in look.wished and family_of(row.spot.address) in look.searched
        if key in look.agreed or extra or _item_went(look, row.spot):
            yield key, Ended(row.spot, "as wished")
        elif _gone(look, row.spot):
            yield key, Ended(row.spot, "not there")
        elif _unwished(look, key, row.spot, row.file):
            yield key, Ended(row.spot, "not wished")


def came(known: Known, away: Elsewheres, to: str) -> Known:
    """What is on record of a host of things that are looked at on another one: with `came` and `came_wishes` alone."""

    def goes(spot: Spot) -> bool:
        place = _place(spot, away)
        return place is not None and place.look is not None and place.host == to

    return Known(
        came={key: row for key, row in known.open.items() if goes(row.spot)},
        came_wishes={key: wish for key, wish in known.wishes.items() if goes(wish.spot)},
    )


def _place(spot: Spot, away: Elsewheres) -> Elsewhere | None:
    return away.get(within(spot.address)[-1]) if away else None


def _forgotten(wish: Wish, key: Key, seen: Seen, away: Elsewheres) -> bool:
    """Also what is wished on another host now, where it is on record from now on."""
    place = _place(wish.spot, away)
    look = place.look if place is not None else seen
    if look is None:
        return False
    gone = place is not None and key in look.wished and key not in seen.wished
    return gone or _unwished(look, key, wish.spot, wish.file)


def _gone(seen: Seen, spot: Spot) -> bool:
    """Whether it is of something that was looked for and is not there."""
    own, *above = within(spot.address)
    return (bool(spot.field) and own in seen.missing) or any(one in seen.missing for one in above)


def _item_went(seen: Seen, spot: Spot) -> bool:
    """Whether it was one of many in a field that is wished, of a thing that was looked at."""
    field = item_of(spot)
    return field is not None and key_of(field) in seen.wished and key_of(replace(spot, field="")) in seen.agreed


def _unwished(seen: Seen, key: Key, spot: Spot, file: str) -> bool:
    return key not in seen.wished and file in seen.covered and family_of(spot.address) not in seen.unsearched
