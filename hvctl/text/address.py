"""What a resource is known by, on whichever host it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, slots=True)
class Address:
    """`host`: or the cluster. `owners`: the keys of what it sits within, the outermost first, without those that have none.
    `key`: its own; "" for a section that exists once."""

    host: str
    kind: str
    owners: tuple[str, ...] = ()
    key: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.owners, self.key) if self.key else self.owners

    @property
    def words(self) -> tuple[str, ...]:
        """For files and programs, beside the host: ("disk", "web01", "scsi 0:0")."""
        return (self.kind, *self.names)

    def __str__(self) -> str:
        """As a person says it of a host: "disk web01, scsi 0:0"."""
        return f"{self.kind.replace('_', ' ')} {', '.join(self.names)}".rstrip()
