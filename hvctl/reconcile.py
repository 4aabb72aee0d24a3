"""The story of one host: look, plan, apply, look again; and of many hosts side by side."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from hvctl.apply import Report, apply, batch_of
from hvctl.call import Event, Transport, TransportError, defect
from hvctl.contents import changed_sources
from hvctl.contract import nearest
from hvctl.facts import Facts, differences, read_batch
from hvctl.plan import Plan, PlannedStep, make_plan, questions
from hvctl.resource import Impact, Resource

OnEvent = Callable[[Event], None]
Pause = Callable[[float], object]
"""Waits so many seconds; true if the user wants no more of it."""
SETTLING_S = (5, 10, 20, 40, 60)
"""After a failure: how long WinRM and Hyper-V's service may take to answer again, as after a reboot."""
T = TypeVar("T")


def silent(event: Event) -> None:
    """For whoever does not want to know."""


def look(transport: Transport, wishes: Iterable[Resource], on_event: OnEvent = silent) -> Facts:
    """Everything the wishes need to know of the host, in one batch. Raises TransportError."""
    batch = read_batch(questions(wishes))
    replies = transport.run(batch, on_event) if batch.tasks else []
    info = transport.info()
    os = nearest(info.build)
    if os is None:
        raise TransportError(
            f"{info.computer} runs {info.caption or 'a Windows'} of build {info.build}, older than Server 2012",
            hint="hvctl knows Windows Server 2012 and later",
        )
    return Facts.of(os, info, batch, replies)


@dataclass(frozen=True)
class Look:
    """What planning one host gave: a plan, or why there is none."""

    host: str
    plan: Plan | None = None
    error: TransportError | None = None


def plan_host(
    host: str, wishes: Sequence[Resource], transport: Transport, allow: frozenset[Impact], on_event: OnEvent = silent
) -> Look:
    """Look at a host and plan it."""
    try:
        facts = look(transport, wishes, on_event)
    except TransportError as error:
        return Look(host, error=error)
    return Look(host, make_plan(host, wishes, facts, allow))


def apply_plan(
    plan: Plan,
    wishes: Sequence[Resource],
    transport: Transport,
    on_event: OnEvent = silent,
    *,
    recheck: bool = False,
    pause: Pause = time.sleep,
) -> Report | list[str]:
    """Run a plan and look again. With `recheck` (time has passed since it was made) the host is read first;
    if anything the plan rests on reads otherwise, nothing is done and what changed is returned."""
    if recheck:
        try:
            changed = changed_sources(batch_of(plan)) or differences(plan.facts, look(transport, wishes, on_event))
        except TransportError as error:
            return Report(plan, error=error)
        if changed:
            return changed
    report = apply(plan, transport, on_event)
    if report.error is not None and report.error.executed == "no":
        return report
    try:
        report = replace(report, after=_seen_after(report, wishes, transport, on_event, pause))
        return _taken_up(report, wishes, transport, on_event, pause)
    except Exception as error:
        # What ran is known and must be told, whatever becomes of the look afterwards.
        return replace(report, error=_with_defect(report.error, error))


def _with_defect(known: TransportError | None, error: Exception) -> TransportError:
    fault = defect(error, executed="unknown", doing="after the changes")
    if known is None:
        return fault
    message = f"{known.message}; {fault.message}"
    return TransportError(
        message, executed=known.executed, hint=fault.hint, replies=known.replies, defect=known.defect or fault.defect
    )


def _taken_up(
    report: Report, wishes: Sequence[Resource], transport: Transport, on_event: OnEvent, pause: Pause
) -> Report:
    """After a lost connection: what went on on the host by itself is waited for and brought to its end."""
    if report.error is None or report.after is None:
        return report
    steps = tuple(s for s in report.after.steps if s.resumes)
    if not steps:
        return report
    on_event(Event("note", text="the connection was lost; what goes on on the host is waited for"))
    again = apply(replace(report.after, steps=_renamed(steps)), transport, on_event)
    seen = replace(report, results=(*report.results, *again.results))
    return replace(seen, after=_seen_after(seen, wishes, transport, on_event, pause))


def _renamed(steps: Sequence[PlannedStep]) -> tuple[PlannedStep, ...]:
    """Ids that the steps before did not have; what they need of steps that are not taken up is left out."""
    ids = {s.task.id: f"again-{s.task.id}" for s in steps}
    tasks = (replace(s.task, id=ids[s.task.id], needs=tuple(ids[n] for n in s.task.needs if n in ids)) for s in steps)
    return tuple(replace(s, task=task) for s, task in zip(steps, tasks, strict=True))


def _seen_after(
    report: Report, wishes: Sequence[Resource], transport: Transport, on_event: OnEvent, pause: Pause
) -> Plan | None:
    """The plan after the changes. Where those failed, a host that was readable before is given time to be so again."""
    if not report.plan.steps:
        return report.plan
    for seconds in (*SETTLING_S, 0):
        after = None
        with suppress(TransportError):
            after = make_plan(report.plan.host, wishes, look(transport, wishes, on_event), report.plan.allow)
        seen = after is not None and (report.plan.unreadable or not after.unreadable)
        if seen or not seconds or not (report.failed or after is None):
            break
        state = "is not reached" if after is None else "cannot be read in full"
        when = "failure" if report.failed else "changes"
        on_event(Event("notice", text=f"the host {state} after the {when}; looking again in {seconds} s"))
        if pause(seconds):
            break
    return after


def side_by_side(
    work: Sequence[tuple[str, Callable[[], T]]], forks: int, interrupted: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, T]]:
    """Run one piece of work per host, at most `forks` at a time; results as they come. Ctrl-C starts nothing
    more and calls `interrupted` (again at every further Ctrl-C); what runs is waited for."""
    stop = threading.Event()

    def unless_stopped(task: Callable[[], T]) -> T | None:
        return None if stop.is_set() else task()

    def pressed(number: int, frame: object) -> None:
        stop.set()
        interrupted()

    with _on_ctrl_c(pressed), ThreadPoolExecutor(max(1, min(forks, len(work) or 1)), "host") as pool:
        pending: dict[Future[T | None], str] = {pool.submit(unless_stopped, task): name for name, task in work}
        while pending:
            # With a timeout, since only then does Python let the main thread hear of a signal.
            done, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in done:
                name, result = pending.pop(future), future.result()
                if result is not None:
                    yield name, result
    if stop.is_set():
        raise KeyboardInterrupt


@contextmanager
def _on_ctrl_c(handler: Callable[[int, object], None]) -> Iterator[None]:
    """A handler instead of an exception, which would strike anywhere. Only the main thread may set one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
