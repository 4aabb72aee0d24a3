"""Simulated time: seconds that pass only when something takes them, or by themselves at a rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

START = datetime(2026, 4, 1, 0, 0, 0, tzinfo=UTC)


class Clock:
    """`scale`: real seconds slept for each simulated one (for demonstrations); 0 sleeps not at all."""

    def __init__(self, scale: float = 0.0) -> None:
        self.scale = scale
        self.happening = threading.RLock()
        """Held by what changes the host: a cmdlet, or what falls due."""
        self._now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._lock = threading.Lock()  # several processes of a host may wait at once

    def now(self) -> float:
        return self._now

    def utc(self, at: float | None = None) -> datetime:
        return START + timedelta(seconds=self.now() if at is None else at)

    def sleep(self, seconds: float) -> None:
        """Let time pass; what falls due in it happens, in its order."""
        end = self._now + seconds
        while (entry := self._next(end)) is not None:
            self._pass(max(0.0, entry[0] - self._now))
            self._happen(entry[2])
        self._pass(max(0.0, end - self._now))

    def skip(self, seconds: float) -> None:
        """The same, without anybody waiting for it."""
        scale, self.scale = self.scale, 0.0
        try:
            self.sleep(seconds)
        finally:
            self.scale = scale

    def _happen(self, what: Callable[[], None]) -> None:
        with self.happening:
            what()

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
            self._due.append((self.now() + seconds, self._count, happen))

    def forget(self) -> None:
        """What was to fall due does not."""
        self._due.clear()

    @property
    def whole(self) -> Clock:
        """The time itself, where this is one host's."""
        return self

    def own(self) -> Clock:
        """Of one host of several: the same time, and what falls due of its own."""
        return _Own(self)

    def _pass(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds
        if self.scale:
            time.sleep(seconds * self.scale)


class _Own(Clock):
    def __init__(self, whole: Clock) -> None:
        self._whole = whole
        self.scale = whole.scale
        self.happening = whole.happening
        self._alive = object()
        """Another one after each `forget`."""

    def now(self) -> float:
        return self._whole.now()

    def sleep(self, seconds: float) -> None:
        self._whole.sleep(seconds)

    def skip(self, seconds: float) -> None:
        self._whole.skip(seconds)

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        alive = self._alive

        def still() -> None:
            if alive is self._alive:
                happen()

        self._whole.after(seconds, still)

    def forget(self) -> None:
        self._alive = object()

    @property
    def whole(self) -> Clock:
        return self._whole

    def own(self) -> Clock:
        return self._whole.own()


class RunningClock(Clock):
    """Time passes by itself, `rate` simulated seconds in each real one, whether anybody asks or not. `real`: where real
    time is read."""

    TICK = 0.05  # real seconds between two looks at what has fallen due

    def __init__(self, rate: float, real: Callable[[], float] = time.monotonic) -> None:
        super().__init__(1 / rate)
        self.rate = rate
        self._real = real
        self._began = real()

    def now(self) -> float:
        return (self._real() - self._began) * self.rate

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.rate)
        self.tick()

    def skip(self, seconds: float) -> None:
        self._began -= seconds / self.rate
        self.tick()

    def tick(self) -> None:
        """What has fallen due happens."""
        while (entry := self._next(self.now())) is not None:
            self._happen(entry[2])

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it is open, what falls due happens though nobody looks."""
        stopped = threading.Event()

        def run() -> None:
            while not stopped.wait(self.TICK):
                self.tick()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
