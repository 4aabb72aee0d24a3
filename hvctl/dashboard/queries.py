"""What the pages ask of the history. A counter and the list that it leads to are one query."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    null,
    or_,
    select,
    true,
    values,
)

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
from hvctl.history.plans import plans_of
from hvctl.history.schema import UtcTime, absences, checks, drifts, hosts, looks, meter_looks, readings
from hvctl.kinds import address_of, owner_of
from hvctl.metering.stretch import Stretch
from hvctl.metering.subtraction import stretches

PAGE = 100
"""Rows of a page."""

_OPEN = and_(drifts.c.gone.is_(None), drifts.c.accepted_until.is_(None))
"""What differs, but for what is accepted."""

_ACCEPTED = and_(drifts.c.gone.is_(None), drifts.c.accepted_until.is_not(None))
"""What differs and is known drift."""

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
    accepted: bool = False
    since: datetime | None = None
    until: datetime | None = None
    hosts: frozenset[str] | None = None
    start: int = 0
    whole: bool = False


# --- hosts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fleet:
    """Which hosts there are: those on record and, of the inventory, those that are not. `stale_before`: one that was looked at
    last before that is stale."""

    stale_before: datetime
    never: frozenset[str] = frozenset()

    @classmethod
    def of(cls, connection: Connection, stale_before: datetime, inventory: frozenset[str]) -> Fleet:
        known = connection.execute(select(hosts.c.name)).scalars() if inventory else ()
        return cls(stale_before, inventory.difference(known))


def _hosts(fleet: Fleet) -> Any:
    """Each host with its state: the one place that says what a state is."""
    told = drifts.c.accepted_until.is_(None)
    open_of = (
        select(
            drifts.c.host_id,
            func.sum(case((told, 1), else_=0)).label("open"),
            func.sum(case((told, 0), else_=1)).label("accepted"),
            func.min(case((told, drifts.c.first_seen))).label("since"),
            func.min(drifts.c.first_seen).label("first"),
        )
        .where(drifts.c.gone.is_(None))
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
        (open_of.c.open > 0, "drifted"),
        (open_of.c.accepted > 0, "accepted"),
        else_="in_sync",
    )
    on_record = select(
        hosts.c.id,
        hosts.c.name,
        hosts.c.address,
        hosts.c.looked,
        state.label("state"),
        func.coalesce(open_of.c.open, 0).label("open"),
        func.coalesce(open_of.c.accepted, 0).label("accepted"),
        func.coalesce(away_of.c.since, open_of.c.since, open_of.c.first).label("since"),
        func.coalesce(away_of.c.why, "").label("why"),
        or_(hosts.c.looked.is_(None), hosts.c.looked < fleet.stale_before).label("stale"),
    ).select_from(
        hosts.outerjoin(open_of, open_of.c.host_id == hosts.c.id).outerjoin(away_of, away_of.c.host_id == hosts.c.id)
    )
    if not fleet.never:
        return on_record.subquery()
    rows = [(name,) for name in sorted(fleet.never)]
    listed = values(column("name", String), name="listed").data(rows).cte("listed")
    text, time, number = literal(""), cast(null(), UtcTime), literal(0)
    never = select(
        cast(null(), Integer), listed.c.name, text, time, literal("unseen"), number, number, time, text, true()
    )
    return on_record.union_all(never).subquery()


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


_RANK: Mapping[State, int] = {"unreachable": 0, "drifted": 1, "unseen": 2, "accepted": 3, "in_sync": 4}


def host_rows(connection: Connection, asked: Asked, fleet: Fleet) -> Listed[HostRow]:
    found = _hosts(fleet)
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
    return Listed(tuple(map(_host, rows)), total, asked.start)


def _host(r: Any) -> HostRow:
    return HostRow(r.name, r.address, r.state, bool(r.stale), r.open, r.since, r.looked, r.why, r.accepted)


def counts(connection: Connection, fleet: Fleet, among: Collection[str] | None = None) -> Counts:
    """By the same query as the list of hosts."""
    found = _hosts(fleet)
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


def by_group(connection: Connection, fleet: Fleet, groups: Mapping[str, Collection[str]]) -> dict[str, Counts]:
    """Of each group of the inventory; by the same query as the list of hosts."""
    found = _hosts(fleet)
    by_name: dict[str, list[Any]] = {}
    for row in connection.execute(select(found.c.name, found.c.state, found.c.stale, found.c.open)):
        by_name.setdefault(row.name, []).append(row)
    told: dict[str, Counts] = {}
    for group, members in groups.items():
        mine = [row for name in members for row in by_name.get(name, ())]
        states: dict[State, int] = {}
        for row in mine:
            states[row.state] = states.get(row.state, 0) + 1
        told[group] = Counts(states, sum(bool(row.stale) for row in mine), sum(row.open for row in mine))
    return told


def states_of(connection: Connection, fleet: Fleet, names: Iterable[str]) -> dict[str, State]:
    """Of hosts by their names; of one that was given another address, as it was looked at last."""
    wanted = set(names)
    if not wanted:
        return {}
    found = _hosts(fleet)
    rows = connection.execute(select(found.c.name, found.c.state).order_by(found.c.looked, found.c.id))
    return {row.name: row.state for row in rows if row.name in wanted}


# --- differences -----------------------------------------------------------------------------------------------------


def drift_rows(connection: Connection, asked: Asked) -> Listed[DriftRow]:
    """Those that are open, the oldest first; with `accepted`, those that are known drift; with `gone`, those that went, the
    last first. `since`, `until`: of when they were first seen, or of when they went."""
    when = drifts.c.gone if asked.gone else drifts.c.first_seen
    narrowed: list[ColumnElement[bool]] = [
        drifts.c.gone.is_not(None) if asked.gone else _ACCEPTED if asked.accepted else _OPEN
    ]
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
        row.accepted_until or "",
        row.accepted_why or "",
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


def check(connection: Connection, number: int) -> CheckRow | None:
    return next(iter(_with_looks(connection, select(checks).where(checks.c.id == number))), None)


def look_rows(connection: Connection, one: CheckRow, asked: Asked) -> tuple[Listed[LookRow], dict[State, int]]:
    """What a check found of its hosts, the worst first; and of how many of them it found what, whatever is asked for."""
    there = and_(drifts.c.first_seen <= one.finished, or_(drifts.c.gone.is_(None), drifts.c.gone > one.finished))
    known = (
        select(drifts.c.host_id, func.count().label("accepted"))
        .where(there, drifts.c.accepted_until.is_not(None))
        .group_by(drifts.c.host_id)
        .subquery()
    )
    state = case(
        (looks.c.reached.is_(False), "unreachable"),
        (looks.c.differing > 0, "drifted"),
        (known.c.accepted.is_not(None), "accepted"),
        else_="in_sync",
    )
    found = (
        select(
            hosts.c.name,
            looks.c.differing,
            looks.c.plan,
            func.coalesce(known.c.accepted, 0).label("accepted"),
            state.label("state"),
        )
        .select_from(
            looks.join(hosts, hosts.c.id == looks.c.host_id).outerjoin(known, known.c.host_id == looks.c.host_id)
        )
        .where(looks.c.check_id == one.number)
        .subquery()
    )
    counted = connection.execute(select(found.c.state, func.count()).group_by(found.c.state)).all()
    narrowed: list[ColumnElement[bool]] = [found.c.state == asked.state] if asked.state else []
    if asked.text:
        narrowed.append(holds(found.c.name, asked.text))
    if asked.hosts is not None:
        narrowed.append(found.c.name.in_(asked.hosts))
    total = connection.execute(select(func.count()).select_from(found).where(*narrowed)).scalar_one()
    rank = case(*((found.c.state == state, rank) for state, rank in _RANK.items()), else_=9)
    rows = connection.execute(
        select(found)
        .where(*narrowed)
        .order_by(rank, found.c.differing.desc(), found.c.name)
        .limit(PAGE)
        .offset(asked.start)
    ).all()
    planned = plans_of(connection, (row.plan for row in rows if row.plan))
    told = tuple(
        LookRow(r.name, r.state, r.differing, 0 if r.state == "unreachable" else r.accepted, planned.get(r.plan or ""))
        for r in rows
    )
    return Listed(told, total, asked.start), {row[0]: int(row[1]) for row in counted}


def _with_looks(connection: Connection, chosen: Select[Any]) -> tuple[CheckRow, ...]:
    rows = connection.execute(chosen).all()
    numbers = [row.id for row in rows]
    missed = func.sum(case((looks.c.reached.is_(True), 0), else_=1))
    counted = {
        row[0]: tuple(int(n) for n in row[1:])
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
            seen,
            away,
            differing,
            row.machine,
        )
        for row in rows
        for seen, away, differing in [counted.get(row.id, (0, 0, 0))]
    )


# --- one host, one VM --------------------------------------------------------------------------------------------------


def host(connection: Connection, name: str, fleet: Fleet) -> tuple[HostRow, ...]:
    """All on record of that name: one that was given another address is another one."""
    found = _hosts(fleet)
    rows = connection.execute(select(found).where(found.c.name == name).order_by(found.c.looked.desc()))
    return tuple(map(_host, rows))


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


def metered(connection: Connection, name: str, vm: str) -> bool:
    """Whether the meters of a VM of a host were ever read."""
    names = connection.execute(
        select(readings.c.vm_name)
        .distinct()
        .select_from(readings.join(meter_looks, meter_looks.c.id == readings.c.look_id).join(hosts))
        .where(hosts.c.name == name)
    ).scalars()
    return any(one.casefold() == vm.casefold() for one in names)


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
