"""Whether a planned call binds on a version of Windows, and in the same way on every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hvctl.call import Call, Home, Map, Null, Ref, Secret
from hvctl.contract.binding import bind
from hvctl.contract.facts import Cmdlet, Enum, Parameter
from hvctl.contract.members import FLAGS_EXPRESSION
from hvctl.contract.reading import Contract, contract
from hvctl.contract.refusals import BindError
from hvctl.contract.scalars import EMPTY_GUID, RANGES
from hvctl.contract.steadiness import is_plain, objection
from hvctl.contract.versions import OS, title


@dataclass(frozen=True)
class Verdict:
    """`answer` is unknown where this version's pages do not mention what another version has; `reason` says why
    it is not accepted; `error` is what the host would say, where it is the host that refuses."""

    answer: Literal["accepted", "refused", "unknown"]
    reason: str = ""
    error: BindError | None = None


ACCEPTED = Verdict("accepted")


@dataclass(frozen=True)
class Fitting:
    """Stands for an object that only the host will know."""

    type_name: str


def check(os: OS | Contract, call: Call) -> Verdict:
    """Judges this call alone, offline; the calls that its Refs name are judged on their own."""
    facts = os if isinstance(os, Contract) else contract(os)
    cmdlet = facts.cmdlet(call.cmdlet)
    if cmdlet is None:
        return _without(facts, call.cmdlet)
    enums = facts.enums_of(cmdlet.group)
    given = _given(call)
    unknown = [name for name in given if cmdlet.answer(name) == "unknown"]
    known = {name: value for name, value in given.items() if name not in unknown}
    outcome = bind(facts, cmdlet.name, {name: _sample(cmdlet, name, value, enums) for name, value in known.items()})
    if isinstance(outcome, BindError) and not (unknown and outcome.id in INCOMPLETE):
        return Verdict("refused", f"{outcome.message} ({outcome.id})", outcome)
    for name, value in known.items():
        if why := objection(cmdlet, name, value, enums):
            return Verdict("refused", why)
    if unknown:
        return Verdict("unknown", f"it is not documented whether {title(facts.os)} has -{', -'.join(unknown)}")
    return ACCEPTED


INCOMPLETE = ("AmbiguousParameterSet", "MissingMandatoryParameter")
"""What a parameter that the version may have, after all, could cure."""

SOME_VALUE = Ref(Call(""), path="*")
"""In place of a value that is not known yet and will fit."""


def _without(facts: Contract, name: str) -> Verdict:
    if facts.knows(name) == "unknown":
        return Verdict("unknown", f"it is not documented whether {title(facts.os)} has {name}")
    outcome = bind(facts, name, {})
    error = outcome if isinstance(outcome, BindError) else None
    return Verdict("refused", f"{title(facts.os)} has no cmdlet {name}", error)


def _given(call: Call) -> Mapping[str, object]:
    """Parameters as one invocation has them: without those left out, one value for the `each` list."""
    given: dict[str, object] = {name: value for name, value in call.params.items() if value is not None}
    if call.each is not None and isinstance(values := given.get(call.each), list | tuple):
        given[call.each] = values[0] if values else SOME_VALUE
    if call.each is not None and isinstance(value := given.get(call.each), Ref) and value.many:
        given[call.each] = replace(value, many=False)
    return given


def _sample(cmdlet: Cmdlet, name: str, value: object, enums: Mapping[str, Enum]) -> object:
    """A value of the kind that the parameter will get, as far as it is known before the host is asked."""
    p = cmdlet.parameter(name)
    if isinstance(value, list | tuple):
        return [_sample(cmdlet, name, item, enums) for item in value]
    if isinstance(value, Ref):
        plain = p is not None and (value.path or not is_plain(p, enums.get(p.element)))
        return _fitting(p, enums.get(p.element)) if p is not None and plain else Fitting("System.Object")
    if isinstance(value, Map):
        return dict(value.items)
    if isinstance(value, Null):
        return None
    if isinstance(value, Home):
        return str(value)
    return "secret" if isinstance(value, Secret) else value


def _fitting(p: Parameter, enum: Enum | None) -> object:
    """Something that the parameter takes."""
    if p.values or enum is not None:
        return (p.values or enum.members if enum else p.values)[0]
    if p.element in RANGES:
        return p.range[0] if p.range else 1
    return FITTING.get(p.element) or Fitting(p.ps_type or f"Any.{p.element}")


FITTING: Mapping[str, object] = {
    "String": "x",
    "StringCollection": "x",
    "Char": "x",
    "Uri": "x",
    "Boolean": True,
    "SwitchParameter": True,
    "Guid": EMPTY_GUID,
    "TimeSpan": "00:01:00",
    "DateTime": "2000-01-01T00:00:00Z",
    "Version": "1.0",
    "Hashtable": {},
    "IDictionary": {},
    FLAGS_EXPRESSION: "Hidden",
}
