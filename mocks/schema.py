"""The starting state of a simulated host: from YAML data and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from mocks.enums import member
from mocks.machine import BootEntry, Slot
from mocks.state import HostState

T = TypeVar("T")
_UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}


class StateError(ValueError):
    """The starting state is not one: says where and what."""


def load(data: Mapping[str, Any]) -> HostState:
    """What is written, with defaults for the rest; sizes may be texts such as `2GB`."""
    state = _object(HostState, data, "host")
    assert isinstance(state, HostState)
    return state


def load_as(cls: type[T], data: Mapping[str, Any], where: str) -> T:
    made = _object(cls, data, where)
    assert isinstance(made, cls)
    return made


def dump(value: Any) -> Any:
    """Plain data that `load` takes; everything is written out."""
    if isinstance(value, Slot | BootEntry):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _dump_field(f, getattr(value, f.name)) for f in own(value)}
    if isinstance(value, Mapping):
        return {str(k): dump(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [dump(v) for v in value]
    return value


def _dump_field(f: Field[Any], value: Any) -> Any:
    if key := f.metadata.get("keyed"):
        return {getattr(v, key): {k: x for k, x in dump(v).items() if k != key} for v in value}
    return dump(value)


def own(cls: Any) -> list[Field[Any]]:
    """Of a dataclass, what is part of a starting state."""
    return [f for f in fields(cls) if "estate" not in f.metadata]


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _object(cls: type, data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise StateError(f"{where}: expected keys and values, not {data!r}")
    known = {f.name: f for f in own(cls)}
    if unknown := [k for k in data if k not in known]:
        raise StateError(f"{where}: unknown {', '.join(map(str, unknown))}; known: {', '.join(known)}")
    for f in known.values():
        if f.name not in data and f.default is MISSING and f.default_factory is MISSING:
            raise StateError(f"{where}: {f.name} is missing")
    hints = _hints(cls)
    return cls(**{k: _field(known[k], hints[k], v, f"{where}.{k}") for k, v in data.items()})


def _field(f: Field[Any], hint: Any, value: Any, where: str) -> Any:
    if f.metadata.get("count") and isinstance(value, int):
        return [""] * value
    if (key := f.metadata.get("keyed")) and isinstance(value, Mapping):
        if wrong := [k for k, v in value.items() if not isinstance(v, Mapping | None)]:
            raise StateError(f"{where}.{wrong[0]}: expected keys and values, not {value[wrong[0]]!r}")
        value = [{key: k, **(v or {})} for k, v in value.items()]
    try:
        return _value(hint, value, f.metadata, where)
    except StateError:
        raise
    except (TypeError, ValueError) as error:
        raise StateError(f"{where}: {error}") from error


def _value(hint: Any, value: Any, meta: Mapping[str, Any], where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _value(next(a for a in args if a is not NoneType), value, meta, where)
    if origin is list and not isinstance(value, list | None):
        raise StateError(f"{where}: expected a list, not {value!r}")
    if origin is dict and not isinstance(value, Mapping | None):
        raise StateError(f"{where}: expected keys and values, not {value!r}")
    if origin is list:
        return [_value(args[0], v, meta, f"{where}[{i}]") for i, v in enumerate(value or ())]
    if origin is dict:
        return {str(k): _value(args[1], v, meta, f"{where}.{k}") for k, v in (value or {}).items()}
    if is_dataclass(hint) and isinstance(hint, type):
        return Slot.parse(str(value)) if hint is Slot else _object(hint, {} if value is None else value, where)
    return _scalar(hint, value, meta)


def _scalar(hint: Any, value: Any, meta: Mapping[str, Any]) -> Any:
    if name := meta.get("enum"):
        # YAML 1.1 reads the words off and on as booleans
        return member(name, ("On" if value else "Off") if isinstance(value, bool) else value)
    if (words := meta.get("words")) and str(value) not in words:
        raise ValueError(f"{value!r} is not one of {', '.join(words)}")
    if hint is int and meta.get("size"):
        return size(value)
    if hint is str and value is None:
        return ""
    if hint in (str, int, float, bool) and value is not None:
        if (hint is str and not isinstance(value, str | int | float)) or (hint is int and isinstance(value, bool)):
            raise ValueError(f"expected {hint.__name__}, not {value!r}")
        return hint(value)
    return value


def size(value: Any) -> int:
    """`2GB`, `1.5TB`, or bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = re.fullmatch(r"([\d.]+)\s*([KMGT]B|)", str(value).strip().upper())
    if not found:
        raise ValueError(f"not a size: {value!r}")
    return int(float(found[1]) * _UNITS[found[2]])
