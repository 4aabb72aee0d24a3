"""What a run knows of each of its hosts, and the exit status of it all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hvctl.apply import Report
from hvctl.call import TransportError
from hvctl.plan import Plan
from hvctl.source import Problem

DIFFERS = 2
TROUBLE = 4


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
    wrong: tuple[Problem, ...] = ()

    @property
    def looked(self) -> bool:
        """Whether anything is known of it; not where a stop came before."""
        return bool(self.plan or self.report or self.error or self.changed or self.wrong)

    @property
    def now(self) -> Plan | None:
        """The newest plan that was made of the host: the one after an apply, if there was one; none if it was refused."""
        return self.report.after if self.report is not None else None if self.changed else self.plan


def exit_status(outcomes: Iterable[Outcome], *, changes_count: bool) -> int:
    """0, or the sum of 2 (something differs or was left undone) and 4 (a host was unreachable or unreadable, its
    configuration is wrong, or a step failed)."""
    differs = trouble = False
    for one in outcomes:
        trouble |= one.error is not None or bool(one.wrong)
        differs |= bool(one.changed)
        if one.report is not None:
            differs |= one.report.undone
            trouble |= one.report.failed or one.report.after is None
        elif one.plan is not None:
            differs |= changes_count and not one.plan.in_sync
        if one.plan is not None:
            trouble |= one.plan.unreadable
    return DIFFERS * differs + TROUBLE * trouble
