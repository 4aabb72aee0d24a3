"""What was known of a host and what is seen now → what begins, lasts and ends, and whose doing it is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from hvctl.core.check import Moved, Since, Spot
from hvctl.history.seen import TEXT, Difference, Key, Seen, Wished, family_of, item_of, key_of

Ending = Literal["as wished", "not wished"]

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


@dataclass(frozen=True)
class Known:
    """What is on record of one host. `looked`: when it was looked at last."""

    looked: datetime | None = None
    open: Mapping[Key, Open] = field(default_factory=dict)
    wishes: Mapping[Key, Wish] = field(default_factory=dict)
    covered: frozenset[str] = frozenset()
    absence: Absence | None = None


@dataclass(frozen=True)
class Judged:
    """What is to be written of one host, and what is to be told. `returned`: what lasts and was accepted, and is no more."""

    since: Mapping[Key, Since] = field(default_factory=dict)
    begun: Mapping[Key, Difference] = field(default_factory=dict)
    lasting: Mapping[int, tuple[Key, Difference]] = field(default_factory=dict)
    ended: Mapping[int, tuple[Spot, Ending]] = field(default_factory=dict)
    wishes: Mapping[Key, Wish] = field(default_factory=dict)
    forgotten: frozenset[Key] = frozenset()
    unreachable: datetime | None = None
    lost: bool = False
    back: bool = False
    late: bool = False
    returned: frozenset[Key] = frozenset()


def judged(known: Known, seen: Seen, at: datetime) -> Judged:
    if known.looked is not None and timedelta(0) < known.looked - at < CLOCKS:
        return _late(known, seen)
    if seen.unreachable is not None:
        return Judged(
            unreachable=known.absence.first_seen if known.absence else at,
            lost=known.absence is None,
        )
    stored = known.wishes
    known = replace(known, wishes={k: _adopted(wish, seen.wished.get(k)) for k, wish in stored.items()})
    wishes = {key: _wish(known, seen, key, at) for key in seen.wished}
    since = {key: _since(known, seen, key, wishes, at) for key in seen.differing}
    return Judged(
        since,
        {key: d for key, d in seen.differing.items() if key not in known.open},
        {known.open[key].id: (key, d) for key, d in seen.differing.items() if key in known.open},
        {known.open[key].id: (known.open[key].spot, ending) for key, ending in _endings(known, seen)},
        {key: wish for key, wish in wishes.items() if stored.get(key) != wish},
        frozenset(key for key, wish in known.wishes.items() if _unwished(seen, key, wish.spot, wish.file)),
        back=known.absence is not None,
        returned=frozenset(k for k, d in seen.differing.items() if k in known.open and known.open[k].returns(d)),
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
    row = known.open.get(key)
    moved = _moved(known, seen, seen.differing[key].rests_on)
    if moved == "unknown" and row is not None:
        moved = row.moved  # what was known when it began
    wish = wishes.get(seen.differing[key].rests_on)
    return Since(row.first_seen if row else at, moved, wish.since if wish else None)


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


def _endings(known: Known, seen: Seen) -> Iterator[tuple[Key, Ending]]:
    """Only what was looked at can end: a host or thing that cannot be read leaves its differences open."""
    for key, row in known.open.items():
        if key in seen.differing:
            continue
        extra = key not in seen.wished and family_of(row.spot.address) in seen.searched
        if key in seen.agreed or extra or _item_went(seen, row.spot):
            yield key, "as wished"
        elif _unwished(seen, key, row.spot, row.file):
            yield key, "not wished"


def _item_went(seen: Seen, spot: Spot) -> bool:
    """Whether it was one of many in a field that is wished, of a thing that was looked at."""
    field = item_of(spot)
    return field is not None and key_of(field) in seen.wished and key_of(replace(spot, field="")) in seen.agreed


def _unwished(seen: Seen, key: Key, spot: Spot, file: str) -> bool:
    return key not in seen.wished and file in seen.covered and family_of(spot.address) not in seen.unsearched
