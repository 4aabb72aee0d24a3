"""A plan as lines of text, for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from hvctl.check import Spot
from hvctl.contract import title
from hvctl.facts import Facts
from hvctl.plan import Action, Plan, Restart
from hvctl.resource import Address
from hvctl.show.cells import hint, hung, listed, with_right
from hvctl.show.columns import Columns, Entry, entries
from hvctl.show.remembered import Told, nothing
from hvctl.show.summary import counted, made_within
from hvctl.source import Problem

WIDEST = 140
"""A line that is longer is hard to follow with the eye."""

_SIGN = {"create": "+", "update": "~", "remove": "-", "held": "✗", "unknown": "?", "none": " "}
_STYLE = {"create": "green", "update": "yellow", "remove": "red", "held": "red", "unknown": "magenta", "none": ""}
_LEVEL = {"warning": "yellow", "impossible": "red", "unknown": "magenta"}
_COUNTABLE = {"disk": "disk", "network_adapter": "adapter", "dvd": "DVD drive"}


def problem_lines(problems: Iterable[Problem]) -> Iterator[Text]:
    for problem in problems:
        line = Text()
        if problem.mark:
            line.append(f"{problem.mark}: ", "bold")
        line.append("warning: " if problem.level == "warning" else "", "yellow")
        line.append(problem.message)
        line.append(f"; {problem.hint}" if problem.hint else "", "dim")
        yield line


def plan_lines(plan: Plan, *, width: int = 120, verbose: bool = False, told: Told = nothing) -> Iterator[Text]:
    """One host: a headline, then what differs, is held back or could not be read. In sync: the headline alone.
    `told`: what is remembered of a field that differs."""
    width = min(width, WIDEST)
    yield from _headline(plan, width)
    lines = list(action_lines(plan, width=width, verbose=verbose, told=told))
    yield from lines
    if lines:
        yield Text()


def action_lines(
    plan: Plan, *, width: int, verbose: bool = False, remarks: bool = True, told: Told = nothing
) -> Iterator[Text]:
    """What differs, resource by resource, in columns that hold over all. Parts of what is made are told by its
    summary, unless verbose."""
    shown = [a for a in plan.actions if _matters(plan, a, remarks) and (verbose or not _told(plan, a))]
    columns = Columns((e for a in shown for e in entries(a)), width)
    for action in shown:
        yield from _action(plan, action, columns, width, verbose, told)


def _matters(plan: Plan, action: Action, remarks: bool) -> bool:
    differs = action.differs or action.verb == "unknown" or (remarks and bool(action.remarks))
    return differs or _restart_of(plan, action) is not None


def _told(plan: Plan, action: Action) -> bool:
    return made_within(plan, action) and not action.remarks and not action.blocked


def _headline(plan: Plan, width: int) -> Iterator[Text]:
    says = "in sync" if plan.in_sync else ", ".join(counted([plan])) or "nothing to do"
    if plan.unreadable:
        says = "not all of it could be read" if says == "nothing to do" else f"{says}; not all of it could be read"
    left = Text(plan.host, "bold").append(f"  {title(plan.os)} ({plan.info.build})")
    yield from with_right(left, says, "green" if plan.in_sync else "yellow", width)


def _action(plan: Plan, action: Action, columns: Columns, width: int, verbose: bool, told: Told) -> Iterator[Text]:
    yield from _action_head(plan, action, width)
    shown = entries(action)
    since = [told(Spot(plan.host, action.address, entry.line.field)) for entry in shown]
    if not shown and (whole := told(Spot(plan.host, action.address))):
        yield from hint(whole, width)
    for n, entry in enumerate(shown):
        yield from columns.rows(entry)
        if entry.line.note:
            yield from hint(entry.line.note, width)
        if since[n] and since[n] != (since[n + 1] if n + 1 < len(shown) else ""):
            yield from hint(since[n], width)
        consent = entry.line.consent
        if consent and not entry.impossible and (n + 1 == len(shown) or shown[n + 1].line.consent != consent):
            yield from hint(f"allow it with --allow {','.join(consent)}", width)
    for remark in action.remarks:
        said = [(remark.message, _LEVEL[remark.level]), (f"; {remark.hint}" if remark.hint else "", "dim")]
        yield from hung("!", [*said, (f"  {remark.mark}", "dim")], width)
    if verbose:
        for step in plan.steps:
            if step.action == action.address:
                yield from hung("", [(str(step.task.call), "dim cyan")], width, indent=8)


def _action_head(plan: Plan, action: Action, width: int) -> Iterator[Text]:
    kind, *names = action.address
    line = Text("  ")
    restart = _restart_of(plan, action)
    verb = "update" if restart and action.verb == "none" else action.verb
    line.append(_SIGN[verb], f"bold {_STYLE[verb]}")
    line.append(f" {kind.replace('_', ' ')} {', '.join(names)}".rstrip(), "bold")
    more = action.title if action.title and action.title not in names else ""
    if action.verb == "create":
        more = _made_of(plan, action) or more
    elif action.verb == "remove":
        more = "is removed"
    fits = line.cell_len + 3 + Text(more).cell_len <= width
    if more and fits:
        line.append("   " + more)
    if restart:
        yield from with_right(line, _restart_text(restart), "yellow", width)
    else:
        whole = action.verb in ("create", "remove") and not entries(action)
        yield from with_right(line, str(action.mark) if whole else "", "dim", width)
    if more and not fits:
        yield from hung("", [(more, "")], width, indent=5)


def _restart_of(plan: Plan, action: Action) -> Restart | None:
    if len(action.address) > 2:
        return None  # a part: its VM says it
    return next((r for r in plan.restarts if action.address == ("vm", r.name)), None)


def _restart_text(restart: Restart) -> str:
    because = list(restart.because)
    shown = listed(because) if len(because) <= 3 else f"{listed(because[:2], ', ')} and {len(because) - 2} more"
    word = "restarts once" if restart.back else "is turned off"
    many = f"; {restart.during} changes while it is off" if restart.during > 1 else ""
    return f"{word}: {shown}{many}" if because else f"{word}{many}"


def _made_of(plan: Plan, action: Action) -> str:
    """What is made, from the thing itself and from its parts that are made with it."""
    parts = [a for a in plan.actions if _owner(a) == action.address and a.verb == "create"]
    single = sorted((p for p in parts if p.address[0] not in _COUNTABLE), key=lambda p: p.address[0] != "processor")
    said = [action.summary, *(p.summary for p in single)]
    for kind, word in _COUNTABLE.items():
        if count := sum(p.address[0] == kind for p in parts):
            said.append(f"{count} {word}{'s' * (count > 1)}")
    return ", ".join(s for s in said if s)


def _owner(action: Action) -> Address:
    """The address of the VM that a part sits within; nothing for what sits within nothing."""
    return ("vm", action.address[1]) if action.address[0] != "vm" and len(action.address) > 1 else ()


def diff_lines(plan: Plan, *, width: int = 120, verbose: bool = False) -> Iterator[Text]:
    """As a unified diff: what the host has and what is wanted; nothing else."""
    for action in plan.actions:
        if not action.lines:
            continue
        name = " ".join((action.address[0], ", ".join(action.address[1:]))).strip()
        yield Text(f"--- {plan.host}: {name}", "bold")
        yield Text(f"+++ {action.mark}", "bold")
        for line in action.lines:
            cost = Entry(line).impact
            yield Text(f"-{line.field or 'ensure'}: {line.now}", "red")
            said = Text(f"+{line.field or 'ensure'}: {line.wanted}", "green")
            yield said.append(f"   # {cost}", "dim") if cost != "online" else said


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
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_value(v) for v in value)}]"
    return "none" if value is None else "on" if value is True else "off" if value is False else str(value)
