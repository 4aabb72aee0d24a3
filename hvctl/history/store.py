"""The history in its database: what a check adds, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from hvctl.core.check import Check
from hvctl.history.judge import Elsewheres, Judged, Known, came, elsewhere
from hvctl.history.opening import exists, opened, translated, writing
from hvctl.history.past import HostPast
from hvctl.history.place import Place
from hvctl.history.recall import known_of, past_of
from hvctl.history.record import add_check, add_look, locked, prune
from hvctl.history.schema import hosts
from hvctl.history.seen import Seen
from hvctl.history.standing import end_gone


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
            rows = {s.host: locked(connection, s.host, check.addresses.get(s.host, s.host)) for s in ordered}
            away = elsewhere(found, {name for name, host in rows.items() if Known(host.looked).late(at)})
            known = {name: known_of(connection, rows[name]) for name in away}
            gone_to = _by_destination(away)
            for seen in ordered:
                name, host = seen.host, rows[seen.host]
                own = known.get(name) or known_of(connection, host)
                for other in gone_to.get(name, ()):
                    more = came(known[other], away[other], name)
                    own = replace(
                        own, came={**more.came, **own.came}, came_wishes={**more.came_wishes, **own.came_wishes}
                    )
                done[name] = add_look(connection, host, number, seen, at, own, away.get(name, {}))
                if not done[name].late:
                    written.append((host.id, seen))
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


def _by_destination(away: Mapping[str, Elsewheres]) -> dict[str, list[str]]:
    """By host, the others that have things of theirs on it now."""
    found: dict[str, list[str]] = {}
    for name, things in away.items():
        for host in {place.host for place in things.values() if place.look is not None}:
            found.setdefault(host, []).append(name)
    return found
