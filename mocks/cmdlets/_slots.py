"""Places of drives: which are there, which are free, when something may be put into or taken out of them."""

from __future__ import annotations

from dataclasses import dataclass

from mocks.command import Command
from mocks.machine import Drive, Slot, Vm
from mocks.objects import ErrorRecord, Refusal
from mocks.shape import device_id
from mocks.state import HostState

IDE_CONTROLLER = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4"
SCSI_LOCATIONS, IDE_LOCATIONS = 64, 2


@dataclass(frozen=True)
class Controller:
    """A drive controller as an object stands for it; its number may change, its id does not (trap 27)."""

    vm: Vm
    bus: str
    id: str

    @property
    def number(self) -> int:
        return int(self.id) if self.bus == "ide" else self.vm.scsi_controllers.index(self.id)


def drive_id(vm: Vm, at: Slot) -> str:
    """`…\\<controller GUID>\\<0, or the IDE channel>\\<location>\\D` (observations 2)."""
    if at.bus == "ide":
        return device_id(vm, IDE_CONTROLLER, str(at.number), str(at.location), "D")
    return device_id(vm, vm.scsi_controllers[at.number], "0", str(at.location), "D")


def owner(state: HostState, drive: Drive) -> Vm | None:
    return next((vm for vm in state.vms if any(d is drive for d in vm.drives or ())), None)


def owner_of(cmd: Command, drive: Drive) -> Vm:
    vm = owner(cmd.state, drive)
    if vm is None:
        raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # observations 4: the object was not found
    return cmd.alive(vm)


def at_slot(vm: Vm, slot: Slot) -> Drive | None:
    return next((d for d in vm.drives or () if d.at == slot), None)


def given(cmd: Command, prefix: str = "") -> tuple[str | None, int | None, int | None]:
    """Coordinates from -ControllerType, -ControllerNumber, -ControllerLocation (or their -To… forms)."""
    args = cmd.args
    written = args.text(f"{prefix}ControllerType").lower()  # 2012 R2 lists Floppy too: no such controller is there
    bus = {"0": "ide", "1": "scsi"}.get(written, written) or None
    number, location = (
        args.number(f"{prefix}{name}") if args.raw(f"{prefix}{name}") is not None else None
        for name in ("ControllerNumber", "ControllerLocation")
    )
    return bus, number, location


def fits(drive: Drive, bus: str | None, number: int | None, location: int | None) -> bool:
    at = drive.at
    return bus in (None, at.bus) and number in (None, at.number) and location in (None, at.location)


def choose(cmd: Command, vm: Vm, bus: str | None, number: int | None, location: int | None) -> Slot:
    """The place meant, or the first free one: IDE first, then SCSI (domain 8.3). It must exist and be free."""
    if bus == "ide" and vm.generation == 2:
        # domain 5.1, HyperVDsc#125: text [O]; domain 22: InvalidParameter where IDE meets generation 2
        raise cmd.refuse("InvalidParameter", "gen2_ide")
    exact = number is not None and location is not None
    for slot in _slots(vm):
        if bus in (None, slot.bus) and number in (None, slot.number) and location in (None, slot.location):
            if at_slot(vm, slot) is None:
                return slot
            if exact and bus is not None:
                raise slot_taken(cmd)
    if any(bus in (None, s.bus) and number in (None, s.number) for s in _slots(vm)):
        if location is not None and not exact:
            raise slot_taken(cmd)
        raise cmd.refuse("InvalidParameter", "slot_unavailable")  # domain 8.3, text; id [I]
    raise cmd.refuse("ObjectNotFound", "controller_missing")  # no such controller; id [I]


def _slots(vm: Vm) -> list[Slot]:
    ide = [Slot("ide", n, loc) for n in range(2) for loc in range(IDE_LOCATIONS)] if vm.generation == 1 else []
    return ide + [Slot("scsi", n, loc) for n in range(len(vm.scsi_controllers)) for loc in range(SCSI_LOCATIONS)]


def slot_taken(cmd: Command) -> Refusal:
    if cmd.state.module2:
        return cmd.refuse("InvalidParameter", "slot_in_use")  # observations 4: WMI 32775; InvalidArgument [C]
    # domain 8.3: on 2012 the id is the bare class [O]
    refusal = cmd.refuse("InvalidParameter", "slot_unavailable")
    record = refusal.record
    return Refusal(
        ErrorRecord(record.id.partition(",")[2], record.category, record.message, record.exceptions, record.target)
    )


def check_plug(cmd: Command, vm: Vm, slot: Slot, device: str) -> None:
    """May a drive come or go there now? SCSI live, IDE only while off (domain 8.3)."""
    if vm.state == "Off" or (slot.bus == "scsi" and vm.state in ("Running", "Paused")):
        return
    # Saved: as running and not pluggable (domain 4.4, 8.3); id domain 26
    raise cmd.refuse("InvalidState", "device_add", device, cmd.say("bad_state"))
