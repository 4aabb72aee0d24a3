"""How things stand that are no difference: where roles are, how replications go, what hvctl moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from hvctl.history.past import Stood
from hvctl.history.schema import standings
from hvctl.history.seen import Seen, Standing


def write_standings(connection: Connection, host: int, found: Sequence[Standing], at: datetime) -> None:
    """What a check did not look at stays as it was seen last."""
    known = {
        (row.what, row.unit, row.name.casefold()): row
        for row in connection.execute(
            select(standings).where(standings.c.host_id == host, standings.c.gone.is_(None)).order_by(standings.c.id)
        )
    }
    for one in found:
        before = None if one.what == "move" else known.get(one.key)
        if before is not None and before.standing == one.standing:
            lags = [lag for lag in (before.most_lag_s, one.lag_s) if lag is not None]
            values = {"last_seen": at, "lag_s": one.lag_s, "most_lag_s": max(lags, default=None)}
            connection.execute(update(standings).where(standings.c.id == before.id).values(values))
            continue
        if before is not None:
            connection.execute(update(standings).where(standings.c.id == before.id).values(gone=at))
        connection.execute(
            insert(standings).values(
                host_id=host,
                what=one.what,
                unit=one.unit,
                name=one.name,
                standing=one.standing,
                lag_s=one.lag_s,
                most_lag_s=one.lag_s,
                first_seen=at,
                last_seen=at,
                gone=at if one.what == "move" else None,
            )
        )


def end_elsewhere(connection: Connection, found: Sequence[tuple[int, Seen]], at: datetime) -> None:
    """A role that is seen on one node is on no other of those that were looked at, which the transaction holds."""
    for host, seen in found:
        others = [number for number, _ in found if number != host]
        for one in seen.standings if others else ():
            if one.what == "role":
                same = and_(standings.c.what == "role", standings.c.unit == one.unit, standings.c.name == one.name)
                left = and_(standings.c.host_id.in_(others), standings.c.gone.is_(None))
                connection.execute(update(standings).where(same, left).values(gone=at))


def stood(connection: Connection, host: int, since: datetime) -> Iterator[Stood]:
    rows = connection.execute(
        select(standings)
        .where(standings.c.host_id == host, or_(standings.c.gone.is_(None), standings.c.gone >= since))
        .order_by(standings.c.what.desc(), standings.c.name, standings.c.first_seen, standings.c.id)
    )
    for r in rows:
        yield Stood(r.what, r.unit, r.name, r.standing, r.first_seen, r.last_seen, r.gone, r.lag_s, r.most_lag_s)


def prune_standings(connection: Connection, old: datetime) -> None:
    connection.execute(delete(standings).where(standings.c.last_seen < old))
