"""The UEFI firmware of a generation 2 VM: secure boot and the boot order (domain 5.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator

from hvctl.call import Call, Ref, Row, Value
from hvctl.contract import OS
from hvctl.facts import Facts
from hvctl.kinds._drives import DISKS, DVDS, Slot
from hvctl.kinds._types import ON_OFF, Flag, Words
from hvctl.kinds._vm import VMS, VmPart, generation, vm_ref
from hvctl.resource import Address, Change, Finding, HeldBackError, Plain, Setting, State, Step, properties

TEMPLATES = Words(
    microsoft_windows="MicrosoftWindows",
    microsoft_uefi_certificate_authority="MicrosoftUEFICertificateAuthority",
    open_source_shielded_vm="OpenSourceShieldedVM",
)
PROTOCOLS = Words(ipv4="IPv4", ipv6="IPv6")
CONSOLES = Words(default="Default", com1="COM1", com2="COM2", none="None")

_BOOT_ORDER = (
    "BootOrder[BootType,FirmwarePath,Device.ControllerNumber,Device.ControllerLocation,Device.Name,Device.IsDeleted]"
)
_NETWORK = re.compile(r"^network\s+(.+)$", re.IGNORECASE)


def _entry(text: str) -> str:
    if match := _NETWORK.match(text.strip()):
        return f"network {match[1].strip()}"
    if not text.strip().casefold().startswith("scsi"):
        raise ValueError(
            f"{text!r} is nothing to boot from; write scsi 0:0 for a drive or `network NAME` for an adapter"
        )
    return str(Slot.at(text))


def _once(value: list[str] | None) -> list[str] | None:
    folded = [v.casefold() for v in value or ()]
    if len(set(folded)) != len(folded):
        raise ValueError("an entry stands twice; name each device once")
    return value


class _Order(Plain):
    """The wanted devices come first, in their order. Entries of files, which the guest adds again by itself, do not
    count, and what else there is may follow (domain 5.4)."""

    def same(self, now: Any, wanted: Any) -> bool:
        devices = [str(n).casefold() for n in now if n != "file"]
        return devices[: len(wanted)] == [str(w).casefold() for w in wanted]


class Firmware(VmPart):
    """Generation 2 only. `boot_order` lists what comes first: `scsi 0:0` for a drive, `network NAME` for an adapter;
    other devices keep their order behind it."""

    kind: ClassVar[str] = "firmware"
    section: ClassVar[str] = "firmware"
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
        Setting(_BOOT_ORDER, "BootOrder", _Order(), off=True),
    ] = None

    def queries(self) -> tuple[Call, ...]:
        return (*super().queries(), DISKS, DVDS)

    def rules(self, os: OS) -> Iterator[Finding]:
        if (getattr(self.vm, "generation", None) or 2) == 1:
            yield Finding("", "a generation 1 VM has no UEFI firmware", "write a bios section instead")

    def requires(self) -> tuple[Address, ...]:
        found: list[Address] = []
        for entry in self.boot_order or ():
            if match := _NETWORK.match(entry):
                found.append(("network_adapter", self.vm.key(), match[1]))
            else:
                found += [("disk", self.vm.key(), entry), ("dvd", self.vm.key(), entry)]
        return tuple(found)

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

    def findings(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        yield from super().findings(changes, facts)
        known = {name.casefold() for name in (*self._wished(), *self._there(facts))}
        for entry in self.boot_order or ():
            if entry.casefold() not in known:
                yield Finding("boot_order", f"{self.vm.key()} has no {entry}", "write a device that it has")

    def _wished(self) -> list[str]:
        """Devices that the playbook gives the VM."""
        found = []
        for part in self.vm.parts:
            if part.absent:
                continue
            if part.kind in ("disk", "dvd") and part.key().startswith("scsi"):
                found.append(part.key())
            elif part.kind == "network_adapter":
                found.append(f"network {part.key()}")
        return found

    def _there(self, facts: Facts) -> list[str]:
        rows = self.rows(facts) if self.vm_row(facts) else ()
        return [n for row in rows for n in self._order(row) if n != "file"]

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        return super().arguments(tuple(c for c in changes if c.field != "boot_order"))

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        vm = vm_ref(self.vm.key(), facts)
        params: dict[str, Any] = {"VM": vm, **self.arguments(changes)}
        if any(c.field == "boot_order" for c in changes):
            # The list is replaced whole and what is left out vanishes, so all devices are named (domain 5.4).
            gone = {f"network {p.key()}".casefold() if p.kind == "network_adapter" else p.key().casefold()
                    for p in self.vm.parts if p.absent}  # fmt: skip
            names = [*(self.boot_order or ()), *self._there(facts), *self._wished()]
            kept = {n.casefold(): n for n in reversed(names) if n.casefold() not in gone}
            order = list(dict.fromkeys(n.casefold() for n in names if n.casefold() in kept))
            params["BootOrder"] = [self._device(kept[n], vm, facts) for n in order]
        if len(params) > 1:
            yield self.step(self.setter, params, f"set the firmware of {self.vm.key()}", changes, facts)

    def _device(self, name: str, vm: Ref, facts: Facts) -> Ref:
        if match := _NETWORK.match(name):
            return Ref(Call("Get-VMNetworkAdapter", {"VM": vm}), {"Name": match[1]})
        slot = Slot.at(name)
        noun = "VMDvdDrive" if self._is_dvd(slot, facts) else "VMHardDiskDrive"
        where: dict[str, Any] = {"ControllerNumber": slot.number, "ControllerLocation": slot.location}
        return Ref(Call(f"Get-{noun}", {"VM": vm}), {"ControllerType": slot.type, **where})

    def _is_dvd(self, slot: Slot, facts: Facts) -> bool:
        wished = {p.kind for p in self.vm.parts if p.kind in ("disk", "dvd") and p.key() == str(slot) and not p.absent}
        if wished:
            return wished == {"dvd"}
        vm = self.vm_row(facts)
        rows: Sequence[Row] = facts.of_key(DVDS, "VMId", vm["Id"]) if vm else ()
        return any((r["ControllerNumber"], r["ControllerLocation"]) == (slot.number, slot.location) for r in rows)


def _named(source: Row) -> str:
    if source.get("Device.ControllerLocation") is not None:
        return f"scsi {source['Device.ControllerNumber']}:{source['Device.ControllerLocation']}"
    if source.get("BootType") == "Network" and source.get("Device.Name"):
        return f"network {source['Device.Name']}"
    return "file"


Firmware.query = Call(
    "Get-VMFirmware",
    {"VM": Ref(VMS, {"Generation": 2}, many=True)},
    select=properties(Firmware, "VMId"),
)
