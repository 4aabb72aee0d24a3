"""What is more than one host, as the history has it: clusters with their nodes and roles, replica pairs, exports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from hvctl.dashboard.queries import PAGE, Fleet, holds, states_of
from hvctl.dashboard.rows import Listed, State
from hvctl.history.past import Stood
from hvctl.history.schema import hosts, standings
from hvctl.history.schema import lags as measured

_STANDS = standings.c.gone.is_(None)
_REPLICATION = re.compile(r"(?P<state>.+?) (?P<way>to|from) (?P<other>\S+), (?P<health>.*)", re.DOTALL)
"""As the kind `replication` notes it."""
_PREFERRED = {"yes": True, "no": False}
STEADY = ("replicating", "initial copy", "scheduled", "resynchronizing", "update of its disks")
"""States in which a replication goes on, or gets there, by itself."""


@dataclass(frozen=True)
class Node:
    """`host`: what the history knows it as, "" if it does not; `reached`: that host's state. `word`: what the cluster says of
    it, "" if it was not asked; `since`: from when on it was seen to be so."""

    name: str
    host: str
    reached: State | None
    word: str
    since: datetime | None
    last_seen: datetime | None
    roles: int

    @property
    def well(self) -> bool:
        return self.word in ("", "up") and self.reached != "unreachable"


@dataclass(frozen=True)
class Role:
    """A VM that is a role, where it is from when on. `host`: of its node. `state`: as the cluster says, "" if an earlier hvctl
    looked last. `preferred`: whether the node is one of its preferred owners; None: the playbook names none."""

    name: str
    node: str
    host: str
    since: datetime
    last_seen: datetime
    state: str = ""
    preferred: bool | None = None


@dataclass(frozen=True)
class Cluster:
    """`went`: where its roles were, and what hvctl moved, in the time asked about. `astray`: how many of its roles are on none
    of their preferred owners."""

    name: str
    nodes: tuple[Node, ...]
    roles: tuple[Role, ...]
    went: tuple[Stood, ...] = ()
    astray: int = 0

    @property
    def troubled(self) -> int:
        """Nodes that are not up, or not reached."""
        return sum(not node.well for node in self.nodes)

    @property
    def last_seen(self) -> datetime:
        times = [*(role.last_seen for role in self.roles), *(node.last_seen for node in self.nodes)]
        return max(time for time in times if time is not None)


@dataclass(frozen=True)
class Pair:
    """A VM that is replicated. `primary_host`, `replica_host`: what the history knows them as, "" if it does not. `state`: as
    the primary says, or where it was not looked at, the replica (`told_by`). `other`: what the other side says, where that is
    not the same. `lag_s`: as measured last, `most_lag_s` at most while it stood so."""

    vm: str
    primary: str
    primary_host: str
    replica: str
    replica_host: str
    state: str
    health: str
    told_by: str
    lag_s: int | None
    most_lag_s: int | None
    since: datetime
    last_seen: datetime
    other: str = ""

    @property
    def well(self) -> bool:
        return self.health == "normal" and self.state in STEADY and not self.other

    @property
    def host(self) -> str:
        """By which its page is found: of the primary, if that is known."""
        return self.primary_host or self.replica_host


@dataclass(frozen=True)
class Lag:
    """`host`: the primary, which measured it."""

    at: datetime
    host: str
    lag_s: int


@dataclass(frozen=True)
class Exports:
    """Of a VM in one folder. `newest`: when the newest was begun, by the age that its host told; None: there was none."""

    host: str
    vm: str
    folder: str
    newest: datetime | None
    most_age_s: int | None
    since: datetime
    last_seen: datetime


# --- rows ----------------------------------------------------------------------------------------------------------------


def _rows(connection: Connection, *narrowed: ColumnElement[bool]) -> Sequence[Any]:
    return connection.execute(
        select(standings, hosts.c.name.label("host"))
        .select_from(standings.join(hosts, hosts.c.id == standings.c.host_id))
        .where(*narrowed)
        .order_by(standings.c.first_seen, standings.c.id)
    ).all()


def _stood(row: Any) -> Stood:
    times = (row.first_seen, row.last_seen, row.gone)
    ending = (row.ending or "", row.moved_to or "")
    return Stood(row.what, row.unit, row.name, row.standing, *times, row.lag_s, row.most_lag_s, *ending)


def bare(name: str) -> str:
    """A host is known by the first label of its name, without case."""
    return name.partition(".")[0].casefold()


def _known(connection: Connection) -> dict[str, str]:
    """What the history knows hosts as, by the first labels of their names; not those that two have."""
    names: dict[str, set[str]] = {}
    for name in connection.execute(select(hosts.c.name).distinct()).scalars():
        names.setdefault(bare(name), set()).add(name)
    return {label: next(iter(found)) for label, found in names.items() if len(found) == 1}


# --- clusters ------------------------------------------------------------------------------------------------------------


def clusters(
    connection: Connection, fleet: Fleet, *, name: str = "", since: datetime | None = None
) -> tuple[Cluster, ...]:
    """By name; of one alone also what went since."""
    mine = and_(standings.c.unit != "", standings.c.unit == name if name else standings.c.unit.is_not(None))
    rows = _rows(connection, mine, standings.c.what.in_(("role", "cluster")), _STANDS)
    by_unit: dict[str, list[Any]] = {}
    for row in rows:
        by_unit.setdefault(row.unit, []).append(row)
    known = _known(connection) if rows else {}
    past = _rows(connection, mine, standings.c.what == "cluster") if rows else ()
    states = states_of(connection, fleet, known.values())
    went: tuple[Stood, ...] = ()
    if name and since is not None:
        over = _rows(connection, mine, standings.c.what.in_(("role", "move")), standings.c.gone >= since)
        went = tuple(_stood(row) for row in sorted(over, key=lambda row: row.gone, reverse=True)[:PAGE])
    return tuple(
        _cluster(unit, found, [row for row in past if row.unit == unit], known, states, went)
        for unit, found in sorted(by_unit.items(), key=lambda item: item[0].casefold())
    )


def _cluster(
    unit: str,
    rows: Iterable[Any],
    past: Sequence[Any],
    known: Mapping[str, str],
    states: Mapping[str, State],
    went: tuple[Stood, ...],
) -> Cluster:
    roles: dict[str, Role] = {}
    for row in rows:
        if row.what == "role":
            node = row.standing.removeprefix("on ")
            host = row.host if bare(row.host) == bare(node) else known.get(bare(node), "")
            before = roles.get(row.name.casefold())
            if before is None or before.last_seen <= row.last_seen:
                parts = json.loads(row.parts) if row.parts else {}
                told = (parts.get("state", ""), _PREFERRED.get(parts.get("preferred", "")))
                roles[row.name.casefold()] = Role(row.name, node, host, row.first_seen, row.last_seen, *told)
    names: dict[str, str] = {}
    words: dict[str, tuple[str, datetime, datetime]] = {}
    for row in past:
        for label, word in _words(row.standing):
            one = bare(label)
            word_before, since, _ = words.get(one, ("", row.first_seen, row.first_seen))
            words[one] = (word, since if word == word_before else row.first_seen, row.last_seen)
            if row.gone is None:
                names[one] = label
    counted: dict[str, int] = {}
    for role in roles.values():
        names.setdefault(bare(role.node), role.node)
        counted[bare(role.node)] = counted.get(bare(role.node), 0) + 1
    nodes = []
    for one, label in sorted(names.items()):
        word, began, last = words.get(one, ("", None, None))
        host = known.get(one, "")
        nodes.append(Node(label, host, states.get(host), word, began, last, counted.get(one, 0)))
    ordered = sorted(roles.values(), key=lambda role: (bare(role.node), role.name.casefold()))
    return Cluster(unit, tuple(nodes), tuple(ordered), went, sum(role.preferred is False for role in ordered))


def _words(standing: str) -> list[tuple[str, str]]:
    """ "HV01 up, HV02 paused" as the kind `cluster` notes it."""
    parts = (part.rpartition(" ") for part in standing.split(", "))
    return [(name, word) for name, gap, word in parts if gap]


# --- replicas ------------------------------------------------------------------------------------------------------------


def pairs(
    connection: Connection, *, text: str = "", troubled: bool = False, start: int = 0, host: str = "", vm: str = ""
) -> Listed[Pair]:
    """Those that need somebody first, then those that are furthest behind."""
    found = _pairs(connection)
    wanted = text.casefold()
    narrowed = [
        one
        for one in found
        if not (troubled and one.well)
        and (not host or host in (one.primary_host, one.replica_host))
        and (not vm or one.vm.casefold() == vm.casefold())
        and any(wanted in t.casefold() for t in (one.vm, one.primary, one.replica, one.state, one.health))
    ]
    narrowed.sort(key=lambda one: (one.well, -(one.lag_s or 0), one.vm.casefold()))
    return Listed(tuple(narrowed[start : start + PAGE]), len(narrowed), start)


def _pairs(connection: Connection) -> list[Pair]:
    rows = _rows(connection, standings.c.what == "replication", _STANDS)
    known = _known(connection) if rows else {}
    by_pair: dict[tuple[str, ...], list[Pair]] = {}
    for row in rows:
        one = _pair(row, known)
        by_pair.setdefault((one.vm.casefold(), bare(one.primary), bare(one.replica)), []).append(one)
    return [_joined(sides) for sides in by_pair.values()]


def said(standing: str) -> Mapping[str, str] | None:
    """ "replicating to hv02, normal" in its parts: state, way ("to" or "from"), other, health."""
    found = _REPLICATION.fullmatch(standing)
    return found.groupdict() if found is not None else None


def _pair(row: Any, known: Mapping[str, str]) -> Pair:
    told = said(row.standing) or {
        "state": row.standing,
        "way": "to",
        "other": "",
        "health": "",
    }  # cut off: told as it is
    state, way, other, health = (told[of] for of in ("state", "way", "other", "health"))
    far = known.get(bare(other), "") if other else ""
    sends = way == "to"
    return Pair(
        row.name,
        row.host if sends else other,
        row.host if sends else far,
        other if sends else row.host,
        far if sends else row.host,
        state,
        health,
        "primary" if sends else "replica",
        row.lag_s,
        row.most_lag_s,
        row.first_seen,
        row.last_seen,
    )


def _joined(sides: Sequence[Pair]) -> Pair:
    """What both sides say, as one: the primary measures how far the replica is behind."""
    newest = {one.told_by: one for one in sorted(sides, key=lambda one: one.last_seen)}
    if len(newest) == 1:
        return next(iter(newest.values()))
    first, second = newest["primary"], newest["replica"]
    agree = second.health == first.health and (second.state == first.state or second.state in STEADY)
    return replace(
        first,
        replica=second.replica,
        replica_host=second.replica_host,
        last_seen=max(first.last_seen, second.last_seen),
        other="" if agree else ", ".join(t for t in (second.state, second.health) if t),
    )


def lags(
    connection: Connection, found: Sequence[Pair], since: datetime, until: datetime, points: int = 750
) -> tuple[Lag, ...]:
    """How far behind the replica of a VM was at each check, as its primary measured it, whichever host that was; of many checks
    the most of each of so many spans of equal length."""
    names = {one.vm for one in found}
    on = {host for one in found for host in (one.primary_host, one.replica_host) if host}
    rows = connection.execute(
        select(measured.c.at, measured.c.lag_s, hosts.c.name.label("host"))
        .select_from(measured.join(hosts, hosts.c.id == measured.c.host_id))
        .where(hosts.c.name.in_(on), measured.c.name.in_(names), measured.c.at >= since)
        .order_by(measured.c.at, measured.c.id)
    ).all()
    told = [Lag(row.at, row.host, row.lag_s) for row in rows]
    if len(told) <= points:
        return tuple(told)
    most: dict[int, Lag] = {}
    for one in told:
        span = int((one.at - since) / (until - since) * points)
        if span not in most or most[span].lag_s < one.lag_s:
            most[span] = one
    return tuple(most.values())


def replications_of(connection: Connection, found: Sequence[Pair], since: datetime) -> tuple[Stood, ...]:
    """How it went with it before, on both sides, the last first."""
    on = {host for one in found for host in (one.primary_host, one.replica_host) if host}
    mine = (standings.c.what == "replication", hosts.c.name.in_(on), standings.c.gone >= since)
    names = {one.vm.casefold() for one in found}
    rows = [row for row in _rows(connection, *mine) if row.name.casefold() in names]
    return tuple(_stood(row) for row in sorted(rows, key=lambda row: row.gone, reverse=True)[:PAGE])


# --- exports -------------------------------------------------------------------------------------------------------------


def exports(
    connection: Connection,
    now: datetime,
    *,
    text: str = "",
    days: int = 0,
    start: int = 0,
    host: str = "",
    vm: str = "",
) -> Listed[Exports]:
    """Those without any first, then the oldest. `days`: those only of which the newest is older."""
    narrowed: list[ColumnElement[bool]] = [standings.c.what == "export", _STANDS]
    if text:
        columns = (standings.c.name, standings.c.standing, hosts.c.name)
        narrowed.append(or_(*(holds(column, text) for column in columns)))
    if host:
        narrowed.append(hosts.c.name == host)
    found = [_exports(row) for row in _rows(connection, *narrowed)]
    before = now - timedelta(days=days)
    kept = [
        one
        for one in found
        if (not days or one.newest is None or one.newest < before) and (not vm or one.vm.casefold() == vm.casefold())
    ]
    kept.sort(key=lambda one: (one.newest is not None, one.newest or now, one.host, one.vm.casefold()))
    return Listed(tuple(kept[start : start + PAGE]), len(kept), start)


def _exports(row: Any) -> Exports:
    newest = row.last_seen - timedelta(seconds=row.lag_s) if row.lag_s is not None else None
    folder = row.standing.removeprefix("in ")
    return Exports(row.host, row.name, folder, newest, row.most_lag_s, row.first_seen, row.last_seen)


# --- all of them ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Units:
    """How many there are, and how many of them need somebody."""

    clusters: int = 0
    troubled_clusters: int = 0
    pairs: int = 0
    troubled_pairs: int = 0
    exports: int = 0


def units(connection: Connection, fleet: Fleet) -> Units:
    """By what the lists show. Nothing is asked of a history that has none."""
    kinds = set(connection.execute(select(standings.c.what).where(_STANDS).distinct()).scalars())
    found = clusters(connection, fleet) if kinds & {"role", "cluster"} else ()
    replicated = _pairs(connection) if "replication" in kinds else []
    counted = select(func.count()).select_from(standings).where(standings.c.what == "export", _STANDS)
    return Units(
        len(found),
        sum(bool(one.troubled) for one in found),
        len(replicated),
        sum(not one.well for one in replicated),
        connection.execute(counted).scalar_one() if "export" in kinds else 0,
    )


def standing_of(connection: Connection, host: str, since: datetime, vm: str = "") -> tuple[Stood, ...]:
    """Where roles of a host, or one VM of it, are and were, how replications went and what was moved since. How replications
    and exports stand has lists of its own."""
    past = or_(standings.c.what == "move", and_(standings.c.what == "replication", standings.c.gone.is_not(None)))
    mine = (hosts.c.name == host, or_(standings.c.what == "role", past), or_(_STANDS, standings.c.gone >= since))
    rows = (row for row in _rows(connection, *mine) if not vm or row.name.casefold() == vm.casefold())
    return tuple(_stood(row) for row in sorted(rows, key=lambda row: (row.what, row.name.casefold())))
