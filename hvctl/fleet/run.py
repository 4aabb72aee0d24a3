"""Many hosts at once: connecting, planning, applying, showing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from rich.console import Console

from hvctl.call import Event, TransportError
from hvctl.config.prepare import HostWork
from hvctl.contract import nearest
from hvctl.core.apply import Report
from hvctl.core.check import Check, Verb
from hvctl.core.facts import Facts, read_batch
from hvctl.core.impact import Impact
from hvctl.core.outcome import Outcome
from hvctl.core.questions import questions
from hvctl.core.replan import First
from hvctl.core.resource import Index
from hvctl.core.status import TROUBLE
from hvctl.fleet.connect import Connect, Wire
from hvctl.fleet.forks import SideBySide
from hvctl.fleet.hosts import Hosts, Question, T, Task, own
from hvctl.fleet.reconcile import Pause, apply_plan, plan_host
from hvctl.fleet.recording import write_recording
from hvctl.fleet.rolling import Batch, Rolling, batches, rolled
from hvctl.fleet.showing import Showing
from hvctl.fleet.stop import Stop
from hvctl.fleet.units import Units
from hvctl.kinds import kinds
from hvctl.redaction.redact import Redactor
from hvctl.saved import planfile
from hvctl.saved.planfile import SavedHost
from hvctl.show.data import facts_data
from hvctl.show.screen import print_json
from hvctl.show.text import facts_lines
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.visible import json_text


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
        self._allow = allow
        self._out, self._err = out, err
        self._stop = stop or Stop()
        self._pause = pause or self._stop.wait
        self._now = now
        self._started = now()
        self._redactor = redactor or Redactor()
        self.showing = Showing(out, err, self._redactor, verbose)
        wire = Wire(
            on_wire=self.showing.heard if verbose >= 2 else None,
            learn=self._redactor.learn,
            left=lambda: self._stop.over,
        )
        self._hosts = Hosts(work, connect, wire, err, self.showing, self._stop, forks=forks, verbose=verbose)
        self._units = Units(self._hosts, allow, self._pause)

    def __enter__(self) -> Self:
        """From now on a stop is no exception: what is known is told, remembered and written."""
        self._stop.hold()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hosts.close_all()

    # --- the verbs -----------------------------------------------------------------------------------------------

    def plan(
        self, *, warm: bool = False, only_told: bool = False, heard: Callable[[Outcome], None] = lambda one: None
    ) -> list[Outcome]:
        """Look at every host and plan it. `warm`: what was opened to a host stays open for an apply that follows, if
        there is something to do there and there are no more hosts than are worked on at a time. `only_told`: nothing
        is done about it, so that what the hosts answered need not be kept. `heard`: is told of each host as it ends."""
        linked = self._units.linked

        def known(one: Outcome) -> Outcome:
            told = one.told if only_told else one
            heard(told)
            return told

        tasks = {
            n: partial(self._units.read, n) if n in linked else partial(self._planned, w)
            for n, w in self._hosts.work.items()
        }
        found = self._looked(tasks, warm=warm, known=lambda one: one if one.host in linked else known(one))
        return [known(one) if one.host in linked else one for one in self._units.planned(found)]

    def rolls(self, rolling: Rolling) -> bool:
        """Whether changes are made in batches."""
        return rolling.serial is not None or any(w.serial is not None for w in self._hosts.work.values())

    def batches(self, outcomes: Sequence[Outcome], rolling: Rolling) -> list[Batch]:
        """Of the hosts that have something to do; none where neither their plays nor the command line ask for batches."""
        todo = [o.host for o in outcomes if o.plan is not None and o.plan.steps and not o.changed]
        work = self._hosts.work
        serials = {host: s for host in todo if (s := rolling.serial or work[host].serial) is not None}
        units = {host: [one.host for one in unit] for host, unit in self._units.linked.items()}
        return batches(todo, serials, units) if serials else []

    def roll(self, outcomes: Sequence[Outcome], rolling: Rolling, *, recheck: bool) -> list[Outcome]:
        """Run the plans in batches, as long as no more hosts fail than may; all at once where no batches are asked for."""
        order = self.batches(outcomes, rolling)
        if not order:
            return self.apply(outcomes, recheck=recheck)

        def applied(some: Sequence[Outcome], again: bool) -> list[Outcome]:
            return self.apply(some, recheck=recheck or again)

        def say(text: str) -> None:
            self._err.print(text, soft_wrap=True)

        return rolled(outcomes, order, rolling.most, applied, lambda: self._stop.asked, say)

    def apply(self, outcomes: Sequence[Outcome], *, recheck: bool) -> list[Outcome]:
        """Run the plans; hosts without one stay as they are."""
        todo = {o.host: o for o in outcomes if o.plan is not None and o.plan.steps and not o.changed}
        linked = self._units.linked
        together = {host: one for host, one in todo.items() if host in linked}
        refused = self._units.refused(together) if recheck else {}
        plans = {o.host: self.showing.told(o.plan) for o in todo.values() if o.plan is not None}
        self._hosts.texts = {host: {s.task.id: s.text for s in plan.steps} for host, plan in plans.items()}
        applied = partial(self._applied, recheck=recheck)
        alone = [(o.host, own(o, partial(applied, o))) for o in todo.values() if o.host not in linked]
        done = self._units.applied(alone, {host: one for host, one in together.items() if host not in refused})
        left = {name: self._hosts.left(one) for name, one in todo.items() if name not in done | refused}
        return [(done | refused | left).get(o.host, o) for o in outcomes]

    def revise(self, name: str, revised: Callable[[Index], Index]) -> None:
        """From now on, another desired state of a host."""
        self._hosts.revise(name, revised)
        self._units.revised()

    def plan_again(self, hosts: Iterable[SavedHost]) -> list[Outcome]:
        """Look at every host and plan it from what a plan file desires; refused where that gives other steps."""
        first = {one.name: one.first for one in hosts}
        tasks = {n: partial(self._planned, w, first=first[n]) for n, w in self._hosts.work.items()}
        return self._looked(tasks, warm=True)

    def save(self, outcomes: Sequence[Outcome], file: str, command: str, sealed: Callable[[str], str] = str) -> None:
        """Without those that could not be looked at; nothing if none could. `command`: applies it. `sealed`: hides
        what came encrypted."""
        if linked := self._units.linked:
            message = f"{', '.join(linked)} are planned together, and such a plan is not kept in a file"
            raise ConfigError([Diagnostic(None, message, "apply the playbook itself")])
        saved = [(o.plan, self._hosts.work[o.host].desired) for o in outcomes if o.plan is not None]
        away = ", ".join(o.host for o in outcomes if o.plan is None)
        if not saved:
            self._err.print("No plan saved: no host could be looked at.")
            return
        planfile.save(file, saved, self._started, self._redactor, sealed)
        without = f", without {away}" if away else ""
        self._err.print(f"Plan saved{without}: {command}", soft_wrap=True)

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
            {name: transport.requests for name, transport in self._hosts.transports.items()},
            tuple(self._hosts.work),
            addresses=self.addresses,
            covers=tuple(covers),
        )

    def ask(
        self, doing: str, question: Question[T], names: Iterable[str] | None = None, *, keep: bool = False
    ) -> dict[str, T | TransportError]:
        """As of Hosts."""
        return self._hosts.ask(doing, question, names, keep=keep)

    @property
    def addresses(self) -> dict[str, str]:
        """Where each host is looked for."""
        return {name: work.connection.host.casefold() for name, work in self._hosts.work.items()}

    def only(self) -> HostWork:
        """The host of a run that has one."""
        (work,) = self._hosts.work.values()
        return work

    def facts(self, work: HostWork, *, as_json: bool) -> int:
        facts = self._survey(work)
        if facts is None:
            return TROUBLE
        if as_json:
            print_json(self._out, json_text(facts_data(self._redactor.value(facts))))
        else:
            self.showing.print(facts_lines(work.name, self.showing.told(facts)))
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
            changing=self._hosts.changing,
            heard=self._hosts.say_stop,
            finish=self._hosts.close,
        ):
            if isinstance(facts, Facts):
                return facts
            if not self._stop.asked:
                self.showing.error(work.name, facts)
        return None

    # --- one host, in a thread of its own --------------------------------------------------------------------------

    def _planned(self, work: HostWork, on_event: Callable[[Event], None], *, first: First | None = None) -> Outcome:
        return plan_host(work.desired, self._hosts.transport(work.name), self._allow, on_event, first)

    def _applied(self, one: Outcome, on_event: Callable[[Event], None], *, recheck: bool) -> Outcome:
        work = self._hosts.work[one.host]
        if one.plan is None:
            return one
        done = apply_plan(
            one.plan, work.desired, self._hosts.transport(work.name), on_event, recheck=recheck, pause=self._pause,
            stopped=lambda: self._stop.asked, known=partial(self._hosts.changed.__setitem__, one.host),
        )  # fmt: skip
        if isinstance(done, Report):
            return replace(one, report=done, error=None)
        return replace(one, changed=tuple(done))

    def _surveyed(self, work: HostWork) -> Facts | TransportError:
        queries = [q for kind in kinds() for q in kind.survey()]
        queries += questions(work.desired)
        try:
            transport = self._hosts.transport(work.name)
            batch = read_batch(queries)
            replies = transport.run(batch)
            info = transport.info()
        except TransportError as error:
            return error
        return Facts.of(nearest(info.build) or "2012", info, batch, replies)

    # --- all of them -----------------------------------------------------------------------------------------------

    def _looked(
        self, tasks: Mapping[str, Task], *, warm: bool, known: Callable[[Outcome], Outcome] = lambda one: one
    ) -> list[Outcome]:
        """Each host is left when it has been looked at, so that as many connections are open as hosts are looked at,
        and no shell stays open on a host while others are read. Kept warm, each of a few hosts saves the start of a
        PowerShell. `known`: what is kept of a host, asked as it ends."""
        keep = warm and len(tasks) <= self._hosts.forks
        work = self._hosts.work
        askable = [(name, own(Outcome(name), task)) for name, task in tasks.items() if not work[name].wrong]
        found = self._hosts.each("reading", askable, keep=lambda outcome: keep and _goes_on(outcome), known=known)
        return [found.get(name) or known(Outcome(name, wrong=work[name].wrong)) for name in tasks]


def _goes_on(outcome: Outcome) -> bool:
    """Whether there is something to do, as far as is known."""
    return bool(outcome.plan.steps) if outcome.plan is not None else not (outcome.error or outcome.changed)
