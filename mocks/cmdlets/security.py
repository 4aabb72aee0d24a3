"""Get-VMSecurity (domain 10)."""

from __future__ import annotations

from mocks.cmdlets._find import vms
from mocks.command import Command, cmdlet
from mocks.shape import SESSION, computer, shaped


@cmdlet("Get-VMSecurity")
def get(cmd: Command) -> None:
    for vm in vms(cmd):
        properties = {
            "TpmEnabled": vm.tpm_enabled,
            "KsdEnabled": False,
            "Shielded": vm.shielded,
            "EncryptStateAndVmMigrationTraffic": vm.shielded,
            "VirtualizationBasedSecurityOptOut": False,
            "BindToHostTpm": False,
            "ComputerName": computer(cmd.state, False),
            "CimSession": SESSION,
            "IsDeleted": False,
        }
        cmd.emit(shaped(cmd.state, "VMSecurity", properties, entity=vm))
