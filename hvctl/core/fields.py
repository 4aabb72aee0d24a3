"""Models of what the user writes, and how each field is read and set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict

from hvctl.call import Row
from hvctl.core.impact import Impact
from hvctl.core.values import MISSING, PLAIN, Codec
from hvctl.text.number import is_whole, whole
from hvctl.text.source import Path


@dataclass(frozen=True)
class Setting:
    """One field: the property it is read from and the parameter it is set with.

    `off`: the VM must be off to change it. `costs`: what else a change of it means. `fixed`: it cannot be
    changed once the object exists; the text says what to do instead.
    """

    name: str
    parameter: str = ""
    codec: Codec = PLAIN
    off: bool = False
    costs: tuple[Impact, ...] = ()
    fixed: str = ""

    @property
    def set_with(self) -> str:
        return self.parameter or self.name

    def get(self, row: Row) -> Any:
        """The field's value in a row that was read with this setting's property selected."""
        return self.codec.read(row[self.name]) if self.name in row else MISSING


@dataclass(frozen=True)
class Null:
    """In a field's annotation: `null` may be written for it, and what it means. Without one it is refused."""

    means: str = "none"


@dataclass(frozen=True)
class Instead:
    """In a field's annotation: what is written where somebody would write `null`."""

    word: str


@dataclass(frozen=True, eq=False)  # an annotation must have a hash
class Input:
    """In an annotation: what may be written beside what the type says, as JSON Schema, and the pattern that a text must
    have. For editors; what is written is checked by the validators."""

    also: tuple[Mapping[str, Any], ...] = ()
    pattern: str = ""


class Fields(BaseModel):
    """A model of what the user writes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    alone: ClassVar[bool] = False
    """Whether it is a resource, and not a section of fields within one."""

    def written(self) -> dict[str, Any]:
        """The fields the user wrote that have a Setting; nested models dotted. Unwritten means unmanaged."""
        found: dict[str, Any] = {}
        model, given, values = type(self), self.__pydantic_fields_set__, self.__dict__
        known = settings(model)
        for name in _names(model):
            if name not in given:
                continue
            value = values[name]
            if isinstance(value, Fields):
                found.update({f"{name}.{inner}": one for inner, one in value.written().items()})
            elif name in known:
                found[name] = value
        return found

    def without(self, fields: Iterable[str]) -> Self:
        """The same as if these fields, dotted where nested, had not been written. Fields that a resource is known by
        stay."""
        copy = self.model_copy()
        for name in fields:
            copy._unwrite(name)
        return copy

    def _unwrite(self, dotted: str) -> None:
        name, _, inner = dotted.partition(".")
        info = type(self).model_fields.get(name)
        if info is None or info.is_required():
            return
        value = getattr(self, name)
        if inner and isinstance(value, Fields):
            self.__dict__[name] = value.without([inner])
        elif inner and isinstance(value, Mapping):
            self.__dict__[name] = {key: given for key, given in value.items() if key != inner}
        else:
            self.__dict__[name] = info.get_default(call_default_factory=True, validated_data={})
            self.__pydantic_fields_set__.discard(name)


@cache
def _names(model: type[BaseModel]) -> tuple[str, ...]:
    """Of its fields, as declared; asking the model is slow, and is done for every resource of every plan."""
    return tuple(model.model_fields)


@cache
def settings(model: type[BaseModel]) -> Mapping[str, Setting]:
    """Every field of a model (nested ones dotted) that is a plain setting."""
    found: dict[str, Setting] = {}
    for name, info in model.model_fields.items():
        for extra in info.metadata:
            if isinstance(extra, Setting):
                found[name] = extra
        for inner in models_in(info.annotation):
            found.update({f"{name}.{n}": s for n, s in settings(inner).items()})
    return found


def free_text(model: type[BaseModel], field: str) -> bool:
    """Whether a field is a text of the user's, and not a word or a number that hvctl knows."""
    setting = settings(model).get(field)
    return setting is not None and setting.codec.free


def models_in(annotation: Any) -> Iterator[type[Fields]]:
    if isinstance(annotation, type) and issubclass(annotation, Fields) and not annotation.alone:
        yield annotation
    for arg in get_args(annotation):
        yield from models_in(arg)


def nulls_refused(model: type[BaseModel], data: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Where data of the user's has null although the field has no meaning for it, and what to write instead."""
    for name, refused, models in _nulls(model):
        if name not in data:
            continue
        value, at = data[name], (*path, name)
        if value is None and refused:
            yield at, refused
        for inner in models:
            if isinstance(value, Mapping):
                yield from nulls_refused(inner, value, at)
            elif isinstance(value, list):
                for n, item in enumerate(value):
                    if isinstance(item, Mapping):
                        yield from nulls_refused(inner, item, (*at, n))


@cache
def _nulls(model: type[BaseModel]) -> tuple[tuple[str, str, tuple[type[Fields], ...]], ...]:
    """Of each field, as it is written: what is said where it is null ("" where that has a meaning), and the models in it."""
    found = []
    for field, info in model.model_fields.items():
        word = next((f", or write {m.word}" for m in info.metadata if isinstance(m, Instead)), "")
        meant = any(isinstance(m, Null) for m in info.metadata)
        refused = "" if meant else f"leave it out, which leaves it as it is{word}"
        found.append((info.alias or field, refused, tuple(models_in(info.annotation))))
    return tuple(found)


def properties(model: type[BaseModel], *more: str) -> tuple[str, ...]:
    """The `select` that a kind's plain settings need, and more."""
    return tuple(dict.fromkeys((*more, *(s.name for s in settings(model).values()))))


def path_of(dotted: str) -> Path:
    return tuple(whole(p) if is_whole(p) else p for p in dotted.split(".")) if dotted else ()
