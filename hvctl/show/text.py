"""A plan as lines of text, for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from hvctl.call import Call
from hvctl.contract import title
from hvctl.core.apply import batch_of
from hvctl.core.check import Spot
from hvctl.core.contents import files_of
from hvctl.core.facts import Facts
from hvctl.core.plan import Action, Plan
from hvctl.language import said
from hvctl.show.block import Block
from hvctl.show.cells import hint, hung, with_right
from hvctl.show.columns import Columns, entries
from hvctl.show.remembered import Told, nothing
from hvctl.show.summary import in_few_words
from hvctl.show.wording import made_of, restart_of, restart_text, shown_actions

WIDEST = 140
"""A line that is longer is hard to follow with the eye."""

_SIGN = {"create": "+", "update": "~", "remove": "-", "held": "✗", "later": "·", "accepted": "≈",
         "unknown": "?", "none": " "}  # fmt: skip
_STYLE = {
    "create": "green",
    "update": "yellow",
    "remove": "red",
    "held": "red",
    "later": "blue",
    "accepted": "dim",
    "unknown": "magenta",
    "none": "",
}
_LEVEL = {"warning": "yellow", "impossible": "red", "later": "blue", "unknown": "magenta"}


def plan_lines(
    plan: Plan, *, width: int = 120, verbose: bool = False, told: Told = nothing, says: str = ""
) -> Iterator[Text]:
    """One host: a headline, then what differs, is held back or could not be read. In sync: the headline alone.
    `told`: what is remembered of a field that differs. `says`: what it comes to, where that is not what would be done."""
    yield from plan_block(plan, width=width, verbose=verbose, told=told, says=says).lines(min(width, WIDEST))


def plan_block(plan: Plan, *, width: int = 120, verbose: bool = False, told: Told = nothing, says: str = "") -> Block:
    """As `plan_lines`."""
    width = min(width, WIDEST)
    lines = [*action_lines(plan, width=width, verbose=verbose, told=told), *_for_others(plan, width, verbose)]
    return Block(
        plan.host,
        f"{title(plan.os)} ({plan.info.build})",
        right=_in_few_words(plan, says),
        style="green" if plan.in_sync else "yellow",
        below=(*lines, Text()) if lines else (),
    )


def _for_others(plan: Plan, width: int, verbose: bool) -> Iterator[Text]:
    """What is done here because of what is wanted on hosts that are planned together with this one."""
    steps = [s for s in plan.steps if s.action.host != plan.host]
    for host in dict.fromkeys(s.action.host for s in steps):
        own = [s for s in steps if s.action.host == host]
        yield Text(said(f"  → for {host}"), "bold")
        for step in own:
            waits = ", ".join(dict.fromkeys(a.host for a in step.awaits))
            yield from hint(step.text + (f", after {waits}" if waits else ""), width)
            if verbose:
                yield call_line(step.task.call)


def sent_lines(plans: Iterable[Plan]) -> Iterator[Text]:
    """The files of this machine that plans send, each once, by their whole paths; nothing where none is sent."""
    files = {file.path: file for plan in plans for file in files_of(batch_of(plan)) if file.path}
    if files:
        yield Text(said("Files of this machine that are sent:"))
    for path, file in sorted(files.items()):
        yield Text(f"    {path}  {file.size:,} bytes, sha256 {file.sha256[:12]}")


def action_lines(
    plan: Plan, *, width: int, verbose: bool = False, remarks: bool = True, told: Told = nothing
) -> Iterator[Text]:
    """What differs, resource by resource, in columns that hold over all. Parts of what is made are told by its
    summary, unless verbose."""
    shown = shown_actions(plan, everything=verbose, remarks=remarks)
    columns = Columns((e for a in shown for e in entries(a)), width)
    for action in shown:
        yield from _action(plan, action, columns, width, verbose, told)


def _in_few_words(plan: Plan, says: str = "") -> str:
    told, says = says, says or in_few_words(plan)
    if plan.unreadable and not told:
        says = "not all of it could be read" if says == "nothing to do" else f"{says}; not all of it could be read"
    if others := sum(s.action.host != plan.host for s in plan.steps):
        told = f"{others} step{'s' * (others > 1)} for other hosts"
        return told if says == "nothing to do" else f"{says}; {told}"
    return says


def _action(plan: Plan, action: Action, columns: Columns, width: int, verbose: bool, told: Told) -> Iterator[Text]:
    yield from _action_head(plan, action, width)
    shown = entries(action)
    since = [told(Spot(action.address, entry.line.field)) for entry in shown]
    if not shown and (whole := told(Spot(action.address))):
        yield from hint(whole, width)
    for n, entry in enumerate(shown):
        yield from columns.rows(entry)
        if entry.line.note:
            yield from hint(entry.line.note, width)
        if since[n] and since[n] != (since[n + 1] if n + 1 < len(shown) else ""):
            yield from hint(since[n], width)
        if (known := entry.line.accepted) and (n + 1 == len(shown) or shown[n + 1].line.accepted != known):
            yield from hint(str(known), width)
        consent = entry.line.consent
        if consent and not entry.held and (n + 1 == len(shown) or shown[n + 1].line.consent != consent):
            yield from hint(f"allow it with --allow {','.join(consent)}", width)
    if action.accepted:
        yield from hint(str(action.accepted), width)
    for remark in action.remarks:
        said = [(remark.message, _LEVEL[remark.level]), (f"; {remark.hint}" if remark.hint else "", "dim")]
        yield from hung("!", [*said, (f"  {remark.mark}", "dim")], width)
        if remark.defect or verbose:
            yield from trace_lines(remark.trace)
    if verbose:
        for step in plan.steps:
            if step.action == action.address:
                yield call_line(step.task.call)


def call_line(call: Call, indent: int = 9) -> Text:
    """In one piece, however long: pasted in several, it would run before its end."""
    return Text(" " * indent).append(str(call), "dim cyan")


def _action_head(plan: Plan, action: Action, width: int) -> Iterator[Text]:
    names = action.address.names
    line = Text("  ")
    restart = restart_of(plan, action)
    verb = "update" if restart and action.verb == "none" else action.verb
    line.append(_SIGN[verb], f"bold {_STYLE[verb]}")
    line.append(f" {said(str(action.address))}", "bold")
    more = action.title if action.title and action.title not in names else ""
    if action.verb == "create":
        more = made_of(plan, action) or more
    elif action.verb == "remove":
        more = "is removed"
    more = said(more)
    fits = line.cell_len + 3 + Text(more).cell_len <= width
    if more and fits:
        line.append("   " + more)
    if restart:
        yield from with_right(line, restart_text(restart), "yellow", width)
    else:
        whole = action.verb in ("create", "remove") and not entries(action)
        yield from with_right(line, str(action.mark) if whole else "", "dim", width)
    if more and not fits:
        yield from hung("", [(more, "")], width, indent=5)


def trace_lines(trace: str) -> Iterator[Text]:
    """A traceback, as Python wrote it."""
    for line in trace.splitlines():
        yield Text(f"        {line}", "dim")


def facts_lines(host: str, facts: Facts) -> Iterator[Text]:
    """What a host answered, query by query."""
    yield Text(f"{host}  {title(facts.os)} ({facts.info.build})  {facts.info.caption}", "bold")
    for call, reply in facts.replies.items():
        if not call.select:
            continue
        failed = f"  {reply.failure}" if reply.failure else ""
        yield Text(f"\n{call}: {len(reply.rows)}{failed}", "bold")
        for row in reply.rows:
            yield Text("  " + ", ".join(f"{k}={_value(v)}" for k, v in row.items()))


def _value(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_value(v) for v in value)}]"
    return "none" if value is None else "on" if value is True else "off" if value is False else str(value)
