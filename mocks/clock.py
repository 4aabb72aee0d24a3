"""Simulated time: seconds that pass only when something takes them."""

from __future__ import annotations

import threading
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
        self._lock = threading.Lock()  # several processes of a host may wait at once

    def now(self) -> float:
        return self._now

    def utc(self, at: float | None = None) -> datetime:
        return START + timedelta(seconds=self._now if at is None else at)

    def sleep(self, seconds: float) -> None:
        """Let time pass; what falls due in it happens, in its order."""
        end = self._now + seconds
        while (entry := self._next(end)) is not None:
            self._pass(max(0.0, entry[0] - self._now))
            entry[2]()
        self._pass(max(0.0, end - self._now))

    def _next(self, end: float) -> tuple[float, int, Callable[[], None]] | None:
        with self._lock:
            entry = min(self._due, key=lambda e: e[:2], default=None)
            if entry is None or entry[0] > end:
                return None
            self._due.remove(entry)
            return entry

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        with self._lock:
            self._count += 1
            self._due.append((self._now + seconds, self._count, happen))

    def forget(self) -> None:
        """What was to fall due does not."""
        self._due.clear()

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        if self.scale:
            time.sleep(seconds * self.scale)
