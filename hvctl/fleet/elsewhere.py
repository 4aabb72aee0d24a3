"""Hosts that workers on other machines read: each read is a task for a `concurrent.futures.Executor`, and what comes back is
what a connection from here would have said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from dataclasses import dataclass, field
from uuid import uuid4

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.config.connection import Connection
from hvctl.fleet.connect import Wire
from hvctl.fleet.errand import Answer, Errand, Versions
from hvctl.fleet.worker import carried_out

TICK_S = 0.25
STOPPED = "hvctl was stopped"
Carry = Callable[[str], str]
"""What a worker does with an errand's text; a function that it can import."""


def _silent(event: Event) -> None:
    """Nobody hears what goes on elsewhere."""


@dataclass
class Elsewhere:
    """`executor`: of the worker of that name, or of any where it is "". `holds`: whether a text holds a secret that is
    known here. `trouble`: why nothing is to be expected from that worker, "" if all is well; asked again and again.
    `say`: hears of hosts that are read a second time."""

    executor: Callable[[str], Executor]
    holds: Callable[[str], bool]
    trouble: Callable[[str], str] = lambda worker: ""
    say: Callable[[str], None] = lambda text: None
    run: str = field(default_factory=lambda: uuid4().hex)
    versions: Versions = field(default_factory=Versions.here)
    _begun: dict[str, str] = field(default_factory=dict)
    """The worker by the id of an errand that is under way."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, connection: Connection, wire: Wire) -> Sent:
        """As `real_connect`; nothing is opened here."""
        return Sent(self, connection)

    def answer(
        self, connection: Connection, batch: Batch | None, carry: Carry, stopped: Callable[[], bool] = lambda: False
    ) -> str:
        """What the worker said. Raises TransportError."""
        name = connection.name
        errand = Errand(uuid4().hex, self.run, self.versions, connection, batch)
        try:
            text = errand.text
        except TypeError as error:
            raise TransportError(
                f"what would be sent for {name} has a secret in it, and none is sent to a scheduler",
                hint="read this host without --executor",
            ) from error
        if self.holds(text):
            raise TransportError(
                f"what would be sent for {name} holds the text of a secret that is known here, and none is sent to a scheduler",
                hint="read this host without --executor, or take the secret out of names and paths",
            )
        try:
            worker = connection.worker or ""
            return self._waited(self._submitted(carry, text, worker), stopped, worker)
        finally:
            with self._lock:
                self._begun.pop(errand.id, None)

    def begun(self, errand: str, host: str, worker: str) -> None:
        """A worker took it; the second one did because the first is gone."""
        with self._lock:
            before = self._begun.get(errand)
            self._begun[errand] = worker
        if before is not None:
            self.say(f"{host}: read again by worker {worker}; worker {before}, which was reading it, is gone")

    def _submitted(self, carry: Carry, text: str, worker: str) -> Future[str]:
        if why := self.trouble(worker):
            raise self._gone(why)
        try:
            return self.executor(worker).submit(carry, text)
        except Exception as error:
            raise self._gone(self.trouble(worker) or f"the task was not taken ({type(error).__name__})") from error

    def _gone(self, why: str) -> TransportError:
        """Where nobody is left to ask anything, that says nothing about a host."""
        return TransportError(why, unasked=bool(self.trouble("")))

    def _waited(self, future: Future[str], stopped: Callable[[], bool], worker: str) -> str:
        while True:
            try:
                return future.result(timeout=TICK_S)
            except CancelledError:
                why = STOPPED if stopped() else self.trouble(worker) or "the task was cancelled"
                raise self._gone(why) from None
            except TimeoutError:
                if future.done():
                    continue
                if why := STOPPED if stopped() else self.trouble(worker):
                    gone = self._gone(why)
                    if not gone.unasked:  # else there is nobody to cancel it, whose answer dask would wait for
                        future.cancel()
                    raise gone from None
            except Exception as error:
                raise TransportError(_failed(error)) from error


def _failed(error: Exception) -> str:
    """What dask raises by itself: a task has no exceptions of its own."""
    if type(error).__name__ == "KilledWorker":
        return "every worker that read it was gone before it had an answer"
    return f"the workers' scheduler failed it ({type(error).__name__})"


class Sent:
    """A Transport whose other end is a worker."""

    def __init__(self, elsewhere: Elsewhere, connection: Connection) -> None:
        self._elsewhere, self._connection = elsewhere, connection
        self._info: HostInfo | None = None
        self._requests = 0
        self._stopped = False

    def run(self, batch: Batch, on_event: Callable[[Event], None] = _silent) -> list[Reply]:
        """Raises TransportError, also for changes: a task may run more than once."""
        if batch.mode != "read":
            raise TransportError(
                "workers elsewhere only read: a task may run more than once", hint="run without --executor"
            )
        return list(self._asked(batch).replies)

    @property
    def requests(self) -> int:
        return self._requests

    def info(self) -> HostInfo:
        info = self._info or self._asked(None).info
        if info is None:
            raise TransportError("the worker did not say who answered")
        return info

    def stop(self) -> None:
        """A read is broken off; what a worker is about ends by itself, and is thrown away."""
        self._stopped = True

    def close(self) -> None:
        """The worker has closed its connection."""

    def _asked(self, batch: Batch | None) -> Answer:
        said = self._elsewhere.answer(self._connection, batch, carried_out, lambda: self._stopped)
        answer = Answer.read(said)
        self._requests += answer.requests
        if answer.error is not None:
            raise answer.error
        self._info = answer.info
        return answer
