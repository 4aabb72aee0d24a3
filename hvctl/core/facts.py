"""Queries of all resources, merged into one batch; and the answers, looked up by the query that asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hvctl.call import EACH, Batch, Call, HostInfo, Map, Ref, Reply, Row, Task
from hvctl.contract import OS
from hvctl.core.rows import UnreadableError, typed

__all__ = ["ABSENT_CMDLET", "Facts", "UnreadHostError", "UnreadableError", "merged", "read_batch"]

_UNIQUE = ("Name", "Id", "FullName", EACH)
"""Columns of which one row has the value: where it was found, one that cannot be read is another thing's."""

ABSENT_CMDLET = ("CommandNotFoundException", "CouldNotAutoLoadModule")
"""Error ids of a cmdlet that this version of Windows does not have."""


def merged(queries: Iterable[Call]) -> tuple[Call, ...]:
    """The fewest calls that answer all queries: those that differ only in `select` or in the values of `each`
    become one, and every Ref points at the merged call."""
    found: dict[Any, Call] = {}
    for query in _with_sources(queries):
        key = _key(query)
        found[key] = _union(found[key], query) if key in found else query
    return tuple(_rewired(call, found) for call in found.values())


def read_batch(queries: Iterable[Call], deadline_s: int = 600) -> Batch:
    """The merged queries as one read batch; tasks "q0", "q1", … in the order of `merged`."""
    tasks = tuple(Task(f"q{n}", call) for n, call in enumerate(merged(queries)))
    return Batch(tasks, "read", deadline_s)


class UnreadHostError(UnreadableError):
    """Something rests on a host that could not be read, or that the run does not have."""

    hint = "see what is said of that host; nothing that rests on it is done"

    def __init__(self, host: str, *, in_run: bool = True, said: Exception | None = None) -> None:
        super().__init__(Call(""))  # no call of its own failed
        self.text = f"{host} could not be read" if in_run else f"{host} is not among the hosts of this run"
        if said is not None:
            self.text = f"{self.text}: {said}"
        if not in_run:
            self.hint = "nothing that rests on it is done; run it for that host too"


@dataclass(frozen=True)
class Facts:
    """What one host answered. Never asks again. `others`: what those answered that
    are planned together with it, itself included; None where they could not be read. `login`: how hvctl is logged on
    there; "" where that is not known."""

    os: OS
    info: HostInfo
    replies: Mapping[Call, Reply]
    others: Mapping[str, Facts | None] = field(default_factory=dict, repr=False, compare=False)
    login: str = field(default="", compare=False)
    _keyed: dict[Any, Reply] = field(default_factory=dict, init=False, repr=False, compare=False)
    _grouped: dict[Any, _Groups] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._keyed.update({_key(call): typed(self.os, call, reply) for call, reply in self.replies.items()})

    @classmethod
    def of(cls, os: OS, info: HostInfo, batch: Batch, replies: Iterable[Reply]) -> Facts:
        return cls(os, info, {t.call: r for t, r in zip(batch.tasks, replies, strict=True)})

    def on(self, host: str) -> Facts:
        """What another host of the unit answered. Raises UnreadableError where it could not be read."""
        found = self.others.get(host)
        if found is None:
            raise UnreadHostError(host, in_run=host in self.others)
        return found

    def reply(self, query: Call) -> Reply:
        """The answer to a query; of a query with `each`, only what belongs to its own values, if they are known."""
        reply = self._keyed.get(_key(query))
        if reply is None:
            raise KeyError(f"never asked: {query}")
        values = _listed(query.params.get(query.each or ""))
        if query.each is None or any(isinstance(v, Ref) for v in values):
            return reply
        asked = {str(v).casefold() for v in values}
        return replace(
            reply,
            rows=tuple(r for r in reply.rows if str(r.get(EACH)).casefold() in asked),
            failures=tuple(f for f in reply.failures if f.value is None or str(f.value).casefold() in asked),
        )

    def asked(self, query: Call) -> bool:
        return _key(query) in self._keyed

    def rows(self, query: Call) -> tuple[Row, ...]:
        """The rows of a query. A cmdlet that this Windows does not have has none.
        Raises UnreadableError if it was not answered at all."""
        reply = self.reply(query)
        if not reply.rows and not reply.ok:
            if reply.failure and any(word in reply.failure.kind for word in ABSENT_CMDLET):
                return ()
            raise UnreadableError(query, reply.failure)
        return reply.rows

    def of_key(self, query: Call, column: str, value: object) -> tuple[Row, ...]:
        """The rows with that value in a column, without case. Raises UnreadableError where a row might be one of them
        and its column cannot be read."""
        groups = self._groups(query, column)
        found = groups.rows.get(str(value).casefold(), ())
        if groups.unread is not None and not (found and column in _UNIQUE):
            raise groups.unread
        return found

    def _groups(self, query: Call, column: str) -> _Groups:
        key = (_key(query), column)
        if key not in self._grouped:
            self._grouped[key] = _Groups.of(self.rows(query), column)
        return self._grouped[key]

    @property
    def time(self) -> str | None:
        """By the host's clock, where anything asked for it."""
        told = (row.get(name) for call, r in self.replies.items() for name in call.passing for row in r.rows)
        return next((str(time) for time in told if time), None)

    def at(self, time: str | None) -> Facts:
        """The same, at another time of the host's clock."""
        if time is None or time == self.time:
            return self
        return replace(self, replies={call: _at(reply, call.passing, time) for call, reply in self.replies.items()})


