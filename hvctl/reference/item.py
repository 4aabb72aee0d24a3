"""Everything that may be written in a playbook, each with its place, and what is known of it."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from hvctl.contract import VERSIONS, title
from hvctl.core.fields import Fields, Null, Setting, models_in
from hvctl.core.resource import Resource
from hvctl.kinds import _types, kinds, sections
from hvctl.kinds._types import Words
from hvctl.reference import wording
from hvctl.reference.meanings import NONE, Meaning, meaning, meanings

_EXAMPLES = {"Size": "60GB", "Rate": "1Gbps", "Seconds": "5m", "WindowsPath": r"D:\VMs\web01",
             "MacAddress": "00-15-5D-01-02-03", "Flag": True}  # fmt: skip


_UNITS = {
    "size": "bytes; KB, MB, GB, TB and PB are binary, as in PowerShell (60GB)",
    "rate": "bits a second; kbps, Mbps, Gbps and Tbps are decimal (1Gbps)",
    "time": "seconds, or with w, d, h, m and s (90s, 1h30m)",
}


@dataclass(frozen=True)
class Item:
    """A section or a field. `path`: its keys, such as `vms.disks.iops`, without the numbers of lists. `model`: that which
    declares the field; of a section, its kind."""

    path: tuple[str, ...]
    kind: type[Resource] | None = None
    model: type[Fields] | None = None
    info: FieldInfo | None = None
    meaning: Meaning = NONE

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def is_section(self) -> bool:
        return self.kind is not None and self.info is None

    @property
    def inner(self) -> type[Fields] | None:
        """The model of a field that is a mapping, or a list of them."""
        return None if self.info is None else next(models_in(self.info.annotation), None)

    @property
    def means(self) -> str:
        if self.is_section and self.kind is not None:
            return inspect.cleandoc(self.kind.__doc__ or "")
        return self.meaning.text

    @property
    def setting(self) -> Setting | None:
        return None if self.info is None else next((m for m in self.info.metadata if isinstance(m, Setting)), None)

    @property
    def value(self) -> str:
        if self.info is not None:
            return wording.value(self.info)
        return "" if self.kind is None else "a list" if self.kind.many else "one mapping"

    @property
    def unit(self) -> str:
        """Of what is counted."""
        return _UNITS.get(self.value.partition(";")[0], "")

    @property
    def required(self) -> bool:
        return self.info is not None and self.info.is_required()

    @property
    def impact(self) -> str:
        return "" if self.info is None else wording.impact(self.setting)

    @property
    def null(self) -> str:
        """What null means; "" where it is refused."""
        found = () if self.info is None else self.info.metadata
        return next((m.means for m in found if isinstance(m, Null)), "")

    @property
    def versions(self) -> str:
        """From which Windows Server on, where it is not there in all."""
        found = None if self.kind is None else wording.first_version(self.kind, self.setting)
        return "" if found in (None, VERSIONS[0]) or found is None else f"{title(found)} and later"

    @property
    def cmdlet(self) -> str:
        """What changes it, with the parameter of a plain setting."""
        if self.meaning.cmdlet or self.kind is None or self.setting is None or not self.kind.setter:
            return self.meaning.cmdlet
        field = ".".join(self.path[len(_section_path(self.kind)) :])
        return "" if field in self.kind.odd else f"{self.kind.setter} -{self.setting.set_with}"

    @property
    def example(self) -> Any:
        if self.meaning.example is not None or self.info is None:
            return self.meaning.example
        return _example(
            Annotated[(self.info.annotation, *self.info.metadata)] if self.info.metadata else self.info.annotation
        )

    @property
    def below(self) -> tuple[Item, ...]:
        """What stands directly in it."""
        depth = len(self.path)
        return tuple(i for i in items() if i.path[:depth] == self.path and len(i.path) == depth + 1)


def item_named(name: str) -> Item | None:
    return next((item for item in items() if item.name == name), None)


def _section_path(kind: type[Resource]) -> tuple[str, ...]:
    above = () if kind.within is None else _section_path(next(k for k in kinds() if k.kind == kind.within))
    return (*above, kind.section)


def _example(annotation: Any) -> Any:
    """Of a type that says by itself what is written for it; None for others."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for name, example in _EXAMPLES.items():
            if get_args(getattr(_types, name))[1:2] == args[1:2]:
                return example
        words = next((a for a in args[1:] if isinstance(a, Words)), None)
        return next(iter(words.names)) if words is not None else _example(args[0])
    if origin is Literal:
        return args[0]
    if origin in (typing.Union, types.UnionType):
        return next((found for a in args if (found := _example(a)) is not None), None)
    return None


@cache
def items() -> tuple[Item, ...]:
    """The keys of a play, and every section and field, each after what it stands in."""
    play = meanings()["Play"]
    own = (Item((name,), meaning=found) for name, found in play.items())
    return (*own, *(item for _, kind in sorted(sections(None).items()) for item in _of_kind(kind, ())))


def _of_kind(kind: type[Resource], above: tuple[str, ...]) -> Iterator[Item]:
    path = (*above, kind.section)
    yield Item(path, kind, kind)
    yield from _of_model(kind, kind, path)
    for _, part in sorted(sections(kind.kind).items()):
        yield from _of_kind(part, path)


def _of_model(kind: type[Resource], model: type[Fields], above: tuple[str, ...]) -> Iterator[Item]:
    for name, info in model.model_fields.items():
        written = info.alias or name
        path = (*above, written)
        yield Item(path, kind, model, info, meaning(model, name, written))
        for inner in models_in(info.annotation):
            yield from _of_model(kind, inner, path)
            break
