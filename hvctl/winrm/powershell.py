"""The one PowerShell that is kept warm on a host, in a shell of its own: started when needed, dropped, swept up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from hvctl.winrm import protocol
from hvctl.winrm.connection import Connection
from hvctl.winrm.faults import WireFault
from hvctl.winrm.leftovers import OpenShell, OpenShells


@dataclass
class Process:
    """A powershell.exe on the host that has the runner loaded (or will have with the first line)."""

    shell: str
    command: str
    loaded: bool = False
    takes_files: bool = False
    used: float = 0.0

    def touch(self) -> None:
        self.used = time.monotonic()


class PowerShell:
    """At most one process at a time. `idle`: after so many seconds of silence all is built anew. `left`: whether
    changes that run are left to the host; their process then stays."""

    def __init__(
        self, connection: Connection, idle: float, shells: OpenShells | None, left: Callable[[], bool] = lambda: False
    ) -> None:
        self.process: Process | None = None
        self.ended = True
        """Whether what ran in the last process surely runs no more."""
        self.earlier: list[OpenShell] = []
        """Of runs that are gone, with changes in them whose end nobody has seen."""
        self._left = left
        self._changes = ""
        self._connection = connection
        self._idle = idle
        self._shells = shells
        self._unclosed: list[str] = []

    def ensure(self) -> Process:
        """The process that runs, or a new one. Raises WireFault."""
        if self.process is not None and self._stale(self.process):
            self.drop()
        if self.process is None:
            try:
                shell = self._opened()
                self.process = Process(*self._started(shell), used=time.monotonic())
            except WireFault as fault:
                # Whatever became of a shell that nothing was sent to: nothing ran.
                if fault.executed == "no":
                    raise
                raise WireFault("unopened", fault.text, fault.code, hint=fault.hint, outside=fault.outside) from fault
        return self.process

    def note_batch(self, batch_id: str) -> None:
        """The changes that the process has now, or "": for the next run, should this one not see their end."""
        if self.kept:
            return
        self._changes = batch_id
        if self._shells is not None and self.process is not None:
            process = self.process
            self._shells.opened(self._connection.address.endpoint, process.shell, batch_id, process.command)

    def lost(self) -> None:
        """The process is of no more use: its shell goes."""
        process, self.process = self.process, None
        if process is not None:
            self.ended = not self.kept and self._deleted(process.shell)

    def drop(self) -> None:
        """End the shell and with it the process, which needs no signal before (MS-WSMV 3.1.4.4.1); what goes wrong with that is
        the host's idle timeout's."""
        process = self.process
        if process is None or self.kept:
            return
        if self._stale(process):
            self._connection.rebuild()
        self.lost()

    @property
    def kept(self) -> bool:
        """Whether the process has changes that are left to the host."""
        return bool(self._changes) and self._left()

    def runs(self, one: OpenShell) -> bool:
        """Whether the process of an earlier run is still there, as far as one can tell."""
        if not one.command:
            return False
        try:
            # What it says is in the journal too; with nothing to say, it is silent for the second.
            *_, done = self._connection.receive(one.shell, one.command, 1)
        except WireFault as fault:
            return fault.kind != "gone"
        return not done

    def forget(self, one: OpenShell) -> None:
        """A shell of an earlier run in which nothing runs any more."""
        self._deleted(one.shell)

    def sweep(self) -> None:
        """Once more, what could not be closed before."""
        for shell in dict.fromkeys(self._unclosed):
            self._deleted(shell)

    def _stale(self, process: Process) -> bool:
        return time.monotonic() - process.used > self._idle

    def _started(self, shell: str) -> tuple[str, str]:
        """The shell and the command. Without input nothing can have run: a new shell and once more (winrm 5.1)."""
        command, *arguments = protocol.COMMAND
        words = (*arguments, "-EncodedCommand", protocol.bootstrap())
        try:
            started = self._connection.start(shell, command, words)
        except WireFault as fault:
            self._deleted(shell)
            if fault.kind not in ("timed_out", "lost", "quota", "gone", "protocol"):
                raise
            shell = self._opened()
            started = self._connection.start(shell, command, words)
        return shell, started

    def _opened(self) -> str:
        """A new shell. What this run could not close goes, and what an earlier one left open, unless changes may still
        run in it."""
        shell = self._connection.open_shell()
        endpoint = self._connection.address.endpoint
        if self._shells is not None:
            left = self._shells.leftovers(endpoint)
            self._shells.opened(endpoint, shell)
            self._unclosed += [one.shell for one in left if not one.batch]
            self.earlier += [one for one in left if one.batch]
        self.sweep()
        return shell

    def _deleted(self, shell: str) -> bool:
        """Whether the shell is surely gone, and with it what ran in it."""
        try:
            self._connection.delete(shell)
        except WireFault as fault:
            if fault.kind != "gone":
                self._unclosed = [*self._unclosed, shell]
                return False
        self._unclosed = [s for s in self._unclosed if s != shell]
        if self._shells is not None:
            self._shells.closed(self._connection.address.endpoint, shell)
        return True
