"""The history as a table for people and as data for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from hvctl.history.past import Absence, HostPast, Span, Stood
from hvctl.kinds import own_words, owner_of
from hvctl.language import listing, said, sentences
from hvctl.show.cells import fold, hung, padded, plural, with_right
from hvctl.show.lasting import clock_time
from hvctl.show.remembered import MOVED
from hvctl.show.standing import vm_of
from hvctl.show.times import clock, stamp
from hvctl.text.duration import lasted, spoken
from hvctl.text.visible import quoted

FORMAT = 1

_WIDEST = 180
_WIDE = 124
"""Cells from which a difference stands on one line."""

_INDENT = 6
_GAP = "  "
_TIME = 16
_FIELD = 24
_STATE = 20
_HEADS = ("field", "seen → wanted", "first seen", "last seen", "state", "moved")


def history_lines(
    found: Sequence[HostPast],
    asked: str,
    since: datetime,
    now: datetime,
    name: str,
    *,
    width: int = 120,
    everything: bool = False,
) -> Iterator[Text]:
    """`asked`: the pattern of hosts. `name`: where the history lies, for when there is nothing in it. `everything`: also
    the hosts of which there is nothing to tell. Times are in each host's zone where that is known, else UTC."""
    if not found:
        known = "no check yet; hvctl drift stores one" if asked == "all" else f"no host {quoted(asked)}"
        yield from (Text(line) for line in fold(said(f"The history {name} knows {known}."), width))
        return
    shown = [host for host in found if everything or not host.quiet]
    yield from _Table(shown, now, min(width, _WIDEST)).lines()
    spans = [span for host in found for span in host.spans if not _told(host, span)]
    still = [span for span in spans if span.gone is None]
    left = sum(bool(span.accepted) for span in still)
    counts = [f"{len(still) - left} open", f"{left} accepted" if left else "", f"{len(spans) - len(still)} gone"]
    counts.append(f"since {clock(since)}")
    zoned = any(host.utc_offset_minutes is not None for host in shown)
    zones = "times are UTC, or in the zone that is told with the host" if zoned else "times are UTC"
    hosts = said(plural(len(found), "host")) + said(_without(found, shown))
    line = sentences(f"{hosts}: {listing(said(count) for count in counts if count)}", said(zones))
    yield from (Text(part, "bold") for part in fold(line, width))


def _without(found: Sequence[HostPast], shown: Sequence[HostPast]) -> str:
    quiet = len(found) - len(shown)
    return f", {quiet} of them with nothing to tell" if quiet and shown else ", nothing to tell" if quiet else ""


