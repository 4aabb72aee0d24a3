"""What the pages ask of the history. A counter and the list that it leads to are one query."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select

from hvctl.dashboard.rows import (
    Age,
    AwayRow,
    CheckRow,
    Counts,
    DriftRow,
    HostRow,
    Listed,
    LookRow,
    Machine,
    State,
    Used,
)
from hvctl.history.meters import Record
from hvctl.history.schema import absences, checks, drifts, hosts, looks, meter_looks, readings
from hvctl.kinds import address_of, owner_of
from hvctl.metering.stretch import Stretch
from hvctl.metering.subtraction import stretches

PAGE = 100
"""Rows of a page."""

_OPEN = and_(drifts.c.gone.is_(None), drifts.c.accepted_until.is_(None))
"""What differs, but for what is accepted."""

AGES = ((0, 1), (1, 7), (7, 30), (30, None))
"""Days."""


@dataclass(frozen=True)
class Asked:
    """What a list is narrowed to; what is empty narrows nothing. `text`: somewhere in what is told. `hosts`: only these.
    `whole`: all of it, and not a page."""

    text: str = ""
    state: str = ""
    stale: bool = False
    host: str = ""
    kind: str = ""
    gone: bool = False
    since: datetime | None = None
    until: datetime | None = None
    hosts: frozenset[str] | None = None
    start: int = 0
    whole: bool = False


# --- hosts -----------------------------------------------------------------------------------------------------------


def _hosts(stale_before: datetime) -> Any:
    """Each host on record with its state: the one place that says what a state is."""
    open_of = (
        select(drifts.c.host_id, func.count().label("open"), func.min(drifts.c.first_seen).label("since"))
        .where(_OPEN)
        .group_by(drifts.c.host_id)
        .subquery()
    )
    away_of = (
        select(
            absences.c.host_id, func.min(absences.c.first_seen).label("since"), func.max(absences.c.why).label("why")
        )
        .where(absences.c.back.is_(None))
        .group_by(absences.c.host_id)
        .subquery()
    )
    state = case(
        (away_of.c.since.is_not(None), "unreachable"),
        (hosts.c.looked.is_(None), "unseen"),
        (open_of.c.open.is_not(None), "drifted"),
        else_="in_sync",
    )
    return (
        select(
            hosts.c.id,
            hosts.c.name,
            hosts.c.address,
            hosts.c.looked,
            state.label("state"),
            func.coalesce(open_of.c.open, 0).label("open"),
            func.coalesce(away_of.c.since, open_of.c.since).label("since"),
            func.coalesce(away_of.c.why, "").label("why"),
            or_(hosts.c.looked.is_(None), hosts.c.looked < stale_before).label("stale"),
        )
        .select_from(
            hosts.outerjoin(open_of, open_of.c.host_id == hosts.c.id).outerjoin(
                away_of, away_of.c.host_id == hosts.c.id
            )
        )
        .subquery()
    )


def _narrowed(found: Any, asked: Asked) -> list[ColumnElement[bool]]:
    said: list[ColumnElement[bool]] = []
    if asked.text:
        said.append(or_(*(holds(column, asked.text) for column in (found.c.name, found.c.address, found.c.why))))
    if asked.state:
        said.append(found.c.state == asked.state)
    if asked.stale:
        said.append(found.c.stale.is_(True))
    if asked.hosts is not None:
        said.append(found.c.name.in_(asked.hosts))
    return said


_RANK: Mapping[State, int] = {"unreachable": 0, "drifted": 1, "unseen": 2, "in_sync": 3}


def host_rows(connection: Connection, asked: Asked, stale_before: datetime) -> Listed[HostRow]:
    found = _hosts(stale_before)
    narrowed = _narrowed(found, asked)
    total = connection.execute(select(func.count()).select_from(found).where(*narrowed)).scalar_one()
    rank = case(*((found.c.state == state, rank) for state, rank in _RANK.items()), else_=9)
    rows = connection.execute(
        select(found)
        .where(*narrowed)
        .order_by(rank, found.c.since, found.c.name, found.c.address)
        .limit(PAGE)
        .offset(asked.start)
    )
    return Listed(
        tuple(HostRow(r.name, r.address, r.state, bool(r.stale), r.open, r.since, r.looked, r.why) for r in rows),
        total,
        asked.start,
    )


def counts(connection: Connection, stale_before: datetime, among: Collection[str] | None = None) -> Counts:
    """By the same query as the list of hosts."""
    found = _hosts(stale_before)
    only = [] if among is None else [found.c.name.in_(among)]
    late = func.sum(case((found.c.stale.is_(True), 1), else_=0))
    rows = connection.execute(
        select(found.c.state, func.count(), late, func.sum(found.c.open)).where(*only).group_by(found.c.state)
    ).all()
    return Counts(
        {row[0]: int(row[1]) for row in rows},
        sum(int(row[2] or 0) for row in rows),
        sum(int(row[3] or 0) for row in rows),
    )


def by_group(
    connection: Connection, stale_before: datetime, groups: Mapping[str, Collection[str]]
) -> dict[str, Counts]:
    """Of each group of the inventory, those of its hosts that are on record."""
    found = _hosts(stale_before)
    rows = connection.execute(select(found.c.name, found.c.state, found.c.stale, found.c.open)).all()
    members = {name: frozenset(hosts) for name, hosts in groups.items()}
    told: dict[str, Counts] = {}
    for name, ours in members.items():
        states: dict[State, int] = {}
        mine = [row for row in rows if row.name in ours]
        for row in mine:
            states[row.state] = states.get(row.state, 0) + 1
        if mine:
            told[name] = Counts(states, sum(bool(row.stale) for row in mine), sum(row.open for row in mine))
    return told


def states_of(connection: Connection, stale_before: datetime, names: Iterable[str]) -> dict[str, State]:
    """Of hosts by their names; of one that was given another address, as it was looked at last."""
    wanted = set(names)
    if not wanted:
        return {}
    found = _hosts(stale_before)
    rows = connection.execute(select(found.c.name, found.c.state).order_by(found.c.looked, found.c.id))
    return {row.name: row.state for row in rows if row.name in wanted}


# --- differences -----------------------------------------------------------------------------------------------------


def drift_rows(connection: Connection, asked: Asked) -> Listed[DriftRow]:
    """Those that are open, the oldest first; with `gone`, those that went, the last first. `since`, `until`: of when they were
    first seen, or of when they went."""
    when = drifts.c.gone if asked.gone else drifts.c.first_seen
    narrowed: list[ColumnElement[bool]] = [drifts.c.gone.is_not(None) if asked.gone else _OPEN]
    if asked.text:
        columns = (hosts.c.name, drifts.c.field, drifts.c.now, drifts.c.wanted, drifts.c.why)
        # Addresses are JSON, in which other letters than ASCII's are escapes.
        address = holds(drifts.c.address, json.dumps(asked.text)[1:-1])
        narrowed.append(or_(address, *(holds(column, asked.text) for column in columns)))
    if asked.host:
        narrowed.append(hosts.c.name == asked.host)
    if asked.kind:
        narrowed.append(_begins(drifts.c.address, f'["{asked.kind}"'))
    if asked.hosts is not None:
        narrowed.append(hosts.c.name.in_(asked.hosts))
    if asked.since is not None:
        narrowed.append(when >= asked.since)
    if asked.until is not None:
        narrowed.append(when < asked.until)
    joined = drifts.join(hosts, hosts.c.id == drifts.c.host_id)
    total = connection.execute(select(func.count()).select_from(joined).where(*narrowed)).scalar_one()
    order = (when.desc(), drifts.c.id.desc()) if asked.gone else (when, drifts.c.id)
    rows = connection.execute(
        select(drifts, hosts.c.name.label("host"))
        .select_from(joined)
        .where(*narrowed)
        .order_by(*order)
        .limit(None if asked.whole else PAGE)
        .offset(asked.start)
    )
    return Listed(tuple(map(_drift, rows)), total, asked.start)


def kinds_open(connection: Connection) -> list[str]:
    """Kinds of which something is open."""
    rows = connection.execute(select(drifts.c.address).where(_OPEN).distinct()).scalars()
    return sorted({json.loads(text)[0] for text in rows})


def ages(connection: Connection, now: datetime) -> list[Age]:
    """How many are open, by how long."""
    first = connection.execute(select(drifts.c.first_seen).where(_OPEN)).scalars().all()
    told = []
    for least, most in AGES:
        until = now - timedelta(days=least) if least else None
        since = now - timedelta(days=most) if most else None
        count = sum((since is None or f >= since) and (until is None or f < until) for f in first)
        told.append(Age(least, most, count, since, until))
    return told


def _drift(row: Any) -> DriftRow:
    address = address_of(row.host, json.loads(row.address))
    above = address
    while (owner := owner_of(above)) is not None:
        above = owner
    return DriftRow(
        row.id,
        row.host,
        address.kind,
        str(address),
        above.key if above.kind == "vm" else "",
        row.field,
        row.now,
        row.wanted,
        row.why,
        row.moved,
        row.first_seen,
        row.last_seen,
        row.gone,
        row.ending,
        row.moved_to or "",
    )


# --- absences and checks -----------------------------------------------------------------------------------------------


def away_rows(connection: Connection, *, since: datetime | None = None, host: str = "") -> tuple[AwayRow, ...]:
    """Hosts that are away; with `since`, also those that came back after it."""
    over = absences.c.back.is_(None)
    narrowed = [over if since is None else or_(over, absences.c.back >= since)]
    if host:
        narrowed.append(hosts.c.name == host)
    rows = connection.execute(
        select(absences, hosts.c.name)
        .select_from(absences.join(hosts, hosts.c.id == absences.c.host_id))
        .where(*narrowed)
        .order_by(absences.c.first_seen.desc())
        .limit(PAGE)
    )
    return tuple(AwayRow(r.name, r.why, r.first_seen, r.last_seen, r.back) for r in rows)


def check_rows(connection: Connection, *, verb: str = "", left: bool = False, start: int = 0) -> Listed[CheckRow]:
    """The last first. `left`: those only that did not end with everything as wished."""
    narrowed: list[ColumnElement[bool]] = [checks.c.verb == verb] if verb else []
    if left:
        narrowed.append(checks.c.exit_status != 0)
    total = connection.execute(select(func.count()).select_from(checks).where(*narrowed)).scalar_one()
    some = select(checks).where(*narrowed).order_by(checks.c.id.desc()).limit(PAGE).offset(start)
    return Listed(_with_looks(connection, some), total, start)


def checks_of(connection: Connection, host: str) -> tuple[CheckRow, ...]:
    """The last ones that looked at a host."""
    mine = (
        select(checks)
        .join(looks, looks.c.check_id == checks.c.id)
        .join(hosts, hosts.c.id == looks.c.host_id)
        .where(hosts.c.name == host)
        .order_by(checks.c.id.desc())
        .limit(20)
    )
    return _with_looks(connection, mine)


def check(connection: Connection, number: int) -> tuple[CheckRow, tuple[LookRow, ...]] | None:
    found = _with_looks(connection, select(checks).where(checks.c.id == number))
    if not found:
        return None
    rows = connection.execute(
        select(looks, hosts.c.name)
        .select_from(looks.join(hosts, hosts.c.id == looks.c.host_id))
        .where(looks.c.check_id == number)
        .order_by(looks.c.reached, looks.c.differing.desc(), hosts.c.name)
    )
    return found[0], tuple(LookRow(r.name, bool(r.reached), r.differing) for r in rows)


def _with_looks(connection: Connection, chosen: Select[Any]) -> tuple[CheckRow, ...]:
    rows = connection.execute(chosen).all()
    numbers = [row.id for row in rows]
    missed = func.sum(case((looks.c.reached.is_(True), 0), else_=1))
    counted = {
        row[0]: row[1:]
        for row in connection.execute(
            select(looks.c.check_id, func.count(), missed, func.sum(looks.c.differing))
            .where(looks.c.check_id.in_(numbers))
            .group_by(looks.c.check_id)
        )
    }
    return tuple(
        CheckRow(
            row.id,
            row.verb,
            row.started,
            row.finished,
            row.exit_status,
            tuple(json.loads(row.playbooks)),
            *(int(n or 0) for n in counted.get(row.id, (0, 0, 0))),
        )
        for row in rows
    )


# --- one host, one VM --------------------------------------------------------------------------------------------------


def host(connection: Connection, name: str, stale_before: datetime) -> tuple[HostRow, ...]:
    """All on record of that name: one that was given another address is another one."""
    found = _hosts(stale_before)
    rows = connection.execute(select(found).where(found.c.name == name).order_by(found.c.looked.desc()))
    return tuple(HostRow(r.name, r.address, r.state, bool(r.stale), r.open, r.since, r.looked, r.why) for r in rows)


def machines(connection: Connection, name: str, found: Iterable[DriftRow]) -> tuple[Machine, ...]:
    """VMs of a host: those that differ, and those whose meters were read."""
    told: dict[str, Machine] = {}
    newest = (
        select(func.max(meter_looks.c.id))
        .select_from(meter_looks.join(hosts, hosts.c.id == meter_looks.c.host_id))
        .where(hosts.c.name == name)
        .scalar_subquery()
    )
    metered = connection.execute(
        select(readings.c.vm_name, meter_looks.c.at)
        .select_from(readings.join(meter_looks, meter_looks.c.id == readings.c.look_id))
        .where(meter_looks.c.id == newest)
    )
    for row in metered:
        told[row.vm_name.casefold()] = Machine(row.vm_name, 0, row.at)
    for one in found:
        if one.vm:
            known = told.get(one.vm.casefold(), Machine(one.vm, 0))
            told[one.vm.casefold()] = replace(known, open=known.open + 1)
    return tuple(sorted(told.values(), key=lambda m: (-m.open, m.name.casefold())))


def used(record: Record, name: str, host_name: str) -> tuple[Used, ...]:
    """Of a VM of a host, in the order of time."""
    mine = tuple(r for r in record.readings if r.name.casefold() == name.casefold() and r.host == host_name)
    return tuple(_used(one) for one in stretches(mine, record.looks) if one.end > one.start)


def _used(one: Stretch) -> Used:
    def rate(quantity: Any) -> float | None:
        amount = one.amounts.get(quantity)
        return amount.value / amount.seconds if amount is not None and amount.seconds else None

    return Used(
        one.start,
        one.end,
        rate("processor"),
        rate("memory"),
        rate("io"),
        rate("data_read"),
        rate("data_written"),
        rate("network_in"),
        rate("network_out"),
    )


def holds(column: Any, text: str) -> ColumnElement[bool]:
    return _like(column, f"%{_escaped(text)}%")


def _begins(column: Any, text: str) -> ColumnElement[bool]:
    return _like(column, f"{_escaped(text)}%")


def _like(column: Any, pattern: str) -> ColumnElement[bool]:
    return and_(func.lower(column).like(func.lower(literal(pattern)), escape="!"))


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def numbers(values: Sequence[Used], name: str) -> list[float | None]:
    return [getattr(one, name) for one in values]
