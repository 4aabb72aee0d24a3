"""The BIOS of a generation 1 VM (domain 5.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from hvctl.call import Call, Ref, Value
from hvctl.contract import OS
from hvctl.core.changes import Change, HeldBackError, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Setting, properties
from hvctl.core.values import Plain, State
from hvctl.kinds._types import Flag, Words
from hvctl.kinds._vm import VMS, VmPart, generation
from hvctl.text.diagnostic import Diagnostic

DEVICES = Words(cd="CD", ide="IDE", legacy_network_adapter="LegacyNetworkAdapter", floppy="Floppy")


class _Order(Plain):
    def read(self, value: Any) -> Any:
        return [DEVICES.read(v) for v in value or ()]

    def write(self, value: Any) -> Value:
        return [DEVICES.write(v) for v in value]


def _all_four(value: list[str]) -> list[str]:
    if sorted(value) != sorted(DEVICES.names):
        raise ValueError(
            f"a boot order names all four devices once each; write {', '.join(DEVICES.names)} in your order"
        )
    return value


class Bios(VmPart):
    """Generation 1 only. `boot_order` names all four devices, once each."""

    kind: ClassVar[str] = "bios"
    section: ClassVar[str] = "bios"
    vital: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMBios"
    after: ClassVar[tuple[str, ...]] = ("disk", "dvd", "network_adapter")
    odd: ClassVar[frozenset[str]] = frozenset({"num_lock"})
    usual: ClassVar[Mapping[str, Any]] = {
        "boot_order": ["cd", "ide", "legacy_network_adapter", "floppy"],
        "num_lock": False,
    }  # domain 5.4

    boot_order: Annotated[
        list[Annotated[str, DEVICES]] | None,
        AfterValidator(lambda v: v if v is None else _all_four(v)),
        Setting("StartupOrder[]", "StartupOrder", codec=_Order(), off=True),
    ] = None
    num_lock: Annotated[Flag | None, Setting("NumLockEnabled", off=True)] = None

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if self.vm.generation == 2:
            yield finding("", "a generation 2 VM has no BIOS", "write a firmware section instead")

    def actual(self, facts: Facts) -> State | None:
        row = self.vm_row(facts)
        if row is not None and generation(row) == 2:
            raise HeldBackError(
                f"{self.vm.key()} is of generation 2 and has no BIOS", "write a firmware section instead"
            )
        return super().actual(facts)

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for change in changes:
            if change.field == "boot_order":
                found["StartupOrder"] = [DEVICES.write(v) for v in change.wanted]
            else:
                found["EnableNumLock" if change.wanted else "DisableNumLock"] = True
        return found


# Of all generation 1 VMs; Windows Server 2012 has no generations, so every VM is one.
Bios.query = Call(
    "Get-VMBios",
    {"VM": Ref(VMS, {"Generation": 1}, many=True, lenient=True)},
    select=properties(Bios, "VMId"),
)
