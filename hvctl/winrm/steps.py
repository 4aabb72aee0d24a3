"""A Batch as the runner's steps: calls become JSON, every Ref and Guard a lookup step before its user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hvctl.call import Batch, Call, Ending, Guard, Home, Map, Matching, Null, Ref, Secret, Task, Value, Wanted

Json = Any
"""What json.dumps takes."""

_READ_AS_DATE = re.compile(r"/Date\(|\d{4}-\d\d-\d\dT\d\d")
"""Text that some version of ConvertFrom-Json turns into a DateTime; it travels in two parts."""


def steps_of(batch: Batch) -> list[dict[str, Json]]:
    """The steps in the order in which they are to run. In a "read" batch identical lookups are shared, and a
    Ref to a call that is itself a task takes that task's rows; in a "change" batch every lookup is made afresh
    just before the step that needs it."""
    if batch.mode == "read":
        return _Shared(batch).steps()
    return [step for task in batch.tasks for step in _fresh(task)]


class _Shared:
    """One read batch: every distinct lookup is one step."""

    def __init__(self, batch: Batch) -> None:
        self.tasks = batch.tasks
        if any(task.guard is not None and task.guard.wait_s for task in batch.tasks):
            raise ValueError("a guard waits in a change batch only: in a read batch lookups are shared")
        self.task_of: dict[Call, Task] = {}
        for task in batch.tasks:
            if task.guard is None and not task.needs and not task.job:
                self.task_of.setdefault(_asked(task.call), task)
        self.ids: dict[Call, str] = {}
        self.done: set[str] = set()
        self.made: list[dict[str, Json]] = []

    def steps(self) -> list[dict[str, Json]]:
        for task in self.tasks:
            self.task(task)
        return self.made

    def task(self, task: Task) -> None:
        if task.id in self.done:
            return
        self.done.add(task.id)
        for call in _lookups(task):
            self.lookup(call)
        self.made.append(_used(_task_step(task, self.ids), task.call, self.ids))

    def lookup(self, call: Call) -> None:
        key = _asked(call)
        if key in self.ids:
            return
        if (task := self.task_of.get(key)) is not None:
            self.ids[key] = task.id
            self.task(task)
            return
        self.ids[key] = f"#{sum(i.startswith('#') for i in self.ids.values())}"
        for ref in call.refs():
            self.lookup(ref.call)
        self.made.append(_used(_lookup_step(self.ids[key], call, self.ids), call, self.ids))


def _fresh(task: Task) -> Iterator[dict[str, Json]]:
    ids: dict[Call, str] = {}
    order: list[Call] = []

    def visit(call: Call) -> None:
        if _asked(call) in ids:
            return
        for ref in call.refs():
            visit(ref.call)
        ids[_asked(call)] = f"{task.id}#{len(ids)}"
        order.append(call)

    for call in _lookups(task):
        visit(call)
    for call in order:
        yield _lookup_step(ids[_asked(call)], call, ids, task.needs)
    yield _task_step(task, ids)


def _lookups(task: Task) -> Iterator[Call]:
    yield from (ref.call for ref in task.call.refs())
    if task.guard is not None:
        yield task.guard.call
    if task.instead is not None:
        yield task.instead.to.call


def _used(step: dict[str, Json], call: Call, ids: Mapping[Call, str]) -> dict[str, Json]:
    """With the steps whose errors become this one's too: what was read in part gives a partial answer."""
    names = list(dict.fromkeys(ids[_asked(ref.call)] for ref in call.refs()))
    return step | {"uses": names} if names else step


def _asked(call: Call) -> Call:
    """Two calls that differ only in what is selected make the same objects."""
    return replace(call, select=())


def _task_step(task: Task, ids: Mapping[Call, str]) -> dict[str, Json]:
    step = _call_step(task.id, task.call, ids)
    if task.call.select:
        step["select"] = [selection(path) for path in task.call.select]
    if task.guard is not None:
        step["guard"] = _guard(task.guard, ids)
    if task.needs:
        step["needs"] = list(task.needs)
    if task.job:
        step["job"] = True
    if task.limit_s is not None:
        step["limit_s"] = task.limit_s
    if task.retry is not None:
        if task.call.each is not None:
            raise ValueError(f"{task.call.cmdlet}: each and retry do not go together")
        step["retry"] = {"id": f"{task.retry.kind},", "limit": task.retry.limit_s}
    if task.instead is not None:
        one = task.instead
        values = [[_parts(name), _value(value, ids)] for name, value in one.values.items()]
        step["instead"] = {"errors": [f"{word}," for word in one.refusals], "to": _ref(one.to, ids), "set": values}
    return step


