"""The target: what resources will be when everything allowed and possible is done; the desired state less what is held
back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hvctl.core.resource import Index, Resource
from hvctl.text.address import Address

WHOLE = ""
"""Among the fields of an address: nothing of the resource is changed."""


@dataclass(frozen=True)
class Held:
    """What is held back, by address. `missing`: resources that do not exist and are not created."""

    fields: Mapping[Address, frozenset[str]] = field(default_factory=dict)
    missing: frozenset[Address] = frozenset()


def targets_of(unit: Mapping[str, Index], held: Held, *, linked: bool) -> dict[str, Index]:
    """By host, the targets of hosts that are planned as one; they know each other where one rests on another (`linked`)."""
    found = {host: targets(desired, held) for host, desired in unit.items()}
    if not linked:
        return found
    # What is desired is others' too, and knows no plan.
    found = {host: target.again() if target is unit[host] else target for host, target in found.items()}
    together = {host: (target, unit[host]) for host, target in found.items()}
    for target in found.values():
        target.unit = together
    return found


def targets(desired: Index, held: Held) -> Index:
    """Of each desired resource its target, in the same order: no other resource is judged by what is held back. A
    resource that is held back whole is what it was asked to be without a field."""
    if not any(held.fields.values()) and not held.missing:
        return desired
    return desired.mapped(
        lambda one, entry: replace(
            entry,
            resource=_less(one, held.fields.get(one.address(), frozenset())),
            there=entry.there and one.address() not in held.missing,
        )
    )


def _less(one: Resource, fields: frozenset[str]) -> Resource:
    if fields == {WHOLE}:
        fields = frozenset(one.wanted())  # what it is now is not known
    less = one.without(sorted(fields - {WHOLE}))
    if less.key() == one.key():
        return less
    # A file that takes the name of its source is known by both.
    return one.without(name for name in sorted(fields - {WHOLE}) if one.without([name]).key() == one.key())
