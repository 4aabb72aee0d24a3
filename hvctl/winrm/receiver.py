"""Receives until an answer is whole: silence is borne, absence waited out, and a lost answer found out by asking."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from hvctl.call import Batch, Event
from hvctl.winrm import protocol
from hvctl.winrm.absence import Absence
from hvctl.winrm.connection import Connection
from hvctl.winrm.faults import WireFault
from hvctl.winrm.meter import Gauge
from hvctl.winrm.powershell import Process

SILENCE = 4
"""So many Receives without an answer, or half as many after a fault, and the process is asked whether it is idle."""


@dataclass(frozen=True)
class Receiver:
    """`back`: how many seconds a host may be away in the middle of changes. `stopped`: whether nothing is begun any
    more; `left`: whether changes that run are followed no longer. `trace`: hears what PowerShell writes to stderr."""

    connection: Connection
    back: float
    sleep: Callable[[float], None]
    stopped: Callable[[], bool]
    trace: Callable[[str], None]
    left: Callable[[], bool] = lambda: False

    def receive(
        self,
        process: Process,
        decoder: protocol.Decoder,
        on_event: Callable[[Event], None],
        deadline: float,
        unsure: bool,
        until: Callable[[], bool] | None = None,
    ) -> bool:
        """Whether the process ended with it. `unsure`: of whether the line arrived. Raises WireFault."""
        target = self.connection.address.target
        gauge = Gauge(target, self.connection.address.limits)
        changes = decoder.batch.mode == "change"
        absence = Absence(target, self.back, self.sleep, on_event, changes)
        silent, doubt = 0, unsure
        probes: list[protocol.Decoder] = []
        until = until or (lambda: decoder.ended)
        while not (until() or decoder.refusal):
            self._unless_stopped(decoder.batch)
            answered = [probe for probe in probes if probe.ended]
            if answered:
                # The process is through with what was sent before: it ended, or never got the batch.
                if decoder.accepted or decoder.gap or answered[0].journal or decoder.batch.mode == "read":
                    raise WireFault("lost", f"an answer of {target} was lost")
                raise WireFault("undelivered", f"the batch did not reach PowerShell on {target}")
            if time.monotonic() > deadline:
                raise WireFault("lost", f"{target} did not end the batch in time")
            try:
                out, err, _, done = absence.borne(lambda: self._asked(process, decoder.batch))
            except WireFault as fault:
                if fault.kind != "timed_out":
                    raise
                # Normal: the step that runs has nothing to say yet. Or the last answer was lost with a connection.
                doubt = doubt or absence.struck
                silent += 1
                if silent >= (SILENCE // 2 if doubt else SILENCE) * 2 ** len(probes):
                    # Again, but ever more seldom: a question may be lost too, and waits while a step runs.
                    probes += self._probed(process, decoder.batch_id)
                continue
            silent, doubt = 0, False
            if err:
                self.trace(err[:500].decode("utf-8", "replace"))
            gauge.take(out)
            for event in decoder.feed(out):
                on_event(event)
            gauge.count(decoder.rows)
            for probe in probes:
                probe.feed(out)
            if done:
                decoder.close()
                return True
        return False

    def _asked(self, process: Process, batch: Batch) -> tuple[bytes, bytes, int, bool]:
        self._unless_stopped(batch)
        try:
            return self.connection.receive(process.shell, process.command)
        except WireFault as fault:
            self._unless_stopped(batch)
            if fault.kind != "timed_out":
                fault.delivered = True
            raise

    def _unless_stopped(self, batch: Batch) -> None:
        """A read ends whatever the host sends; changes are followed until they are left."""
        if batch.tasks and (self.left() or (self.stopped() and batch.mode == "read")):
            raise WireFault("stopped", "stopped", delivered=True)

    def _probed(self, process: Process, batch_id: str) -> list[protocol.Decoder]:
        """Ask for the journal of a batch behind the batch itself: lines are dealt with in their order, so that the
        answer says that the process is through with it, or never got it. Empty if it could not be asked."""
        probe = str(uuid.uuid4())
        try:
            line = protocol.encode_action("journal", batch_id, probe)
            self.connection.send(process.shell, process.command, line, False)
        except WireFault as fault:
            if fault.kind == "gone":
                fault.delivered = True
                raise
            return []
        return [protocol.Decoder(Batch(()), probe)]
