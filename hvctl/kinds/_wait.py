"""Waiting, after a start, until the guest says that it is there."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.call import Call, Ending, Guard, Matching, Wanted
from hvctl.core.changes import Step, finding
from hvctl.core.facts import Facts
from hvctl.kinds._machine import Machine
from hvctl.kinds._services import GUIDS
from hvctl.kinds._vm import vm_ref
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.duration import spoken

_ROUTED = r"(^| )(?!fe80:|169\.254\.)[0-9a-f]+[.:]"
"""An address, among those that an adapter has, which is not of its link alone: the first that a guest tells often are."""

_SERVICES = {"heartbeat": "heartbeat", "address": "key_value_pair_exchange"}
"""Which integration service tells it (domain 9.1, 11.1)."""


def awaited(vm: Machine, facts: Facts, needs: tuple[Step, ...] = ()) -> Iterator[Step]:
    """After the steps that start it."""
    if vm.wait_for is None:
        return
    name, limit = vm.key(), vm.wait_timeout
    if vm.wait_for == "heartbeat":
        call = Call("Get-VMIntegrationService", {"VM": vm_ref(vm, facts)})
        where: dict[str, Wanted] = {"Id": Ending(f"\\{GUIDS['heartbeat']}"), "PrimaryOperationalStatus": "Ok"}
        unmet, text = f"{name} gave no sign of life within {spoken(limit)}", f"wait for the heartbeat of {name}"
    else:
        call = Call("Get-VMNetworkAdapter", {"VM": vm_ref(vm, facts)}, select=("IPAddresses[]",))
        where = {"IPAddresses": Matching(_ROUTED)}
        unmet, text = f"{name} told no address within {spoken(limit)}", f"wait for an address of {name}"
    guard = Guard(call, where, 1, 99, wait_s=limit, unmet=unmet)
    yield Step(call, text, ("wait_for",), needs=needs, when="up", guard=guard)


def rules(vm: Machine) -> Iterator[Diagnostic]:
    if vm.wait_for is None:
        return
    if vm.state in ("off", "saved"):
        yield finding(
            "wait_for", f"a VM that is to be {vm.state} says nothing", "leave it out, or write `state: running`"
        )
    service = _SERVICES[vm.wait_for]
    if any(getattr(part, service, None) is False for part in vm.parts):
        what = service.replace("_", " ")
        yield finding("wait_for", f"the playbook switches the {what} of {vm.key()} off, which tells it", "write it on")
    if vm.wait_for == "address" and not any(p.kind == "network_adapter" for p in vm.parts) and vm.generation:
        hint = "write its network_adapters, or wait for the heartbeat"
        yield finding("wait_for", f"the playbook gives {vm.key()} no network adapter", hint, "warning")
