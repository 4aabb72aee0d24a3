"""`--since 7d`: a time as the user says it."""

from __future__ import annotations

from datetime import datetime, timedelta

from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.duration import seconds


def since(text: str, now: datetime) -> datetime:
    """Of a span like "7d", or a date, or a date and time in the reader's zone. Raises ConfigError."""
    try:
        return now - timedelta(seconds=seconds(text))
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        hint = "say how long ago (30m, 12h, 7d), or a date (2026-03-01, '2026-03-01 09:00')"
        raise ConfigError([Diagnostic(None, f"--since {text}: this is no time", hint)]) from None
