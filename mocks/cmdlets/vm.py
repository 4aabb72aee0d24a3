"""Get-VM and the VirtualMachine object; Rename-VM, Remove-VM, Update-VMVersion, Remove-VMSavedState."""

from __future__ import annotations

from typing import Any

from mocks import files
from mocks.cmdlets._find import by_name, owners, visible, vms
from mocks.cmdlets.checkpoint import merge
from mocks.cmdlets.com_port import com_port_object
from mocks.cmdlets.disk_drive import disk_object
from mocks.cmdlets.dvd_drive import dvd_object
from mocks.cmdlets.floppy_drive import floppy_object
from mocks.cmdlets.integration_service import heartbeat, service_objects
from mocks.cmdlets.network_adapter import adapter_object
from mocks.command import Command, cmdlet
from mocks.enums import enum, member, nameless
from mocks.machine import Vm, version
from mocks.messages import say
from mocks.objects import EnumValue, Guid, Instant, PsObject, TimeSpan
from mocks.shape import HYPERV, SESSION, computer, shaped
from mocks.state import DEFAULT_VM_VERSION, HostState

TICKS = 10_000_000
LOCKED_FOR = 3.0
_WORKING = {"MergingDisks": "merging", "ExportingVirtualMachine": "exporting"}


def vm_object(cmd: Command, vm: Vm) -> PsObject:
    state = cmd.state
    running = vm.state == "Running"
    id_ = Guid(vm.id)
    last = vm.checkpoints[-1] if vm.checkpoints else None
    parent = (Guid(last.id) if last else None, last.name if last else None)
    statuses = [enum("VMOperationalStatus", "Ok"), *(enum("VMOperationalStatus", t) for t in vm.tasks)]
    texts = [say(state.language, "ok"), *(say(state.language, _WORKING.get(t, "working")) for t in vm.tasks)]
    memory = vm.memory
    assigned = memory.startup if vm.state in ("Running", "Paused") else 0
    known = running and memory.dynamic_memory_enabled and vm.guest.integration
    key = PsObject(HYPERV + "VirtualMachineObjectKey", {"Id": id_}, to_string=HYPERV + "VirtualMachineObjectKey")
    properties: dict[str, Any] = {
        "Id": id_,
        "Name": vm.name,
        "State": enum("VMState", vm.state),
        "IntegrationServicesState": "",
        "OperationalStatus": statuses,
        "PrimaryOperationalStatus": statuses[0],
        "SecondaryOperationalStatus": statuses[1] if vm.tasks else None,
        "StatusDescriptions": texts,
        "PrimaryStatusDescription": texts[0],
        "SecondaryStatusDescription": texts[1] if vm.tasks else None,
        "Status": texts[0],
        "Heartbeat": heartbeat(state, vm),
        **_replication(state, vm),
        "CPUUsage": 0,
        "MemoryAssigned": assigned,
        "MemoryDemand": assigned * 3 // 4 if known else 0,
        "MemoryStatus": "OK" if known else "",
        "SmartPagingFileInUse": False,
        "Uptime": TimeSpan(_uptime(cmd, vm)),
        "IntegrationServicesVersion": _services_version(state, vm),
        "ResourceMeteringEnabled": vm.resource_metering_enabled,
        "ConfigurationLocation": vm.path,
        "SnapshotFileLocation": vm.snapshot_file_location,
        "CheckpointFileLocation": vm.snapshot_file_location,
        "AutomaticStartAction": enum("StartAction", vm.automatic_start_action),
        "AutomaticStopAction": enum("StopAction", vm.automatic_stop_action),
        "AutomaticStartDelay": vm.automatic_start_delay,
        "SmartPagingFilePath": vm.smart_paging_file_path,
        "NumaAligned": None if vm.state == "Off" else False,
        "NumaNodesCount": 1,
        "NumaSocketCount": 1,
        "AutomaticCriticalErrorAction": enum("CriticalErrorAction", vm.automatic_critical_error_action),
        "AutomaticCriticalErrorActionTimeout": vm.automatic_critical_error_action_timeout,
        "CheckpointType": enum("CheckpointType", vm.checkpoint_type),
        "AutomaticCheckpointsEnabled": vm.automatic_checkpoints_enabled,
        "EnhancedSessionTransportType": enum("EnhancedSessionTransportType", "VMBus"),
        "VirtualMachineType": enum(
            "VirtualMachineType", "PlannedVirtualMachine" if vm.planned else "RealizedVirtualMachine"
        ),
        "VirtualMachineSubType": enum("VirtualMachineSubType", f"Generation{vm.generation}"),
        "Groups": [],
        "Key": key,
        "IsDeleted": False,
        "ComputerName": computer(state, running),
        "CimSession": SESSION,
        "Version": vm.version,
        "Notes": vm.notes,
        "Generation": vm.generation,
        "Path": vm.path,
        "CreationTime": Instant(cmd.clock.utc(vm.created)),
        "IsClustered": vm.is_clustered,
        "SizeOfSystemFiles": 56228 if running else 46832,
        "ParentSnapshotId": parent[0],
        "ParentSnapshotName": parent[1],
        "ParentCheckpointId": parent[0],
        "ParentCheckpointName": parent[1],
        "MemoryStartup": memory.startup,
        "DynamicMemoryEnabled": memory.dynamic_memory_enabled,
        "MemoryMinimum": memory.minimum,
        "MemoryMaximum": memory.maximum,
        "ProcessorCount": vm.processor.count,
        "BatteryPassthroughEnabled": True,
        "GuestControlledCacheTypes": vm.guest_controlled_cache_types,
        "HighMemoryMappedIoSpace": vm.high_memory_mapped_io_space,
        "LowMemoryMappedIoSpace": vm.low_memory_mapped_io_space,
        "LockOnDisconnect": enum("OnOffState", vm.lock_on_disconnect),
        "RemoteFxAdapter": None,
        "NetworkAdapters": [adapter_object(state, vm, a) for a in vm.nics],
        "FibreChannelHostBusAdapters": [],
        "ComPort1": com_port_object(state, vm, 0),
        "ComPort2": com_port_object(state, vm, 1),
        "FloppyDrive": floppy_object(state, vm) if vm.generation == 1 else None,
        "DVDDrives": [dvd_object(state, vm, d) for d in vm.dvds],
        "HardDrives": [disk_object(state, vm, d) for d in vm.disks],
        "VMIntegrationService": service_objects(state, vm),
        **({} if state.module2 else {"VMName": vm.name, "VMId": id_}),  # recorded on 2012 R2
    }
    text = f"VirtualMachine (Name = '{vm.name}') [Id = '{vm.id}']"
    return shaped(state, "VirtualMachine", properties, entity=vm, text=text)


