"""What is to be done on a host: what differs, what it costs, which steps in which order."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Literal

from hvctl.call import HostInfo, Staged, Task
from hvctl.contract import OS
from hvctl.core.acceptance import Acceptance
from hvctl.core.changes import Noted
from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.core.values import Json
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.foreign import FOREIGN, Foreign
from hvctl.text.lazy import lazy

Verb = Literal["none", "create", "update", "remove", "held", "later", "accepted", "unknown"]
Hold = Literal["", "impossible", "later", "accepted"]


@dataclass(frozen=True, slots=True)
class Line:
    """One field of an action, as text for people. `consent`: words that would allow it. `held`: whatever is allowed, it
    is not done now, and a remark says why, or `accepted` where it is known drift. Neither: it is done. `in_time`: its time
    is to come, or has come and not passed. `before`, `after`: the values that the texts tell. `own_words`: what it is and
    shall be is said in words of hvctl's, and not in texts of the user's or the host's."""

    field: str
    now: Foreign
    wanted: Foreign
    impacts: tuple[Impact, ...]
    mark: Mark
    note: str = ""
    consent: tuple[Impact, ...] = ()
    held: Hold = ""
    in_time: bool = False
    before: Annotated[Json, FOREIGN] = None
    after: Annotated[Json, FOREIGN] = None
    accepted: Acceptance | None = None
    own_words: bool = dataclasses.field(default=True, compare=False, kw_only=True)

    @property
    def waits(self) -> bool:
        """It is done at its time, and until then no difference."""
        return self.in_time and self.held not in ("impossible", "accepted")

    @property
    def drifts(self) -> bool:
        """It is otherwise than desired, and nobody has accepted that."""
        return not self.waits and self.held != "accepted"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field of a resource that is wanted, whether it differs or not; "": that it is there, or is not. `agrees`: it was
    seen to be as wanted."""

    field: str
    value: Annotated[Json, FOREIGN]
    text: Foreign
    agrees: bool


@dataclass(frozen=True, slots=True)
class Searched:
    """A list that leaves nothing else, or whose things may not grow old. `kind`: of its parts. `by`: "exclusive", or the
    age in seconds. `more`: whether the host has more than it should; None: it could not be looked through."""

    kind: str
    by: Json
    more: bool | None


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to one resource. `made`: what a new one is given, field by field. `file`: of the control node, that it
    is about. `wanted`: of what is declared, all of it; `searched`: its lists. `accepted`: of what is held back without a
    line, where that is accepted. `there`: whether it was seen to exist; None: that is not known."""

    address: Address
    title: str
    verb: Verb
    mark: Mark
    summary: str = ""
    lines: tuple[Line, ...] = ()
    remarks: tuple[Diagnostic, ...] = ()
    made: tuple[str, ...] = ()
    file: Staged | None = None
    accepted: Acceptance | None = None
    wanted: tuple[Wanted, ...] = dataclasses.field(default=(), compare=False)
    searched: tuple[Searched, ...] = dataclasses.field(default=(), compare=False)
    noted: Noted | None = dataclasses.field(default=None, compare=False)
    there: bool | None = dataclasses.field(default=None, compare=False)

    @property
    def blocked(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.consent)

    @property
    def undone(self) -> bool:
        """Whether something of it is left undone, whatever the apply does."""
        return self.verb == "held" or any((line.consent or line.held) and line.drifts for line in self.lines)

    @property
    def unread(self) -> bool:
        """Whether it, or a part of it, could not be read."""
        return self.verb == "unknown" or any(r.level == "unknown" for r in self.remarks)

    @property
    def differs(self) -> bool:
        """Whether it is not as desired; what waits for its time is, and what is accepted counts so."""
        return bool(self.drifted) if self.lines else self.verb not in ("none", "later", "accepted", "unknown")

    @property
    def drifted(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.drifts)

    @property
    def known(self) -> tuple[Line, ...]:
        """What is not as desired, and is accepted."""
        return tuple(line for line in self.lines if line.held == "accepted")

    @property
    def waiting(self) -> tuple[Line, ...]:
        """What is done at its time."""
        return tuple(line for line in self.lines if line.waits)


@dataclass(frozen=True)
class Awaited:
    """A step of another host that must have succeeded before."""

    host: str
    task: str
    text: str


@dataclass(frozen=True)
class PlannedStep:
    """One call in its order. `action`: the address it serves; for stops and starts that frame others, the
    address of what is stopped. `resumes`: it takes up what a run before left going on. `last`: it relies on all that comes
    before it on its host, as the removal of a switch on the adapters having left it. `root`: what its resource sits within.
    `moves`: that is on another host afterwards, and the rest of it is done in the same run; `leads_on`: so it is, where it is.
    `reaches`: other hosts that have something else because of it."""

    task: Task
    text: str
    action: Address
    because: tuple[str, ...] = ()
    frame: bool = False
    resumes: bool = False
    awaits: tuple[Awaited, ...] = ()
    last: bool = False
    root: Address | None = None
    moves: bool = False
    reaches: tuple[str, ...] = ()
    leads_on: bool = False


@dataclass(frozen=True)
class Restart:
    """Something goes down and comes back once. `blocked`: it would, but nothing that needs it is allowed."""

    address: Address
    because: tuple[str, ...]
    during: int
    back: bool = True
    blocked: bool = False

    @property
    def name(self) -> str:
        return self.address.key


@dataclass(frozen=True)
class Plan:
    """What will be done on one host. Apply decides nothing new. `elsewhere`: what is written for this host too, or was looked
    for here, and is planned on another host of the unit: that host, and its address there."""

    host: str
    os: OS
    info: HostInfo
    actions: tuple[Action, ...]
    steps: tuple[PlannedStep, ...]
    restarts: tuple[Restart, ...]
    facts: Facts = field(repr=False)
    allow: frozenset[Impact] = frozenset()
    elsewhere: tuple[tuple[str, Address], ...] = field(default=(), compare=False)

    @lazy
    def in_sync(self) -> bool:
        return not any(a.differs or a.unread for a in self.actions)

    @lazy
    def differs(self) -> bool:
        """Whether anything that could be read does."""
        return any(a.differs for a in self.actions)

    @lazy
    def accepted(self) -> bool:
        """Whether anything differs that is accepted."""
        return any(a.known or a.accepted for a in self.actions)

    @lazy
    def unreadable(self) -> bool:
        return any(a.unread for a in self.actions)

    @property
    def defects(self) -> tuple[str, ...]:
        """Tracebacks of what is hvctl's own fault."""
        return tuple(r.trace for a in self.actions for r in a.remarks if r.defect)
