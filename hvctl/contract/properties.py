"""What each property that a cmdlet's answer holds looks like in a row, as the contract's classes declare it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

from hvctl.contract.facts import Class
from hvctl.contract.reading import Contract, contract
from hvctl.contract.versions import OS

Form = Literal["flag", "number", "count", "text", "word", "time", "list", "rows"]


@dataclass(frozen=True)
class Property:
    """`null`: it may be null. `each`: of the items of a list, `rows`: of the rows of a list, by their keys."""

    form: Form
    null: bool = False
    each: Property | None = None
    rows: Mapping[str, Property] = field(default_factory=dict)


# What cmdlets return that have no class in the contract (their own documentation), and what the formatting files of
# the Hyper-V module add to its classes.
_OTHERS: Final[Mapping[str, Mapping[str, str]]] = {
    "Get-ChildItem": {"Name": "String", "FullName": "String", "LastWriteTimeUtc": "DateTime", "Length": "Int64"},
    "Get-Content": {"": "String"},
    "Get-FileHash": {"Hash": "String", "Path": "String"},
    "Get-NetAdapter": {"Name": "String", "InterfaceDescription": "String", "LinkSpeed": "String"},
    "Get-NetIPAddress": {"InterfaceAlias": "String", "IPAddress": "String"},
    "Get-Volume": {"DriveLetter": "String", "SizeRemaining": "UInt64"},
    "Test-Path": {"": "Boolean"},
    "Win32_ComputerSystem": {"PartOfDomain": "Boolean"},
    "Win32_OperatingSystem": {"LocalDateTime": "DateTime", "CurrentTimeZone": "Int16"},
    "Get-VMNetworkAdapter": {"VmmqQueuePairsRequested": "UInt32"},
    "Get-VMSwitch": {"DefaultQueueVmmqQueuePairsRequested": "UInt32"},
}

_NEVER_NULL = frozenset({"", "Name", "Id", "FullName", "Hash", "InterfaceDescription"})
"""Text that names something; any other may be null."""

_MAY_LACK = frozenset({"Device", "Extensions"})
"""Objects within an object that may not be there: a boot source that is a file has no device."""

_FORMS: Final[Mapping[str, Form]] = {
    "Boolean": "flag",
    **dict.fromkeys(("SByte", "Int16", "Int32", "Int64", "TimeSpan"), "number"),
    **dict.fromkeys(("Byte", "UInt16", "UInt32", "UInt64"), "count"),
    **dict.fromkeys(("String", "Version"), "text"),
    "Guid": "word",
    "DateTime": "time",
}
_MANY = re.compile(r"(?:I?List|IReadOnlyList|IReadOnlyCollection)<(\w+)>|(\w+)\[\]")


@cache
def properties_of(os: OS, cmdlet: str, of: str, select: tuple[str, ...]) -> Mapping[str, Property]:
    """By their keys in a row. `of`: the CIM class that was asked for. What the contract does not know is left out."""
    known = contract(os)
    found = known.cmdlet(cmdlet)
    names = (name.rpartition(".")[2] for name in (found.outputs if found else ()))
    classes = tuple(known.classes[name] for name in names if name in known.classes)
    more = _OTHERS.get(of or cmdlet, {})
    return _selected(known, select, classes, more)


def _selected(
    known: Contract, select: Iterable[str], classes: tuple[Class, ...], more: Mapping[str, str]
) -> dict[str, Property]:
    found = {}
    for path in select:
        key = "" if path == "*" else path
        if (one := _property(known, key, classes, more)) is not None:
            found[key] = one
    return found


def _property(known: Contract, path: str, classes: tuple[Class, ...], more: Mapping[str, str]) -> Property | None:
    head, bracket, inner = path.partition("[")
    *way, last = head.split(".")
    null = False
    for name in way:
        declared = _declared(name, classes, {})
        if declared not in known.classes:
            return None
        null, classes, more = null or name in _MAY_LACK, (known.classes[declared],), {}
    declared = _declared(last, classes, more)
    if bracket:
        return _listed(known, declared, inner.removesuffix("]"), null or last in _MAY_LACK)
    return _scalar(known, last, declared, null)


def _declared(name: str, classes: tuple[Class, ...], more: Mapping[str, str]) -> str:
    return next((c.properties[name] for c in classes if name in c.properties), more.get(name, ""))


def _listed(known: Contract, declared: str, inner: str, null: bool) -> Property | None:
    match = _MANY.fullmatch(declared.removesuffix("?"))
    if match is None:
        return None
    of = match[1] or match[2]
    null = null or declared.endswith("?")
    if not inner:
        return Property("list", null, each=_scalar(known, of, of, False))
    rows = (
        _selected(known, (p.strip() for p in inner.split(",")), (known.classes[of],), {}) if of in known.classes else {}
    )
    return Property("rows", null, rows=rows)


def _scalar(known: Contract, name: str, declared: str, null: bool) -> Property | None:
    plain = declared.removesuffix("?")
    form = _FORMS.get(plain) or ("word" if plain in known.enums else None)
    if form is None:
        return None
    return Property(form, null or declared != plain or (form == "text" and name not in _NEVER_NULL))
