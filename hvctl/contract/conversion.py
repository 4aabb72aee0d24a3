"""An argument turned into the type of its parameter, as compiled cmdlets and as functions do it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol, TypeGuard

from hvctl.contract.facts import Class, Enum, Parameter
from hvctl.contract.scalars import (
    EMPTY_GUID,
    RANGES,
    Moment,
    guid,
    integer,
    moment,
    moment_of_ticks,
    number_text,
    ticks,
    version,
)


class HostObject(Protocol):
    """An object on the host. `type_name` is the full .NET name, with `#class` for an instance of a CIM class."""

    @property
    def type_name(self) -> str: ...


def is_host_object(value: object) -> TypeGuard[HostObject]:
    return isinstance(getattr(value, "type_name", None), str)


class NotConvertedError(Exception):
    """`shape`: an array where one value belongs, or a kind of value that the engine does not even try."""

    def __init__(self, value: object, shape: bool = False) -> None:
        super().__init__(value)
        self.value = value
        self.shape = shape


class Conversion:
    """Converts for the cmdlets of one group of one version. Knows that version's enums and classes."""

    def __init__(self, enums: Mapping[str, Enum], classes: Mapping[str, Class]) -> None:
        self._enums = enums
        self._classes = classes

    def __call__(self, value: object, p: Parameter) -> object:
        """The value that the parameter gets; NotConvertedError where the engine refuses."""
        value = _plain(value)
        return self._function(value, p) if p.function else self._compiled(value, p)

    def is_value_type(self, kind: str) -> bool:
        return kind in VALUE_TYPES or kind in self._enums

    def _compiled(self, value: object, p: Parameter) -> object:
        if value is None:
            return True if p.type == "SwitchParameter" else None
        if p.type == "StringCollection":
            return _texts(value)
        if p.is_array:
            return [self._element(item, p.element) for item in (value if isinstance(value, list) else [value])]
        if isinstance(value, list) and (p.nullable or not self._takes_list(p.type)):
            raise NotConvertedError(value, shape=True)
        return self._one(value, p.type)

    def _takes_list(self, kind: str) -> bool:
        return kind in ("Object", "PSObject", FLAGS_EXPRESSION) or kind in self._enums

    def _element(self, item: object, kind: str) -> object:
        if item is None:
            return self._zero(kind)
        if isinstance(item, list) and not self._takes_list(kind):
            raise NotConvertedError(item, shape=True)
        return self._one(item, kind)

    def _zero(self, kind: str) -> object:
        """What null becomes within an array."""
        if kind in self._enums:
            return next((name for name, number in self._enums[kind].number.items() if number == 0), "0")
        return ZERO.get(kind)

    def _function(self, value: object, p: Parameter) -> object:
        if value is None:
            return self._null_to_function(p)
        if p.type == "Char[]" and isinstance(value, str):
            return list(value)
        if p.is_array:
            items = value if isinstance(value, list) else [value]
            return [self._element_of_function(item, p.element) for item in items]
        if p.type == "SwitchParameter" and not isinstance(value, bool):
            raise NotConvertedError(value)
        if isinstance(value, list) and (p.nullable or not self._takes_list(p.type)):
            raise NotConvertedError(value)
        return self._one(value, p.type)

    def _null_to_function(self, p: Parameter) -> object:
        if p.type in ("String", "SwitchParameter"):
            return "" if p.type == "String" else False
        if p.nullable:
            return None
        if p.type in RANGES:
            return 0
        if p.type == "Boolean[]" or self.is_value_type(p.type):
            raise NotConvertedError(None)
        return None

    def _element_of_function(self, item: object, kind: str) -> object:
        if item is None:
            if self.is_value_type(kind) and kind not in RANGES and kind != "Char":
                raise NotConvertedError(None)
            return "" if kind == "String" else ZERO.get(kind)
        if isinstance(item, list):
            if kind == "String":
                return " ".join("" if part is None else str(self._one(part, "String")) for part in item)
            if not self._takes_list(kind):
                raise NotConvertedError(item)
        return self._one(item, kind)

    def _one(self, value: object, kind: str) -> object:
        """A value that is not null to a type that is not an array."""
        try:
            if kind in RANGES:
                return _integer(value, kind)
            if kind in CONVERTERS:
                return CONVERTERS[kind](value)
            if kind in self._enums:
                return enum_member(value, self._enums[kind])
        except ValueError as error:
            raise NotConvertedError(value) from error
        if is_host_object(value) and self._is_a(class_of(value), kind):
            return value
        raise NotConvertedError(value)

    def _is_a(self, name: str, kind: str) -> bool:
        while name:
            if name == kind:
                return True
            name = BASES.get(name) or (self._classes[name].base if name in self._classes else "")
        return False


def class_of(value: HostObject) -> str:
    """The short name of its class."""
    return value.type_name.partition("#")[0].rpartition(".")[2]


