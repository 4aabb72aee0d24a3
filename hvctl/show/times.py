"""Times that travel: with their zone, for programs and in reports."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def stamp(moment: datetime) -> str:
    """For programs: UTC, ISO 8601."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def clock(moment: datetime, zone: tzinfo = UTC) -> str:
    """For people, with the zone, so that a report that travels stays true."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} {named(zone, moment)}"


def named(zone: tzinfo, moment: datetime) -> str:
    """ "UTC", "UTC+09:00"."""
    return moment.astimezone(zone).tzname() or "UTC"
