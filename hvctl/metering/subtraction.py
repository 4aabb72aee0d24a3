"""Two readings of a VM → what was used between them, what is not known of that time, and what happened.

Meters add up since they were switched on or reset, and tell averages over all that time: what lies between two readings is
average x duration of the later one less that of the earlier one (operations 1.2). A reset shows in when the meters began to
count, which is the moment of a reading less its duration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from hvctl.metering.reading import AVERAGES, COUNTERS, Counter, HostReading, Quantity, Reading
from hvctl.metering.stretch import Amount, Event, Gap, Kind, Stretch
from hvctl.metering.units import known

SAME_HOST = timedelta(minutes=2)
"""A host's clock is read some seconds before its meters are, and is corrected by little every now and then."""

TWO_HOSTS = timedelta(minutes=10)
"""The clocks of two hosts: each may be off by the 5 minutes that Kerberos allows by default."""

_WITNESSES: Final[tuple[tuple[Counter, ...], ...]] = (
    ("network_in", "network_out"),
    ("io", "data_read", "data_written"),
)


def stretches(
    readings: Sequence[Reading], looks: Sequence[HostReading] = (), until: datetime | None = None
) -> tuple[Stretch, ...]:
    """Of all VMs, in the order in which they were read. `looks`: every look at a host in that time, so that a VM that was
    on none of them is missed. `until`: up to when a VM is asked about that was not read to the end."""
    found: list[Stretch] = []
    for where, group in _by_vm(readings):
        found += (replace(one, where=where) for one in _of_one(group, looks, until))
    return tuple(found)


def _by_vm(readings: Sequence[Reading]) -> Iterator[tuple[str, list[Reading]]]:
    """Each VM wherever it runs. A replica has the Id of its primary and meters of its own; so has a copy that was
    registered beside its original: then each host's is a VM for itself."""
    together: dict[str, set[int]] = {}
    seen: dict[tuple[str, int], str] = {}
    for one in readings:
        if not one.replica and seen.setdefault((one.vm_id, one.run), one.host) != one.host:
            together.setdefault(one.vm_id, set()).add(one.run)
    groups: dict[tuple[str, str], list[Reading]] = {}
    for one in readings:
        # Once may be a VM that was moved while the hosts were read.
        apart = one.replica or len(together.get(one.vm_id, ())) > 1
        groups.setdefault((one.vm_id, one.host if apart else ""), []).append(one)
    yield from ((where, group) for (_, where), group in groups.items())


def _of_one(readings: Sequence[Reading], looks: Sequence[HostReading], until: datetime | None) -> Iterator[Stretch]:
    seen = {one.run for one in readings}
    looks = [look for look in looks if look.run not in seen]
    readings = [one for one in readings if not one.unread] or readings[:1]
    first, series = readings[0], 0
    yield _first(first)
    for before, after in pairwise(readings):
        made = _Interval(before, after, looks, series)
        yield made.stretch()
        series += made.breaks
    yield from _end(readings[-1], looks, until)


def _first(one: Reading) -> Stretch:
    """What was counted before anybody read it: of a time that is known."""
    began = one.began if one.metered else None
    where = (one.vm_id, one.name, one.host, one.owner)
    if began is None:
        text = "what was used before is not known" if one.metered else "it is not metered"
        event = Event("first", one.at, f"first seen; {text}")
        return Stretch(*where, one.at, one.at, events=(event,))
    event = Event("first", one.at, f"first read; metered since {_clock(began)}")
    quantities: tuple[Quantity, ...] = (*AVERAGES, *COUNTERS)
    amounts = {q: a for q in quantities if (a := _since_reset(q, one, began, 0)) is not None}
    return Stretch(*where, began, one.at, amounts, events=(event,))


def _end(last: Reading, looks: Sequence[HostReading], until: datetime | None) -> Iterator[Stretch]:
    """It is there no more; or it was read no more, so that nothing is known of it."""
    where = (last.vm_id, last.name, last.host, last.owner)
    later = [look for look in looks if look.host == last.host and look.run > last.run]
    if later:
        event = Event("gone", later[0].at, f"no longer on {last.host} at {_clock(later[0].at)}")
        yield Stretch(*where, last.at, last.at, events=(event,))
    elif until is not None and last.at < until:
        gap = Gap(last.at, until, "its meters were not read to the end")
        yield Stretch(*where, last.at, until, gaps=(gap,))


