"""Spans of time: the one grammar in which people write them (90s, 15m, 1.5h, 1h30m, 1d 12h), and how they read them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from hvctl.text.number import is_whole, whole
from hvctl.text.visible import quoted

UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
"""Seconds. `min` is another word for `m`."""
_LONGEST = 36_500 * UNITS["d"]
_READ = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_PART = re.compile(r"\s*([0-9]{1,40}(?:\.[0-9]{1,40})?)\s*(w|d|h|min|m|s)(?![a-z])", re.IGNORECASE)
_EXAMPLES = "write a number and w, d, h, m (or min) or s, such as 90s, 1.5h or 1h30m"


def seconds(text: str) -> int:
    """Of one number with its unit or a sum of them, the greatest unit first. Raises ValueError that says what is wrong
    with it and how it is written."""
    parts: list[tuple[Decimal, int]] = []
    at, end = 0, len(text.rstrip())
    while at < end and (found := _PART.match(text, at)):
        parts.append((Decimal(found[1]), UNITS[found[2].casefold().removesuffix("in")]))
        at = found.end()
    if not parts or at < end:
        bare = text.strip()
        hint = f"; did you mean {bare}m?" if is_whole(bare) and whole(bare) else ""
        raise ValueError(f"{quoted(text)} is not a span of time{hint}; {_EXAMPLES}")
    if any(a <= b for (_, a), (_, b) in pairwise(parts)):
        raise ValueError(f"{quoted(text)} names a unit twice, or a greater one after a smaller; {_EXAMPLES}")
    total = sum((number * unit for number, unit in parts), Decimal(0))
    if total > _LONGEST:
        raise ValueError(f"{quoted(text)} is too long a span of time; at most {spoken(_LONGEST)}")
    if total != int(total):
        raise ValueError(f"{quoted(text)} is not a whole number of seconds; {_EXAMPLES}")
    return int(total)


def written(span: float) -> str:
    """In as few signs as `seconds` reads, for command lines: 5400 -> 1h30m."""
    return spoken(span).replace("min", "m").replace(" ", "")


def spoken(span: float) -> str:
    """For people, to the second: "1 h 30 min". `seconds` reads it too."""
    return _parts(round(span), len(_READ))


def lasted(time: timedelta) -> str:
    """The same in its two greatest units: "3 d 4 h", "15 min", "0 s"."""
    return _parts(max(0, int(time.total_seconds())), 2)


def _parts(left: int, most: int) -> str:
    at = next((n for n, (_, size) in enumerate(_READ) if left >= size), len(_READ) - 1)
    said: list[str] = []
    for name, size in _READ[at : at + most]:
        if left // size or not said:
            said.append(f"{left // size} {name}")
        left %= size
    return " ".join(said)