@dataclass(frozen=True)
class _Groups:
    """Rows by one of their columns, case-folded. `unread`: why some are in none."""

    rows: Mapping[str, tuple[Row, ...]]
    unread: UnreadableError | None

    @classmethod
    def of(cls, rows: Iterable[Row], column: str) -> _Groups:
        groups: dict[str, list[Row]] = {}
        unread = None
        for row in rows:
            try:
                value = row[column]
            except UnreadableError as error:
                unread = error
            else:
                groups.setdefault(str(value).casefold(), []).append(row)
        return cls({k: tuple(v) for k, v in groups.items()}, unread)


def _at(reply: Reply, passing: tuple[str, ...], time: str) -> Reply:
    if not passing:
        return reply
    return replace(
        reply, rows=tuple({**row, **{name: time for name in passing if row.get(name)}} for row in reply.rows)
    )


def _with_sources(queries: Iterable[Call]) -> Iterable[Call]:
    """Each query after the calls its Refs need, so that they are asked in the same batch."""
    for query in queries:
        for ref in query.refs():
            yield from _with_sources([ref.call])
        yield query


def _key(value: Any) -> Any:
    if isinstance(value, Call):
        params = tuple(
            (name, () if name == value.each else _key(given)) for name, given in sorted(value.params.items())
        )
        return ("call", value.cmdlet, params, value.each, value.follow)
    if isinstance(value, Ref):
        return ("ref", _key(value.call), _key(value.where), value.path, value.many, value.within)
    if isinstance(value, Map):
        return ("map", _key(value.items))
    if isinstance(value, Mapping):
        return tuple((k, _key(v)) for k, v in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(_key(v) for v in value)
    return (type(value).__name__, value)


def _union(one: Call, other: Call) -> Call:
    params = dict(one.params)
    if one.each is not None:
        values = [*_listed(one.params.get(one.each)), *_listed(other.params.get(one.each))]
        seen: dict[Any, Any] = {}
        for value in values:
            seen.setdefault(_key(value.casefold() if isinstance(value, str) else value), value)
        params[one.each] = tuple(seen.values())
    select, passing = (
        tuple(dict.fromkeys((*a, *b))) for a, b in ((one.select, other.select), (one.passing, other.passing))
    )
    return replace(one, params=params, select=select, passing=passing)


def _rewired(call: Call, found: Mapping[Any, Call]) -> Call:
    def swap(value: Any) -> Any:
        if isinstance(value, Ref):
            return replace(value, call=_rewired(found[_key(value.call)], found))
        if isinstance(value, tuple):
            return tuple(swap(v) for v in value)
        return value

    return replace(call, params={name: swap(value) for name, value in call.params.items()})


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else () if value is None else (value,)
