"""From what a host says of a thing to the model that somebody would write of it, with every field that can be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from hvctl.core.fields import Fields, Null, models_in, settings
from hvctl.core.values import MISSING, NOT_COMPARED, UNKNOWN, State

F = TypeVar("F", bound=Fields)
M = TypeVar("M", bound=Fields)


@dataclass(frozen=True)
class Omission:
    """A field, dotted where nested, that is not described, and why. "": the whole. `unread`: it may be anything."""

    field: str
    why: str
    unread: bool = False


def all_written(one: F, given: Mapping[str, Any] | None = None) -> F:
    """A copy of which every field counts as written, so that all of it is read. `given`: values of some of them."""
    copy = one.model_copy()
    for name, info in type(one).model_fields.items():
        if given is not None and name in given:
            copy.__dict__[name] = given[name]
        elif (inner := _section(info)) is not None and not isinstance(getattr(one, name), Fields):
            copy.__dict__[name] = all_written(inner.model_construct())
        elif isinstance(value := getattr(one, name), Fields):
            copy.__dict__[name] = all_written(value)
        copy.__pydantic_fields_set__.add(name)
    return copy


def _section(info: FieldInfo) -> type[Fields] | None:
    """The model of a field that is a section of settings."""
    return next((m for m in models_in(info.annotation) if settings(m)), None)


def modelled(known: M, found: State) -> tuple[M, tuple[Omission, ...]]:
    """The model with what it is known by and all that was found of it; and what cannot be written, and why."""
    model = type(known)
    left: list[Omission] = []
    fields: dict[str, Any] = {}
    for name, value in found.items():
        if value is UNKNOWN or value is NOT_COMPARED:
            why = "it could not be read" if value is UNKNOWN else "something else rules it"
            left.append(Omission(name, why, unread=value is UNKNOWN))
        elif value is not MISSING and (value not in (None, "") or _nullable(model, name)):
            fields[name] = None if value == "" else listed(value)
    while True:
        try:
            return model.model_validate({**_known(known), **_nested(fields)}), tuple(left)
        except ValidationError as error:
            wrong = dict(_wrong(error, fields))
            if not wrong:
                raise
            left += [Omission(name, why) for name, why in wrong.items()]
            fields = {name: value for name, value in fields.items() if name not in wrong}


def listed(value: Any) -> Any:
    """As YAML has it: sets and tuples are lists."""
    if isinstance(value, set | frozenset):
        return sorted(map(listed, value), key=str)
    if isinstance(value, list | tuple):
        return [listed(v) for v in value]
    if isinstance(value, Mapping):
        return {key: listed(v) for key, v in value.items()}
    return value


def _known(known: Fields) -> dict[str, Any]:
    table = type(known).model_fields
    return {table[name].alias or name: getattr(known, name) for name in table if name in known.model_fields_set}


def _nullable(model: type[Fields], dotted: str) -> bool:
    name, _, inner = dotted.partition(".")
    info = model.model_fields.get(name)
    if info is None:
        return False
    if inner:
        return any(_nullable(m, inner) for m in models_in(info.annotation))
    return any(isinstance(m, Null) for m in info.metadata)


def _nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A flag that stands for a section is the section where it is on."""
    found: dict[str, Any] = {name: value for name, value in fields.items() if "." not in name}
    for dotted, value in fields.items():
        name, _, inner = dotted.partition(".")
        if not inner or found.get(name, True) is False:
            continue
        section = found.get(name)
        found[name] = {**(section if isinstance(section, Mapping) else {}), inner: value}
    return found


def _wrong(error: ValidationError, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields that a host has as no playbook can."""
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        names = [str(part) for part in one["loc"]]
        dotted = [f"{names[0]}.{part}" for part in names[1:]] if names else []
        field = next((name for name in (*dotted, *names[:1]) if name in fields), None)
        why = one["msg"].removeprefix("Value error, ")
        if field is not None and isinstance(value := fields[field], list) and not one["type"].startswith("list"):
            why = f"it has several ({', '.join(map(str, value))})" if one["type"] == "string_type" else why
        if field is not None:
            yield field, why
        else:
            yield from ((name, why) for name in fields if not names or name.startswith(f"{names[0]}."))
