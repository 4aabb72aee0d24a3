"""One value, neither null nor an array, turned into a .NET type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from hvctl.contract.members import FLAGS_EXPRESSION, file_attributes
from hvctl.contract.objects import Made, class_of, is_host_object
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


class NotConvertedError(Exception):
    """`shape`: an array where one value belongs, or a kind of value that the engine does not even try."""

    def __init__(self, value: object, shape: bool = False) -> None:
        super().__init__(value)
        self.value = value
        self.shape = shape


def whole_number(value: object, kind: str) -> int:
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
    if isinstance(value, str | float | Decimal) or (is_host_object(value) and class_of(value) == "Version"):
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
    FLAGS_EXPRESSION: file_attributes,
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