def _replication(state: HostState, vm: Vm) -> dict[str, Any]:
    r = vm.replication
    reported = enum("VMReplicationState", r.state if r else "Disabled")
    if r and state.module2:
        reported = _state_numbered(reported.number + 1)  # trap 11: off by one on 2016+ (domain 15.4)
    return {
        "ReplicationState": reported,
        "ReplicationHealth": enum("VMReplicationHealthState", r.health if r else "NotApplicable"),
        "ReplicationMode": enum("VMReplicationMode", r.mode if r else "None"),
    }


def _state_numbered(number: int) -> EnumValue:
    try:
        return enum("VMReplicationState", member("VMReplicationState", number))
    except ValueError:
        return nameless("VMReplicationState", number)


def _uptime(cmd: Command, vm: Vm) -> int:
    """Whole seconds on 1.x, fractions later (observations 2)."""
    if vm.state not in ("Running", "Paused"):
        return 0
    seconds = cmd.clock.now() - vm.started
    return int(seconds * 1000) * (TICKS // 1000) if cmd.state.module2 else int(seconds) * TICKS


def _services_version(state: HostState, vm: Vm) -> PsObject | None:
    """Null while off or without services; from 2016 the number means nothing any more (domain 11.1)."""
    if vm.state != "Running" or not vm.guest.integration:
        return None
    parts = (0, 0, -1, -1) if state.module2 else (6, 3, 9600, 16384)
    names = ("Major", "Minor", "Build", "Revision")
    text = ".".join(str(p) for p in parts if p >= 0)
    return PsObject("System.Version", dict(zip(names, parts, strict=True)), to_string=text)


@cmdlet("Get-VM", takes=0.06)
def get(cmd: Command) -> None:
    args = cmd.args
    if "Id" in args:
        found = [vm for vm in visible(cmd.state) if vm.id == args.text("Id").lower()]
        if not found:
            # domain 4.1, vagrant: category ObjectNotFound from build 10.0 on, NotSpecified earlier [O]
            kind = "ObjectNotFound" if cmd.state.module2 else "Unspecified"
            raise cmd.refuse(kind, "vm_id_missing", args.text("Id"))
    elif "Name" in args:
        found = list(by_name(cmd, args.texts("Name")))
    else:
        found = list(visible(cmd.state))
    cmd.emit(*(vm_object(cmd, vm) for vm in found))


@cmdlet("Rename-VM", takes=0.1)
def rename(cmd: Command) -> None:
    name = cmd.args.text("NewName")
    for vm in vms(cmd):
        with cmd.trying():
            if len(name) > 100:
                raise cmd.refuse("InvalidParameter", "out_of_range", "NewName", name)  # domain 4.1: ElementName; id [I]
            vm.name = name  # while it runs, too, and to a name that another has (domain 4.1, 4.3)
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Remove-VM", takes=0.15)
def remove(cmd: Command) -> None:
    cmd.needs_consent()  # domain 4.2: Remove-VM -Force
    for vm in list(vms(cmd)):
        with cmd.trying():
            if vm.state not in ("Off", "Saved"):
                # domain 4.2: must be Off or Saved (WMI DestroySystem) [D]; text observations 4 [C], id domain 26
                raise cmd.refuse("InvalidState", "remove_running")
            if vm.replication is not None and vm.replication.mode != "None":
                raise cmd.refuse("InvalidState", "bad_state")  # domain 4.2: remove the replication first; domain 26
            if vm.is_clustered:
                raise cmd.refuse(
                    "InvalidState", "bad_state"
                )  # domain 4.2: remove the role first; refused, id and text [I]
            shown = vm_object(cmd, vm)
            # VHD files stay; checkpoints go, and what they kept is merged (domain 4.2)
            for point in list(vm.checkpoints):
                merge(cmd.state, vm, point)
            cmd.state.vms.remove(vm)
            own = ("virtual machines", "snapshots")  # its folder lingers (domain 4.2)
            for name in [f for f in cmd.state.files if vm.id in f.lower() and set(f.lower().split("\\")) & set(own)]:
                files.forget(cmd.state, name)
            for drive in vm.disks:
                if drive.path:  # observations 4: locked for some seconds right after [O]
                    cmd.state.locked_until[drive.path] = cmd.clock.now() + LOCKED_FOR
            cmd.passthru(lambda shown=shown: shown)


@cmdlet("Update-VMVersion", takes=1.0)
def update_version(cmd: Command) -> None:
    if not cmd.args.flag("Force") and cmd.args.raw("Confirm") is not False:
        raise cmd.prompt()  # the contract: confirm impact High
    for vm in vms(cmd):
        with cmd.trying():
            newest = DEFAULT_VM_VERSION[cmd.state.os]
            if vm.state != "Off":
                raise cmd.refuse("InvalidState", "bad_state")  # domain 4.3: Off
            if version(vm.version) >= version(newest):
                cmd.warn("already")
            vm.version = max(vm.version, newest, key=version)
            cmd.passthru(vm_object, cmd, vm)


@cmdlet("Remove-VMSavedState", takes=0.1)
def remove_saved_state(cmd: Command) -> None:
    for vm, _ in owners(cmd):
        with cmd.trying():
            if vm.state != "Saved":
                raise cmd.refuse("InvalidState", "bad_state")  # domain 4.4 names Saved only; id domain 26
            vm.state = "Off"
