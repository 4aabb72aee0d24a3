"""Whose a VM is: by variables of the inventory, or by what stands in its notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hvctl.config.inventory import Host, Inventory
from hvctl.config.overlay import NOTHING, Overlay
from hvctl.config.template import render
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import Document

OF_HOST, OF_VMS = "hvctl_owner", "hvctl_vm_owners"
_NOTED = re.compile(r"^\s*owner\s*[:=]\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Owners:
    """`vms`: by the name of a VM, without case. `host`: of those that nothing else says anything of."""

    host: str = ""
    vms: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str, notes: str) -> str:
        """What whoever runs the hosts says, then what the VM says of itself in a line `owner: …` of its notes."""
        noted = _NOTED.search(notes)
        return self.vms.get(name.casefold()) or (noted[1] if noted else "") or self.host


def owners_by_host(inventory: Inventory, hosts: Iterable[Host], over: Overlay = NOTHING) -> dict[str, Owners]:
    """Raises ConfigError with what is wrong of any of them."""
    found: dict[str, Owners] = {}
    problems: list[Diagnostic] = []
    for host in hosts:
        try:
            found[host.name] = owners_of(inventory, host, over)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return found


def owners_of(inventory: Inventory, host: Host, over: Overlay = NOTHING) -> Owners:
    """Raises ConfigError for variables that cannot be."""
    given = Overlay(host.variables, host.marks).under(over)
    own = {n: v for n, v in given.values.items() if n in (OF_HOST, OF_VMS)}
    if not own:
        return Owners()
    document = Document(None, {(n,): m for n, m in given.marks.items()}, {}, inventory.file)
    found = render(own, inventory.variables(host, over.values), document)
    problems: list[Diagnostic] = []
    owner = found.get(OF_HOST)
    if owner is not None and not _is_name(owner):
        problems.append(Diagnostic(given.marks.get(OF_HOST), f"{OF_HOST} is not a name", f"write `{OF_HOST}: sales`"))
    vms = found.get(OF_VMS) or {}
    if not isinstance(vms, dict) or not all(_is_name(v) for v in vms.values()):
        hint = f"write `{OF_VMS}: {{web01: sales, web02: research}}`"
        problems.append(Diagnostic(given.marks.get(OF_VMS), f"{OF_VMS} is not a mapping of VMs to owners", hint))
    if problems:
        raise ConfigError(problems)
    return Owners(str(owner or "").strip(), {str(vm).casefold(): str(who).strip() for vm, who in vms.items()})


def _is_name(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip())
