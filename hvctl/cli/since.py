"""`--since 7d`: a time as the user says it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from hvctl.source import ConfigError, Problem

_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(min|[mhdw])", re.IGNORECASE)


def since(text: str, now: datetime) -> datetime:
    """Of "7d", "12h", "30m", "2w", or a date, or a date and time in the reader's zone. Raises ConfigError."""
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return now - timedelta(**{_UNITS[ago[2].casefold()]: float(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        hint = "say how long ago (30m, 12h, 7d, 2w), or a date (2026-03-01, '2026-03-01 09:00')"
        raise ConfigError([Problem(None, f"--since {text}: this is no time", hint)]) from None
