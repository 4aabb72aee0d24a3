"""What cmdlets of the simulated host return, warn and refuse: objects with .NET-like values, error records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Literal

_handles = count(1)


@dataclass(frozen=True)
class EnumValue:
    """A .NET enum member; several names joined by ", " for flags."""

    type: str
    name: str
    number: int


@dataclass(frozen=True)
class TimeSpan:
    ticks: int  # of 100 ns


@dataclass(frozen=True)
class Instant:
    utc: datetime


@dataclass(frozen=True)
class Guid:
    text: str  # lower case, with hyphens


class Throws:
    """A property whose getter throws: PowerShell reads it as null."""


THROWS = Throws()


@dataclass(frozen=True, eq=False)
class PsObject:
    """An object as a cmdlet emitted it. `type_name` is the full .NET name. `properties`: value per property
    that this OS has; a property the OS lacks is absent. Values: None, bool, int, str, EnumValue, TimeSpan,
    Instant, Guid, PsObject, list of these, or THROWS. `entity` is the thing in the host's state that it stands
    for, so that it can be passed to another cmdlet. `assignable`: what is assigned to its properties is stored."""

    type_name: str
    properties: Mapping[str, Any]
    entity: Any = None
    to_string: str | None = None
    handle: int = field(default_factory=lambda: next(_handles))
    assignable: bool = False


@dataclass(frozen=True)
class ErrorRecord:
    """`id`: FullyQualifiedErrorId with the command's class; `exceptions`: (type, signed HResult, message),
    outer first; `message` is the outermost one, in the host's language."""

    id: str
    category: str
    message: str
    exceptions: tuple[tuple[str, int, str], ...] = ()
    target: str = ""


class Refusal(Exception):
    """A cmdlet ends with this error record."""

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(record.message)
        self.record = record


@dataclass
class Job:
    """A long operation started with -AsJob. `finish` changes the state and is called once, when it is done."""

    started: float  # simulated seconds
    duration: float
    finish: Callable[[], Outcome]
    name: str = ""

    def percent(self, now: float) -> int:
        return 100 if now - self.started >= self.duration else int(100 * (now - self.started) / self.duration)


@dataclass
class Outcome:
    """What one invocation of a cmdlet gave. `objects`: PsObject, or plain values for cmdlets that emit those.
    `job` stands alone: the cmdlet was started with -AsJob. `took`: simulated seconds it blocked."""

    objects: list[Any] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    job: Job | None = None
    took: float = 0.0


ErrorAction = Literal["Stop", "Continue"]
