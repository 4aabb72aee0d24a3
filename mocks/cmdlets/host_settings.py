"""Get-, Set-VMHost, Get-VMHostSupportedVersion, Enable-, Disable-VMMigration (domain 2)."""

from __future__ import annotations

from typing import Any

from mocks import files
from mocks.cmdlets.network_adapter import adapter_object
from mocks.cmdlets.network_adapter_change import plain_mac
from mocks.cmdlets.switch import NO_IOV
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import MB
from mocks.objects import PsObject, TimeSpan
from mocks.shape import HYPERV, SESSION, computer, shaped
from mocks.state import DEFAULT_VM_VERSION, VM_VERSIONS, HostState

_HOUR = 3600
_NAMES = {
    "4.0": "Microsoft Windows Server 2012",
    "5.0": "Microsoft Windows 8.1/Server 2012 R2",
    "8.0": "Microsoft Windows 10 Anniversary Update/Server 2016",
    "9.0": "Microsoft Windows 10 October 2018 Update/Server 2019",
    "10.0": "Microsoft Windows Server 2022",
    "12.0": "Microsoft Windows Server 2025",
}


def host_object(state: HostState) -> PsObject:
    migration = state.virtual_machine_migration_performance_option
    properties: dict[str, Any] = {
        "VirtualHardDiskPath": state.virtual_hard_disk_path,
        "VirtualMachinePath": state.virtual_machine_path,
        "FullyQualifiedDomainName": state.domain or state.name,
        "Name": computer(state, False),
        "MacAddressMinimum": state.mac_address_minimum,
        "MacAddressMaximum": state.mac_address_maximum,
        "MaximumStorageMigrations": state.maximum_storage_migrations,
        "MaximumVirtualMachineMigrations": state.maximum_virtual_machine_migrations,
        "VirtualMachineMigrationEnabled": state.virtual_machine_migration_enabled,
        "VirtualMachineMigrationAuthenticationType": enum(
            "MigrationAuthenticationType", state.virtual_machine_migration_authentication_type
        ),
        "VirtualMachineMigrationPerformanceOption": enum("VMMigrationPerformance", migration),
        "UseAnyNetworkForMigration": state.use_any_network_for_migration,
        "FibreChannelWwnn": "C003FF0000FFFF00",
        "FibreChannelWwpnMaximum": "C003FF01051CFFFF",
        "FibreChannelWwpnMinimum": "C003FF01051C0000",
        "LogicalProcessorCount": state.logical_processors,
        "MemoryCapacity": state.memory,
        "ResourceMeteringSaveInterval": TimeSpan(state.resource_metering_save_interval * 10_000_000),
        "NumaSpanningEnabled": state.numa_spanning_enabled,
        "EnableEnhancedSessionMode": state.enable_enhanced_session_mode,
        "HostNumaStatus": [_numa_node(state)],
        "NumaStatus": None,
        "InternalNetworkAdapters": [adapter_object(state, None, a) for a in state.management_adapters],
        "ExternalNetworkAdapters": [_external(state, n.description) for n in state.nics if _bound(state, n.name)],
        "IovSupport": state.iov_support,
        "IovSupportReasons": [] if state.iov_support else list(NO_IOV),
        "SecureBootTemplates": [],
        "SupportedVmVersions": list(VM_VERSIONS[state.os]),
        "ComputerName": computer(state, False),
        "CimSession": SESSION,
        "IsDeleted": False,
    }
    return shaped(state, "VMHost", properties, entity=state)


def _bound(state: HostState, name: str) -> bool:
    return any(name in s.net_adapters for s in state.switches)


def _external(state: HostState, description: str) -> PsObject:
    return PsObject(HYPERV + "VMExternalNetworkAdapter", {"Name": description, "ComputerName": state.name})


def _numa_node(state: HostState) -> PsObject:
    used = sum(v.memory.startup for v in state.vms if v.state in ("Running", "Paused"))
    properties = {
        "NodeId": 0,
        "ProcessorsAvailability": [100] * state.logical_processors,
        "MemoryAvailable": (state.memory - used) // MB,
        "MemoryTotal": state.memory // MB,
        "ComputerName": computer(state, False),
        "CimSession": SESSION,
        "IsDeleted": False,
        "Key": None,
    }
    return shaped(state, "VMHostNumaNode", properties)


