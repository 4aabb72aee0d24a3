"""VMs that are replicated, with how far behind they are and were."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal, select

from hvctl.dashboard.queries import PAGE
from hvctl.dashboard.rows import Listed
from hvctl.dashboard.standings import STANDS, as_stood, bare, known_hosts, standing_rows
from hvctl.history.past import Stood
from hvctl.history.schema import hosts, standings
from hvctl.history.schema import lags as measured

_REPLICATION = re.compile(r"(?P<state>.+?) (?P<way>to|from) (?P<other>\S+), (?P<health>.*)", re.DOTALL)
"""As the kind `replication` notes it."""
STEADY = ("replicating", "initial copy", "scheduled", "resynchronizing", "update of its disks")
"""States in which a replication goes on, or gets there, by itself."""


@dataclass(frozen=True)
class Pair:
    """A VM that is replicated. `primary_host`, `replica_host`: what the history knows them as, "" if it does not. `state`: as
    the primary says, or where it was not looked at, the replica (`told_by`). `other`: what the other side says, where that is
    not the same. `lag_s`: as measured last, `most_lag_s` at most while it stood so."""

    vm: str
    primary: str
    primary_host: str
    replica: str
    replica_host: str
    state: str
    health: str
    told_by: str
    lag_s: int | None
    most_lag_s: int | None
    since: datetime
    last_seen: datetime
    other: str = ""

    @property
    def well(self) -> bool:
        return self.health == "normal" and self.state in STEADY and not self.other

    @property
    def host(self) -> str:
        """By which its page is found: of the primary, if that is known."""
        return self.primary_host or self.replica_host


@dataclass(frozen=True)
class Lag:
    """`host`: the primary, which measured it."""

    at: datetime
    host: str
    lag_s: int


def pairs(
    connection: Connection, *, text: str = "", troubled: bool = False, start: int = 0, host: str = "", vm: str = ""
) -> Listed[Pair]:
    """Those that need somebody first, then those that are furthest behind."""
    found = all_pairs(connection)
    wanted = text.casefold()
    narrowed = [
        one
        for one in found
        if not (troubled and one.well)
        and (not host or host in (one.primary_host, one.replica_host))
        and (not vm or one.vm.casefold() == vm.casefold())
        and any(wanted in t.casefold() for t in (one.vm, one.primary, one.replica, one.state, one.health))
    ]
    narrowed.sort(key=lambda one: (one.well, -(one.lag_s or 0), one.vm.casefold()))
    return Listed(tuple(narrowed[start : start + PAGE]), len(narrowed), start)


def all_pairs(connection: Connection) -> list[Pair]:
    rows = standing_rows(connection, standings.c.what == "replication", STANDS)
    known = known_hosts(connection) if rows else {}
    by_pair: dict[tuple[str, ...], list[Pair]] = {}
    for row in rows:
        one = _pair(row, known)
        by_pair.setdefault((one.vm.casefold(), bare(one.primary), bare(one.replica)), []).append(one)
    return [_joined(sides) for sides in by_pair.values()]


def said(standing: str) -> Mapping[str, str] | None:
    """ "replicating to hv02, normal" in its parts: state, way ("to" or "from"), other, health."""
    found = _REPLICATION.fullmatch(standing)
    return found.groupdict() if found is not None else None


def _pair(row: Any, known: Mapping[str, str]) -> Pair:
    told = said(row.standing) or {
        "state": row.standing,
        "way": "to",
        "other": "",
        "health": "",
    }  # cut off: told as it is
    state, way, other, health = (told[of] for of in ("state", "way", "other", "health"))
    far = known.get(bare(other), "") if other else ""
    sends = way == "to"
    return Pair(
        row.name,
        row.host if sends else other,
        row.host if sends else far,
        other if sends else row.host,
        far if sends else row.host,
        state,
        health,
        "primary" if sends else "replica",
        row.lag_s,
        row.most_lag_s,
        row.first_seen,
        row.last_seen,
    )


def _joined(sides: Sequence[Pair]) -> Pair:
    """What both sides say, as one: the primary measures how far the replica is behind."""
    newest = {one.told_by: one for one in sorted(sides, key=lambda one: one.last_seen)}
    if len(newest) == 1:
        return next(iter(newest.values()))
    first, second = newest["primary"], newest["replica"]
    agree = second.health == first.health and (second.state == first.state or second.state in STEADY)
    return replace(
        first,
        replica=second.replica,
        replica_host=second.replica_host,
        last_seen=max(first.last_seen, second.last_seen),
        other="" if agree else ", ".join(t for t in (second.state, second.health) if t),
    )


def lags(
    connection: Connection, found: Sequence[Pair], since: datetime, until: datetime, points: int = 750
) -> tuple[Lag, ...]:
    """How far behind the replica of a VM was at each check, as its primary measured it, whichever host that was; of many checks
    the most of each of so many spans of equal length."""
    sides = _sides(connection, found)
    rows = connection.execute(
        select(measured.c.at, measured.c.lag_s, hosts.c.name.label("host"))
        .select_from(measured.join(hosts, hosts.c.id == measured.c.host_id))
        .where(
            measured.c.host_id.in_({row.host_id for row in sides}),
            measured.c.name.in_({row.name for row in sides}),
            measured.c.at >= since,
        )
        .order_by(measured.c.at, measured.c.id)
    ).all()
    told = [Lag(row.at, row.host, row.lag_s) for row in rows]
    if len(told) <= points:
        return tuple(told)
    most: dict[int, Lag] = {}
    for one in told:
        span = int((one.at - since) / (until - since) * points)
        if span not in most or most[span].lag_s < one.lag_s:
            most[span] = one
    return tuple(most.values())


def replications_of(connection: Connection, found: Sequence[Pair], since: datetime) -> tuple[Stood, ...]:
    """How it went with it before, on both sides, the last first."""
    over = [row for row in _sides(connection, found) if row.gone is not None and row.gone >= since]
    return tuple(as_stood(row) for row in sorted(over, key=lambda row: row.gone, reverse=True)[:PAGE])


def _sides(connection: Connection, found: Sequence[Pair]) -> list[Any]:
    """What was ever told of them, also by nodes that the VM was on before, which have the same other side."""
    names = [func.lower(literal(name)) for name in {one.vm for one in found}]
    sides = {bare(side) for one in found for side in (one.primary, one.replica)}
    rows = standing_rows(connection, standings.c.what == "replication", func.lower(standings.c.name).in_(names))
    return [row for row in rows if (told := said(row.standing)) is not None and bare(told["other"]) in sides]