def _lookup_step(name: str, call: Call, ids: Mapping[Call, str], needs: Sequence[str] = ()) -> dict[str, Json]:
    step = _call_step(name, call, ids) | {"quiet": True}
    return step | {"needs": list(needs)} if needs else step


def _call_step(name: str, call: Call, ids: Mapping[Call, str]) -> dict[str, Json]:
    if len({p.casefold() for p in call.params}) != len(call.params):
        raise ValueError(f"{call.cmdlet}: a parameter is given twice, in different case")
    params = {p: _value(v, ids) for p, v in call.params.items() if v is not None}
    step: dict[str, Json] = {"id": name, "cmdlet": call.cmdlet, "params": params}
    if call.each is not None:
        given = params.get(call.each, [])
        params[call.each] = given if isinstance(given, list) else [given]
        step["each"] = call.each
    if call.follow is not None:
        if call.each is None:
            raise ValueError(f"{call.cmdlet}: follow needs each")
        step["follow"] = call.follow.split(".")
    return step


def _guard(guard: Guard, ids: Mapping[Call, str]) -> dict[str, Json]:
    """`again`: the lookups of the task, in their order, to be made anew while the guard waits."""
    step = ids[_asked(guard.call)]
    body: dict[str, Json] = {"step": step, "where": _where(guard.where), "least": guard.least, "most": guard.most}
    return body | {"wait": guard.wait_s, "again": list(ids.values())} if guard.wait_s else body


def _where(where: Mapping[str, Wanted]) -> list[list[Json]]:
    """Pairs of a path and a text, as PowerShell would print the value; a third item: the value ends so, or ("match") it
    matches."""
    return [[path.split("."), *_wanted(wanted)] for path, wanted in where.items()]


def _wanted(wanted: Wanted) -> list[Json]:
    if isinstance(wanted, Ending):
        return [_parts(wanted.text), True]
    return [_parts(wanted.pattern), "match"] if isinstance(wanted, Matching) else [_parts(str(wanted))]


def _value(value: Value, ids: Mapping[Call, str]) -> Json:
    match value:
        case Ref():
            return {"$ref": _ref(value, ids)}
        case Map():
            # Pairs: ConvertFrom-Json refuses keys that differ only in case, and empty ones (winrm 3.3).
            return {"$map": [[_parts(k), _value(v, ids)] for k, v in value.items.items()]}
        case Secret():
            return {"$secret": _parts(value.reveal())}
        case Home():
            return {"$home": _parts(value.path)}
        case Null():
            return {"$null": True}
        case str():
            return _text(value)
        case None | bool() | int():
            return value
        case _ if isinstance(value, Sequence):
            return [_value(v, ids) for v in value]
    raise TypeError(f"a {type(value).__name__} cannot be a parameter")


def _ref(ref: Ref, ids: Mapping[Call, str]) -> dict[str, Json]:
    body: dict[str, Json] = {"step": ids[_asked(ref.call)]}
    if ref.where:
        body["where"] = _where(ref.where)
    if ref.path:
        body["path"] = ref.path.split(".")
    if ref.many:
        body["many"] = True
    if ref.lenient:
        body["lenient"] = True
    if ref.within:
        body["within"] = ref.within.split(".")
    return body


def _text(text: str) -> Json:
    parts = _parts(text)
    return text if parts == text else {"$join": parts}


def _parts(text: str) -> str | list[str]:
    """Where only text can stand, its parts need no tag."""
    found = _READ_AS_DATE.search(text)
    return text if found is None else [text[: found.start() + 3], text[found.start() + 3 :]]


def selection(path: str) -> Json:
    """A path of Call.select as the runner reads it: a plain name, or {k: the key, p: the path, l: list of
    sub-selections, empty for scalars}."""
    head, bracket, inner = path.partition("[")
    parts = head.split(".")
    if not bracket:
        return path if len(parts) == 1 else {"k": path, "p": parts}
    if not inner.endswith("]"):
        raise ValueError(f"not a selection: {path}")
    subs = [selection(p.strip()) for p in _split(inner[:-1])] if inner != "]" else []
    return {"k": path, "p": parts, "l": subs}


def _split(text: str) -> list[str]:
    """At commas that stand outside brackets."""
    depth, parts, start = 0, [], 0
    for position, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]
