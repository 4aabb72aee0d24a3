"""Checks again and again in the foreground: when the next one is due, and what may not stop it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hvctl.text.duration import spoken


class Clock(Protocol):
    """Time and chance, so that tests need neither."""

    def now(self) -> datetime:
        """UTC."""
        ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    def chance(self) -> float:
        """From 0 to 1."""
        ...


class RealClock:
    """The machine's."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def chance(self) -> float:
        return random.random()


@dataclass(frozen=True)
class Rhythm:
    """Seconds between two checks, and how much later than due each may begin."""

    every: int
    splay: int = 0

    @property
    def overdue(self) -> int:
        """Seconds without a finished check after which something is wrong: one was missed altogether."""
        return 2 * self.every + self.splay


def watch(check: Callable[[], None], rhythm: Rhythm, clock: Clock, say: Callable[[str], None]) -> None:
    """Run `check` for ever. It is due at fixed distances from the start, however long it takes; what is due while one
    runs is left out, and said."""
    start, turn = clock.monotonic(), 0
    wait(rhythm.splay * clock.chance(), clock)
    while True:
        check()
        passed = int((clock.monotonic() - start) // rhythm.every)
        left_out = max(0, passed - turn)
        turn = max(turn, passed) + 1
        due = start + turn * rhythm.every + rhythm.splay * clock.chance()
        pause = max(0.0, due - clock.monotonic())
        if left_out:
            say(
                f"The check took longer than {spoken(rhythm.every)}: "
                f"{left_out} check{'s were' if left_out > 1 else ' was'} left out."
            )
        say(f"Next check at {at(clock.now() + timedelta(seconds=pause))}.")
        wait(pause, clock)


def wait(seconds: float, clock: Clock) -> None:
    """A pause of no length is none."""
    if seconds > 0:
        clock.sleep(seconds)


def at(when: datetime) -> str:
    """A time as people here read it."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
