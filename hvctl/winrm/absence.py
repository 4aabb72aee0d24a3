"""How long a host that runs changes has not been there, and whether it is waited for on.

The changes may go on over there, since shells belong to users and not to connections (winrm 3.5); after a reboot the
shell is unknown, which ends the waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from hvctl.call import Event
from hvctl.winrm.faults import WireFault
from hvctl.winrm.retries import ABSENCE_WAIT, ODD_ANSWERS

QUIETLY = 4
"""So many tries, some eight seconds, before whoever waits is told."""
T = TypeVar("T")


class Absence:
    """From the first request that failed to the first that did not. `wanted`: whether it is to be waited for."""

    def __init__(
        self,
        target: str,
        longest_s: float,
        sleep: Callable[[float], None],
        on_event: Callable[[Event], None],
        wanted: bool,
    ) -> None:
        self._target, self._longest_s, self._sleep, self._on_event = target, longest_s, sleep, on_event
        self._wanted = wanted
        self._since: float | None = None
        self._tries = 0

    @property
    def struck(self) -> bool:
        """Whether the last answer took more than one try."""
        return self._tries > 0

    def borne(self, ask: Callable[[], T]) -> T:
        """What is answered at last, "timed_out" being an answer too. Raises WireFault that is final, or when it has been too
        long."""
        self._since, self._tries = None, 0
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, WireFault) and self._bearable(error)),
            wait=ABSENCE_WAIT,
            sleep=self._sleep,
            before_sleep=self._told,
            reraise=True,
        )
        try:
            found = retrying(ask)
        except WireFault as fault:
            if fault.kind in ("timed_out", "gone"):
                self._over()
            raise
        self._over()
        return found

    def _bearable(self, fault: WireFault) -> bool:
        if fault.kind == "timed_out" or not self._wanted:
            return False
        now = time.monotonic()
        self._tries += 1
        self._since = now if self._since is None else self._since
        if not fault.away:
            # Somebody is there, and answers what cannot be used; but not that the shell is gone.
            return fault.kind not in ("gone", "credentials", "stopped") and self._tries < ODD_ANSWERS
        return now - self._since <= self._longest_s

    def _told(self, state: RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome else None
        if isinstance(fault, WireFault) and fault.away and self._tries == QUIETLY:
            minutes = max(1, round(self._longest_s / 60))
            text = f"{fault.text} in the middle of the changes; waiting up to {minutes} min for it to come back"
            self._say(text, fault.outside)

    def _over(self) -> None:
        if self._since is not None and self._tries >= QUIETLY:
            self._say(f"{self._target} is back after {time.monotonic() - self._since:.0f} s")

    def _say(self, text: str, outside: str = "") -> None:
        self._on_event(Event("notice", text=text, outside=(outside,)))
