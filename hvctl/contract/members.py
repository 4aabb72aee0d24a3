"""Members of an enum, and file attributes, from what PowerShell takes for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hvctl.contract.facts import Enum


def enum_member(value: object, enum: Enum) -> str:
    """The member's name, several joined by ", " where the enum has flags. ValueError where it is none."""
    if isinstance(value, list):
        return _member_of_text(",".join(v if isinstance(v, str) else enum_member(v, enum) for v in value), enum)
    if isinstance(value, str):
        return _member_of_text(value, enum)
    if isinstance(value, int) and not isinstance(value, bool):
        return _joined([value], enum)
    name, of = getattr(value, "name", None), getattr(value, "type", None)
    if isinstance(name, str) and isinstance(of, str) and of.rpartition(".")[2] == enum.name:
        return name
    raise ValueError(str(value))


def _member_of_text(text: str, enum: Enum) -> str:
    if re.fullmatch(r"\s*[+-]?\d+\s*", text, re.ASCII):
        return _joined([int(text)], enum)
    return _joined([_part(name, enum) for name in text.split(",")], enum)


def _part(text: str, enum: Enum) -> int | str:
    """A member's number, or its name where the number is not known."""
    wanted = text.strip().lower()
    found = [enum.by_lower[wanted]] if wanted in enum.by_lower else _starting(wanted, enum)
    if len(found) != 1:
        raise ValueError(text)
    return enum.number.get(found[0], found[0])


def _starting(prefix: str, enum: Enum) -> list[str]:
    return [member for low, member in enum.by_lower.items() if low.startswith(prefix)]


def _joined(parts: Sequence[int | str], enum: Enum) -> str:
    names = {part for part in parts if isinstance(part, str)}
    if names:
        if len(names) > 1 or len(names) != len(set(parts)):
            raise ValueError(", ".join(map(str, parts)))  # cannot be or'ed without numbers
        return names.pop()
    whole = 0
    for part in parts:
        whole |= int(part)
    for name, number in enum.number.items():
        if number == whole:
            return name
    members = [name for name, number in enum.number.items() if number and number & whole == number]
    covered = 0
    for name in members:
        covered |= enum.number[name]
    if not enum.flags or not members or covered != whole:
        raise ValueError(str(whole))
    return ", ".join(members)


FLAGS_EXPRESSION = "FlagsExpression<FileAttributes>"

_ATTRIBUTES = (
    *("ReadOnly", "Hidden", "System", "Directory", "Archive", "Device", "Normal", "Temporary", "SparseFile"),
    *("ReparsePoint", "Compressed", "Offline", "NotContentIndexed", "Encrypted", "IntegrityStream", "NoScrubData"),
)


def file_attributes(value: object) -> str:
    """`!` not, `+` and, `,` or; an array means or."""
    items = value if isinstance(value, list) else [value]
    parts = [item for item in items if isinstance(item, str)]
    if not parts or len(parts) < len(items):
        raise ValueError(str(value))
    for name in re.split(r"[,+]", ",".join(parts)):
        wanted = name.strip().removeprefix("!").strip().lower()
        found = [attribute for attribute in _ATTRIBUTES if attribute.lower().startswith(wanted)]
        exact = [attribute for attribute in found if attribute.lower() == wanted]
        if not wanted or (len(exact or found) != 1 and wanted not in ATTRIBUTE_LETTERS):
            raise ValueError(name)
    return ",".join(parts)


# Names of their own: as prefixes D, R and S would be ambiguous.
ATTRIBUTE_LETTERS = frozenset("drsh")
