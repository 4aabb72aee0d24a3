"""Hosts shared out over processes, for verbs that only read: planning and XML are CPU, of which one process uses one core.

The processes are forked: they have the hosts, their desired state and their secrets from the memory of the run, so that nothing
of it is on a command line or in an environment. What they find comes back by pipe.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from hvctl.call import TransportError
from hvctl.fleet.forks import LINGER_S, TICK_S
from hvctl.fleet.stop import Stop

MOST = 8
WORTH = 50
"""With fewer hosts each, processes cost more than they save: forking, pages that are copied, what is sent back."""
_MOMENTS = 5
"""So many times it is looked what runs on the machine."""
ENDING_S = LINGER_S + 3
"""After a stop: until then a process has closed what it had open, or is ended."""

Say = Callable[[tuple[Any, ...]], None]


def count(hosts: int, asked: int | None, idle: Callable[[], int] | None = None) -> int:
    """How many processes look at so many hosts. `asked`: by the user; never more than hosts. `idle`: cores that have nothing
    else to do; beyond these a process would only wait, and take memory."""
    if asked is not None:
        return max(1, min(asked, hosts))
    if hosts < 2 * WORTH:
        return 1
    return max(1, min((idle or _idle)(), MOST, hosts // WORTH))


def obstacle() -> str | None:
    """Why a process cannot be forked here."""
    if sys.platform != "linux":
        return "this needs Linux"
    if threading.active_count() > 1:
        return "other threads run, as with --listen"
    return None


def shares(units: Sequence[Sequence[str]], number: int) -> list[list[str]]:
    """Hosts that are planned together stay together; each to where there are fewest."""
    found: list[list[str]] = [[] for _ in range(number)]
    for unit in units:
        min(found, key=len).extend(unit)
    return [share for share in found if share]


@dataclass
class Gone:
    """A process ended before all was said of its hosts. `why`: with the traceback, if it could say so."""

    why: str
    trace: str = ""

    @property
    def error(self) -> TransportError:
        """As the trouble of each of its hosts."""
        hint = "run again with --processes 1 to see whether it is the host, and report the text above"
        return TransportError(f"hvctl itself failed: {self.why}", hint=hint, defect=self.trace or self.why)


@dataclass
class _Worker:
    share: Sequence[str]
    process: Any
    pipe: Connection
    said: Gone | None = None
    ended: bool = False


@dataclass
class Workers:
    """`job`: looks at these hosts, in a process of its own, and says what it finds. `heard`: is called at each request to
    stop."""

    shares: Sequence[Sequence[str]]
    job: Callable[[Sequence[str], Say], None]
    stop: Stop
    heard: Callable[[], None]
    _workers: list[_Worker] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[Sequence[str], tuple[Any, ...] | Gone]]:
        """What the processes say as it comes, and who of them is gone, with the hosts of that process."""
        try:
            self._start()
            yield from self._said()
        finally:
            self._end()

    def _start(self) -> None:
        fork = multiprocessing.get_context("fork")
        for share in self.shares:
            ours, theirs = fork.Pipe(duplex=False)
            process = fork.Process(target=self._work, args=(share, theirs, ours), daemon=True)
            process.start()
            theirs.close()  # or the next one would hold it open when this one is gone
            self._workers.append(_Worker(share, process, ours))

    def _work(self, share: Sequence[str], pipe: Connection, read_end: Connection) -> None:
        self.stop.led()
        # Held open here too, they would keep who writes from noticing that the run is gone: it would wait for ever.
        for end in (read_end, *(one.pipe for one in self._workers)):
            end.close()
        lock = threading.Lock()

        def say(what: tuple[Any, ...]) -> None:
            try:
                with lock:
                    pipe.send(what)
            except OSError:
                os._exit(1)  # nobody hears it any more

        try:
            self.job(share, say)
            say(("end",))
        except BaseException as error:
            say(("fault", f"{type(error).__name__}: {error}", traceback.format_exc()))
        os._exit(0)  # what the run has open is the run's

    def _said(self) -> Iterator[tuple[Sequence[str], tuple[Any, ...] | Gone]]:
        times, until = 0, float("inf")
        while (open_ := {one.pipe: one for one in self._workers if not one.ended}) and time.monotonic() < until:
            for pipe in wait(list(open_), TICK_S):
                one = open_[pipe]  # type: ignore[index]
                try:
                    what = one.pipe.recv()
                except (EOFError, OSError):
                    yield one.share, self._gone(one)
                    continue
                match what:
                    case ("end",):
                        one.ended = True
                    case ("fault", str(why), str(trace)):
                        one.said = Gone(why, trace)
                    case _:
                        yield one.share, what
            if self.stop.requests > times and self.stop.settled:
                times = self.stop.requests
                until = min(until, time.monotonic() + ENDING_S)
                self.stop.tell()
                self._tell_all(signal.SIGTERM)
                self.heard()

    def _gone(self, one: _Worker) -> Gone:
        one.ended = True
        one.process.join(ENDING_S)
        code = one.process.exitcode
        why = f"by signal {-code} ({signal.Signals(-code).name})" if code and code < 0 else f"with status {code}"
        return one.said or Gone(f"the process that looked at it ended {why}")

    def _tell_all(self, number: int) -> None:
        for one in self._workers:
            if one.process.is_alive():
                with suppress(ProcessLookupError):
                    os.kill(one.process.pid, number)

    def _end(self) -> None:
        for one in self._workers:
            if one.ended:
                one.process.join(1)
        self._tell_all(signal.SIGKILL)
        for one in self._workers:
            one.process.join(1)
            one.pipe.close()


class Forwarded:
    """Progress, as a worker says it."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def __enter__(self) -> Forwarded:
        return self

    def __exit__(self, *error: object) -> None:
        """There is nothing to end."""

    def expect(self, hosts: Iterable[str]) -> None:
        """The run knows them."""

    def begin(self, host: str, doing: str) -> None:
        self._say(("begin", host, doing))

    def end(self, host: str) -> None:
        self._say(("done", host))

    def event(self, host: str, event: object) -> None:
        """Only what is told of a step, and none is run."""


def _idle() -> int:
    if sys.platform != "linux":
        return 1
    cores, now = len(os.sched_getaffinity(0)), sorted(_running() for _ in range(_MOMENTS))
    # The load is the last minute's, and counts this process too, by as much as it has been busy; so it is rounded in favour
    # of one more. What ran then may have ended since.
    return max(math.ceil(cores - os.getloadavg()[0]), cores - now[_MOMENTS // 2])


def _running() -> int:
    """What runs beside this process on the machine, a moment later; as if there were no end of it, where that is not told."""
    time.sleep(0.01)
    try:
        words = Path("/proc/loadavg").read_text(encoding="ascii").split()
        return int(words[3].partition("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return sys.maxsize
