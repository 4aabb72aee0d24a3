"""Enable-, Disable-VMResourceMetering (domain 20)."""

from __future__ import annotations

from mocks.cmdlets._find import vms
from mocks.command import Command, cmdlet
from mocks.machine import Acl


@cmdlet("Enable-VMResourceMetering", takes=0.1)
def enable(cmd: Command) -> None:
    for vm in vms(cmd):
        vm.resource_metering_enabled = True
        for adapter in vm.nics:
            if not any(acl.action == "Meter" for acl in adapter.acls):
                # domain 20: default meter ACLs where there is none; both directions [I]
                adapter.acls += [
                    Acl("Meter", way, remote=net) for net in ("0.0.0.0/0", "::/0") for way in ("Inbound", "Outbound")
                ]


@cmdlet("Disable-VMResourceMetering", takes=0.1)
def disable(cmd: Command) -> None:
    for vm in vms(cmd):
        vm.resource_metering_enabled = False
