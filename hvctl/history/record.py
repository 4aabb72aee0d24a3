"""Rows of the history as a check writes them, all in the transaction that is open."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from hvctl.core.check import Check, Spot
from hvctl.history.judge import Elsewheres, Judged, Known, judged
from hvctl.history.planned import digest_of
from hvctl.history.plans import prune_plans, write_plans
from hvctl.history.runs import prune_runs
from hvctl.history.schema import absences, checks, covered, drifts, hosts, looks, wishes
from hvctl.history.seen import Difference, Seen, shown, storable
from hvctl.history.standing import prune_lags, prune_standings, write_standings

KEPT = timedelta(days=400)
"""How long what is over is kept."""

_AT_ONCE = 500
"""Hosts that are asked for in one statement: databases take so many values."""

CHECKS_KEPT = timedelta(days=90)
"""How long each check is kept: there are many, and they only count."""


def add_check(connection: Connection, check: Check, at: datetime) -> int:
    values = {
        "verb": check.kept_as or check.verb,
        "started": check.started,
        "finished": at,
        "exit_status": check.exit_status,
        "playbooks": json.dumps(check.playbooks),
        "machine": storable(check.machine)[:255] or None,
    }
    return inserted(connection, checks, values)


def locked(connection: Connection, named: Mapping[str, str]) -> dict[str, Any]:
    """By name, the rows of hosts (name → address), made if need be, and held until the transaction ends."""
    found: dict[str, Any] = {}
    names = sorted(named)
    for n in range(0, len(names), _AT_ONCE):
        some = names[n : n + _AT_ONCE]
        chosen = select(hosts).where(hosts.c.name.in_(some)).order_by(hosts.c.name, hosts.c.address).with_for_update()
        found |= _rows(connection, chosen, named)
        if new := [name for name in some if name not in found]:
            _make(connection, {name: named[name] for name in new})
            found |= _rows(connection, chosen, named)
    return found


def _rows(connection: Connection, chosen: Select[Any], named: Mapping[str, str]) -> dict[str, Any]:
    return {row.name: row for row in connection.execute(chosen) if row.address == named[row.name]}


def _make(connection: Connection, named: Mapping[str, str]) -> None:
    """All at once, or else each by itself: another hvctl may be quicker with some."""
    values = [{"name": name, "address": address} for name, address in named.items()]
    try:
        with connection.begin_nested():
            connection.execute(insert(hosts), values)
    except IntegrityError:
        for one in values if len(values) > 1 else ():
            _make(connection, {one["name"]: one["address"]})


@dataclass(frozen=True)
class Look:
    """One host as it was seen in a check. `row`: its own; `known`: what is on record of it; `away`: what is looked at on other
    hosts."""

    row: Any
    seen: Seen
    known: Known
    away: Elsewheres


def add_looks(connection: Connection, number: int, found: Sequence[Look], at: datetime) -> dict[str, Judged]:
    """By host. `number`: of the check."""
    results = {one.seen.host: judged(one.known, one.seen, at, one.away) for one in found}
    values = [
        {
            "check_id": number,
            "host_id": one.row.id,
            "reached": one.seen.unreachable is None,
            "differing": sum(d.accepted is None for d in one.seen.differing.values()),
            "plan": digest_of(one.seen.plan),
        }
        for one in found
    ]
    if values:
        write_plans(connection, (one.seen.plan for one in found), at)
        connection.execute(insert(looks), values)
    stored = [one for one in found if not results[one.seen.host].late]
    connection.execute(update(hosts).where(hosts.c.id.in_([one.row.id for one in stored])).values(looked=at))
    _tell_hosts(connection, stored)
    wished: list[dict[str, Any]] = []
    coverage: list[dict[str, Any]] = []
    for one in stored:
        host, seen, result = one.row.id, one.seen, results[one.seen.host]
        _write_absence(connection, host, one.known, seen, at)
        _write_drifts(connection, host, result, at)
        _forget_wishes(connection, host, one.known, result)
        wished += _wishes(host, result)
        write_standings(connection, host, seen.standings, at)
        for file in () if one.known.calm else seen.covered - one.known.covered:
            coverage.append({"host_id": host, "key": _digest(file), "file": file})
    for table, rows in ((wishes, wished), (covered, coverage)):
        if rows:
            connection.execute(insert(table), rows)
    return results


def _tell_hosts(connection: Connection, found: Sequence[Look]) -> None:
    """What they are themselves, in one statement for all of which the same is new."""
    told: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in found:
        if new := _told(one):
            told.setdefault(tuple(new), []).append({**new, "of": one.row.id})
    for names, rows in told.items():
        values: dict[str, Any] = {name: bindparam(name) for name in names}
        connection.execute(update(hosts).where(hosts.c.id == bindparam("of")).values(values), rows)


def _told(one: Look) -> Mapping[str, Any]:
    """What a host itself is, where that is new."""
    found: dict[str, Any] = {}
    zone = one.seen.utc_offset_minutes
    if zone is not None and zone != one.row.utc_offset_minutes:
        found["utc_offset_minutes"] = zone
    if one.seen.wished or one.seen.covered:
        now = None if one.known.came or one.known.came_wishes else one.seen.settled
        if now != one.row.settled:
            found["settled"] = now
    return found


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


def _forget_wishes(connection: Connection, host: int, known: Known, result: Judged) -> None:
    """Those that are no more, and those that are written anew."""
    gone = [*result.forgotten, *(key for key in result.wishes if key in known.wishes)]
    for n in range(0, len(gone), 500):
        some = wishes.c.spot.in_(gone[n : n + 500])
        connection.execute(delete(wishes).where(wishes.c.host_id == host, some))


def _wishes(host: int, result: Judged) -> list[dict[str, Any]]:
    return [
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


def prune(connection: Connection, at: datetime) -> None:
    """What is over for long; and what is open at hosts that nobody has looked at for as long."""
    old = at - KEPT
    left = select(hosts.c.id).where(hosts.c.looked < old)
    for table, over in ((drifts, drifts.c.gone), (absences, absences.c.back)):
        connection.execute(delete(table).where(or_(over < old, table.c.host_id.in_(left))))
    connection.execute(update(hosts).where(hosts.c.id.in_(left)).values(settled=None))
    for table in (wishes, covered):
        connection.execute(delete(table).where(table.c.host_id.in_(left)))
    connection.execute(delete(drifts).where(drifts.c.gone.is_(None), drifts.c.last_seen < old))
    prune_standings(connection, old)
    prune_lags(connection, at)
    prune_plans(connection, at - CHECKS_KEPT)
    prune_runs(connection, at - CHECKS_KEPT)
    aged = select(checks.c.id).where(checks.c.finished < at - CHECKS_KEPT)
    connection.execute(delete(looks).where(looks.c.check_id.in_(aged)))
    connection.execute(delete(checks).where(checks.c.finished < at - CHECKS_KEPT))


def _named(spot: Spot) -> Mapping[str, str]:
    return {"address": _address(spot.address.words), "field": spot.field}


@lru_cache(20_000)
def _address(words: tuple[str, ...]) -> str:
    """The same ones are on many hosts of a fleet."""
    return json.dumps(words)


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
