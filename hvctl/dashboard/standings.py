"""How things stand that are no difference, as the history has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from hvctl.history.past import Stood
from hvctl.history.schema import hosts, standings

STANDS = standings.c.gone.is_(None)


def standing_rows(connection: Connection, *narrowed: ColumnElement[bool]) -> Sequence[Any]:
    return connection.execute(
        select(standings, hosts.c.name.label("host"))
        .select_from(standings.join(hosts, hosts.c.id == standings.c.host_id))
        .where(*narrowed)
        .order_by(standings.c.first_seen, standings.c.id)
    ).all()


def as_stood(row: Any) -> Stood:
    times = (row.first_seen, row.last_seen, row.gone)
    ending = (row.ending or "", row.moved_to or "")
    return Stood(row.what, row.unit, row.name, row.standing, *times, row.lag_s, row.most_lag_s, *ending)


def bare(name: str) -> str:
    """A host is known by the first label of its name, without case."""
    return name.partition(".")[0].casefold()


def known_hosts(connection: Connection) -> dict[str, str]:
    """What the history knows hosts as, by the first labels of their names; not those that two have."""
    names: dict[str, set[str]] = {}
    for name in connection.execute(select(hosts.c.name).distinct()).scalars():
        names.setdefault(bare(name), set()).add(name)
    return {label: next(iter(found)) for label, found in names.items() if len(found) == 1}


def standing_of(connection: Connection, host: str, since: datetime, vm: str = "") -> tuple[Stood, ...]:
    """Where roles of a host, or one VM of it, are and were, how replications went and what was moved since. How replications
    and exports stand has lists of its own."""
    past = or_(standings.c.what == "move", and_(standings.c.what == "replication", standings.c.gone.is_not(None)))
    mine = (hosts.c.name == host, or_(standings.c.what == "role", past), or_(STANDS, standings.c.gone >= since))
    rows = (row for row in standing_rows(connection, *mine) if not vm or row.name.casefold() == vm.casefold())
    return tuple(as_stood(row) for row in sorted(rows, key=lambda row: (row.what, row.name.casefold())))
