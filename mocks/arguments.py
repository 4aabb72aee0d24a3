"""Bound arguments of a cmdlet, read by name and kind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from mocks.enums import member
from mocks.objects import EnumValue, Guid, PsObject, TimeSpan

T = TypeVar("T")

_IDENTITY = ("Name", "Id", "VMName", "VMId", "VMSnapshotName", "Path", "DiskIdentifier", "FirmwarePath")
"""What tells an object from others of its class: a name alone does not (domain 4.1, 9.1)."""


class Arguments:
    """What a binder has bound: names in full, values converted. Names are compared without case."""

    def __init__(self, bound: Mapping[str, Any]) -> None:
        self._bound = {k.lower(): v for k, v in bound.items()}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._bound

    def __iter__(self) -> Iterator[str]:
        return iter(self._bound)

    def any(self, *names: str) -> bool:
        return any(n in self for n in names)

    def raw(self, name: str) -> Any:
        return self._bound.get(name.lower())

    def flag(self, name: str) -> bool:
        value = self.raw(name)
        if isinstance(value, Mapping):  # a SwitchParameter that travelled as an object
            value = value.get("IsPresent")
        return bool(value)

    def text(self, name: str) -> str:
        return str(plain(self.raw(name)) or "")

    def number(self, name: str) -> int:
        return int(plain(self.raw(name)) or 0)

    def word(self, name: str, enum: str) -> str:
        return member(enum, self.raw(name))

    def many(self, name: str) -> list[Any]:
        value = self.raw(name)
        if value is None:
            return []
        return list(value) if isinstance(value, list | tuple) else [value]

    def texts(self, name: str) -> list[str]:
        return [str(plain(v)) for v in self.many(name) if v is not None]

    def words(self, name: str, enum: str) -> list[str]:
        return [member(enum, v) for v in self.many(name)]

    def entities(self, name: str, kind: type[T]) -> list[T]:
        found = [v.entity if isinstance(v, PsObject) else v for v in self.many(name)]
        return [e for e in found if isinstance(e, kind)]

    def seconds(self, name: str) -> int:
        value = self.raw(name)
        if isinstance(value, TimeSpan):
            return value.ticks // 10_000_000
        if isinstance(value, int):
            return value // 10_000_000
        found = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+)(?::(\d+)(?:\.\d+)?)?", str(value).strip())
        if not found:
            raise ValueError(f"not a time span: {value!r}")
        days, hours, minutes, secs = (int(g or 0) for g in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + secs


def plain(value: Any) -> Any:
    """An argument as JSON data; objects by what tells them apart."""
    if isinstance(value, PsObject):
        props = value.properties
        known = {k: plain(props[k]) for k in _IDENTITY if props.get(k) and not (k == "VMId" and "Id" in props)}
        return {value.type_name.rsplit(".", 1)[-1]: known}
    if isinstance(value, EnumValue):
        return value.name
    if isinstance(value, Guid):
        return value.text
    if isinstance(value, TimeSpan):
        return value.ticks
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def is_pattern(text: str) -> bool:
    return any(c in text for c in "*?[")


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    out, i = "", 0
    while i < len(pattern):
        c = pattern[i]
        if c == "`" and i + 1 < len(pattern):
            i += 1
            out += re.escape(pattern[i])
        elif c == "*":
            out += ".*"
        elif c == "?":
            out += "."
        elif c == "[" and "]" in pattern[i + 2 :]:
            end = pattern.index("]", i + 2)
            out += "[" + pattern[i + 1 : end].replace("\\", r"\\").replace("^", r"\^") + "]"
            i = end
        else:
            out += re.escape(c)
        i += 1
    return re.compile(out, re.IGNORECASE | re.DOTALL)


def like(text: str, pattern: str) -> bool:
    """PowerShell's -like: * ? [set], a backtick escapes; without case."""
    return _regex(pattern).fullmatch(text) is not None
