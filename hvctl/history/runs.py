"""Runs of schedules: what ran, how it ended, when it is to run again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from hvctl.history.opening import opened, translated, writing
from hvctl.history.place import Place
from hvctl.history.schema import runs
from hvctl.history.seen import storable


@dataclass(frozen=True)
class ScheduledRun:
    """One run. `rhythm`: as it was installed, such as "every 1 h" or cron's fields. `next`: when it is to run again, as it was
    known at the end of it."""

    schedule: str
    verb: str
    rhythm: str
    playbooks: tuple[str, ...]
    started: datetime
    finished: datetime
    exit_status: int
    next: datetime | None = None


def write_run(place: Place, one: ScheduledRun) -> None:
    """Raises HistoryError."""
    values = {
        "schedule": storable(one.schedule)[:255],
        "verb": one.verb,
        "rhythm": storable(one.rhythm)[:255],
        "playbooks": json.dumps([storable(text) for text in one.playbooks]),
        "started": one.started.replace(microsecond=0),
        "finished": one.finished.replace(microsecond=0),
        "exit_status": one.exit_status,
        "next": one.next.replace(microsecond=0) if one.next is not None else None,
    }
    engine = opened(place)
    with translated(place), writing(engine) as connection:
        connection.execute(insert(runs).values(values))


def last_runs(connection: Connection) -> tuple[ScheduledRun, ...]:
    """Of each schedule, by name."""
    newest = select(func.max(runs.c.id)).group_by(runs.c.schedule, runs.c.verb)
    chosen = select(runs).where(runs.c.id.in_(newest)).order_by(runs.c.schedule, runs.c.verb)
    return tuple(map(_run, connection.execute(chosen)))


def _run(r: Any) -> ScheduledRun:
    times = (r.started, r.finished, r.exit_status, r.next)
    return ScheduledRun(r.schedule, r.verb, r.rhythm, tuple(json.loads(r.playbooks)), *times)


def prune_runs(connection: Connection, old: datetime) -> None:
    connection.execute(delete(runs).where(runs.c.finished < old))
