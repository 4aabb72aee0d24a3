"""A plan → one batch → what became of each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from hvctl.call import Batch, Event, Failure, Lease, Reply, Row, Transport, TransportError, defect
from hvctl.core.plan import Action, Line, Plan, PlannedStep
from hvctl.core.unmet import explained
from hvctl.text.address import Address
from hvctl.text.foreign import Foreign

Status = Literal["ok", "failed", "skipped", "unknown"]

NOT_BEGUN = "not begun"
"""Why steps were not done on a host that a stop came before."""
BATCH_FAILED = "too many hosts of earlier batches failed"
"""Why steps were not done on a host of a later batch."""
BESIDE_DOWN = "what must not be down at the same time was left down elsewhere"
"""Why steps were not done on a host with something of the same class."""
_NO_TURN = (NOT_BEGUN, BATCH_FAILED, BESIDE_DOWN)
STILL_RUNS = "it may still run"
"""Why nothing is known of steps that were left to their host."""


@dataclass(frozen=True)
class StepResult:
    """What became of one step. "unknown": it may or may not have run; the host must be looked at. `told`: what it asked
    for on the way, as the addresses of a guest that it waited for."""

    step: PlannedStep
    status: Status
    failure: Failure | None = None
    why: str = ""
    warnings: tuple[Foreign, ...] = ()
    ms: int = 0
    told: tuple[Foreign, ...] = ()


@dataclass(frozen=True)
class Leftover:
    """A field that still differs after its steps succeeded: Hyper-V stored something else than was sent."""

    address: Address
    line: Line


@dataclass(frozen=True)
class Report:
    """An apply on one host. `after`: the plan made from the look afterwards; None if there was none."""

    plan: Plan
    results: tuple[StepResult, ...] = ()
    error: TransportError | None = None
    after: Plan | None = None
    stopped: bool = False

    @property
    def begun(self) -> bool:
        """Whether it was this host's turn at all."""
        return not self.results or any(r.why not in _NO_TURN for r in self.results)

    @property
    def running(self) -> str:
        """The id of the batch that goes on on the host, if one does."""
        return self.error.running if self.error is not None else ""

    @property
    def failed(self) -> bool:
        return self.error is not None or any(r.status in ("failed", "unknown") for r in self.results)

    @property
    def complete(self) -> bool:
        """Everything wished is there, and was seen to be."""
        return not self.failed and self.after is not None and self.after.in_sync

    @property
    def undone(self) -> bool:
        """Something wished is not there, or nothing was seen."""
        return self.after is None or self.after.differs

    @property
    def left_down(self) -> tuple[str, ...]:
        """The names of what is down."""
        return tuple(address.key for address in self.down)

    @property
    def down(self) -> tuple[Address, ...]:
        """What was taken down and not brought up again; a record on the host keeps it a difference."""
        found = []
        for restart in (r for r in self.plan.restarts if r.back and not r.blocked):
            framed = [r for r in self.results if r.step.frame and r.step.action == restart.address]
            stops, start = framed[:-1], framed[-1:]
            if any(r.status in ("ok", "unknown") for r in stops) and any(r.status != "ok" for r in start):
                found.append(restart.address)
        return tuple(found)

    @property
    def leftovers(self) -> tuple[Leftover, ...]:
        """What differs although every step that should have changed it succeeded."""
        if self.after is None:
            return ()
        served = {(r.step.action, name) for r in self.results if r.status == "ok" for name in r.step.because}
        troubled = {r.step.action for r in self.results if r.status != "ok"}
        return tuple(
            Leftover(action.address, line)
            for action in self.after.actions
            for line in _surprising(action)
            if action.address not in troubled and (action.address, line.field) in served
        )


def _surprising(action: Action) -> tuple[Line, ...]:
    """Not what waits for consent, or is held back and says why."""
    return tuple(line for line in action.lines if not line.consent and not line.held)


def batch_of(plan: Plan) -> Batch:
    """All steps of a plan as one change batch. The deadline allows for what the steps may take."""
    # A shutdown has its own limit; growing a fixed disk writes zeros for minutes to hours (domain 8.2).
    allowed = sum(s.task.limit_s or (6 * 3600 if s.task.job else 120) for s in plan.steps)
    allowed += sum(s.task.guard.wait_s or 0 for s in plan.steps if s.task.guard)
    allowed += sum(s.task.retry.limit_s for s in plan.steps if s.task.retry)
    return Batch(tuple(s.task for s in plan.steps), "change", 600 + allowed)


def apply(plan: Plan, transport: Transport, on_event: Callable[[Event], None], lease: Lease | None = None) -> Report:
    """Run the steps of a plan, once. Never raises, whatever happens on the host, on the way to it or in hvctl. `lease`: must
    still be there, or nothing runs."""
    if not plan.steps:
        return Report(plan)
    try:
        replies = transport.run(replace(batch_of(plan), lease=lease), on_event)
    except TransportError as error:
        return Report(plan, tuple(_after_fault(s, error) for s in plan.steps), error)
    except Exception as error:
        fault = defect(error, executed="unknown", doing="while the changes ran")
        return Report(plan, tuple(_after_fault(s, fault) for s in plan.steps), fault)
    results = tuple(_result(s, r) for s, r in zip(plan.steps, replies, strict=True))
    return Report(plan, results, stopped=any(r.skipped == "stopped" for r in replies))


def not_begun(plan: Plan) -> Report:
    """A stop came before the first change. The host is as the plan was made from."""
    return Report(plan, tuple(StepResult(s, "skipped", why=NOT_BEGUN) for s in plan.steps), after=plan, stopped=True)


def not_sent(plan: Plan, error: TransportError) -> Report:
    """Why nothing was sent to a host."""
    return Report(plan, tuple(StepResult(s, "skipped", why="not sent") for s in plan.steps), error)


def held_back(plan: Plan, *, stopped: bool = False, beside: bool = False) -> Report:
    """A host that was not begun: by a stop, since too many hosts of batches before failed, or `beside` what was left down."""
    if stopped:
        return not_begun(plan)
    why = BESIDE_DOWN if beside else BATCH_FAILED
    return Report(plan, tuple(StepResult(s, "skipped", why=why) for s in plan.steps), after=plan)


def broken_off(plan: Plan, error: TransportError) -> Report:
    """What is known of changes that are followed no longer."""
    return Report(plan, tuple(_after_fault(s, error) for s in plan.steps), error, stopped=True)


def _result(step: PlannedStep, reply: Reply) -> StepResult:
    if reply.skipped is not None:
        return StepResult(step, "skipped", why=reply.skipped)
    status: Status = "ok" if reply.ok else "failed"
    failure = explained(reply.failure, step.task) if reply.failure is not None else None
    told = tuple(dict.fromkeys(text for row in reply.rows if (text := _told(row))))
    return StepResult(step, status, failure, warnings=reply.warnings, ms=reply.ms, told=told)


def _told(row: Row) -> str:
    values = (v if isinstance(v, list | tuple) else (v,) for v in row.values())
    return ", ".join(str(one) for each in values for one in each if one is not None)


def _after_fault(step: PlannedStep, error: TransportError) -> StepResult:
    """What is known of a step when the way to the host broke."""
    if step.task.id in error.replies:
        return _result(step, error.replies[step.task.id])
    if error.executed == "no":
        return StepResult(step, "skipped", why="not sent")
    if error.defect:
        return StepResult(step, "unknown", why="hvctl itself failed")
    return StepResult(step, "unknown", why=STILL_RUNS if error.running else "the connection was lost")
