"""The Transport over WinRM: one shell and one warm PowerShell per host, batches as lines, exactly once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.batches import Batches
from hvctl.winrm.connection import Address, Connection, CredentialGuard, Patience
from hvctl.winrm.conversation import Conversation
from hvctl.winrm.faults import said
from hvctl.winrm.journal import Journal
from hvctl.winrm.leftovers import OpenShells
from hvctl.winrm.powershell import PowerShell, Process
from hvctl.winrm.receiver import Receiver
from hvctl.winrm.staging import with_files
from hvctl.winrm.stopping import Stopping
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
        on_wire: Callable[[Event], None] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = Patience(),  # noqa: B008  frozen
        shells: OpenShells | None = None,
        left: Callable[[], bool] = lambda: False,
    ) -> None:
        """`left`: whether changes that run are left to the host."""
        self.address = address
        self._allow = allow
        self._guard = guard or CredentialGuard()
        self._on_wire = on_wire
        self._sleep = sleep
        self._patience = patience
        self._shells = shells
        self._left = left
        self._stopping = Stopping(self._told_to_stop)
        self._connection = self._connected()
        self._powershell = PowerShell(self._connection, patience.idle, shells, left)
        stopped = self._stopping.asked
        self._receiver = Receiver(self._connection, patience.back, sleep, stopped, self._trace, left)
        self._conversation = Conversation(self._connection, self._powershell, self._receiver, allow)
        self._batches = Batches(self._conversation, self._powershell, patience.earlier)

    @property
    def requests(self) -> int:
        return self._connection.requests

    # --- the seam --------------------------------------------------------------------------------------------------

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if not batch.tasks and batch.lease is None:
            return []
        if self._stopping.asked():
            raise TransportError("stopped before the host was asked")
        if batch.mode == "read":
            return self._batches.read(batch, on_event)
        change = partial(self._batches.change, on_event=on_event)
        line = self._conversation
        try:
            return with_files(batch, on_event, Upload(line).bring, change, Upload(line).take_away)
        except TransportError as error:
            if self._powershell.kept and (going := self.stop()) is not None:
                raise going from error
            raise
        finally:
            self._batches.changing = None

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

    def stop(self) -> TransportError | None:
        self._stopping.ask()
        decoder = self._batches.changing
        if decoder is None:
            if self._conversation.running is not None and self._powershell.process is not None:
                self._stopping.read(self._powershell.process)
            return None
        if decoder.ended:
            text = f"{self.address.name} was left before all was said of batch {decoder.batch_id}"
            return TransportError(text, executed="unknown", replies=decoder.replies())
        self._stopping.changes(decoder.batch_id)
        tasks = [t.id for t in decoder.batch.tasks]
        journal = self._stopping.heard(decoder.batch_id) or Journal()
        replies = {**journal.ended(tasks), **decoder.replies()}
        if not journal.damaged and (running := journal.running) is not None and running not in replies:
            # Steps run one after the other, and the host begins none after this one.
            replies |= {t: Reply(skipped="stopped") for t in tasks if t not in replies and t != running}
        return TransportError(
            f"still running on {self.address.name}, batch {decoder.batch_id}",
            executed="unknown",
            hint="it was not ended; the next plan, drift or apply waits for it and judges it by the host's journal",
            replies=replies,
            running=decoder.batch_id,
        )

    def close(self) -> None:
        self._powershell.drop()
        self._powershell.sweep()
        self._connection.close()

    # --- stopping --------------------------------------------------------------------------------------------------

    def _told_to_stop(self, end: Process | str) -> Journal | None:
        """With a connection of its own, since the worker's is inside a Receive: the process of a read is ended, a batch
        of changes is asked to begin no further step. The journal after that; None if the host has not heard it."""
        if isinstance(end, Process):
            connection = self._connected()
            try:
                connection.delete(end.shell)
            finally:
                connection.close()
            return Journal()
        other = self._another()
        action_id = str(uuid.uuid4())
        decoder = protocol.Decoder(Batch(()), action_id)
        try:
            other._conversation.talk(decoder, protocol.encode_action("stop", end, action_id), lambda event: None, 30)
            return other._batches.journal(end) if decoder.ended else None
        finally:
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
            self._on_wire(Event("note", text=f"{self.address.name}: stderr: {text}", outside=(text,)))