class _Interval:
    """Two readings of a VM, one after the other."""

    def __init__(self, before: Reading, after: Reading, looks: Sequence[HostReading], series: int) -> None:
        self.a, self.b = before, after
        self.slack = SAME_HOST if before.host == after.host else TWO_HOSTS
        self.elapsed = (after.at - before.at).total_seconds()
        self.unseen = _unseen(before, after, looks)
        self.gaps: list[Gap] = []
        self.events: list[Event] = list(self._told())
        self.amounts: dict[Quantity, Amount] = {}
        self.breaks = True
        self._series = series

    def stretch(self) -> Stretch:
        a, b = self.a, self.b
        if self.elapsed <= 0:
            self._event("clock", f"the clock of {b.host} went back: what was used between is not known")
            return Stretch(b.vm_id, b.name, a.host, a.owner, b.at, b.at, events=tuple(self.events))
        self._meters()
        self._disks()
        return Stretch(b.vm_id, b.name, a.host, a.owner, a.at, b.at, self.amounts, tuple(self.gaps), tuple(self.events))

    # --- what happened ---------------------------------------------------------------------------------------------

    def _told(self) -> Iterator[Event]:
        a, b = self.a, self.b
        if a.host != b.host:
            yield Event("moved", b.at, f"moved from {a.host} to {b.host}")
        if a.name != b.name:
            yield Event("renamed", b.at, f"renamed from {a.name}")
        if self.unseen is not None:
            yield Event("not seen", self.unseen, f"on no host that was read, from {_clock(self.unseen)} on")
        if b.state not in ("Running", "") and a.state in ("Running", ""):
            yield Event("off", b.at, _seen(b.state, _clock(b.at)))

    def _event(self, kind: Kind, text: str) -> None:
        self.events.append(Event(kind, self.b.at, text))

    def _gap(self, start: datetime, end: datetime, why: str) -> None:
        if end > start:
            self.gaps.append(Gap(start, end, why))

    # --- what meters counted ---------------------------------------------------------------------------------------

    def _meters(self) -> None:
        a, b = self.a, self.b
        if not b.metered:
            if a.metered:
                self._event("switched off", "metering was switched off")
            self._gap(a.at, b.at, "metering was switched off" if a.metered else "it is not metered")
        elif b.duration_s is None:
            self._without_duration()
        elif not a.metered or self._is_reset(b.duration_s):
            self._after_reset(b.duration_s)
        elif a.duration_s is None:
            self._without_duration()
        elif self._backwards(b.duration_s, a.duration_s):
            self._went_back()
        else:
            self._goes_on(b.duration_s, a.duration_s)

    def _is_reset(self, duration: float) -> bool:
        """The meters began after the reading before. Within the slack, what they counted decides."""
        began = self.b.at - timedelta(seconds=duration)
        if began < self.a.at - self.slack:
            return False
        if self.b.reset and self.a.duration_s is not None and duration < self.a.duration_s:
            return True
        continues = self.a.began is not None and abs(began - self.a.began) <= self.slack
        return not continues or self._backwards(duration, self.a.duration_s or 0.0)

    def _backwards(self, duration: float, before: float) -> bool:
        """Things that only grow are smaller, by more than they can be off by. One alone may have lost a part of what it
        counts, such as an adapter that was removed."""
        if duration < before - self.slack.total_seconds():
            return True
        a, b = self.a.counters, self.b.counters
        fell = [any(b[q] < a[q] for q in kind if q in a and q in b) for kind in _WITNESSES]
        for of in AVERAGES:
            then, now = self.a.average(of), self.b.average(of)
            fell.append(then is not None and now is not None and (now + 1) * duration < (then - 1) * before)
        return sum(fell) > 1

    def _went_back(self) -> None:
        text = "the meters went back to an earlier state: what was used since the last reading is not known"
        self._event("backwards", text)
        self._gap(self.a.at, self.b.at, "the meters went back")

    def _after_reset(self, duration: float) -> None:
        a, b = self.a, self.b
        began = b.at - timedelta(seconds=duration)
        if began < a.at - self.slack:
            self._went_back()  # it claims a time that was not metered, or that was counted already
            return
        began = max(began, a.at)
        if not a.metered:
            self._event("switched on", "metering was switched on")
            self._gap(a.at, began, "it was not metered")
        elif b.reset:
            self._event("reset by hvctl", "the meters were reset by hvctl")
            self._gap(a.at, began, "between reading and reset")
        else:
            text = f"the meters were reset at {_clock(began)}, not by hvctl"
            self._event("reset", text)
            self._gap(a.at, began, "before a reset that was not hvctl's")
        for quantity in (*AVERAGES, *COUNTERS):
            found = _since_reset(quantity, b, began, self._series + 1)
            if found is not None:
                self.amounts[quantity] = found

    def _goes_on(self, duration: float, before: float) -> None:
        a, b = self.a, self.b
        self.breaks = False
        seconds = max(duration - before, 0.0)
        lost = self.elapsed - seconds
        if lost > self.slack.total_seconds():
            self._event("time lost", f"{lost / 60:.0f} minutes between two readings were not metered")
            self._gap(b.at - timedelta(seconds=lost), b.at, "not metered, somewhere between two readings")
        for of in AVERAGES:
            then, now = a.average(of), b.average(of)
            if then is not None and now is not None:
                self._add(of, now * duration - then * before, seconds, before, duration)
        self._count(seconds)

    def _without_duration(self) -> None:
        a, b = self.a, self.b
        if not a.metered or b.reset:
            self._event("no duration", "the host does not tell since when it counts")
            self._gap(a.at, b.at, "the host does not tell since when it counts")
            return
        fell = any(b.counters[q] < a.counters[q] for q in COUNTERS if q in a.counters and q in b.counters)
        if fell:
            self._event("reset", "the meters were reset, not by hvctl, and the host does not tell when")
            self._gap(a.at, b.at, "the meters were reset, and the host does not tell when")
            return
        self.breaks = False
        text = "the host does not tell since when it counts: no averages, and a reset between would not be seen"
        self._event("no duration", text)
        self._gap(a.at, b.at, "no averages: the host does not tell since when it counts")
        self._count(self.elapsed)

    def _count(self, seconds: float) -> None:
        for quantity in COUNTERS:
            then, now = self.a.counters.get(quantity), self.b.counters.get(quantity)
            if then is None or now is None:
                continue
            if now < then:
                what = quantity.replace("_", " ")
                self._event("partly", f"{what} became less: an adapter or a disk that counted is gone; not billed")
                continue
            self._add(quantity, now - then, seconds, 1.0, 1.0)

    def _add(self, quantity: Quantity, value: float, seconds: float, before: float, after: float) -> None:
        made = _amount(
            quantity, value, (self.a.at, self.b.at), seconds, (before, after), self._series, (self.a, self.b)
        )
        self.amounts[quantity] = made

    # --- the disks -------------------------------------------------------------------------------------------------

    def _disks(self) -> None:
        """What was there at the beginning is taken to have been there until something else was seen."""
        a = self.a
        end = self.b.at if self.unseen is None else self.unseen
        seconds = (end - a.at).total_seconds()
        for quantity, size in (("disk_size", a.disk_size), ("disk_files", a.disk_files)):
            if size is not None and seconds > 0:
                self.amounts[quantity] = Amount(size * seconds, a.at, end, seconds)  # type: ignore[index]


