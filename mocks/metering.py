"""What the meters of VMs count as simulated time passes (operations 1)."""

from __future__ import annotations

from mocks import files
from mocks.machine import KB, MB, Meter, Vm
from mocks.state import HostState

IO_UNIT = 8 * KB
"""operations 1.1: normalized I/O is counted in units of 8 KB."""
ANYWHERE = ("0.0.0.0/0", "ANY")


def started(state: HostState, vm: Vm, now: float) -> Meter:
    """A meter that has counted nothing yet."""
    meter = Meter(since=now, until=now, disk_most=_allocation(state, vm))
    _memory_extremes(meter, vm)
    return meter


def settle(state: HostState, now: float) -> None:
    """Count what was used up to now. To be called before anything changes what a VM uses."""
    for vm in state.vms:
        if vm.meter is not None and now > vm.meter.until:
            _counted(state, vm, vm.meter, now - vm.meter.until)
            vm.meter.until = now


def _counted(state: HostState, vm: Vm, meter: Meter, seconds: float) -> None:
    meter.disk_most = max(meter.disk_most, _allocation(state, vm))
    if vm.state not in ("Running", "Paused"):
        return  # operations 1.2: values are kept, and the average of the memory includes the time off
    meter.memory += seconds * memory_mb(vm)
    _memory_extremes(meter, vm)
    if vm.state == "Paused":
        return  # its processors stand still [I]
    meter.processor += seconds * vm.usage.processor_mhz
    meter.read += seconds * vm.usage.read
    meter.written += seconds * vm.usage.written
    meter.io += seconds * vm.usage.iops
    meter.latency += seconds * vm.usage.iops * vm.usage.latency
    connected = [a for a in vm.nics if a.switch is not None]
    for adapter in connected:
        for way, rate in (("Inbound", vm.usage.incoming), ("Outbound", vm.usage.outgoing)):
            entries = [a for a in adapter.acls if a.action == "Meter" and a.direction == way and a.remote]
            entries.sort(key=lambda a: a.remote not in ANYWHERE)
            if entries:  # all of it by IPv4, and not to where a narrower entry counts it
                key = f"{adapter.id} {way} {entries[0].remote}"
                meter.traffic[key] = meter.traffic.get(key, 0.0) + seconds * rate / len(connected)


def memory_mb(vm: Vm) -> int:
    """Static memory is what it was given, whatever is used of it (operations 1.1)."""
    static = not vm.memory.dynamic_memory_enabled or vm.usage.memory is None
    return (vm.memory.startup if static else vm.usage.memory or 0) // MB


def _memory_extremes(meter: Meter, vm: Vm) -> None:
    """Of the time that it runs only (operations 1.1)."""
    if vm.state in ("Running", "Paused"):
        now = memory_mb(vm)
        meter.memory_most = max(meter.memory_most, now)
        meter.memory_least = now if meter.memory_least is None else min(meter.memory_least, now)


def _allocation(state: HostState, vm: Vm) -> int:
    """operations 1.1: what the attached disks can hold, and what the files of checkpoints take; never pass-through."""
    total = 0
    for drive in vm.disks:
        for n, path in enumerate(files.chain_paths(state, drive.path)):
            disk = files.vhd(state, path)
            if disk is not None:
                total += disk.size if n == 0 else 0
                total += (disk.file_size or 0) if path.lower().endswith((".avhd", ".avhdx")) else 0
    return total
