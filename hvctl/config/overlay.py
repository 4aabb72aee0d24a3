"""Variables that lie over those of the inventory: a play's, and the command line's over all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hvctl.text.diagnostic import Mark


@dataclass(frozen=True)
class Overlay:
    """Variables and where each was written."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    marks: Mapping[str, Mark] = field(default_factory=dict)

    def under(self, upper: Overlay) -> Overlay:
        """Both, the upper ones winning."""
        kept = {name: mark for name, mark in self.marks.items() if name not in upper.values}
        return Overlay({**self.values, **upper.values}, {**kept, **upper.marks})


NOTHING = Overlay()