def _since_reset(quantity: Quantity, one: Reading, began: datetime, series: int) -> Amount | None:
    """Everything that the meters have counted."""
    duration = (one.at - began).total_seconds()
    average, count = one.average(quantity), next((n for q, n in one.counters.items() if q == quantity), None)
    if average is not None:
        value, off = average * duration, duration
    elif count is not None:
        value, off = float(count), 1.0
    else:
        return None
    return _amount(quantity, value, (began, one.at), duration, (0.0, off), series, (one,))


def _amount(
    quantity: Quantity,
    value: float,
    when: tuple[datetime, datetime],
    seconds: float,
    off: tuple[float, float],
    series: int,
    told: Sequence[Reading],
) -> Amount:
    scales = {known(quantity, one.units).scale for one in told}
    scale = scales.pop() if len(scales) == 1 else None
    factor = 1.0 if scale is None else scale
    before, after = (part * factor for part in off)
    return Amount(value * factor, *when, seconds, before, after, series, scale is None)


def _unseen(before: Reading, after: Reading, looks: Sequence[HostReading]) -> datetime | None:
    """Since when it was missed: its host was read, it was there no more, and it was found again in a later run only."""
    between = (look for look in looks if look.host == before.host and before.run < look.run < after.run)
    return min((look.at for look in between if before.at < look.at < after.at), default=None)


def _clock(moment: datetime) -> str:
    """To the minute, which is as exact as it is known."""
    return f"{moment.astimezone(UTC) + timedelta(seconds=30):%Y-%m-%d %H:%M} UTC"


def _seen(state: str, at: str) -> str:
    """A sentence for each state: a word alone is put into no other language."""
    if state.endswith("Critical"):
        return f"seen in a critical state at {at}"
    match state:
        case "Off":
            return f"seen off at {at}"
        case "Saved" | "FastSaved":
            return f"seen saved at {at}"
        case "Paused":
            return f"seen paused at {at}"
        case "Hibernated":
            return f"seen hibernated at {at}"
        case "Starting":
            return f"seen starting at {at}"
        case "Stopping":
            return f"seen stopping at {at}"
        case "Saving" | "FastSaving":
            return f"seen saving at {at}"
        case _:
            return f"seen {state.lower()} at {at}"
