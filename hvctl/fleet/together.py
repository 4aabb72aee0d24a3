"""Hosts that are planned together: read side by side, planned as one, changed in rounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hvctl.call import TransportError, defect
from hvctl.core.apply import Report, apply, batch_of
from hvctl.core.contents import changed_sources
from hvctl.core.facts import Facts
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plans
from hvctl.core.questions import questions_of
from hvctl.core.replan import differences, steps_data
from hvctl.core.resource import Impact, Index
from hvctl.core.rounds import Rounds
from hvctl.core.unit import units
from hvctl.fleet.hosts import Hear, Hosts, Task, own
from hvctl.fleet.reconcile import look_at


class Together:
    """The units of several hosts among those of a run."""

    def __init__(self, hosts: Hosts, allow: frozenset[Impact]) -> None:
        self._hosts, self._allow = hosts, allow
        self._facts: dict[str, Facts] = {}
        """What hosts answered, until all of their unit have."""

    def linked(self) -> dict[str, tuple[Index, ...]]:
        """By host, the unit of several hosts that it is in."""
        found = units(w.desired for w in self._hosts.work.values() if not w.wrong)
        return {one.host: unit for unit in found if len(unit) > 1 for one in unit}

    def read(self, name: str, on_event: Hear) -> Outcome:
        """What it answered is kept until all of its unit have."""
        try:
            self._facts[name] = look_at(self._hosts.transport(name), questions_of(name, self.linked()[name]), on_event)
        except TransportError as error:
            return Outcome(name, error=error)
        return Outcome(name)

    def planned(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        found = {one.host: one for one in outcomes}
        for unit in {id(u): u for u in self.linked().values()}.values():
            hosts = [one.host for one in unit]
            facts = {host: self._facts.pop(host) for host in hosts if host in self._facts}
            try:
                plans = make_plans(unit, facts, self._allow)
            except Exception as error:
                found |= {host: replace(found[host], error=defect(error)) for host in facts}
                continue
            found |= {host: replace(found[host], plan=plan) for host, plan in plans.items()}
        return list(found.values())

    def _looked_again(self, hosts: Iterable[str]) -> dict[str, Outcome]:
        """All of the units that these are in."""
        linked = self.linked()
        names = dict.fromkeys(one.host for host in hosts for one in linked[host])
        tasks = [(n, own(Outcome(n), partial(self.read, n))) for n in names]
        seen = self._hosts.each("reading", tasks, keep=_all)
        return {one.host: one for one in self.planned([seen.get(n, Outcome(n)) for n in names])}

    def refused(self, together: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """Units that would do otherwise than was planned, as a whole. A host that is not reached takes its unit with it."""
        if not together:
            return {}
        now, linked = self._looked_again(together), self.linked()
        changed = {host: _differently(one.plan, now[host]) for host, one in together.items() if one.plan is not None}
        found: dict[str, Outcome] = {}
        for host, one in together.items():
            own = changed.get(host, ())
            others = [o.host for o in linked[host] if o.host != host and changed.get(o.host)]
            why = own or tuple(f"it is planned together with {other}, where something has changed" for other in others)
            if why:
                found[host] = replace(one, changed=tuple(why))
        return found

    def applied(self, alone: Sequence[tuple[str, Task]], together: Mapping[str, Outcome]) -> dict[str, Outcome]:
        """Hosts by themselves in one go, those of units in as few batches as what they need of each other allows."""
        linked = self.linked()
        by_unit: dict[int, dict[str, Plan]] = {}
        for host, one in together.items():
            if one.plan is not None:
                by_unit.setdefault(id(linked[host]), {})[host] = one.plan
        rounds = [Rounds(plans) for plans in by_unit.values()]
        done: dict[str, Outcome] = {}
        jobs = list(alone)
        while True:
            parts = {
                host: (r, plan) for r in rounds for host, plan in ({} if self._hosts.stop.asked else r.next()).items()
            }
            jobs += [(h, own(replace(together[h], plan=p), partial(self._sent, p))) for h, (_, p) in parts.items()]
            if not jobs:
                break
            ended = self._hosts.each("applying", jobs, keep=partial(_among, frozenset(parts)))
            for host, (ongoing, plan) in parts.items():
                one = ended.get(host) or self._hosts.left(replace(together[host], plan=plan))
                ongoing.heard(host, one.report or Report(plan, error=one.error))
            done |= {host: one for host, one in ended.items() if host not in parts}
            jobs = []
        reports = {host: report for r in rounds for host, report in r.reports().items()}
        if not reports:
            return done
        self._hosts.changed |= reports
        seen = {} if self._hosts.stop.asked else self._looked_again(reports)
        for host, report in reports.items():
            after = seen[host].plan if host in seen else None
            if after is None and not any(r.status != "skipped" for r in report.results):
                after = report.plan if report.error is None else None
            done[host] = replace(together[host], report=replace(report, after=after), error=None)
        return done

    def _sent(self, plan: Plan, on_event: Hear) -> Outcome:
        return Outcome(plan.host, plan, apply(plan, self._hosts.transport(plan.host), on_event))


def _all(outcome: Outcome) -> bool:
    return True


def _among(hosts: frozenset[str], outcome: Outcome) -> bool:
    return outcome.host in hosts


def _differently(before: Plan, now: Outcome) -> tuple[str, ...]:
    """What would be done otherwise, one line each."""
    if now.plan is None:
        return (str(now.error or "it was not looked at again"),)
    return (*changed_sources(batch_of(before)), *differences(steps_data(before), now.plan))
