"""A report of an apply as lines of text: what ran, what did not, what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from hvctl.core.apply import BATCH_FAILED, BESIDE_DOWN, NOT_BEGUN, STILL_RUNS, Report, StepResult
from hvctl.language import said
from hvctl.show.block import Block
from hvctl.show.cells import hint, hung
from hvctl.show.text import WIDEST, action_lines, call_line, trace_lines

LEFT_DOWN = "{} was taken down and not brought up again: the next apply starts it, once what kept it down is corrected"
_SIGN = {"ok": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("·", "yellow"), "unknown": ("?", "magenta")}
_COUNTED = (("ok", "done"), ("failed", "failed"), ("skipped", "not done"), ("unknown", "not known"))


def report_block(report: Report, *, width: int = 120, verbose: bool = False) -> Block:
    """One host. If all went well, only what is left; otherwise every step."""
    went_well = all(r.status == "ok" for r in report.results)
    beside = Text(f"  {said(done_text(report))}", "green" if went_well and report.begun else "yellow")
    below = tuple(_below(report, min(width, WIDEST), verbose)) if report.begun else ()
    return Block(report.plan.host, beside=beside, below=below)


def _below(report: Report, width: int, verbose: bool) -> Iterator[Text]:
    went_well = all(r.status == "ok" for r in report.results)
    for result in report.results:
        if verbose or not went_well or result.warnings or result.told:
            yield from _result(result, width, verbose)
    if report.error is not None:
        yield from hung("!", [(report.error.message, "red")], width)
        if report.error.hint:
            yield from hint(report.error.hint, width)
        yield from trace_lines(report.error.defect)
    yield from _seen(report, width, verbose)
    yield from _next(report, width)
    yield Text()


def done_text(report: Report) -> str:
    total = len(report.results)
    if not total:
        return "nothing to do"
    if not report.begun:
        first = report.results[0].why
        why = first if first in (BATCH_FAILED, BESIDE_DOWN) else "hvctl was stopped before"
        return f"not begun: {why} ({total} step{'s' * (total > 1)})"
    counts = {word: sum(r.status == status for r in report.results) for status, word in _COUNTED}
    first = f"{counts['done']} of {total} step{'s' * (total > 1)} done"
    return ", ".join([first, *(f"{n} {word}" for word, n in counts.items() if n and word != "done")])


def went_wrong(report: Report) -> str:
    """The first of it, in a line."""
    if report.error is not None:
        return report.error.message
    if report.left_down:
        return LEFT_DOWN.format(report.left_down[0])
    for result in report.results:
        if result.failure is not None:
            return f"{result.step.text}: {' '.join(result.failure.message.split())}"
    return done_text(report)


def _result(result: StepResult, width: int, verbose: bool) -> Iterator[Text]:
    sign, style = _SIGN[result.status]
    parts = [(result.step.text, style)]
    if result.status == "skipped":
        parts.append((f"  not done: {why_text(result.why)}", "dim"))
    elif result.status == "unknown":
        parts.append((f"  {unknown_text(result.why)}", ""))
    yield from hung(sign, parts, width, indent=4)
    if result.failure is not None:
        yield from hung("", [(" ".join(result.failure.message.split()) or "failed", "red")], width, indent=7)
        code = " ".join(t for t in (result.failure.code, result.failure.hresult) if t)
        yield from hung("", [(code, "dim")], width, indent=7) if code else ()
    for warning in result.warnings:
        yield from hung("", [(f"warning from the host: {warning}", "dim")], width, indent=7)
    for told in result.told:
        yield from hung("", [(told, "green")], width, indent=7)
    if verbose:
        yield call_line(result.step.task.call, indent=8)


def unknown_text(why: str) -> str:
    """Of a step of which nothing more is heard."""
    return why if why == STILL_RUNS else f"not known whether it ran: {why}"


def why_text(why: str) -> str:
    words = {"stopped": "it was stopped", "deadline": "the time was over", NOT_BEGUN: "hvctl was stopped before"}
    return words.get(why, "what it needs did not succeed" if why.startswith("needs") else why)


def _seen(report: Report, width: int, verbose: bool) -> Iterator[Text]:
    """What the look afterwards shows, and what it would not."""
    for name in report.left_down:
        yield from hung("!", [(LEFT_DOWN.format(name), "red")], width)
    for left in report.leftovers:
        reads = (
            f"{left.address}: {left.line.field or 'it'} still reads {left.line.now}, "
            f"not {left.line.wanted}, although its step succeeded"
        )
        yield from hung("!", [(reads, "red"), (f"  {left.line.mark}", "dim")], width)
    if report.complete:
        but = ", but for what is accepted" if report.after is not None and report.after.accepted else ""
        yield Text(said(f"      seen in sync{but}"), "green")
    elif report.after is not None and not report.after.in_sync:
        yield Text(said("      left undone:"), "yellow")
        yield from action_lines(report.after, width=width, verbose=verbose, remarks=False)


def _next(report: Report, width: int) -> Iterator[Text]:
    if report.stopped and any(r.status != "ok" for r in report.results):
        yield from hint("it was stopped; apply again does what is left", width)
    elif report.after is None and report.results:
        yield from hint("the host was not seen afterwards; run plan to see what is left", width)
    elif report.failed:
        yield from hint("when the cause is removed, apply again: it looks first and does what is left", width)
