"""How long something took or lasts, and when it was, for people."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def lasted(time: timedelta) -> str:
    """In its two greatest units: "3 d 4 h", "15 min", "0 s"."""
    left = max(0, int(time.total_seconds()))
    at = next((n for n, (size, _) in enumerate(_UNITS) if left >= size), len(_UNITS) - 1)
    said: list[str] = []
    for size, name in _UNITS[at : at + 2]:
        if left // size or not said:
            said.append(f"{left // size} {name}")
        left %= size
    return " ".join(said)


def clock_time(when: datetime, zone: tzinfo | None = None) -> str:
    """In the reader's zone: "2026-03-01 09:05"."""
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M")
