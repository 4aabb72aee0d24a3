"""A cmdlet's invocation bound as PowerShell binds it: names, sets and arguments, or the first fault it meets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hvctl.contract.conversion import Conversion, NotConvertedError, text_of
from hvctl.contract.facts import EVERY, Cmdlet, Contract, Parameter, contract
from hvctl.contract.validation import BINDING, TRANSFORMATION, fault, net_type
from hvctl.contract.versions import OS


@dataclass(frozen=True)
class BoundValue:
    """What a parameter got. `type` is the short .NET name, None for null. `value`: int, bool, text (also for Guid,
    Version, enum members), TimeSpan as ticks, DateTime as scalars.Moment, list, table, or the object itself."""

    type: str | None
    value: object


@dataclass(frozen=True)
class Bound:
    """The set taken, and the parameters by their full names in the order given."""

    set: str
    parameters: Mapping[str, BoundValue]

    def get(self, name: str) -> object:
        """The value of that parameter, None where it was not given or is null."""
        found = self.parameters.get(name)
        return found.value if found else None


@dataclass(frozen=True)
class BindError:
    """What the engine says instead. `id` is the FullyQualifiedErrorId's first part, `type` the exception's full
    name, `message` English and near to the engine's own."""

    id: str
    category: str
    type: str
    parameter: str | None
    message: str


class _FaultError(Exception):
    def __init__(self, error: BindError) -> None:
        super().__init__(error.message)
        self.error = error


def bind(os: OS | Contract, cmdlet: str, params: Mapping[str, object]) -> Bound | BindError:
    """Parameters given by name, in the order of the mapping, nothing piped in."""
    facts = os if isinstance(os, Contract) else contract(os)
    command = facts.cmdlet(cmdlet)
    if command is None:
        return _no_such_command(cmdlet)
    try:
        return _bind(command, _arguments(facts, command.group), params)
    except _FaultError as refusal:
        return refusal.error


class Arguments:
    """Converts and validates the arguments of one group's cmdlets."""

    def __init__(self, facts: Contract, group: str) -> None:
        self._enums = facts.enums_of(group)
        self._conversion = Conversion(self._enums, facts.classes)

    def __call__(self, value: object, p: Parameter) -> BoundValue:
        try:
            converted = self._conversion(value, p)
        except NotConvertedError as refusal:
            raise _FaultError(_not_converted(refusal, p)) from None
        if wrong := fault(converted, p, self._enums.get(p.element), self._conversion):
            raise _FaultError(BindError(wrong.id, wrong.category, wrong.type, p.name, wrong.message))
        kind = net_type(converted) if converted is None or p.type in ("Object", "PSObject") else p.type
        return BoundValue("Hashtable" if kind == "IDictionary" else kind, converted)


@lru_cache(maxsize=64)
def _arguments(facts: Contract, group: str) -> Arguments:
    return Arguments(facts, group)


def _bind(command: Cmdlet, arguments: Arguments, params: Mapping[str, object]) -> Bound:
    bound: dict[str, BoundValue] = {}
    taken: list[Parameter] = []
    aside = _take(params, command.named, arguments, bound, taken)
    candidates = _candidates(command, taken)
    if aside and command.dynamic:
        aside = _take(aside, command.dynamic, arguments, bound, taken)
        candidates = _candidates(command, taken)
    chosen = _chosen(command, candidates, bound)
    if aside and (chosen or _is_hopeful(command, candidates, bound)):
        raise _FaultError(_not_found(next(iter(aside))))
    if chosen is None:
        raise _FaultError(_ambiguous_set())
    missing = [name for name, _, _ in command.mandatory[chosen] if name not in bound]
    if missing:
        raise _FaultError(_missing(missing))
    return Bound(chosen, bound)


def _take(
    params: Mapping[str, object],
    named: Mapping[str, Parameter],
    arguments: Arguments,
    bound: dict[str, BoundValue],
    taken: list[Parameter],
) -> dict[str, object]:
    """Binds what the names mean; returns what means nothing."""
    aside = {}
    for name, value in params.items():
        p = named.get(name.lower()) or _by_prefix(name, named)
        if p is None:
            aside[name] = value
        elif p.name in bound:
            raise _FaultError(_already_bound(name))
        else:
            bound[p.name] = arguments(value, p)
            taken.append(p)
    return aside


