"""What of a plan is shown, and how it is said in a few words; the same in every renderer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hvctl.core.plan import Action, Plan, Restart
from hvctl.kinds import owner_of
from hvctl.show.cells import listed
from hvctl.show.summary import made_within
from hvctl.text.diagnostic import Diagnostic

_COUNTABLE = {"disk": "disk", "network_adapter": "adapter", "dvd": "DVD drive"}


def shown_actions(plan: Plan, *, everything: bool = False, remarks: bool = True) -> list[Action]:
    """What differs, is held back, could not be read or goes down. Parts of what is made are told by its summary,
    and one cause that keeps several things from being read is told once, unless `everything`."""
    shown = [a for a in plan.actions if _matters(plan, a, remarks) and (everything or not _told(plan, a))]
    return shown if everything else _told_once(shown)


def _told_once(actions: Iterable[Action]) -> list[Action]:
    groups: dict[object, list[Action]] = {}
    for action in actions:
        why = tuple((r.message, r.hint) for r in action.remarks)
        same = action.verb == "unknown" and not action.lines and why
        groups.setdefault(why if same else action.address, []).append(action)
    return [_for_all(first, rest) for first, *rest in groups.values()]


def _for_all(action: Action, rest: Iterable[Action]) -> Action:
    names = [str(one.address) for one in rest]
    if not names:
        return action
    more = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    told = Diagnostic(action.mark, f"the same is true of {listed(more)}", "", "unknown")
    return replace(action, remarks=(*action.remarks, told))


def _matters(plan: Plan, action: Action, remarks: bool) -> bool:
    known = bool(action.known) or action.accepted is not None
    differs = action.differs or known or bool(action.waiting) or action.verb == "unknown"
    return differs or (remarks and bool(action.remarks)) or restart_of(plan, action) is not None


def _told(plan: Plan, action: Action) -> bool:
    """Nothing that is there already is changed within it."""
    known = made_within(plan, action) and not action.remarks and not action.blocked
    return known and not any(line.field for line in action.lines)


def restart_of(plan: Plan, action: Action) -> Restart | None:
    return next((r for r in plan.restarts if r.address == action.address), None)


def restart_text(restart: Restart) -> str:
    because = list(restart.because)
    shown = listed(because) if len(because) <= 3 else f"{listed(because[:2], ', ')} and {len(because) - 2} more"
    word = "restarts once" if restart.back else "is turned off"
    if restart.blocked:
        word = "would restart once" if restart.back else "would be turned off"
    many = f"; {restart.during} changes while it is off" if restart.during > 1 and not restart.blocked else ""
    return f"{word}: {shown}{many}" if because else f"{word}{many}"


def made_of(plan: Plan, action: Action) -> str:
    """What is made, from the thing itself and from its parts that are made with it."""
    parts = [a for a in plan.actions if owner_of(a.address) == action.address and a.verb == "create"]
    single = sorted((p for p in parts if p.address.kind not in _COUNTABLE), key=lambda p: p.address.kind != "processor")
    said = [action.summary, *(p.summary for p in single)]
    for kind, word in _COUNTABLE.items():
        if count := sum(p.address.kind == kind for p in parts):
            there = sum("existing file" in p.summary for p in parts if p.address.kind == kind)
            of = f" ({'existing file' if count == 1 else f'{there} of existing files'})" if there else ""
            said.append(f"{count} {word}{'s' * (count > 1)}{of}")
    return ", ".join(s for s in said if s)
