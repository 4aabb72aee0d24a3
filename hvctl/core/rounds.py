"""Steps of several hosts → batches: as few per host as what they need of each other allows, side by side between that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hvctl.core.apply import NOT_BEGUN, Report, Status, StepResult
from hvctl.core.plan import Plan, PlannedStep
from hvctl.text.address import Address

Key = tuple[str, str]
"""A host, and the id of a task there."""


class Rounds:
    """The apply of plans that were made as one. Each round is a batch for some of the hosts; what rests on a step that
    did not succeed is not sent."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = plans
        self._left = {host: list(plan.steps) for host, plan in plans.items()}
        self._results: dict[Key, StepResult] = {}
        self._reports: dict[str, list[Report]] = {host: [] for host in plans}

    def next(self) -> dict[str, Plan]:
        """By host, its plan with the steps of its next batch; empty when all is done."""
        self._give_up()
        chosen = _chosen(self._left, {key for key, one in self._results.items() if one.status == "ok"})
        if not chosen and any(self._left.values()):
            waiting = ", ".join(f"{s.text} on {host}" for host, steps in self._left.items() for s in steps)
            raise RuntimeError(f"steps wait for each other: {waiting}")
        for host, steps in chosen.items():
            taken = {s.task.id for s in steps}
            self._left[host] = [s for s in self._left[host] if s.task.id not in taken]
        return {
            host: replace(self._plans[host], steps=self._without_done(host, steps)) for host, steps in chosen.items()
        }

    def heard(self, host: str, sent: Plan, report: Report) -> None:
        """`sent`: the part that it was to do. After a connection that was lost nothing more is sent to a host: what it was
        sent may still run there."""
        self._reports[host].append(report)
        self._results |= {(host, r.step.task.id): r for r in report.results}
        for step in sent.steps:  # of a host that hvctl itself failed for
            status: Status = "skipped" if report.error is not None and report.error.executed == "no" else "unknown"
            why = "not sent" if status == "skipped" else "hvctl itself failed"
            self._results.setdefault((host, step.task.id), StepResult(step, status, why=why))
        if report.error is not None and report.error.executed != "no":
            for step in self._left[host]:
                self._results[host, step.task.id] = StepResult(step, "skipped", why="the connection was lost before")
            self._left[host] = []

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(self._plans)

    def reports(self) -> dict[str, Report]:
        """What became of all of it, in the order of the plans. What was not come to was not begun."""
        return {host: self._report(host, plan) for host, plan in self._plans.items()}

    def _report(self, host: str, plan: Plan) -> Report:
        parts = self._reports[host]
        results = tuple(
            replace(self._results.get((host, s.task.id)) or StepResult(s, "skipped", why=NOT_BEGUN), step=s)
            for s in plan.steps
        )
        return Report(
            plan,
            results,
            next((r.error for r in parts if r.error is not None), None),
            stopped=any(r.stopped for r in parts) or any(r.why == NOT_BEGUN for r in results),
        )

    def _without_done(self, host: str, steps: Sequence[PlannedStep]) -> tuple[PlannedStep, ...]:
        """A batch knows no tasks of an earlier one."""
        here = {s.task.id for s in steps}
        return tuple(replace(s, task=replace(s.task, needs=tuple(n for n in s.task.needs if n in here))) for s in steps)

    def _give_up(self) -> None:
        """What rests on a step that did not succeed, on whichever host; and what rests on that."""
        while True:
            lost = [
                (host, s, why) for host, steps in self._left.items() for s in steps if (why := self._hopeless(host, s))
            ]
            if not lost:
                return
            for host, step, why in lost:
                self._left[host].remove(step)
                self._results[host, step.task.id] = StepResult(step, "skipped", why=why)

    def _hopeless(self, host: str, step: PlannedStep) -> str:
        for key, name in _needs(host, step).items():
            one = self._results.get(key)
            if one is not None and one.status != "ok":
                ended = {"failed": "failed", "unknown": "may or may not have run"}.get(one.status, "was not done")
                return f"needs {name}, which {ended}"
        return ""


def coupled(plans: Mapping[str, Plan]) -> dict[str, frozenset[str]]:
    """By host, those whose steps serve or await each other, itself included. A unit of many hosts is planned as one so that
    nothing is missed; what is done on one of them need not concern the others."""
    together = {host: {host} for host in plans}
    for host, plan in plans.items():
        for step in plan.steps:
            for other in {step.action.host, *(a.host for a in step.awaits)} & plans.keys():
                if together[other] is not together[host]:
                    joined = together[host] | together[other]
                    together |= dict.fromkeys(joined, joined)
    return {host: frozenset(group) for host, group in together.items()}


def _needs(host: str, step: PlannedStep) -> dict[Key, str]:
    """With what each is called."""
    here = {(host, n): n for n in step.task.needs}
    return here | {(a.host, a.task): f"“{a.text}” on {a.host}" for a in step.awaits}


def _chosen(left: Mapping[str, Sequence[PlannedStep]], done: set[Key]) -> dict[str, Sequence[PlannedStep]]:
    """A host's batch is sent when it can be its last. Only where no host has come that far, one is sent a part: that whose
    part lets most of the others finish."""
    ready = {host: _ready(host, steps, done) for host, steps in left.items() if steps}
    whole: dict[str, Sequence[PlannedStep]] = {h: steps for h, steps in ready.items() if len(steps) == len(left[h])}
    if whole or not any(ready.values()):
        return whole
    parts = {host: steps for host, steps in ready.items() if steps}
    best = max(parts, key=lambda host: _worth(host, parts[host], left, done))
    return {best: parts[best]}


def _worth(
    host: str, part: Sequence[PlannedStep], left: Mapping[str, Sequence[PlannedStep]], done: set[Key]
) -> tuple[int, int]:
    """How many hosts could finish after it; how many steps of others it lets go."""
    then = done | {(host, s.task.id) for s in part}
    others = {h: steps for h, steps in left.items() if h != host and steps}
    freed = {h: _ready(h, steps, then) for h, steps in others.items()}
    more = sum(len(freed[h]) - len(_ready(h, steps, done)) for h, steps in others.items())
    return sum(len(freed[h]) == len(steps) for h, steps in others.items()), more


def _ready(host: str, steps: Sequence[PlannedStep], done: set[Key]) -> list[PlannedStep]:
    """All that could go in one batch now, in its order. Nothing overtakes a step of its own resource or of what that is a
    part of: an order that nobody had to say before holds within those."""
    found: list[PlannedStep] = []
    known = set(done)
    waiting: set[Address] = set()
    for step in steps:
        root = step.root or step.action
        if all(key in known for key in _needs(host, step)) and root not in waiting and not (step.last and waiting):
            found.append(step)
            known.add((host, step.task.id))
        else:
            waiting.add(root)
    return found
