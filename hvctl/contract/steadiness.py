"""What a planned call may pass: only what every engine, version and culture takes in the same way."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hvctl.call import Home, Map, Null, Ref, Secret, Staged
from hvctl.contract.facts import Cmdlet, Enum, Parameter
from hvctl.contract.members import FLAGS_EXPRESSION
from hvctl.contract.scalars import RANGES
from hvctl.text.visible import quoted

ANYTHING = ("Object", "PSObject")
TABLES = ("Hashtable", "IDictionary")

TEXT_FORMS = {
    "TimeSpan": ("[d.]hh:mm:ss", re.compile(r"-?(\d+\.)?([01]?\d|2[0-3]):\d\d:\d\d(\.\d{1,7})?", re.ASCII)),
    "DateTime": ("ISO 8601", re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,7})?)?(Z|[+-]\d\d:\d\d)?)?")),
    "Guid": ("a Guid with hyphens", re.compile(r"\{?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?")),
    "Version": ("major.minor", re.compile(r"\d+(\.\d+){1,3}", re.ASCII)),
}


def objection(cmdlet: Cmdlet, name: str, value: object, enums: Mapping[str, Enum]) -> str:
    """Why that parameter must not be sent so, "" if it may. Names that mean nothing are left to the binding."""
    p = cmdlet.parameter(name)
    if p is None:
        return _abbreviated(cmdlet, name)
    if p.name.lower() != name.lower():
        return f"-{name} is an alias, the name is -{p.name}"
    why = _objection_to_all(p, value, enums.get(p.element))
    return f"-{p.name}: {why}" if why else ""


def _abbreviated(cmdlet: Cmdlet, name: str) -> str:
    low = name.lower()
    starting = sorted({p.name for key, p in (*cmdlet.named.items(), *cmdlet.dynamic.items()) if key.startswith(low)})
    return f"-{name} is an abbreviation (-{', -'.join(starting)})" if starting else ""


def _objection_to_all(p: Parameter, value: object, enum: Enum | None) -> str:
    if isinstance(value, list | tuple):
        if not p.is_array and p.type not in ANYTHING:
            return f"takes one {p.type}, not a list"
        return next((why for item in value if (why := _objection(p, item, enum))), "")
    if isinstance(value, Ref) and value.many and not p.is_array:
        return f"takes one {p.type}, and the reference may give many"
    return _objection(p, value, enum)


def _objection(p: Parameter, value: object, enum: Enum | None) -> str:
    """To one value, or one element."""
    if isinstance(value, list | tuple):
        return "a list within a list"
    if isinstance(value, Ref):
        return "" if value.path or not is_plain(p, enum) else f"an object where {p.element} is wanted; name its path"
    if isinstance(value, Map):
        return "" if p.element in TABLES else f"a table where {p.element} is wanted"
    if isinstance(value, Null) or value is None:
        return _objection_to_null(p)
    if isinstance(value, Home | Staged):
        value = str(value)
    if isinstance(value, Secret):
        return "" if p.element in ("String", *ANYTHING) else f"a secret where {p.element} is wanted"
    if p.element in ANYTHING:
        return "" if isinstance(value, bool | int | str) else f"a {type(value).__name__} cannot be sent"
    if isinstance(value, bool):
        return "" if p.element in ("Boolean", "SwitchParameter") else f"true or false where {p.element} is wanted"
    if isinstance(value, int):
        return "" if p.element in RANGES else f"a number where {p.element} is wanted"
    if isinstance(value, str):
        return _objection_to_text(p, value, enum)
    return f"a {type(value).__name__} cannot be sent"


def is_plain(p: Parameter, enum: Enum | None) -> bool:
    """A type that is no class of objects."""
    return enum is not None or p.element in (*RANGES, *TEXT_FORMS, *_SIMPLE)


_SIMPLE = ("String", "StringCollection", "Boolean", "SwitchParameter", "Char", "Uri", FLAGS_EXPRESSION)


def _objection_to_null(p: Parameter) -> str:
    if p.function or p.type == "SwitchParameter":
        return "null turns into another value; leave the parameter out"
    return ""


def _objection_to_text(p: Parameter, text: str, enum: Enum | None) -> str:
    if enum is not None:
        if text.lower() in enum.by_lower:
            return ""
        return f"{quoted(text)} is not the full name of a {enum.name} ({', '.join(p.values or enum.members)})"
    if p.element in RANGES or p.element in ("Boolean", "SwitchParameter"):
        return f"text where {p.element} is wanted"
    words, form = TEXT_FORMS.get(p.element, ("", None))
    return f"{quoted(text)} is not {words}" if form and not form.fullmatch(text) else ""
