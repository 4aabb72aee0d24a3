"""The history in its database: what a check adds, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from hvctl.core.check import Check
from hvctl.history.judge import Elsewheres, Judged, Known, came, elsewhere
from hvctl.history.opening import opened, translated, writing
from hvctl.history.past import HostPast
from hvctl.history.place import Place, exists
from hvctl.history.recall import known_of, past_of
from hvctl.history.record import Look, add_check, add_looks, locked, prune
from hvctl.history.schema import hosts
from hvctl.history.seen import Seen
from hvctl.history.standing import end_gone

_AT_ONCE = 100
"""Hosts whose records are in memory together."""


@dataclass(frozen=True)
class Store:
    """Use `write` and `told`; each opens the database and closes it again. They raise HistoryError."""

    place: Place

    def write(self, check: Check, found: Sequence[Seen], at: datetime) -> list[Judged]:
        """Judge what was seen against what is known and store it: all of it or, if it fails, nothing."""
        engine = opened(self.place)
        done: dict[str, Judged] = {}
        with translated(self.place), writing(engine) as connection:
            number = add_check(connection, check, at)
            written: list[tuple[int, Seen]] = []
            # In one order everywhere, so that two writers do not wait for each other.
            ordered = sorted(found, key=lambda s: s.host)
            rows = locked(connection, {s.host: check.addresses.get(s.host, s.host) for s in ordered})
            away = elsewhere(found, {name for name, host in rows.items() if Known(host.looked).late(at)})
            parted = known_of(connection, [rows[name] for name in away])
            gone_to = _by_destination(away)
            for n in range(0, len(ordered), _AT_ONCE):
                some = ordered[n : n + _AT_ONCE]
                known = parted | known_of(
                    connection,
                    [row for s in some if (row := rows[s.host]).id not in parted],
                    {row.id for s in some if _as_before(s, row := rows[s.host]) and s.host not in gone_to},
                )
                looks = []
                for seen in some:
                    own = known[rows[seen.host].id]
                    for other in gone_to.get(seen.host, ()):
                        more = came(parted[rows[other].id], away[other], seen.host)
                        came_wishes = {**more.came_wishes, **own.came_wishes}
                        own = replace(own, came={**more.came, **own.came}, came_wishes=came_wishes)
                    looks.append(Look(rows[seen.host], seen, own, away.get(seen.host, {})))
                done |= add_looks(connection, number, looks, at)
                written += [(one.row.id, one.seen) for one in looks if not done[one.seen.host].late]
            end_gone(connection, written, away, at)
            prune(connection, at)
        return [done[seen.host] for seen in found]

    def told(self, since: datetime, wanted: Callable[[Sequence[str]], Sequence[str]]) -> tuple[HostPast, ...]:
        """What was not over before `since`, of those hosts on record that are wanted."""
        if not exists(self.place):
            return ()
        engine = opened(self.place)
        with translated(self.place), engine.connect() as connection:
            found = connection.execute(select(hosts).order_by(hosts.c.name, hosts.c.address)).all()
            names = set(wanted(list(dict.fromkeys(row.name for row in found))))
            return tuple(past_of(connection, row, since) for row in found if row.name in names)


def _as_before(seen: Seen, row: Any) -> bool:
    return row.settled is not None and row.settled == seen.settled


def _by_destination(away: Mapping[str, Elsewheres]) -> dict[str, list[str]]:
    """By host, the others that have things of theirs on it now."""
    found: dict[str, list[str]] = {}
    for name, things in away.items():
        for host in {place.host for place in things.values() if place.look is not None}:
            found.setdefault(host, []).append(name)
    return found
