"""Enable-, Disable-, Reset-VMResourceMetering and Measure-VM (domain 20; operations 1, which corrects it)."""

from __future__ import annotations

from typing import Any

from mocks import metering
from mocks.cmdlets._find import vms
from mocks.cmdlets.disk_drive import disk_object
from mocks.cmdlets.network_adapter import adapter_object
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import MB, Acl, Meter, Vm
from mocks.objects import Guid, PsObject, Refusal, TimeSpan
from mocks.shape import HYPERV, SESSION, computer, shaped

TICKS = 10_000_000
ANYWHERE = ("0.0.0.0/0", "::/0")
_PRINTED_2012 = {"0.0.0.0/0": "*.*", "::/0": "*:*"}


@cmdlet("Enable-VMResourceMetering", takes=0.1)
def enable(cmd: Command) -> None:
    _of_vms(cmd)
    for vm in vms(cmd):
        if vm.meter is None:  # what is metered already goes on [I]
            vm.meter = metering.started(cmd.state, vm, cmd.clock.now())
        vm.resource_metering_enabled = True
        for adapter in vm.nics:
            if not any(acl.action == "Meter" for acl in adapter.acls):
                # domain 20: default meter ACLs where there is none; both directions [I]
                adapter.acls += [Acl("Meter", way, remote=net) for net in ANYWHERE for way in ("Inbound", "Outbound")]


@cmdlet("Disable-VMResourceMetering", takes=0.1)
def disable(cmd: Command) -> None:
    _of_vms(cmd)
    for vm in vms(cmd):
        # operations 0: what was counted is deleted; 1.2: the ACLs stay
        vm.resource_metering_enabled, vm.meter = False, None


@cmdlet("Reset-VMResourceMetering", takes=0.1)
def reset(cmd: Command) -> None:
    _of_vms(cmd)
    for vm in vms(cmd):
        with cmd.trying():
            if vm.meter is None:
                raise _not_metered(cmd, vm)
            vm.meter = metering.started(cmd.state, vm, cmd.clock.now())


@cmdlet("Measure-VM", takes=0.1)
def measure(cmd: Command) -> None:
    for vm in vms(cmd):
        with cmd.trying():
            if vm.meter is None:
                raise _not_metered(cmd, vm)
            cmd.emit(_report(cmd, vm, vm.meter))


def _of_vms(cmd: Command) -> None:
    if "ResourcePoolName" in cmd.args:
        text = "the simulated host does not meter resource pools"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")


def _not_metered(cmd: Command, vm: Vm) -> Refusal:
    """operations 1.2: an error, and not the end of the cmdlet; its id was found nowhere [I], the text is ours."""
    return cmd.refuse("InvalidState", "not_metered", vm.name)


def _report(cmd: Command, vm: Vm, meter: Meter) -> PsObject:
    seconds = meter.until - meter.since
    over = seconds or 1.0
    ran = meter.memory_least is not None
    properties: dict[str, Any] = {
        "VMId": Guid(vm.id),
        "VMName": vm.name,
        "MeteringDuration": None if vm.duration_unknown else TimeSpan(int(seconds * TICKS)),
        "AverageProcessorUsage": _whole(meter.processor / over),
        # operations 1.2: right after a reset, all three are what is used now
        "AverageMemoryUsage": _whole(meter.memory / over) if seconds else meter.memory_most,
        "MaximumMemoryUsage": meter.memory_most if ran else None,
        "MinimumMemoryUsage": meter.memory_least,
        "TotalDiskAllocation": meter.disk_most // MB,
        "AggregatedAverageNormalizedIOPS": _whole(meter.io / over),
        "AggregatedAverageLatency": _whole(meter.latency / meter.io) if meter.io else 0,
        "AggregatedDiskDataRead": _whole(meter.read / MB),
        "AggregatedDiskDataWritten": _whole(meter.written / MB),
        "AggregatedNormalizedIOCount": _whole(meter.io),
        "HardDiskMetrics": _disks(cmd, vm, meter, over),
        "NetworkMeteredTrafficReport": _traffic(cmd, vm, meter),
        "ComputerName": computer(cmd.state, vm.state == "Running"),
        "CimSession": SESSION,
    }
    return shaped(cmd.state, "VMMeteringReportForVirtualMachine", properties)


def _disks(cmd: Command, vm: Vm, meter: Meter, over: float) -> list[PsObject]:
    """All of it on the first disk: what a VM uses is not told by disk here."""
    found = []
    for n, drive in enumerate(d for d in vm.disks if d.path):
        share = float(n == 0)
        values = {
            "VirtualHardDisk": disk_object(cmd.state, vm, drive),
            "AverageNormalizedIOPS": _whole(share * meter.io / over),
            "AverageLatency": _whole(meter.latency / meter.io) if meter.io and n == 0 else 0,
            "DataRead": _whole(share * meter.read / MB),
            "DataWritten": _whole(share * meter.written / MB),
            "NormalizedIOCount": _whole(share * meter.io),
        }
        found.append(PsObject(f"{HYPERV}VHDMetrics", values))
    return found


def _traffic(cmd: Command, vm: Vm, meter: Meter) -> list[PsObject]:
    found = []
    for adapter in vm.nics:
        for acl in adapter.acls:
            if acl.action != "Meter":
                continue
            counted = meter.traffic.get(f"{adapter.id} {acl.direction} {acl.remote}", 0.0)
            # operations 0: a 2012 host printed *.* and *:*, a later script reads 0.0.0.0/0
            remote = _PRINTED_2012.get(acl.remote, acl.remote) if cmd.state.os == "2012" else acl.remote
            values = {
                "NetworkAdapter": adapter_object(cmd.state, vm, adapter),
                "LocalAddress": acl.local or None,
                "RemoteAddress": remote or None,
                "Direction": enum("VMNetworkAdapterAclDirection", acl.direction),
                "TotalTraffic": _whole(counted / MB),
            }
            found.append(PsObject(f"{HYPERV}VMNetworkAdapterPortAclMeteringReport", values))
    return found


def _whole(value: float) -> int:
    """As Windows tells it; what adding up many parts has taken away is no whole unit less."""
    return int(value + 1e-6)
