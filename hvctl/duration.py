"""Spans of time: as people write them (90s, 15m, 1h30m, 7d), and as they read them."""

from __future__ import annotations

import re
from datetime import timedelta

from hvctl.limits import LimitError
from hvctl.number import is_whole, whole

UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST = 36_500 * UNITS["d"]
_READ = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def seconds(text: str) -> int:
    """Raises ValueError that says what is wrong with it and how it is written."""
    found = re.fullmatch(r"(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?", text.strip().casefold())
    if not text.strip() or found is None:
        hint = f"; did you mean {text.strip()}m?" if is_whole(text.strip()) else ""
        raise ValueError(f"{text!r} is no span of time{hint}; write it like 90s, 15m, 1h30m or 7d")
    try:
        span = sum(whole(n or "0") * unit for n, unit in zip(found.groups(), UNITS.values(), strict=True))
    except LimitError as error:
        raise ValueError(f"{error} ({error.limit})") from error
    if span > _LONGEST:
        raise ValueError(f"{text!r} is too long a span of time; at most {spoken(_LONGEST)}")
    return span


def spoken(span: float) -> str:
    """As `seconds` reads it: 5400 -> 1h30m."""
    left, words = round(span), ""
    for letter, unit in UNITS.items():
        count, left = divmod(left, unit)
        words += f"{count}{letter}" if count else ""
    return words or "0s"


def lasted(time: timedelta) -> str:
    """In its two greatest units: "3 d 4 h", "15 min", "0 s"."""
    left = max(0, int(time.total_seconds()))
    at = next((n for n, (size, _) in enumerate(_READ) if left >= size), len(_READ) - 1)
    said: list[str] = []
    for size, name in _READ[at : at + 2]:
        if left // size or not said:
            said.append(f"{left // size} {name}")
        left %= size
    return " ".join(said)
