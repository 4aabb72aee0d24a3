"""The UEFI firmware of a generation 2 VM: secure boot and the boot order (domain 5.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from hvctl.call import Call, Ref, Row, Value
from hvctl.contract import OS
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import properties
from hvctl.core.resource import Resource
from hvctl.core.values import State
from hvctl.kinds import _guests
from hvctl.kinds._boot_order import (
    BOOT_ORDER,
    NETWORK,
    counted,
    entry_of,
    is_file,
    known,
    means,
    name_of,
    same_order,
)
from hvctl.kinds._drives import DISKS, DVDS, Slot
from hvctl.kinds._firmware import FirmwarePart
from hvctl.kinds._machine import machine
from hvctl.kinds._protection import name_there, security
from hvctl.kinds._vm import VMS, generation, vm_ref, vm_row
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


class Firmware(FirmwarePart):
    """Generation 2 only. `boot_order` lists what comes first: `scsi 0:0` for a drive, `network NAME` for an adapter,
    `file PATH` for a boot file that the guest has written there, by the end of its path (`file \\EFI\\ubuntu\\shimx64.efi`);
    other devices and files keep their order behind it. `boot_order_only: true`: and nothing else is in it; what a guest
    writes there again by itself differs again."""

    kind: ClassVar[str] = "firmware"
    section: ClassVar[str] = "firmware"
    vital: ClassVar[bool] = True
    setter: ClassVar[str] = "Set-VMFirmware"
    usual: ClassVar[Mapping[str, Any]] = {
        "secure_boot": True,
        "secure_boot_template": "microsoft_windows",
        "preferred_network_boot_protocol": "ipv4",
        "console_mode": "default",
        "pause_after_boot_failure": False,
    }  # domain 5.4
    after: ClassVar[tuple[str, ...]] = ("disk", "dvd", "network_adapter")

    def queries(self) -> tuple[Call, ...]:
        asked = self.vm.names if self.secure_boot_template is not None else ()
        return (*super().queries(), DISKS, DVDS, *map(security, asked))

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """Windows Server 2012 has no generations, and no answer to what those of the second have."""
        vm = vm_row(machine(owner), facts)
        if vm is not None and generation(vm) == 2:
            yield from super().discover(owner, facts)

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if (self.vm.generation or 2) == 1:
            yield finding("", "a generation 1 VM has no UEFI firmware", "write a bios section instead")
        for n, name in enumerate(self.boot_order or ()):
            part = self._part(name)
            if part is not None and part.absent:
                yield finding(f"boot_order.{n}", f"{name} is to be absent", "take it out of the boot order")

    def requires(self) -> tuple[Address, ...]:
        parts = (self._part(name) for name in self.boot_order or ())
        return tuple(part.address() for part in parts if part is not None)

    def _part(self, name: str) -> Resource | None:
        """The section of the playbook that describes what an entry names."""
        found = [p for p in self.vm.parts if entry_of(p).casefold() == name.casefold()]
        return min(found, key=lambda p: p.absent, default=None)

    def actual(self, facts: Facts) -> State | None:
        row = self.vm_row(facts)
        if row is not None and generation(row) == 1:
            raise HeldBackError(f"{self.vm.key()} is of generation 1 and has no UEFI", "write a bios section instead")
        found = super().actual(facts)
        if found is None or "boot_order" not in found:
            return found
        return {**found, "boot_order": self._order(self.rows(facts)[0])}

    def as_written(self, found: State, facts: Facts) -> State:
        """The devices; files are the guest's, which writes them by itself."""
        order = [name for name in found.get("boot_order") or () if not is_file(name)]
        return {**{n: v for n, v in found.items() if n != "boot_order"}, **({"boot_order": order} if order else {})}

    def by_default(self, facts: Facts) -> State:
        """Adapters and drives as they were added: New-VM begins with its adapter, hvctl with the disks."""
        networks = [name for name in self.boot_order or () if NETWORK.match(name)]
        drives = [name for name in self.boot_order or () if not NETWORK.match(name)]
        drives.sort(key=lambda drive: (Slot.at(drive).number, Slot.at(drive).location))
        first = [*drives, *networks] if self.boot_order and self.boot_order[0] in drives else [*networks, *drives]
        return {**self.usual, "boot_order": first}

    def rests_on(self, field: str, facts: Facts) -> str:
        """With another template than the guest needs, secure boot would keep it from booting."""
        return "secure_boot_template" if field == "secure_boot" and self.secure_boot else ""

    def _order(self, row: Row) -> list[str]:
        return [name_of(source) for source in row[BOOT_ORDER] or ()]

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "boot_order" and isinstance(now, list):
            return same_order(now, wanted, self.boot_order_only)
        return super().same(field, now, wanted)

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        """The boot order as it will be, with what follows the wanted entries."""
        return tuple(
            replace(c, wanted=self._as_it_will_be(c.now)) if c.field == "boot_order" and isinstance(c.now, list) else c
            for c in super().changes(actual, facts)
        )

    def _as_it_will_be(self, now: list[str]) -> list[str]:
        first = [known(written, now) for written in self.boot_order or ()]
        return first if self.boot_order_only else [*first, *self._beyond(now)]

    def _beyond(self, now: Sequence[str]) -> list[str]:
        return [name for name in now if not any(means(w, name) for w in self.boot_order or ())]

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "secure_boot_template" and self._tpm(facts) is None:
            return "Hyper-V refuses this once the VM's virtual TPM has been initialised"  # domain 5.4
        if field == "boot_order" and self.boot_order_only and isinstance(now, list) and (gone := self._beyond(now)):
            again = "; what the guest writes again at a start differs again" if any(map(is_file, gone)) else ""
            return f"{', '.join(gone)} {'are' if len(gone) > 1 else 'is'} taken out of the boot order{again}"
        return ""

    def _tpm(self, facts: Facts) -> bool | None:
        """Whether the VM has a virtual TPM; None if that is not known."""
        row = self.vm_row(facts)
        if row is None:
            return False
        try:
            rows = facts.rows(security(name_there(self.vm, row)))
        except UnreadableError:
            return None
        return bool(rows[0]["TpmEnabled"]) if rows else None

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if self.vm_row(facts) is None and self.vm.generation != 2:
            yield finding("", f"{self.vm.key()} is made as generation 1, which has no UEFI", "write generation: 2")
        yield from _guests.secure_boot(self.vm, frozenset(c.field for c in changes), facts)
        if any(c.field == "secure_boot_template" for c in changes) and self._tpm(facts):
            # The same value fails too (domain 5.4).
            text = f"{self.vm.key()} has a virtual TPM, which fixes the template from its first start on"
            yield finding("secure_boot_template", text, "leave the template as it is")
        if not any(c.field == "boot_order" for c in changes):
            return
        there = self._sources(facts)
        for written in self.boot_order or ():
            found = [name for name in map(name_of, there) if means(written, name)]
            if not found and self._part(written) is None:
                yield finding("boot_order", f"{self.vm.key()} has no {written}", self._what_else(written, there))
            elif len(found) > 1:
                alike = len({n.casefold() for n in found}) == 1
                own = "leave it out" if is_file(written) else "rename one of them"
                hint = own if alike else "write more of its path"
                yield finding("boot_order", f"{self.vm.key()} has more than one {written}", hint)

    def _what_else(self, written: str, there: Sequence[Row]) -> str:
        if not is_file(written):
            return "write a device that it has"
        files = [name for name in map(name_of, there) if is_file(name)]
        return f"the guest has written {', '.join(files)}" if files else "the guest writes its boot files by itself"

    def _sources(self, facts: Facts) -> list[Row]:
        """The boot order as it is; a VM that is made has none yet."""
        rows = self.rows(facts) if self.vm_row(facts) else ()
        return [source for row in rows for source in row[BOOT_ORDER] or ()]

    def _there(self, facts: Facts) -> list[str]:
        """What of it counts, by the host's names."""
        return counted([name_of(source) for source in self._sources(facts)], self.boot_order or ())

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        return super().arguments(tuple(c for c in changes if c.field != "boot_order"))

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """One call with the settings, and one for each entry that must come to the front. -BootOrder takes the whole
        list and drops what is not named: the guest's files, and what came since (domain 5.4)."""
        vm = vm_ref(self.vm, facts)
        text = f"set the firmware of {self.vm.key()}"
        plain = tuple(c for c in changes if c.field != "boot_order")
        order = tuple(c for c in changes if c.field == "boot_order")
        earlier: tuple[Step, ...] = ()
        if arguments := self.arguments(plain):
            yield self.step(self.setter, {"VM": vm, **arguments}, text, plain, facts)
        if order and self.boot_order_only:
            whole = [self._device(name, vm, facts) for name in self.boot_order or ()]
            only = f"boot {self.vm.key()} from {', '.join(self.boot_order or ())} only"
            yield self.step(self.setter, {"VM": vm, "BootOrder": whole}, only, order, facts)
            return
        for name in self._moves(facts) if order else ():
            params = {"VM": vm, "FirstBootDevice": self._device(name, vm, facts)}
            step = self.step(
                self.setter, params, f"boot {self.vm.key()} from {name} first", order, facts, needs=earlier
            )
            yield step
            earlier = (*earlier, step)

    def _moves(self, facts: Facts) -> list[str]:
        """What must be put first, one after the other: not the end of the wish that is in its order already."""
        there = self._there(facts)
        wanted = [known(written, there) for written in self.boot_order or ()]
        for n in range(len(wanted)):
            front = [w.casefold() for w in wanted[:n]]
            rest = [t.casefold() for t in there if t.casefold() not in front]
            tail = [w.casefold() for w in wanted[n:]]
            if rest[: len(tail)] == tail:
                return wanted[:n][::-1]
        return wanted[::-1]

    def _device(self, name: str, vm: Ref, facts: Facts) -> Ref:
        if match := NETWORK.match(name):
            return Ref(Call("Get-VMNetworkAdapter", {"VM": vm}), {"Name": match[1]})
        if is_file(name):
            paths = (str(s.get("FirmwarePath")) for s in self._sources(facts) if means(name, name_of(s)))
            return Ref(Call("Get-VMFirmware", {"VM": vm}), {"FirmwarePath": next(paths, name)}, within="BootOrder")
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


Firmware.query = Call(
    "Get-VMFirmware",
    {"VM": Ref(VMS, {"Generation": 2}, many=True)},
    select=properties(Firmware, "VMId"),
)
