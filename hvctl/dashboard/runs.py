"""What runs again and again: drift checks, applies, exports and readings of meters, as the history has them, and the timers
that this machine knows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from sqlalchemy import Connection, func, select

from hvctl.history.schema import checks, looks, meter_looks, meter_runs

_LATELY = timedelta(days=14)
_FEW = 3
"""So many runs at least say how often something runs."""
_LATE = 2.5
"""So many times the usual span, and it is told that one is missing."""


@dataclass(frozen=True)
class Timer:
    """A timer of this machine, as `hvctl schedule list` knows it; the outcome in the words of that list, "" where the machine
    does not tell it. `owner`: "system" or "user". `page`: the address of what it ran, "" if nothing is on record."""

    name: str
    verb: str
    playbooks: tuple[str, ...]
    when: str
    owner: str
    active: bool
    last: datetime | None = None
    outcome: str = ""
    next: datetime | None = None
    page: str = ""


@dataclass(frozen=True)
class Run:
    """What ran of the same verb and playbooks on a machine, whoever started it. `number`: of the last one as a check, None for
    readings of meters. `exit_status`: of the last, None where none is kept. `lately`: how often in the last 14 days. `usual_s`:
    seconds from one to the next, as a rule; None: it ran too seldom to say. `late`: far longer ago than that. `machine`: None
    where that was not kept."""

    verb: str
    playbooks: tuple[str, ...]
    number: int | None
    last: datetime
    exit_status: int | None
    hosts: int
    missed: int
    lately: int
    usual_s: int | None
    late: bool
    machine: str | None = None


def runs(connection: Connection, now: datetime) -> tuple[Run, ...]:
    """The last first. What an earlier release kept no machine of is left out where one has done the same since."""
    alike = (checks.c.verb, checks.c.playbooks, checks.c.machine)
    newest = select(func.max(checks.c.id)).group_by(*alike)
    rows = connection.execute(select(checks).where(checks.c.id.in_(newest))).all()
    known = {(row.verb, row.playbooks) for row in rows if row.machine}
    last = [row for row in rows if row.machine or (row.verb, row.playbooks) not in known]
    recent: dict[tuple[str, str, str | None], list[datetime]] = {}
    for row in connection.execute(select(*alike, checks.c.finished).where(checks.c.finished >= now - _LATELY)):
        recent.setdefault((row.verb, row.playbooks, row.machine), []).append(row.finished)
    counted = {
        row[0]: (row[1], row[1] - row[2])
        for row in connection.execute(
            select(looks.c.check_id, func.count(), func.count().filter(looks.c.reached.is_(True)))
            .where(looks.c.check_id.in_([row.id for row in last]))
            .group_by(looks.c.check_id)
        )
    }
    found = []
    for row in last:
        times = recent.get((row.verb, row.playbooks, row.machine), [])
        usual = _usual(times)
        looked = counted.get(row.id, (0, 0))
        playbooks = tuple(json.loads(row.playbooks))
        late = _late(row.finished, usual, now)
        told = (row.id, row.finished, row.exit_status, *looked, len(times), usual, late, row.machine)
        found.append(Run(row.verb, playbooks, *told))
    return tuple(sorted((*found, *_readings(connection, now)), key=lambda one: one.last, reverse=True))


def _readings(connection: Connection, now: datetime) -> Iterable[Run]:
    newest = select(func.max(meter_runs.c.id)).group_by(meter_runs.c.machine)
    last = connection.execute(select(meter_runs).where(meter_runs.c.id.in_(newest))).all()
    recent: dict[str | None, list[datetime]] = {}
    lately = select(meter_runs.c.machine, meter_runs.c.noted).where(meter_runs.c.noted >= now - _LATELY)
    for row in connection.execute(lately):
        recent.setdefault(row.machine, []).append(row.noted)
    of = select(meter_looks.c.run_id, func.count()).where(meter_looks.c.run_id.in_([row.id for row in last]))
    hosts = {row[0]: row[1] for row in connection.execute(of.group_by(meter_looks.c.run_id))}
    for row in last:
        if row.machine or len(last) == 1:
            times = recent.get(row.machine, [])
            usual = _usual(times)
            told = (None, row.noted, None, hosts.get(row.id, 0), 0, len(times), usual, _late(row.noted, usual, now))
            yield Run("metering", (), *told, row.machine)


def _usual(times: list[datetime]) -> int | None:
    if len(times) < _FEW:
        return None
    return round(median((b - a).total_seconds() for a, b in pairwise(sorted(times))))


def _late(last: datetime, usual: int | None, now: datetime) -> bool:
    return bool(usual) and usual is not None and (now - last).total_seconds() > _LATE * usual
