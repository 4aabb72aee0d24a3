"""Who on a host still refers to WMI v1, the namespace root\\virtualization without v2 (operations 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from hvctl.call import Failure
from hvctl.doctor.questions import ACTIONS, NO_CLASS, NO_NAMESPACE, SUBSCRIPTIONS, TASKS, V1, Told, has_code
from hvctl.text.foreign import Foreign

Verdict = Literal["found", "none found in what was searched", "not searched"]
REFERS = re.compile(r"root[\\/]{1,4}virtualization\b(?![\\/]{1,4}v2)", re.IGNORECASE)
"""Backslashes are doubled in WQL, and twice in scripts."""
BEYOND = "the files of scripts and programs, and callers on other machines, cannot be searched from here"


@dataclass(frozen=True)
class Searched:
    """One place: where references may be, what became of the search, and what refers, one line each. `why`: it was not
    searched."""

    place: str
    verdict: Verdict
    references: tuple[Foreign, ...] = ()
    why: Foreign = ""


@dataclass(frozen=True)
class V1Report:
    """`present`: whether the class is there, as on 2012; None: nobody says."""

    present: bool | None
    searched: tuple[Searched, ...]

    @property
    def references(self) -> tuple[str, ...]:
        return tuple(line for one in self.searched for line in one.references)


def report(told: Told) -> V1Report:
    return V1Report(_present(told), (*_subscriptions(told), _tasks(told)))


def refers(text: object) -> bool:
    return isinstance(text, str) and REFERS.search(text) is not None


def _present(told: Told) -> bool | None:
    failure = told.failure(V1)
    if failure is None:
        return bool(told.rows(V1)) or None
    return False if has_code(failure, NO_CLASS) or has_code(failure, NO_NAMESPACE) else None


def _subscriptions(told: Told) -> Iterator[Searched]:
    for namespace, calls in SUBSCRIPTIONS.items():
        place = f"event subscriptions in {namespace}"
        # A class of consumers that a namespace does not have has none there.
        failures = [f for call in calls if (f := told.failure(call)) is not None and not _without(f)]
        found = tuple(_subscribed(row for call in calls for row in told.rows(call)))
        if found:
            yield Searched(place, "found", found)
        elif failures:
            yield Searched(place, "not searched", why=str(failures[0]))
        else:
            yield Searched(place, "none found in what was searched")


def _without(failure: Failure) -> bool:
    return has_code(failure, NO_CLASS) or has_code(failure, NO_NAMESPACE)


def _subscribed(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    for row in rows:
        for name, value in row.items():
            if name != "Name" and refers(value):
                yield f"{row.get('Name')}: {_short(str(value))}"
                break


def _tasks(told: Told) -> Searched:
    place = "command lines of scheduled tasks"
    failure = told.failure(TASKS)
    if failure is not None:
        return Searched(place, "not searched", why=str(failure))
    found = tuple(_run_by(told.rows(TASKS)))
    return Searched(place, "found" if found else "none found in what was searched", found)


def _run_by(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    for row in rows:
        actions = row.get(ACTIONS)
        for action in actions if isinstance(actions, list | tuple) else ():
            if not isinstance(action, Mapping):
                continue
            line = " ".join(str(v) for v in (action.get("Execute"), action.get("Arguments")) if v)
            if refers(line):
                yield f"{row.get('TaskPath') or ''}{row.get('TaskName')}: {_short(line)}"


def _short(text: str) -> str:
    """The reference and what stands around it."""
    text = " ".join(text.split())
    at = found.start() if (found := REFERS.search(text)) else 0
    begin = max(0, at - 40)
    return ("…" if begin else "") + text[begin : at + 60] + ("…" if len(text) > at + 60 else "")
