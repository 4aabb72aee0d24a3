"""Whether a converted value may stand: ranges, lists of values, null and emptiness, PowerShell type names."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.contract.conversion import Conversion
from hvctl.contract.facts import Enum, Parameter
from hvctl.contract.objects import is_host_object
from hvctl.contract.refusals import (
    BINDING,
    BindError,
    empty_not_allowed,
    invalid,
    mismatched_type_name,
    not_set,
    null_not_allowed,
)
from hvctl.contract.values import text_of

NULL = "The argument is null. Provide a valid value for the argument, and then try running the command again."
EMPTY = "The argument is null or empty. Provide an argument that is not null or empty, and then try the command again."
EMPTY_ELEMENT = (
    "The argument is null, empty, or an element of the argument collection contains a null value. Supply a collection "
    "that does not contain any null values and then try the command again."
)


def fault(value: object, p: Parameter, enum: Enum | None, conversion: Conversion) -> BindError | None:
    """The first objection to the value, in the order in which the engine asks."""
    if value is None and p.type == "Boolean" and not p.nullable and not p.function:
        return null_not_allowed(p, "InvalidArgument", BINDING)
    if p.ps_type and not all(_carries(item, p.ps_type) for item in _items(value)):
        return mismatched_type_name(p)
    if why := _rejected(value, p) or _out_of_range(value, p) or _not_listed(value, p, enum):
        return invalid(p, why)
    if p.mandatory_somewhere and (empty := _empty(value, p)):
        return empty
    if value is None and not p.function and not p.nullable and conversion.is_value_type(p.type):
        return not_set(p, f'Cannot convert null to type "{p.type}".')
    if p.type == "ActionPreference" and value == "Suspend":  # is for workflows only
        return not_set(p, "The value Suspend is not supported for an ActionPreference variable.")
    return None


def _items(value: object) -> Iterator[object]:
    """The value, or the elements that are not null."""
    if isinstance(value, list):
        yield from (item for item in value if item is not None)
    elif value is not None:
        yield value


def _carries(item: object, name: str) -> bool:
    return is_host_object(item) and name in (item.type_name, item.type_name.partition("#")[0])


def _rejected(value: object, p: Parameter) -> str:
    if not p.reject:
        return ""
    if value is None:
        return NULL if p.reject == "null" else EMPTY
    elements = value if isinstance(value, list) and p.is_array else []
    if any(item is None for item in elements):
        return EMPTY_ELEMENT
    if p.reject == "null":
        return ""
    if value == "" and p.type == "String":
        return EMPTY
    empty = p.is_array and not elements
    return EMPTY_ELEMENT if empty or any(item == "" for item in elements) else ""


def _out_of_range(value: object, p: Parameter) -> str:
    if p.range is None:
        return ""
    low, high = p.range
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, int):
            return EMPTY
        if item < low:
            end = f"minimum allowed range of {low}. Supply an argument that is greater than or equal to {low}"
            return f"The {item} argument is less than the {end} and then try the command again."
        if item > high:
            end = f"maximum allowed range of {high}. Supply an argument that is less than or equal to {high}"
            return f"The {item} argument is greater than the {end} and then try the command again."
    return ""


def _not_listed(value: object, p: Parameter, enum: Enum | None) -> str:
    """`values` of an enum is a ValidateSet only where it leaves out members that this version has."""
    if not p.values or (enum is not None and set(enum.members) <= set(p.values)):
        return ""
    allowed = {text.lower() for text in p.values}
    for item in value if isinstance(value, list) else [value]:
        text = "" if item is None else text_of(item)
        if item is None or text.lower() not in allowed:
            return (
                f'The argument "{text}" does not belong to the set "{",".join(p.values)}" specified by the ValidateSet '
                "attribute. Supply an argument that is in the set and then try the command again."
            )
    return ""


def _empty(value: object, p: Parameter) -> BindError | None:
    """Null, or nothing in it, for a parameter that is mandatory in some set."""
    if value is None:
        return None if "null" in p.allow else null_not_allowed(p)
    if value == "" and p.type == "String":
        return None if "empty_string" in p.allow else empty_not_allowed(p, "string")
    if not isinstance(value, list) or not p.is_array:
        return None
    if not value:
        what = "collection" if p.type == "StringCollection" else "array"
        return None if "empty_collection" in p.allow else empty_not_allowed(p, what)
    if any(item is None for item in value) and "null" not in p.allow:
        return null_not_allowed(p)
    if p.element == "String" and "" in value and "empty_string" not in p.allow:
        return empty_not_allowed(p, "string")
    return None
