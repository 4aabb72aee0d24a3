"""Many hosts at once: connecting, planning, applying, showing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console
from rich.text import Text

from hvctl.call import Event, Transport, TransportError, defect
from hvctl.config.inventory import Connection
from hvctl.config.prepare import HostWork
from hvctl.contract import nearest
from hvctl.core.apply import Report, broken_off, not_begun
from hvctl.core.check import Check, Verb
from hvctl.core.facts import Facts, read_batch
from hvctl.core.outcome import TROUBLE, Outcome
from hvctl.core.plan import questions
from hvctl.core.replan import First
from hvctl.core.resource import Impact, Index
from hvctl.fleet.connect import Wire
from hvctl.fleet.forks import LINGER_S, SideBySide
from hvctl.fleet.reconcile import Pause, apply_plan, plan_host
from hvctl.fleet.recording import write_recording
from hvctl.fleet.stop import Stop
from hvctl.kinds import kinds
from hvctl.redaction.redact import Redactor
from hvctl.redaction.streams import traced
from hvctl.saved import planfile
from hvctl.saved.planfile import SavedHost
from hvctl.show.data import facts_data
from hvctl.show.diff import diff_lines
from hvctl.show.plain import plain
from hvctl.show.progress import Progress
from hvctl.show.remembered import Remembered
from hvctl.show.report import report_lines
from hvctl.show.screen import print_json
from hvctl.show.summary import summary_lines
from hvctl.show.text import facts_lines, plan_lines, problem_lines, trace_lines
from hvctl.text.diagnostic import ConfigError
from hvctl.text.duration import spoken
from hvctl.text.visible import json_text

W = TypeVar("W")
Connect = Callable[[Connection, Wire], Transport]
Hear = Callable[[Event], None]
Task = Callable[[Hear], Outcome]
T = TypeVar("T")


class Run:
    """The hosts of one command and their connections; use as a context, so that all are closed."""

    def __init__(
        self,
        work: Sequence[HostWork],
        connect: Connect,
        allow: frozenset[Impact],
        out: Console,
        err: Console,
        *,
        forks: int = 16,
        verbose: int = 0,
        pause: Pause | None = None,
        now: Callable[[], datetime],
        redactor: Redactor | None = None,
        stop: Stop | None = None,
    ) -> None:
        self._work = {w.name: w for w in work}
        self._connect = connect
        self._allow = allow
        self._out, self._err = out, err
        self._forks, self._verbose = forks, verbose
        self._texts: dict[str, dict[str, str]] = {}
        self._stop = stop or Stop()
        self._pause = pause or self._stop.wait
        self._now = now
        self._started = now()
        self._transports: dict[str, Transport] = {}
        self._open: set[str] = set()
        """Hosts that something may be open to."""
        self._followed: dict[str, TransportError] = {}
        """Hosts that were being changed after a stop was asked for, each with what was known of it last."""
        self._changed: dict[str, Report] = {}
        """What became of the steps on hosts that are looked at again."""
        self._redactor = redactor or Redactor()
        self._wire = Wire(
            on_wire=self._heard if verbose >= 2 else None,
            learn=self._redactor.learn,
            left=lambda: self._stop.over,
        )

    def __enter__(self) -> Self:
        """From now on a stop is no exception: what is known is told, remembered and written."""
        self._stop.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        closing = [(name, partial(self._close, name)) for name in sorted(self._open)]
        stop, within = (Stop(), LINGER_S) if self._stop.asked else (self._stop, None)
        for _ in SideBySide(closing, self._forks, stop, within=within):
            pass

    # --- the verbs -----------------------------------------------------------------------------------------------

    def plan(self, *, warm: bool = False) -> list[Outcome]:
        """Look at every host and plan it. `warm`: what was opened to a host stays open for an apply that follows, if
        there is something to do there and there are no more hosts than are worked on at a time."""
        return self._looked(
            [(n, partial(_own, Outcome(n), self._planned, w)) for n, w in self._work.items()], warm=warm
        )

    def apply(self, outcomes: Sequence[Outcome], *, recheck: bool) -> list[Outcome]:
        """Run the plans; hosts without one stay as they are."""
        todo = {o.host: o for o in outcomes if o.plan is not None and o.plan.steps and not o.changed}
        plans = {o.host: self._told(o.plan) for o in todo.values() if o.plan is not None}
        self._texts = {host: {s.task.id: s.text for s in plan.steps} for host, plan in plans.items()}
        applied = partial(self._applied, recheck=recheck)
        done = self._each("applying", [(o.host, partial(_own, o, applied, o)) for o in todo.values()])
        left = {name: self._left(one) for name, one in todo.items() if name not in done}
        return [(done | left).get(o.host, o) for o in outcomes]

    def revise(self, name: str, revised: Callable[[Index], Index]) -> None:
        """From now on, another desired state of a host."""
        self._work[name] = replace(self._work[name], desired=revised(self._work[name].desired))

    def plan_again(self, hosts: Iterable[SavedHost]) -> list[Outcome]:
        """Look at every host and plan it from what a plan file desires; refused where that gives other steps."""
        first = {one.name: one.first for one in hosts}
        planned = {n: partial(self._planned, first=first[n]) for n in self._work}
        again = [(n, partial(_own, Outcome(n), planned[n], w)) for n, w in self._work.items()]
        return self._looked(again, warm=True)

    def save(self, outcomes: Sequence[Outcome], file: str, command: str, sealed: Callable[[str], str] = str) -> None:
        """Without those that could not be looked at; nothing if none could. `command`: applies it. `sealed`: hides
        what came encrypted."""
        saved = [(o.plan, self._work[o.host].desired) for o in outcomes if o.plan is not None]
        away = ", ".join(o.host for o in outcomes if o.plan is None)
        if not saved:
            self._err.print("No plan saved: no host could be looked at.")
            return
        planfile.save(file, saved, self._started, self._redactor, sealed)
        without = f", without {away}" if away else ""
        self._err.print(f"Plan saved{without}: {command}", markup=False, soft_wrap=True)

    def check(
        self,
        verb: Verb,
        playbooks: Sequence[str],
        outcomes: Sequence[Outcome],
        status: int,
        covers: Sequence[str] = (),
    ) -> Check:
        """All of it as one value, for whoever listens afterwards, secrets masked. `covers`: playbooks that no tags narrowed."""
        return Check(
            verb,
            tuple(playbooks),
            self._started,
            self._now(),
            self._redactor.value(tuple(outcomes)),
            status,
            {name: transport.requests for name, transport in self._transports.items()},
            {name: work.desired for name, work in self._work.items()},
            addresses=self.addresses,
            covers=tuple(covers),
            mask=self._redactor.text,
        )

    def each(
        self, doing: str, task: Callable[[str, Transport], T], names: Iterable[str] | None = None, *, keep: bool = False
    ) -> dict[str, T | TransportError]:
        """Something of every host whose configuration is right, or of some, or why it could not be had. `keep`: what was
        opened to the hosts stays open for more, if there are no more hosts than are worked on at a time. Hosts that a stop
        came before are not among them."""
        chosen = [w for w in self._work.values() if not w.wrong and (names is None or w.name in set(names))]
        warm = keep and len(chosen) <= self._forks
        found: dict[str, T | TransportError] = {}
        with Progress(self._err, verbose=self._verbose > 0) as progress:

            def followed(work: HostWork) -> T | TransportError:
                progress.begin(work.name, doing)
                try:
                    return task(work.name, self._transport(work))
                except TransportError as error:
                    return error
                except ConfigError as error:
                    return TransportError(str(error))
                except Exception as error:
                    return defect(error)
                finally:
                    progress.end(work.name)

            jobs: list[tuple[str, Callable[[], T | TransportError]]] = [(w.name, partial(followed, w)) for w in chosen]
            finish = (lambda name: None) if warm else self._close
            hosts = SideBySide(
                jobs, self._forks, self._stop, changing=self._changing, heard=self._say_stop, finish=finish
            )
            for name, one in hosts:
                if not (self._stop.asked and isinstance(one, TransportError)):
                    found[name] = one
        return found

    @property
    def addresses(self) -> dict[str, str]:
        """Where each host is looked for."""
        return {name: work.connection.host.casefold() for name, work in self._work.items()}

    def say_error(self, host: str, error: TransportError) -> None:
        self._say_error(host, error)

    def only(self) -> HostWork:
        """The host of a run that has one."""
        (work,) = self._work.values()
        return work

    def facts(self, work: HostWork, *, as_json: bool) -> int:
        facts = self._survey(work)
        if facts is None:
            return TROUBLE
        if as_json:
            print_json(self._out, json_text(facts_data(self._redactor.value(facts))))
        else:
            self._print(facts_lines(work.name, self._told(facts)))
        return 0

    def record(self, work: HostWork, file: str, *, scrub: bool) -> int:
        facts = self._survey(work)
        if facts is None:
            return TROUBLE
        secrets = [s for s in (work.connection.user,) if s] if scrub else []
        write_recording(
            file, self._redactor.value(facts), scrub=scrub, also=(work.name, work.connection.host, *secrets)
        )
        self._err.print(f"{len(facts.replies)} answers of {work.name} written to {file}")
        return 0

    def _survey(self, work: HostWork) -> Facts | None:
        """None: what is wrong was said, or a stop came before."""
        for _, facts in SideBySide(
            [(work.name, partial(self._surveyed, work))],
            1,
            self._stop,
            changing=self._changing,
            heard=self._say_stop,
            finish=self._close,
        ):
            if isinstance(facts, Facts):
                return facts
            if not self._stop.asked:
                self._say_error(work.name, facts)
        return None

    # --- showing ---------------------------------------------------------------------------------------------------

    def show_plans(self, outcomes: Sequence[Outcome], *, diff: bool = False) -> None:
        outcomes = self._told(tuple(outcomes))
        for one in outcomes:
            if one.plan is not None:
                lines = partial(diff_lines, mask=self._redactor.text) if diff else plan_lines
                self._print(lines(one.plan, width=self._out.width, verbose=self._verbose > 0))
            self._say_trouble(one)
        self._print(summary_lines(outcomes))

    def show_check(self, check: Check) -> None:
        """What differs, with what earlier checks add."""
        check = plain(check)
        told = Remembered(check.memory, check.finished)
        for one in check.outcomes:
            if one.plan is not None:
                self._print(plan_lines(one.plan, width=self._out.width, verbose=self._verbose > 0, told=told.of_spot))
            else:
                self._say_trouble(one, told.of_host(one.host))
        self._print(summary_lines(check.outcomes, drift=True, memory=check.memory))

    def show_reports(self, outcomes: Sequence[Outcome]) -> None:
        outcomes = self._told(tuple(outcomes))
        self._out.print()
        for one in outcomes:
            if one.report is not None:
                self._print(report_lines(one.report, width=self._out.width, verbose=self._verbose > 0))
            elif one.plan is None or one.changed or one.error is not None:
                self._say_trouble(one)
        self._print(summary_lines(outcomes))

    def _told(self, value: T) -> T:
        """As it may be shown."""
        return plain(self._redactor.value(value))

    def _print(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self._out.print(line, soft_wrap=True)

    def _say_trouble(self, one: Outcome, since: str = "") -> None:
        if one.error is not None:
            self._say_error(one.host, one.error, since)
        if one.wrong:
            told = Text(one.host, "bold").append("  ", "not bold").append("not contacted", "not bold red")
            self._out.print(told.append(": its configuration is wrong", "not bold"), soft_wrap=True)
            for problem in problem_lines(one.wrong):
                self._out.print("    ", problem, sep="", soft_wrap=True)
        if one.changed:
            said = "  refused: something has changed since the plan was made"
            self._out.print(Text(one.host, "bold").append(said, "not bold"), soft_wrap=True)
            for line in one.changed:
                self._out.print(f"    {line}", markup=False, soft_wrap=True)
            self._out.print("    → make a new plan", soft_wrap=True)
        if not one.looked:
            told = Text(one.host, "bold").append("  ", "not bold").append("not looked at", "not bold yellow")
            self._out.print(told.append(": hvctl was stopped", "not bold"), soft_wrap=True)

    def _say_error(self, host: str, error: TransportError, since: str = "") -> None:
        error = self._told(error)
        word = ("failed" if error.defect else "unreachable" if error.executed == "no" else "lost") + since
        said = Text(host, "bold").append("  ", "not bold").append(word, "not bold red").append(": ", "not bold")
        self._out.print(said.append(error.message, "not bold"), soft_wrap=True)
        if error.hint:
            self._out.print(f"    → {error.hint}", markup=False, soft_wrap=True)
        self._print(trace_lines(error.defect))

    def _heard(self, event: Event) -> None:
        self._err.print(self._told(event).text, style="dim", soft_wrap=True)

    # --- one host, in a thread of its own --------------------------------------------------------------------------

    def _planned(self, work: HostWork, on_event: Callable[[Event], None], *, first: First | None = None) -> Outcome:
        found = plan_host(work.desired, self._transport(work), self._allow, on_event, first)
        return Outcome(work.name, plan=found.plan, error=found.error, changed=found.changed)

    def _applied(self, one: Outcome, on_event: Callable[[Event], None], *, recheck: bool) -> Outcome:
        work = self._work[one.host]
        if one.plan is None:
            return one
        done = apply_plan(
            one.plan, work.desired, self._transport(work), on_event, recheck=recheck, pause=self._pause,
            stopped=lambda: self._stop.asked, known=partial(self._changed.__setitem__, one.host),
        )  # fmt: skip
        if isinstance(done, Report):
            return replace(one, report=done, error=None)
        return replace(one, changed=tuple(done))

    def _surveyed(self, work: HostWork) -> Facts | TransportError:
        queries = [q for kind in kinds() for q in kind.survey()]
        queries += questions(work.desired)
        try:
            transport = self._transport(work)
            batch = read_batch(queries)
            replies = transport.run(batch)
            info = transport.info()
        except TransportError as error:
            return error
        return Facts.of(nearest(info.build) or "2012", info, batch, replies)

    def _transport(self, work: HostWork) -> Transport:
        if work.name not in self._transports:
            self._transports[work.name] = self._connect(work.connection, self._wire)
        self._open.add(work.name)
        return self._transports[work.name]

    def _close(self, name: str) -> None:
        if name in self._open:
            self._open.discard(name)
            try:
                self._transports[name].close()
            except Exception as error:
                traced(error)  # nothing rests on it any more

    # --- all of them -----------------------------------------------------------------------------------------------

    def _looked(self, work: Sequence[tuple[str, Task]], *, warm: bool) -> list[Outcome]:
        """Each host is left when it has been looked at, so that as many connections are open as hosts are looked at,
        and no shell stays open on a host while others are read. Kept warm, each of a few hosts saves the start of a
        PowerShell."""
        keep = warm and len(work) <= self._forks
        askable = [(name, task) for name, task in work if not self._work[name].wrong]
        found = self._each("reading", askable, keep=keep)
        return [found.get(name, Outcome(name, wrong=self._work[name].wrong)) for name, _ in work]

    def _each(self, doing: str, work: Sequence[tuple[str, Task]], *, keep: bool = False) -> dict[str, Outcome]:
        """What is known of each host; of those that a stop left out there is none. `keep`: a host with something to do
        stays open."""
        found: dict[str, Outcome] = {}
        left = False
        with Progress(self._err, self._texts, self._verbose > 0) as progress:

            def hear(name: str, event: Event) -> None:
                if not left:
                    progress.event(name, self._told(event))

            def followed(name: str, task: Task) -> Outcome:
                progress.begin(name, doing)
                try:
                    outcome = task(partial(hear, name))
                finally:
                    progress.end(name)
                if keep and outcome.plan is not None and outcome.plan.steps and not self._stop.asked:
                    kept.add(name)
                return outcome

            def finish(name: str) -> None:
                if name not in kept:
                    self._close(name)

            kept: set[str] = set()
            jobs = [(name, partial(followed, name, task)) for name, task in work]
            hosts = SideBySide(
                jobs, self._forks, self._stop, changing=self._changing, heard=self._say_stop, finish=finish
            )
            for name, outcome in hosts:
                # What a read that was broken off says of its host is not worth telling.
                if not (self._stop.asked and outcome.report is None and outcome.error is not None):
                    found[name] = outcome
            left = True
        if hosts.fewer:
            self._err.print(
                f"warning: {hosts.fewer} hosts at a time, not {self._forks}: this machine starts no more threads; "
                "see ulimit -u and -v, or use a lower --forks",
                soft_wrap=True,
            )
        return found

    # --- stopping --------------------------------------------------------------------------------------------------

    def _changing(self, name: str) -> bool:
        """Whether there is something to follow. Asking tells the host that nothing more is to begin."""
        transport = self._transports.get(name)
        going = transport.stop() if transport is not None else None
        if going is not None:
            self._followed[name] = going
        return going is not None

    def _left(self, one: Outcome) -> Outcome:
        """What is known of a host to which a stop came before its changes, in the midst of them, or after."""
        assert one.plan is not None
        changing = self._changing(one.host)
        going, known = self._followed.get(one.host), self._changed.get(one.host)
        if known is not None:
            report = replace(known, error=going if changing else known.error, stopped=True)
        else:
            report = not_begun(one.plan) if going is None else broken_off(one.plan, going)
        return replace(one, report=report, error=None)

    def _say_stop(self) -> None:
        word = "Stopping (SIGTERM)" if self._stop.terminated else "Interrupted"
        if self._stop.over and self._followed:
            self._err.print("What still runs is left to its host.", soft_wrap=True)
        elif not self._followed:
            self._err.print(f"{word}: nothing more is begun.", soft_wrap=True)
        else:
            limit = f" for up to {spoken(self._stop.grace)}" if self._stop.terminated else ""
            self._err.print(
                f"{word}: finishing the step that runs{limit}; once more leaves it to its host.", soft_wrap=True
            )


def _own(known: Outcome, task: Callable[[W, Hear], Outcome], work: W, on_event: Hear) -> Outcome:
    """Whatever hvctl itself does wrong for a host is told as that host's trouble. `known`: what is known of it so far."""
    try:
        return task(work, on_event)
    except ConfigError as error:
        return replace(known, error=TransportError(str(error)))
    except Exception as error:
        return replace(known, error=defect(error))
