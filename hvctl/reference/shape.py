"""The JSON Schema of what may be written for a field, from its annotation."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from hvctl.core.fields import Fields, Input, Null
from hvctl.kinds._types import Words

Schema = dict[str, Any]
TEMPLATE = {"$ref": "#/definitions/template"}
"""A text that holds an expression may stand for any value: what it yields is known when it is evaluated."""
_BOUNDS = {
    "integer": (("ge", "minimum"), ("gt", "exclusiveMinimum"), ("le", "maximum"), ("lt", "exclusiveMaximum")),
    "string": (("min_length", "minLength"), ("max_length", "maxLength"), ("pattern", "pattern")),
    "array": (("min_length", "minItems"), ("max_length", "maxItems")),
}
_PLAIN = {int: "integer", str: "string", bool: "boolean", float: "number"}


def field_shape(info: FieldInfo) -> Schema:
    """Null only where it has a meaning; an expression everywhere."""
    found = [s for s in _shapes(info.annotation, info.metadata) if s.get("type") != "null"]
    if any(isinstance(m, Null) for m in info.metadata):
        found.append({"type": "null"})
    return either([*found, TEMPLATE])


def either(shapes: Iterable[Schema]) -> Schema:
    """One of them, each named once."""
    found: list[Schema] = []
    for shape in shapes:
        if shape not in found:
            found.append(shape)
    return found[0] if len(found) == 1 else {"anyOf": found}


def _shapes(annotation: Any, metadata: Iterable[Any] = ()) -> Iterator[Schema]:
    """The alternatives."""
    marks = tuple(metadata)
    words = next((m for m in marks if isinstance(m, Words)), None)
    if words is not None:
        yield {"enum": list(words.names)}
        yield {"type": "string", "pattern": f"^({'|'.join(map(_any_case, words.names))})$"}
        return
    for shape in _of_type(annotation):
        yield _bounded(shape, marks)
    for mark in marks:
        if isinstance(mark, Input):
            yield from (dict(shape) for shape in mark.also)


def _any_case(word: str) -> str:
    """As `Words` takes it."""
    return "".join("[-_]" if c == "_" else f"[{c}{c.upper()}]" if c.isalpha() else c for c in word)


def _of_type(annotation: Any) -> Iterator[Schema]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        flat = [m for mark in args[1:] for m in (mark.metadata if isinstance(mark, FieldInfo) else (mark,))]
        yield from _shapes(args[0], flat)
    elif origin is Literal:
        yield {"enum": list(args)}
    elif origin in (typing.Union, types.UnionType):
        for part in args:
            yield from _of_type(part)
    elif origin in (list, tuple):
        yield {"type": "array", "items": either([*_of_type(args[0]), TEMPLATE])}
    elif origin is dict:
        yield {"type": "object", "additionalProperties": either([*_of_type(args[1]), TEMPLATE])}
    elif annotation is type(None):
        yield {"type": "null"}
    elif isinstance(annotation, type) and issubclass(annotation, Fields):
        yield {"$ref": f"#/definitions/{annotation.__name__}"}
    else:
        yield {"type": _PLAIN[annotation]}


def _bounded(shape: Schema, marks: Iterable[Any]) -> Schema:
    """With what pydantic and `Input` demand of this type; of another alternative, nothing."""
    found: Schema = {}
    for mark in marks:
        for attribute, name in _BOUNDS.get(str(shape.get("type")), ()):
            bound = getattr(mark, attribute, None)
            if bound not in (None, ""):
                found[name] = bound
    return {**shape, **found}


def mapping(properties: Mapping[str, Schema], required: Iterable[str] = (), text: str = "") -> Schema:
    """A mapping that has these keys and no others."""
    found: Schema = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    if needed := list(required):
        found["required"] = needed
    return {"description": text, **found} if text else found
