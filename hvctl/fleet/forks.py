"""Many hosts side by side, in threads that nobody has to wait for."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from hvctl.fleet.stop import Stop
from hvctl.fleet.turns import Few
from hvctl.fleet.waiting import Job, Waiting
from hvctl.text.diagnostic import ConfigError, Diagnostic

T = TypeVar("T")
FORKS, MOST_FORKS = 16, 128
"""Hosts at a time where nobody has said how many: to begin with, and at most, where they are only looked at."""
TICK_S = 0.1
LOOK_S = 0.5
BUSY = 0.7
"""Of one core: from then on more hosts at a time would only wait for it."""
LINGER_S = 2.0
"""After a stop: for how long what changes nothing is given the chance to close what it has open."""


class Room:
    """How many hosts at a time: hosts take their time, and while they do the control node can look at others, up to where one
    core has enough to do. `cpu`: seconds that this process has used."""

    def __init__(self, most: int, cpu: Callable[[], float], clock: Callable[[], float]) -> None:
        self._most, self._cpu, self._clock = most, cpu, clock
        self._at, self._used = clock(), cpu()

    def after(self, forks: int) -> int:
        """So many from now on, looked at twice a second."""
        passed = self._clock() - self._at
        if forks >= self._most or passed < LOOK_S:
            return forks
        busy = (self._cpu() - self._used) / passed
        self._at, self._used = self._clock(), self._cpu()
        return min(self._most, 2 * forks) if busy < BUSY else forks


class SideBySide(Generic[T]):
    """One job per host, at most `forks` at a time; results as they come. After a stop no job is begun any more. What
    runs then is waited for as long as it changes its host and the stop is not over; anything else for a moment.

    `changing`: whether a job's host is being changed, asked again and again once a stop is asked for. `heard`: is
    called at each request to stop. `finish`: is called in the job's thread when its result is there. `within`: so many
    seconds, and what runs is left. `most`: with hosts left and CPU to spare, more of them at a time, up to so many.
    `few`: jobs that are not done all at once.
    """

    def __init__(
        self,
        work: Sequence[Job[T]],
        forks: int,
        stop: Stop | None = None,
        *,
        changing: Callable[[str], bool] = lambda name: False,
        heard: Callable[[], None] = lambda: None,
        finish: Callable[[str], None] = lambda name: None,
        within: float | None = None,
        most: int = 0,
        few: Few | None = None,
        cpu: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begun: Counter[str] = Counter()
        self.fewer = 0
        """How many threads there are, if they are fewer than they should be."""
        self._todo = Waiting(work, few or Few())
        self._total, self._forks, self._running = len(work), forks, 0
        self._lock = threading.Lock()
        self._stop = stop or Stop()
        self._changing, self._heard, self._finish = changing, heard, finish
        self._until = {} if within is None else dict.fromkeys((n for n, _ in work), time.monotonic() + within)
        self._ended: Counter[str] = Counter()
        self._more = Room(max(most, forks), cpu, clock)
        self._fault: BaseException | None = None
        self._results: SimpleQueue[tuple[str, T] | tuple[str, BaseException | None, None]] = SimpleQueue()

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """What a job raises is raised here, when the others are done."""
        times = 0
        self._start(len(self._todo))
        while self._awaited():
            # With a timeout, since only then does Python let the main thread hear of a signal everywhere.
            yield from self._taken(TICK_S)
            self._widen()
            if self._stop.requests > times and self._stop.settled:
                times = self._stop.requests
                self._stop.tell()
                self._heard()
        yield from self._taken(0)
        if self._stop.requests > times:
            self._heard()
        if self._fault is not None:
            raise self._fault

    @property
    def begun(self) -> set[str]:
        return {name for name, count in self._begun.items() if count}

    def add(self, work: Sequence[Job[T]]) -> None:
        """More of it, while results are taken; also for a host that was there before."""
        with self._lock:
            self._todo.add(work)
            self._total += len(work)
        self._start(len(work))

    def _taken(self, seconds: float) -> Iterator[tuple[str, T]]:
        """What has come, or comes within that time."""
        while True:
            try:
                one = self._results.get(timeout=seconds)
            except Empty:
                return
            match one:
                case (name, None, None):
                    self._ended[name] += 1
                case (name, BaseException() as error, None):
                    self._ended[name] += 1
                    self._fault = self._fault or error
                case (name, result):
                    yield name, result
            seconds = 0

    def _widen(self) -> None:
        if self._todo and not self.fewer and (more := self._more.after(self._forks)) > self._forks:
            self._start(more - self._forks, more)

    def _start(self, jobs: int, forks: int = 0) -> None:
        with self._lock:
            self._forks = max(self._forks, forks)
            count = min(jobs, self._forks - self._running)
            self._running += max(0, count)
        for number in range(count):
            try:
                threading.Thread(target=self._work, daemon=True, name=f"host-{number}").start()
            except RuntimeError as error:
                with self._lock:
                    self._running -= count - number
                    left, todo = self._running, bool(self._todo)
                if not left and todo:
                    hint = "raise the limits of processes and memory (ulimit -u, ulimit -v), or end other programs"
                    raise ConfigError([Diagnostic(None, f"this machine starts no thread: {error}", hint)]) from error
                self.fewer = max(1, left)
                return

    def _next(self) -> Job[T] | None:
        """None: the thread ends. Under the lock, so that no job is added to threads that have seen that there is none."""
        with self._lock:
            job = None if self._stop.asked else self._todo.take()
            if job is not None:
                self._begun[job[0]] += 1
                return job
            self._running -= 1
            return None

    def _ends(self, name: str) -> None:
        """What waited for it may be more than its own thread can do."""
        with self._lock:
            more = self._todo.ready - 1 if self._todo.ended(name) else 0
        if more > 0 and not self._stop.asked:
            self._start(more)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            name, task = job
            if self._stop.asked:  # between the question and the answer
                with self._lock:
                    self._begun[name] -= 1
                    self._todo.ended(name)
                    self._running -= 1
                return
            try:
                self._results.put((name, task()))
                self._finish(name)
                self._results.put((name, None, None))
            except BaseException as error:
                self._results.put((name, error, None))
            finally:
                self._ends(name)

    def _awaited(self) -> bool:
        """Whether something is still to be waited for."""
        now = time.monotonic()
        if self._stop.asked:
            over = self._stop.over
            waiting = {name for name, count in self._begun.items() if count > self._ended[name]}
            for name in list(waiting):
                if self._changing(name):
                    self._until[name] = now if over else now + LINGER_S
                elif now >= self._until.setdefault(name, now + LINGER_S):
                    waiting.discard(name)
            return any(now < self._until[name] for name in waiting)
        if self._ended.total() == self._total:
            return False
        return not self._until or any(now < until for until in self._until.values())
