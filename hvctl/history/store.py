"""The history in its database: what a check adds, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hvctl.core.check import Check
from hvctl.history.judge import Judged
from hvctl.history.opening import exists, opened, translated, writing
from hvctl.history.past import HostPast
from hvctl.history.place import Place
from hvctl.history.recall import past_of
from hvctl.history.record import add_check, add_look, locked, prune
from hvctl.history.schema import hosts
from hvctl.history.seen import Seen
from hvctl.history.standing import end_elsewhere


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
            for seen in sorted(found, key=lambda s: s.host):
                host = locked(connection, seen.host, check.addresses.get(seen.host, seen.host))
                done[seen.host] = add_look(connection, host, number, seen, at)
                if not done[seen.host].late:
                    written.append((host.id, seen))
            end_elsewhere(connection, written, at)
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
