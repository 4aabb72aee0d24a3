"""What a field takes, what a change of it costs and since when it exists, in words."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from hvctl.contract import OS, VERSIONS, contract
from hvctl.core.fields import Fields, Null, Setting
from hvctl.core.resource import Resource
from hvctl.kinds import _types
from hvctl.kinds._types import Words
from hvctl.text.duration import spoken

_NAMES = {int: "number", str: "text", bool: "yes or no", type(None): "null"}
_ALIASES = {
    "Size": "size",
    "Rate": "rate",
    "Seconds": "time",
    "WindowsPath": "Windows path",
    "MacAddress": "MAC address",
    "Flag": "yes or no",
}
_SHOWN: Mapping[str, Callable[[int], str]] = {"time": spoken, "size": _types.shown_size}


def value(info: FieldInfo) -> str:
    """What may be written for a field, and what null means for it."""
    null = next((f"; null: {m.means}" for m in info.metadata if isinstance(m, Null)), "")
    return _said(info) + null


def _said(info: FieldInfo) -> str:
    words = next((m for m in info.metadata if isinstance(m, Words)), None)
    if words:
        return words.listed or ", ".join(f"`{w}`" for w in words.names)
    known = _alias(Annotated[(object, *info.metadata)]) if info.metadata else ""
    found = [known or _type(info.annotation)]
    for extra in info.metadata:
        for attribute, text in (("ge", "at least"), ("le", "at most"), ("max_length", "at most, letters:")):
            if hasattr(extra, attribute) and getattr(extra, attribute) is not None:
                bound = getattr(extra, attribute)
                shown = _SHOWN.get(found[0], "{:,}".format)(bound)
                found.append(f"{text} {shown}")
    return "; ".join(found)


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alias(annotation) or _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{str(a).lower() if isinstance(a, bool) else a}`" for a in get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        parts = [_type(a) for a in get_args(annotation) if a is not type(None)]
        return " or ".join(dict.fromkeys(parts))
    if origin in (list, tuple):
        return f"list of {_type(get_args(annotation)[0])}"
    if origin is dict:
        return f"mapping of names to {_type(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Fields):
        return "a mapping:"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _alias(annotation: Any) -> str:
    first = get_args(annotation)[1:2]
    for name, text in _ALIASES.items():
        if get_args(getattr(_types, name))[1:2] == first:
            return text
    words = next((a for a in get_args(annotation)[1:] if isinstance(a, Words)), None)
    return ", ".join(f"`{w}`" for w in words.names) if words else ""


def impact(setting: Setting | None) -> str:
    """What a change costs, in a word; "see kind" where it depends."""
    if setting is None:
        return "see kind"
    if setting.fixed:
        return "cannot be changed"
    found = [*(["VM off"] if setting.off else []), *setting.costs]
    return ", ".join(found) or "online"


def first_version(kind: type[Resource], setting: Setting | None) -> OS | None:
    """The first Windows Server whose cmdlet has the parameter; None where the contract does not tell."""
    if setting is None or not kind.setter:
        return None
    for os in VERSIONS:
        cmdlet = contract(os).cmdlet(kind.setter)
        if cmdlet is not None and cmdlet.answer(setting.set_with) == "present":
            return os
    return None


def since(kind: type[Resource], setting: Setting | None) -> str:
    """For the table: "" for all versions."""
    found = first_version(kind, setting)
    return "" if found in (None, VERSIONS[0]) else str(found).replace("r2", " R2")
