"""Simulated time: seconds that pass only when something takes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 4, 1, 0, 0, 0, tzinfo=UTC)


class Clock:
    """`scale`: real seconds slept for each simulated one (for demonstrations); 0 sleeps not at all."""

    def __init__(self, scale: float = 0.0) -> None:
        self.scale = scale
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def now(self) -> float:
        return self._now

    def utc(self, at: float | None = None) -> datetime:
        return START + timedelta(seconds=self._now if at is None else at)

    def sleep(self, seconds: float) -> None:
        """Let time pass; what falls due in it happens, in its order."""
        end = self._now + seconds
        while self._due and min(e[0] for e in self._due) <= end:
            entry = min(self._due, key=lambda e: e[:2])
            self._due.remove(entry)
            self._pass(max(0.0, entry[0] - self._now))
            entry[2]()
        self._pass(max(0.0, end - self._now))

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        self._count += 1
        self._due.append((self._now + seconds, self._count, happen))

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        if self.scale:
            time.sleep(seconds * self.scale)
