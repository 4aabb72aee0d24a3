"""Hosts that are planned together: read side by side, planned as one, changed in rounds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from hvctl.call import Call, Failure, Reply, TransportError, defect
from hvctl.config.connection import login_of
from hvctl.core.apply import Report, StepResult, apply, batch_of, not_sent
from hvctl.core.contents import changed_sources
from hvctl.core.facts import Facts, merged
from hvctl.core.impact import Impact
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan, PlannedStep
from hvctl.core.planner import make_plans
from hvctl.core.questions import further_of, questions_of, questions_once
from hvctl.core.replan import First, replanned_together
from hvctl.core.resource import Index
from hvctl.core.rounds import Rounds, coupled
from hvctl.core.unit import units
from hvctl.fleet.hosts import APPLYING, READING, Hear, Hosts, Task, own
from hvctl.fleet.leases import Leases
from hvctl.fleet.reconcile import Pause, joined, look_at, renamed, settled
from hvctl.text.address import Address

_NONE: Mapping[str, First] = MappingProxyType({})


class Units:
    """The units of several hosts among those of a run."""

    def __init__(self, hosts: Hosts, allow: frozenset[Impact], pause: Pause) -> None:
        self._hosts, self._allow, self._pause = hosts, allow, pause
        self._facts: dict[str, Facts] = {}
        """What hosts answered, until all of their unit have."""
        self._linked: dict[str, tuple[Index, ...]] | None = None
        self._leases = Leases(hosts)
        self._coupled: dict[str, frozenset[str]] = {}
        self._allows: dict[str, frozenset[Impact]] = {}
        """By host, what the plan allows that was made before."""
        self._moved: frozenset[str] = frozenset()
        """Hosts that something was moved between, or whose resources others changed."""

    @property
    def linked(self) -> Mapping[str, tuple[Index, ...]]:
        """By host, the unit of several hosts that it is in."""
        if self._linked is None:
            found = units(w.desired for w in self._hosts.work.values() if not w.wrong)
            self._linked = {one.host: unit for unit in found if len(unit) > 1 for one in unit}
        return self._linked

    def others(self, host: str) -> frozenset[str]:
        """That are planned together with it."""
        return frozenset(one.host for one in self.linked.get(host, ())) - {host}

    def revised(self) -> None:
        """Something else is desired of a host."""
        self._linked = None

    # --- looking -----------------------------------------------------------------------------------------------------

    def read(self, name: str, on_event: Hear) -> Outcome:
        """What it answered is kept until all of its unit have."""
        unit = self.linked[name]
        together = next(one.together for one in unit if one.host == name)
        once = questions_once(unit, together)
        first = next(one.host for one in unit if one.together == together)
        calls = questions_of(name, unit, without=() if name == first else once)
        try:
            facts = look_at(self._hosts.transport(name), calls, on_event)
            self._facts[name] = replace(facts, login=login_of(self._hosts.work[name].connection))
        except TransportError as error:
            return Outcome(name, error=error)
        return Outcome(name)

    def planned(self, outcomes: Sequence[Outcome], firsts: Mapping[str, First] = _NONE) -> list[Outcome]:
        """With the plans of those that were read, each unit as one. `firsts`: of plans that were made before, which are
        refused where they would do otherwise now."""
        found = {one.host: one for one in outcomes}
        for unit, facts in self._read_units(found):
            before = {host: firsts[host] for host in facts if host in firsts}
            self._allows |= {one.host: first.allow for one in unit for first in before.values()}
            allow = self._allows.get(unit[0].host, self._allow)
            try:
                plans = {} if before else make_plans(unit, facts, allow)
                again = replanned_together(unit, facts, before) if before else {}
            except Exception as error:
                found |= {host: replace(found[host], error=defect(error)) for host in facts}
                continue
            found |= {host: replace(found[host], plan=plan) for host, plan in plans.items()}
            found |= self._refused_as_units(again, found)
        return list(found.values())

    def _refused_as_units(
        self, again: Mapping[str, tuple[Plan, list[str]]], found: Mapping[str, Outcome]
    ) -> dict[str, Outcome]:
        """Of one host that would do otherwise, the others of its unit do nothing either."""
        told: dict[str, Outcome] = {}
        for host, (plan, changed) in again.items():
            others = [o for o in again if o != host and again[o][1]]
            elsewhere = [f"it is planned together with {o}, where something has changed" for o in others]
            lines = (*changed_sources(batch_of(plan)), *changed) or tuple(elsewhere)
            told[host] = replace(found[host], plan=plan, changed=lines)
        return told

    def _read_units(self, hosts: Iterable[str]) -> Iterator[tuple[tuple[Index, ...], dict[str, Facts]]]:
        for unit in {id(u): u for host in hosts if (u := self.linked.get(host))}.values():
            facts = {one.host: self._facts.pop(one.host) for one in unit if one.host in self._facts}
            for together in dict.fromkeys(one.together for one in unit if one.together):
                facts |= self._answered_once(unit, together, facts)
            if facts:
                yield unit, self._completed(unit, facts)

    def _completed(self, unit: Sequence[Index], facts: dict[str, Facts]) -> dict[str, Facts]:
        """With what is asked besides, once it is known what all of them have answered. What is not answered then is not known
        when the plan is made."""
        calls: dict[str, list[Call]] = {}
        for host, call in further_of(unit, facts):
            calls.setdefault(host, []).append(call)
        more: dict[str, Facts] = {}

        def ask(host: str, on_event: Hear) -> Outcome:
            more[host] = look_at(self._hosts.transport(host), calls[host], on_event)
            return Outcome(host)

        jobs = [(h, own(Outcome(h), partial(ask, h))) for h in calls if h in facts]
        if jobs and not self._hosts.stop.asked:
            warm = {h for h, _ in jobs if self._hosts.is_open(h)}
            self._hosts.each(READING, jobs, keep=lambda outcome: outcome.host in warm)
        return {h: replace(f, replies={**f.replies, **more[h].replies}) if h in more else f for h, f in facts.items()}

    def _answered_once(self, unit: Sequence[Index], together: str, facts: Mapping[str, Facts]) -> dict[str, Facts]:
        """Those that were read, each with what one of them answers for all: the first of them, or the next that does."""
        once = questions_once(unit, together)
        hosts = [one.host for one in unit if one.together == together]
        there = [host for host in hosts if host in facts]
        if not once or not there:
            return {}
        found = facts[there[0]].answering(once) if there[0] == hosts[0] else {}
        for host in there:
            if found and any(reply.ok for reply in found.values()):
                break
            if host != hosts[0]:
                found = self._asked_once(host, once) or found
        gone = Reply(failures=(Failure("NotAnswered", "ConnectionError", "no node of it answered"),))
        found = found or dict.fromkeys(merged(once), gone)
        return {host: replace(facts[host], replies={**facts[host].replies, **found}) for host in there}

    def _asked_once(self, host: str, once: Sequence[Call]) -> dict[Call, Reply]:
        heard: dict[str, Facts] = {}

        def read(on_event: Hear) -> Outcome:
            try:
                heard[host] = look_at(self._hosts.transport(host), once, on_event)
            except TransportError as error:
                return Outcome(host, error=error)
            return Outcome(host)

        self._hosts.each(READING, [(host, own(Outcome(host), read))], keep=_all)
        return dict(heard[host].replies) if host in heard else {}

    def _read_again(self, hosts: Iterable[str]) -> dict[str, Outcome]:
        """All of the units that these are in."""
        names = dict.fromkeys(one.host for host in hosts for one in self.linked[host])
        tasks = [(n, own(Outcome(n), partial(self.read, n))) for n in names]
        seen = self._hosts.each(READING, tasks, keep=_all)
        return {n: seen.get(n, Outcome(n)) for n in names}

    def reached(self, outcomes: Iterable[Outcome]) -> frozenset[str]:
        """The hosts that something moves between, or may, and those whose resources others change: what is on them changes
        without a step there."""
        steps = [(o.host, s) for o in outcomes if o.plan is not None for s in o.plan.steps]
        moving: list[tuple[str, ...]] = [(host, s.action.host) for host, s in steps if s.moves or s.action.host != host]
        moving += [(host, *s.reaches) for host, s in steps if s.reaches]
        return frozenset(host for several in moving for host in several)

    # --- leases ------------------------------------------------------------------------------------------------------

    def taken(self, outcomes: Sequence[Outcome], todo: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """Hosts whose steps concern each other are taken for an apply. What became of those of which one is refused."""
        plans = {o.host: o.plan for o in outcomes if o.plan is not None and o.host in self.linked}
        self._coupled = coupled(plans)
        found: dict[str, Outcome] = {}
        for group in {self._coupled[host] for host in todo if host in self._coupled}:
            if len(group) > 1:
                for refusing, error in self._leases.take({host: plans[host] for host in group}).items():
                    if self._hosts.stop.asked:
                        return {}  # nothing is begun any more
                    found |= _locked(refusing, error, {h: todo[h] for h in group if h in todo})
        return found

    def given_back(self, done: Iterable[Outcome]) -> None:
        """On hosts that are reached no more they run out."""
        lost = {o.host for o in done if o.report is not None and o.report.error is not None}
        self._leases.release(self._leases.held - lost)

    def cleared(self, host: str, report: Report) -> bool:
        """Whether it is worth sending again: nothing was, for what a run that is gone had left."""
        return self._leases.cleared(host, report.error)

    @contextmanager
    def kept(self) -> Iterator[None]:
        with self._leases.kept():
            yield

    # --- changing ----------------------------------------------------------------------------------------------------

    def refused(self, together: Mapping[str, Outcome], away: Collection[str] = ()) -> dict[str, Outcome]:
        """Time has passed since the plans were made: hosts whose steps concern each other are refused together where one of
        them would do otherwise or is not reached. `away`: hosts that were not reached then either, so that the plans rest on
        nothing of them."""
        if not together:
            return {}
        seen = self._read_again(together)
        if self._hosts.stop.asked:
            return {host: self._hosts.left(one) for host, one in together.items()}
        why: dict[str, list[str]] = {}
        for unit, facts in self._read_units(seen):
            plans = {one.host: together[one.host].plan for one in unit if one.host in together}
            firsts = {host: First.of(plan) for host, plan in plans.items() if plan is not None}
            why |= {h: changed for h, (_, changed) in replanned_together(unit, facts, firsts).items()}
        for host, one in together.items():
            if one.plan is not None:
                why[host] = [*changed_sources(batch_of(one.plan)), *why.get(host, ())]
        found: dict[str, Outcome] = {}
        for host, one in together.items():
            error = seen[host].error
            if error is not None and one.plan is not None:
                found[host] = replace(one, report=Report(one.plan, error=error))
            elif lines := self._lines(host, seen, why, away):
                found[host] = replace(one, changed=tuple(lines))
        return found

    def _lines(
        self, host: str, seen: Mapping[str, Outcome], why: Mapping[str, Sequence[str]], away: Collection[str]
    ) -> list[str]:
        """Why a host is refused: first that another one that its steps concern is not reached."""
        group = self._coupled.get(host, frozenset())
        others = [one.host for one in self.linked[host] if one.host != host and one.host in group]
        gone = [o for o in others if seen[o].error and o not in away]
        if gone:
            return [f"it is planned together with {o}, which is not reached" for o in gone]
        elsewhere = [f"it is planned together with {o}, where something has changed" for o in others if why.get(o)]
        return list(why[host]) or elsewhere

    def applied(self, alone: Sequence[tuple[str, Task]], together: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """Hosts by themselves, and units in as few batches as what their hosts need of each other allows. A unit waits for
        its own hosts only."""
        unit_of: dict[str, Rounds] = {}
        for unit in {id(self.linked[host]): self.linked[host] for host in together}.values():
            plans = {one.host: p for one in unit if one.host in together and (p := together[one.host].plan) is not None}
            unit_of |= dict.fromkeys(plans, Rounds(plans))
        sent: dict[str, Plan] = {}
        """What hosts of units are doing."""
        faults: dict[str, TransportError] = {}

        def begun(rounds: Rounds) -> list[tuple[str, Task]]:
            try:
                parts = rounds.next()
            except RuntimeError as error:
                faults.update(dict.fromkeys(rounds.hosts, defect(error, doing="between the batches of a unit")))
                return []
            self._leases.begins([*parts])
            sent.update(parts)
            return [(h, own(replace(together[h], plan=p), partial(self._sent, p))) for h, p in parts.items()]

        def then(one: Outcome) -> list[tuple[str, Task]]:
            self._leases.ends(one.host)
            rounds, part = unit_of.get(one.host), sent.pop(one.host, None)
            if rounds is None or part is None:
                return []
            rounds.heard(one.host, part, one.report or Report(part, error=one.error))
            return [] if rounds.hosts & sent.keys() else begun(rounds)

        distinct = {id(rounds): rounds for rounds in unit_of.values()}.values()
        jobs = [*alone, *(job for rounds in distinct for job in begun(rounds))]
        done = self._hosts.each(APPLYING, jobs, keep=partial(_among, frozenset(together)), then=then)
        for host, part in sent.items():  # a stop came before it was done
            left = self._hosts.left(replace(together[host], plan=part))
            unit_of[host].heard(host, part, left.report or Report(part, error=left.error))
        reports = {host: report for rounds in distinct for host, report in rounds.reports().items()}
        reports |= {host: replace(reports[host], error=joined(reports[host].error, e)) for host, e in faults.items()}
        self._moved = self.reached(together.values())
        seen = self._seen_after(self._taken_up(self._seen_after(reports)))
        seen = self._seen_after(self._followed(told_where(seen)))
        return {h: one for h, one in done.items() if h not in reports} | {
            host: replace(together[host], report=report, error=None) for host, report in seen.items()
        }

    def _untouched(self, host: str, report: Report) -> bool:
        """Nothing was begun there, so that the host is as the plan was made from."""
        return host not in self._moved and all(r.status == "skipped" for r in report.results)

    def _sent(self, plan: Plan, on_event: Hear) -> Outcome:
        if (withheld := self._hosts.turns.withheld(plan)) is not None:
            self._hosts.note(plan.host, withheld[1])
            return Outcome(plan.host, plan, withheld[0])
        lease, transport = self._leases.of(plan.host), self._hosts.transport(plan.host)
        with self._hosts.watched.of(plan, transport, on_event) as hear:
            report = apply(plan, transport, hear, lease)
            if self.cleared(plan.host, report):
                report = apply(plan, transport, hear, lease)
        self._hosts.turns.ended(report)
        return Outcome(plan.host, plan, report)

    def _seen_after(self, reports: Mapping[str, Report]) -> dict[str, Report]:
        """With the plans that are made of their hosts as they are now, where there is none yet. Hosts that were readable
        before are given time to be so again."""
        found = dict(reports)

        def missing() -> list[str]:
            return [
                host for host, report in found.items() if report.after is None and not self._untouched(host, report)
            ]

        def once() -> None:
            for one in self.planned(list(self._read_again(missing()).values())) if missing() else ():
                if one.host in found:
                    report = found[one.host]
                    fault = one.error if one.error is not None and one.error.defect else None
                    error = report.error if fault is None else joined(report.error, fault)
                    found[one.host] = replace(report, after=one.plan, error=error)

        def told(seconds: float) -> None:
            for host in missing():
                self._hosts.note(host, f"the host is not reached after the changes; looking again in {seconds:g} s")

        def unsettled() -> bool:
            return bool(missing()) and not self._hosts.stop.asked

        if unsettled():
            settled(once, unsettled, told, self._pause)
        stopped = self._hosts.stop.asked
        found = {
            h: replace(r, after=r.plan) if r.after is None and self._untouched(h, r) and r.error is None else r
            for h, r in found.items()
        }
        return {h: replace(r, stopped=r.stopped or (stopped and r.after is None)) for h, r in found.items()}

    def _taken_up(self, reports: dict[str, Report]) -> dict[str, Report]:
        """After a lost connection: what went on on a host by itself is waited for and brought to its end. Those hosts are to
        be looked at again."""
        chosen = {
            host: tuple(s for s in report.after.steps if s.resumes) if report.error and report.after else ()
            for host, report in reports.items()
        }
        return self._gone_on(reports, chosen)

    def _followed(self, reports: dict[str, Report]) -> dict[str, Report]:
        """Of what has moved, and of what leads on, the rest: it is planned from where it is now, and done there. What moved it
        is never sent again."""
        roots = {
            r.step.root
            for report in reports.values()
            for r in report.results
            if (r.step.moves or r.step.leads_on) and r.status in ("ok", "unknown")
        }
        after = {h: r.after.steps for h, r in reports.items() if r.after is not None and r.error is None}
        roots -= {s.root for r in reports.values() if r.after is not None for s in r.after.steps if s.moves}
        return self._gone_on(reports, {host: _of_roots(steps, roots) for host, steps in after.items()})

    def _gone_on(
        self, reports: Mapping[str, Report], chosen: Mapping[str, tuple[PlannedStep, ...]]
    ) -> dict[str, Report]:
        """With more steps, of the plans that were made after the first ones."""
        found = dict(reports)
        parts: dict[str, Plan] = {}
        for host, steps in chosen.items():
            report = reports[host]
            if steps and report.after is not None and not self._hosts.stop.asked:
                parts[host] = replace(report.after, steps=renamed(steps))
                self._hosts.texts.setdefault(host, {}).update({s.task.id: s.text for s in parts[host].steps})
        jobs = [(h, own(Outcome(h, p), partial(self._sent, p))) for h, p in parts.items()]
        self._leases.begins([*parts])
        ended = self._hosts.each(APPLYING, jobs, keep=_all) if jobs else {}
        for host in parts:
            self._leases.ends(host)
        for host in parts:  # also one that a stop left out: what is known of it was seen before this
            report, one = replace(found[host], after=None), ended.get(host, Outcome(host))
            if one.report is not None:
                report = replace(report, results=(*report.results, *one.report.results))
            if one.error is not None:
                report = replace(report, error=joined(report.error, one.error))
            found[host] = report
        return found


def _locked(refusing: str, error: TransportError, todo: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """Nothing is sent to any host of a unit of which one is not to be had."""
    found = {}
    for host, one in todo.items():
        why = error
        if host != refusing and not error.holder[0]:
            found[host] = replace(one, changed=(f"it is planned together with {refusing}, which is not reached",))
            continue
        if host != refusing:
            why = TransportError(f"nothing is sent, since it is planned together with {refusing}: {error.message}")
        if one.plan is not None:
            found[host] = replace(one, report=not_sent(one.plan, why), error=None)
    return found


def _of_roots(steps: Sequence[PlannedStep], roots: set[Address | None]) -> tuple[PlannedStep, ...]:
    """Those of these resources, unless they rest on steps of others."""
    chosen: list[PlannedStep] = []
    for step in steps:
        ids = {s.task.id for s in chosen}
        if step.root in roots and not step.awaits and ids.issuperset(step.task.needs):
            chosen.append(step)
    return tuple(chosen)


def told_where(reports: Mapping[str, Report]) -> dict[str, Report]:
    """Where something is of which it is not known whether it has moved: both hosts were read since."""

    def told(result: StepResult) -> StepResult:
        step = result.step
        after = reports[step.action.host].after if step.action.host in reports else None
        if not step.moves or result.status != "unknown" or after is None:
            return result
        action = next((a for a in after.actions if a.address == step.action), None)
        if action is None:
            return result
        away = [line.now for line in action.lines if line.field in step.because]
        if action.verb == "unknown" or (action.verb == "held" and not away):
            where = "; ".join(str(r.message) for r in action.remarks) or "where it is, is not known"
        else:
            where = f"it is on {away[0] if away else step.action.host}"
        return replace(result, why=f"{result.why}; {where}")

    return {h: replace(r, results=tuple(told(one) for one in r.results)) for h, r in reports.items()}


def _all(outcome: Outcome) -> bool:
    return True


def _among(hosts: frozenset[str], outcome: Outcome) -> bool:
    return outcome.host in hosts
