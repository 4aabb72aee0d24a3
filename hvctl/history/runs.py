"""Runs of schedules: what ran, how it ended, when it is to run again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select

from hvctl.history.opening import opened, translated, writing
from hvctl.history.place import Place
from hvctl.history.scheduled import ScheduledRun
from hvctl.history.schema import runs
from hvctl.history.seen import storable


def write_runs(place: Place, found: Iterable[ScheduledRun]) -> None:
    """In the order in which they began. Raises HistoryError."""
    rows = [_row(one) for one in sorted(found, key=lambda one: one.started)]
    engine = opened(place)
    with translated(place), writing(engine) as connection:
        connection.execute(insert(runs), rows)


def _row(one: ScheduledRun) -> dict[str, Any]:
    return {
        "schedule": storable(one.schedule)[:255],
        "verb": one.verb,
        "rhythm": storable(one.rhythm)[:255],
        "playbooks": json.dumps([storable(text) for text in one.playbooks]),
        "started": one.started.replace(microsecond=0),
        "finished": one.finished.replace(microsecond=0),
        "exit_status": one.exit_status,
        "next": one.next.replace(microsecond=0) if one.next is not None else None,
    }


def last_runs(connection: Connection) -> tuple[ScheduledRun, ...]:
    """Of each schedule, by name."""
    newest = (
        select(runs.c.schedule, runs.c.verb, func.max(runs.c.started).label("started"))
        .group_by(runs.c.schedule, runs.c.verb)
        .subquery()
    )
    its = and_(*(runs.c[name] == newest.c[name] for name in ("schedule", "verb", "started")))
    rows = connection.execute(select(runs).join(newest, its).order_by(runs.c.schedule, runs.c.verb, runs.c.id))
    return tuple({(row.schedule, row.verb): _run(row) for row in rows}.values())


def runs_of(
    connection: Connection, schedule: str, verb: str, most: int, start: int = 0
) -> tuple[int, list[ScheduledRun]]:
    """Of one schedule: how many are on record, and some of them, the last first."""
    mine = and_(runs.c.schedule == schedule, runs.c.verb == verb)
    total = connection.execute(select(func.count()).select_from(runs).where(mine)).scalar_one()
    some = select(runs).where(mine).order_by(runs.c.started.desc(), runs.c.id.desc()).limit(most).offset(start)
    return total, [_run(row) for row in connection.execute(some)]


def _run(r: Any) -> ScheduledRun:
    times = (r.started, r.finished, r.exit_status, r.next)
    return ScheduledRun(r.schedule, r.verb, r.rhythm, tuple(json.loads(r.playbooks)), *times)


def prune_runs(connection: Connection, old: datetime) -> None:
    connection.execute(delete(runs).where(runs.c.finished < old))
