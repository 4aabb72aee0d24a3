"""Which properties an object has on which Windows Server version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mocks.machine import ZERO, Checkpoint, Vm
from mocks.objects import Guid, PsObject
from mocks.state import DEFAULT_VM_VERSION, HostState

HYPERV = "Microsoft.HyperV.PowerShell."
SESSION = PsObject("Microsoft.Management.Infrastructure.CimSession", {"ComputerName": "."}, to_string="CimSession: .")

# First version that has the property; absent here: all have it. 2012 R2: the recorded objects. Later: the published
# stubs of 2019 less what no cmdlet of an earlier version can set. Checkpoint beside Snapshot: observations 2.
_SINCE: dict[str, dict[str, str]] = {
    "*": {"2016": "CimSession VMCheckpointId VMCheckpointName IsTemplate"},
    "VirtualMachine": {
        "2012r2": "Generation Version",
        "2016": "AutomaticCriticalErrorAction AutomaticCriticalErrorActionTimeout CheckpointType "
        "CheckpointFileLocation ParentCheckpointId ParentCheckpointName Groups GuestControlledCacheTypes "
        "HighMemoryMappedIoSpace LockOnDisconnect LowMemoryMappedIoSpace VirtualMachineType VirtualMachineSubType",
        "2019": "AutomaticCheckpointsEnabled BatteryPassthroughEnabled EnhancedSessionTransportType",
    },
    "VMSnapshot": {
        "2012r2": "Generation Version",
        "2016": "GuestControlledCacheTypes HighMemoryMappedIoSpace LockOnDisconnect LowMemoryMappedIoSpace "
        "ParentCheckpointId ParentCheckpointName",
        "2019": "BatteryPassthroughEnabled IsAutomaticCheckpoint",
    },
    "VMProcessor": {
        "2016": "EnableHostResourceProtection ExposeVirtualizationExtensions HwThreadCountPerCore EnablePerfmonIpt "
        "EnablePerfmonLbr EnablePerfmonPebs EnablePerfmonPmu OperationalStatus StatusDescription",
        "2019": "AllowACountMCount EnableLegacyApicMode",
    },
    "VMHost": {
        "2012r2": "EnableEnhancedSessionMode VirtualMachineMigrationPerformanceOption",
        "2016": "IsDeleted SecureBootTemplates SupportedVmVersions",
    },
    "VMSwitch": {
        "2016": "DefaultQueueVmmqEnabled DefaultQueueVmmqEnabledRequested DefaultQueueVmmqQueuePairs "
        "DefaultQueueVmmqQueuePairsRequested DefaultQueueVrssEnabled "
        "DefaultQueueVrssEnabledRequested EmbeddedTeamingEnabled NetAdapterInterfaceDescriptions "
        "NetAdapterInterfaceGuid PacketDirectEnabled PacketDirectInUse",
        "2019": "DefaultQueueVrssExcludePrimaryProcessor DefaultQueueVrssExcludePrimaryProcessorRequested "
        "DefaultQueueVrssMaxQueuePairs DefaultQueueVrssMaxQueuePairsRequested DefaultQueueVrssMinQueuePairs "
        "DefaultQueueVrssMinQueuePairsRequested DefaultQueueVrssQueueSchedulingMode "
        "DefaultQueueVrssQueueSchedulingModeRequested SoftwareRscEnabled",
    },
    "VMNetworkAdapter": {
        "2012r2": "DynamicIPAddressLimit StormLimit IsolationSetting CurrentIsolationMode RoutingDomainList "
        "ExtendedAclList ClusterMonitored",
        "2016": "DeviceNaming FixSpeed10G IsSynthetic AllowPacketDirect InterruptModeration MediaType "
        "PacketDirectModerationCount PacketDirectModerationInterval PacketDirectNumProcs VmmqEnabled "
        "VmmqEnabledRequested VmmqQueuePairs VmmqQueuePairsRequested VrssEnabled VrssEnabledRequested",
        "2019": "NumaAwarePlacement VrssExcludePrimaryProcessor VrssExcludePrimaryProcessorRequested "
        "VrssIndependentHostSpreading VrssIndependentHostSpreadingRequested VrssMaxQueuePairs "
        "VrssMaxQueuePairsRequested VrssMinQueuePairs VrssMinQueuePairsRequested VrssQueueSchedulingMode "
        "VrssQueueSchedulingModeRequested VrssVmbusChannelAffinityPolicy VrssVmbusChannelAffinityPolicyRequested",
    },
    "HardDiskDrive": {
        "2012r2": "MaximumIOPS MinimumIOPS SupportPersistentReservations",
        "2016": "QoSPolicyID WriteHardeningMethod",
    },
    "VMComPort": {"2016": "DebuggerMode"},
    "VMFirmware": {"2016": "ConsoleMode PauseAfterBootFailure SecureBootTemplate SecureBootTemplateId"},
    "VirtualHardDisk": {"2019": "AddressAbstractionType IsPMEMCompatible"},
    "VMReplication": {
        "2012r2": "ReplicationFrequencySec VSSSnapshotFrequencyHour",
        "2016": "ReplicatedDisks ExcludedDisks",
    },
}
# VmmqQueuePairs and its like are additions of the formatting files from 2019 on, where the class says
# VrssMaxQueuePairs: shown by real hosts of both kinds (intel/mfd-hyperv, MicrosoftDocs SDN threads) [O].
_SINCE["VMNetworkAdapterTeamMappingSetting"] = {"2019": "DisableOnFailover"}
_SINCE["VMInternalNetworkAdapter"] = _SINCE["VMNetworkAdapter"]

_ORDER = list(DEFAULT_VM_VERSION)


def shaped(
    state: HostState,
    cls: str,
    properties: Mapping[str, Any],
    *,
    entity: Any = None,
    text: str | None = None,
    space: str = HYPERV,
    of: str = "",
) -> PsObject:
    """The object with the properties that this host's version has. `of`: the class whose table counts."""
    late = {**_SINCE["*"]}
    for os, names in _SINCE.get(of or cls, {}).items():
        late[os] = f"{late.get(os, '')} {names}"
    absent: set[str] = set()
    for os, names in late.items():
        if _ORDER.index(os) > _ORDER.index(state.os):
            absent.update(names.split())
    if state.module2:
        absent.add("Key")  # of module 1.x (observations 2)
    kept = {k: v for k, v in properties.items() if k not in absent}
    # ToString: the type's name in 1.x, a description in 2.0 (observations 1)
    return PsObject(space + cls, kept, entity=entity, to_string=text if state.module2 else None)


def computer(state: HostState, lower: bool) -> str:
    """One host, two spellings, even within one VM (observations 2: no rule can be drawn)."""
    return state.name.lower() if lower else state.name.upper()


def parts_of(
    state: HostState, vm: Vm | None, *, lower: bool = False, point: Checkpoint | None = None
) -> dict[str, Any]:
    """What every component of a VM says about where it belongs."""
    running = vm is not None and vm.state == "Running"
    snapshot = Guid(point.id if point else ZERO)
    return {
        "ComputerName": computer(state, lower or running),
        "IsDeleted": False,
        "VMId": Guid(vm.id if vm else ZERO),
        "VMName": vm.name if vm else None,
        "VMSnapshotId": snapshot,
        "VMSnapshotName": point.name if point else None,
        "VMCheckpointId": snapshot,
        "VMCheckpointName": point.name if point else None,
        "CimSession": SESSION,
        "Key": None,
    }


def device_id(vm: Vm, *parts: str) -> str:
    """`Microsoft:<VM GUID upper>\\<instance upper>\\…` (observations 2)."""
    return "Microsoft:" + "\\".join([vm.id.upper(), *(p.upper() for p in parts)])