@dataclass
class _Table:
    found: Sequence[HostPast]
    now: datetime
    width: int

    def __post_init__(self) -> None:
        spans = [span for host in self.found for span in host.spans]
        self.wide = self.width >= _WIDE
        moved = max(cell_len(said(word)) for word in MOVED.values())
        self.state = max([_STATE, *(cell_len(self._state(span)) for span in spans)])
        fixed = 2 * _TIME + self.state + moved + 5 * len(_GAP) if self.wide else self.state + 4
        self.field = min(max((cell_len(_field(s)) for s in spans), default=5), _FIELD)
        self.change = max(18, min(max((cell_len(_change(s)) for s in spans), default=18), self._room(fixed)))

    def _room(self, fixed: int) -> int:
        return self.width - _INDENT - self.field - fixed

    def lines(self) -> Iterator[Text]:
        if self.wide and any(host.spans for host in self.found):
            yield Text(" " * _INDENT + _GAP.join(self._cells([said(head) for head in _HEADS])).rstrip(), "dim")
        names = [host.name for host in self.found]
        for host in self.found:
            yield from self._headline(host, names.count(host.name) > 1)
            for absence in host.absences:
                yield from hung("!", [(self._absence(host, absence), "magenta")], self.width, indent=2)
            for stood in host.standings:
                yield from hung("·", [(self._stood(host, stood), "")], self.width, indent=2)
            spans = [span for span in host.spans if not _told(host, span)]
            for address in dict.fromkeys(span.spot.address for span in spans):
                yield Text(f"  {said(str(address))}", "bold")
                for span in spans:
                    if span.spot.address == address:
                        yield from self._wide(host, span) if self.wide else self._narrow(host, span)
            yield Text()

    def _headline(self, host: HostPast, ambiguous: bool) -> Iterator[Text]:
        says = said(plural(host.checks, "check"))
        says += said(f", {host.missed} not reached") if host.missed else ""
        says += said(f", last {clock(host.looked, host.zone)}") if host.looked else ""
        left = Text(host.name, "bold").append(f"  at {host.address}" if ambiguous else "", "dim")
        yield from with_right(left, says, "", self.width)
        if not host.spans and not host.absences:
            yield Text(said("  nothing differed"), "green")

    def _absence(self, host: HostPast, one: Absence) -> str:
        first = clock_time(one.first_seen, host.zone)
        if one.back is None:
            return f"unreachable since {first} ({lasted(self.now - one.first_seen)}): {one.why}"
        back = clock_time(one.back, host.zone)
        return f"unreachable from {first} to {back} ({lasted(one.back - one.first_seen)}): {one.why}"

    def _stood(self, host: HostPast, one: Stood) -> str:
        """ "role web01: on HV02, 2026-05-01 12:00 to 2026-05-02 12:00"."""
        first = clock_time(one.first_seen, host.zone)
        if one.what == "move":
            return listing([f"{one.name}: {said(one.standing)}", first])
        last = clock_time(one.last_seen, host.zone)
        about = f"{said(f'{one.what} {one.name}')}: {said(one.standing)}"
        until = [said(f"since {first}"), said(f"last seen {last}")] if one.gone is None else [f"{first} – {last}"]
        ending = [_ending(one.ending, one.moved_to)] if one.ending else []
        return listing([about, *until, *ending]) + lag_of(one)

    def _cells(self, values: Sequence[str]) -> list[str]:
        widths = (self.field, self.change, _TIME, _TIME, self.state, 0)
        return [padded(value, width) for value, width in zip(values, widths, strict=True)]

    def _wide(self, host: HostPast, span: Span) -> Iterator[Text]:
        first, last = (clock_time(t, host.zone) for t in (span.first_seen, span.last_seen))
        more = (first, last, self._state(span), said(MOVED[span.moved]))
        fields, changes = fold(_field(span), self.field), fold(_change(span), self.change)
        for n, (field, change) in enumerate(zip_longest(fields, changes, fillvalue="")):
            cells = self._cells((field, change, *(more if n == 0 else ("", "", "", ""))))
            yield Text(" " * _INDENT + _GAP.join(cells).rstrip(), _style(span))
        yield from self._accepted(span)

    def _narrow(self, host: HostPast, span: Span) -> Iterator[Text]:
        fields, changes = fold(_field(span), self.field), fold(_change(span), self.change)
        for n, (field, change) in enumerate(zip_longest(fields, changes, fillvalue="")):
            state = self._state(span) if n == 0 else ""
            cells = (padded(field, self.field), padded(change, self.change), state)
            yield Text(" " * _INDENT + _GAP.join(cells).rstrip(), _style(span))
        first, last = (clock_time(t, host.zone) for t in (span.first_seen, span.last_seen))
        moved = [said(MOVED[span.moved])] if span.moved != "unknown" else []
        seen = listing([*moved, said(f"seen {first} to {last}" if last != first else f"seen {first}")])
        margin = _INDENT + self.field + len(_GAP)
        yield from (Text(" " * margin + line, "dim") for line in fold(seen, max(20, self.width - margin)))
        yield from self._accepted(span)

    def _accepted(self, span: Span) -> Iterator[Text]:
        margin = _INDENT + self.field + len(_GAP)
        why = said(f"accepted until {span.accepted}: {span.accepted_why}") if span.accepted else ""
        for line in fold(why, max(20, self.width - margin)) if why else ():
            yield Text(" " * margin + line, "dim")

    def _state(self, span: Span) -> str:
        if span.gone is None and span.accepted:
            return said(f"accepted, {lasted(self.now - span.first_seen)}")
        if span.gone is None:
            return said(f"open, {lasted(self.now - span.first_seen)}")
        if span.ending == "not wished":
            return said("no longer wished")
        if span.ending in ("moved", "not there"):
            return _ending(span.ending, span.moved_to)
        return said(f"gone after {lasted(span.gone - span.first_seen)}")


