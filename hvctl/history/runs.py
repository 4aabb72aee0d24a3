"""Runs of schedules: what ran, how it ended, when it is to run again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from hvctl.history.opening import opened, translated, writing
from hvctl.history.place import Place, exists
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
        "machine": storable(one.machine)[:255] if one.machine else None,
    }


def last_runs(connection: Connection) -> tuple[ScheduledRun, ...]:
    """Of each schedule, by name and machine. Runs of which no machine was kept are those of any machine that has run a schedule
    of that name since."""
    named = (runs.c.schedule, runs.c.verb, runs.c.machine)
    newest = select(*named, func.max(runs.c.started).label("started")).group_by(*named).subquery()
    its = and_(
        *(runs.c[name] == newest.c[name] for name in ("schedule", "verb", "started")),
        runs.c.machine.is_not_distinct_from(newest.c.machine),
    )
    rows = connection.execute(select(runs).join(newest, its).order_by(runs.c.schedule, runs.c.verb, runs.c.id))
    found = {(row.schedule, row.verb, row.machine or ""): _run(row) for row in rows}
    known = {(schedule, verb) for schedule, verb, machine in found if machine}
    ours = {key: one for key, one in found.items() if key[2] or key[:2] not in known}
    return tuple(ours[key] for key in sorted(ours))


def schedules_of(place: Place, machine: str) -> tuple[ScheduledRun, ...]:
    """The last run of each schedule of a machine. Raises HistoryError."""
    engine = opened(place)
    with translated(place), engine.connect() as connection:
        return tuple(one for one in last_runs(connection) if one.machine == machine)


def runs_of(
    connection: Connection, schedule: str, verb: str, machine: str | None, most: int, start: int = 0
) -> tuple[int, list[ScheduledRun]]:
    """Of one schedule: how many are on record, and some of them, the last first; with those of which no machine was kept."""
    where = or_(runs.c.machine.is_(None), runs.c.machine == machine)
    mine = and_(_of(schedule, verb), where)
    total = connection.execute(select(func.count()).select_from(runs).where(mine)).scalar_one()
    some = select(runs).where(mine).order_by(runs.c.started.desc(), runs.c.id.desc()).limit(most).offset(start)
    return total, [_run(row) for row in connection.execute(some)]


def remove_schedule(place: Place, schedule: str, machine: str, at: datetime, verb: str = "") -> int:
    """It runs no more on that machine, whatever its last run said; how many there were, of that verb or of all. Raises
    HistoryError."""
    return _expected(place, schedule, machine, verb, {"removed": at.replace(microsecond=0)})


def expect_schedule(place: Place, schedule: str, machine: str, verb: str, again: datetime | None) -> int:
    """It is to run then on that machine, whatever its last run said. Raises HistoryError."""
    return _expected(place, schedule, machine, verb, {"removed": None, "next": again})


def _expected(place: Place, schedule: str, machine: str, verb: str, values: Mapping[str, Any]) -> int:
    """Kept with its last run."""
    if not exists(place):
        return 0
    engine = opened(place)
    with translated(place), writing(engine) as connection:
        found = [
            one
            for one in last_runs(connection)
            if one.schedule == schedule and one.machine == machine and (not verb or one.verb == verb)
        ]
        for one in found:
            its = and_(_of(schedule, one.verb), runs.c.machine == machine, runs.c.started == one.started)
            connection.execute(update(runs).where(its).values(values))
    return len(found)


def _of(schedule: str, verb: str) -> ColumnElement[bool]:
    return and_(runs.c.schedule == schedule, runs.c.verb == verb)


def _run(r: Any) -> ScheduledRun:
    times = (r.started, r.finished, r.exit_status, r.next)
    return ScheduledRun(r.schedule, r.verb, r.rhythm, tuple(json.loads(r.playbooks)), *times, r.machine, r.removed)


def prune_runs(connection: Connection, old: datetime) -> None:
    connection.execute(delete(runs).where(runs.c.finished < old))
