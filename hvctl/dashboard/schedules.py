"""Schedules, as each has told the history of itself when it ran."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

from sqlalchemy import Connection, select

from hvctl.dashboard.queries import PAGE
from hvctl.dashboard.rows import Listed
from hvctl.history.runs import last_runs, runs_of
from hvctl.history.scheduled import KILLED, ScheduledRun
from hvctl.history.schema import checks

PATIENCE = timedelta(minutes=15)
"""By so much a schedule may be late: it begins some time after its time, and takes a while."""


@dataclass(frozen=True)
class Schedule:
    """A schedule, by its last run. `overdue`: it should have run again by now."""

    last: ScheduledRun
    overdue: bool


@dataclass(frozen=True)
class Ran:
    """A run of a schedule. `late_s`: so much after its time, if that is too much. `check`: the number of what it left as a
    check."""

    run: ScheduledRun
    late_s: int | None = None
    check: int | None = None


def schedules(connection: Connection, now: datetime, *, overdue: bool = False) -> tuple[Schedule, ...]:
    """By name and machine; or those that are overdue alone."""
    found = (_schedule(one, now) for one in last_runs(connection))
    return tuple(one for one in found if one.overdue or not overdue)


def listed(found: Sequence[Schedule], *, text: str = "", overdue: bool = False, start: int = 0) -> Listed[Schedule]:
    """Those that are overdue first. `text`: in its name, its machine or a playbook."""
    wanted = text.casefold()
    rows = [
        one
        for one in found
        if (one.overdue or not overdue)
        and any(wanted in t.casefold() for t in (one.last.schedule, one.last.machine or "", *one.last.playbooks))
    ]
    rows.sort(key=lambda one: not one.overdue)
    return Listed(tuple(rows[start : start + PAGE]), len(rows), start)


def _schedule(last: ScheduledRun, now: datetime) -> Schedule:
    late = last.next is not None and last.next + PATIENCE < now
    return Schedule(last, late and last.removed is None)


def named(connection: Connection, now: datetime, name: str, verb: str) -> tuple[Schedule, ...]:
    """Of one name, on whichever machines."""
    return tuple(one for one in schedules(connection, now) if (one.last.schedule, one.last.verb) == (name, verb))


def ran(connection: Connection, one: Schedule, start: int = 0) -> Listed[Ran]:
    """Its runs, the last first."""
    its = (one.last.schedule, one.last.verb, one.last.machine)
    total, found = runs_of(connection, *its, PAGE + 1, start)  # and when the first of them was to run
    left = _left(connection, found) if found else {}
    rows = [Ran(one, _late_s(one, before), left.get(one.started)) for one, before in zip_longest(found, found[1:])]
    return Listed(tuple(rows[:PAGE]), total, start)


def _late_s(one: ScheduledRun, before: ScheduledRun | None) -> int | None:
    if before is None or before.next is None or before.machine != one.machine:
        return None
    late = one.started - before.next
    return int(late.total_seconds()) if late > PATIENCE else None


def _left(connection: Connection, found: list[ScheduledRun]) -> dict[datetime, int]:
    """The checks that these runs, the last first, have left; by when the runs began."""
    verb, first = found[0].verb, min(one.started for one in found)
    chosen = select(checks).where(checks.c.verb == verb, checks.c.finished >= first).order_by(checks.c.id)
    left = [(row, tuple(json.loads(row.playbooks))) for row in connection.execute(chosen)]
    told: dict[datetime, int] = {}
    until = datetime.max.replace(tzinfo=UTC)
    for one in found:
        dead = one.exit_status == KILLED
        ended = until if dead else one.finished + timedelta(seconds=1)
        for row, playbooks in left:
            here = None in (row.machine, one.machine) or row.machine == one.machine
            mine = here and playbooks == one.playbooks and dead == (row.exit_status == KILLED)
            if mine and one.started <= row.started <= ended:
                told.setdefault(one.started, row.id)
        until = one.started
    return told
