"""The request to stop: which signal made it, how often, since when; or that the time for it is over. The one place that
hears signals."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

GRACE_S = 60
TOGETHER_S = 0.1
"""Signals closer together than this are one request: timeout(1) sends SIGTERM to its child and to the child's group,
and a terminal's Ctrl-C reaches both a wrapper and what it starts."""
HANGUP: int | None = getattr(signal, "SIGHUP", None)
"""The terminal is gone. Windows has none."""


def heard() -> list[int]:
    """The signals that ask for a stop. Of nohup(1), and of what it starts, the terminal may go."""
    hangup = [] if HANGUP is None or signal.getsignal(HANGUP) == signal.SIG_IGN else [HANGUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


@dataclass
class Stop:
    """Nobody has asked yet, or somebody has. The handler only counts; who works looks at it.

    `grace`: how many seconds after SIGTERM or SIGHUP a change that runs is followed. `number`: of the first signal.
    """

    grace: float = GRACE_S
    number: int = 0
    times: int = 0

    def __post_init__(self) -> None:
        self.at_once = True
        """Whether a signal raises KeyboardInterrupt."""
        self._first = self._last = 0.0
        self._told = threading.Event()
        self._over: Callable[[], bool] = lambda: False

    def when(self, over: Callable[[], bool]) -> None:
        """Also stop when a time is over: what runs then is followed to its end, however long it takes."""
        self._over = over

    @property
    def closed(self) -> bool:
        """Whether that time is over."""
        return self._over()

    @property
    def asked(self) -> bool:
        return self.times > 0 or self.closed

    @property
    def requests(self) -> int:
        """How often that was heard of, by signals and by the time."""
        return self.times + self.closed

    @property
    def terminated(self) -> bool:
        """By SIGTERM or SIGHUP, and not by Ctrl-C."""
        return self.number in (signal.SIGTERM, HANGUP)

    @property
    def settled(self) -> bool:
        """Whether no twin of the last signal can be on its way."""
        return time.monotonic() - self._last >= TOGETHER_S

    @property
    def over(self) -> bool:
        """Whether what runs is followed no longer: it was asked twice, or the grace of a termination is over."""
        return self.times > 1 or (self.terminated and time.monotonic() >= self._first + self.grace)

    @property
    def status(self) -> int:
        """The exit status that says so, as a shell does; 0 if no signal has asked."""
        return 128 + self.number if self.times else 0

    def hold(self) -> None:
        """From now on a signal is only noted; the third one still ends hvctl at once."""
        self.at_once = False

    def release(self) -> None:
        """From now on a signal raises KeyboardInterrupt, and one that was noted does so now."""
        self.at_once = True
        if self.times:
            raise KeyboardInterrupt

    def tell(self) -> None:
        """Wake whoever waits in `wait`. Not for the handler: it may strike while the lock of the event is held."""
        if self.asked:
            self._told.set()

    def wait(self, seconds: float) -> bool:
        """Whether a stop was asked for meanwhile; for threads."""
        return self._told.wait(seconds)

    def led(self) -> None:
        """In a process that another one leads: only its SIGTERM asks for a stop, not what a terminal sends to both."""
        self.at_once = False
        for number in heard():
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._heard)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hears Ctrl-C, SIGTERM and SIGHUP. Only the main thread can; in another one nothing is heard."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = [(number, signal.getsignal(number)) for number in heard()]
        try:
            for number, _ in before:
                signal.signal(number, self._heard)
            yield
        finally:
            self.at_once = False
            for number, handler in before:
                signal.signal(number, handler)

    def _heard(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self.times and now - self._last < TOGETHER_S:
            return
        if not self.times:
            self.number, self._first = number, now
        self.times, self._last = self.times + 1, now
        if self.at_once or self.times > 2:
            raise KeyboardInterrupt
