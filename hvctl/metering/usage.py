"""Stretches → what each VM used in a span of time, and of how much of that time it is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from hvctl.metering.reading import QUANTITIES, Quantity
from hvctl.metering.stretch import Amount, Event, Gap, Stretch

Key = tuple[str, ...]


@dataclass(frozen=True)
class Total:
    """`value` as in an Amount; `seconds`: the time that it was counted over; `off`: how much it may be off by, since meters
    tell whole numbers. `doubtful`: nobody tells its unit of measure for all of it."""

    value: float
    seconds: float
    off: float = 0.0
    doubtful: bool = False

    @property
    def average(self) -> float | None:
        """Per second: MHz, MB, I/Os of 8 KB, bytes."""
        return self.value / self.seconds if self.seconds else None


@dataclass(frozen=True)
class Usage:
    """Of one VM, as long as it had that owner on that host, between `start` and `end`."""

    vm_id: str
    name: str
    host: str
    owner: str
    start: datetime
    end: datetime
    totals: Mapping[Quantity, Total] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def key(self) -> Key:
        return (self.vm_id, self.host, self.owner)

    @property
    def gap_seconds(self) -> float:
        return sum(gap.seconds for gap in self.gaps)


def used(
    found: Iterable[Stretch],
    start: datetime,
    end: datetime,
    key: Callable[[Stretch], Key] = lambda s: (s.vm_id, s.owner, s.host),
) -> tuple[Usage, ...]:
    """What lies between `start` and `end`. What was used between two readings is spread evenly over the time between them.
    What was counted before the first reading is left out if some of that lies before `start`: when it was used nobody knows."""
    groups: dict[Key, list[Stretch]] = {}
    for one in found:
        clipped = _clipped(one, start, end)
        if clipped is not None:
            groups.setdefault(key(one), []).append(clipped)
    return tuple(_usage(group, start, end) for group in groups.values())


def _clipped(one: Stretch, start: datetime, end: datetime) -> Stretch | None:
    moment = one.start == one.end and start <= one.start <= end
    if not moment and (one.end <= start or one.start >= end):
        return None
    if start <= one.start and one.end <= end:
        return one
    first = any(event.kind == "first" for event in one.events)
    events = tuple(e for e in one.events if start <= e.at < end or (e.at == end and one.end == end))
    if first and one.start < start:
        gap = Gap(start, min(one.end, end), "before the first reading")
        return replace(one, start=start, end=min(one.end, end), amounts={}, gaps=(gap,), events=events)
    amounts = {q: c for q, a in one.amounts.items() if (c := _part(a, start, end)) is not None}
    gaps = tuple(Gap(max(g.start, start), min(g.end, end), g.why) for g in one.gaps if g.start < end and g.end > start)
    return replace(one, start=max(one.start, start), end=min(one.end, end), amounts=amounts, gaps=gaps, events=events)


def _part(amount: Amount, start: datetime, end: datetime) -> Amount | None:
    begins, ends = max(amount.start, start), min(amount.end, end)
    whole = (amount.end - amount.start).total_seconds()
    if whole <= 0:
        return amount if start <= amount.start < end else None
    part = (ends - begins).total_seconds() / whole
    if part <= 0:
        return None
    return replace(amount, value=amount.value * part, start=begins, end=ends, seconds=amount.seconds * part)


def _usage(group: Sequence[Stretch], start: datetime, end: datetime) -> Usage:
    last = group[-1]
    totals = {q: _total([s.amounts[q] for s in group if q in s.amounts]) for q in QUANTITIES}
    return Usage(
        last.vm_id,
        last.name,
        ", ".join(dict.fromkeys(s.host for s in group)),
        last.owner,
        max(start, min(s.start for s in group)),
        min(end, max(s.end for s in group)),
        {q: total for q, total in totals.items() if total is not None},
        tuple(gap for s in group for gap in s.gaps),
        tuple(event for s in group for event in s.events),
    )


def _total(amounts: Sequence[Amount]) -> Total | None:
    if not amounts:
        return None
    series: dict[int, list[Amount]] = {}
    for one in amounts:
        series.setdefault(one.series, []).append(one)
    # Within a series, what one reading is off by is taken back by the next: its two ends remain.
    off = sum(run[0].before + run[-1].after for run in series.values())
    # An idle VM may seem to have used less than nothing, within what rounding leaves open.
    value = max(0.0, sum(one.value for one in amounts))
    return Total(value, sum(one.seconds for one in amounts), off, any(one.doubtful for one in amounts))
