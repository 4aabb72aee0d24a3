"""Whether a converted value may stand: ranges, lists of values, null and emptiness, PowerShell type names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hvctl.contract.conversion import Conversion, is_host_object, text_of
from hvctl.contract.facts import Enum, Parameter
from hvctl.contract.scalars import Moment

BINDING = "System.Management.Automation.ParameterBindingException"
TRANSFORMATION = "System.Management.Automation.ParameterBindingArgumentTransformationException"
VALIDATION = "System.Management.Automation.ParameterBindingValidationException"


class Fault(NamedTuple):
    id: str
    category: str
    type: str
    message: str


def fault(value: object, p: Parameter, enum: Enum | None, conversion: Conversion) -> Fault | None:
    """The first objection to the value, in the order in which the engine asks."""
    if value is None and p.type == "Boolean" and not p.nullable and not p.function:
        return _null(p, "InvalidArgument", BINDING)
    if p.ps_type and not all(_carries(item, p.ps_type) for item in _items(value)):
        return Fault(
            "MismatchedPSTypeName",
            "InvalidArgument",
            TRANSFORMATION,
            f"Cannot bind argument to parameter '{p.name}', because PSTypeNames of the argument do not match the "
            f"PSTypeName required by the parameter: {p.ps_type}.",
        )
    if why := _rejected(value, p) or _out_of_range(value, p) or _not_listed(value, p, enum):
        message = f"Cannot validate argument on parameter '{p.name}'. {why}"
        return Fault("ParameterArgumentValidationError", "InvalidData", VALIDATION, message)
    if p.mandatory_somewhere and (empty := _empty(value, p)):
        return empty
    if value is None and not p.function and not p.nullable and conversion.is_value_type(p.type):
        return _not_set(p, f'Cannot convert null to type "{p.type}".')
    if p.type == "ActionPreference" and value == "Suspend":  # is for workflows only
        return _not_set(p, "The value Suspend is not supported for an ActionPreference variable.")
    return None


def _not_set(p: Parameter, why: str) -> Fault:
    message = f'Cannot bind parameter \'{p.name}\' to the target. Exception setting "{p.name}": "{why}"'
    return Fault("ParameterBindingFailed", "WriteError", BINDING, message)


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
        return "The argument is null. Provide a valid value for the argument, and then try running the command again."
    elements = value if isinstance(value, list) and p.type not in ("Object", "PSObject") else []
    if any(item is None for item in elements):
        return "The argument is null, or an element of the argument collection contains a null value."
    if p.reject == "null_or_empty" and (_is_empty(value, p) or any(item == "" for item in elements)):
        return "The argument is null or empty. Provide an argument that is not null or empty, and then try again."
    return ""


def _is_empty(value: object, p: Parameter) -> bool:
    return (value == "" and p.type == "String") or (isinstance(value, list) and not value and p.is_array)


def _out_of_range(value: object, p: Parameter) -> str:
    if p.range is None:
        return ""
    low, high = p.range
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, int):
            return "The argument is null."
        if item < low:
            return f"The {item} argument is less than the minimum allowed range of {low}."
        if item > high:
            return f"The {item} argument is greater than the maximum allowed range of {high}."
    return ""


def _not_listed(value: object, p: Parameter, enum: Enum | None) -> str:
    """`values` of an enum is a ValidateSet only where it leaves out members that this version has."""
    if not p.values or (enum is not None and set(enum.members) <= set(p.values)):
        return ""
    allowed = {text.lower() for text in p.values}
    for item in value if isinstance(value, list) else [value]:
        if item is None or text_of(item).lower() not in allowed:
            return f'The argument "{item}" does not belong to the set "{",".join(p.values)}" specified.'
    return ""


def _empty(value: object, p: Parameter) -> Fault | None:
    """Null, or nothing in it, for a parameter that is mandatory in some set."""
    if value is None:
        return None if "null" in p.allow else _null(p)
    if value == "" and p.type == "String":
        return None if "empty_string" in p.allow else _emptiness(p, "EmptyString", "an empty string")
    if not isinstance(value, list) or not p.is_array:
        return None
    if not value:
        kind = "EmptyCollection" if p.type == "StringCollection" else "EmptyArray"
        words = "an empty collection" if p.type == "StringCollection" else "an empty array"
        return None if "empty_collection" in p.allow else _emptiness(p, kind, words)
    if any(item is None for item in value) and "null" not in p.allow:
        return _null(p)
    if p.element == "String" and "" in value and "empty_string" not in p.allow:
        return _emptiness(p, "EmptyString", "an empty string")
    return None


def _null(p: Parameter, category: str = "InvalidData", kind: str = VALIDATION) -> Fault:
    message = f"Cannot bind argument to parameter '{p.name}' because it is null."
    return Fault("ParameterArgumentValidationErrorNullNotAllowed", category, kind, message)


def _emptiness(p: Parameter, kind: str, words: str) -> Fault:
    message = f"Cannot bind argument to parameter '{p.name}' because it is {words}."
    return Fault(f"ParameterArgumentValidationError{kind}NotAllowed", "InvalidData", VALIDATION, message)


def net_type(value: object) -> str | None:
    """The short .NET name of a value that its parameter takes as it is; None for null."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return "Int32" if -(2**31) <= value < 2**31 else "Int64" if -(2**63) <= value < 2**63 else "Decimal"
    known = {bool: "Boolean", str: "String", float: "Double", list: "Object[]", Moment: "DateTime", dict: "Hashtable"}
    if type(value) in known:
        return known[type(value)]
    if is_host_object(value):
        return value.type_name.partition("#")[0].rpartition(".")[2]
    return type(value).__name__
