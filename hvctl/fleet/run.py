"""Many hosts at once: connecting, planning, applying, showing."""

from __future__ import annotations

import multiprocessing
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
from hvctl.fleet.forks import FORKS, MOST_FORKS, SideBySide
from hvctl.fleet.guard import SharedGuard
from hvctl.fleet.hosts import READING, Hosts, Question, T, Task, own
from hvctl.fleet.reconcile import Pause, apply_plan, plan_host
from hvctl.fleet.recording import write_recording
from hvctl.fleet.rolling import Batch, Rolling, batches, rolled
from hvctl.fleet.showing import Showing
from hvctl.fleet.stop import Stop
from hvctl.fleet.units import Units
from hvctl.fleet.workers import Gone, Say, Workers, count, obstacle, shares
from hvctl.kinds import kinds
from hvctl.redaction.redact import Redactor
from hvctl.saved import planfile
from hvctl.saved.planfile import SavedHost
from hvctl.show.data import facts_data
from hvctl.show.progress import Progress
from hvctl.show.screen import print_json
from hvctl.show.text import facts_lines
from hvctl.text.garbage import working
from hvctl.text.machine import this_machine
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
        forks: int | None = 16,
        processes: int | None = None,
        verbose: int = 0,
        pause: Pause | None = None,
        now: Callable[[], datetime],
        redactor: Redactor | None = None,
        stop: Stop | None = None,
    ) -> None:
        self._allow = allow
        self._out, self._err = out, err
        self._asked, self._verbose = processes, verbose
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
        self._hosts = Hosts(work, connect, wire, err, self.showing, self._stop, forks=forks or FORKS, verbose=verbose,
            most=0 if forks else MOST_FORKS,
        )  # fmt: skip
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
        self,
        *,
        warm: bool = False,
        only_told: bool = False,
        only_done: bool = False,
        heard: Callable[[Outcome], Outcome] = lambda one: one,
    ) -> list[Outcome]:
        """Look at every host and plan it. `warm`: what was opened to a host stays open for an apply that follows, if
        there is something to do there and there are no more hosts than are worked on at a time. `only_told`: nothing
        is done about it, so that neither what the hosts answered nor what is desired of them need be kept; `only_done`:
        the same of hosts on which there is nothing to do. `heard`: is told of each host as it ends, and says what is kept of
        it."""
        self._hosts.once = only_told
        shared = self._processes() if only_told else 1
        with working():
            if shared > 1:
                return self._shared(shared, heard)
            return self._planned_here(warm, only_told, heard, only_done=only_done)

    def _planned_here(
        self,
        warm: bool,
        only_told: bool,
        heard: Callable[[Outcome], Outcome],
        *,
        kept: bool = True,
        only_done: bool = False,
    ) -> list[Outcome]:
        """`kept`: whether more than the names is returned."""
        linked = self._units.linked

        def known(one: Outcome) -> Outcome:
            cut = only_told or (only_done and not (_goes_on(one) or one.host in linked))
            if cut:
                self._hosts.told(one.host)
            told = heard(one.told if cut else one)
            return told if kept else Outcome(told.host)

        tasks = {n: partial(self._units.read if n in linked else self._planned, n) for n in self._hosts.work}
        found = self._looked(tasks, warm=warm, known=lambda one: one if one.host in linked else known(one))
        return [known(one) if one.host in linked else one for one in self._units.planned(found)]

    def _processes(self) -> int:
        hosts = len(self._hosts.work)
        found = count(hosts, self._asked) if self._verbose == 0 else 1
        if found > 1 and (why := obstacle()) is not None:
            if self._asked is not None:
                self._err.print(f"warning: one process, not {found}: {why}", soft_wrap=True)
            return 1
        return found

    def _shared(self, number: int, heard: Callable[[Outcome], Outcome]) -> list[Outcome]:
        """As `plan`, by several processes. What one that is gone has not said is hvctl's own fault, for its hosts alone."""
        hosts, linked = self._hosts, self._units.linked
        units = {id(unit): [one.host for one in unit] for unit in linked.values()}
        parts = shares([*units.values(), *([name] for name in hosts.work if name not in linked)], number)
        guard = SharedGuard(multiprocessing.get_context("fork"))
        forks = max(1, -(-hosts.forks // len(parts)))

        def job(names: Sequence[str], say: Say) -> None:
            self._redactor.told = lambda secret: say(("secret", secret))
            hosts.alone(names, forks, guard, say)
            self._units.revised()

            def sent(one: Outcome) -> Outcome:
                say(("host", one))
                return one

            self._planned_here(False, True, sent, kept=False)
            say(("requests", hosts.requests))

        found: dict[str, Outcome] = {}
        with Progress(self._err) as progress:
            progress.expect(hosts.work)
            for names, what in Workers(parts, job, self._stop, hosts.say_stop):
                match what:
                    case ("begin", name, doing):
                        progress.begin(name, doing)
                    case ("done", name):
                        progress.end(name)
                    case ("secret", secret):
                        self._redactor.learn(secret)
                    case ("requests", requests):
                        hosts.asked(requests)
                    case ("host", one):
                        hosts.told(one.host)
                        found[one.host] = heard(one)
                    case Gone() if not self._stop.asked:
                        for name in names:
                            progress.end(name)
                            if name not in found:
                                found[name] = heard(Outcome(name, error=what.error))
        return [found.get(name, Outcome(name)) for name in hosts.work]

    def rolls(self, rolling: Rolling) -> bool:
        """Whether changes are made in batches."""
        return rolling.serial is not None or any(w.serial is not None for w in self._hosts.work.values())

    def batches(self, outcomes: Sequence[Outcome], rolling: Rolling) -> list[Batch]:
        """Of the hosts that have something to do; none where neither their plays nor the command line ask for batches."""
        reached = self._units.reached(outcomes)
        todo = [
            o.host for o in outcomes if o.plan is not None and (o.plan.steps or o.host in reached) and not o.changed
        ]
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

    def restarting(self, most: int | None) -> None:
        """From now on, changes are made on at most so many hosts at a time of those on which something restarts."""
        self._hosts.turns.most = most

    def apply(self, outcomes: Sequence[Outcome], *, recheck: bool) -> list[Outcome]:
        """Run the plans; hosts without one stay as they are."""
        linked = self._units.linked
        reached = self._units.reached(outcomes)
        todo = {
            o.host: o for o in outcomes if o.plan is not None and (o.plan.steps or o.host in reached) and not o.changed
        }
        self._hosts.turns.take(todo, outcomes)
        together = {host: one for host, one in todo.items() if host in linked}
        locked = self._units.taken(outcomes, todo)
        together = {host: one for host, one in together.items() if host not in locked}
        away = {o.host for o in outcomes if o.plan is None}
        refused = {**locked, **(self._units.refused(together, away) if recheck else {})}
        plans = {o.host: self.showing.told(o.plan) for o in todo.values() if o.plan is not None}
        self._hosts.texts = {host: {s.task.id: s.text for s in plan.steps} for host, plan in plans.items()}
        applied = partial(self._applied, recheck=recheck)
        alone = [(o.host, own(o, partial(applied, o))) for o in todo.values() if o.host not in linked]
        with self._units.kept():
            done = self._units.applied(alone, {host: one for host, one in together.items() if host not in refused})
        self._units.given_back(done.values())
        left = {name: self._hosts.left(one) for name, one in todo.items() if name not in done | refused}
        return [(done | refused | left).get(o.host, o) for o in outcomes]

    def revise(self, name: str, revised: Callable[[Index], Index]) -> None:
        """From now on, another desired state of a host."""
        self._hosts.revise(name, revised)
        self._units.revised()

    def plan_again(self, hosts: Iterable[SavedHost]) -> list[Outcome]:
        """Look at every host and plan it from what a plan file desires; refused where that gives other steps."""
        first = {one.name: one.first for one in hosts}
        linked = self._units.linked
        tasks = {
            n: partial(self._units.read, n) if n in linked else partial(self._planned, n, first=first[n])
            for n in self._hosts.work
        }
        return self._units.planned(self._looked(tasks, warm=True), first)

    def save(self, outcomes: Sequence[Outcome], file: str, command: str, sealed: Callable[[str], str] = str) -> None:
        """Without those that could not be looked at; nothing if none could. `command`: applies it. `sealed`: hides
        what came encrypted."""
        away = {o.host for o in outcomes if o.plan is None}
        # The plan of a unit rests on all of its hosts; without one of them the file would plan another unit again.
        parted = [o.host for o in outcomes if o.host not in away and self._units.others(o.host) & away]
        saved = [(o.plan, self._hosts.work[o.host].desired) for o in outcomes if o.plan and o.host not in parted]
        left = ", ".join(o.host for o in outcomes if o.host in away)
        if parted:
            verb = "are" if len(parted) > 1 else "is"
            left += f" and {', '.join(parted)}, which {verb} planned together with what could not be looked at"
        if not saved:
            why = f", without {left}" if parted else ": no host could be looked at"
            self._err.print(f"No plan saved{why}.", soft_wrap=True)
            return
        planfile.save(file, saved, self._started, self._redactor, sealed)
        without = f", without {left}" if left else ""
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
            self._hosts.requests,
            tuple(self._hosts.work),
            addresses=self.addresses,
            covers=tuple(covers),
            machine=this_machine(),
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

    def _planned(self, name: str, on_event: Callable[[Event], None], *, first: First | None = None) -> Outcome:
        desired = self._hosts.work[name].desired
        return plan_host(desired, self._hosts.transport(name), self._allow, on_event, first)

    def _applied(self, one: Outcome, on_event: Callable[[Event], None], *, recheck: bool) -> Outcome:
        work = self._hosts.work[one.host]
        if one.plan is None:
            return one
        if (withheld := self._hosts.turns.withheld(one.plan)) is not None:
            self._hosts.note(work.name, withheld[1])
            return replace(one, report=withheld[0])
        transport = self._hosts.transport(work.name)
        with self._hosts.watched.of(one.plan, transport, on_event) as hear:
            applied = partial(
                apply_plan, one.plan, work.desired, transport, hear, recheck=recheck,
                pause=self._pause, stopped=lambda: self._stop.asked,
                known=partial(self._hosts.changed.__setitem__, one.host),
            )  # fmt: skip
            done = applied()
            if isinstance(done, Report) and self._units.cleared(work.name, done):
                done = applied()
        if isinstance(done, Report):
            self._hosts.turns.ended(done)
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
        found = self._hosts.each(READING, askable, keep=lambda outcome: keep and _goes_on(outcome), known=known)
        return [found.get(name) or known(Outcome(name, wrong=work[name].wrong)) for name in tasks]


def _goes_on(outcome: Outcome) -> bool:
    """Whether there is something to do, as far as is known."""
    return bool(outcome.plan.steps) if outcome.plan is not None else not (outcome.error or outcome.changed)
