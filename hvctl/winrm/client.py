"""The Transport over WinRM: one shell and one warm PowerShell per host, batches as lines, exactly once."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.batches import Batches
from hvctl.winrm.connection import Address, Connection, CredentialGuard, Patience
from hvctl.winrm.conversation import Conversation
from hvctl.winrm.faults import WireFault, said
from hvctl.winrm.leftovers import OpenShells
from hvctl.winrm.powershell import PowerShell, Process
from hvctl.winrm.receiver import Receiver
from hvctl.winrm.staging import with_files
from hvctl.winrm.upload import Upload

__all__ = ["Address", "CredentialGuard", "Patience", "WinRM"]


class WinRM:
    """One host. Reads may be sent again; changes are sent once, and what became of them after a fault is read from
    the host's journal."""

    def __init__(
        self,
        address: Address,
        *,
        allow: Mapping[str, str],
        guard: CredentialGuard | None = None,
        on_wire: Callable[[str], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = Patience(),  # noqa: B008  frozen
        shells: OpenShells | None = None,
    ) -> None:
        self.address = address
        self._allow = allow
        self._guard = guard or CredentialGuard()
        self._on_wire = on_wire
        self._sleep = sleep
        self._patience = patience
        self._shells = shells
        self._stops = 0
        self._connection = self._connected()
        self._powershell = PowerShell(self._connection, patience.idle, shells)
        receiver = Receiver(self._connection, patience.back, sleep, lambda: self._stops > 0, self._trace)
        self._conversation = Conversation(self._connection, self._powershell, receiver, allow)
        self._batches = Batches(self._conversation, self._powershell)

    @property
    def requests(self) -> int:
        return self._connection.requests

    @property
    def processes(self) -> int:
        """How many were started."""
        return self._powershell.started

    # --- the seam --------------------------------------------------------------------------------------------------

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if not batch.tasks:
            return []
        if batch.mode == "read":
            return self._batches.read(batch, on_event)
        change = partial(self._batches.change, on_event=on_event)
        line = self._conversation
        return with_files(batch, on_event, Upload(line).bring, change, Upload(line).take_away)

    def info(self) -> HostInfo:
        if self._conversation.info is None:
            with said():
                # Any short question: the hello comes with its answer.
                action_id = str(uuid.uuid4())
                line = protocol.encode_action("journal", action_id, action_id)
                self._conversation.talk(protocol.Decoder(Batch(()), action_id), line, lambda event: None, 60)
        if self._conversation.info is None:
            raise TransportError(
                f"{self.address.target} did not say who it is", hint="run with -vv to see what it said"
            )
        return self._conversation.info

    def stop(self) -> None:
        """First: the runner stops after its current step. Then: the command is interrupted and the shell deleted."""
        self._stops += 1
        running, process = self._conversation.running, self._powershell.process
        if running is None:
            return
        threading.Thread(target=self._stop, args=(running, process, self._stops), daemon=True).start()

    def close(self) -> None:
        self._powershell.drop()
        self._powershell.sweep()
        self._connection.close()

    # --- stopping --------------------------------------------------------------------------------------------------

    def _stop(self, batch_id: str, process: Process | None, times: int) -> None:
        """With a connection of its own: the worker's is inside a Receive."""
        if times > 1 and process is not None:
            connection = self._connected()
            for end in (connection.interrupt, connection.signal):
                with suppress(WireFault):
                    end(process.shell, process.command)
            with suppress(WireFault):
                connection.delete(process.shell)
            connection.close()
            return
        other = self._another()
        action_id = str(uuid.uuid4())
        line = protocol.encode_action("stop", batch_id, action_id)
        with suppress(WireFault):
            other._conversation.talk(protocol.Decoder(Batch(()), action_id), line, lambda event: None, 30)
        other.close()

    def _another(self) -> WinRM:
        return WinRM(
            self.address,
            allow=self._allow,
            guard=self._guard,
            on_wire=self._on_wire,
            sleep=self._sleep,
            patience=self._patience,
            shells=self._shells,
        )

    def _connected(self) -> Connection:
        return Connection(self.address, self._guard, self._on_wire, self._sleep, patience=self._patience)

    def _trace(self, text: str) -> None:
        if self._on_wire is not None:
            self._on_wire(f"{self.address.name}: {text}")
