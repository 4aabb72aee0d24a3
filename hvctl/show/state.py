"""How a host stands after a run, in one word."""

from __future__ import annotations

from typing import Literal, get_args

from hvctl.core.check import Check
from hvctl.core.outcome import Outcome

State = Literal[
    "in_sync",
    "accepted",
    "differs",
    "unreadable",
    "unreachable",
    "misconfigured",
    "refused",
    "applied",
    "left_undone",
    "failed",
    "not_looked_at",
]
STATES: tuple[State, ...] = get_args(State)
WORDS: dict[State, str] = {
    "in_sync": "in sync",
    "accepted": "accepted",
    "differs": "differs",
    "unreadable": "not readable in full",
    "unreachable": "unreachable",
    "misconfigured": "not contacted, configuration wrong",
    "refused": "refused",
    "applied": "done, in sync",
    "left_undone": "done, something left",
    "failed": "failed",
    "not_looked_at": "not looked at",
}


def state_of(one: Outcome) -> State:
    if one.wrong:
        return "misconfigured"
    if one.error is not None:
        return "failed" if one.error.defect else "unreachable"
    if one.changed:
        return "refused"
    if one.report is not None:
        return "failed" if one.report.failed else "applied" if one.report.complete else "left_undone"
    if one.plan is None:
        return "not_looked_at"
    if one.plan.unreadable:
        return "unreadable"
    if not one.plan.in_sync:
        return "differs"
    return "accepted" if one.plan.accepted else "in_sync"


def word_of(one: Outcome, *, drift: bool = False) -> str:
    state, report = state_of(one), one.report
    if state == "left_undone" and report is not None:
        if not report.begun:
            return "not begun"
        if report.after is None and all(r.status == "ok" for r in report.results):
            return "done, not seen afterwards"
    return "drifted" if drift and state == "differs" else WORDS[state]


def all_hosts(check: Check) -> tuple[Outcome, ...]:
    """Every host of a check, those included that an interruption left out."""
    seen = {one.host for one in check.outcomes}
    return (*check.outcomes, *(Outcome(name) for name in check.hosts if name not in seen))
