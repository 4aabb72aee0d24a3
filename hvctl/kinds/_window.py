"""When an export is due: how old the newest may be, and the hours of the day in which one may be made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from hvctl.text.visible import quoted

_WRITTEN = re.compile(r"^\s*([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})\s*$")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """Hours of the day, of the host's clock on the wall; those that end before they begin go over midnight."""

    opens: timedelta
    closes: timedelta

    @classmethod
    def parse(cls, text: str) -> Window:
        match = _WRITTEN.match(text)
        if match is None:
            raise ValueError(f"{quoted(text)} is no window; write two times of the host's day, such as '01:00-05:00'")
        hours = [int(h) for h in (match[1], match[3])]
        minutes = [int(m) for m in (match[2], match[4])]
        if max(hours) > 24 or max(minutes) > 59 or any(h == 24 and m for h, m in zip(hours, minutes, strict=True)):
            raise ValueError(f"{quoted(text)} has a time that no day has; write two of 00:00 to 24:00")
        opens, closes = (timedelta(hours=h, minutes=m) for h, m in zip(hours, minutes, strict=True))
        if opens % DAY == closes % DAY:
            raise ValueError(f"{quoted(text)} opens when it closes; leave the window out to export at any time")
        return cls(opens % DAY, closes % DAY)

    def opened(self, now: datetime) -> datetime:
        """When it opened last, at or before now."""
        today = now.replace(hour=0, minute=0, second=0, microsecond=0) + self.opens
        return today if today <= now else today - DAY

    def is_open(self, now: datetime) -> bool:
        return now < self.opened(now) + (self.closes - self.opens) % DAY

    def next(self, now: datetime) -> datetime:
        return self.opened(now) + DAY

    def closing(self, now: datetime) -> datetime:
        """When it closes next, after now: the end of the one that is open, or of the one to come."""
        closes = self.opened(now) + (self.closes - self.opens) % DAY
        return closes if now < closes else closes + DAY


@dataclass(frozen=True)
class Due:
    """`now`: an export is to be made. `opens`: one is wanted, and may be made from then on. `late`: it should have been
    made before; until then that it is missing is no fault of anybody's."""

    now: bool = False
    opens: datetime | None = None
    late: bool = False


def due(newest: datetime | None, every: timedelta | None, window: Window | None, now: datetime) -> Due:
    """`now` in the host's time zone. Within the window one is made that would get too old before the next, but
    never two in the same window because of that. With a window, one is late when the first that ends after the newest
    has got too old has ended without one; the first of all has the next window."""
    if newest is None:
        wanted = True
    elif every is None:
        wanted = False
    else:
        wanted = now - newest > every
        if window is not None and window.is_open(now) and newest < window.opened(now):
            wanted = wanted or window.next(now) - newest > every
    if not wanted:
        return Due()
    if window is None:
        return Due(now=True, late=True)
    late = newest is not None and every is not None and now >= window.closing((newest + every).astimezone(now.tzinfo))
    return Due(now=True, late=late) if window.is_open(now) else Due(opens=window.next(now), late=late)
