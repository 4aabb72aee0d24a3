"""The history of a host as it is told to a reader. Times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hvctl.core.check import Moved, Spot
from hvctl.text.foreign import Foreign


@dataclass(frozen=True)
class Span:
    """A difference from when it was first seen. `gone`: when it was first seen to be no more; None: it is open.
    `now` and `wanted` as seen last; `ending`: "as wished" or "not wished". `accepted`: to which day it was known drift when
    it was seen last (2027-01-31), and `accepted_why`; "" if it was not."""

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


@dataclass(frozen=True)
class Absence:
    """A time in which a host was not reached. `back`: when it was reached again."""

    first_seen: datetime
    last_seen: datetime
    why: str
    back: datetime | None = None


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
