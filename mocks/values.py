"""Values of the simulated host as the runner sees them: as JSON, as text, by property path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mocks.objects import EnumValue, ErrorRecord, Guid, Instant, PsObject, Throws, TimeSpan

DEFAULT_EXCEPTION = ("System.Exception", -2146233088)


class Missing:
    """The object has no such property."""


MISSING = Missing()


def property_of(thing: Any, path: Sequence[str]) -> Any:
    """The value at a dotted path: MISSING where a property is absent, None over null."""
    for name in path:
        if thing is None:
            return None
        thing = _property(thing, name)
        if isinstance(thing, Missing):
            return thing
    return thing


def _property(thing: Any, name: str) -> Any:
    if not isinstance(thing, PsObject):
        return MISSING
    if name not in thing.properties:
        name = next((n for n in thing.properties if n.casefold() == name.casefold()), name)
    value = thing.properties.get(name, MISSING)
    return None if isinstance(value, Throws) else value


def text_of(value: Any) -> str:
    """As PowerShell prints it within a string."""
    match value:
        case None | Throws():
            return ""
        case EnumValue():
            return value.name
        case Guid():
            return value.text
        case TimeSpan():
            return _span(value.ticks)
        case Instant():
            return value.utc.strftime("%m/%d/%Y %H:%M:%S")
        case PsObject():
            return value.to_string if value.to_string is not None else value.type_name
        case list() | tuple():
            return " ".join(text_of(v) for v in value)
    return str(value)


def json_of(value: Any) -> Any:
    """As the runner writes it."""
    match value:
        case None | bool() | int() | str():
            return value
        case Throws():
            return None
        case TimeSpan():
            return value.ticks
        case Instant():
            return value.utc.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
        case list() | tuple():
            return [json_of(v) for v in value]
    return text_of(value)


def row_of(thing: Any, select: Sequence[Any]) -> dict[str, Any]:
    """An object as a row, by the selections of a step."""
    if select == ["*"]:
        return {"": json_of(thing)}
    row: dict[str, Any] = {}
    for item in select:
        key, path, subs = (item, [item], None) if isinstance(item, str) else (item["k"], item["p"], item.get("l"))
        value = property_of(thing, path)
        if isinstance(value, Missing):
            continue
        row[key] = json_of(value) if subs is None or value is None else _listed(value, subs)
    return row


def _listed(value: Any, subs: Sequence[Any]) -> list[Any]:
    items = value if isinstance(value, list | tuple) else [value]
    return [row_of(item, subs) if subs and item is not None else json_of(item) for item in items]


def error_of(record: ErrorRecord) -> dict[str, Any]:
    chain = record.exceptions or ((*DEFAULT_EXCEPTION, record.message),)
    return {
        "id": record.id,
        "category": record.category,
        "message": record.message,
        "target": record.target,
        "exceptions": [list(e) for e in chain],
    }


def matching(things: Sequence[Any], where: Sequence[Any], lenient: bool) -> list[Any] | str:
    """The objects that match, or the path of a property that none of them has."""
    for path, *_ in where:
        if things and not lenient and all(isinstance(property_of(t, path), Missing) for t in things):
            return ".".join(path)
    return [t for t in things if all(_matches(property_of(t, w[0]), w[1], lenient, *w[2:]) for w in where)]


def _matches(value: Any, wanted: Any, lenient: bool, how: Any = None) -> bool:
    if isinstance(value, Missing):
        return lenient
    if how == "match":
        return re.search(plain(wanted), text_of(value), re.IGNORECASE) is not None
    if how:
        return text_of(value).upper().endswith(plain(wanted).upper())
    return text_of(value).upper() == plain(wanted).upper()


def plain(text: Any) -> str:
    """A text of a step, put together where it travelled in parts."""
    return "".join(text) if isinstance(text, list) else str(text)


def _span(ticks: int) -> str:
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    seconds, rest = divmod(ticks, 10_000_000)
    days, seconds = divmod(seconds, 86_400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return sign + (f"{days}." if days else "") + clock + (f".{rest:07}" if rest else "")
