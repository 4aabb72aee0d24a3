"""Telling a host that nothing more is to begin, from threads of its own, until the host has heard it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from hvctl.winrm.faults import WireFault
from hvctl.winrm.journal import Journal
from hvctl.winrm.powershell import Process

AGAIN_S = 2.0


class Stopping:
    """Of one host. `tell` does it; it answers with the journal of the changes as it is then, or None if nobody heard,
    and may raise WireFault."""

    def __init__(self, tell: Callable[[Process | str], Journal | None]) -> None:
        self._tell = tell
        self._asked = False
        self._heard: dict[str, Journal] = {}
        self._begun: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        self._asked = True

    def asked(self) -> bool:
        return self._asked

    def heard(self, batch_id: str) -> Journal | None:
        """The journal from after the host was told; None if that is not known."""
        return self._heard.get(batch_id)

    def read(self, process: Process) -> None:
        """End the process that reads; whoever waits for its answer hears of it at once."""
        self._try(process.shell, process)

    def changes(self, batch_id: str) -> None:
        """Begin no further step of the batch."""
        self._try(batch_id, batch_id)

    def _try(self, name: str, end: Process | str) -> None:
        """Once at a time, again after a while if it was not heard."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or name in self._heard or time.monotonic() < self._begun.get(name, 0.0) + AGAIN_S:
            return
        self._begun[name] = time.monotonic()
        self._thread = threading.Thread(target=self._told, args=(name, end), daemon=True)
        with suppress(RuntimeError):  # no thread to be had just now
            self._thread.start()

    def _told(self, name: str, end: Process | str) -> None:
        with suppress(WireFault):
            entries = self._tell(end)
            if entries is not None:
                self._heard[name] = entries