def _by_prefix(name: str, named: Mapping[str, Parameter]) -> Parameter | None:
    prefix = name.lower()
    found = {p.name: p for key, p in named.items() if key.startswith(prefix)}
    own = [p for p in found.values() if not p.common and p.name not in ("WhatIf", "Confirm")]
    if len(found) > 1 and len(own) != 1:
        raise _FaultError(_ambiguous_name(name, found))
    return own[0] if own else next(iter(found.values()), None)


def _candidates(command: Cmdlet, taken: Iterable[Parameter]) -> list[str]:
    """The sets that hold every parameter bound."""
    candidates = list(command.sets)
    for p in taken:
        if EVERY not in p.sets:
            candidates = [name for name in candidates if name in p.sets]
    if not candidates:
        raise _FaultError(_ambiguous_set())
    return candidates


def _chosen(command: Cmdlet, candidates: list[str], bound: Mapping[str, object]) -> str | None:
    if command.default_set in candidates:
        return command.default_set
    if len(candidates) == 1:
        return candidates[0]
    complete = [name for name in candidates if not _lacking(command, name, bound)]
    return complete[0] if len(complete) == 1 else None


def _lacking(command: Cmdlet, name: str, bound: Mapping[str, object]) -> list[bool]:
    """For each parameter that this set, and not every set, still demands: can it come from the pipeline?"""
    return [piped for key, everywhere, piped in command.mandatory[name] if not everywhere and key not in bound]


def _is_hopeful(command: Cmdlet, candidates: list[str], bound: Mapping[str, object]) -> bool:
    lacking = [_lacking(command, name, bound) for name in candidates]
    return any(not each or any(each) for each in lacking)


def _no_such_command(cmdlet: str) -> BindError:
    return BindError(
        "CommandNotFoundException",
        "ObjectNotFound",
        "System.Management.Automation.CommandNotFoundException",
        None,
        f"The term '{cmdlet}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
    )


def _not_converted(refusal: NotConvertedError, p: Parameter) -> BindError:
    shown = text_of(refusal.value) if not isinstance(refusal.value, list) else "System.Object[]"
    if p.function:
        message = f"Cannot process argument transformation on parameter '{p.name}'. "
        message += f'Cannot convert value "{shown}" to type "{p.type}".'
        return BindError("ParameterArgumentTransformationError", "InvalidData", TRANSFORMATION, p.name, message)
    if refusal.shape:
        message = f"Cannot convert '{shown}' to the type '{p.type}' required by parameter '{p.name}'. "
        message += "Specified method is not supported."
        return BindError("CannotConvertArgument", "InvalidArgument", BINDING, p.name, message)
    message = f'Cannot bind parameter \'{p.name}\'. Cannot convert value "{shown}" to type "{p.type}".'
    return BindError("CannotConvertArgumentNoMessage", "InvalidArgument", BINDING, p.name, message)


def _ambiguous_name(name: str, found: Iterable[str]) -> BindError:
    message = f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. "
    message += f"Possible matches include: {' '.join('-' + match for match in found)}."
    return BindError("AmbiguousParameter", "InvalidArgument", BINDING, name, message)


def _already_bound(name: str) -> BindError:
    message = f"Cannot bind parameter because parameter '{name}' is specified more than once. To provide multiple "
    message += "values to parameters that can accept multiple values, use the array syntax."
    return BindError("ParameterAlreadyBound", "InvalidArgument", BINDING, name, message)


def _ambiguous_set() -> BindError:
    message = "Parameter set cannot be resolved using the specified named parameters. One or more parameters issued "
    message += "cannot be used together or an insufficient number of parameters were provided."
    return BindError("AmbiguousParameterSet", "InvalidArgument", BINDING, None, message)


def _not_found(name: str) -> BindError:
    message = f"A parameter cannot be found that matches parameter name '{name}'."
    return BindError("NamedParameterNotFound", "InvalidArgument", BINDING, name, message)


def _missing(names: list[str]) -> BindError:
    shown = " ".join(sorted(names))
    message = f"Cannot process command because of one or more missing mandatory parameters: {shown}."
    return BindError("MissingMandatoryParameter", "InvalidArgument", BINDING, shown, message)
