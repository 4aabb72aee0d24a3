"""Values of fields: as a host has them, as they are compared, told and kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel
from typing_extensions import TypeAliasType

from hvctl.call import Value

State = Mapping[str, Any]
"""Field -> value; fields of nested models dotted ("dynamic.minimum")."""


class Missing:
    """The host's version has no such property."""

    def __repr__(self) -> str:
        return "not available"


MISSING = Missing()


class Unknown:
    """Could not be read: neither absent nor different."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


class NotCompared:
    """Something else than the playbook rules it, as a cluster does for its roles."""

    def __repr__(self) -> str:
        return "not compared"


NOT_COMPARED = NotCompared()


class Anything:
    """Whatever it is, nobody has set it."""

    def __repr__(self) -> str:
        return "anything"


ANYTHING = Anything()


Json = TypeAliasType("Json", "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None")


@dataclass(frozen=True)
class Said:
    """A value that is told in words of its own, which may change where it does not."""

    value: Any
    text: str

    def __str__(self) -> str:
        return self.text


def as_json(value: Any) -> Json:
    """For programs, and for comparing with what was kept; None for what is not there or not known. Sets in an order."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Missing | Unknown | NotCompared):
        return None
    if isinstance(value, Said):
        return as_json(value.value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return as_json(value.model_dump(exclude_unset=True))
    if is_dataclass(value):
        return {f.name: as_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_json(inner) for key, inner in value.items()}
    if isinstance(value, set | frozenset):
        return tuple(sorted(map(as_json, value), key=lambda v: json.dumps(v, sort_keys=True)))
    if isinstance(value, list | tuple):
        return tuple(map(as_json, value))
    return str(value)


class Codec(Protocol):
    """Between what the host says and what the user writes."""

    free: ClassVar[bool]

    def read(self, value: Any) -> Any: ...

    def write(self, value: Any) -> Value: ...

    def same(self, now: Any, wanted: Any) -> bool: ...

    def show(self, value: Any) -> str: ...

    def value(self, value: Any) -> Json: ...


class Plain:
    """The same on both sides. `free`: what it shows is a text of the user's or the host's, as it is."""

    free: ClassVar[bool] = False

    def read(self, value: Any) -> Any:
        return value

    def write(self, value: Any) -> Value:
        return value  # type: ignore[no-any-return]

    def same(self, now: Any, wanted: Any) -> bool:
        return bool(now == wanted)

    def show(self, value: Any) -> str:
        if value is None or value == "":
            return "none"
        if isinstance(value, bool):
            return "on" if value else "off"
        if isinstance(value, int):
            return f"{value:,}"
        if isinstance(value, list | tuple | set | frozenset):
            return ", ".join(str(v) for v in value) or "none"
        return str(value)

    def value(self, value: Any) -> Json:
        """The same for all that `same` takes for equal, as far as nothing is lost by that."""
        return as_json(None if value == "" else value)


PLAIN = Plain()
