"""Plans, reports and problems as lines of text, for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from hvctl.apply import Report, StepResult
from hvctl.call import TransportError
from hvctl.contract import title
from hvctl.facts import Facts
from hvctl.plan import Action, Line, Plan, Restart
from hvctl.resource import Address
from hvctl.source import Problem

_SIGN = {"create": "+", "update": "~", "remove": "-", "held": "✗", "unknown": "?", "none": " "}
_STYLE = {"create": "green", "update": "yellow", "remove": "red", "held": "red", "unknown": "magenta", "none": ""}


class Seen(Protocol):
    """What a run knows of one host."""

    @property
    def host(self) -> str: ...
    @property
    def plan(self) -> Plan | None: ...
    @property
    def report(self) -> Report | None: ...
    @property
    def error(self) -> TransportError | None: ...
    @property
    def changed(self) -> tuple[str, ...]: ...


def problem_lines(problems: Iterable[Problem]) -> Iterator[Text]:
    for problem in problems:
        line = Text()
        if problem.mark:
            line.append(f"{problem.mark}: ", "bold")
        line.append("warning: " if problem.level == "warning" else "", "yellow")
        line.append(problem.message)
        line.append(f"; {problem.hint}" if problem.hint else "", "dim")
        yield line


# --- a plan --------------------------------------------------------------------------------------------------------


def plan_lines(plan: Plan, *, width: int = 120, verbose: bool = False) -> Iterator[Text]:
    """One host: a headline, then what differs, held back or could not be read. In sync: the headline alone."""
    shown = [a for a in plan.actions if a.differs or a.verb == "unknown" or a.remarks]
    made = {a.address for a in plan.actions if a.verb == "create"}
    yield _headline(plan, width)
    for action in shown:
        if _owner(action) in made and action.verb == "create" and not verbose and not action.remarks:
            continue
        yield from _action(plan, action, width, verbose)
    if shown:
        yield Text()


def _headline(plan: Plan, width: int) -> Text:
    counts = _counts([plan])
    says = "in sync" if plan.in_sync else ", ".join(counts) or "nothing to do"
    if plan.unreadable:
        says += ", not all of it could be read"
    left = f"{plan.host}  {title(plan.os)} ({plan.info.build})"
    line = Text(left, "bold")
    line.append(" " * max(2, width - cell_len(left) - cell_len(says)))
    line.append(says, "green" if plan.in_sync else "yellow")
    return line


def _action(plan: Plan, action: Action, width: int, verbose: bool) -> Iterator[Text]:
    yield _action_head(plan, action, width)
    fields = [line for line in action.lines if line.field]
    columns = _Columns(fields, width)
    for n, line in enumerate(fields):
        if action.verb == "create":
            continue
        yield from columns.line(line)
        if line.consent and (n + 1 == len(fields) or fields[n + 1].consent != line.consent):
            yield _hint(f"allow it with --allow {','.join(line.consent)}")
    for line in action.lines:
        if not line.field and line.consent:
            yield _hint(f"{', '.join(line.impacts)}; allow it with --allow {','.join(line.consent)} ({line.mark})")
    for remark in action.remarks:
        style = {"warning": "yellow", "impossible": "red", "unknown": "magenta"}[remark.level]
        text = Text(f"      ! {remark.message}", style)
        text.append(f"; {remark.hint}" if remark.hint else "", "dim")
        text.append(f"  {remark.mark}", "dim")
        yield text
    if verbose:
        for step in plan.steps:
            if step.action == action.address and not step.frame:
                yield Text(f"        {step.task.call}", "dim cyan")


def _action_head(plan: Plan, action: Action, width: int) -> Text:
    kind, *names = action.address
    line = Text("  ")
    line.append(_SIGN[action.verb], f"bold {_STYLE[action.verb]}")
    line.append(f" {kind.replace('_', ' ')} {', '.join(names)}".rstrip(), "bold")
    more = action.title if action.title and action.title not in (*names, "") else ""
    if action.verb == "create":
        more = _made_of(plan, action) or more
    elif action.verb == "remove":
        more = "is removed"
    if more:
        line.append("   " + more)
    restart = next((r for r in plan.restarts if (kind, *names) == ("vm", r.name)), None)
    if restart:
        says = _restart_text(restart)
        gap = width - cell_len(line.plain) - cell_len(says)
        line.append(" " * gap + says if gap >= 3 else "   " + says, "yellow")
    return line


def _restart_text(restart: Restart) -> str:
    because = list(restart.because)
    shown = _listed(because) if len(because) <= 3 else f"{_listed(because[:2], ', ')} and {len(because) - 2} more"
    word = "restarts once" if restart.back else "is turned off"
    many = f"; {restart.during} changes while it is off" if restart.during > 1 else ""
    return f"{word}: {shown}{many}"


def _made_of(plan: Plan, action: Action) -> str:
    """What is made, from the thing itself and from its parts that are made with it."""
    parts = [a for a in plan.actions if _owner(a) == action.address and a.verb == "create"]
    countable = {"disk": "disk", "network_adapter": "adapter", "dvd": "DVD drive"}
    single = sorted((p for p in parts if p.address[0] not in countable), key=lambda p: p.address[0] != "processor")
    said = [action.summary, *(p.summary for p in single)]
    for kind, word in countable.items():
        if count := sum(p.address[0] == kind for p in parts):
            said.append(f"{count} {word}{'s' * (count > 1)}")
    return ", ".join(s for s in said if s)


def _owner(action: Action) -> Address:
    """The address of the VM that a part sits within; its own for what sits within nothing."""
    return ("vm", action.address[1]) if action.address[0] != "vm" and len(action.address) > 1 else ()


class _Columns:
    """Field, now → wanted, impact, place: aligned over the lines of one action, by display width."""

    def __init__(self, lines: Sequence[Line], width: int) -> None:
        self.width = width
        self.field = max((cell_len(x.field) for x in lines), default=0)
        self.change = max((cell_len(_change(x)) for x in lines), default=0)
        self.impact = max((cell_len(_impact(x)) for x in lines), default=0)
        place = max((cell_len(str(x.mark)) for x in lines), default=0)
        room = width - 6 - self.field - self.impact - place - 6
        self.wrapped = self.change > max(room, 24)
        if self.wrapped:
            self.change = max(room, 24)

    def line(self, line: Line) -> Iterator[Text]:
        change = _change(line)
        text = Text("      ")
        text.append(set_cell_size(line.field, self.field) + "  ")
        if cell_len(change) > self.change:
            text.append(f"{line.now} →", "bold")
            text.append(" " * max(2, 2 + self.change - cell_len(f"{line.now} →")))
        else:
            text.append(set_cell_size(change, self.change) + "  ", "bold")
        text.append(
            set_cell_size(_impact(line), self.impact), "red" if line.consent else "yellow" if _costs(line) else "green"
        )
        text.append(f"  {line.mark}", "dim")
        yield text
        if cell_len(change) > self.change:
            yield Text(" " * (8 + self.field) + line.wanted, "bold")
        if line.note:
            yield _hint(line.note)


def _change(line: Line) -> str:
    return f"{line.now} → {line.wanted}"


def _impact(line: Line) -> str:
    return ", ".join([*line.impacts, *(["blocked"] if line.consent else [])])


def _costs(line: Line) -> bool:
    return line.impacts != ("online",)


def _hint(text: str) -> Text:
    return Text(f"      → {text}", "dim")


def diff_lines(plan: Plan, *, width: int = 120, verbose: bool = False) -> Iterator[Text]:
    """As a unified diff: what the host has and what is wanted."""
    for action in plan.actions:
        if not action.differs:
            continue
        yield Text(f"--- {plan.host}: {' '.join(action.address)}", "bold")
        yield Text(f"+++ {action.mark}", "bold")
        for line in action.lines:
            name = line.field or action.address[0]
            yield Text(f"-{name}: {line.now}", "red")
            yield Text(f"+{name}: {line.wanted}" + (f"   # {_impact(line)}" if _costs(line) else ""), "green")


# --- a report ------------------------------------------------------------------------------------------------------


def report_lines(report: Report, *, width: int = 120, verbose: bool = False) -> Iterator[Text]:
    """What ran, what did not, and what to do next."""
    plan = report.plan
    ok = sum(r.status == "ok" for r in report.results)
    says = f"{ok} of {len(report.results)} steps done" if report.results else "nothing to do"
    line = Text(plan.host, "bold")
    line.append(f"  {says}", "green" if ok == len(report.results) else "yellow")
    yield line
    for result in report.results:
        if verbose or result.status != "ok" or result.warnings:
            yield from _result(result, verbose)
    if report.error is not None:
        yield Text(f"      ! {report.error.message}", "red")
        if report.error.hint:
            yield _hint(report.error.hint)
    yield from _next(report, width, verbose)


def _result(result: StepResult, verbose: bool) -> Iterator[Text]:
    sign, style = {
        "ok": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("·", "yellow"), "unknown": ("?", "magenta"),
    }[result.status]  # fmt: skip
    text = Text("    ")
    text.append(f"{sign} {result.step.text}", style)
    if result.status == "skipped":
        text.append(f"  not done: {_why(result.why)}", "dim")
    elif result.status == "unknown":
        text.append(f"  not known whether it ran: {result.why}")
    yield text
    if result.failure is not None:
        yield Text(f"        {' '.join(result.failure.message.split()) or 'failed'}", "red")
        code = f" {result.failure.hresult}" if result.failure.hresult else ""
        yield Text(f"        {result.failure.id}{code}", "dim")
    for warning in result.warnings:
        yield Text(f"        warning from the host: {warning}", "dim")
    if verbose:
        yield Text(f"        {result.step.task.call}", "dim cyan")


def _why(why: str) -> str:
    return {"stopped": "it was stopped", "deadline": "the time was over"}.get(
        why, "what it needs did not succeed" if why.startswith("needs") else why
    )


def _next(report: Report, width: int, verbose: bool) -> Iterator[Text]:
    for left in report.leftovers:
        yield Text(
            f"      ! {' '.join(left.address)}: {left.line.field or 'it'} still reads {left.line.now}, "
            f"not {left.line.wanted}, although its step succeeded  {left.line.mark}", "red",
        )  # fmt: skip
    if report.complete:
        yield Text("      seen in sync", "green")
    elif report.after is None and report.results:
        yield _hint("the host was not seen afterwards; run plan to see what is left")
    elif report.after is not None and not report.after.in_sync:
        yield Text("      left undone:", "yellow")
        for action in report.after.actions:
            if action.differs or action.verb == "unknown":
                yield from _action(report.after, action, width, verbose)
    yield Text()


# --- all hosts -----------------------------------------------------------------------------------------------------


def summary_lines(outcomes: Sequence[Seen], *, drift: bool = False) -> Iterator[Text]:
    """The last line: hosts by state, then what the plans come to."""
    words: dict[str, int] = {}
    for one in outcomes:
        words[_state(one, drift)] = words.get(_state(one, drift), 0) + 1
    hosts = f"{len(outcomes)} host{'s' * (len(outcomes) != 1)}: " + ", ".join(f"{n} {w}" for w, n in words.items())
    plans = [o.plan for o in outcomes if o.plan is not None and o.report is None and not o.changed]
    line = Text(hosts + ".", "bold")
    if plans and not drift and (counts := _counts(plans)):
        line.append("  Plan: " + ", ".join(counts) + ".")
    yield line


def _state(one: Seen, drift: bool) -> str:
    if one.error is not None:
        return "unreachable"
    if one.changed:
        return "refused"
    if one.report is not None:
        return "failed" if one.report.failed else "done, in sync" if one.report.complete else "done, something left"
    if one.plan is None:
        return "not looked at"
    if one.plan.unreadable:
        return "not readable in full"
    return "in sync" if one.plan.in_sync else "drifted" if drift else "differs"


def _counts(plans: Iterable[Plan]) -> list[str]:
    create = change = remove = blocked = held = restarts = 0
    for plan in plans:
        restarts += len(plan.restarts)
        for action in plan.actions:
            create += action.verb == "create"
            remove += action.verb == "remove"
            blocked += len(action.blocked)
            if action.verb in ("update", "held"):
                change += sum(not x.consent for x in action.lines) if action.verb == "update" else 0
            held += action.verb == "held" and not action.blocked
    found = [(create, "to create"), (change, "to change"), (remove, "to remove"), (blocked, "blocked"),
             (held, "held back"), (restarts, "restart" + "s" * (restarts > 1))]  # fmt: skip
    return [f"{n} {word}" for n, word in found if n]


def facts_lines(host: str, facts: Facts) -> Iterator[Text]:
    """What a host answered, query by query."""
    yield Text(f"{host}  {title(facts.os)} ({facts.info.build})  {facts.info.caption}", "bold")
    for call, reply in facts.replies.items():
        if not call.select:
            continue
        failed = f"  {reply.failure}" if reply.failure else ""
        yield Text(f"\n{call.cmdlet}: {len(reply.rows)}{failed}", "bold")
        for row in reply.rows:
            yield Text("  " + ", ".join(f"{k}={_value(v)}" for k, v in row.items()))


def _value(value: object) -> str:
    return "none" if value is None else "on" if value is True else "off" if value is False else str(value)


def _listed(words: Sequence[str], last: str = " and ") -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + last + words[-1] if words else ""
