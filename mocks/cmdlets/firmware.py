"""Get-, Set-VMFirmware: generation 2 (domain 5.4)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from mocks.cmdlets._find import owners, vms
from mocks.cmdlets.disk_drive import disk_object
from mocks.cmdlets.dvd_drive import dvd_object
from mocks.cmdlets.network_adapter import adapter_object
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Adapter, BootEntry, Checkpoint, Drive, Vm
from mocks.messages import say
from mocks.objects import Guid, PsObject
from mocks.shape import parts_of, shaped
from mocks.state import HostState

TEMPLATES = {
    "MicrosoftWindows": "1734c6e8-3154-4dda-ba5f-a874cc483422",
    "MicrosoftUEFICertificateAuthority": "272e7447-90a4-4563-a4b9-8e4ab00526ce",
    "OpenSourceShieldedVM": "4292ae2b-ee2c-42b5-a969-dd8f8689f6f3",
}
# observations 2: the beginnings of the recorded FirmwarePath; the instance's GUID follows
_VMBUS = r"\AcpiEx(VMBus,0,0)\VenHw(9B17E5A2-0891-42DD-B653-80B5C22809BA,"
_NETWORK, _SCSI = "635161F83EDFC546913FF2D2F965ED0E", "D96361BAA104294DB60572E2FFB1DC7F"


def boot_source_object(state: HostState, vm: Vm, entry: BootEntry, point: Checkpoint | None = None) -> PsObject:
    device: PsObject | None = None
    kind, text, path = "File", "Windows Boot Manager", entry.file
    if entry.adapter is not None:
        instance = uuid.UUID(entry.adapter.id).bytes_le.hex().upper()
        kind, text = "Network", say(state.language, "efi_network")
        path = f"{_VMBUS}{_NETWORK}{instance})\\MAC({entry.adapter.mac_address})"
        device = adapter_object(state, vm, entry.adapter, point)
    elif entry.drive is not None:
        at = entry.drive.at
        instance = uuid.UUID(vm.scsi_controllers[at.number]).bytes_le.hex().upper()
        kind, text = "Drive", say(state.language, "efi_scsi")
        path = f"{_VMBUS}{_SCSI}{instance})\\Scsi({at.number},{at.location})"
        device = (dvd_object if entry.drive.dvd else disk_object)(state, vm, entry.drive, point)
    properties = {
        "BootType": enum("BootSourceType", kind),
        "Description": text,
        "FirmwarePath": path,
        "Device": device,
        **parts_of(state, vm, lower=True, point=point),
    }
    return shaped(state, "VMBootSource", properties, entity=entry)


def firmware_object(state: HostState, vm: Vm, point: Checkpoint | None = None) -> PsObject:
    firmware = vm.firmware
    template = TEMPLATES.get(firmware.secure_boot_template)
    properties: dict[str, Any] = {
        "SecureBoot": enum("OnOffState", firmware.secure_boot),
        "PreferredNetworkBootProtocol": enum("IPProtocolPreference", firmware.preferred_network_boot_protocol),
        "SecureBootTemplate": firmware.secure_boot_template,
        "SecureBootTemplateId": Guid(template) if template else None,
        "ConsoleMode": enum("ConsoleModeType", firmware.console_mode),
        "PauseAfterBootFailure": enum("OnOffState", firmware.pause_after_boot_failure),
        "BootOrder": [boot_source_object(state, vm, e, point) for e in vm.boots],
        **parts_of(state, vm, lower=True, point=point),
    }
    return shaped(state, "VMFirmware", properties, entity=vm, text=f"VMFirmware (VMName = '{vm.name}')")


def _check_generation(cmd: Command, vm: Vm) -> None:
    if vm.generation != 2:
        # domain 5.4, observations 4: vagrant#5509, AutomatedLab#18 [O]
        raise cmd.refuse("InvalidParameter", "gen1_firmware", vm.name)


@cmdlet("Get-VMFirmware")
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        with cmd.trying():
            _check_generation(cmd, vm)
            cmd.emit(firmware_object(cmd.state, vm, point))


@cmdlet("Set-VMFirmware", takes=0.15)
def change(cmd: Command) -> None:
    given = cmd.args.entities("VMFirmware", Vm)
    subjects: Iterable[Vm] = given if "VMFirmware" in cmd.args else vms(cmd)
    for vm in subjects:
        with cmd.trying():
            _check_generation(cmd, cmd.alive(vm))
            if vm.state != "Off":
                # domain 5.4: off (DSC, TFT#41) [O]; id domain 26
                raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)
            _settings(cmd, vm)
            _order(cmd, vm)
            cmd.passthru(firmware_object, cmd.state, vm)


def _settings(cmd: Command, vm: Vm) -> None:
    args, firmware = cmd.args, vm.firmware
    if "EnableSecureBoot" in args:
        firmware.secure_boot = args.word("EnableSecureBoot", "OnOffState")
    if args.any("SecureBootTemplate", "SecureBootTemplateId"):
        if vm.tpm_initialized:
            # domain 5.4, observations 4: also for the same value (packer#11399) [O]
            raise cmd.refuse("OperationFailed", "template_locked")
        firmware.secure_boot_template = _template(cmd)
    if "PreferredNetworkBootProtocol" in args:
        wanted = args.word("PreferredNetworkBootProtocol", "IPProtocolPreference")
        firmware.preferred_network_boot_protocol = wanted
    if "ConsoleMode" in args:
        firmware.console_mode = args.word("ConsoleMode", "ConsoleModeType")
    if "PauseAfterBootFailure" in args:
        firmware.pause_after_boot_failure = args.word("PauseAfterBootFailure", "OnOffState")


def _template(cmd: Command) -> str:
    name = cmd.args.text("SecureBootTemplate").lower()
    guid = cmd.args.text("SecureBootTemplateId").strip("{}").lower()
    for template, template_id in TEMPLATES.items():
        if template.lower() == name or template_id == guid:
            return template
    raise cmd.refuse("InvalidParameter", "out_of_range", "SecureBootTemplate", name or guid)  # id [I]


def _order(cmd: Command, vm: Vm) -> None:
    """-BootOrder replaces the whole list; what is left out is gone (trap 19)."""
    args = cmd.args
    if "BootOrder" in args:
        wanted = [_entry(cmd, vm, thing) for thing in args.many("BootOrder")]
        if len({id(e.drive or e.adapter or e) for e in wanted}) < len(wanted):
            raise cmd.refuse("InvalidParameter", "boot_order_bad")  # an entry twice; text and id ours [I]
        vm.firmware.boot_order = wanted
    if "FirstBootDevice" in args:
        first = _entry(cmd, vm, args.raw("FirstBootDevice"))
        vm.firmware.boot_order = [first, *(e for e in vm.boots if e is not first)]


def _entry(cmd: Command, vm: Vm, thing: Any) -> BootEntry:
    """A boot source, or a drive or adapter that stands for its entry."""
    entity = thing.entity if isinstance(thing, PsObject) else thing
    if isinstance(entity, BootEntry):
        known = next((e for e in vm.boots if e is entity or str(e) == str(entity)), None)
    else:
        known = next((e for e in vm.boots if entity is not None and entity in (e.drive, e.adapter)), None)
        own = [*(vm.drives or ()), *vm.nics]
        if known is None and any(d is entity for d in own):
            drive = entity if isinstance(entity, Drive) else None
            return BootEntry(drive=drive, adapter=entity if isinstance(entity, Adapter) else None)
    if known is None:
        raise cmd.refuse("InvalidParameter", "boot_order_bad")  # not of this VM; text and id ours
    return known
