"""The conversation with a host's PowerShell: a line is sent, and received from until its answer ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from hvctl.call import Event, HostInfo
from hvctl.winrm import protocol
from hvctl.winrm.connection import Connection
from hvctl.winrm.faults import WireFault
from hvctl.winrm.powershell import PowerShell, Process
from hvctl.winrm.receiver import Receiver
from hvctl.winrm.retries import BATCH_TRIES, UNFIT, UNSURE, trying

CHUNK = 370_000
"""Bytes per Send: with base64 and the envelope this fits MaxEnvelopeSizekb 500 (winrm 3.2)."""
ANSWER_S = 60
"""How long the host may take to write some megabytes and say so."""


class _MangledError(Exception):
    """The host got something else than was sent, and ran nothing of it."""


class Conversation:
    """One at a time with one host; also the Line of an upload. `allow`: the cmdlets that the runner may call."""

    def __init__(
        self, connection: Connection, powershell: PowerShell, receiver: Receiver, allow: Mapping[str, str]
    ) -> None:
        self.info: HostInfo | None = None
        """Who the host says it is; every hello says it anew."""
        self.running: str | None = None
        """The batch that is being answered, which a second shell may stop."""
        self._connection = connection
        self._powershell = powershell
        self._receiver = receiver
        self._allow = allow
        self._most = CHUNK

    def talk(
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
        self.running = None if files else decoder.batch_id

        def once() -> None:
            decoder.refusal = None
            try:
                process, unsure = self._delivered(line, decoder, files)
                self._receive(process, decoder, on_event, deadline_s + 60, unsure)
            except WireFault:
                self._powershell.lost()
                raise
            if decoder.mangled:
                raise _MangledError

        def worth(error: BaseException) -> bool:
            undelivered = isinstance(error, WireFault) and error.kind == "undelivered"
            return isinstance(error, _MangledError) or (undelivered and self._powershell.ended and not self.stopped)

        try:
            with suppress(_MangledError):  # told by the decoder's refusal
                trying(worth, BATCH_TRIES, before=self._powershell.lost)(once)
        finally:
            self.running = None
            if self._powershell.process is not None:
                self._powershell.process.touch()
            self.info = decoder.info or self.info

    @property
    def stopped(self) -> bool:
        return self._receiver.stopped()

    # --- what an upload asks for -----------------------------------------------------------------------------------

    @property
    def most(self) -> int:
        """Bytes that one Send may carry; fewer once the host has refused that many."""
        return self._most

    def ask(self, decoder: protocol.Decoder, line: bytes) -> None:
        self.talk(decoder, line, lambda event: None, 600, files=True)

    def put(self, data: bytes) -> None:
        with self._in_process() as process:
            self._send(process, data, False)

    def hear(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None:
        with self._in_process() as process:
            self._receive(process, decoder, lambda event: None, ANSWER_S, False, until)

    def give_up(self) -> bool:
        """What the shell does is dropped; whether nothing more is to be tried."""
        self._powershell.drop()
        return self.stopped

    def wait(self, seconds: float) -> None:
        self._receiver.sleep(seconds)

    @contextmanager
    def _in_process(self) -> Iterator[Process]:
        """The one that has begun to take a file; any fault ends it."""
        process = self._powershell.process
        if self.stopped or process is None:
            raise WireFault("lost", "stopped" if self.stopped else "PowerShell on the host ended")
        try:
            yield process
            process.touch()
        except WireFault:
            self._powershell.lost()
            raise

    # --- a line there, its answer back -----------------------------------------------------------------------------

    def _delivered(self, line: bytes, decoder: protocol.Decoder, files: bool) -> tuple[Process, bool]:
        """The process that has the line, and whether it is unsure that all of it arrived. Raises WireFault: "undelivered"
        if surely not all of it did, so that it runs nothing and a new process may have it."""
        change = decoder.batch.mode == "change"
        process = self._powershell.ensure()
        first = b"" if process.loaded else protocol.source_line(self._allow, hold=True)
        if files and not process.takes_files:
            first += protocol.staging_line(self._allow, hold=True)
        if change:
            self._powershell.note_batch(decoder.batch_id)
        try:
            unsure = self._send(process, first + line, change)
        except WireFault as fault:
            if fault.executed == "no":
                raise
            raise WireFault("undelivered", fault.text, fault.code, hint=fault.hint, outside=fault.outside) from fault
        process.loaded = True
        process.takes_files = process.takes_files or files
        return process, unsure

    def _send(self, process: Process, data: bytes, change: bool) -> bool:
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
                if change and fault.kind in UNSURE | UNFIT and at + self._most >= len(data):
                    return True  # it may have arrived: the answer tells, sending it again could run it twice
                raise
        return False

    def _receive(
        self,
        process: Process,
        decoder: protocol.Decoder,
        on_event: Callable[[Event], None],
        within_s: float,
        unsure: bool,
        until: Callable[[], bool] | None = None,
    ) -> None:
        if self._receiver.receive(process, decoder, on_event, time.monotonic() + within_s, unsure, until):
            self._powershell.lost()
