"""Get-, Set-VMSecurity, Set-VMSecurityPolicy, Get-, Set-VMKeyProtector, Enable-, Disable-VMTPM
(domain 10, replica-migration 8).

What is refused and how is known of the missing key protector alone; the other texts and ids are ours [I].
"""

from __future__ import annotations

from mocks.cmdlets._find import vms
from mocks.cmdlets.vm import vm_object
from mocks.command import Command, cmdlet
from mocks.machine import Vm, version
from mocks.objects import PsObject
from mocks.shape import SESSION, computer, shaped

NONE, LOCAL = 4, 3_562
"""Bytes of a key protector: of none (domain 10), and of one with a guardian, which is larger."""
TPM_SINCE, SHIELDED_SINCE = "7.0", "8.0"
"""Configuration versions: of a TPM (domain 10), of shielding (ConvertTo-ShieldedVM of Microsoft's GuardedFabricTools)."""


@cmdlet("Get-VMSecurity")
def get(cmd: Command) -> None:
    for vm in vms(cmd):
        properties = {
            "TpmEnabled": vm.tpm_enabled,
            "KsdEnabled": False,
            "Shielded": vm.shielded,
            "EncryptStateAndVmMigrationTraffic": vm.encrypt_state or vm.shielded,
            "VirtualizationBasedSecurityOptOut": False,
            "BindToHostTpm": False,
            "ComputerName": computer(cmd.state, False),
            "CimSession": SESSION,
            "IsDeleted": False,
        }
        cmd.emit(shaped(cmd.state, "VMSecurity", properties, entity=vm))


@cmdlet("Get-VMKeyProtector")
def get_key_protector(cmd: Command) -> None:
    """An array of bytes, in one piece: scripts ask for its Length (GuardedFabricTools)."""
    for vm in vms(cmd):
        length = LOCAL if _protected(vm) else NONE
        cmd.emit(PsObject("System.Byte[]", {"Length": length, "Count": length}, to_string="System.Byte[]"))


@cmdlet("Set-VMKeyProtector", takes=0.5)
def set_key_protector(cmd: Command) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            _check_changeable(cmd, vm)
            _check_unshielded(cmd, vm)
            if "NewLocalKeyProtector" in cmd.args:
                vm.key_protector = "local"  # a new one each time (replica-migration 8)
            elif "KeyProtector" in cmd.args:
                vm.key_protector = "owned"
            else:
                raise cmd.refuse("OperationFailed", "no_key_protector")  # there is no last good one
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Enable-VMTPM", takes=0.3)
def enable_tpm(cmd: Command) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            _check_changeable(cmd, vm)
            _check_protected(cmd, vm)
            vm.tpm_enabled = True
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Disable-VMTPM", takes=0.3)
def disable_tpm(cmd: Command) -> None:
    """Whether the template of secure boot is free again is not known; it stays locked here."""
    for vm in vms(cmd):
        with cmd.trying():
            _check_changeable(cmd, vm)
            _check_unshielded(cmd, vm)
            if vm.tpm_enabled:
                vm.key_protector = vm.key_protector or "local"  # it was there, and stays
            vm.tpm_enabled = False
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Set-VMSecurity", takes=0.2)
def change(cmd: Command) -> None:
    _check_modelled(cmd, "VirtualizationBasedSecurityOptOut")
    for vm in vms(cmd):
        with cmd.trying():
            wanted = cmd.args.flag("EncryptStateAndVmMigrationTraffic")
            _check_changeable(cmd, vm)
            _check_protected(cmd, vm)  # domain 10
            if not wanted:
                _check_unshielded(cmd, vm)
            vm.encrypt_state = wanted
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Set-VMSecurityPolicy", takes=0.2)
def change_policy(cmd: Command) -> None:
    _check_modelled(cmd, "BindToHostTpm")
    for vm in vms(cmd):
        with cmd.trying():
            wanted = cmd.args.flag("Shielded")
            _check_changeable(cmd, vm)
            _check_protected(cmd, vm)
            if not wanted:
                _check_unshielded(cmd, vm)  # domain 10: one way without the owner's key
            elif vm.firmware.secure_boot != "On" or version(vm.version) < version(SHIELDED_SINCE):
                raise cmd.refuse("OperationFailed", "no_security", vm.name)
            vm.shielded = wanted
            cmd.passthru(vm_object, cmd, vm)


def _check_modelled(cmd: Command, parameter: str) -> None:
    if parameter in cmd.args:
        text = f"the simulated host has no -{parameter}"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")


def _protected(vm: Vm) -> bool:
    return bool(vm.key_protector) or vm.tpm_enabled or vm.shielded


def _check_protected(cmd: Command, vm: Vm) -> None:
    if not _protected(vm):
        # replica-migration 8: the text (vagrant#11978) [O]; id [I]
        raise cmd.refuse("OperationFailed", "no_key_protector")


def _check_unshielded(cmd: Command, vm: Vm) -> None:
    if vm.shielded:
        raise cmd.refuse("OperationFailed", "shielded", vm.name)


def _check_changeable(cmd: Command, vm: Vm) -> None:
    """Generation 2, version 7.0 or later, and off (domain 10)."""
    if vm.generation != 2 or version(vm.version) < version(TPM_SINCE):
        raise cmd.refuse("OperationFailed", "no_security", vm.name)
    if vm.state != "Off":
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)