@cmdlet("Get-VMHost")
def get(cmd: Command) -> None:
    cmd.emit(host_object(cmd.state))


_WORDS = {
    "VirtualMachineMigrationAuthenticationType": "MigrationAuthenticationType",
    "VirtualMachineMigrationPerformanceOption": "VMMigrationPerformance",
}
_FLAGS = {
    "NumaSpanningEnabled": "numa_spanning_enabled",
    "EnableEnhancedSessionMode": "enable_enhanced_session_mode",
    "UseAnyNetworkForMigration": "use_any_network_for_migration",
}
_NUMBERS = {
    "MaximumStorageMigrations": "maximum_storage_migrations",
    "MaximumVirtualMachineMigrations": "maximum_virtual_machine_migrations",
}


@cmdlet("Set-VMHost", takes=0.1)
def change(cmd: Command) -> None:
    args, state = cmd.args, cmd.state
    for parameter, field in (
        ("VirtualMachinePath", "virtual_machine_path"),
        ("VirtualHardDiskPath", "virtual_hard_disk_path"),
    ):
        if parameter in args:
            if not files.is_folder(state, args.text(parameter)):
                raise cmd.refuse("ObjectNotFound", "folder_missing", args.text(parameter))  # domain 2 [I]; kind [I]
            setattr(state, field, args.text(parameter))
    if args.any("MacAddressMinimum", "MacAddressMaximum"):
        _mac_range(cmd)
    for parameter, kind in _WORDS.items():
        if parameter in args:
            setattr(state, _snake(parameter), args.word(parameter, kind))
    for parameter, field in _FLAGS.items():
        if parameter in args:
            setattr(state, field, args.flag(parameter))
    for parameter, field in _NUMBERS.items():
        if parameter in args:
            setattr(state, field, args.number(parameter))
    if "ResourceMeteringSaveInterval" in args:
        seconds = args.seconds("ResourceMeteringSaveInterval")
        if seconds > 24 * _HOUR:
            raise cmd.refuse("InvalidParameter", "out_of_range", "ResourceMeteringSaveInterval", seconds)  # domain 2
        state.resource_metering_save_interval = max(seconds, _HOUR)  # observations 2: below one hour is no error [C]
    cmd.passthru(host_object, state)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _mac_range(cmd: Command) -> None:
    args, state = cmd.args, cmd.state
    low, high = (
        plain_mac(cmd, args.text(p)) if p in args else getattr(state, f)
        for p, f in (("MacAddressMinimum", "mac_address_minimum"), ("MacAddressMaximum", "mac_address_maximum"))
    )
    if int(high, 16) < int(low, 16):
        raise cmd.refuse("InvalidParameter", "mac_range")  # domain 2: maximum >= minimum; id [I]
    state.mac_address_minimum, state.mac_address_maximum = low, high


@cmdlet("Get-VMHostSupportedVersion")
def supported(cmd: Command) -> None:
    default = DEFAULT_VM_VERSION[cmd.state.os]
    for text in VM_VERSIONS[cmd.state.os]:
        if cmd.args.flag("Default") and text != default:
            continue
        parts = dict(zip(("Major", "Minor"), (int(p) for p in text.split(".")), strict=True))
        properties = {
            "Name": _NAMES.get(text, f"Microsoft Windows 10 ({text})"),
            "Version": PsObject("System.Version", parts | {"Build": -1, "Revision": -1}, to_string=text),
            "IsDefault": text == default,
            "ComputerName": computer(cmd.state, False),
            "CimSession": SESSION,
            "IsDeleted": False,
        }
        cmd.emit(shaped(cmd.state, "VMHostSupportedVersion", properties))


@cmdlet("Enable-VMMigration", takes=0.3)
def enable_migration(cmd: Command) -> None:
    if not cmd.state.domain and not cmd.state.at_least("2025"):
        # domain 2: domain-joined, 2025 adds workgroup clusters [I]; kind [I]
        raise cmd.refuse("OperationFailed", "not_in_domain", cmd.state.name)
    cmd.state.virtual_machine_migration_enabled = True
    cmd.passthru(host_object, cmd.state)


@cmdlet("Disable-VMMigration", takes=0.3)
def disable_migration(cmd: Command) -> None:
    cmd.state.virtual_machine_migration_enabled = False
    cmd.passthru(host_object, cmd.state)
