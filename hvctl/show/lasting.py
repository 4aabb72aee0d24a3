"""When something was, for people."""

from __future__ import annotations

from datetime import datetime, tzinfo


def clock_time(when: datetime, zone: tzinfo | None = None) -> str:
    """In the reader's zone: "2026-03-01 09:05"."""
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M")
