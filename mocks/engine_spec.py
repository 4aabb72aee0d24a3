"""The contract of one version of Windows as proxy cmdlets need it: modules, parameters, enums and classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hvctl.contract import OS, VERSIONS, Cmdlet, Contract, Enum, Parameter, contract
from hvctl.contract.objects import BASES
from mocks.command import class_of

_NET = {
    "CimSession": "Microsoft.Management.Infrastructure.CimSession",
    "CimInstance": "Hvctl.Thing",  # what stands for one; the engine's own cannot be made from it
    "PSCredential": "System.Management.Automation.PSCredential",
    "StringCollection": "System.Collections.Specialized.StringCollection",
    "SwitchParameter": "System.Management.Automation.SwitchParameter",
    "PSObject": "System.Management.Automation.PSObject",
    "Hashtable": "System.Collections.Hashtable",
    "IDictionary": "System.Collections.IDictionary",
    "Encoding": "System.Text.Encoding",
    "SecureString": "System.Security.SecureString",
}
_HYPERV = "Microsoft.HyperV.PowerShell."
_UNNUMBERED = 100_000
_MODULE_2 = ("2016", "2019", "2022", "2025")


def module_name(module: str) -> str:
    """PowerShell's own modules get another name: the engine has real ones, which must not be reached."""
    return f"Host.{module}" if module.startswith("Microsoft.PowerShell.") else module


def allowlist() -> dict[str, str]:
    """The cmdlets of all versions: hvctl sends its list before it knows which one answers."""
    found: dict[str, str] = {}
    for facts in map(contract, VERSIONS):
        found |= {name: module_name(facts.module_of(name)) for name in facts.cmdlets}
    return found


def description(os: OS) -> dict[str, Any]:
    facts = contract(os)
    modules: dict[str, list[Any]] = {}
    for name in facts.cmdlets:
        cmdlet = facts.cmdlet(name)
        assert cmdlet is not None
        modules.setdefault(module_name(cmdlet.module), []).append(_cmdlet(facts, cmdlet))
    groups = ("host", "extras", "failoverclusters", "hyper-v")
    enums = {e.full_name: e for group in groups for e in facts.enums_of(group).values()}
    return {
        "enums": [_enum(e) for e in enums.values() if not e.full_name.startswith("System.")],
        "classes": list(_classes(facts)),
        "modules": modules,
    }


def _cmdlet(facts: Contract, cmdlet: Cmdlet) -> dict[str, Any]:
    verb, _, noun = cmdlet.name.partition("-")
    default = cmdlet.default_set
    return {
        "verb": verb,
        "noun": noun,
        "class": class_of(cmdlet.name, facts.os in _MODULE_2),
        "default": default if default != "__AllParameterSets" else None,
        "impact": cmdlet.impact or ("Medium" if "WhatIf" in cmdlet.params else None),
        "function": cmdlet.function,
        "params": [_parameter(facts, cmdlet, p) for p in cmdlet.params.values() if p.name not in ("WhatIf", "Confirm")],
    }


def _parameter(facts: Contract, cmdlet: Cmdlet, p: Parameter) -> dict[str, Any]:
    enum = facts.enums_of(cmdlet.group).get(p.element)
    whole = enum is not None and set(p.values) >= set(enum.members)
    return {
        "name": p.name,
        "type": _type_name(facts, cmdlet, p.element) + ("[]" if p.type.endswith("[]") else ""),
        "nullable": p.nullable,
        "sets": [
            {
                "set": name,
                "mandatory": m.mandatory,
                "position": m.position,
                "value": "value" in m.pipeline,
                "property": "property" in m.pipeline,
            }
            for name, m in p.sets.items()
        ],
        "aliases": list(p.aliases),
        "values": [] if whole else list(p.values),
        "range": list(p.range) if p.range else None,
        "reject": p.reject,
        "allow": ["".join(word.capitalize() for word in a.split("_")) for a in sorted(p.allow)],
        "ps_type": p.ps_type,
    }


def _type_name(facts: Contract, cmdlet: Cmdlet, name: str) -> str:
    named = facts.enums_of(cmdlet.group).get(name) or facts.classes.get(name)
    return named.full_name if named else _NET.get(name, name)


def _enum(enum: Enum) -> dict[str, Any]:
    numbers = {m: enum.number.get(m, _UNNUMBERED + n) for n, m in enumerate(enum.members)}
    return {"name": enum.full_name, "flags": enum.flags, "members": [[m, n] for m, n in numbers.items()]}


def _classes(facts: Contract) -> Iterator[Mapping[str, str | None]]:
    """Each after its base; with those that objects are of though no parameter names them."""
    done: set[str] = set()

    def full_name(name: str | None) -> str | None:
        known = facts.classes.get(name or "")
        return known.full_name if known else f"{_HYPERV}{name}" if name in BASES else None

    def visit(name: str) -> Iterator[Mapping[str, str | None]]:
        if name in done:
            return
        done.add(name)
        known = facts.classes.get(name)
        base = BASES.get(name) or (known.base if known else None)
        if base is not None and full_name(base):
            yield from visit(base)
        yield {"name": full_name(name), "base": full_name(base)}

    for name in (*facts.classes, *BASES):
        yield from visit(name)
