"""The target: what resources will be when everything allowed and possible is done; the desired state less what is held
back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hvctl.core.resource import Address, Resource

WHOLE = ""
"""Among the fields of an address: nothing of the resource is changed."""


@dataclass(frozen=True)
class Held:
    """What is held back, by address. `missing`: resources that do not exist and are not created."""

    fields: Mapping[Address, frozenset[str]] = field(default_factory=dict)
    missing: frozenset[Address] = frozenset()


def targets(desired: Sequence[Resource], held: Held) -> tuple[Resource, ...]:
    """Of each desired resource its target, in the same order, linked with each other's targets: no other resource is
    judged by what is held back. A resource that is held back whole is what it was asked to be without a field."""
    if not any(held.fields.values()) and not held.missing:
        return tuple(desired)
    copies = {id(one): _less(one, held.fields.get(one.address(), frozenset())) for one in desired}
    there = {key for key, one in ((id(d), d) for d in desired) if one.address() not in held.missing}
    for one in desired:
        copies[id(one)].relinked(
            one.owner if one.owner is None else copies.get(id(one.owner), one.owner),
            tuple(copies[id(p)] for p in one.parts if id(p) in there),
            tuple(copies[id(p)] for p in one.peers if id(p) in there),
        )
    return tuple(copies[id(one)] for one in desired)


def _less(one: Resource, fields: frozenset[str]) -> Resource:
    if fields == {WHOLE}:
        fields = frozenset(one.wanted())  # what it is now is not known
    return one.without(sorted(fields - {WHOLE}))
