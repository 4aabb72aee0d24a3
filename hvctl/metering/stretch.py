"""What was used of a VM between two readings, what is not known of that time, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hvctl.metering.reading import Quantity

Kind = Literal[
    "moved", "reset", "reset by hvctl", "switched on", "switched off", "off", "backwards", "no duration", "time lost",
    "clock", "not seen", "renamed", "first", "gone", "partly",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """Something that whoever reads a bill should know. `at`: when it was seen."""

    kind: Kind
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which nothing is known of what meters count."""

    start: datetime
    end: datetime
    why: str

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Amount:
    """What was used, in seconds times MHz or MB, in MB, in I/Os or, of disks, in seconds times bytes.

    `seconds`: the time that it was counted over. Meters tell whole numbers: `before` and `after` are how much the reading at
    either end may be off by. In a sum of one series only those of its two ends remain. `series`: amounts of one series
    were counted without a break. `doubtful`: nobody tells its unit of measure."""

    value: float
    start: datetime
    end: datetime
    seconds: float
    before: float = 0.0
    after: float = 0.0
    series: int = 0
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time between two readings of a VM, or before its first. Host and owner are those of its beginning: what was
    seen holds until something else is seen."""

    vm_id: str
    name: str
    host: str
    owner: str
    start: datetime
    end: datetime
    amounts: Mapping[Quantity, Amount] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    events: tuple[Event, ...] = ()
    where: str = ""
    """The host, if the same Id means another VM on another."""
