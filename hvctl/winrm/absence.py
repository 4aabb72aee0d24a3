"""How long a host that runs changes has not been there, and whether it is waited for on.

The changes may go on over there, since shells belong to users and not to connections (winrm 3.5); after a reboot the
shell is unknown, which ends the waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from hvctl.call import Event
from hvctl.winrm.faults import WireFault

ODD_ANSWERS = 8
QUIETLY = 4
"""So many tries, some eight seconds, before whoever waits is told."""


class Absence:
    """From the first request that failed to the first that did not."""

    def __init__(
        self, target: str, longest_s: float, sleep: Callable[[float], None], on_event: Callable[[Event], None]
    ) -> None:
        self._target, self._longest_s, self._sleep, self._on_event = target, longest_s, sleep, on_event
        self._since: float | None = None
        self._tries = 0

    def bearable(self, fault: WireFault) -> bool:
        """Waits a little; or says that it is no use: the fault is final, or it has been too long."""
        now = time.monotonic()
        self._tries += 1
        self._since = now if self._since is None else self._since
        if not fault.away:
            # Somebody is there, and answers what cannot be used; but not that the shell is gone.
            if fault.kind in ("gone", "credentials") or self._tries >= ODD_ANSWERS:
                return False
        elif now - self._since > self._longest_s:
            return False
        elif self._tries == QUIETLY:
            minutes = max(1, round(self._longest_s / 60))
            self._say(f"{fault.text} in the middle of the changes; waiting up to {minutes} min for it to come back")
        self._sleep(min(15.0, 0.5 * 2 ** min(self._tries, 6)))
        return True

    def over(self) -> None:
        if self._since is not None and self._tries >= QUIETLY:
            self._say(f"{self._target} is back after {time.monotonic() - self._since:.0f} s")
        self._since, self._tries = None, 0

    def _say(self, text: str) -> None:
        self._on_event(Event("notice", text=text))
