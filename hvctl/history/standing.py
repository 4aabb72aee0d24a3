"""How things stand that are no difference: where roles are, how replications go, what hvctl moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from hvctl.history.judge import Elsewheres
from hvctl.history.past import Stood
from hvctl.history.schema import standings
from hvctl.history.seen import Seen, Standing, standing_key


def write_standings(connection: Connection, host: int, found: Sequence[Standing], at: datetime) -> None:
    """What a check did not look at stays as it was seen last."""
    if not found:
        return
    known = {
        standing_key(row.what, row.unit, row.name, row.standing): row
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


def end_gone(
    connection: Connection, found: Sequence[tuple[int, Seen]], away: Mapping[str, Elsewheres], at: datetime
) -> None:
    """What stood on a host and is on another one now, or nowhere, by what was looked at, which the transaction holds."""
    looks = dict(found)
    noted = {one.key: seen.host for _, seen in found for one in seen.standings}
    for n in range(0, len(found), 500):
        hosts = [number for number, _ in found[n : n + 500]]
        standing = and_(standings.c.host_id.in_(hosts), standings.c.gone.is_(None))
        for row in connection.execute(select(standings).where(standing)).all():
            seen = looks[row.host_id]
            ended = _ended(
                standing_key(row.what, row.unit, row.name, row.standing), seen, away.get(seen.host, {}), noted
            )
            if ended is not None:
                values = {"gone": at, "ending": ended[0], "moved_to": ended[1] or None}
                connection.execute(update(standings).where(standings.c.id == row.id).values(values))


def _ended(
    key: tuple[str, str, str], seen: Seen, away: Elsewheres, noted: Mapping[tuple[str, str, str], str]
) -> tuple[str, str] | None:
    """How, and on which host it goes on; None: it stands, as far as is known. `noted`: where each was seen to stand."""
    own = {one.key for one in seen.standings}
    what, _, name = key
    vm, part = ("vm", name), (what, name)
    if key in own:
        return None
    place = away.get(vm)
    look = place.look if place is not None else seen
    if look is not None and (vm in look.missing or part in look.missing):
        return "not there", ""
    if place is not None:
        return ("moved", place.host) if look is not None else None
    there = noted.get(key) if what in ("role", "cluster") else None
    return ("moved", there) if there is not None else None


def stood(connection: Connection, host: int, since: datetime) -> Iterator[Stood]:
    rows = connection.execute(
        select(standings)
        .where(standings.c.host_id == host, or_(standings.c.gone.is_(None), standings.c.gone >= since))
        .order_by(standings.c.what.desc(), standings.c.name, standings.c.first_seen, standings.c.id)
    )
    for r in rows:
        times = (r.first_seen, r.last_seen, r.gone)
        yield Stood(r.what, r.unit, r.name, r.standing, *times, r.lag_s, r.most_lag_s, r.ending or "", r.moved_to or "")


def prune_standings(connection: Connection, old: datetime) -> None:
    connection.execute(delete(standings).where(standings.c.last_seen < old))
