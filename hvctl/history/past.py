"""The history of a host as it is told to a reader. Times are UTC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from hvctl.core.check import Moved, Spot
from hvctl.text.foreign import Foreign


@dataclass(frozen=True)
class Span:
    """A difference from when it was first seen. `gone`: when it was first seen to be no more; None: it is open.
    `now` and `wanted` as seen last; `ending`: "as wished", "not wished", "moved" (`moved_to` a host) or "not there".
    `accepted`: to which day it was known drift when it was seen last (2027-01-31), and `accepted_why`; "" if it was not."""

    spot: Spot
    now: str
    wanted: str
    why: str
    moved: Moved
    first_seen: datetime
    last_seen: datetime
    gone: datetime | None = None
    ending: str = ""
    accepted: str = ""
    accepted_why: Foreign = ""
    moved_to: str = ""


@dataclass(frozen=True)
class Absence:
    """A time in which a host was not reached. `back`: when it was reached again."""

    first_seen: datetime
    last_seen: datetime
    why: str
    back: datetime | None = None


@dataclass(frozen=True)
class Stood:
    """From when to when it was seen so. `gone`: when it was first seen otherwise. `what`: "role", "cluster", "replication",
    "export" or "move", which is of one moment. `lag_s`, `most_lag_s`: how far behind, or how old, as measured last, and at
    most. `ending`: "moved" (`moved_to` a host), "not there", or "" where it is over because it stands otherwise."""

    what: str
    unit: str
    name: str
    standing: str
    first_seen: datetime
    last_seen: datetime
    gone: datetime | None = None
    lag_s: int | None = None
    most_lag_s: int | None = None
    ending: str = ""
    moved_to: str = ""


@dataclass(frozen=True)
class HostPast:
    """`checks`: how many there were in the time asked about; `missed`: how many did not reach it."""

    name: str
    address: str
    checks: int
    missed: int
    looked: datetime | None
    spans: tuple[Span, ...] = ()
    absences: tuple[Absence, ...] = ()
    utc_offset_minutes: int | None = None
    standings: tuple[Stood, ...] = ()

    @property
    def zone(self) -> timezone:
        """The host's, where it told it; else UTC."""
        return timezone(timedelta(minutes=self.utc_offset_minutes or 0))

    @property
    def quiet(self) -> bool:
        return not (self.spans or self.absences or self.standings)

    def only(
        self,
        wanted: Callable[[Span], bool],
        named: Callable[[Stood], bool] = lambda one: True,
        *,
        still: bool = False,
    ) -> HostPast:
        """The same with these differences and standings alone. `still`: and of them, and of its absences, what is not over."""
        spans = tuple(s for s in self.spans if wanted(s) and not (still and s.gone is not None))
        away = tuple(a for a in self.absences if not (still and a.back is not None))
        stood = tuple(s for s in self.standings if named(s) and not (still and s.gone is not None))
        return replace(self, spans=spans, absences=away, standings=stood)
