"""The hosts of a run: their connections, and what is done to many of them side by side."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from rich.console import Console

from hvctl.call import Event, Transport, TransportError, defect
from hvctl.config.prepare import HostWork
from hvctl.core.apply import Report, broken_off, not_begun
from hvctl.core.outcome import Outcome
from hvctl.core.resource import Index
from hvctl.fleet.connect import Connect, Wire
from hvctl.fleet.forks import LINGER_S, SideBySide
from hvctl.fleet.showing import Showing
from hvctl.fleet.stop import Stop
from hvctl.fleet.turns import Turns
from hvctl.fleet.watching import Watched
from hvctl.fleet.workers import Forwarded, Say
from hvctl.redaction.streams import traced
from hvctl.show.progress import Progress
from hvctl.text.diagnostic import ConfigError
from hvctl.text.duration import spoken
from hvctl.text.state import state_folder
from hvctl.winrm.connection import CredentialGuard
from hvctl.winrm.leftovers import OpenShells

Hear = Callable[[Event], None]
Task = Callable[[Hear], Outcome]
T = TypeVar("T")
APPLYING, READING = "applying", "reading"
_OF_STEPS = frozenset({"start", "progress", "done", "skipped"})
Question = Callable[[str, Transport], T]
"""Something that is asked of a host, by its name, over its transport. Raises TransportError."""


class Hosts:
    """`err`: for progress and warnings. `texts`: of the steps that an apply runs, by host and task."""

    def __init__(
        self,
        work: Sequence[HostWork],
        connect: Connect,
        wire: Wire,
        err: Console,
        showing: Showing,
        stop: Stop,
        *,
        forks: int,
        verbose: int,
        most: int = 0,
    ) -> None:
        self.work = {w.name: replace(w, desired=w.desired.of(w.name)) for w in work}
        self.showing, self.stop, self.forks = showing, stop, forks
        self.texts: dict[str, dict[str, str]] = {}
        self.changed: dict[str, Report] = {}
        """What became of the steps on hosts that are looked at again."""
        self.transports: dict[str, Transport] = {}
        self.once = False
        """Whether each host is asked once: then nothing of its connection is kept when it is closed."""
        self.turns = Turns(self.work)
        self.most = most
        """Hosts at a time, where they are only looked at and nobody has said how many."""
        self._requests: dict[str, int] = {}
        """Of connections that are not kept."""
        self.watched = Watched(forks)
        self._connect, self._wire = connect, wire
        self._err, self._verbose = err, verbose
        self._progress: Callable[[], Progress | Forwarded] = lambda: Progress(err, self.texts, verbose > 0)
        self._open: set[str] = set()
        """Hosts that something may be open to."""
        self._followed: dict[str, TransportError] = {}
        """Hosts that were being changed after a stop was asked for, each with what was known of it last."""

    def revise(self, name: str, revised: Callable[[Index], Index]) -> None:
        """From now on, another desired state of a host."""
        self.work[name] = replace(self.work[name], desired=revised(self.work[name].desired))

    def told(self, name: str) -> None:
        """All that is desired of a host is known by now, and nothing is done about it."""
        self.work[name].desired.rest()
        self.work[name] = replace(self.work[name], desired=Index(host=name))

    def alone(self, names: Sequence[str], forks: int, guard: CredentialGuard, say: Say) -> None:
        """In a process of its own: these hosts only, and what is told of them is told by the run."""
        self.work = {name: self.work[name] for name in names}
        self.turns = Turns(self.work)
        self.most = -(-self.most * forks // self.forks)
        self.forks = forks
        self._wire = replace(self._wire, guard=guard, shells=OpenShells(state_folder()))
        self._err = Console(quiet=True)
        self._progress = lambda: Forwarded(say)

    def transport(self, name: str) -> Transport:
        if name not in self.transports:
            self.transports[name] = self._connect(self.work[name].connection, self._wire)
        self._open.add(name)
        return self.transports[name]

    def close(self, name: str) -> None:
        if name in self._open:
            self._open.discard(name)
            try:
                self.transports[name].close()
            except Exception as error:
                traced(error)  # nothing rests on it any more
            if self.once:
                self._requests[name] = self.transports.pop(name).requests

    @property
    def requests(self) -> dict[str, int]:
        """HTTP requests, by host."""
        # A copy: after a stop there may be threads that still close theirs.
        return {**self._requests, **{name: one.requests for name, one in list(self.transports.items())}}

    def asked(self, requests: Mapping[str, int]) -> None:
        """Of connections that another process had."""
        self._requests |= requests

    def is_open(self, name: str) -> bool:
        return name in self._open

    def note(self, name: str, text: str) -> None:
        """Something about a host that is waited for."""
        self._err.print(f"{name}: {text}", soft_wrap=True)

    def close_all(self) -> None:
        closing = [(name, partial(self.close, name)) for name in sorted(self._open)]
        stop, within = (Stop(), LINGER_S) if self.stop.asked else (self.stop, None)
        for _ in SideBySide(closing, self.forks, stop, within=within):
            pass

    # --- side by side ------------------------------------------------------------------------------------------------

    def each(
        self,
        doing: str,
        work: Sequence[tuple[str, Task]],
        *,
        keep: Callable[[Outcome], bool] = lambda outcome: False,
        then: Callable[[Outcome], Sequence[tuple[str, Task]]] = lambda outcome: (),
        known: Callable[[Outcome], Outcome] = lambda outcome: outcome,
    ) -> dict[str, Outcome]:
        """What is known of each host; of those that a stop left out there is none. `keep`: whether a host stays open, for
        what comes next. `then`: what is to be done next, on whichever host, when this is known of one. `known`:
        what is kept of a host, asked as it ends."""
        found: dict[str, Outcome] = {}
        left = False
        with self._progress() as progress:
            progress.expect(name for name, _ in work)

            def hear(name: str, event: Event) -> None:
                # Of a read there is nothing to tell: its calls have no text.
                if not left and (event.kind not in _OF_STEPS or self.texts.get(name)):
                    progress.event(name, self.showing.told(event))

            def followed(name: str, task: Task) -> Outcome:
                progress.begin(name, doing)
                try:
                    outcome = task(partial(hear, name))
                finally:
                    progress.end(name)
                if keep(outcome) and not self.stop.asked:
                    kept.add(name)
                return outcome

            def finish(name: str) -> None:
                if name not in kept:
                    self.close(name)

            kept: set[str] = set()

            def jobs(work: Sequence[tuple[str, Task]]) -> list[tuple[str, Callable[[], Outcome]]]:
                return [(name, partial(followed, name, task)) for name, task in work]

            hosts = SideBySide(
                jobs(work), self.forks, self.stop, changing=self.changing, heard=self.say_stop, finish=finish,
                most=self.most if doing == READING else 0, few=self.turns.few if doing == APPLYING else None,
            )  # fmt: skip
            for name, outcome in hosts:
                # What a read that was broken off says of its host is not worth telling.
                if not (self.stop.asked and outcome.report is None and outcome.error is not None):
                    found[name] = known(outcome)
                    if more := then(outcome):
                        hosts.add(jobs(more))
            left = True
        if hosts.fewer:
            self._err.print(
                f"warning: {hosts.fewer} hosts at a time, not {self.forks}: this machine starts no more threads; "
                "see ulimit -u and -v, or use a lower --forks",
                soft_wrap=True,
            )
        return found

    def ask(
        self, doing: str, question: Question[T], names: Iterable[str] | None = None, *, keep: bool = False
    ) -> dict[str, T | TransportError]:
        """Something of every host whose configuration is right, or of some, or why it could not be had. `keep`: what was
        opened to the hosts stays open for more, if there are no more hosts than are worked on at a time. Hosts that a stop
        came before are not among them."""
        wanted = None if names is None else set(names)
        chosen = [name for name, w in self.work.items() if not w.wrong and (wanted is None or name in wanted)]
        warm = keep and len(chosen) <= self.forks
        found: dict[str, T | TransportError] = {}
        with Progress(self._err, verbose=self._verbose > 0) as progress:
            progress.expect(chosen)

            def followed(name: str) -> T | TransportError:
                progress.begin(name, doing)
                try:
                    return question(name, self.transport(name))
                except TransportError as error:
                    return error
                except ConfigError as error:
                    return TransportError(str(error))
                except Exception as error:
                    return defect(error)
                finally:
                    progress.end(name)

            jobs: list[tuple[str, Callable[[], T | TransportError]]] = [(n, partial(followed, n)) for n in chosen]
            finish = (lambda name: None) if warm else self.close
            hosts = SideBySide(
                jobs, self.forks, self.stop, changing=self.changing, heard=self.say_stop, finish=finish,
                most=0 if keep else self.most,
            )  # fmt: skip
            for name, one in hosts:
                if not (self.stop.asked and isinstance(one, TransportError)):
                    found[name] = one
        return found

    # --- stopping ----------------------------------------------------------------------------------------------------

    def changing(self, name: str) -> bool:
        """Whether there is something to follow. Asking tells the host that nothing more is to begin."""
        self.watched.stop(name)
        transport = self.transports.get(name)
        going = transport.stop() if transport is not None else None
        if going is not None:
            self._followed[name] = going
        return going is not None

    def left(self, one: Outcome) -> Outcome:
        """What is known of a host to which a stop came before its changes, in the midst of them, or after."""
        assert one.plan is not None
        changing = self.changing(one.host)
        going, known = self._followed.get(one.host), self.changed.get(one.host)
        if known is not None:
            report = replace(known, error=going if changing else known.error, stopped=True)
        else:
            report = not_begun(one.plan) if going is None else broken_off(one.plan, going)
        return replace(one, report=report, error=None)

    def say_stop(self) -> None:
        word = f"Stopping ({signal.Signals(self.stop.number).name})" if self.stop.terminated else "Interrupted"
        word = word if self.stop.times else "The time is over"
        if self.stop.over and self._followed:
            self._err.print("What still runs is left to its host.", soft_wrap=True)
        elif not self._followed:
            self._err.print(f"{word}: nothing more is begun.", soft_wrap=True)
        else:
            limit = f" for up to {spoken(self.stop.grace)}" if self.stop.terminated else ""
            self._err.print(
                f"{word}: finishing the step that runs{limit}; once more leaves it to its host.", soft_wrap=True
            )


def own(known: Outcome, task: Task) -> Task:
    """Whatever hvctl itself does wrong for a host is told as that host's trouble. `known`: what is known of it so far."""

    def done(on_event: Hear) -> Outcome:
        try:
            return task(on_event)
        except ConfigError as error:
            return replace(known, error=TransportError(str(error)))
        except Exception as error:
            return replace(known, error=defect(error))

    return done
