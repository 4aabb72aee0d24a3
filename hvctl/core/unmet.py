"""Steps that the runner does not begin, since the host is no longer as the plan found it: in sentences for people."""

from __future__ import annotations

import re
from dataclasses import replace

from hvctl.call import Failure, Guard, Matching, Task
from hvctl.text.duration import spoken

_FOUND = re.compile(r"^(\S+): (\d+) of \d+ objects match (.*); \d+ to \d+ expected$", re.DOTALL)
"""The runner's words (hvMatch in runner.ps1)."""


def explained(failure: Failure, task: Task) -> Failure:
    """The same failure, told by what was found of what the step rests on; others as they are."""
    if not failure.unmet:
        return failure
    found = _FOUND.match(failure.message)
    number, seen = 0, ""
    if found:
        number = int(found[2])
        what = "" if found[3] == "it" else f" with {found[3]}"
        seen = f" ({found[1]} finds {number or 'nothing'}{what})"
    if failure.kind == "GuardFailed" and task.guard and any(isinstance(w, Matching) for w in task.guard.where.values()):
        seen = ""  # an expression tells nobody anything
    why = _guarded(task.guard, number) if failure.kind == "GuardFailed" and task.guard else _referred(number)
    return replace(failure, message=why + seen)


def _guarded(guard: Guard, number: int) -> str:
    if guard.unmet:
        return guard.unmet
    if guard.wait_s:
        return f"what the step waits for did not come within {spoken(guard.wait_s)}"
    if guard.most == 0:
        return "there is something now that was not there when the plan was made"
    return _referred(number)


def _referred(number: int) -> str:
    if number:
        return "what the step was to change is not the only one of its kind any more"
    return "what the step was to change is not there any more"
