"""Leases on the hosts of units: taken on all of them in one order, checked with each batch, given back at the end.

Two applies that want the same hosts ask for them in the same order, so that one of them gets all; the other is refused, and
waits for nothing."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from hvctl.call import Batch, Lease, Transport, TransportError
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.fleet.hosts import Hear, Hosts, Task, own
from hvctl.winrm.protocol import client_name

LASTS_S = 900
"""So long a lease outlives whoever has it."""
RENEWED_S = 300


def holder() -> str:
    """This run, for people and for the next run on this machine."""
    return f"{client_name()}:{os.getpid()}"


def is_gone(owner: str) -> bool:
    """Whether that run was on this machine and is there no more. A process has one apply at a time, and an earlier one of its
    own, or of its number, is over."""
    client, _, pid = owner.rpartition(":")
    if client != client_name() or not pid.isdecimal():
        return False
    if int(pid) == os.getpid():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


@dataclass
class Leases:
    """Of one apply. `held`: the hosts that are taken; `busy`: those that a batch runs on, which renews its own."""

    hosts: Hosts
    owner: str = field(default_factory=holder)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    held: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    _one: threading.Lock = field(default_factory=threading.Lock)

    def of(self, host: str) -> Lease | None:
        """What goes along with a batch."""
        return Lease(self.id, seconds=LASTS_S, owner=self.owner) if host in self.held else None

    def take(self, plans: Mapping[str, Plan]) -> dict[str, TransportError]:
        """On all these hosts, one after the other, in the order of what they are and not of how an inventory calls them.
        Why not, by the host that refused; then none is kept."""
        names = sorted(plans, key=lambda host: (plans[host].info.computer.casefold(), host))
        for host in names:
            error = self._asked(host, Lease(self.id, "take", LASTS_S, self.owner))
            if error is not None and error.holder[0] and is_gone(error.holder[1]):
                error = self._asked(host, Lease(self.id, "take", LASTS_S, self.owner, over=error.holder[0]))
            if error is not None:
                self.release(names)
                return {host: error}
            self.held.add(host)
        return {}

    def cleared(self, host: str, error: TransportError | None) -> bool:
        """Whether it was refused for what a run of this machine left that is gone, and is open now."""
        if error is None or not error.holder[0] or not is_gone(error.holder[1]):
            return False
        taken = self._run(host, Lease(self.id, "take", LASTS_S, self.owner, over=error.holder[0]))
        return taken is None and self._run(host, Lease(self.id, "release")) is None

    def release(self, hosts: Collection[str] | None = None) -> None:
        """Where that does not arrive, they run out."""
        for host in sorted(self.held if hosts is None else self.held & set(hosts)):
            self._asked(host, Lease(self.id, "release"))
            self.held.discard(host)

    def begins(self, hosts: Sequence[str]) -> None:
        with self._one:
            self.busy |= {*hosts}

    def ends(self, host: str) -> None:
        with self._one:
            self.busy.discard(host)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """While it is open, what is idle is renewed."""
        over = threading.Event()
        thread = threading.Thread(target=self._keep, args=(over,), daemon=True) if self.held else None
        with suppress(RuntimeError):  # no more threads: then they last as long as they last
            if thread is not None:
                thread.start()
        try:
            yield
        finally:
            over.set()
            if thread is not None and thread.ident is not None:
                thread.join()

    def _keep(self, over: threading.Event) -> None:
        while not over.wait(RENEWED_S):
            self.renew()

    def renew(self) -> None:
        for host in sorted(self.held):
            with self._one:
                if host not in self.busy and not self.hosts.stop.asked:
                    self._run(host, Lease(self.id, "keep", LASTS_S, self.owner))

    def _asked(self, host: str, lease: Lease) -> TransportError | None:
        """Followed as any other work on a host, so that a stop ends it."""
        task: Task = partial(self._task, host, lease)
        done = self.hosts.each("taking" if lease.do == "take" else "giving back", [(host, own(Outcome(host), task))],
                               keep=lambda outcome: lease.do == "take")  # fmt: skip
        if host not in done:
            return TransportError("stopped before it was taken")
        return done[host].error

    def _task(self, host: str, lease: Lease, on_event: Hear) -> Outcome:
        return Outcome(host, error=self._run(host, lease))

    def _run(self, host: str, lease: Lease) -> TransportError | None:
        transport: Transport = self.hosts.transport(host)
        try:
            transport.run(Batch((), "change", 60, lease))
        except TransportError as error:
            return error
        return None
