"""What the pages of clusters, replicas, exports and schedules ask of the history. A counter counts the list itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from hvctl.dashboard.unit_rows import Cluster, ExportRow, Lag, Node, Pair, RoleRow, ScheduleRow, Side, Units
from hvctl.history.runs import ScheduledRun, last_runs, runs_of
from hvctl.history.schema import hosts, lags, standings

_ON = "on "
"""How an earlier release told where a role is; it kept nothing else."""
_ORDER = {"primary": 0, "replica": 1, "extended": 2}
PATIENCE = timedelta(minutes=15)
"""By so much a schedule may be late: it begins some time after its time, and takes a while."""


def _standing(
    connection: Connection, what: str, among: Collection[str] | None = None, *narrowed: ColumnElement[bool]
) -> list[tuple[Any, Mapping[str, str]]]:
    """`narrowed`: to what; without, to what stands."""
    wanted = [standings.c.what == what, *(narrowed or (standings.c.gone.is_(None),))]
    if among is not None:
        wanted.append(hosts.c.name.in_(among))
    rows = connection.execute(
        select(standings, hosts.c.name.label("host"))
        .select_from(standings.join(hosts, hosts.c.id == standings.c.host_id))
        .where(*wanted)
        .order_by(standings.c.unit, standings.c.name, standings.c.first_seen, standings.c.id)
    )
    return [(row, json.loads(row.parts) if row.parts else {}) for row in rows]


# --- clusters ----------------------------------------------------------------------------------------------------------


def clusters(connection: Connection, among: Collection[str] | None = None) -> tuple[Cluster, ...]:
    """With the nodes on which roles are, or were as far back as is remembered."""
    nodes: dict[str, dict[str, tuple[str, str]]] = {}
    for unit, standing, host in _places(connection, among):
        node = standing.removeprefix(_ON)
        nodes.setdefault(unit, {})[node.casefold()] = (node, host)
    roles: dict[str, dict[str, RoleRow]] = {name: {} for name in nodes}
    for row, parts in _standing(connection, "role", among):
        node = parts.get("node") or row.standing.removeprefix(_ON)
        told = (parts.get("state", ""), parts.get("preferred", ""), row.first_seen, row.last_seen)
        found, here = RoleRow(row.unit, row.name, row.host, node, *told), roles[row.unit]
        known = here.get(row.name.casefold())
        if known is None or known.seen <= found.seen:  # seen on two nodes by two checks: the later one is right
            here[row.name.casefold()] = found
    return tuple(_cluster(name, nodes[name], tuple(roles[name].values())) for name in sorted(nodes))


def _places(connection: Connection, among: Collection[str] | None) -> Any:
    chosen = (
        select(standings.c.unit, standings.c.standing, hosts.c.name)
        .select_from(standings.join(hosts, hosts.c.id == standings.c.host_id))
        .where(standings.c.what == "role")
        .distinct()
    )
    return connection.execute(chosen if among is None else chosen.where(hosts.c.name.in_(among)))


def _cluster(name: str, nodes: Mapping[str, tuple[str, str]], roles: Sequence[RoleRow]) -> Cluster:
    shown = tuple(
        Node(node, host, tuple(role for role in roles if role.node.casefold() == key))
        for key, (node, host) in sorted(nodes.items())
    )
    off = sum(role.preferred == "no" for role in roles)
    failed = sum(role.state == "failed" for role in roles)
    return Cluster(name, shown, len(roles), off, failed, max((role.seen for role in roles), default=None))


def moves_of(connection: Connection, cluster: str, since: datetime) -> tuple[RoleRow, ...]:
    """Where roles of a cluster were before, the last first. `seen`: when that was over."""
    over = (standings.c.unit == cluster, standings.c.gone >= since)
    found = []
    for row, parts in _standing(connection, "role", None, *over):
        node = parts.get("node") or row.standing.removeprefix(_ON)
        found.append(RoleRow(cluster, row.name, row.host, node, "", "", row.first_seen, row.gone))
    return tuple(sorted(found, key=lambda one: one.seen, reverse=True)[:100])


# --- replicas ----------------------------------------------------------------------------------------------------------


def pairs(connection: Connection, among: Collection[str] | None = None) -> tuple[Pair, ...]:
    """What is not well first. `among`: of which hosts at least one side is."""
    by_vm: dict[str, list[Side]] = {}
    for row, parts in _standing(connection, "replication"):
        side = Side(
            row.host,
            row.name,
            parts.get("side", ""),
            parts.get("other", ""),
            parts.get("state", ""),
            parts.get("health", ""),
            row.standing,
            row.lag_s,
            row.most_lag_s,
            row.first_seen,
            row.last_seen,
        )
        by_vm.setdefault(row.name.casefold(), []).append(side)
    found = [pair for sides in by_vm.values() for pair in _paired(sides)]
    if among is not None:
        found = [pair for pair in found if any(side.host in among for side in pair.sides)]
    return tuple(sorted(found, key=lambda one: (one.well, one.vm.casefold(), one.sides[0].host)))


def _paired(sides: Sequence[Side]) -> list[Pair]:
    """Two VMs of one name are two, unless one is sent to where the other is."""
    groups: list[list[Side]] = []
    for side in sides:
        linked = [group for group in groups if any(_linked(side, one) for one in group)]
        groups = [group for group in groups if group not in linked]
        groups.append([*(one for group in linked for one in group), side])
    return [Pair(g[0].vm, tuple(sorted(g, key=lambda s: (_ORDER.get(s.side, 3), s.host)))) for g in groups]


def _linked(a: Side, b: Side) -> bool:
    return _bare(a.other) == _bare(b.host) or _bare(b.other) == _bare(a.host)


def _bare(name: str) -> str:
    """Without a domain: hosts are known by short names and by long ones."""
    return name.partition(".")[0].casefold()


def lags_of(connection: Connection, pair: Pair, since: datetime) -> tuple[Lag, ...]:
    """As the primary measured it, in the order of time."""
    host = pair.sides[0].host
    rows = connection.execute(
        select(lags.c.at, lags.c.lag_s)
        .select_from(lags.join(hosts, hosts.c.id == lags.c.host_id))
        .where(hosts.c.name == host, lags.c.name == pair.vm, lags.c.at >= since)
        .order_by(lags.c.at)
    )
    return tuple(Lag(row.at, row.lag_s) for row in rows)


# --- exports -----------------------------------------------------------------------------------------------------------


def exports(connection: Connection, among: Collection[str] | None = None) -> tuple[ExportRow, ...]:
    """Late ones first, then the oldest."""
    found = []
    for row, parts in _standing(connection, "export", among):
        newest = datetime.fromisoformat(parts["newest"]) if parts.get("newest") else None
        every = int(parts["every"]) if parts.get("every") else None
        copies = int(parts.get("copies") or 0)
        times = (row.first_seen, row.last_seen)
        found.append(ExportRow(row.host, row.name, row.unit, row.standing, newest, every, copies, *times))
    return tuple(
        sorted(found, key=lambda e: (e.standing != "late", e.newest is not None, e.newest or e.seen, e.vm.casefold()))
    )


# --- schedules ---------------------------------------------------------------------------------------------------------


def schedules(connection: Connection, now: datetime) -> tuple[ScheduleRow, ...]:
    return tuple(_schedule(one, now) for one in last_runs(connection))


def runs(connection: Connection, now: datetime, name: str, verb: str) -> tuple[ScheduleRow, ...]:
    """Of one schedule, the last first. Only the last can be overdue."""
    found = [_schedule(one, now) for one in runs_of(connection, name, verb)]
    return (*found[:1], *(replace(one, overdue=False) for one in found[1:]))


def _schedule(one: ScheduledRun, now: datetime) -> ScheduleRow:
    overdue = one.next is not None and one.next + PATIENCE < now
    times = (one.started, one.finished, one.exit_status, one.next, overdue)
    return ScheduleRow(one.schedule, one.verb, one.rhythm, one.playbooks, *times)


def troubled(one: ScheduleRow) -> bool:
    """It does not run, or cannot do what it is for; what a check finds is no trouble of the check."""
    return one.overdue or one.status not in (0, 2, 75)


def units(connection: Connection, now: datetime, among: Collection[str] | None = None) -> Units:
    """The lists themselves, counted."""
    groups, both, copies = clusters(connection, among), pairs(connection, among), exports(connection, among)
    ran = schedules(connection, now) if among is None else ()
    return Units(
        len(groups),
        sum(bool(one.off or one.troubled) for one in groups),
        len(both),
        sum(not one.well for one in both),
        len(copies),
        sum(one.standing == "late" for one in copies),
        len(ran),
        sum(map(troubled, ran)),
    )
