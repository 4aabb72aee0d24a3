"""The recovery points that a replica keeps, and which of them is meant (domain 15.4; replica-migration 2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._checkpoints import CHECKPOINTS
from hvctl.kinds._host import CLOCK, instant, time_zone

QUERIES = (CHECKPOINTS, CLOCK)
_TYPES = {"Replica": False, "AppConsistentReplica": True}
"""Whether applications are consistent in it."""
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}")


@dataclass(frozen=True)
class RecoveryPoint:
    """`at`: by the clock of its host, in its zone."""

    id: str
    name: str
    at: datetime
    consistent: bool

    def __str__(self) -> str:
        more = ", consistent for applications" if self.consistent else ""
        return f"{self.at:%Y-%m-%d %H:%M}{more} ({self.name})"


def recovery_points(vm_id: str, facts: Facts) -> tuple[RecoveryPoint, ...]:
    """The newest first. Raises UnreadableError where the host does not say."""
    failure = facts.reply(CHECKPOINTS).failure
    rows = [r for r in facts.of_key(CHECKPOINTS, "VMId", vm_id) if r["SnapshotType"] in _TYPES]
    if not rows and failure is not None:
        raise UnreadableError(CHECKPOINTS, failure)
    found = (
        RecoveryPoint(
            str(r["Id"]),
            str(r["Name"]),
            instant(r["CreationTime"]).astimezone(time_zone(facts)),
            _TYPES[str(r["SnapshotType"])],
        )
        for r in rows
    )
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))


def meant(wanted: str, points: tuple[RecoveryPoint, ...]) -> RecoveryPoint | None:
    """By its name, or the newest that is not younger than a time by the clock of its host."""
    named = next((p for p in points if p.name.casefold() == wanted.casefold()), None)
    if named is not None or not _TIME.fullmatch(wanted):
        return named
    try:
        until = datetime.fromisoformat(wanted) + timedelta(minutes=1)
    except ValueError:
        return None
    return next((p for p in points if p.at.replace(tzinfo=None) < until), None)
