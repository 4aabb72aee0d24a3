"""The guard against locking out an account, for several processes of one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import BaseContext

from hvctl.winrm.connection import CredentialGuard, refused_elsewhere

SLOTS = 1024
"""So many credentials of a run are guarded together; further ones by each process for itself."""
POLL_S = 0.05
LOCKED_S = 1.0
"""The lock is held for microseconds. Whoever waits for longer waits for a process that was killed with it."""
_TRYING, _GOOD, _BAD = 1, 2, 3


class SharedGuard(CredentialGuard):
    """Made before the processes are forked. What they share is what became of each credential, under a hash of it that means
    something in this run only."""

    def __init__(self, context: BaseContext, alone: float = 15) -> None:
        super().__init__(alone)
        self._between = context.Lock()
        self._keys = context.RawArray("q", SLOTS)
        self._states = context.RawArray("b", SLOTS)
        self._tried = context.RawArray("d", SLOTS)

    def check(self, credential: tuple[str, ...]) -> None:
        with self._locked():
            slot = self._slot(credential)
            if slot is not None and self._states[slot] == _BAD:
                raise refused_elsewhere()
        if slot is None:
            super().check(credential)

    def enter(self, credential: tuple[str, ...]) -> None:
        while True:
            with self._locked():
                slot = self._slot(credential)
                if slot is not None and not self._waits(slot):
                    if self._states[slot] == _BAD:
                        raise refused_elsewhere()
                    self._states[slot] = self._states[slot] or _TRYING
                    self._tried[slot] = time.monotonic()
                    return
            if slot is None:
                super().enter(credential)
                return
            time.sleep(POLL_S)

    def leave(self, credential: tuple[str, ...], good: bool | None) -> None:
        with self._locked():
            slot = self._slot(credential)
            if slot is not None and self._states[slot] != _GOOD:
                if good is not None:
                    self._states[slot] = _GOOD if good else _BAD
                elif self._states[slot] == _TRYING:
                    self._states[slot] = 0
        if slot is None:
            super().leave(credential, good)

    def _waits(self, slot: int) -> bool:
        return bool(self._states[slot] == _TRYING) and time.monotonic() < self._tried[slot] + self._alone

    def _slot(self, credential: tuple[str, ...]) -> int | None:
        """Its own, or the next that is free; None: there is none."""
        key = hash(credential) or 1
        for n in range(SLOTS):
            slot = (key + n) % SLOTS
            if self._keys[slot] in (0, key):
                self._keys[slot] = key
                return slot
        return None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        mine = self._between.acquire(timeout=LOCKED_S)
        try:
            yield
        finally:
            if mine:
                self._between.release()
