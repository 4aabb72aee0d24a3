"""The five fields of cron, validated, and the same times as systemd and people read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hvctl.text.duration import UNITS
from hvctl.text.number import is_whole, whole
from hvctl.text.visible import quoted

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
)
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EVEN = "1m, 2m, 3m, 4m, 5m, 6m, 10m, 12m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d or 7d"


@dataclass(frozen=True)
class Cron:
    """`weekdays`: 0 is Sunday. `either`: a day matches by its number or by its weekday, not by both (crontab(5):
    when neither field begins with an asterisk)."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Raises ValueError that names the field."""
        given = " ".join(text.split())
        if given.casefold() == "@reboot":
            raise ValueError("@reboot is no time; a timer of systemd checks after every start by itself")
        words = _NICKNAMES.get(given.casefold(), given).split()
        if given.startswith("@") and given.casefold() not in _NICKNAMES:
            raise ValueError(f"{quoted(given)} is not known; there are {', '.join(_NICKNAMES)}")
        if len(words) != len(_FIELDS):
            raise ValueError(
                f"{quoted(given)} has {len(words)} fields; five are wanted: minute, hour, day of the month, month, day of "
                "the week"
            )
        minutes, hours, days, months, weekdays = (
            _field(word, *shape) for word, shape in zip(words, _FIELDS, strict=True)
        )
        either = not words[2].startswith("*") and not words[4].startswith("*")
        found = cls(" ".join(words), minutes, hours, days, months, tuple(sorted({d % 7 for d in weekdays})), either)
        if not either and not any(d <= _LONGEST[m - 1] for m in months for d in days):
            raise ValueError(f"{quoted(given)} never comes: no such month has a day {days[0]}")
        return found

    @property
    def any_day(self) -> bool:
        return len(self.days) == 31

    @property
    def any_weekday(self) -> bool:
        return len(self.weekdays) == 7

    @property
    def any_month(self) -> bool:
        return len(self.months) == 12

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment, in that moment's zone; None if there is none within nine years (29 February)."""
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        for _ in range(9 * 366):
            if self._on(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        if (found := day.replace(hour=hour, minute=minute)) > moment:
                            return found
            day += timedelta(days=1)
        return None

    def _on(self, day: datetime) -> bool:
        numbered, named = day.day in self.days, (day.weekday() + 1) % 7 in self.weekdays
        return day.month in self.months and (numbered or named if self.either else numbered and named)

    def calendars(self) -> tuple[str, ...]:
        """OnCalendar= of systemd.time(7); several where cron joins day and weekday with "or"."""
        clock = f"{_listed(self.hours, 24)}:{_listed(self.minutes, 60)}:00"
        months = _listed(self.months, 12)
        names = ",".join(DAYS[d].capitalize() for d in self.weekdays)
        weekdays = "" if self.any_weekday else f"{names} "
        days = _listed(self.days, 31)
        if not self.either:
            return (f"{weekdays}*-{months}-{days} {clock}",)
        return (f"*-{months}-{days} {clock}", f"{names} *-{months}-* {clock}")


def evenly(every: int) -> Cron:
    """An interval as cron can say it. Raises ValueError where cron's fields would make it uneven."""
    minutes, hours, days = every // UNITS["m"], every // UNITS["h"], every // UNITS["d"]
    if every % UNITS["m"] == 0 and 0 < minutes < 60 and 60 % minutes == 0:
        return Cron.parse(f"{'*' if minutes == 1 else f'*/{minutes}'} * * * *")
    if every % UNITS["h"] == 0 and 0 < hours < 24 and 24 % hours == 0:
        return Cron.parse(f"0 {'*' if hours == 1 else f'*/{hours}'} * * *")
    if every % UNITS["d"] == 0 and days in (1, 7):
        return Cron.parse("0 0 * * *" if days == 1 else "0 0 * * 0")
    raise ValueError(f"cron can say {_EVEN}; take one of these, write --cron, or use --format systemd")


def _field(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and not (is_whole(step) and whole(step) > 0):
            raise ValueError(f"{name}: the step of {quoted(part)} is no number above 0")
        if span == "*":
            first, last = low, 6 if high == 7 else high
        else:
            start, dash, end = span.partition("-")
            first = _number(start, name, low, high, names)
            last = _number(end, name, low, high, names) if dash else (high if slash else first)
            if last < first:
                raise ValueError(
                    f"{name}: {quoted(part)} runs backwards; write it as two, like {first}-{high},{low}-{last}"
                )
        found.update(range(first, last + 1, whole(step) if slash else 1))
    return tuple(sorted(found))


def _number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.casefold() in names:
        return names.index(text.casefold()) + low
    if not is_whole(text):
        wanted = f"{low} to {high}" + (f" or {names[0]} to {names[-1]}" if names else "")
        raise ValueError(f"{name}: {quoted(text)} is not within {wanted}")
    if not low <= whole(text) <= high:
        raise ValueError(f"{name}: {text} is not within {low} to {high}")
    return whole(text)


def _listed(values: Iterable[int], whole: int) -> str:
    found = tuple(values)
    return "*" if len(found) == whole else ",".join(f"{v:02}" for v in found)
