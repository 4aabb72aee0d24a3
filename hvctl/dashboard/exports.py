"""Exports with the age of the newest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_

from hvctl.dashboard.queries import PAGE, holds
from hvctl.dashboard.rows import Listed
from hvctl.dashboard.standings import STANDS, standing_rows
from hvctl.history.schema import hosts, standings


@dataclass(frozen=True)
class Exports:
    """Of a VM in one folder. `newest`: when the newest was begun, by the age that its host told; None: there was none."""

    host: str
    vm: str
    folder: str
    newest: datetime | None
    most_age_s: int | None
    since: datetime
    last_seen: datetime


def exports(
    connection: Connection,
    now: datetime,
    *,
    text: str = "",
    days: int = 0,
    start: int = 0,
    host: str = "",
    vm: str = "",
) -> Listed[Exports]:
    """Those without any first, then the oldest. `days`: those only of which the newest is older."""
    narrowed: list[ColumnElement[bool]] = [standings.c.what == "export", STANDS]
    if text:
        columns = (standings.c.name, standings.c.standing, hosts.c.name)
        narrowed.append(or_(*(holds(column, text) for column in columns)))
    if host:
        narrowed.append(hosts.c.name == host)
    found = [_exports(row) for row in standing_rows(connection, *narrowed)]
    before = now - timedelta(days=days)
    kept = [
        one
        for one in found
        if (not days or one.newest is None or one.newest < before) and (not vm or one.vm.casefold() == vm.casefold())
    ]
    kept.sort(key=lambda one: (one.newest is not None, one.newest or now, one.host, one.vm.casefold()))
    return Listed(tuple(kept[start : start + PAGE]), len(kept), start)


def _exports(row: Any) -> Exports:
    newest = row.last_seen - timedelta(seconds=row.lag_s) if row.lag_s is not None else None
    folder = row.standing.removeprefix("in ")
    return Exports(row.host, row.name, folder, newest, row.most_lag_s, row.first_seen, row.last_seen)