def _told(host: HostPast, span: Span) -> bool:
    """Whether it is a part of something that came and went with it as a whole."""
    owner = owner_of(span.spot.address)
    if span.spot.field or not owner:
        return False
    wholes = (s for s in host.spans if s.spot.address == owner and not s.spot.field)
    return any((s.first_seen, s.gone) == (span.first_seen, span.gone) for s in wholes)


def _ending(ending: str, to: str) -> str:
    return said(f"moved to {to}") if ending == "moved" else said("no longer there")


def lag_of(one: Stood) -> str:
    """How far behind a replica was, or how old the newest export."""
    if one.lag_s is None:
        return said(", none yet") if one.what == "export" else ""
    most = one.most_lag_s if one.most_lag_s is not None else one.lag_s
    at_most = said(f", {spoken(most)} at most") if most > one.lag_s else ""
    if one.what == "export":
        return said(f", the newest {spoken(one.lag_s)} old") + at_most
    return said(f", lag {spoken(one.lag_s)}") + at_most


def _style(span: Span) -> str:
    return "yellow" if span.gone is None else ""


def _field(span: Span) -> str:
    return span.spot.field or "ensure"


def _change(span: Span) -> str:
    if not span.wanted:
        return said(span.why or "held back")
    own = own_words(span.spot.address.kind, span.spot.field)
    return f"{said(span.now)} → {said(span.wanted)}" if own else f"{span.now} → {span.wanted}"


def history_data(found: Sequence[HostPast], since: datetime, now: datetime) -> dict[str, Any]:
    """Times are UTC."""
    return {
        "format": FORMAT,
        "since": stamp(since),
        "now": stamp(now),
        "hosts": [
            {
                "host": host.name,
                "address": host.address,
                "checks": host.checks,
                "unreached": host.missed,
                "last_check": _stamp(host.looked),
                "utc_offset_minutes": host.utc_offset_minutes,
                "unreachable": [
                    {
                        "first_seen": stamp(a.first_seen),
                        "last_seen": stamp(a.last_seen),
                        "back": _stamp(a.back),
                        "why": a.why,
                    }
                    for a in host.absences
                ],
                "differences": [_span(span) for span in host.spans],
                "standings": [_standing(one) for one in host.standings],
            }
            for host in found
        ],
    }


def _standing(one: Stood) -> dict[str, Any]:
    return {
        "what": one.what,
        "cluster": one.unit or None,
        "name": one.name,
        "standing": one.standing,
        "lag_s": one.lag_s,
        "most_lag_s": one.most_lag_s,
        "first_seen": stamp(one.first_seen),
        "last_seen": stamp(one.last_seen),
        "gone": _stamp(one.gone),
        "ending": one.ending or None,
        "moved_to": one.moved_to or None,
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "kind": span.spot.address.kind,
        "vm": vm_of(span.spot.address) or None,
        "address": list(span.spot.address.words),
        "field": span.spot.field,
        "now": span.now,
        "wanted": span.wanted,
        "why": span.why,
        "moved": span.moved,
        "first_seen": stamp(span.first_seen),
        "last_seen": stamp(span.last_seen),
        "gone": _stamp(span.gone),
        "ending": span.ending or None,
        "moved_to": span.moved_to or None,
        "accepted_until": span.accepted or None,
        "accepted_why": span.accepted_why or None,
    }


def _stamp(when: datetime | None) -> str | None:
    return stamp(when) if when is not None else None
