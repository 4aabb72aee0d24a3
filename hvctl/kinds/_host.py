"""What several kinds read of the host itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hvctl.call import Call, Row
from hvctl.facts import Facts, UnreadableError

HOST = Call("Get-VMHost", select=("Name", "LogicalProcessorCount", "MemoryCapacity"))
"""Also the proof of rights: without them other cmdlets read as an empty host (domain 1.3)."""


def host_row(facts: Facts) -> Row:
    rows = facts.rows(HOST)
    if not rows:
        raise UnreadableError(HOST, facts.reply(HOST).failure)
    return rows[0]


CLOCK = Call(
    "Get-CimInstance",
    {"ClassName": "Win32_OperatingSystem"},
    select=("LocalDateTime", "CurrentTimeZone"),
    passing=("LocalDateTime",),
)
"""The host's own clock, which its checkpoints and files are dated by: ages are judged against it, never against
that of the machine hvctl runs on."""


def instant(text: object) -> datetime:
    """A DateTime as rows have it: UTC, ISO 8601."""
    return datetime.fromisoformat(str(text)[:19]).replace(tzinfo=UTC)


def now(facts: Facts) -> datetime:
    return instant(_clock(facts)["LocalDateTime"])


def time_zone(facts: Facts) -> timezone:
    """Of the host, at present: CurrentTimeZone is in minutes east of Greenwich."""
    return timezone(timedelta(minutes=int(_clock(facts).get("CurrentTimeZone") or 0)))


def _clock(facts: Facts) -> Row:
    rows = facts.rows(CLOCK)
    if not rows or not rows[0].get("LocalDateTime"):
        raise UnreadableError(CLOCK, facts.reply(CLOCK).failure)
    return rows[0]
