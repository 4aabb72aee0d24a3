"""The story of one host: look, plan, apply, look again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from tenacity import Retrying, retry_if_result, stop_after_attempt

from hvctl.call import Batch, Call, Event, Transport, TransportError, defect
from hvctl.contract import nearest
from hvctl.core.apply import Report, apply, batch_of, not_begun
from hvctl.core.contents import changed_sources
from hvctl.core.facts import Facts, read_batch
from hvctl.core.impact import Impact
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan, PlannedStep
from hvctl.core.planner import make_plan
from hvctl.core.questions import asked_of
from hvctl.core.replan import First, replanned
from hvctl.core.resource import Index
from hvctl.winrm.retries import SETTLING_S, SETTLING_WAIT

OnEvent = Callable[[Event], None]
Pause = Callable[[float], object]
"""Waits so many seconds; true if the user wants no more of it."""


def silent(event: Event) -> None:
    """For whoever does not want to know."""


def look(transport: Transport, desired: Index, on_event: OnEvent = silent) -> Facts:
    """Everything the desired state needs to know of the host, in one batch. Raises TransportError."""
    return _answered(transport, asked_of(desired), on_event)


def look_at(transport: Transport, calls: Iterable[Call], on_event: OnEvent = silent) -> Facts:
    """The answers to these calls. Raises TransportError."""
    return _answered(transport, read_batch(calls), on_event)


def _answered(transport: Transport, batch: Batch, on_event: OnEvent) -> Facts:
    replies = transport.run(batch, on_event) if batch.tasks else []
    info = transport.info()
    os = nearest(info.build)
    if os is None:
        raise TransportError(
            f"{info.computer} runs {info.caption or 'a Windows'} of build {info.build}, older than Server 2012",
            hint="hvctl knows Windows Server 2012 and later",
        )
    return Facts.of(os, info, batch, replies)


def plan_host(
    desired: Index,
    transport: Transport,
    allow: frozenset[Impact],
    on_event: OnEvent = silent,
    first: First | None = None,
) -> Outcome:
    """Look at a host and plan it; again, where there is a `first` plan, which says what is allowed."""
    try:
        facts = look(transport, desired, on_event)
    except TransportError as error:
        return Outcome(desired.host, error=error)
    if first is None:
        return Outcome(desired.host, make_plan(desired, facts, allow))
    plan, changed = replanned(desired, facts, first)
    return Outcome(desired.host, plan, changed=(*changed_sources(batch_of(plan)), *changed))


def apply_plan(
    plan: Plan,
    desired: Index,
    transport: Transport,
    on_event: OnEvent = silent,
    *,
    recheck: bool = False,
    pause: Pause = time.sleep,
    stopped: Callable[[], bool] = lambda: False,
    known: Callable[[Report], None] = lambda report: None,
) -> Report | list[str]:
    """Run a plan and look again. With `recheck` (time has passed since it was made) the host is read and planned first;
    if that would not do the same, nothing is done and what changed is returned. Once `stopped`, nothing is read and no
    step is begun any more. `known`: hears what became of the steps before the host is looked at again."""
    if recheck:
        try:
            changed = changed_sources(batch_of(plan))
            changed = changed or replanned(desired, look(transport, desired, on_event), First.of(plan))[1]
        except TransportError as error:
            return not_begun(plan) if stopped() else Report(plan, error=error)
        if changed:
            return changed
    if stopped():
        return not_begun(plan)
    report = apply(plan, transport, on_event)
    if report.error is not None and report.error.executed == "no":
        return not_begun(plan) if stopped() else report
    known(report)
    if stopped():
        return replace(report, stopped=True)

    def seen(done: Report) -> Report:
        return replace(done, after=_seen_after(done, desired, transport, on_event, pause, stopped))

    try:
        report = seen(report)
        return report if stopped() else _taken_up(report, transport, on_event, known, seen)
    except Exception as error:
        # What ran is known and must be told, whatever becomes of the look afterwards.
        return replace(report, error=joined(report.error, defect(error, executed="unknown", doing="after the changes")))


def joined(known: TransportError | None, fault: TransportError) -> TransportError:
    """What was known of the changes, and what went wrong after them."""
    if known is None:
        return fault
    return TransportError(
        f"{known.message}; {fault.message}",
        executed=known.executed,
        hint=fault.hint,
        replies=known.replies,
        running=known.running,
        defect=known.defect or fault.defect,
        outside=known.outside,
    )


def _taken_up(
    report: Report,
    transport: Transport,
    on_event: OnEvent,
    known: Callable[[Report], None],
    seen: Callable[[Report], Report],
) -> Report:
    """After a lost connection: what went on on the host by itself is waited for and brought to its end."""
    if report.error is None or report.after is None:
        return report
    steps = tuple(s for s in report.after.steps if s.resumes)
    if not steps:
        return report
    on_event(Event("note", text="the connection was lost; what goes on on the host is waited for"))
    again = apply(replace(report.after, steps=renamed(steps)), transport, on_event)
    done = replace(report, results=(*report.results, *again.results))
    known(done)
    return seen(done)


def renamed(steps: Sequence[PlannedStep]) -> tuple[PlannedStep, ...]:
    """Ids that the steps before did not have; what they need of steps that are not taken up is left out."""
    ids = {s.task.id: f"again-{s.task.id}" for s in steps}
    tasks = (replace(s.task, id=ids[s.task.id], needs=tuple(ids[n] for n in s.task.needs if n in ids)) for s in steps)
    return tuple(replace(s, task=task) for s, task in zip(steps, tasks, strict=True))


def _seen_after(
    report: Report,
    desired: Index,
    transport: Transport,
    on_event: OnEvent,
    pause: Pause,
    stopped: Callable[[], bool],
) -> Plan | None:
    """The plan after the changes. Where those failed, a host that was readable before is given time to be so again."""
    if not report.plan.steps:
        return report.plan
    after: Plan | None = None

    def once() -> None:
        nonlocal after
        after = None
        with suppress(TransportError):
            after = make_plan(desired, look(transport, desired, on_event), report.plan.allow)

    def unsettled() -> bool:
        seen = after is not None and (report.plan.unreadable or not after.unreadable)
        return not (seen or stopped()) and bool(report.failed or after is None)

    def told(seconds: float) -> None:
        what = "is not reached" if after is None else "cannot be read in full"
        when = "failure" if report.failed else "changes"
        on_event(Event("notice", text=f"the host {what} after the {when}; looking again in {seconds:g} s"))

    settled(once, unsettled, told, pause)
    return after


def settled(
    once: Callable[[], None], unsettled: Callable[[], bool], told: Callable[[float], None], pause: Pause
) -> None:
    """Look `once`, and again while hosts are not what they will be soon. `told`: how many seconds are waited."""
    enough = False

    def looked() -> None:
        if not enough:
            once()

    def waited(seconds: float) -> None:
        nonlocal enough
        enough = bool(pause(seconds))

    Retrying(
        stop=stop_after_attempt(len(SETTLING_S) + 1),
        wait=SETTLING_WAIT,
        retry=retry_if_result(lambda _: not enough and unsettled()),
        before_sleep=lambda state: told(state.upcoming_sleep),
        sleep=waited,
        retry_error_callback=lambda _: None,
    )(looked)
