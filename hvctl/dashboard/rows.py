"""What the pages tell: plain rows, as the history has them. Times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar, get_args

from hvctl.history.planned import Planned

State = Literal["unreachable", "drifted", "accepted", "in_sync", "unseen"]
STATES: tuple[State, ...] = get_args(State)
"""The worst first."""

T = TypeVar("T")


@dataclass(frozen=True)
class HostRow:
    """`open`: how many differences; `accepted`: how many are known drift, which is none of them. A host with these alone is
    `accepted`. `since`: of the oldest one, or from when on the host is away. `stale`: not looked at for
    longer than it should be."""

    name: str
    address: str
    state: State
    stale: bool
    open: int
    since: datetime | None
    looked: datetime | None
    why: str = ""
    accepted: int = 0


@dataclass(frozen=True)
class DriftRow:
    """A difference. `number`: in the history. `ending`, `moved_to`: of one that is gone, as the history has it. `moved`: whose
    doing it was: host, wish or unknown. `vm`: the VM that it is about, if any. `accepted_until`: to which day it is known drift
    (2027-01-31), "" if it is not; `accepted_why`."""

    number: int
    host: str
    kind: str
    name: str
    vm: str
    field: str
    now: str
    wanted: str
    why: str
    moved: str
    first_seen: datetime
    last_seen: datetime
    gone: datetime | None = None
    ending: str = ""
    moved_to: str = ""
    accepted_until: str = ""
    accepted_why: str = ""


@dataclass(frozen=True)
class AwayRow:
    host: str
    why: str
    first_seen: datetime
    last_seen: datetime
    back: datetime | None = None


@dataclass(frozen=True)
class CheckRow:
    """`hosts`: how many were looked at, `missed` of them not reached; `differing`: differences on all of them. `machine`: that
    hvctl ran on, None by a release that did not keep that."""

    number: int
    verb: str
    started: datetime
    finished: datetime
    exit_status: int
    playbooks: tuple[str, ...]
    hosts: int
    missed: int
    differing: int
    machine: str | None = None


@dataclass(frozen=True)
class LookRow:
    """What a check found of a host. `accepted`: how much known drift it had then, as far as that is still known."""

    host: str
    state: State
    differing: int
    accepted: int
    plan: Planned | None = None
    """What it planned there."""


@dataclass(frozen=True)
class Listed(Generic[T]):
    """A part of a list. `total`: of all of it."""

    rows: tuple[T, ...]
    total: int
    start: int = 0


@dataclass(frozen=True)
class Counts:
    """Of hosts, by state; `stale` ones are of some state too. `drifts`: that are open."""

    states: Mapping[State, int] = field(default_factory=dict)
    stale: int = 0
    drifts: int = 0

    @property
    def hosts(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True)
class Age:
    """Open differences that are between `least` and `most` days old: first seen from `since` on and before `until`."""

    least: int
    most: int | None
    count: int
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Machine:
    """A VM that is told of: differences of it that are open, and when its meters were read last."""

    name: str
    open: int
    metered: datetime | None = None


@dataclass(frozen=True)
class Used:
    """What a VM used from one reading of its meters to the next; per second, but memory in MB and the processor in MHz.
    None: not known."""

    start: datetime
    end: datetime
    processor_mhz: float | None
    memory_mb: float | None
    io: float | None
    read_mb: float | None
    written_mb: float | None
    network_in_mb: float | None
    network_out_mb: float | None
