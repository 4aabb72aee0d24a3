"""Get-, Add-, Remove-VMScsiController, Get-VMIdeController (domain 8.3)."""

from __future__ import annotations

from mocks.cmdlets._find import owners, vms
from mocks.cmdlets._slots import IDE_CONTROLLER, Controller
from mocks.cmdlets.disk_drive import disk_object
from mocks.cmdlets.dvd_drive import dvd_object
from mocks.command import Command, cmdlet
from mocks.complete import new_id
from mocks.machine import Checkpoint, Slot, Vm
from mocks.messages import say
from mocks.objects import PsObject
from mocks.shape import device_id, parts_of, shaped
from mocks.state import HostState

MOST = 4


def controller_object(state: HostState, vm: Vm, bus: str, number: int, point: Checkpoint | None = None) -> PsObject:
    own = [d for d in vm.drives or () if (d.at.bus, d.at.number) == (bus, number)]
    scsi = bus == "scsi"
    identity = vm.scsi_controllers[number] if scsi else str(number)
    properties = {
        "ControllerNumber": number,
        "Drives": [(dvd_object if d.dvd else disk_object)(state, vm, d, point) for d in own],
        "Name": say(state.language, "scsi_controller") if scsi else say(state.language, "ide_controller", number),
        "Id": device_id(vm, identity, "0") if scsi else device_id(vm, IDE_CONTROLLER, str(number)),
        **parts_of(state, vm, point=point),
    }
    if scsi:
        properties["IsTemplate"] = False
    entity = Controller(vm, bus, identity)
    return shaped(state, "VMScsiController" if scsi else "VMIdeController", properties, entity=entity)


def _wanted(cmd: Command, number: int) -> bool:
    return "ControllerNumber" not in cmd.args or cmd.args.number("ControllerNumber") == number


@cmdlet("Get-VMScsiController")
def get_scsi(cmd: Command) -> None:
    for vm, point in owners(cmd):
        numbers = [n for n in range(len(vm.scsi_controllers)) if _wanted(cmd, n)]
        cmd.emit(*(controller_object(cmd.state, vm, "scsi", n, point) for n in numbers))


@cmdlet("Get-VMIdeController")
def get_ide(cmd: Command) -> None:
    for vm, point in owners(cmd):
        with cmd.trying():
            if vm.generation == 2:
                raise cmd.refuse("InvalidParameter", "gen2_ide")  # observations 4: HyperVDsc#125 [O]
            cmd.emit(*(controller_object(cmd.state, vm, "ide", n, point) for n in range(2) if _wanted(cmd, n)))


@cmdlet("Add-VMScsiController", takes=0.2)
def add(cmd: Command) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            _check_off(cmd, vm)
            if len(vm.scsi_controllers) >= MOST:
                # domain 21: four; id [I]
                raise cmd.refuse("InvalidParameter", "too_many", cmd.say("scsi_controller"))
            vm.scsi_controllers.append(new_id(cmd.state))
            cmd.passthru(controller_object, cmd.state, vm, "scsi", len(vm.scsi_controllers) - 1)


@cmdlet("Remove-VMScsiController", takes=0.2)
def remove(cmd: Command) -> None:
    given = list(cmd.args.entities("VMScsiController", Controller))
    for vm in vms(cmd):
        number = cmd.args.number("ControllerNumber")
        with cmd.trying():
            if number >= len(vm.scsi_controllers):
                raise cmd.refuse("ObjectNotFound", "controller_missing")  # as other cmdlets (observations 3)
            given.append(Controller(vm, "scsi", vm.scsi_controllers[number]))
    for controller in given:
        with cmd.trying():
            _remove(cmd, controller)


def _remove(cmd: Command, controller: Controller) -> None:
    vm = cmd.alive(controller.vm)
    if controller.id not in vm.scsi_controllers:
        raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # observations 4: the object was not found
    _check_off(cmd, vm)
    gone = controller.number
    if vm.checkpoints and any(d.at.bus == "scsi" and d.at.number == gone for d in vm.drives or ()):
        raise cmd.refuse("InvalidState", "has_checkpoints")  # domain 12; id domain 26
    shown = controller_object(cmd.state, vm, "scsi", gone)
    for drive in [d for d in vm.drives or () if d.at.bus == "scsi"]:
        if drive.at.number == gone:
            vm.detach(drive)  # it takes its drives along (domain 8.3)
        elif drive.at.number > gone:
            drive.at = Slot("scsi", drive.at.number - 1, drive.at.location)  # renumbered (trap 27)
    vm.scsi_controllers.remove(controller.id)
    if cmd.args.flag("Passthru"):
        cmd.emit(shown)


def _check_off(cmd: Command, vm: Vm) -> None:
    if vm.state != "Off":
        # domain 8.3: off (DSC_VMScsiController stops the VM); domain 26: live refused
        raise cmd.refuse("InvalidState", "device_add", cmd.say("scsi_controller"), cmd.say("bad_state"))
