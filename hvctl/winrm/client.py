"""The Transport over WinRM: one shell and one warm PowerShell per host, batches as lines, exactly once."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from hvctl.call import Batch, Event, Failure, HostInfo, Reply, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.connection import RECEIVE_S, Address, Connection, CredentialGuard
from hvctl.winrm.faults import HINTS, WireFault
from hvctl.winrm.leftovers import OpenShells
from hvctl.winrm.staging import with_files
from hvctl.winrm.upload import Upload

__all__ = ["Address", "CredentialGuard", "WinRM"]

CHUNK = 370_000
"""Bytes per Send: with base64 and the envelope this fits MaxEnvelopeSizekb 500 (winrm 3.2)."""
IDLE_S = 60
"""HTTP.sys drops idle connections after about two minutes; before that everything is built anew (winrm 1.7)."""
READ_TRIES = 3
ANSWER_S = 60
"""How long the host may take to write some megabytes and say so."""
RECEIVE_TRIES = 8


@dataclass
class _Process:
    """A powershell.exe on the host that has the runner loaded (or will have with the first line)."""

    shell: str
    command: str
    loaded: bool = False
    takes_files: bool = False
    used: float = 0.0


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
        receive_s: int = RECEIVE_S,
        shells: OpenShells | None = None,
    ) -> None:
        self.address = address
        self.processes = 0
        self._allow = allow
        self._guard = guard or CredentialGuard()
        self._on_wire = on_wire
        self._sleep = sleep
        self._receive_s = receive_s
        self._shells = shells
        self._connection = self._connected()
        self._process: _Process | None = None
        self._info: HostInfo | None = None
        self._running: str | None = None
        self._stops = 0
        self._most = CHUNK

    @property
    def requests(self) -> int:
        return self._connection.requests

    # --- the seam --------------------------------------------------------------------------------------------------

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if not batch.tasks:
            return []
        if batch.mode == "read":
            return self._read(batch, on_event)
        change = partial(self._change, on_event=on_event)
        return with_files(batch, on_event, Upload(self).bring, change, Upload(self).take_away)

    def info(self) -> HostInfo:
        if self._info is None:
            with self._said():
                # Any short question: the hello comes with its answer.
                action_id = str(uuid.uuid4())
                line = protocol.encode_action("journal", action_id, action_id)
                self._talk(protocol.Decoder(Batch(()), action_id), line, lambda event: None, 60)
        if self._info is None:
            raise TransportError(
                f"{self.address.target} did not say who it is", hint="run with -vv to see what it said"
            )
        return self._info

    def stop(self) -> None:
        """First: the runner stops after its current step. Then: the command is interrupted and the shell deleted."""
        self._stops += 1
        running, process = self._running, self._process
        if running is None:
            return
        threading.Thread(target=self._stop, args=(running, process, self._stops), daemon=True).start()

    def close(self) -> None:
        self._drop()
        self._connection.close()

    # --- reads and changes -----------------------------------------------------------------------------------------

    def _read(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
        for left in reversed(range(READ_TRIES)):
            try:
                with self._said():
                    return self._asked(batch, on_event).finish()
            except TransportError as error:
                # A read may be sent again whatever became of it, but a refusal or a wrong password stays what it is.
                if error.executed == "no" or not left or self._stops:
                    raise
                self._drop()
        raise AssertionError("unreachable")

    def _change(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
        batch_id = str(uuid.uuid4())
        line = _line(batch, batch_id)
        decoder = protocol.Decoder(batch, batch_id)
        sent = False
        try:
            with self._said():
                self._ensure()
                sent = True
                self._talk(decoder, line, on_event, batch.deadline_s)
                return decoder.finish()
        except TransportError as error:
            if not sent or (error.executed == "no" and not decoder.accepted):
                raise
            self._drop()
            journal = self._journal(batch_id)
            replies = {**dict(_journalled(journal or (), {t.id for t in batch.tasks})), **decoder.replies()}
            # The shell is gone, so what did not arrive by now never will: no journal means that nothing began.
            began = journal is None or bool(journal) or decoder.accepted
            raise TransportError(
                error.message,
                executed="unknown" if began else "no",
                hint=error.hint or "run plan to see what is left",
                replies=replies,
            ) from error

    # --- files that a batch needs: what an upload asks for ----------------------------------------------------------

    @property
    def most(self) -> int:
        """Bytes that one Send may carry; fewer once the host has refused that many."""
        return self._most

    def ask(self, decoder: protocol.Decoder, line: bytes) -> None:
        self._talk(decoder, line, lambda event: None, 600, files=True)

    def put(self, data: bytes) -> None:
        with self._in_process() as process:
            self._send(process, data, False)

    def hear(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None:
        with self._in_process() as process:
            self._receive(process, decoder, lambda event: None, time.monotonic() + ANSWER_S, False, until)

    def give_up(self) -> bool:
        """What the shell does is dropped; whether nothing more is to be tried."""
        self._drop()
        return bool(self._stops)

    def wait(self, seconds: float) -> None:
        self._sleep(seconds)

    @contextmanager
    def _in_process(self) -> Iterator[_Process]:
        """The one that has begun to take a file; any fault ends it."""
        process = self._process
        if self._stops or process is None:
            raise WireFault("lost", "stopped" if self._stops else "PowerShell on the host ended")
        try:
            yield process
            process.used = time.monotonic()
        except WireFault:
            self._process_lost()
            raise

    def _asked(self, batch: Batch, on_event: Callable[[Event], None]) -> protocol.Decoder:
        batch_id = str(uuid.uuid4())
        decoder = protocol.Decoder(batch, batch_id)
        self._talk(decoder, _line(batch, batch_id), on_event, batch.deadline_s)
        return decoder

    def _journal(self, batch_id: str) -> Sequence[Mapping[str, Any]] | None:
        """What the host wrote down about a batch; None if that cannot be had."""
        action_id = str(uuid.uuid4())
        decoder = protocol.Decoder(Batch(()), action_id)
        try:
            self._talk(decoder, protocol.encode_action("journal", batch_id, action_id), lambda event: None, 60)
        except WireFault:
            return None
        return decoder.journal if decoder.ended else None

    # --- the conversation ------------------------------------------------------------------------------------------

    def _talk(
        self,
        decoder: protocol.Decoder,
        line: bytes,
        on_event: Callable[[Event], None],
        deadline_s: float,
        *,
        files: bool = False,
    ) -> None:
        """Send a line and receive until its end. `files`: the runner needs its half that takes them.
        Raises WireFault."""
        process = self._ensure()
        first = b"" if process.loaded else protocol.source_line(self._allow, hold=True)
        if files and not process.takes_files:
            first += protocol.staging_line(self._allow, hold=True)
        self._running = None if files else decoder.batch_id
        try:
            unsure = self._send(process, first + line, decoder.batch.mode == "change")
            process.loaded = True
            process.takes_files = process.takes_files or files
            self._receive(process, decoder, on_event, time.monotonic() + deadline_s + 60, unsure)
        except WireFault:
            self._process_lost()
            raise
        finally:
            self._running = None
            process.used = time.monotonic()
            self._info = decoder.info or self._info

    def _send(self, process: _Process, data: bytes, change: bool) -> bool:
        """Whether it is unsure that all of it arrived."""
        at = 0
        while at < len(data):
            try:
                self._connection.send(process.shell, process.command, data[at : at + self._most], False)
                at += self._most
            except WireFault as fault:
                if fault.kind == "too_large" and self._most > 10_000:
                    self._most //= 2  # nothing of it was delivered (winrm 3.2)
                    continue
                if change and fault.kind in ("timed_out", "lost") and at + self._most >= len(data):
                    return True  # it may have arrived: the answer tells, sending it again could run it twice
                raise
        return False

    def _receive(
        self,
        process: _Process,
        decoder: protocol.Decoder,
        on_event: Callable[[Event], None],
        deadline: float,
        unsure: bool,
        until: Callable[[], bool] | None = None,
    ) -> None:
        faults, doubts = int(unsure), 0
        until = until or (lambda: decoder.ended)
        while not (until() or decoder.refusal):
            if time.monotonic() > deadline:
                raise WireFault("lost", f"{self.address.target} did not end the batch in time")
            try:
                out, err, _, done = self._connection.receive(process.shell, process.command)
            except WireFault as fault:
                if fault.kind == "timed_out":
                    # Normal: the step that runs has nothing to say yet. But an answer may have been lost with the
                    # connection, the last one included; then nothing more will come.
                    doubts += bool(faults)
                    if doubts < 2 or self._still_runs(decoder.batch_id):
                        continue
                    raise WireFault("lost", f"an answer of {self.address.target} was lost") from fault
                faults += 1
                broken = fault.kind in ("lost", "refused", "connect", "protocol")
                if broken and faults < RECEIVE_TRIES and decoder.batch.mode == "change":
                    # The batch goes on over there; shells belong to users, not to connections (winrm 3.5).
                    self._sleep(min(15.0, 0.5 * 2**faults))
                    continue
                raise
            faults = doubts = 0
            if err:
                self._trace(f"stderr: {err[:500].decode('utf-8', 'replace')}")
            for event in decoder.feed(out):
                on_event(event)
            if done:
                decoder.close()
                self._process_lost()
                return

    def _ensure(self) -> _Process:
        """The process that runs, or a new one: after a minute's silence all is built anew."""
        if self._process is not None and time.monotonic() - self._process.used > IDLE_S:
            self._drop()
        if self._process is None:
            shell = self._opened()
            self._process = _Process(shell, self._started(shell), used=time.monotonic())
        return self._process

    def _started(self, shell: str) -> str:
        command, *arguments = protocol.COMMAND
        words = (*arguments, "-EncodedCommand", protocol.bootstrap())
        try:
            started = self._connection.start(shell, command, words)
        except WireFault as fault:
            # Without input nothing can have run: a new shell and once more (winrm 5.1).
            with suppress(WireFault):
                self._deleted(shell)
            if fault.kind not in ("timed_out", "lost", "quota"):
                raise
            shell = self._opened()
            started = self._connection.start(shell, command, words)
        self.processes += 1
        return started

    def _opened(self) -> str:
        """A new shell; what an earlier run left open on this host goes."""
        shell = self._connection.open_shell()
        if self._shells is not None:
            for left in self._shells.leftovers(self.address.endpoint):
                with suppress(WireFault):
                    self._connection.delete(left)
            self._shells.opened(self.address.endpoint, shell)
        return shell

    def _deleted(self, shell: str) -> None:
        if self._shells is not None:
            self._shells.closed(self.address.endpoint, shell)
        self._connection.delete(shell)

    def _process_lost(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(WireFault):
                self._deleted(process.shell)

    def _drop(self) -> None:
        """End the process and the shell; what goes wrong with that is the host's idle timeout's."""
        process, self._process = self._process, None
        if process is None:
            return
        if time.monotonic() - process.used > IDLE_S:
            self._connection.rebuild()
        with suppress(WireFault):
            self._connection.signal(process.shell, process.command)
        with suppress(WireFault):
            self._deleted(process.shell)

    # --- stopping --------------------------------------------------------------------------------------------------

    def _stop(self, batch_id: str, process: _Process | None, times: int) -> None:
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
            other._talk(protocol.Decoder(Batch(()), action_id), line, lambda event: None, 30)
        other.close()

    def _still_runs(self, batch_id: str) -> bool:
        """Whether the journal's last word on a batch is that a step began. Asked by way of another shell."""
        other = self._another()
        journal = other._journal(batch_id)
        other.close()
        return bool(journal) and journal is not None and journal[-1].get("at") == "before"

    def _another(self) -> WinRM:
        return WinRM(
            self.address,
            allow=self._allow,
            guard=self._guard,
            on_wire=self._on_wire,
            sleep=self._sleep,
            receive_s=self._receive_s,
            shells=self._shells,
        )

    def _connected(self) -> Connection:
        return Connection(self.address, self._guard, self._on_wire, self._sleep, receive_s=self._receive_s)

    def _trace(self, text: str) -> None:
        if self._on_wire is not None:
            self._on_wire(f"{self.address.name}: {text}")

    def _said(self) -> _Said:
        return _Said()


class _Said:
    """A WireFault leaves as a TransportError."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, WireFault):
            raise TransportError(error.text, executed=error.executed, hint=HINTS.get(error.kind, "")) from error


def _line(batch: Batch, batch_id: str) -> bytes:
    try:
        return protocol.encode_batch(batch, batch_id)
    except protocol.LineTooLongError as error:
        raise TransportError(str(error), hint="split the playbook, or use --limit") from error


def _journalled(entries: Sequence[Mapping[str, Any]], known: set[str]) -> list[tuple[str, Reply]]:
    found = []
    for entry in entries:
        if entry.get("at") == "after" and entry.get("step") in known:
            failure = () if entry.get("ok") else (Failure(str(entry.get("error") or "Failed"), message="see the host"),)
            found.append((str(entry["step"]), Reply(failures=failure)))
    return found
