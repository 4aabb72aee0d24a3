"""The contract of a version, read from its data; cmdlets are made when they are first asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hvctl.contract.facts import EVERY, Answer, Class, Cmdlet, Enum, Membership, Parameter
from hvctl.contract.versions import OS
from hvctl.text.lazy import lazy

DATA = Path(__file__).parent / "data"


class Contract:
    """The contract of one version. Cmdlets are made when they are first asked for."""

    def __init__(self, os: OS, version: Mapping[str, Any], types: Mapping[str, Any]) -> None:
        self.os = os
        self._cmdlets = {name.lower(): (name, facts) for name, facts in version["cmdlets"].items()}
        self._undocumented = frozenset(name.lower() for name in version["undocumented"])
        self._common = {name: _common(name, alias) for name, alias in version["common"].items()}
        self._types = types
        self._made: dict[str, Cmdlet | None] = {}
        self._enums: dict[str, Mapping[str, Enum]] = {}

    def cmdlet(self, name: str) -> Cmdlet | None:
        """None where this version does not have it, or is not known to have it."""
        key = name.lower()
        if key not in self._made:
            self._made[key] = _cmdlet(*self._cmdlets[key], self._common) if key in self._cmdlets else None
        return self._made[key]

    def knows(self, name: str) -> Answer:
        """Absent is also what the trimmed contract says of a cmdlet that it does not keep (cmdlets.txt)."""
        if name.lower() in self._cmdlets:
            return "present"
        return "unknown" if name.lower() in self._undocumented else "absent"

    def module_of(self, cmdlet: str) -> str:
        """The real module's name. KeyError where this version does not have the cmdlet."""
        return str(self._cmdlets[cmdlet.lower()][1]["module"])

    @lazy
    def cmdlets(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._cmdlets.values())

    @lazy
    def classes(self) -> Mapping[str, Class]:
        """By short name. Properties are those of 2019 (failover clusters: 2022); older versions lack some."""
        found: dict[str, Class] = {}
        for module in self._types.values():
            for name, facts in module.get("classes", {}).items():
                found.setdefault(name, _class(name, facts))
        return MappingProxyType(found)

    @lazy
    def enums(self) -> Mapping[str, Enum]:
        """By short name; where two modules have an enum of that name, Hyper-V's. With the members that this version
        has; an enum that none of its parameters takes is as in 2019."""
        return {name: enum for module in reversed(tuple(self._types)) for name, enum in self.enums_of(module).items()}

    def enums_of(self, group: str) -> Mapping[str, Enum]:
        """The enums that the cmdlets of that group mean."""
        if group not in self._enums:
            self._enums[group] = _enums(self.os, self._types.get(group, {}))
        return self._enums[group]


@cache
def contract(os: OS) -> Contract:
    return Contract(os, json.loads((DATA / f"{os}.json").read_text("utf-8")), _types())


@cache
def _types() -> Mapping[str, Any]:
    types: Mapping[str, Any] = json.loads((DATA / "types.json").read_text("utf-8"))
    return types


def _cmdlet(name: str, facts: Mapping[str, Any], common: Mapping[str, Parameter]) -> Cmdlet:
    function = facts.get("function", False)
    return Cmdlet(
        name=name,
        module=facts["module"],
        group=facts["group"],
        params={key: _parameter(key, fact, function) for key, fact in facts["params"].items()},
        sets=tuple(facts["sets"]),
        default_set=facts.get("default_set"),
        outputs=tuple(facts.get("outputs", ())),
        impact=facts.get("impact", ""),
        function=function,
        undocumented=frozenset(p.lower() for p in facts.get("undocumented_params", ())),
        common={key: p for key, p in common.items() if key not in facts["params"]},
    )


def _parameter(name: str, fact: Mapping[str, Any], function: bool) -> Parameter:
    low_high = fact.get("range")
    return Parameter(
        name=name,
        type=fact["type"],
        sets={key: Membership(**membership) for key, membership in fact["sets"].items()},
        aliases=tuple(fact.get("aliases", ())),
        values=tuple(fact.get("values", ())),
        range=(low_high[0], low_high[1]) if low_high else None,
        nullable=fact.get("nullable", False),
        reject=fact.get("reject", ""),
        allow=frozenset(fact.get("allow", ())),
        ps_type=fact.get("ps_type", ""),
        wildcard=fact.get("wildcard", False),
        dynamic="dynamic" in fact,
        # The engine adds WhatIf and Confirm to a function and converts them itself.
        function=function and name not in ("WhatIf", "Confirm"),
    )


def _common(name: str, alias: str) -> Parameter:
    kind = {"Debug": "SwitchParameter", "Verbose": "SwitchParameter", "OutBuffer": "Int32"}.get(name, "String")
    return Parameter(
        name=name,
        type="ActionPreference" if name.endswith("Action") else kind,
        sets={EVERY: Membership()},
        aliases=(alias,),
        range=(0, 2**31 - 1) if name == "OutBuffer" else None,
        common=True,
    )


def _class(name: str, facts: Mapping[str, Any]) -> Class:
    return Class(
        name, facts["namespace"], facts["properties"], base=facts.get("base", ""), opaque=facts.get("opaque", False)
    )


def _enums(os: OS, module: Mapping[str, Any]) -> Mapping[str, Enum]:
    accepted = module.get("accepted_by_os", {})
    numbered = module.get("enums", {})
    return {
        name: _enum(os, name, numbered.get(name, {}), accepted.get(name, {})) for name in (*numbered, *accepted)
    } | {"ActionPreference": ACTION_PREFERENCE}


def _enum(os: OS, name: str, facts: Mapping[str, Any], accepted: Mapping[str, Any]) -> Enum:
    """A member that a parameter accepts on some version, and none on this one, came or went with that version."""
    numbers = facts.get("values", {})
    here = accepted.get(os, ())
    elsewhere = {member for members in accepted.values() for member in members} if here else set()
    members = [member for member in numbers if member in here or member not in elsewhere]
    members += [member for member in here if member not in numbers]
    return Enum(
        name,
        tuple(members),
        {member: numbers[member] for member in members if member in numbers},
        flags=facts.get("flags", False),
        namespace=facts.get("namespace", ""),
    )


# System.Management.Automation.ActionPreference
_PREFERENCES = {"SilentlyContinue": 0, "Stop": 1, "Continue": 2, "Inquire": 3, "Ignore": 4, "Suspend": 5}
ACTION_PREFERENCE = Enum(
    "ActionPreference", tuple(_PREFERENCES), _PREFERENCES, namespace="System.Management.Automation"
)
