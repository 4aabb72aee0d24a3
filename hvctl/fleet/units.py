"""Hosts that are planned together: read side by side, planned as one, changed in rounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hvctl.call import Call, Failure, Reply, TransportError, defect
from hvctl.core.apply import Report, apply, batch_of
from hvctl.core.contents import changed_sources
from hvctl.core.facts import Facts, merged
from hvctl.core.impact import Impact
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plans
from hvctl.core.questions import questions_of, questions_once
from hvctl.core.replan import First, replanned_together
from hvctl.core.resource import Index
from hvctl.core.rounds import Rounds
from hvctl.core.unit import units
from hvctl.fleet.hosts import Hear, Hosts, Task, own
from hvctl.fleet.reconcile import Pause, joined, look_at, renamed, settled


class Units:
    """The units of several hosts among those of a run."""

    def __init__(self, hosts: Hosts, allow: frozenset[Impact], pause: Pause) -> None:
        self._hosts, self._allow, self._pause = hosts, allow, pause
        self._facts: dict[str, Facts] = {}
        """What hosts answered, until all of their unit have."""
        self._linked: dict[str, tuple[Index, ...]] | None = None

    @property
    def linked(self) -> Mapping[str, tuple[Index, ...]]:
        """By host, the unit of several hosts that it is in."""
        if self._linked is None:
            found = units(w.desired for w in self._hosts.work.values() if not w.wrong)
            self._linked = {one.host: unit for unit in found if len(unit) > 1 for one in unit}
        return self._linked

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
            self._facts[name] = look_at(self._hosts.transport(name), calls, on_event)
        except TransportError as error:
            return Outcome(name, error=error)
        return Outcome(name)

    def planned(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """With the plans of those that were read, each unit as one."""
        found = {one.host: one for one in outcomes}
        for unit, facts in self._read_units(found):
            try:
                plans = make_plans(unit, facts, self._allow)
            except Exception as error:
                found |= {host: replace(found[host], error=defect(error)) for host in facts}
                continue
            found |= {host: replace(found[host], plan=plan) for host, plan in plans.items()}
        return list(found.values())

    def _read_units(self, hosts: Iterable[str]) -> Iterator[tuple[tuple[Index, ...], dict[str, Facts]]]:
        for unit in {id(u): u for host in hosts if (u := self.linked.get(host))}.values():
            facts = {one.host: self._facts.pop(one.host) for one in unit if one.host in self._facts}
            for together in dict.fromkeys(one.together for one in unit if one.together):
                facts |= self._answered_once(unit, together, facts)
            if facts:
                yield unit, facts

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

        self._hosts.each("reading", [(host, own(Outcome(host), read))], keep=_all)
        return dict(heard[host].replies) if host in heard else {}

    def _read_again(self, hosts: Iterable[str]) -> dict[str, Outcome]:
        """All of the units that these are in."""
        names = dict.fromkeys(one.host for host in hosts for one in self.linked[host])
        tasks = [(n, own(Outcome(n), partial(self.read, n))) for n in names]
        seen = self._hosts.each("reading", tasks, keep=_all)
        return {n: seen.get(n, Outcome(n)) for n in names}

    # --- changing ----------------------------------------------------------------------------------------------------

    def refused(self, together: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """Time has passed since the plans were made: units that would do otherwise are refused as a whole, and so are those
        of which a host is not reached."""
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
            elif lines := self._lines(host, {h: seen[h] for h in together if together[h].plan is not None}, why):
                found[host] = replace(one, changed=tuple(lines))
        return found

    def _lines(self, host: str, seen: Mapping[str, Outcome], why: Mapping[str, Sequence[str]]) -> list[str]:
        """Why a host is refused: first that another of its unit is not reached any more, which changes what would be done
        here."""
        others = [one.host for one in self.linked[host] if one.host != host and one.host in seen]
        if away := [f"it is planned together with {o}, which is not reached" for o in others if seen[o].error]:
            return away
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
            sent.update(parts)
            return [(h, own(replace(together[h], plan=p), partial(self._sent, p))) for h, p in parts.items()]

        def then(one: Outcome) -> list[tuple[str, Task]]:
            rounds, part = unit_of.get(one.host), sent.pop(one.host, None)
            if rounds is None or part is None:
                return []
            rounds.heard(one.host, part, one.report or Report(part, error=one.error))
            return [] if rounds.hosts & sent.keys() else begun(rounds)

        distinct = {id(rounds): rounds for rounds in unit_of.values()}.values()
        jobs = [*alone, *(job for rounds in distinct for job in begun(rounds))]
        done = self._hosts.each("applying", jobs, keep=partial(_among, frozenset(together)), then=then)
        for host, part in sent.items():  # a stop came before it was done
            left = self._hosts.left(replace(together[host], plan=part))
            unit_of[host].heard(host, part, left.report or Report(part, error=left.error))
        reports = {host: report for rounds in distinct for host, report in rounds.reports().items()}
        reports |= {host: replace(reports[host], error=joined(reports[host].error, e)) for host, e in faults.items()}
        seen = self._seen_after(self._taken_up(self._seen_after(reports)))
        return {h: one for h, one in done.items() if h not in reports} | {
            host: replace(together[host], report=report, error=None) for host, report in seen.items()
        }

    def _sent(self, plan: Plan, on_event: Hear) -> Outcome:
        transport = self._hosts.transport(plan.host)
        with self._hosts.watched.of(plan, transport, on_event) as hear:
            return Outcome(plan.host, plan, apply(plan, transport, hear))

    def _seen_after(self, reports: Mapping[str, Report]) -> dict[str, Report]:
        """With the plans that are made of their hosts as they are now, where there is none yet. Hosts that were readable
        before are given time to be so again."""
        found = dict(reports)

        def missing() -> list[str]:
            return [host for host, report in found.items() if report.after is None and not _untouched(report)]

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
        found = {h: replace(r, after=r.plan) if _untouched(r) and r.error is None else r for h, r in found.items()}
        return {h: replace(r, stopped=r.stopped or (stopped and r.after is None)) for h, r in found.items()}

    def _taken_up(self, reports: dict[str, Report]) -> dict[str, Report]:
        """After a lost connection: what went on on a host by itself is waited for and brought to its end. Those hosts are to
        be looked at again."""
        found = dict(reports)
        parts: dict[str, Plan] = {}
        for host, report in reports.items():
            steps = tuple(s for s in report.after.steps if s.resumes) if report.error and report.after else ()
            if steps and report.after is not None and not self._hosts.stop.asked:
                parts[host] = replace(report.after, steps=renamed(steps))
        jobs = [(h, own(Outcome(h, p), partial(self._sent, p))) for h, p in parts.items()]
        ended = self._hosts.each("applying", jobs, keep=_all) if jobs else {}
        for host in parts:  # also one that a stop left out: what is known of it was seen before this
            report, one = replace(found[host], after=None), ended.get(host, Outcome(host))
            if one.report is not None:
                report = replace(report, results=(*report.results, *one.report.results))
            if one.error is not None:
                report = replace(report, error=joined(report.error, one.error))
            found[host] = report
        return found


def _untouched(report: Report) -> bool:
    """Nothing was begun there, so that the host is as the plan was made from."""
    return all(r.status == "skipped" for r in report.results)


def _all(outcome: Outcome) -> bool:
    return True


def _among(hosts: frozenset[str], outcome: Outcome) -> bool:
    return outcome.host in hosts
