"""What one host has taken of the control node so far, held against its limits."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hvctl.winrm.faults import WireFault
from hvctl.winrm.limits import OTHER_LINES, VARIABLES, Limits


def oversized(target: str, what: str, most: str, limit: str) -> WireFault:
    """`limit`: the field of Limits that was reached."""
    return WireFault("oversized", f"{target} sent {what} of more than {most}, which {VARIABLES[limit]} allows")


class Meter:
    """The clock of one request after another on one connection. `connected`: hears when there is a connection, before
    anything is sent on it."""

    def __init__(self, target: str, limits: Limits, connected: Callable[[], None] = lambda: None) -> None:
        self.target, self.limits, self.connected = target, limits, connected
        self.begin(limits.seconds)

    def begin(self, pause: float) -> None:
        """A new request. `pause`: seconds for which either side may be silent."""
        self._pause = pause
        self.again()

    def again(self) -> None:
        """The time of the request begins now."""
        self._deadline = time.monotonic() + self.limits.seconds

    def patience(self) -> float:
        """Seconds to wait for the next bytes. Raises WireFault when the request has taken too long."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise WireFault(
                "slow",
                f"{self.target} took more than {self.limits.seconds:g} s for one request, which "
                f"{VARIABLES['seconds']} allows",
            )
        return min(self._pause, left)

    @contextmanager
    def waiting(self, sock: socket.socket) -> Iterator[None]:
        """For one call of the socket. Raises WireFault where the request's time ends in it."""
        sock.settimeout(self.patience())
        try:
            yield
        except TimeoutError:
            self.patience()
            raise


class Gauge:
    """What the answer to one batch has taken so far. Raises WireFault beyond a limit."""

    def __init__(self, target: str, limits: Limits) -> None:
        self._target, self._limits = target, limits
        self._output = self._line = self._lines = 0

    def take(self, data: bytes) -> None:
        """Before anything keeps it."""
        limits, target = self._limits, self._target
        self._output += len(data)
        first, *rest = data.split(b"\n")
        self._lines += len(rest)
        longest = max(self._line + len(first), *map(len, rest), 0)
        self._line = len(rest[-1]) if rest else longest
        if longest > limits.line:
            raise oversized(target, "a line", f"{limits.line:,} bytes", "line")
        if self._output > limits.output:
            raise oversized(target, "an answer to one batch", f"{limits.output:,} bytes", "output")
        if self._lines > limits.rows + OTHER_LINES:
            raise oversized(target, "an answer to one batch", f"{limits.rows + OTHER_LINES:,} lines", "rows")

    def count(self, rows: int) -> None:
        if rows > self._limits.rows:
            raise oversized(self._target, "an answer to one batch", f"{self._limits.rows:,} rows", "rows")
