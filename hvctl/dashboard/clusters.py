"""Clusters with their nodes and roles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_

from hvctl.dashboard.queries import PAGE, Fleet, states_of
from hvctl.dashboard.rows import Listed, State
from hvctl.dashboard.standings import STANDS, as_stood, bare, known_hosts, standing_rows
from hvctl.history.past import Stood
from hvctl.history.schema import standings

_PREFERRED = {"yes": True, "no": False}


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
    def names(self) -> tuple[str, ...]:
        """Its own, and those of what is in it."""
        return (self.name, *(node.name for node in self.nodes), *(role.name for role in self.roles))

    @property
    def last_seen(self) -> datetime:
        times = [*(role.last_seen for role in self.roles), *(node.last_seen for node in self.nodes)]
        return max(time for time in times if time is not None)


def clusters(
    connection: Connection, fleet: Fleet, *, name: str = "", since: datetime | None = None
) -> tuple[Cluster, ...]:
    """By name; of one alone also what went since."""
    mine = and_(standings.c.unit != "", standings.c.unit == name if name else standings.c.unit.is_not(None))
    rows = standing_rows(connection, mine, standings.c.what.in_(("role", "cluster")), STANDS)
    by_unit = _by_unit(rows)
    known = known_hosts(connection) if rows else {}
    past = _by_unit(standing_rows(connection, mine, standings.c.what == "cluster") if rows else ())
    states = states_of(connection, fleet, known.values())
    went: tuple[Stood, ...] = ()
    if name and since is not None:
        over = standing_rows(connection, mine, standings.c.what.in_(("role", "move")), standings.c.gone >= since)
        went = tuple(as_stood(row) for row in sorted(over, key=lambda row: row.gone, reverse=True)[:PAGE])
    return tuple(
        _cluster(unit, found, past.get(unit, []), known, states, went)
        for unit, found in sorted(by_unit.items(), key=lambda item: item[0].casefold())
    )


def listed(
    connection: Connection, fleet: Fleet, *, text: str = "", troubled: bool = False, start: int = 0
) -> Listed[Cluster]:
    """Those that need somebody first, then by name. `text`: in the name of a cluster, a node or a role."""
    wanted = text.casefold()
    found = [
        one
        for one in clusters(connection, fleet)
        if (one.troubled or not troubled) and any(wanted in name.casefold() for name in one.names)
    ]
    found.sort(key=lambda one: not one.troubled)
    return Listed(tuple(found[start : start + PAGE]), len(found), start)


def _by_unit(rows: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row.unit, []).append(row)
    return found


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
