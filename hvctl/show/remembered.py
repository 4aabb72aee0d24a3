"""What earlier checks add to a difference or to a host that is away, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hvctl.core.check import Memory, Since, Spot
from hvctl.language import said
from hvctl.text.duration import lasted

Told = Callable[[Spot], str]

NOW = timedelta(seconds=1)
"""What began less than this ago began with this check; times are stored in whole seconds."""

MOVED = {"host": "drifted", "wish": "playbook changed", "unknown": "not known"}


def named(spot: Spot) -> str:
    """As the spot, in the reader's language."""
    return " ".join(part for part in (spot.host, said(str(spot.address)), spot.field) if part)


def nothing(spot: Spot) -> str:
    """For whoever remembers nothing."""
    return ""


@dataclass(frozen=True)
class Remembered:
    """`at`: when the check that remembers ended."""

    memory: Memory
    at: datetime

    def of_spot(self, spot: Spot) -> str:
        since = self.memory.since.get(spot)
        return "" if since is None else self._phrase(since)

    def of_host(self, host: str) -> str:
        """To be put after the word that says it is away."""
        since = self.memory.unreachable.get(host)
        return "" if since is None or self._is_now(since) else f" for {lasted(self.at - since)}"

    def _phrase(self, since: Since) -> str:
        new, age = self._is_now(since.first_seen), lasted(self.at - since.first_seen)
        if since.moved == "host":
            return "drifted since the check before" if new else f"drifted for {age}"
        if since.moved == "wish":
            wished = since.wished or since.first_seen
            ago = "seen first now" if self._is_now(wished) else f"{lasted(self.at - wished)} ago"
            return f"wanted since the playbook changed, {ago}, never applied"
        return "" if new else f"differs for {age}"

    def _is_now(self, when: datetime) -> bool:
        return self.at - when < NOW
