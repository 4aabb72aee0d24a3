"""The UEFI firmware of a generation 2 VM: secure boot and the boot order (domain 5.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from hvctl.call import Call, Ref, Row, Value
from hvctl.contract import OS
from hvctl.facts import Facts, UnreadableError
from hvctl.kinds._drives import DISKS, DVDS, Slot
from hvctl.kinds._types import ON_OFF, Flag, Words
from hvctl.kinds._vm import VMS, VmPart, generation, vm_ref
from hvctl.resource import (
    Address,
    Change,
    Finding,
    HeldBackError,
    Plain,
    Resource,
    Setting,
    State,
    Step,
    properties,
)
from hvctl.visible import quoted

TEMPLATES = Words(
    microsoft_windows="MicrosoftWindows",
    microsoft_uefi_certificate_authority="MicrosoftUEFICertificateAuthority",
    open_source_shielded_vm="OpenSourceShieldedVM",
)
PROTOCOLS = Words(ipv4="IPv4", ipv6="IPv6")
CONSOLES = Words(default="Default", com1="COM1", com2="COM2", none="None")


def _security(name: str) -> Call:
    """Of the VM of a name: what it answers does not say which VM it is of."""
    return Call("Get-VMSecurity", {"VM": Ref(VMS, {"Name": name}, many=True)}, select=("TpmEnabled",))


_BOOT_ORDER = "BootOrder[BootType,Device.ControllerNumber,Device.ControllerLocation,Device.Name]"
_FILE = "file"
_NETWORK = re.compile(r"^network\s+(.+)$", re.IGNORECASE)


def _entry(text: str) -> str:
    if match := _NETWORK.match(text.strip()):
        return f"network {match[1].strip()}"
    if not text.strip().casefold().startswith("scsi"):
        raise ValueError(
            f"{quoted(text)} is nothing to boot from; write scsi 0:0 for a drive or `network NAME` for an adapter"
        )
    return str(Slot.at(text))


def _once(value: list[str] | None) -> list[str] | None:
    folded = [v.casefold() for v in value or ()]
    if len(set(folded)) != len(folded):
        raise ValueError("an entry stands twice; name each device once")
    return value


class _Order(Plain):
    """The wanted devices come first, in their order. Entries of files belong to the guest, which writes them by
    itself, and do not count; what else there is may follow (domain 5.4)."""

    def same(self, now: Any, wanted: Any) -> bool:
        devices = [str(n).casefold() for n in now if n != _FILE]
        return devices[: len(wanted)] == [str(w).casefold() for w in wanted]


class Firmware(VmPart):
    """Generation 2 only. `boot_order` lists what comes first: `scsi 0:0` for a drive, `network NAME` for an adapter;
    other devices, and the boot files that the guest has written there, keep their order behind it."""

    kind: ClassVar[str] = "firmware"
    section: ClassVar[str] = "firmware"
    vital: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMFirmware"
    after: ClassVar[tuple[str, ...]] = ("disk", "dvd", "network_adapter")

    secure_boot: Annotated[Flag | None, Setting("SecureBoot", "EnableSecureBoot", ON_OFF, off=True)] = None
    secure_boot_template: Annotated[str | None, TEMPLATES, Setting("SecureBootTemplate", codec=TEMPLATES, off=True)] = (
        None
    )
    preferred_network_boot_protocol: Annotated[
        str | None, PROTOCOLS, Setting("PreferredNetworkBootProtocol", codec=PROTOCOLS, off=True)
    ] = None
    console_mode: Annotated[str | None, CONSOLES, Setting("ConsoleMode", codec=CONSOLES, off=True)] = None
    pause_after_boot_failure: Annotated[Flag | None, Setting("PauseAfterBootFailure", codec=ON_OFF, off=True)] = None
    boot_order: Annotated[
        list[Annotated[str, AfterValidator(_entry)]] | None,
        AfterValidator(_once),
        Setting(_BOOT_ORDER, "FirstBootDevice", _Order(), off=True),
    ] = None

    def queries(self) -> tuple[Call, ...]:
        names = (
            (self.vm.key(), *getattr(self.vm, "previous_names", ())) if self.secure_boot_template is not None else ()
        )
        return (*super().queries(), DISKS, DVDS, *(_security(name) for name in names))

    def rules(self, os: OS) -> Iterator[Finding]:
        if (getattr(self.vm, "generation", None) or 2) == 1:
            yield Finding("", "a generation 1 VM has no UEFI firmware", "write a bios section instead")
        for n, entry in enumerate(self.boot_order or ()):
            part = self._part(entry)
            if part is not None and part.absent:
                yield Finding(f"boot_order.{n}", f"{entry} is to be absent", "take it out of the boot order")

    def requires(self) -> tuple[Address, ...]:
        parts = (self._part(entry) for entry in self.boot_order or ())
        return tuple(part.address() for part in parts if part is not None)

    def _part(self, entry: str) -> Resource | None:
        """The section of the playbook that describes what an entry names."""
        found = [p for p in self.vm.parts if _entry_of(p).casefold() == entry.casefold()]
        return min(found, key=lambda p: p.absent, default=None)

    def actual(self, facts: Facts) -> State | None:
        row = self.vm_row(facts)
        if row is not None and generation(row) == 1:
            raise HeldBackError(f"{self.vm.key()} is of generation 1 and has no UEFI", "write a bios section instead")
        found = super().actual(facts)
        if found is None or "boot_order" not in found:
            return found
        return {**found, "boot_order": self._order(self.rows(facts)[0])}

    def _order(self, row: Row) -> list[str]:
        return [_named(source) for source in row[_BOOT_ORDER] or ()]

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        """The boot order as it will be, with what follows the wanted devices."""
        return tuple(
            replace(c, wanted=[*c.wanted, *(n for n in c.now if n.casefold() not in {w.casefold() for w in c.wanted})])
            if c.field == "boot_order" and isinstance(c.now, list)
            else c
            for c in super().changes(actual, facts)
        )

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "secure_boot_template" and self._tpm(facts) is None:
            return "Hyper-V refuses this once the VM's virtual TPM has been initialised"  # domain 5.4
        return ""

    def _tpm(self, facts: Facts) -> bool | None:
        """Whether the VM has a virtual TPM; None if that is not known."""
        row = self.vm_row(facts)
        if row is None:
            return False
        names = (self.vm.key(), *getattr(self.vm, "previous_names", ()))
        name = next(n for n in names if n.casefold() == str(row["Name"]).casefold())
        try:
            rows = facts.rows(_security(name))
        except UnreadableError:
            return None
        return bool(rows[0]["TpmEnabled"]) if rows else None

    def findings(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        yield from super().findings(changes, facts)
        if self.vm_row(facts) is None and getattr(self.vm, "generation", None) != 2:
            yield Finding("", f"{self.vm.key()} is made as generation 1, which has no UEFI", "write generation: 2")
        if any(c.field == "secure_boot_template" for c in changes) and self._tpm(facts):
            # The same value fails too (domain 5.4).
            text = f"{self.vm.key()} has a virtual TPM, which fixes the template from its first start on"
            yield Finding("secure_boot_template", text, "leave the template as it is")
        if not any(c.field == "boot_order" for c in changes):
            return
        there = [name.casefold() for name in self._there(facts)]
        for entry in self.boot_order or ():
            if entry.casefold() not in there and self._part(entry) is None:
                yield Finding("boot_order", f"{self.vm.key()} has no {entry}", "write a device that it has")
            elif there.count(entry.casefold()) > 1:
                yield Finding("boot_order", f"{self.vm.key()} has more than one {entry}", "rename one of them")

    def _there(self, facts: Facts) -> list[str]:
        """The devices of the boot order as it is; a VM that is made has none yet."""
        rows = self.rows(facts) if self.vm_row(facts) else ()
        return [n for row in rows for n in self._order(row) if n != _FILE]

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        return super().arguments(tuple(c for c in changes if c.field != "boot_order"))

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """One call with the settings, and one for each device that must come to the front. -BootOrder would take
        the whole list and drop what is not named: the guest's files, and what came since (domain 5.4)."""
        vm = vm_ref(self.vm, facts)
        text = f"set the firmware of {self.vm.key()}"
        plain = tuple(c for c in changes if c.field != "boot_order")
        order = tuple(c for c in changes if c.field == "boot_order")
        earlier: tuple[Step, ...] = ()
        if arguments := self.arguments(plain):
            yield self.step(self.setter, {"VM": vm, **arguments}, text, plain, facts)
        for entry in self._moves(facts) if order else ():
            params = {"VM": vm, "FirstBootDevice": self._device(entry, vm, facts)}
            step = self.step(
                self.setter, params, f"boot {self.vm.key()} from {entry} first", order, facts, needs=earlier
            )
            yield step
            earlier = (*earlier, step)

    def _moves(self, facts: Facts) -> list[str]:
        """What must be put first, one after the other: not the end of the wish that is in its order already."""
        wanted = list(self.boot_order or ())
        there = self._there(facts)
        for n in range(len(wanted)):
            front = [w.casefold() for w in wanted[:n]]
            rest = [t.casefold() for t in there if t.casefold() not in front]
            tail = [w.casefold() for w in wanted[n:]]
            if rest[: len(tail)] == tail:
                return wanted[:n][::-1]
        return wanted[::-1]

    def _device(self, name: str, vm: Ref, facts: Facts) -> Ref:
        if match := _NETWORK.match(name):
            return Ref(Call("Get-VMNetworkAdapter", {"VM": vm}), {"Name": match[1]})
        slot = Slot.at(name)
        noun = "VMDvdDrive" if self._is_dvd(slot, facts) else "VMHardDiskDrive"
        return Ref(Call(f"Get-{noun}", {"VM": vm}), slot.where)

    def _is_dvd(self, slot: Slot, facts: Facts) -> bool:
        part = self._part(str(slot))
        if part is not None:
            return part.kind == "dvd"
        vm = self.vm_row(facts)
        rows: Sequence[Row] = facts.of_key(DVDS, "VMId", vm["Id"]) if vm else ()
        return any((r["ControllerNumber"], r["ControllerLocation"]) == (slot.number, slot.location) for r in rows)


def _entry_of(part: Resource) -> str:
    """How the boot order names a part of the VM; "" for what it cannot name."""
    if part.kind in ("disk", "dvd"):
        return part.key()
    return f"network {part.key()}" if part.kind == "network_adapter" else ""


def _named(source: Row) -> str:
    if source.get("Device.ControllerLocation") is not None:
        return f"scsi {source['Device.ControllerNumber']}:{source['Device.ControllerLocation']}"
    if source.get("BootType") == "Network" and source.get("Device.Name"):
        return f"network {source['Device.Name']}"
    return _FILE


Firmware.query = Call(
    "Get-VMFirmware",
    {"VM": Ref(VMS, {"Generation": 2}, many=True)},
    select=properties(Firmware, "VMId"),
)
