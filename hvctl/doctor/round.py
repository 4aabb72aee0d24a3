"""Many hosts side by side: each examined in a thread of its own, its connection closed, its trouble its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from hvctl.call import Transport, TransportError, defect
from hvctl.config.inventory import Connection
from hvctl.config.prepare import HostWork
from hvctl.doctor.evidence import Way
from hvctl.doctor.examine import examine, wanted
from hvctl.doctor.judge import Diagnosis, diagnosis
from hvctl.doctor.way import look
from hvctl.fleet.connect import Wire
from hvctl.fleet.forks import SideBySide
from hvctl.fleet.stop import Stop
from hvctl.redaction.streams import traced

ANSWER_S = 10
Connect = Callable[[Connection, Wire], Transport]


@dataclass
class Round:
    """`connect` opens a transport, `wire` is what it is given; tests swap the first, and the clock."""

    connect: Connect
    wire: Wire
    now: Callable[[], datetime]
    forks: int
    stop: Stop
    eyes: Callable[[Connection], Way] | None = None
    """What looks at the way to a host, where this machine does not."""
    most: int = 0
    """Hosts at a time, where nobody has said how many."""
    _open: dict[str, Transport] = field(default_factory=dict)

    def examined(self, work: Sequence[HostWork]) -> tuple[list[Diagnosis], int]:
        """In the order of the work, without those that a stop left out; and how many threads there were too few."""
        names = _names_of_machines(work)
        placed = (wish for one in work for wish in one.desired if wish.kind == "vm")  # a replication moves none
        linked = {host for wish in placed for host in wish.links()}
        jobs = [(one.name, partial(self._one, one, names[_machine(one)], one.name in linked)) for one in work]
        hosts = SideBySide(jobs, self.forks, self.stop, changing=self._broken_off, most=self.most)
        # What is said of a host that was broken off is not worth telling.
        found = {name: one for name, one in hosts if one.windows or not self.stop.asked}
        return [found[one.name] for one in work if one.name in found], hosts.fewer

    def _one(self, work: HostWork, names: Sequence[str], moves: bool) -> Diagnosis:
        def connected(connection: Connection) -> Transport:
            self._open[work.name] = self.connect(connection, self.wire)
            return self._open[work.name]

        try:
            needs = wanted(work.desired, names, self.forks, moves=moves)
            return diagnosis(examine(work, needs, self.eyes or self._look, connected, self.now))
        except Exception as error:
            fault = error if isinstance(error, TransportError) else defect(error)
            return Diagnosis(work.name, defect=fault.defect or fault.message)
        finally:
            if (transport := self._open.pop(work.name, None)) is not None:
                try:
                    transport.close()
                except Exception as error:
                    traced(error)  # nothing rests on it any more

    def _broken_off(self, name: str) -> bool:
        """A read ends at once, so that its shell is closed. Nothing is ever changed."""
        if (transport := self._open.get(name)) is not None:
            transport.stop()
        return False

    def _look(self, at: Connection) -> Way:
        """A host that works answers at once where nobody logs on; the inventory may want an answer sooner."""
        told = at.wiring.timeouts
        answer_s = min(ANSWER_S, told.operation + told.slack) if told else ANSWER_S
        return look(at, now=self.now, sleep=self.wire.sleep, connect_s=self.wire.patience.connect, answer_s=answer_s)


def _machine(work: HostWork) -> tuple[str, int, str]:
    at = work.connection
    return at.host.casefold(), at.port, at.user or ""


def _names_of_machines(work: Iterable[HostWork]) -> Mapping[tuple[str, int, str], list[str]]:
    found: dict[tuple[str, int, str], list[str]] = {}
    for one in work:
        found.setdefault(_machine(one), []).append(one.name)
    return found
