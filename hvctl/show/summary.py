"""The last line: hosts by state, and what their plans come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from hvctl.core.check import Memory, Moved, drifts
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action, Plan
from hvctl.kinds import owner_of
from hvctl.language import said
from hvctl.show.columns import entries
from hvctl.show.state import word_of


def summary_lines(outcomes: Sequence[Outcome], *, drift: bool = False, memory: Memory | None = None) -> Iterator[Text]:
    words: dict[str, int] = {}
    for one in outcomes:
        word = word_of(one, drift=drift)
        words[word] = words.get(word, 0) + 1
    states = [said(f"{n} {w.replace('differs', 'differ') if n > 1 else w}") for w, n in words.items()]
    hosts = f"{len(outcomes)} host{'s' * (len(outcomes) != 1)}" + (f": {', '.join(states)}" if states else "")
    plans = [o.plan for o in outcomes if o.plan is not None and o.report is None and not o.changed]
    line = Text(said(hosts + "."), "bold")
    done = [o.report.after for o in outcomes if o.report is not None and o.report.after is not None]
    # Beside hosts that were changed, what is left is told of all of them alike.
    if plans and not drift and (counts := counted([*plans, *done])):
        line.append("  " + said(f"Left: {', '.join(counts)}." if done else f"Plan: {', '.join(counts)}."))
    if memory is not None and (moved := _moved(outcomes, memory)):
        line.append("  " + said(f"{moved}."))
    yield line


def _moved(outcomes: Iterable[Outcome], memory: Memory) -> str:
    """How many differences are whose doing; nothing where nothing is remembered. Of those of which it is not known
    nothing is said but their number."""
    told: dict[Moved, int] = {}
    for one in outcomes:
        for drift in drifts(one):
            since = memory.since.get(drift.spot)
            if since is not None and one.now is not None and not made_within(one.now, drift.action):
                told[since.moved] = told.get(since.moved, 0) + 1
    total = sum(told.values())
    words: tuple[tuple[Moved, str], ...] = (("host", "drifted"), ("wish", "by a changed playbook"))
    said = ", ".join(f"{told[moved]} {word}" for moved, word in words if moved in told)
    return f"{total} difference{'s' * (total > 1)}{': ' if said else ''}{said}" if total else ""


def made_within(plan: Plan, action: Action) -> bool:
    """Whether it is a part of something that is made with it, or that is not made, which says why."""
    owner = owner_of(action.address)
    silent = action.verb == "held" and not action.lines and not action.remarks
    verbs = ("create", "held") if silent else ("create",)
    mine = action.verb == "create" or silent
    return mine and any(a.verb in verbs and a.address == owner for a in plan.actions)


def counted(plans: Iterable[Plan]) -> list[str]:
    """Things to create and remove, fields to change, fields that are left undone, restarts. "due": done by an apply, and
    no difference before its time is over."""
    create = change = due = remove = blocked = held = later = known = restarts = 0
    for plan in plans:
        restarts += sum(not r.blocked for r in plan.restarts)
        for action in plan.actions:
            create += action.verb == "create" and not made_within(plan, action)
            remove += action.verb == "remove"
            shown = entries(action)
            impossible = sum(e.held == "impossible" for e in shown)
            waiting = sum(e.held == "later" for e in shown)
            blocked += sum(bool(e.line.consent) and not e.held for e in shown)
            alone = action.verb == "held" and not action.blocked and not waiting and not made_within(plan, action)
            held += impossible or alone
            later += waiting or action.verb == "later"
            known += sum(e.held == "accepted" for e in shown) + (action.accepted is not None)
            if action.verb == "update":
                todo = [e.line for e in shown if not e.line.consent and not e.held]
                due += sum(line.in_time for line in todo)
                change += sum(not line.in_time for line in todo)
    found = [(create, "to create"), (change, "to change"), (due, "due"), (remove, "to remove"), (blocked, "blocked"),
             (held, "impossible"), (later, "later"), (known, "accepted"),
             (restarts, "restart" + "s" * (restarts > 1))]  # fmt: skip
    return [f"{n} {word}" for n, word in found if n]


def changes_in(plan: Plan) -> int:
    """What an apply would do: things that it creates and removes, fields that it changes, and what is due."""
    count = 0
    for action in plan.actions:
        match action.verb:
            case "create":
                count += not made_within(plan, action)
            case "remove":
                count += 1
            case "update":
                count += sum(not (line.consent or line.held) for line in action.lines)
    return count


def in_few_words(plan: Plan) -> str:
    """What a plan comes to. What waits for its time stands beside "in sync"."""
    counts = counted([plan])
    return ", ".join(["in sync", *counts] if plan.in_sync else counts) or "nothing to do"
