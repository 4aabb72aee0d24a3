"""Runs of schedules, as each has told the history of itself when it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from hvctl.history.runs import last_runs

PATIENCE = timedelta(minutes=15)
"""By so much a schedule may be late: it begins some time after its time, and takes a while."""


@dataclass(frozen=True)
class Recorded:
    """The last run of a schedule. `overdue`: it should have run again by now."""

    name: str
    verb: str
    rhythm: str
    playbooks: tuple[str, ...]
    started: datetime
    finished: datetime
    exit_status: int
    next: datetime | None
    overdue: bool


def recorded(connection: Connection, now: datetime) -> tuple[Recorded, ...]:
    return tuple(
        Recorded(
            one.schedule,
            one.verb,
            one.rhythm,
            one.playbooks,
            one.started,
            one.finished,
            one.exit_status,
            one.next,
            one.next is not None and one.next + PATIENCE < now,
        )
        for one in last_runs(connection)
    )
