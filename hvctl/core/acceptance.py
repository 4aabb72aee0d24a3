"""Known drift: what of a resource may be otherwise than desired for a while, until when and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from hvctl.text.diagnostic import Mark
from hvctl.text.foreign import Foreign

KEY = "accept"
"""The key of a resource in a playbook."""
WHOLE = "ensure"
"""Among `fields`: that it is missing, or there at all."""


@dataclass(frozen=True)
class Acceptance:
    """`until`: the last day of it, in the zone of the control node. `fields`: dotted where nested; none: the resource as a
    whole and what sits within it. `over`: the day is past, so that nothing is accepted any more."""

    until: date
    reason: Foreign
    mark: Mark
    fields: tuple[str, ...] = ()
    over: bool = False

    def covers(self, field: str) -> bool:
        """A field, one that it is a part of, or the parts of it."""
        return not self.fields or any(
            field == name or field.startswith(f"{name}.") or name.startswith(f"{field}.") for name in self.fields
        )

    def __str__(self) -> str:
        return f"accepted until {self.until.isoformat()}: {self.reason}"


def chosen(found: Iterable[Acceptance]) -> Acceptance | None:
    """One in force before one that is over; of those the one that ends last."""
    return max(found, key=lambda one: (not one.over, one.until), default=None)
