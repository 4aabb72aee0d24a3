"""Whose turn it is: hosts on which something restarts are changed a few at a time, and things of one class never together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hvctl.config.prepare import HostWork
from hvctl.core.apply import Report, held_back
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.core.resource import Resource
from hvctl.text.address import Address


@dataclass(frozen=True)
class Few:
    """What is not done all at once. `limits`: so many of these at a time, however many of the others. `apart`: by name, its
    classes; of one class no two at a time."""

    limits: tuple[tuple[int, frozenset[str]], ...] = ()
    apart: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Turns:
    """Of the hosts of a run. `most`: so many at a time of those on which something restarts, whatever their plays say."""

    def __init__(self, work: Mapping[str, HostWork]) -> None:
        self._work = work
        self.most: int | None = None
        self.few = Few()
        self._classes: dict[Address, frozenset[str]] = {}
        """Of what goes down, or to another host."""
        self._down: dict[str, Address] = {}
        """By class, the first that was left down."""

    def take(self, todo: Mapping[str, Outcome], outcomes: Iterable[Outcome]) -> None:
        """What is to be changed now. `outcomes`: of all hosts, also of those that others change something of."""
        plans = {one.host: one.plan for one in outcomes if one.plan is not None}
        doing = {host: plans[host] for host in todo if host in plans}
        restarting = frozenset(host for host, plan in doing.items() if any(not r.blocked for r in plan.restarts))
        moved = {key for plan in plans.values() for key in _moved(plan)}
        stirred = {host: set(_stirred(plan, moved)) for host, plan in doing.items()}
        self._classes = {}
        for host in {address.host for found in stirred.values() for address in found} & plans.keys():
            self._classes |= self._of_host(plans[host])
        apart = {
            host: classes
            for host, found in stirred.items()
            if (classes := frozenset(name for address in found for name in self._classes.get(address, ())))
        }
        self.few = Few(tuple(self._limits(restarting)), apart)

    def ended(self, report: Report) -> None:
        for address in report.down:
            for name in self._classes.get(address, ()):
                self._down.setdefault(name, address)

    def withheld(self, plan: Plan) -> tuple[Report, str] | None:
        """Where something of another host was left down that must not be down beside something of this plan: that nothing
        is done here, and why."""
        for name in sorted(self.few.apart.get(plan.host, ())):
            down = self._down.get(name)
            if down is not None and down.host != plan.host:
                text = f"left alone: {down} of {down.host} was left down, which is of the class {name} too"
                return held_back(plan, beside=True), text
        return None

    def _of_host(self, plan: Plan) -> Iterable[tuple[Address, frozenset[str]]]:
        found: dict[Address, frozenset[str]] = {}
        for one in self._work[plan.host].desired:
            if classes := one.apart(plan.facts):
                root = _root(one).address()
                found[root] = found.get(root, frozenset()) | classes
        return found.items()

    def _limits(self, restarting: frozenset[str]) -> Iterator[tuple[int, frozenset[str]]]:
        if self.most is not None:
            yield self.most, restarting
        plays: dict[tuple[str, int], set[str]] = {}
        for host in restarting:
            for one in self._work[host].at_once:
                if one.play is not None:
                    plays.setdefault((one.of, one.play), set()).add(host)
        yield from ((most, frozenset(hosts)) for (_, most), hosts in plays.items())
        together: dict[str, set[str]] = {}
        for host in restarting:
            together.setdefault(self._work[host].desired.together, set()).add(host)
        for name, hosts in together.items():
            said = [n for host in hosts for one in self._work[host].at_once if (n := one.together) is not None]
            if name and said:
                yield min(said), frozenset(hosts)


def _moved(plan: Plan) -> Iterator[tuple[Address, str]]:
    """What goes to another host, by the field that says so."""
    for action in plan.actions:
        for line in action.lines:
            if "move" in line.impacts and not line.consent and not line.held:
                yield action.address, line.field


def _stirred(plan: Plan, moved: Collection[tuple[Address, str]]) -> Iterator[Address]:
    yield from (r.address for r in plan.restarts if not r.blocked)
    for step in plan.steps:
        if step.moves or any((step.action, name) in moved for name in step.because):
            yield step.root or step.action


def _root(one: Resource) -> Resource:
    while one.owner is not None:
        one = one.owner
    return one
