"""Rows as kinds read them: a value that is not what the cmdlet returns is refused where it is read, by its name."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from hvctl.call import Call, Failure, Reply, Row
from hvctl.contract.properties import Form, Property, properties_of
from hvctl.contract.versions import OS
from hvctl.text.visible import quoted

T = TypeVar("T")

_LEAST, _MOST = -(2**63), 2**64 - 1
"""No property of a host is wider."""

_PLAINLY: Mapping[Form, type] = {"flag": bool, "text": str, "word": str}
"""What is seen to be right at first sight, as most values are."""

_EXPECTED: Mapping[Form, str] = {
    "flag": "true or false",
    "number": "a whole number",
    "count": "a whole number, 0 or more",
    "text": "text",
    "word": "a word",
    "time": "a time",
    "list": "a list",
    "rows": "a list of objects",
}


class UnreadableError(Exception):
    """A query that the question rests on was not answered; or a property in its answer cannot be read. `outside`: what of
    the text is the host's."""

    hint = "look at the host; nothing is done about this"

    def __init__(
        self, call: Call, failure: Failure | None = None, property: str = "", why: str = "", outside: str = ""
    ) -> None:
        if property:
            text = f"the host answered what cannot be read (property {property} of {call.cmdlet}: {why})"
        else:
            text = f"{call.cmdlet} was not answered" + (f": {failure}" if failure else "")
        super().__init__(text)
        self.text = text
        self.outside = outside or (str(failure) if failure else "")
        self.call = call
        self.failure = failure
        self.property = property

    def __str__(self) -> str:
        return self.text


class AbsentError(UnreadableError, KeyError):
    """A property that no row of the answer has."""


class TypedRow(Mapping[str, Any]):
    """A row that knows the call it answers and what its properties look like. A property is checked when it is read,
    so that one that nobody needs spoils nothing; `items` are as they came.

    A property is there if this version of Windows has it for sure, or another row of the answer has it."""

    __slots__ = ("_call", "_properties", "_row", "_there")

    def __init__(self, row: Row, call: Call, properties: Mapping[str, Property], there: frozenset[str]) -> None:
        self._row, self._call, self._properties, self._there = row, call, properties, there

    def __getitem__(self, name: str) -> Any:
        """Raises UnreadableError."""
        if name not in self._row:
            kind = UnreadableError if name in self._there else AbsentError
            raise kind(self._call, property=shown(name), why="it is missing")
        value = self._row[name]
        known = self._properties.get(name)
        if known is None or (value and value.__class__ is _PLAINLY.get(known.form)):
            return value
        if not _fits(value, known) and not (value is None and self._within_nothing(name)):
            raise self.unreadable(name, f"{said(value)} is not {_EXPECTED[known.form]}", said(value))
        if known.form == "rows" and value is not None:
            return [TypedRow(inner, self._call, known.rows, _sure(known.rows)) for inner in value]
        return value

    def get(self, name: str, default: Any = None) -> Any:
        there = name in self
        return self[name] if there else default

    def __contains__(self, name: object) -> bool:
        return name in self._row or name in self._there

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def items(self) -> ItemsView[str, Any]:
        return self._row.items()

    def __repr__(self) -> str:
        return repr(self._row)

    def _within_nothing(self, name: str) -> bool:
        """Whether the object that the property belongs to is null itself: then all of its properties read as null."""
        owner, dot, _ = name.rpartition(".")
        return bool(dot) and not any(value is not None for n, value in self._row.items() if n.startswith(f"{owner}."))

    def unreadable(self, name: str, why: str, outside: str = "") -> UnreadableError:
        return UnreadableError(self._call, property=shown(name), why=why, outside=outside)


def parsed(row: Row, name: str, parse: Callable[[str], T]) -> T:
    """A text that says more than that it is text."""
    text = str(row.get(name) or "")
    try:
        return parse(text)
    except ValueError as error:
        raise row.unreadable(name, said(text), said(text)) if isinstance(row, TypedRow) else error from None


def typed(os: OS, call: Call, reply: Reply) -> Reply:
    """The reply with its rows so."""
    of = call.params.get("ClassName")
    properties = properties_of(os, call.cmdlet, of if isinstance(of, str) else "", call.select)
    there = _sure(properties) | {name for row in reply.rows for name in row}
    rows: tuple[Row, ...] = tuple(TypedRow(row, call, properties, there) for row in reply.rows)
    return Reply(rows, reply.failures, reply.skipped, reply.warnings, reply.ms)


def _sure(properties: Mapping[str, Property]) -> frozenset[str]:
    return frozenset(name for name, known in properties.items() if known.sure)


def shown(name: str) -> str:
    """A path of Call.select as a person knows the property."""
    return name.partition("[")[0] or "value"


def said(value: Any) -> str:
    """A value of the host in a sentence: short, and not more than its kind where it is long."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return "a list"
        case Mapping():
            return "an object"
        case str():
            return quoted(value if len(value) <= 40 else value[:40] + "…")
        case int() if not _LEAST <= value <= _MOST:
            return "a number out of range"
    return str(value)


def _fits(value: Any, known: Property) -> bool:
    if value is None:
        return known.null
    match known.form:
        case "flag":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int) and not isinstance(value, bool) and _LEAST <= value <= _MOST
        case "count":
            return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
        case "text":
            return isinstance(value, str)
        case "word":
            return isinstance(value, str) and value != ""
        case "time":
            return isinstance(value, str) and _is_time(value)
        case "list":
            each = known.each
            return isinstance(value, list | tuple) and all(v is None or each is None or _fits(v, each) for v in value)
        case "rows":
            return isinstance(value, list | tuple) and all(isinstance(v, Mapping) for v in value)
    raise AssertionError(known.form)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return True
