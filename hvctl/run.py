"""Many hosts at once: connecting, planning, applying, showing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from rich.console import Console

from hvctl import planfile
from hvctl.apply import Report, batch_of
from hvctl.call import Event, Transport, TransportError, defect
from hvctl.check import Check, Verb
from hvctl.connect import Wire
from hvctl.contents import changed_sources
from hvctl.contract import nearest
from hvctl.facts import Facts, differences, read_batch
from hvctl.inventory import Connection
from hvctl.kinds import kinds
from hvctl.outcome import TROUBLE, Outcome
from hvctl.plan import questions
from hvctl.planfile import Saved
from hvctl.prepare import HostWork
from hvctl.reconcile import Pause, apply_plan, look, plan_host, side_by_side
from hvctl.recording import write_recording
from hvctl.redact import Redactor, traced
from hvctl.resource import Impact
from hvctl.secrets import SecretError
from hvctl.show.data import facts_data
from hvctl.show.progress import Progress
from hvctl.show.remembered import Remembered
from hvctl.show.report import report_lines
from hvctl.show.summary import summary_lines
from hvctl.show.text import diff_lines, facts_lines, plan_lines, trace_lines
from hvctl.source import ConfigError

W = TypeVar("W")
Connect = Callable[[Connection, Wire], Transport]


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
    ) -> None:
        self._work = {w.name: w for w in work}
        self._connect = connect
        self._allow = allow
        self._out, self._err = out, err
        self._forks, self._verbose = forks, verbose
        self._saved: dict[str, Saved] = {}
        self._texts: dict[str, dict[str, str]] = {}
        self.interrupted = False
        self._halt = threading.Event()
        self._pause = pause or self._halt.wait
        self._now = now
        self._started = now()
        self._transports: dict[str, Transport] = {}
        self._redactor = redactor or Redactor()
        self._wire = Wire(on_wire=self._heard if verbose >= 2 else None, learn=self._redactor.learn)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        closing = [(name, partial(_closed, transport)) for name, transport in self._transports.items()]
        for _ in side_by_side(closing, self._forks):
            pass

    # --- the verbs -----------------------------------------------------------------------------------------------

    def plan(self) -> list[Outcome]:
        """Look at every host and plan it."""
        return self._each("reading", [(n, partial(_own, Outcome(n), self._planned, w)) for n, w in self._work.items()])

    def apply(self, outcomes: Sequence[Outcome], *, recheck: bool) -> list[Outcome]:
        """Run the plans; hosts without one stay as they are."""
        todo = [o for o in outcomes if o.plan is not None and o.plan.steps]
        self._texts = {o.host: {s.task.id: s.text for s in o.plan.steps} for o in todo if o.plan is not None}
        work = [(o.host, partial(_own, o, partial(self._applied, recheck=recheck), o)) for o in todo]
        done = {o.host: o for o in self._each("applying", work)}
        return [done.get(o.host, o) for o in outcomes]

    def loaded(self, saved: Iterable[Saved]) -> Run:
        """This run, with the saved plans of its hosts."""
        self._saved = {one.plan.host: one for one in saved}
        return self

    def look_at_saved(self) -> list[Outcome]:
        """The saved plans of hosts that still read as they did; a host that does not is refused."""
        return self._each("reading", [(n, partial(_own, Outcome(n), self._still, w)) for n, w in self._work.items()])

    def save(self, outcomes: Sequence[Outcome], file: str, inventory: str) -> None:
        """Without those that could not be looked at; nothing if none could."""
        saved = [Saved(o.plan, self._work[o.host].wishes) for o in outcomes if o.plan is not None]
        away = ", ".join(o.host for o in outcomes if o.plan is None)
        if not saved:
            self._err.print("No plan saved: no host could be looked at.")
            return
        planfile.save(file, saved, inventory, self._redactor)
        without = f", without {away}" if away else ""
        self._err.print(f"Plan saved{without}: hvctl apply {file}", soft_wrap=True)

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
            {name: work.wishes for name, work in self._work.items()},
            addresses={name: work.connection.host.casefold() for name, work in self._work.items()},
            covers=tuple(covers),
        )

    def facts(self, work: HostWork, *, as_json: bool) -> int:
        facts = self._surveyed(work)
        if isinstance(facts, TransportError):
            self._say_error(work.name, facts)
            return TROUBLE
        facts = self._redactor.value(facts)
        if as_json:
            self._out.print_json(json.dumps(facts_data(facts), ensure_ascii=False))
        else:
            self._print(facts_lines(work.name, facts))
        return 0

    def record(self, work: HostWork, file: str, *, scrub: bool) -> int:
        facts = self._surveyed(work)
        if isinstance(facts, TransportError):
            self._say_error(work.name, facts)
            return TROUBLE
        secrets = [s for s in (work.connection.user,) if s] if scrub else []
        write_recording(
            file, self._redactor.value(facts), scrub=scrub, also=(work.name, work.connection.host, *secrets)
        )
        self._err.print(f"{len(facts.replies)} answers of {work.name} written to {file}")
        return 0

    # --- showing ---------------------------------------------------------------------------------------------------

    def show_plans(self, outcomes: Sequence[Outcome], *, diff: bool = False) -> None:
        outcomes = self._redactor.value(tuple(outcomes))
        for one in outcomes:
            if one.plan is not None and not one.changed:
                lines = diff_lines if diff else plan_lines
                self._print(lines(one.plan, width=self._out.width, verbose=self._verbose > 0))
            else:
                self._say_trouble(one)
        self._print(summary_lines(outcomes))

    def show_check(self, check: Check) -> None:
        """What differs, with what earlier checks add."""
        told = Remembered(check.memory, check.finished)
        for one in check.outcomes:
            if one.plan is not None:
                self._print(plan_lines(one.plan, width=self._out.width, verbose=self._verbose > 0, told=told.of_spot))
            else:
                self._say_trouble(one, told.of_host(one.host))
        self._print(summary_lines(check.outcomes, drift=True, memory=check.memory))

    def show_reports(self, outcomes: Sequence[Outcome]) -> None:
        outcomes = self._redactor.value(tuple(outcomes))
        self._out.print()
        for one in outcomes:
            if one.report is not None:
                self._print(report_lines(one.report, width=self._out.width, verbose=self._verbose > 0))
            elif one.changed or one.error is not None:
                self._say_trouble(one)
        self._print(summary_lines(outcomes))

    def _print(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self._out.print(line, soft_wrap=True)

    def _say_trouble(self, one: Outcome, since: str = "") -> None:
        if one.error is not None:
            self._say_error(one.host, one.error, since)
        if one.changed:
            self._out.print(
                f"[bold]{one.host}[/]  refused: something has changed since the plan was made", soft_wrap=True
            )
            for line in one.changed:
                self._out.print(f"    {line}", markup=False, soft_wrap=True)
            self._out.print("    → make a new plan", soft_wrap=True)

    def _say_error(self, host: str, error: TransportError, since: str = "") -> None:
        error = self._redactor.value(error)
        word = ("failed" if error.defect else "unreachable" if error.executed == "no" else "lost") + since
        self._out.print(f"[bold]{host}[/]  [red]{word}[/]: ", end="", soft_wrap=True)
        self._out.print(error.message, markup=False, soft_wrap=True)
        if error.hint:
            self._out.print(f"    → {error.hint}", markup=False, soft_wrap=True)
        self._print(trace_lines(error.defect))

    def _heard(self, line: str) -> None:
        self._err.print(line, style="dim", markup=False, soft_wrap=True)

    # --- one host, in a thread of its own --------------------------------------------------------------------------

    def _planned(self, work: HostWork, on_event: Callable[[Event], None]) -> Outcome:
        try:
            found = plan_host(work.name, work.wishes, self._transport(work), self._allow, on_event)
        except SecretError as error:
            return Outcome(work.name, error=TransportError(str(error)))
        return Outcome(work.name, plan=found.plan, error=found.error)

    def _applied(self, one: Outcome, on_event: Callable[[Event], None], *, recheck: bool) -> Outcome:
        work = self._work[one.host]
        if one.plan is None:
            return one
        done = apply_plan(one.plan, work.wishes, self._transport(work), on_event, recheck=recheck, pause=self._pause)
        if isinstance(done, Report):
            return replace(one, report=done, error=None)
        return replace(one, changed=tuple(done))

    def _still(self, work: HostWork, on_event: Callable[[Event], None]) -> Outcome:
        plan = self._saved[work.name].plan
        try:
            now = look(self._transport(work), work.wishes, on_event)
        except (TransportError, SecretError) as error:
            fault = error if isinstance(error, TransportError) else TransportError(str(error))
            return Outcome(work.name, error=fault)
        # A saved plan holds its facts masked.
        changed = [*changed_sources(batch_of(plan)), *differences(plan.facts, self._redactor.value(now))]
        if changed:
            return Outcome(work.name, changed=tuple(changed))
        return Outcome(work.name, plan=replace(plan, facts=now))

    def _surveyed(self, work: HostWork) -> Facts | TransportError:
        queries = [q for kind in kinds() for q in kind.survey()]
        queries += questions(work.wishes)
        try:
            transport = self._transport(work)
            batch = read_batch(queries)
            replies = transport.run(batch)
            info = transport.info()
        except TransportError as error:
            return error
        except SecretError as error:
            return TransportError(str(error))
        return Facts.of(nearest(info.build) or "2012", info, batch, replies)

    def _transport(self, work: HostWork) -> Transport:
        if work.name not in self._transports:
            self._transports[work.name] = self._connect(work.connection, self._wire)
        return self._transports[work.name]

    def _each(
        self, doing: str, work: Sequence[tuple[str, Callable[[Callable[[Event], None]], Outcome]]]
    ) -> list[Outcome]:
        with Progress(self._err, self._texts, self._verbose > 0) as progress:

            def followed(name: str, task: Callable[[Callable[[Event], None]], Outcome]) -> Outcome:
                progress.begin(name, doing)
                try:
                    return task(lambda event: progress.event(name, self._redactor.value(event)))
                finally:
                    progress.end(name)

            jobs = [(name, partial(followed, name, task)) for name, task in work]
            found: dict[str, Outcome] = {}
            try:
                for name, outcome in side_by_side(jobs, self._forks, self._interrupted):
                    found[name] = outcome
            except KeyboardInterrupt:
                self.interrupted = True
        return [found[name] for name, _ in work if name in found]

    def _interrupted(self) -> None:
        self._err.print("Interrupted: finishing the step that runs; once more stops it.")
        self._halt.set()
        for transport in list(self._transports.values()):
            transport.stop()


def _own(
    known: Outcome, task: Callable[[W, Callable[[Event], None]], Outcome], work: W, on_event: Callable[[Event], None]
) -> Outcome:
    """Whatever hvctl itself does wrong for a host is told as that host's trouble. `known`: what is known of it so far."""
    try:
        return task(work, on_event)
    except ConfigError as error:
        return replace(known, error=TransportError(str(error)))
    except Exception as error:
        return replace(known, error=defect(error))


def _closed(transport: Transport) -> bool:
    started = time.monotonic()
    try:
        transport.close()
    except Exception as error:
        traced(error)
    return time.monotonic() >= started
