"""Rows of the history as a check writes them, all in the transaction that is open."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hvctl.core.check import Check, Spot
from hvctl.history.judge import Elsewheres, Judged, Known, judged
from hvctl.history.schema import absences, checks, covered, drifts, hosts, looks, wishes
from hvctl.history.seen import Difference, Seen, shown
from hvctl.history.standing import prune_standings, write_standings

KEPT = timedelta(days=400)
"""How long what is over is kept."""

CHECKS_KEPT = timedelta(days=90)
"""How long each check is kept: there are many, and they only count."""


def add_check(connection: Connection, check: Check, at: datetime) -> int:
    values = {
        "verb": check.verb,
        "started": check.started,
        "finished": at,
        "exit_status": check.exit_status,
        "playbooks": json.dumps(check.playbooks),
    }
    return inserted(connection, checks, values)


def locked(connection: Connection, name: str, address: str) -> Any:
    """The row of a host, made if need be, and held until the transaction ends."""
    same = and_(hosts.c.name == name, hosts.c.address == address)
    chosen = select(hosts).where(same).with_for_update()
    found = connection.execute(chosen).one_or_none()
    if found is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(hosts).values(name=name, address=address))
        except IntegrityError:
            pass  # another hvctl was quicker
        found = connection.execute(chosen).one()
    return found


def add_look(
    connection: Connection, host: Any, number: int, seen: Seen, at: datetime, known: Known, away: Elsewheres
) -> Judged:
    """`known`: what is on record of it; `away`: what is looked at on other hosts."""
    result = judged(known, seen, at, away)
    differing = sum(one.accepted is None for one in seen.differing.values())
    reached = seen.unreachable is None
    connection.execute(insert(looks).values(check_id=number, host_id=host.id, reached=reached, differing=differing))
    if result.late:
        return result
    connection.execute(update(hosts).where(hosts.c.id == host.id).values(looked=at))
    if seen.utc_offset_minutes is not None:
        zone = {"utc_offset_minutes": seen.utc_offset_minutes}
        connection.execute(update(hosts).where(hosts.c.id == host.id).values(zone))
    _write_absence(connection, host.id, known, seen, at)
    _write_drifts(connection, host.id, result, at)
    _write_wishes(connection, host.id, known, result)
    write_standings(connection, host.id, seen.standings, at)
    for file in seen.covered - known.covered:
        connection.execute(insert(covered).values(host_id=host.id, key=_digest(file), file=file))
    return result


def _write_absence(connection: Connection, host: int, known: Known, seen: Seen, at: datetime) -> None:
    if seen.unreachable is None:
        if known.absence is not None:
            connection.execute(update(absences).where(absences.c.id == known.absence.id).values(back=at))
    elif known.absence is not None:
        row = absences.c.id == known.absence.id
        connection.execute(update(absences).where(row).values(last_seen=at, why=seen.unreachable))
    else:
        row_values = {"host_id": host, "why": seen.unreachable, "first_seen": at, "last_seen": at}
        connection.execute(insert(absences).values(row_values))


def _write_drifts(connection: Connection, host: int, result: Judged, at: datetime) -> None:
    begun = [
        {
            "host_id": host,
            "spot": key,
            **_named(one.spot),
            "file": one.file,
            "now": one.now,
            "wanted": one.wanted,
            "why": one.why,
            "moved": result.since[key].moved,
            "first_seen": result.since[key].first_seen,
            "last_seen": at,
            "ending": "",
            **_accepted(one),
        }
        for key, one in result.begun.items()
    ]
    if begun:
        connection.execute(insert(drifts), begun)
    for number, (key, one) in result.lasting.items():
        connection.execute(
            update(drifts)
            .where(drifts.c.id == number)
            .values(
                last_seen=at,
                file=one.file,
                now=one.now,
                wanted=one.wanted,
                why=one.why,
                moved=result.since[key].moved,
                **_accepted(one),
            )
        )
    for number, ended in result.ended.items():
        values = {"gone": at, "ending": ended.ending, "moved_to": ended.to or None}
        connection.execute(update(drifts).where(drifts.c.id == number).values(values))


def _write_wishes(connection: Connection, host: int, known: Known, result: Judged) -> None:
    gone = [*result.forgotten, *(key for key in result.wishes if key in known.wishes)]
    for n in range(0, len(gone), 500):
        some = wishes.c.spot.in_(gone[n : n + 500])
        connection.execute(delete(wishes).where(wishes.c.host_id == host, some))
    rows = [
        {
            "host_id": host,
            "spot": key,
            **_named(one.spot),
            "file": one.file,
            "value": one.value,
            "since": one.since,
            "agreed": one.agreed,
        }
        for key, one in result.wishes.items()
    ]
    if rows:
        connection.execute(insert(wishes), rows)


def prune(connection: Connection, at: datetime) -> None:
    """What is over for long; and what is open at hosts that nobody has looked at for as long."""
    old = at - KEPT
    left = select(hosts.c.id).where(hosts.c.looked < old)
    for table, over in ((drifts, drifts.c.gone), (absences, absences.c.back)):
        connection.execute(delete(table).where(or_(over < old, table.c.host_id.in_(left))))
    for table in (wishes, covered):
        connection.execute(delete(table).where(table.c.host_id.in_(left)))
    connection.execute(delete(drifts).where(drifts.c.gone.is_(None), drifts.c.last_seen < old))
    prune_standings(connection, old)
    aged = select(checks.c.id).where(checks.c.finished < at - CHECKS_KEPT)
    connection.execute(delete(looks).where(looks.c.check_id.in_(aged)))
    connection.execute(delete(checks).where(checks.c.finished < at - CHECKS_KEPT))


def _named(spot: Spot) -> Mapping[str, str]:
    return {"address": json.dumps(spot.address.words), "field": spot.field}


def _accepted(one: Difference) -> Mapping[str, str | None]:
    found = one.accepted
    return {
        "accepted_until": found.until.isoformat() if found else None,
        "accepted_why": shown(found.reason) if found else None,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def inserted(connection: Connection, table: Table, values: Mapping[str, Any]) -> int:
    key = connection.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])
