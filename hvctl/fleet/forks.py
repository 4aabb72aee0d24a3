"""Many hosts side by side, in threads that nobody has to wait for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from hvctl.fleet.stop import Stop
from hvctl.text.diagnostic import ConfigError, Diagnostic

T = TypeVar("T")
Job = tuple[str, Callable[[], T]]
TICK_S = 0.1
LINGER_S = 2.0
"""After a stop: for how long what changes nothing is given the chance to close what it has open."""


class SideBySide(Generic[T]):
    """One job per host, at most `forks` at a time; results as they come. After a stop no job is begun any more. What
    runs then is waited for as long as it changes its host and the stop is not over; anything else for a moment.

    `changing`: whether a job's host is being changed, asked again and again once a stop is asked for. `heard`: is
    called at each request to stop. `finish`: is called in the job's thread when its result is there. `within`: so many
    seconds, and what runs is left.
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
    ) -> None:
        self.begun: set[str] = set()
        self.fewer = 0
        """How many threads there are, if they are fewer than they should be."""
        self._todo = deque(work)
        self._count = min(forks, len(work))
        self._stop = stop or Stop()
        self._changing, self._heard, self._finish = changing, heard, finish
        self._until = {} if within is None else dict.fromkeys((n for n, _ in work), time.monotonic() + within)
        self._ended: set[str] = set()
        self._fault: BaseException | None = None
        self._results: SimpleQueue[tuple[str, T] | tuple[str, BaseException | None, None]] = SimpleQueue()

    def __iter__(self) -> Iterator[tuple[str, T]]:
        """What a job raises is raised here, when the others are done."""
        total, times = len(self._todo), 0
        self._start()
        while self._awaited(total):
            # With a timeout, since only then does Python let the main thread hear of a signal everywhere.
            yield from self._taken(TICK_S)
            if self._stop.times > times and self._stop.settled:
                times = self._stop.times
                self._stop.tell()
                self._heard()
        yield from self._taken(0)
        if self._stop.times > times:
            self._heard()
        if self._fault is not None:
            raise self._fault

    def _taken(self, seconds: float) -> Iterator[tuple[str, T]]:
        """What has come, or comes within that time."""
        while True:
            try:
                one = self._results.get(timeout=seconds)
            except Empty:
                return
            match one:
                case (name, None, None):
                    self._ended.add(name)
                case (name, BaseException() as error, None):
                    self._ended.add(name)
                    self._fault = self._fault or error
                case (name, result):
                    yield name, result
            seconds = 0

    def _start(self) -> None:
        for number in range(self._count):
            try:
                threading.Thread(target=self._work, daemon=True, name=f"host-{number}").start()
            except RuntimeError as error:
                if not number:
                    hint = "raise the limits of processes and memory (ulimit -u, ulimit -v), or end other programs"
                    raise ConfigError([Diagnostic(None, f"this machine starts no thread: {error}", hint)]) from error
                self.fewer = number
                return

    def _work(self) -> None:
        while not self._stop.asked:
            try:
                name, task = self._todo.popleft()
            except IndexError:
                return
            self.begun.add(name)
            if self._stop.asked:  # between the question and the answer
                self.begun.discard(name)
                return
            try:
                self._results.put((name, task()))
                self._finish(name)
                self._results.put((name, None, None))
            except BaseException as error:
                self._results.put((name, error, None))

    def _awaited(self, total: int) -> bool:
        """Whether something is still to be waited for."""
        now = time.monotonic()
        if self._stop.asked:
            over = self._stop.over
            waiting = self.begun - self._ended
            for name in list(waiting):
                if self._changing(name):
                    self._until[name] = now if over else now + LINGER_S
                elif now >= self._until.setdefault(name, now + LINGER_S):
                    waiting.discard(name)
            return any(now < self._until[name] for name in waiting)
        if len(self._ended) == total:
            return False
        return not self._until or any(now < until for until in self._until.values())
