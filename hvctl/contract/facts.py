"""What the contract says: cmdlets with their parameters and sets, classes and enums, per version of Windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from hvctl.text.lazy import lazy

Answer = Literal["present", "absent", "unknown"]
"""Unknown: the real module of another version has it, and the pages of this version do not mention it."""

EVERY = "*"
"""Stands for every set of the cmdlet."""


@dataclass(frozen=True)
class Membership:
    """How a parameter takes part in a set. `pipeline` is "", "value", "property" or "value,property"."""

    mandatory: bool = False
    position: int | None = None
    pipeline: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter. `type` is the short .NET name, `[]` for arrays; `function`: converted as functions do it."""

    name: str
    type: str
    sets: Mapping[str, Membership]
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    range: tuple[int, int] | None = None
    nullable: bool = False
    reject: Literal["", "null", "null_or_empty"] = ""
    allow: frozenset[str] = frozenset()
    ps_type: str = ""
    wildcard: bool = False
    dynamic: bool = False
    common: bool = False
    function: bool = False

    @lazy
    def element(self) -> str:
        """The type without `[]`."""
        return self.type.removesuffix("[]")

    @property
    def is_array(self) -> bool:
        return self.type.endswith("[]") or self.type == "StringCollection"

    @lazy
    def mandatory_somewhere(self) -> bool:
        return any(membership.mandatory for membership in self.sets.values())

    def membership(self, name: str) -> Membership | None:
        """Its part in that set, also where it is declared for every set."""
        return self.sets.get(name) or self.sets.get(EVERY)


def _by_name(parameters: Iterable[Parameter]) -> Mapping[str, Parameter]:
    return {key.lower(): p for p in parameters for key in (p.name, *p.aliases)}


@dataclass(frozen=True)
class Class:
    """A .NET class that cmdlets return and take. A property's type ends in `?` where it may be null."""

    name: str
    namespace: str
    properties: Mapping[str, str]
    base: str = ""
    opaque: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.namespace}.{self.name}"


@dataclass(frozen=True)
class Enum:
    """A .NET enum: the members that this version has. `number` lacks those whose number is not known."""

    name: str
    members: tuple[str, ...]
    number: Mapping[str, int]
    flags: bool = False
    namespace: str = ""

    @property
    def full_name(self) -> str:
        """Nested classes are written with a plus."""
        return f"{self.namespace}.{self.name.replace('.', '+')}" if self.namespace else self.name

    @lazy
    def by_lower(self) -> Mapping[str, str]:
        return {member.lower(): member for member in self.members}


@dataclass(frozen=True)
class Cmdlet:
    """A cmdlet as one version has it. `module` is the real module's name, `group` the contract's folder.
    `function`: implemented as a function (CDXML), which converts arguments in another way."""

    name: str
    module: str
    group: str
    params: Mapping[str, Parameter]
    sets: tuple[str, ...]
    default_set: str | None
    outputs: tuple[str, ...] = ()
    impact: str = ""
    function: bool = False
    undocumented: frozenset[str] = frozenset()
    common: Mapping[str, Parameter] = field(default_factory=dict)

    @lazy
    def named(self) -> Mapping[str, Parameter]:
        """Its own and the common parameters by name and alias, lower case. Dynamic ones are not among them."""
        return _by_name(p for p in (*self.params.values(), *self.common.values()) if not p.dynamic)

    @lazy
    def mandatory(self) -> Mapping[str, tuple[tuple[str, bool, bool], ...]]:
        """Per set: the parameters it demands. Name, whether every set demands it, whether it may be piped in."""
        return {name: tuple(self._demanded(name)) for name in self.sets}

    def _demanded(self, name: str) -> Iterator[tuple[str, bool, bool]]:
        for p in self.params.values():
            membership = p.membership(name)
            if membership and membership.mandatory:
                yield p.name, name not in p.sets, bool(membership.pipeline)

    @lazy
    def dynamic(self) -> Mapping[str, Parameter]:
        return _by_name(p for p in self.params.values() if p.dynamic)

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of exactly that name or alias, without case."""
        return self.named.get(name.lower()) or self.dynamic.get(name.lower())

    def answer(self, parameter: str) -> Answer:
        if self.parameter(parameter):
            return "present"
        return "unknown" if parameter.lower() in self.undocumented else "absent"
