"""A cmdlet's invocation bound as PowerShell binds it: names, sets and arguments, or the first fault it meets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hvctl.contract.conversion import Conversion
from hvctl.contract.facts import EVERY, Cmdlet, Parameter
from hvctl.contract.reading import Contract, contract
from hvctl.contract.refusals import (
    BindError,
    already_bound,
    ambiguous_name,
    ambiguous_set,
    full_name,
    missing_mandatory,
    net_type,
    no_such_command,
    not_converted,
    not_found,
)
from hvctl.contract.validation import fault
from hvctl.contract.values import NotConvertedError
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

    @property
    def values(self) -> dict[str, object]:
        """The converted values alone."""
        return {name: bound.value for name, bound in self.parameters.items()}


class _FaultError(Exception):
    def __init__(self, error: BindError) -> None:
        super().__init__(error.message)
        self.error = error


def bind(os: OS | Contract, cmdlet: str, params: Mapping[str, object]) -> Bound | BindError:
    """Parameters given by name, in the order of the mapping, nothing piped in."""
    facts = os if isinstance(os, Contract) else contract(os)
    command = facts.cmdlet(cmdlet)
    if command is None:
        return no_such_command(cmdlet)
    try:
        return _bind(command, _arguments(facts, command.group), params)
    except _FaultError as refusal:
        return refusal.error


class Arguments:
    """Converts and validates the arguments of one group's cmdlets."""

    def __init__(self, facts: Contract, group: str) -> None:
        self._enums = facts.enums_of(group)
        self._classes = facts.classes
        self._conversion = Conversion(self._enums, self._classes)

    def __call__(self, value: object, p: Parameter) -> BoundValue:
        try:
            converted = self._conversion(value, p)
        except NotConvertedError as refusal:
            raise _FaultError(not_converted(refusal, p, self._full_name(p.element))) from None
        if wrong := fault(converted, p, self._enums.get(p.element), self._conversion):
            raise _FaultError(wrong)
        kind = net_type(converted) if converted is None or p.type in ("Object", "PSObject") else p.type
        return BoundValue("Hashtable" if kind == "IDictionary" else kind, converted)

    def _full_name(self, kind: str) -> str:
        named = self._enums.get(kind) or self._classes.get(kind)
        return named.full_name if named else full_name(kind)


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
        raise _FaultError(not_found(next(iter(aside))))
    if chosen is None:
        raise _FaultError(ambiguous_set())
    missing = [name for name, _, _ in command.mandatory[chosen] if name not in bound]
    if missing:
        raise _FaultError(missing_mandatory(missing))
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
            raise _FaultError(already_bound(name))
        else:
            bound[p.name] = arguments(value, p)
            taken.append(p)
    return aside


def _by_prefix(name: str, named: Mapping[str, Parameter]) -> Parameter | None:
    prefix = name.lower()
    found = {p.name: p for key, p in named.items() if key.startswith(prefix)}
    own = [p for p in found.values() if not p.common and p.name not in ("WhatIf", "Confirm")]
    if len(found) > 1 and len(own) != 1:
        raise _FaultError(ambiguous_name(name, _as_listed(name, found.values())))
    return own[0] if own else next(iter(found.values()), None)


def _as_listed(name: str, found: Iterable[Parameter]) -> list[str]:
    """The engine lists names before aliases, and WhatIf and Confirm after the others."""
    low = name.lower()
    last = ("WhatIf", "Confirm")
    return [p.name for p in sorted(found, key=lambda p: (not p.name.lower().startswith(low), p.name in last, p.common))]


def _candidates(command: Cmdlet, taken: Iterable[Parameter]) -> list[str]:
    """The sets that hold every parameter bound."""
    candidates = list(command.sets)
    for p in taken:
        if EVERY not in p.sets:
            candidates = [name for name in candidates if name in p.sets]
    if not candidates:
        raise _FaultError(ambiguous_set())
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
