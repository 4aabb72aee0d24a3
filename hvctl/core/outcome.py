"""What a run knows of each of its hosts, and the exit status of it all."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from hvctl.call import TransportError
from hvctl.core.apply import Report
from hvctl.core.plan import Action, Plan
from hvctl.core.status import DIFFERS, FAULT, TROUBLE
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


@dataclass(frozen=True)
class Outcome:
    """What a run knows of one host: a plan, a report of an apply, or why there is neither. `changed`: what
    a plan made again does otherwise, so that it was refused; `plan` is that one then. `wrong`: what in its configuration
    kept it from being contacted."""

    host: str
    plan: Plan | None = None
    report: Report | None = None
    error: TransportError | None = None
    changed: tuple[str, ...] = ()
    wrong: tuple[Diagnostic, ...] = ()

    @property
    def told(self) -> Outcome:
        """Without most of what its host answered, which is most of it: all that is told of a plan stands in its actions, but
        for what the host is as a whole."""
        return self if self.plan is None else replace(self, plan=replace(self.plan, facts=self.plan.facts.of_host))

    @property
    def looked(self) -> bool:
        """Whether anything is known of it; not where a stop came before."""
        return bool(self.plan or self.report or self.error or self.changed or self.wrong)

    @property
    def unasked(self) -> bool:
        """Whether what it was to be asked through is gone: that says nothing about it."""
        return self.error is not None and self.error.unasked

    @property
    def now(self) -> Plan | None:
        """The newest plan that was made of the host: the one after an apply, if there was one; none if it was refused."""
        return self.report.after if self.report is not None else None if self.changed else self.plan

    @property
    def defects(self) -> tuple[str, ...]:
        """Tracebacks of what hvctl itself did wrong for this host."""
        report = self.report
        errors = (self.error, report.error if report is not None else None)
        plans = (self.plan, report.after if report is not None else None)
        found = [e.defect for e in errors if e is not None and e.defect] + [d for p in plans if p for d in p.defects]
        return tuple(dict.fromkeys(found))


class Briefs:
    """Outcomes without all that their plans found as wanted, for who has taken that down already. What is alike on many hosts
    is kept once."""

    def __init__(self) -> None:
        self._first: dict[Hashable, Any] = {}

    def of(self, one: Outcome) -> Outcome:
        if one.plan is None:
            return one
        return replace(one, plan=replace(one.plan, actions=tuple(map(self._action, one.plan.actions))))

    def _action(self, action: Action) -> Action:
        one = action.address
        address = Address(one.host, one.kind, self._once(one.owners), self._once(one.key))
        # The first of what is wanted is whether it is there: of words, as the title.
        title, mark, wanted = map(self._once, (action.title, action.mark, action.wanted[:1]))
        return replace(action, address=address, title=title, mark=mark, wanted=wanted, searched=())

    def _once(self, value: Hashable) -> Any:
        return self._first.setdefault(value, value)


def exit_status(outcomes: Iterable[Outcome], *, changes_count: bool, steps_count: bool = False) -> int:
    """0, or the sum of 2 (something differs or was left undone) and 4 (a host was unreachable or unreadable, its
    configuration is wrong, or a step failed); 70 if hvctl itself failed for a host. `steps_count`: also what is no
    difference yet and would be done."""
    differs = trouble = False
    outcomes = tuple(outcomes)
    if any(one.defects for one in outcomes):
        return FAULT
    for one in outcomes:
        trouble |= one.error is not None or bool(one.wrong)
        differs |= bool(one.changed)
        if one.report is not None:
            differs |= one.report.undone
            trouble |= one.report.failed or one.report.after is None or one.report.after.unreadable
        elif one.plan is not None:
            differs |= changes_count and one.plan.differs
            differs |= steps_count and bool(one.plan.steps)
        if one.plan is not None:
            trouble |= one.plan.unreadable
    return DIFFERS * differs + TROUBLE * trouble
