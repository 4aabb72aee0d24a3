"""Enable-, Disable-VMResourceMetering (domain 20)."""

from __future__ import annotations

from mocks.cmdlets._find import vms
from mocks.command import Command, cmdlet


@cmdlet("Enable-VMResourceMetering", takes=0.1)
def enable(cmd: Command) -> None:
    for vm in vms(cmd):
        vm.resource_metering_enabled = True


@cmdlet("Disable-VMResourceMetering", takes=0.1)
def disable(cmd: Command) -> None:
    for vm in vms(cmd):
        vm.resource_metering_enabled = False
