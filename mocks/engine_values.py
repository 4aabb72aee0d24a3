"""Values between the simulated host and the proxy cmdlets in an engine, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mocks.objects import EnumValue, ErrorRecord, Guid, Instant, Outcome, PsObject, Throws, TimeSpan
from mocks.values import DEFAULT_EXCEPTION

LATER = {"l": 1}
"""In place of a property's value: ask for it."""


class Handles:
    """The objects that an engine has seen, by number."""

    def __init__(self) -> None:
        self._known: dict[int, PsObject] = {}

    def clear(self) -> None:
        self._known.clear()

    def outcome(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "objects": [self.to_wire(o) for o in outcome.objects],
            "errors": [_error(e) for e in outcome.errors],
            "warnings": outcome.warnings,
        }

    def to_wire(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | float() | str():
                return value
            case PsObject():
                return self._object(value)
            case EnumValue():
                return {"e": [value.type, value.name, value.number]}
            case Guid():
                return {"g": value.text}
            case TimeSpan():
                return {"s": value.ticks}
            case Instant():
                return {"d": value.utc.isoformat().replace("+00:00", "Z")}
            case list() | tuple():
                return [self.to_wire(v) for v in value]
        raise TypeError(f"the engine cannot be given a {type(value).__name__}")

    def _object(self, thing: PsObject) -> dict[str, Any]:
        if thing.handle in self._known:
            return {"h": thing.handle}
        self._known[thing.handle] = thing
        properties = [
            [name] if isinstance(value, Throws) else [name, LATER if _holds_things(value) else self.to_wire(value)]
            for name, value in thing.properties.items()
        ]
        made = {"h": thing.handle, "t": thing.type_name, "x": thing.to_string, "p": properties}
        return made | {"a": True} if thing.assignable else made

    def part(self, handle: int, name: str) -> Any:
        """A property that holds things, as it was when the thing that has it was made."""
        return self.to_wire(self._known[handle].properties[name])

    def from_wire(self, value: Any) -> Any:
        """As the contract's binder leaves values: enum members and Guids as text, time spans as ticks."""
        if isinstance(value, list):
            return [self.from_wire(v) for v in value]
        if not isinstance(value, Mapping):
            return value
        ((tag, body),) = value.items()
        match tag:
            case "h":
                return self._known[body]
            case "e":
                return body[1]
            case "m":
                return {k: self.from_wire(v) for k, v in body}
        return body


def _holds_things(value: Any) -> bool:
    return isinstance(value, PsObject) or (isinstance(value, list | tuple) and any(map(_holds_things, value)))


def _error(record: ErrorRecord) -> dict[str, Any]:
    chain = record.exceptions or ((*DEFAULT_EXCEPTION, record.message),)
    return {"i": record.id, "c": record.category or "NotSpecified", "a": record.target, "x": [list(e) for e in chain]}