# The Hyper-V module's own hierarchy. The contract's classes come from stubs, which keep one base only, but the
# parameters show it: Set-VMNetworkAdapter -VMNetworkAdapter is VMNetworkAdapterBase[] and takes what
# Get-VMNetworkAdapter returns; Add-VMHardDiskDrive -VMDriveController takes what Get-VMScsiController returns.
BASES: Final[Mapping[str, str]] = {
    "VirtualMachine": "VirtualMachineBase",
    "VMSnapshot": "VirtualMachineBase",
    "VMIdeController": "VMDriveController",
    "VMScsiController": "VMDriveController",
    "VMPmemController": "VMDriveController",
    "VMNetworkAdapter": "VMNetworkAdapterBase",
    "VMInternalNetworkAdapter": "VMNetworkAdapterBase",
    "VMExternalNetworkAdapter": "VMNetworkAdapterBase",
    "HardDiskDrive": "Drive",
    "DvdDrive": "Drive",
    "KeyStorageDrive": "Drive",
    "VMFloppyDiskDrive": "Drive",
    "Drive": "VMComponentObject",
    "VMDriveController": "VMComponentObject",
    "VMNetworkAdapterBase": "VMComponentObject",
    "GuestServiceInterfaceComponent": "VMIntegrationComponent",
    "ShutdownComponent": "VMIntegrationComponent",
    "VMIntegrationComponent": "VMComponentObject",
}


def _plain(value: object) -> object:
    """Sequences as lists; everything else as it is."""
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _texts(value: object) -> list[object]:
    """A StringCollection takes text and nothing else."""
    items = value if isinstance(value, list) else [value]
    if not all(item is None or isinstance(item, str) for item in items):
        raise NotConvertedError(value, shape=True)
    return items


def _integer(value: object, kind: str) -> int:
    if isinstance(value, bool | int | float | Decimal | str):
        return integer(value, kind)
    if isinstance(number := getattr(value, "number", None), int):  # an enum's member
        return integer(number, kind)
    raise ValueError(str(value))


def _boolean(value: object) -> bool:
    if isinstance(value, bool | int | float | Decimal):
        return bool(value)
    raise NotConvertedError(value, shape=True)


def text_of(value: object) -> str:
    """What an argument becomes for a String parameter."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | Decimal):
        return number_text(value)
    if isinstance(value, Mapping):
        return "System.Collections.Hashtable"
    if is_host_object(value):
        return str(getattr(value, "to_string", None) or value.type_name)
    for attribute in ("name", "text"):  # an enum's member, a Guid
        if isinstance(text := getattr(value, attribute, None), str):
            return text
    return str(value)


def _guid(value: object) -> str:
    text = value if isinstance(value, str) else getattr(value, "text", None)
    if not isinstance(text, str):
        raise ValueError(str(value))
    return guid(text)


def _span(value: object) -> int:
    if isinstance(value, str):
        return ticks(value)
    number = getattr(value, "ticks", value)
    if isinstance(number, bool) or isinstance(value, Moment) or not isinstance(number, int):
        raise ValueError(str(value))
    return integer(number, "Int64")


def _moment(value: object) -> Moment:
    if isinstance(value, Moment):
        return value
    if isinstance(value, str):
        return moment(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return moment_of_ticks(value)
    if (utc := getattr(value, "utc", None)) is not None:
        return moment(utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    raise ValueError(str(value))


def _version(value: object) -> str:
    if isinstance(value, str | float | Decimal):
        return version(text_of(value))
    raise ValueError(str(value))


def _char(value: object) -> str:
    if isinstance(value, str) and len(value) == 1:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**16:
        return chr(value)
    raise ValueError(str(value))


def _table(value: object) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return value
    raise ValueError(str(value))


@dataclass(frozen=True)
class Made:
    """An object that the engine made from what names it: a computer, a class, a service."""

    type_name: str
    of: object


def _maker(type_name: str) -> Callable[[object], object]:
    def make(value: object) -> object:
        if is_host_object(value) and class_of(value) == type_name.rpartition(".")[2]:
            return value
        if isinstance(value, str) or _is_number(value):
            return Made(type_name, value)
        raise ValueError(str(value))

    return make


_NO_URI = re.compile(r"[a-z][a-z0-9+.-]*:(?://)?", re.IGNORECASE | re.ASCII)


def _uri(value: object) -> str:
    if not (isinstance(value, str) or _is_number(value)) or _NO_URI.fullmatch(text := text_of(value)):
        raise ValueError(str(value))
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


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


def _attributes(value: object) -> str:
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


CONVERTERS: Final[Mapping[str, Callable[[object], object]]] = {
    "Boolean": _boolean,
    "SwitchParameter": _boolean,
    "String": text_of,
    "Guid": _guid,
    "TimeSpan": _span,
    "DateTime": _moment,
    "Version": _version,
    "Char": _char,
    "Hashtable": _table,
    "IDictionary": _table,
    "Object": lambda value: value,
    "PSObject": lambda value: value,
    "CimSession": _maker("Microsoft.Management.Infrastructure.CimSession"),
    "CimInstance": _maker("Microsoft.Management.Infrastructure.CimInstance"),
    "ServiceController": _maker("System.ServiceProcess.ServiceController"),
    "Uri": _uri,
    FLAGS_EXPRESSION: _attributes,
}

ZERO: Final[Mapping[str, object]] = {
    **dict.fromkeys(RANGES, 0),
    "Boolean": False,
    "Guid": EMPTY_GUID,
    "TimeSpan": 0,
    "DateTime": Moment(0),
    "Char": "\0",
}

VALUE_TYPES = frozenset((*RANGES, "Boolean", "Guid", "TimeSpan", "DateTime", "Char"))
