"""Queries of all resources, merged into one batch; and the answers, looked up by the query that asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from hvctl.call import EACH, Batch, Call, Failure, Family, HostInfo, Ref, Reply, Row, Task, family
from hvctl.contract import OS
from hvctl.core.rows import UnreadableError, typed

__all__ = ["ABSENT_CMDLET", "Facts", "UnreadHostError", "UnreadableError", "merged", "read_batch"]

T = TypeVar("T")

_UNIQUE = ("Name", "Id", "FullName", EACH)
"""Columns of which one row has the value: where it was found, one that cannot be read is another thing's."""

ABSENT_CMDLET = ("CommandNotFoundException", "CouldNotAutoLoadModule")
"""Error ids of a cmdlet that this version of Windows does not have."""


def merged(queries: Iterable[Call]) -> tuple[Call, ...]:
    """The fewest calls that answer all queries: those that differ only in `select` or in the values of `each`
    become one, and every Ref points at the merged call."""
    found: dict[Family, _Merging] = {}
    for query in _with_sources(queries, {}):
        known = found.get(query.family)
        if known is None:
            found[query.family] = _Merging(query)
        else:
            known.add(query)
    calls = {key: one.call() for key, one in found.items()}
    return tuple(_rewired(call, calls) for call in calls.values())


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


class UnclearError(UnreadableError):
    """What hosts say does not agree, so that nothing is known of a resource."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(Call(""))  # no call failed
        self.text, self.hint = text, hint


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
    _keyed: dict[Family, Reply] = field(default_factory=dict, init=False, repr=False, compare=False)
    _grouped: dict[Any, _Groups] = field(default_factory=dict, init=False, repr=False, compare=False)
    _derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _by_each: dict[Family, _ByEach] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._keyed.update({call.family: typed(self.os, call, reply) for call, reply in self.replies.items()})

    @classmethod
    def of(cls, os: OS, info: HostInfo, batch: Batch, replies: Iterable[Reply]) -> Facts:
        return cls(os, info, {t.call: r for t, r in zip(batch.tasks, replies, strict=True)})

    @property
    def beside(self) -> dict[str, Facts | None]:
        """What the other hosts of the unit answered."""
        own = self.info.computer.casefold()
        return {host: one for host, one in self.others.items() if one is None or one.info.computer.casefold() != own}

    def on(self, host: str) -> Facts:
        """What another host of the unit answered. Raises UnreadableError where it could not be read."""
        found = self.others.get(host)
        if found is None:
            raise UnreadHostError(host, in_run=host in self.others)
        return found

    def reply(self, query: Call) -> Reply:
        """The answer to a query; of a query with `each`, only what belongs to its own values, if they are known."""
        key = query.family
        reply = self._keyed.get(key)
        if reply is None:
            raise KeyError(f"never asked: {query}")
        values = _listed(query.params.get(query.each or ""))
        if query.each is None or any(isinstance(v, Ref) for v in values):
            return reply
        if key not in self._by_each:
            self._by_each[key] = _ByEach.of(reply)
        return self._by_each[key].only({str(v).casefold() for v in values})

    def asked(self, query: Call) -> bool:
        return query.family in self._keyed

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

    def derived(self, make: Callable[..., T], *of: object) -> T:
        """What `make(facts, *of)` works out of the answers, once."""
        key = (make, of)
        if key not in self._derived:
            self._derived[key] = make(self, *of)
        found: T = self._derived[key]
        return found

    def _groups(self, query: Call, column: str) -> _Groups:
        key = (query.family, column)
        if key not in self._grouped:
            self._grouped[key] = _Groups.of(self.rows(query), column)
        return self._grouped[key]

    def answering(self, calls: Iterable[Call]) -> dict[Call, Reply]:
        """Its answers to these alone."""
        families = {call.family for call in calls}
        return {call: reply for call, reply in self.replies.items() if call.family in families}

    @property
    def of_host(self) -> Facts:
        """Only answers of one row at most: about the host as a whole, its time zone say, and not about all its VMs; of those
        that are planned together with it, their names."""
        few = {call: r for call, r in self.replies.items() if len(r.rows) <= 1}
        return replace(self, replies=few, others=dict.fromkeys(self.others))

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
class _ByEach:
    """The rows and failures of a reply by the value that they answer, case-folded, each with its place."""

    reply: Reply
    rows: Mapping[str, Sequence[tuple[int, Row]]]
    failures: Mapping[str | None, Sequence[tuple[int, Failure]]]

    @classmethod
    def of(cls, reply: Reply) -> _ByEach:
        rows: dict[str, list[tuple[int, Row]]] = {}
        failures: dict[str | None, list[tuple[int, Failure]]] = {}
        for n, row in enumerate(reply.rows):
            rows.setdefault(str(row.get(EACH)).casefold(), []).append((n, row))
        for n, one in enumerate(reply.failures):
            failures.setdefault(None if one.value is None else str(one.value).casefold(), []).append((n, one))
        return cls(reply, rows, failures)

    def only(self, asked: Collection[str]) -> Reply:
        """What belongs to some values; of failures also those of no value."""
        rows = sorted((r for value in asked for r in self.rows.get(value, ())), key=_place)
        failed = sorted((f for value in (*asked, None) for f in self.failures.get(value, ())), key=_place)
        return replace(self.reply, rows=tuple(r for _, r in rows), failures=tuple(f for _, f in failed))


def _place(numbered: tuple[int, object]) -> int:
    return numbered[0]


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


def _with_sources(queries: Iterable[Call], seen: dict[int, Call]) -> Iterable[Call]:
    """Each query after the calls its Refs need, so that they are asked in the same batch. Most wishes of a kind ask the very
    same thing: it comes once. `seen`: what came, by its id, kept so that no other gets that."""
    for query in queries:
        if id(query) in seen:
            continue
        seen[id(query)] = query
        for ref in query.refs():
            yield from _with_sources([ref.call], seen)
        yield query


class _Merging:
    """Queries of one family, as they become one."""

    def __init__(self, first: Call) -> None:
        self._first, self._seen = first, {id(first): first}
        self._select, self._passing = dict.fromkeys(first.select), dict.fromkeys(first.passing)
        self._values: dict[Any, Any] = {}
        self._take(first)

    def add(self, query: Call) -> None:
        if id(query) not in self._seen:
            self._seen[id(query)] = query  # kept, so that no other gets its id
            self._select |= dict.fromkeys(query.select)
            self._passing |= dict.fromkeys(query.passing)
            self._take(query)

    def _take(self, query: Call) -> None:
        for value in _listed(query.params.get(query.each or "")):
            self._values.setdefault(family(value.casefold() if isinstance(value, str) else value), value)

    def call(self) -> Call:
        if len(self._seen) == 1:
            return self._first
        each = {} if self._first.each is None else {self._first.each: tuple(self._values.values())}
        return replace(
            self._first,
            params={**self._first.params, **each},
            select=tuple(self._select),
            passing=tuple(self._passing),
        )


def _rewired(call: Call, found: Mapping[Family, Call]) -> Call:
    def swap(value: Any) -> Any:
        if isinstance(value, Ref):
            return replace(value, call=_rewired(found[value.call.family], found))
        if isinstance(value, tuple):
            return tuple(swap(v) for v in value)
        return value

    return replace(call, params={name: swap(value) for name, value in call.params.items()})


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else () if value is None else (value,)
