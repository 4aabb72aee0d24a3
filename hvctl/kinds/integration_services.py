"""Which integration services a VM is offered (domain 11.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from hvctl.call import Call
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Setting
from hvctl.core.values import UNKNOWN, State
from hvctl.kinds._services import GUIDS, SERVICES, guid_of, service_ref
from hvctl.kinds._types import Flag
from hvctl.kinds._vm import VmPart, vm_ref
from hvctl.text.diagnostic import Diagnostic


class IntegrationServices(VmPart):
    """Host-side switches of the integration services. The guest's own service must run as well."""

    kind: ClassVar[str] = "integration_services"
    section: ClassVar[str] = "integration_services"
    query: ClassVar[Call] = SERVICES
    after: ClassVar[tuple[str, ...]] = ("disk", "network_adapter")
    odd: ClassVar[frozenset[str]] = frozenset(GUIDS)
    usual: ClassVar[Mapping[str, Any]] = {name: name != "guest_service_interface" for name in GUIDS}  # domain 11.1

    guest_service_interface: Annotated[Flag | None, Setting("Enabled")] = None
    heartbeat: Annotated[Flag | None, Setting("Enabled")] = None
    key_value_pair_exchange: Annotated[Flag | None, Setting("Enabled")] = None
    shutdown: Annotated[Flag | None, Setting("Enabled")] = None
    time_synchronization: Annotated[Flag | None, Setting("Enabled")] = None
    vss: Annotated[Flag | None, Setting("Enabled")] = None

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if self.guest_service_interface is not None and not at_least(os, "2012r2"):
            yield finding(
                "guest_service_interface", f"{title(os)} has no Guest Service Interface", exists_from("2012r2")
            )

    def actual(self, facts: Facts) -> State | None:
        if self.vm_row(facts) is None:
            return None
        found = {guid_of(row["Id"]): bool(row["Enabled"]) for row in self.rows(facts)}
        # A component that the host does not list is not off: it was not read (domain 11.1, six components).
        return {name: found.get(GUIDS[name], UNKNOWN) for name in self.written()}

    def as_written(self, found: State, facts: Facts) -> State:
        new = "guest_service_interface"
        return found if at_least(facts.os, "2012r2") else {n: v for n, v in found.items() if n != new}

    def needs_off(self, field: str, now: Any, wanted: Any, facts: Facts) -> bool:
        return False  # the host's side is a switch of its own (domain 11.1)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if self.vm_row(facts) is None:
            return
        listed = {guid_of(row["Id"]) for row in self.rows(facts)}
        for name in self.written():
            if GUIDS[name] not in listed:
                yield finding(name, "the host does not list this service for the VM", "look at the host", "warning")

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        vm = vm_ref(self.vm, facts)
        for change in changes:
            verb = "Enable" if change.wanted else "Disable"
            call = Call(f"{verb}-VMIntegrationService", {"VMIntegrationService": service_ref(vm, change.field)})
            said = change.field.replace("_", " ")
            # Without the shutdown service the guest would not hear the request to shut down that other changes need.
            when: Literal["late", "normal"] = "late" if call.cmdlet.startswith("Disable") else "normal"
            yield Step(call, f"{verb.lower()} {said} of {self.vm.key()}", (change.field,), when=when)
