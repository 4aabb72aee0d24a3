"""One run of plan, apply or drift as told to whoever listens afterwards: history, reports, metrics, notifications."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hvctl.core.acceptance import Acceptance
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action, Line
from hvctl.text.address import Address

Verb = Literal["plan", "apply", "drift"]
Moved = Literal["host", "wish", "unknown"]
"""Which side left the other: the host drifted, or the playbook was changed since it was last applied."""


@dataclass(frozen=True, order=True, slots=True)
class Spot:
    """A field of a resource; "" is the resource as a whole (it is missing, or should be)."""

    address: Address
    field: str = ""

    @property
    def host(self) -> str:
        return self.address.host

    def __str__(self) -> str:
        return " ".join(p for p in (self.host, str(self.address), self.field) if p)


@dataclass(frozen=True)
class Drift:
    """One thing that is not as wished. `line` is None where nothing can be said but that it is held back. `accepted`: what
    says that it is known."""

    spot: Spot
    action: Action
    line: Line | None = None

    @property
    def accepted(self) -> Acceptance | None:
        return self.line.accepted if self.line is not None else self.action.accepted


@dataclass(frozen=True)
class Since:
    """What is remembered of a drift. Times are UTC. `wished`: since when what is wanted now was wanted."""

    first_seen: datetime
    moved: Moved = "unknown"
    wished: datetime | None = None


@dataclass(frozen=True)
class News:
    """What is otherwise than at the check before."""

    appeared: tuple[Spot, ...] = ()
    went: tuple[Spot, ...] = ()
    lost: tuple[str, ...] = ()
    back: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.appeared or self.went or self.lost or self.back)


@dataclass(frozen=True)
class Memory:
    """What earlier checks add to this one. `unreachable`: since when, by host."""

    since: Mapping[Spot, Since] = field(default_factory=dict)
    unreachable: Mapping[str, datetime] = field(default_factory=dict)
    news: News = News()


@dataclass(frozen=True)
class Check:
    """`requests`: HTTP requests by host. `hosts`: all that were to be looked at. `addresses`:
    where each host was looked for. `covers`: the playbooks of which everything was looked at, not only some tags.
    `saved`: what stands under `playbooks` is a plan file. `kept_as`: the word that it is remembered under, where that is not
    its verb. `machine`: that hvctl ran on."""

    verb: Verb
    playbooks: tuple[str, ...]
    started: datetime
    finished: datetime
    outcomes: tuple[Outcome, ...]
    exit_status: int
    requests: Mapping[str, int] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    memory: Memory = Memory()
    addresses: Mapping[str, str] = field(default_factory=dict)
    covers: tuple[str, ...] = ()
    saved: bool = False
    kept_as: str = ""
    machine: str = ""

    @property
    def interrupted(self) -> bool:
        """A signal ended it, and hosts may be missing; as a shell says it."""
        return self.exit_status > 128

    @property
    def drifts(self) -> tuple[Drift, ...]:
        return tuple(d for one in self.outcomes for d in drifts(one))

    @property
    def accepted(self) -> tuple[Drift, ...]:
        return tuple(d for one in self.outcomes for d in accepted(one))


def drifts(one: Outcome) -> Iterator[Drift]:
    """Everything on a host that is not as wished, as it was seen last; not what waits for its time or is accepted."""
    plan = one.now
    for action in plan.actions if plan is not None else ():
        if not action.differs:
            continue
        if not action.lines:
            yield Drift(Spot(action.address), action)
        for line in action.drifted:
            yield Drift(Spot(action.address, line.field), action, line)


def accepted(one: Outcome) -> Iterator[Drift]:
    """Everything on a host that is not as wished, and that is accepted."""
    plan = one.now
    for action in plan.actions if plan is not None else ():
        if action.accepted is not None:
            yield Drift(Spot(action.address), action)
        for line in action.known:
            yield Drift(Spot(action.address, line.field), action, line)
