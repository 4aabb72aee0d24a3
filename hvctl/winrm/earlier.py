"""Changes of an earlier run whose end nobody saw: waited for, judged by the host's journal, and told. Never ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hvctl.call import Event
from hvctl.winrm.journal import Journal
from hvctl.winrm.leftovers import OpenShell
from hvctl.winrm.powershell import PowerShell

ASK_S = 2


@dataclass(frozen=True)
class Earlier:
    """`longest`: how many seconds they are waited for; the host is read then, in whatever state it is."""

    powershell: PowerShell
    journal: Callable[[str], Journal | None]
    sleep: Callable[[float], None]
    stopped: Callable[[], bool]
    longest: float

    def settle(self, on_event: Callable[[Event], None]) -> None:
        """Before the host is read, so that what is read is what they left."""
        while self.powershell.earlier:
            self._judge(self.powershell.earlier.pop(), on_event)

    def _judge(self, one: OpenShell, on_event: Callable[[Event], None]) -> None:
        until, told = time.monotonic() + self.longest, False
        while True:
            found = self.journal(one.batch)
            going = found is None or (bool(found) and not found.over and self.powershell.runs(one))
            if not going or self.stopped() or time.monotonic() >= until:
                break
            if not told and found:
                text = f"an earlier apply still runs here, batch {one.batch}: {found.brief()}; waiting for it"
                on_event(Event("notice", text=text))
                told = True
            self.sleep(ASK_S)
        if going:
            what = found.brief() if found else "its journal cannot be had"
            on_event(Event("notice", text=f"an earlier apply still runs here, batch {one.batch}: {what}"))
            return
        self.powershell.forget(one)
        if found:
            on_event(Event("notice", text=f"an earlier apply was broken off here: {found.brief()}"))
