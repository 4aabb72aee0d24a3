"""What the pages tell of clusters, replicas, exports and schedules. Times are UTC; `seen`: when it was seen last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class RoleRow:
    """A clustered VM. `node`: by its name in the cluster; `host`: of the inventory. `preferred`: "yes" or "no" if the node is
    one of its preferred owners, "" where none are written. `since`: from when on it is there."""

    cluster: str
    vm: str
    host: str
    node: str
    state: str
    preferred: str
    since: datetime
    seen: datetime


@dataclass(frozen=True)
class Node:
    """A node on which roles are or were, as far as is remembered."""

    name: str
    host: str
    roles: tuple[RoleRow, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """`off`: how many roles are on none of their preferred owners. `troubled`: that failed."""

    name: str
    nodes: tuple[Node, ...]
    roles: int
    off: int
    troubled: int
    seen: datetime | None


@dataclass(frozen=True)
class Side:
    """A VM's replication as one host tells it. `side`: primary, replica, extended, or "" of an earlier release.
    `other`: the host on the other side. `state`, `health`: in the words of plans; `standing`: as one sentence. `lag_s`: seconds
    behind, on average, as measured last; `most_lag_s`: at most since it is so."""

    host: str
    vm: str
    side: str
    other: str
    state: str
    health: str
    standing: str
    lag_s: int | None
    most_lag_s: int | None
    since: datetime
    seen: datetime

    @property
    def well(self) -> bool:
        return self.health in ("", "normal") and self.state in ("", "replicating")


@dataclass(frozen=True)
class Pair:
    """All sides of a VM's replication that were looked at, the primary first."""

    vm: str
    sides: tuple[Side, ...]

    @property
    def well(self) -> bool:
        return all(one.well for one in self.sides)

    @property
    def lag_s(self) -> int | None:
        return max((one.lag_s for one in self.sides if one.lag_s is not None), default=None)


@dataclass(frozen=True)
class Lag:
    at: datetime
    lag_s: int


@dataclass(frozen=True)
class ExportRow:
    """`standing`: late, in time, none yet. `newest`: when it was begun. `every_s`: how old it may be; None: one is enough."""

    host: str
    vm: str
    folder: str
    standing: str
    newest: datetime | None
    every_s: int | None
    copies: int
    since: datetime
    seen: datetime


@dataclass(frozen=True)
class ScheduleRow:
    """`overdue`: it should have run again by now. `status`: of the last run."""

    name: str
    verb: str
    rhythm: str
    playbooks: tuple[str, ...]
    started: datetime
    finished: datetime
    status: int
    next: datetime | None
    overdue: bool


@dataclass(frozen=True)
class Units:
    """How many there are, and of how many something is wrong."""

    clusters: int = 0
    clusters_off: int = 0
    pairs: int = 0
    pairs_off: int = 0
    exports: int = 0
    exports_late: int = 0
    schedules: int = 0
    schedules_off: int = 0
