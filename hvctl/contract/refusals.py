"""How the engine refuses to bind: error ids, categories, exceptions and words (English)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hvctl.contract.facts import Parameter
from hvctl.contract.objects import is_host_object
from hvctl.contract.scalars import Moment
from hvctl.contract.values import NotConvertedError, text_of

BINDING = "System.Management.Automation.ParameterBindingException"
TRANSFORMATION = "System.Management.Automation.ParameterBindingArgumentTransformationException"
VALIDATION = "System.Management.Automation.ParameterBindingValidationException"


@dataclass(frozen=True)
class BindError:
    """What the engine says instead. `id` is the FullyQualifiedErrorId's first part, `type` the exception's full
    name, `message` English and near to the engine's own."""

    id: str
    category: str
    type: str
    parameter: str | None
    message: str


def no_such_command(cmdlet: str) -> BindError:
    return BindError(
        "CommandNotFoundException",
        "ObjectNotFound",
        "System.Management.Automation.CommandNotFoundException",
        None,
        f"The term '{cmdlet}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
    )


def not_converted(refusal: NotConvertedError, p: Parameter, wanted: str) -> BindError:
    """`wanted` is the full name of the parameter's type, without `[]`."""
    value, kind = refusal.value, full_name(net_type(refusal.value) or "null")
    shown = f'value "{text_of(value)}"' if not isinstance(value, list) else f'the "{kind}" value of type "{kind}"'
    if is_host_object(value) or (wanted.startswith("Microsoft.") and isinstance(value, str) and not p.values):
        shown = f'the "{text_of(value)}" value of type "{kind}"'
    said = f'Cannot convert {shown} to type "{wanted}".' if value is not None else f'Cannot convert null to "{wanted}".'
    if p.function:
        message = f"Cannot process argument transformation on parameter '{p.name}'. {said}"
        return BindError("ParameterArgumentTransformationError", "InvalidData", TRANSFORMATION, p.name, message)
    if refusal.shape:
        whole = f"System.Nullable`1[{wanted}]" if p.nullable else wanted
        why = " Specified method is not supported." if p.element not in ("Boolean", "SwitchParameter") else ""
        message = f"Cannot convert '{kind}' to the type '{whole}' required by parameter '{p.name}'.{why}"
        return BindError("CannotConvertArgument", "InvalidArgument", BINDING, p.name, message)
    message = f"Cannot bind parameter '{p.name}'. {said}"
    return BindError("CannotConvertArgumentNoMessage", "InvalidArgument", BINDING, p.name, message)


def ambiguous_name(name: str, found: Iterable[str]) -> BindError:
    message = f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. "
    message += f"Possible matches include: {' '.join('-' + match for match in found)}."
    return BindError("AmbiguousParameter", "InvalidArgument", BINDING, name, message)


def already_bound(name: str) -> BindError:
    message = f"Cannot bind parameter because parameter '{name}' is specified more than once. To provide multiple "
    message += "values to parameters that can accept multiple values, use the array syntax."
    return BindError("ParameterAlreadyBound", "InvalidArgument", BINDING, name, message)


def ambiguous_set() -> BindError:
    message = "Parameter set cannot be resolved using the specified named parameters. One or more parameters issued "
    message += "cannot be used together or an insufficient number of parameters were provided."
    return BindError("AmbiguousParameterSet", "InvalidArgument", BINDING, None, message)


def not_found(name: str) -> BindError:
    message = f"A parameter cannot be found that matches parameter name '{name}'."
    return BindError("NamedParameterNotFound", "InvalidArgument", BINDING, name, message)


def missing_mandatory(names: list[str]) -> BindError:
    shown = " ".join(sorted(names))
    message = f"Cannot process command because of one or more missing mandatory parameters: {shown}."
    return BindError("MissingMandatoryParameter", "InvalidArgument", BINDING, shown, message)


def invalid(p: Parameter, why: str) -> BindError:
    message = f"Cannot validate argument on parameter '{p.name}'. {why}"
    return BindError("ParameterArgumentValidationError", "InvalidData", VALIDATION, p.name, message)


def null_not_allowed(p: Parameter, category: str = "InvalidData", kind: str = VALIDATION) -> BindError:
    message = f"Cannot bind argument to parameter '{p.name}' because it is null."
    return BindError("ParameterArgumentValidationErrorNullNotAllowed", category, kind, p.name, message)


def empty_not_allowed(p: Parameter, what: str) -> BindError:
    """`what` is "string", "array" or "collection"."""
    message = f"Cannot bind argument to parameter '{p.name}' because it is an empty {what}."
    name = f"ParameterArgumentValidationErrorEmpty{what.capitalize()}NotAllowed"
    return BindError(name, "InvalidData", VALIDATION, p.name, message)


def mismatched_type_name(p: Parameter) -> BindError:
    message = f"Cannot bind argument to parameter '{p.name}', because PSTypeNames of the argument do not match the "
    message += f"PSTypeName required by the parameter: {p.ps_type}."
    return BindError("MismatchedPSTypeName", "InvalidArgument", TRANSFORMATION, p.name, message)


def not_set(p: Parameter, why: str) -> BindError:
    message = f'Cannot bind parameter \'{p.name}\' to the target. Exception setting "{p.name}": "{why}"'
    return BindError("ParameterBindingFailed", "WriteError", BINDING, p.name, message)


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


def full_name(kind: str) -> str:
    """Of a type of .NET or of the engine itself."""
    if kind in ("SwitchParameter", "PSCredential", "PSObject", "ActionPreference"):
        return f"System.Management.Automation.{kind}"
    if kind in ("Hashtable", "IDictionary"):
        return f"System.Collections.{kind}"
    return f"System.{kind}"
