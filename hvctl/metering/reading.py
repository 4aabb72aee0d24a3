"""What the meters of a host's VMs said at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

Quantity = Literal[
    "processor", "memory", "io", "data_read", "data_written", "network_in", "network_out", "disk_size", "disk_files"
]
QUANTITIES: Final[tuple[Quantity, ...]] = get_args(Quantity)

Counter = Literal["io", "data_read", "data_written", "network_in", "network_out"]
COUNTERS: Final[tuple[Counter, ...]] = get_args(Counter)
"""What the host adds up since the last reset: readings of them are subtracted as they are."""

Average = Literal["processor", "memory"]
AVERAGES: Final[tuple[Average, ...]] = get_args(Average)
"""What the host tells as an average since the last reset: times the duration it becomes something that adds up."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Of one VM. `at`: by its host's clock. None: the host did not tell. `counters` by what they count, in MB, and `io`
    in I/Os of 8 KB. `disk_size`: what the attached virtual disks can hold, `disk_files`: what their files take on the
    host, those of checkpoints included, both of this moment. `latency`: an average since the last reset, in a unit of
    measure that nobody documents (operations 0). `reset`: hvctl had just reset its meters. `run`: which reading of many
    hosts it belongs to, in the order of time."""

    at: datetime
    host: str
    vm_id: str
    name: str
    owner: str = ""
    state: str = ""
    replica: bool = False
    metered: bool = True
    duration_s: float | None = None
    average_processor_mhz: int | None = None
    average_memory_mb: int | None = None
    minimum_memory_mb: int | None = None
    maximum_memory_mb: int | None = None
    average_iops: int | None = None
    latency: int | None = None
    disk_allocation_mb: int | None = None
    counters: Mapping[Counter, int] = field(default_factory=dict)
    disk_size: int | None = None
    disk_files: int | None = None
    reset: bool = False
    run: int = 0
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def began(self) -> datetime | None:
        """When these meters began to count."""
        return None if self.duration_s is None else self.at - timedelta(seconds=self.duration_s)

    @property
    def unread(self) -> bool:
        """It is metered, and its meters could not be read: the next reading says what this one would have."""
        averages = (self.average_processor_mhz, self.average_memory_mb)
        return self.metered and self.duration_s is None and not self.counters and averages == (None, None)

    def average(self, of: Quantity) -> int | None:
        return {"processor": self.average_processor_mhz, "memory": self.average_memory_mb}.get(of)


@dataclass(frozen=True)
class HostReading:
    """One reading of all meters of a host. `units`: of measure, by quantity, as its definitions tell them. `problems`: what
    could not be read of it."""

    host: str
    at: datetime
    readings: tuple[Reading, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    run: int = 0
