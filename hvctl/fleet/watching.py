"""How far a copy, or a wait, has come that tells nothing of itself: its host is asked over a second connection meanwhile.

Nothing rests on it: what cannot be had is left out, and no one waits for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from hvctl.call import Batch, Doubled, Event, Row, Task, Transport, Watch
from hvctl.core.plan import Plan

EVERY_S = 15.0
"""Each look is a PowerShell on the host, which is started for it and ended after it: an idle one would take a shell of the
host's quota from whoever must stop the apply, or take it up again."""
LOOK_S = 60
"""How long the host may take to answer one."""
RATE_S = 60.0
"""The time left is told by what was copied in so many seconds."""

Hear = Callable[[Event], None]


class Copied:
    """What is seen of one copy. `over`: nothing more can be told of it."""

    def __init__(self, task: str, watch: Watch, now: float) -> None:
        self.over = False
        self._task, self._size = task, watch.size
        self._seen = deque([(now, 0)])

    def seen(self, length: int, now: float) -> Event | None:
        """A file that has its whole length may have had it since the beginning, whatever is in it: the step says when it is
        done."""
        self.over = length >= self._size
        if self.over or length < self._seen[-1][1]:
            return None
        self._seen.append((now, length))
        while self._seen[1][0] <= now - RATE_S:
            self._seen.popleft()
        then, before = self._seen[0]
        rate = (length - before) / (now - then) if now > then else 0.0
        percent = 100 * length // self._size
        return Event("progress", self._task, percent=percent, done=length, total=self._size, rate=rate)


class Left(Copied):
    """Of roles that leave a node."""

    def __init__(self, task: str, watch: Watch, now: float) -> None:
        super().__init__(task, watch, now)
        self._last = 0

    def seen(self, length: int, now: float) -> Event | None:
        """`length`: how many are gone."""
        self.over = length >= self._size
        if self.over or length <= self._last:
            return None
        self._last = length
        percent = 100 * length // self._size
        return Event("progress", self._task, percent=percent, text=f"{length} of {self._size} roles have moved")


def amount(watch: Watch, rows: Sequence[Row]) -> int | None:
    """That is done of it; None where the host did not say."""
    if not watch.left:
        length = next((value for row in rows for value in row.values()), None)
        return None if length is None else int(length)
    left = [row for row in rows if all(str(row.get(n)).casefold() == value.casefold() for n, value in watch.left)]
    return watch.size - len(left) if rows else None


def question(watch: Watch) -> Batch:
    return Batch((Task("length", watch.length),), deadline_s=LOOK_S)


class Watching:
    """Of one host, while its steps run: `heard` takes the events of the steps. One look at a time, in a thread of its own.
    `looks`: how many hosts of the run may be looked at at a time. `every`: seconds between looks."""

    def __init__(
        self,
        watched: Mapping[str, Watch],
        transport: Doubled,
        hear: Hear,
        looks: threading.Semaphore,
        every: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched, self._transport, self._hear = watched, transport, hear
        self._looks, self._every, self._clock = looks, every, clock
        self._lock = threading.Lock()
        """Held while something is told, so that nothing is told of a step that is over."""
        self._over = threading.Event()
        self._stopped = False
        self._other: Transport | None = None
        self._last: threading.Thread | None = None

    def heard(self, event: Event) -> None:
        if event.kind in ("start", "done", "skipped"):
            self.end()
        watch = self._watched.get(event.task)
        if event.kind == "start" and watch is not None and not self._stopped:
            kind = Left if watch.left else Copied
            self._begin(kind(event.task, watch, self._clock()), watch)
        self._hear(event)

    def end(self) -> None:
        with self._lock:
            self._over.set()

    def stop(self) -> None:
        """From any thread. A look that the host has not answered is broken off, so that its shell is free."""
        self._stopped = True
        self._over.set()
        if (other := self._other) is not None:
            other.stop()

    def _begin(self, copied: Copied, watch: Watch) -> None:
        self._over = threading.Event()
        thread = threading.Thread(target=self._follow, args=(copied, watch, self._over, self._last), daemon=True)
        with suppress(RuntimeError):  # no thread to be had just now
            thread.start()
            self._last = thread

    def _follow(self, copied: Copied, watch: Watch, over: threading.Event, before: threading.Thread | None) -> None:
        """`before`: of an earlier step; what it asks may still be without an answer."""
        while not over.wait(self._every) and not copied.over:
            if (before is not None and before.is_alive()) or not self._looks.acquire(blocking=False):
                continue
            try:
                if not self._look(copied, watch, over):
                    return
            finally:
                self._looks.release()

    def _look(self, copied: Copied, watch: Watch, over: threading.Event) -> bool:
        """Whether there may be another one. What is in its way is of no concern to the copy."""
        try:
            self._other = other = self._transport.another()
            try:
                if over.is_set() or self._stopped:
                    return False
                reply = other.run(question(watch))[0]
                length = amount(watch, reply.rows)
                with self._lock:
                    if length is not None and not over.is_set():
                        event = copied.seen(length, self._clock())
                        if event is not None:
                            self._hear(event)
            finally:
                self._other = None
                other.close()
        except Exception:  # whatever it is: there is no progress to be told
            return False
        return True


class Watched:
    """The hosts of a run of which something is watched. `forks`: how many are changed at a time."""

    def __init__(self, forks: int) -> None:
        self._looks = threading.BoundedSemaphore(max(1, forks // 4))
        self._now: dict[str, Watching] = {}

    @contextmanager
    def of(self, plan: Plan, transport: Transport, hear: Hear) -> Iterator[Hear]:
        """Who hears the events of the steps, while they run."""
        steps = {s.task.id: s.task.watch for s in plan.steps if s.task.watch is not None}
        if not steps or not isinstance(transport, Doubled):
            yield hear
            return
        watching = self._now[plan.host] = Watching(steps, transport, hear, self._looks, EVERY_S)
        try:
            yield watching.heard
        finally:
            watching.end()
            self._now.pop(plan.host, None)

    def stop(self, host: str) -> None:
        if (watching := self._now.get(host)) is not None:
            watching.stop()
