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

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.absence import Absence
from hvctl.winrm.connection import Address, Connection, CredentialGuard, Patience
from hvctl.winrm.faults import HINTS, WireFault
from hvctl.winrm.journal import brief, journalled, not_begun
from hvctl.winrm.leftovers import OpenShells
from hvctl.winrm.staging import with_files
from hvctl.winrm.upload import Upload

__all__ = ["Address", "CredentialGuard", "Patience", "WinRM"]

CHUNK = 370_000
"""Bytes per Send: with base64 and the envelope this fits MaxEnvelopeSizekb 500 (winrm 3.2)."""
READ_TRIES = 3
SILENCE = 4
"""So many Receives without an answer, or half as many after a fault, and the process is asked whether it is idle."""
ANSWER_S = 60
"""How long the host may take to write some megabytes and say so."""


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
        patience: Patience = Patience(),  # noqa: B008  frozen
        shells: OpenShells | None = None,
    ) -> None:
        self.address = address
        self.processes = 0
        self._allow = allow
        self._guard = guard or CredentialGuard()
        self._on_wire = on_wire
        self._sleep = sleep
        self._patience = patience
        self._shells = shells
        self._unclosed: list[str] = []
        self._broken_off: list[str] = []
        self._ended = True
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
        self._sweep()
        self._connection.close()

    # --- reads and changes -----------------------------------------------------------------------------------------

    def _read(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
        for left in reversed(range(READ_TRIES)):
            try:
                with self._said():
                    replies = self._asked(batch, on_event).finish()
                    self._tell_broken_off(on_event)
                    return replies
            except TransportError as error:
                # A read may be sent again whatever became of it, but a refusal or a wrong password stays what it is.
                if error.executed == "no" or not left or self._stops:
                    raise
                self._drop()
        raise AssertionError("unreachable")

    def _change(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
        batch_id = str(uuid.uuid4())
        line = _line(batch, batch_id)
        decoder = protocol.Decoder(batch, batch_id, self._info.computer if self._info else "")
        try:
            with self._said():
                self._talk(decoder, line, on_event, batch.deadline_s)
                return decoder.finish()
        except TransportError as error:
            if error.executed == "no" and not decoder.accepted and not decoder.duplicate:
                raise
            self._drop()
            return self._retold(error, decoder, on_event)
        finally:
            self._note_batch("")

    def _retold(
        self, error: TransportError, decoder: protocol.Decoder, on_event: Callable[[Event], None]
    ) -> list[Reply]:
        """What became of changes whose answer was lost: the journal tells. Raises the error, unless all is known."""
        tasks = [t.id for t in decoder.batch.tasks]
        journal = self._journal(decoder.batch_id)
        replies = {**journalled(journal or (), tasks), **decoder.replies()}
        if journal is not None and set(replies) == set(tasks):
            on_event(Event("notice", text=f"{error.message}; the host's journal tells how every step ended"))
            return [replies[t] for t in tasks]
        if journal is not None and self._ended:
            # Nothing runs over there any more, and it writes down a step before it begins it.
            replies |= not_begun(journal, tasks)
        # The shell is gone, so what did not arrive by now never will: no journal means that nothing began.
        began = journal is None or bool(journal) or decoder.accepted or not self._ended
        raise TransportError(
            error.message,
            executed="unknown" if began else "no",
            hint=error.hint or "run plan to see what is left",
            replies=replies,
        ) from error

    def _tell_broken_off(self, on_event: Callable[[Event], None]) -> None:
        """What a run that was killed had changed on this host."""
        while self._broken_off:
            journal = self._journal(self._broken_off.pop())
            if journal:
                on_event(Event("notice", text=f"an earlier apply was broken off here: {brief(journal)}"))

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
        for _ in range(READ_TRIES):
            action_id = str(uuid.uuid4())
            decoder = protocol.Decoder(Batch(()), action_id)
            with suppress(WireFault):
                self._talk(decoder, protocol.encode_action("journal", batch_id, action_id), lambda event: None, 60)
            if decoder.ended and not decoder.gap:
                return decoder.journal
            self._drop()
        return None

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
        self._running = None if files else decoder.batch_id
        try:
            for left in reversed(range(READ_TRIES)):
                try:
                    process, unsure = self._delivered(line, decoder, files)
                    self._receive(process, decoder, on_event, time.monotonic() + deadline_s + 60, unsure)
                except WireFault as fault:
                    self._process_lost()
                    if not left or self._stops or fault.kind != "undelivered" or not self._ended:
                        raise
                    continue
                if decoder.mangled and left:
                    # The host got something else than was sent, and ran nothing of it.
                    self._process_lost()
                    decoder.refusal = None
                    continue
                return
        finally:
            self._running = None
            if self._process is not None:
                self._process.used = time.monotonic()
            self._info = decoder.info or self._info

    def _delivered(self, line: bytes, decoder: protocol.Decoder, files: bool) -> tuple[_Process, bool]:
        """The process that has the line, and whether it is unsure that all of it arrived. Raises WireFault: "undelivered"
        if surely not all of it did, so that it runs nothing and a new process may have it."""
        change = decoder.batch.mode == "change"
        process = self._ensure()
        first = b"" if process.loaded else protocol.source_line(self._allow, hold=True)
        if files and not process.takes_files:
            first += protocol.staging_line(self._allow, hold=True)
        if change:
            self._note_batch(decoder.batch_id)
        try:
            unsure = self._send(process, first + line, change)
        except WireFault as fault:
            if fault.executed == "no":
                raise
            raise WireFault("undelivered", fault.text, fault.code) from fault
        process.loaded = True
        process.takes_files = process.takes_files or files
        return process, unsure

    def _send(self, process: _Process, data: bytes, change: bool) -> bool:
        """Whether it is unsure that all of it arrived. Raises WireFault: surely not all of it did."""
        at = 0
        while at < len(data):
            try:
                self._connection.send(process.shell, process.command, data[at : at + self._most], False)
                at += self._most
            except WireFault as fault:
                if fault.kind == "too_large" and self._most > 10_000:
                    self._most //= 2  # nothing of it was delivered (winrm 3.2)
                    continue
                if change and fault.kind in ("timed_out", "lost", "protocol") and at + self._most >= len(data):
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
        absence = Absence(self.address.target, self._patience.back, self._sleep, on_event)
        silent, doubt = 0, unsure
        probes: list[protocol.Decoder] = []
        until = until or (lambda: decoder.ended)
        while not (until() or decoder.refusal):
            answered = [probe for probe in probes if probe.ended]
            if answered:
                # The process is through with what was sent before: it ended, or never got the batch.
                if decoder.accepted or decoder.gap or answered[0].journal or decoder.batch.mode == "read":
                    raise WireFault("lost", f"an answer of {self.address.target} was lost")
                raise WireFault("undelivered", f"the batch did not reach PowerShell on {self.address.target}")
            if time.monotonic() > deadline:
                raise WireFault("lost", f"{self.address.target} did not end the batch in time")
            try:
                out, err, _, done = self._connection.receive(process.shell, process.command)
            except WireFault as fault:
                if fault.kind != "timed_out":
                    doubt, fault.delivered = True, True
                    if decoder.batch.mode == "change" and not self._stops and absence.bearable(fault):
                        continue
                    if fault.kind == "gone":
                        absence.over()
                    raise
                # Normal: the step that runs has nothing to say yet. Or the last answer was lost with a connection.
                absence.over()
                silent += 1
                if silent >= (SILENCE // 2 if doubt else SILENCE) * 2 ** len(probes):
                    # Again, but ever more seldom: a question may be lost too, and waits while a step runs.
                    probes += self._probed(process, decoder.batch_id)
                continue
            absence.over()
            silent, doubt = 0, False
            if err:
                self._trace(f"stderr: {err[:500].decode('utf-8', 'replace')}")
            for event in decoder.feed(out):
                on_event(event)
            for probe in probes:
                probe.feed(out)
            if done:
                decoder.close()
                self._process_lost()
                return

    def _probed(self, process: _Process, batch_id: str) -> list[protocol.Decoder]:
        """Ask for the journal of a batch behind the batch itself: lines are dealt with in their order, so that the
        answer says that the process is through with it, or never got it. Empty if it could not be asked."""
        probe = str(uuid.uuid4())
        try:
            line = protocol.encode_action("journal", batch_id, probe)
            self._connection.send(process.shell, process.command, line, False)
        except WireFault as fault:
            if fault.kind == "gone":
                fault.delivered = True
                raise
            return []
        return [protocol.Decoder(Batch(()), probe)]

    def _ensure(self) -> _Process:
        """The process that runs, or a new one: after a minute's silence all is built anew."""
        if self._process is not None and time.monotonic() - self._process.used > self._patience.idle:
            self._drop()
        if self._process is None:
            try:
                shell = self._opened()
                self._process = _Process(*self._started(shell), used=time.monotonic())
            except WireFault as fault:
                # Whatever became of a shell that nothing was sent to: nothing ran.
                if fault.executed == "no":
                    raise
                raise WireFault("unopened", fault.text, fault.code) from fault
        return self._process

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
        self.processes += 1
        return shell, started

    def _opened(self) -> str:
        """A new shell; what an earlier run left open on this host goes, and what this one could not close."""
        shell = self._connection.open_shell()
        if self._shells is not None:
            left = self._shells.leftovers(self.address.endpoint)
            self._shells.opened(self.address.endpoint, shell)
            self._unclosed += [one.shell for one in left]
            self._broken_off += [one.batch for one in left if one.batch]
        self._sweep()
        return shell

    def _sweep(self) -> None:
        for shell in dict.fromkeys(self._unclosed):
            self._deleted(shell)

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
            self._shells.closed(self.address.endpoint, shell)
        return True

    def _note_batch(self, batch_id: str) -> None:
        """For the next run, should this one be killed."""
        if self._shells is not None and self._process is not None:
            self._shells.opened(self.address.endpoint, self._process.shell, batch_id)

    def _process_lost(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self._ended = self._deleted(process.shell)

    def _drop(self) -> None:
        """End the process and the shell; what goes wrong with that is the host's idle timeout's."""
        process = self._process
        if process is None:
            return
        if time.monotonic() - process.used > self._patience.idle:
            self._connection.rebuild()
        with suppress(WireFault):
            self._connection.signal(process.shell, process.command)
        self._process_lost()

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
