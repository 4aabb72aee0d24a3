"""The format of a simulated host's file as a JSON Schema, made from the classes that hold its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, is_dataclass
from inspect import getdoc
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from mocks.enums import members
from mocks.machine import Slot
from mocks.schema import own
from mocks.state import HostState

Schema = dict[str, Any]
_SIZE: Schema = {
    "description": "bytes, or 2GB, 1.5TB",
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^[0-9.]+ *([KMGTkmgt][Bb])?$"}],
}
_SLOT: Schema = {
    "description": "where a drive is attached: scsi 0:1, ide 1:0",
    "type": "string",
    "pattern": "^([Ss][Cc][Ss][Ii]|[Ii][Dd][Ee]) +[0-9]+:[0-9]+$",
}
_SCALARS: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": ["string", "number"]},  # 10.0 of a version is a number to YAML
}


def json_schema() -> Schema:
    made: dict[str, Schema] = {}
    _class(HostState, made)
    host = made.pop("HostState")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A simulated Hyper-V host",
        **host,
        "$defs": dict(sorted(made.items())),
    }


def _class(cls: type, made: dict[str, Schema]) -> Schema:
    """A reference to the class's schema, which is made once."""
    if cls.__name__ not in made:
        made[cls.__name__] = {}  # for those that hold each other
        hints = get_type_hints(cls)
        made[cls.__name__] = _object(cls, {f.name: _field(f, hints[f.name], made) for f in own(cls)}, own(cls))
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _object(cls: type, properties: Mapping[str, Schema], of: Sequence[Field[Any]]) -> Schema:
    needed = [f.name for f in of if f.default is MISSING and f.default_factory is MISSING]
    doc = getdoc(cls) or ""
    said = {} if doc.startswith(f"{cls.__name__}(") else {"description": doc.replace("\n", " ")}
    return {
        "type": "object",
        **said,
        "properties": dict(properties),
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }


def _field(f: Field[Any], hint: Any, made: dict[str, Schema]) -> Schema:
    if f.metadata.get("count"):
        return {"description": "how many, or their ids", "anyOf": [_SCALARS[int], _value(hint, f.metadata, made)]}
    if key := f.metadata.get("keyed"):
        return _keyed(key, get_args(hint)[0], made)
    found = _value(hint, f.metadata, made)
    plain = f.default is not MISSING and isinstance(f.default, bool | int | float | str)
    return {**found, "default": f.default} if plain and "$ref" not in found else found


def _keyed(key: str, cls: type, made: dict[str, Schema]) -> Schema:
    """Objects by one of their fields."""
    whole = _class(cls, made)
    rest = tuple(f for f in own(cls) if f.name != key)
    hints = get_type_hints(cls)
    inner = _object(cls, {f.name: _field(f, hints[f.name], made) for f in rest}, rest)
    by_key = {"type": "object", "description": f"by {key}", "additionalProperties": _or_null(inner)}
    return {"anyOf": [by_key, {"type": "array", "items": whole}]}


def _value(hint: Any, meta: Mapping[str, Any], made: dict[str, Schema]) -> Schema:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _or_null(_value(next(a for a in args if a is not NoneType), meta, made))
    if origin is list:
        return _or_null({"type": "array", "items": _value(args[0], meta, made)})
    if origin is dict:
        return _or_null({"type": "object", "additionalProperties": _value(args[1], meta, made)})
    if hint is Slot:
        return _SLOT
    if is_dataclass(hint) and isinstance(hint, type):
        return _or_null(_class(hint, made))
    if name := meta.get("enum"):
        return _words(members(name))
    if words := meta.get("words"):
        return {"enum": [*words, *(int(w) for w in words if w.isdigit())]}
    if hint is int and meta.get("size"):
        return _SIZE
    return _SCALARS.get(hint, {"type": "string"})


def _words(names: tuple[str, ...]) -> Schema:
    """In any case; YAML 1.1 reads On and Off as booleans."""
    pattern = "|".join("".join(f"[{c.upper()}{c.lower()}]" if c.isalpha() else c for c in name) for name in names)
    text: Schema = {"type": "string", "description": ", ".join(names), "pattern": f"^({pattern})$"}
    return {"anyOf": [text, {"type": "boolean"}]} if "Off" in names else text


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
