"""A VM as the host has it, as a playbook would say it: as plain data, and as a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from hvctl.call import Call
from hvctl.core.describe import listed
from hvctl.core.description import NOWHERE, describing
from hvctl.core.description import described as description
from hvctl.core.facts import Facts, UnclearError
from hvctl.core.resource import Entry, Index, Resource
from hvctl.kinds import kinds
from hvctl.kinds._machine import Machine
from hvctl.text.address import Address

SECTIONS = ("processor", "memory", "scsi_controllers", "disks", "dvds", "network_adapters", "integration_services")
"""What of a VM is described beside itself."""

_OF_THE_FILE = ("size", "type", "parent", "block_size", "logical_sector_size", "physical_sector_size")
"""Of a disk's file, which stays as it is."""


def classes() -> Mapping[str, type[Resource]]:
    """Of the sections, in the order in which they are written."""
    found = {kind.section: kind for kind in kinds() if kind.within == "vm"}
    return {section: found[section] for section in SECTIONS}


def firmware() -> type[Resource]:
    """What generation 2 has in the place of a BIOS."""
    return next(kind for kind in kinds() if kind.kind == "firmware")


def _bare(vm: Machine) -> Machine:
    return type(vm)(name=vm.name, previous_names=vm.previous_names)


def queries(vm: Machine) -> Iterator[Call]:
    """All that a description rests on, of all VMs of the host."""
    yield from describing((type(vm), *classes().values()), (_bare(vm),))


def described(vm: Machine, facts: Facts) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Plain data, as `vms:` takes it, and what is not in it. Raises UnreadableError where the host did not say all of it."""
    found = description((type(vm), *classes().values()), Index([Entry(_bare(vm), NOWHERE)]), facts)
    for address, omission in found.omitted:
        if omission.unread:
            text = _omission(address, omission.field, omission.why)
            raise UnclearError(text, "what cannot be read cannot be made anew: look at the host")
    left = tuple(_omission(address, omission.field, omission.why) for address, omission in found.omitted)
    data: dict[str, Any] = {}
    for one in found.index:
        own = listed(one.model_dump(exclude_unset=True))
        if one.owner is None:
            data = {name: value for name, value in own.items() if name not in ("previous_names", "generation")} | data
        elif type(one).many:
            data.setdefault(one.section, []).append(_without_file(own) if one.kind == "disk" else own)
        else:
            data[one.section] = own
    return {"name": vm.name, **data}, left


def _omission(address: Address, field: str, why: str) -> str:
    return f"{field.replace('_', ' ') or 'all'} of {address}: {why}"


def _without_file(disk: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in disk.items() if name not in _OF_THE_FILE}


def as_playbook(host: str, data: Mapping[str, Any]) -> str:
    play = [{"name": f"{data['name']} as it was", "hosts": host, "vms": [dict(data)]}]
    return str(yaml.safe_dump(play, sort_keys=False, allow_unicode=True, width=110))
