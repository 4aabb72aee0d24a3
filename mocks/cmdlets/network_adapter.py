"""Get-VMNetworkAdapter and the adapter objects of VMs and of the management OS (domain 9, observations 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mocks.arguments import like
from mocks.cmdlets._find import owners
from mocks.cmdlets.integration_service import in_contact
from mocks.command import Command, cmdlet
from mocks.enums import enum, nameless
from mocks.machine import Acl, Adapter, Checkpoint, ExtendedAcl, Vm
from mocks.objects import Guid, PsObject
from mocks.shape import SESSION, computer, device_id, parts_of, shaped
from mocks.state import HostState

# What an adapter of the management OS does not have: recorded on 2012 R2, and by the stubs of module 2.0
_VM_ONLY = (
    "IovWeight",
    "IovQueuePairsRequested",
    "IovQueuePairsAssigned",
    "IovInterruptModeration",
    "IovUsage",
    "ClusterMonitored",
    "VirtualFunction",
    "DeviceNaming",
    "IsSynthetic",
    "AllowPacketDirect",
    "InterruptModeration",
    "MediaType",
    "NumaAwarePlacement",
    "PacketDirectModerationCount",
    "PacketDirectModerationInterval",
    "PacketDirectNumProcs",
)
_VM_ONLY_2 = (
    "Connected",
    "DynamicMacAddressEnabled",
    "IPAddresses",
    "IsLegacy",
    "MandatoryFeatureId",
    "MandatoryFeatureName",
    "PoolName",
    "TestReplicaPoolName",
    "TestReplicaSwitchName",
)
_REQUESTED = (
    "VmmqEnabled",
    "VmmqQueuePairs",
    "VrssEnabled",
    "VrssExcludePrimaryProcessor",
    "VrssIndependentHostSpreading",
    "VrssMaxQueuePairs",
    "VrssMinQueuePairs",
    "VrssQueueSchedulingMode",
    "VrssVmbusChannelAffinityPolicy",
)


def adapter_object(state: HostState, vm: Vm | None, adapter: Adapter, point: Checkpoint | None = None) -> PsObject:
    switch = state.switch(adapter.switch)
    live = vm is None or vm.state == "Running"
    properties: dict[str, Any] = {
        "IovWeight": adapter.iov_weight,
        "IovQueuePairsRequested": adapter.iov_queue_pairs_requested,
        "IovQueuePairsAssigned": 0 if live else None,
        "IovInterruptModeration": enum("IovInterruptModerationValue", adapter.iov_interrupt_moderation),
        "IovUsage": 0 if live else None,
        "ClusterMonitored": adapter.cluster_monitored,
        "VirtualFunction": None,
        "IsLegacy": adapter.is_legacy,
        "IsSynthetic": not adapter.is_legacy,
        "IsManagementOs": vm is None,
        "IsExternalAdapter": False,
        "Id": _id(adapter, vm),
        "DynamicMacAddressEnabled": adapter.dynamic_mac_address,
        "MacAddress": adapter.mac_address,
        "SwitchId": Guid(switch.id) if switch else None,
        "Connected": switch is not None,
        "SwitchName": switch.name if switch else None,  # after a switch's removal: null (domain 26)
        "AclList": None,
        "ExtendedAclList": None,
        "IsolationSetting": None,
        "CurrentIsolationMode": enum("VMNetworkAdapterIsolationMode", adapter.isolation.mode),
        "RoutingDomainList": [],
        "PortMirroringMode": enum("VMNetworkAdapterPortMirroringMode", adapter.port_mirroring),
        "VirtualSubnetId": adapter.virtual_subnet_id,
        "DynamicIPAddressLimit": adapter.dynamic_ip_address_limit,
        "StormLimit": adapter.storm_limit,
        "VMQWeight": adapter.vmq_weight,
        "IPsecOffloadMaxSA": adapter.ipsec_offload_max_sa,
        "VmqUsage": 0 if live else None,
        "IPsecOffloadSAUsage": 0 if live else None,
        "VFDataPathActive": False,
        "VMQueue": None,
        "VlanSetting": None,
        "BandwidthSetting": _bandwidth(state, vm, adapter),
        "BandwidthPercentage": 0,
        "StatusDescription": ["OK"] if live else None,
        "Status": [enum("VMNetworkAdapterOperationalStatus", "Ok")] if live else None,
        "Name": adapter.name,
        **_words(adapter),
        **_replica(adapter, vm),
        **_addresses(adapter, vm),
        **_queues(adapter),
        "IsTemplate": False,
        **parts_of(state, vm, point=point),
    }
    if vm is None:
        properties["DeviceId"] = "{" + adapter.id.upper() + "}"
        for name in (*_VM_ONLY, *(_VM_ONLY_2 if state.module2 else ())):
            del properties[name]
    kind = "VMNetworkAdapter" if vm else "VMInternalNetworkAdapter"
    text = f"{kind} (Name = '{adapter.name}', VMName = '{vm.name if vm else ''}') [VMId = '{vm.id if vm else ''}']"
    shown = shaped(state, kind, properties, entity=adapter, text=text)
    settings: dict[str, Any] = {
        "VlanSetting": vlan_object(state, vm, adapter, shown),
        "AclList": [acl_object(state, vm, acl, shown) for acl in adapter.acls],
    }
    if "IsolationSetting" in shown.properties:
        settings["IsolationSetting"] = isolation_object(state, vm, adapter, shown)
        settings["ExtendedAclList"] = [extended_acl_object(state, vm, acl, shown) for acl in adapter.extended_acls]
    return PsObject(shown.type_name, {**shown.properties, **settings}, adapter, shown.to_string)


def _id(adapter: Adapter, vm: Vm | None) -> str:
    if vm is not None:
        return device_id(vm, adapter.id)
    return f"Microsoft:{(adapter.switch or '').upper()}\\{adapter.id.upper()}"


def _words(adapter: Adapter) -> dict[str, Any]:
    return {
        name: enum("OnOffState", word)
        for name, word in (
            ("MacAddressSpoofing", adapter.mac_address_spoofing),
            ("DhcpGuard", adapter.dhcp_guard),
            ("RouterGuard", adapter.router_guard),
            ("IeeePriorityTag", adapter.ieee_priority_tag),
            ("AllowTeaming", adapter.allow_teaming),
            ("DeviceNaming", adapter.device_naming),
            ("FixSpeed10G", adapter.fix_speed_10g),
        )
    }


def _replica(adapter: Adapter, vm: Vm | None) -> dict[str, Any]:
    """Empty for a VM, null for the management OS (recorded)."""
    mandatory: list[str] | None = adapter.mandatory_feature_id if vm else None
    return {
        "PoolName": adapter.pool_name if vm else None,
        "MandatoryFeatureId": mandatory,
        "MandatoryFeatureName": list(mandatory) if mandatory is not None else None,
        "TestReplicaPoolName": adapter.test_replica_pool_name if vm else None,
        "TestReplicaSwitchName": adapter.test_replica_switch_name if vm else None,
    }


def _addresses(adapter: Adapter, vm: Vm | None) -> dict[str, Any]:
    """AdapterId: upper for the management OS, null while off, lower while running (recorded). IPAddresses need the
    exchange component and a running guest (domain 9.1)."""
    if vm is None:
        return {"AdapterId": adapter.id.upper(), "IPAddresses": None}
    answers = in_contact(vm, "key_value_pair_exchange")
    return {
        "AdapterId": adapter.id.lower() if vm.state == "Running" else None,
        "IPAddresses": list(adapter.ip_addresses) if answers else [],
    }


def _queues(adapter: Adapter) -> dict[str, Any]:
    now: dict[str, Any] = {
        "VmmqEnabled": adapter.vmmq_enabled,
        "VmmqQueuePairs": adapter.vrss_max_queue_pairs,
        "VrssEnabled": adapter.vrss_enabled,
        "VrssExcludePrimaryProcessor": False,
        "VrssIndependentHostSpreading": False,
        "VrssMaxQueuePairs": adapter.vrss_max_queue_pairs,
        "VrssMinQueuePairs": 1,
        "VrssQueueSchedulingMode": enum("VrssQueueSchedulingModeType", "Dynamic"),
        "VrssVmbusChannelAffinityPolicy": enum("VrssVmbusChannelAffinityPolicyType", "Strong"),
    }
    fixed = {
        "AllowPacketDirect": False,
        "InterruptModeration": True,
        "MediaType": 0,
        "NumaAwarePlacement": True,
        "PacketDirectModerationCount": adapter.packet_direct_moderation_count,
        "PacketDirectModerationInterval": adapter.packet_direct_moderation_interval,
        "PacketDirectNumProcs": adapter.packet_direct_num_procs,
    }
    return now | {f"{name}Requested": now[name] for name in _REQUESTED} | fixed


def _bandwidth(state: HostState, vm: Vm | None, adapter: Adapter) -> PsObject | None:
    """Null until something was set (observations 2)."""
    if adapter.bandwidth is None:
        return None
    properties = {
        "MinimumBandwidthAbsolute": adapter.bandwidth.minimum_absolute,
        "MinimumBandwidthWeight": adapter.bandwidth.minimum_weight,
        "MaximumBandwidth": adapter.bandwidth.maximum,
        **_setting(state, vm),
    }
    return shaped(state, "VMNetworkAdapterBandwidthSetting", properties, entity=adapter)


def _setting(state: HostState, vm: Vm | None) -> dict[str, Any]:
    running = vm is not None and vm.state == "Running"
    return {
        "IsTemplate": False,
        "CimSession": SESSION,
        "ComputerName": computer(state, running),
        "IsDeleted": False,
        "Key": None,
    }


def vlan_object(state: HostState, vm: Vm | None, adapter: Adapter, parent: PsObject) -> PsObject:
    vlan = adapter.vlan
    private = vlan.private_mode if vlan.mode == "Private" else None
    mode = "VMNetworkAdapterPrivateVlanMode"
    properties = {
        "OperationMode": enum("VMNetworkAdapterVlanMode", vlan.mode),
        "AccessVlanId": vlan.access,
        "NativeVlanId": vlan.native,
        "AllowedVlanIdList": ids(vlan.allowed),
        "AllowedVlanIdListString": vlan.allowed,
        "PrivateVlanMode": enum(mode, private) if private else nameless(mode, 0),  # 0 has no name (domain 9.2)
        "PrimaryVlanId": vlan.primary,
        "SecondaryVlanId": vlan.secondary,
        "SecondaryVlanIdList": ids(vlan.secondaries),
        "SecondaryVlanIdListString": vlan.secondaries,
        "ParentAdapter": parent,
        **_setting(state, vm),
    }
    return shaped(state, "VMNetworkAdapterVlanSetting", properties, entity=adapter)


def ids(text: str) -> list[int]:
    """`1-3,7` as numbers."""
    found: list[int] = []
    for part in (p for p in text.replace(" ", "").split(",") if p):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def isolation_object(state: HostState, vm: Vm | None, adapter: Adapter, parent: PsObject) -> PsObject:
    isolation = adapter.isolation
    properties = {
        "IsolationMode": enum("VMNetworkAdapterIsolationMode", isolation.mode),
        "AllowUntaggedTraffic": isolation.allow_untagged_traffic,
        "DefaultIsolationID": isolation.default_id,
        "MultiTenantStack": enum("OnOffState", isolation.multi_tenant_stack),
        "ParentAdapter": parent,
        **_setting(state, vm),
    }
    return shaped(state, "VMNetworkAdapterIsolationSetting", properties, entity=adapter)


def acl_object(state: HostState, vm: Vm | None, acl: Acl, parent: PsObject) -> PsObject:
    """Of one side: the WMI class behind it says to which it applies; that the other is empty is ours [I]."""
    mode = "VMNetworkAdapterAclType"
    kinds = {side: acl_type(text) for side, text in (("Local", acl.local), ("Remote", acl.remote))}
    texts = {"Local": acl.local, "Remote": acl.remote}
    properties: dict[str, Any] = {
        "Action": enum("VMNetworkAdapterAclAction", acl.action),
        "Direction": enum("VMNetworkAdapterAclDirection", acl.direction),
        **{f"{side}Address": texts[side].removesuffix(" MAC") for side in kinds},
        **{f"{side}AddressType": enum(mode, kind) if kind else nameless(mode, 0) for side, kind in kinds.items()},
        "MeteredMegabytes": "0" if acl.action == "Meter" else "",
        "ParentAdapter": parent,
        **_setting(state, vm),
    }
    return shaped(state, "VMNetworkAdapterAclSetting", properties, entity=acl)


def acl_type(text: str) -> str:
    if not text:
        return ""
    if text.upper().startswith("ANY"):
        return "WildcardMac" if text.upper().endswith("MAC") else "WildcardBoth"
    if text in ("0.0.0.0/0", "::/0"):
        return "WildcardIPv6" if ":" in text else "WildcardIPv4"
    if len([c for c in text if c not in "-:"]) == 12 and all(c in "0123456789abcdefABCDEF-:" for c in text):
        return "Mac"
    return "IPv6" if ":" in text else "IPv4"


def extended_acl_object(state: HostState, vm: Vm | None, acl: ExtendedAcl, parent: PsObject) -> PsObject:
    properties: dict[str, Any] = {
        "Action": enum("VMNetworkAdapterExtendedAclAction", acl.action),
        "Direction": enum("VMNetworkAdapterExtendedAclDirection", acl.direction),
        "Weight": acl.weight,
        "LocalIPAddress": acl.local,
        "RemoteIPAddress": acl.remote,
        "LocalPort": acl.local_port,
        "RemotePort": acl.remote_port,
        "Protocol": acl.protocol,
        "Stateful": acl.stateful,
        "IdleSessionTimeout": acl.idle_session_timeout,
        "IsolationID": acl.isolation_id,
        "ParentAdapter": parent,
        **_setting(state, vm),
    }
    return shaped(state, "VMNetworkAdapterExtendedAclSetting", properties, entity=acl)


@cmdlet("Get-VMNetworkAdapter", takes=0.08)
def get(cmd: Command) -> None:
    for vm, adapter, point in found(cmd):
        cmd.emit(adapter_object(cmd.state, vm, adapter, point))


def asked(cmd: Command, name: str = "VMNetworkAdapterName") -> Iterator[tuple[Vm | None, Adapter]]:
    """The adapters that a Get-VMNetworkAdapter… cmdlet is about: objects, or as `found`; all of VMs by default."""
    if "VMNetworkAdapter" in cmd.args:
        for adapter in cmd.args.entities("VMNetworkAdapter", Adapter):
            with cmd.trying():
                yield owner_of(cmd, adapter), adapter
        return
    if not cmd.args.any("VM", "VMName", "VMSnapshot", "ManagementOS"):
        yield from ((vm, a) for vm in cmd.state.vms for a in vm.nics)
        return
    yield from ((vm, adapter) for vm, adapter, _ in found(cmd, name))


def owner_of(cmd: Command, adapter: Adapter) -> Vm | None:
    """The adapter's VM, None for the management OS; an object may stand for an adapter that is gone."""
    for vm in cmd.state.vms:
        if any(a is adapter for a in vm.nics):
            return vm
    if any(a is adapter for a in cmd.state.management_adapters):
        return None
    raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # observations 4: the object was not found


def found(cmd: Command, name: str = "Name") -> Iterator[tuple[Vm | None, Adapter, Checkpoint | None]]:
    """Adapters by -ManagementOS, -All, -VM, -VMName, -VMSnapshot, narrowed by name, switch and -IsLegacy."""
    args = cmd.args
    pattern = args.text(name) or "*"
    if args.flag("ManagementOS") or args.flag("All"):
        switch = args.text("SwitchName") or "*"
        for adapter in list(cmd.state.management_adapters):
            own = cmd.state.switch(adapter.switch)
            if like(adapter.name, pattern) and like(own.name if own else "", switch):
                yield None, adapter, None
    if args.flag("ManagementOS"):
        return
    subjects = [(vm, None) for vm in cmd.state.vms] if args.flag("All") else owners(cmd)
    for vm, point in subjects:
        for adapter in list(vm.nics_at(point)):
            if like(adapter.name, pattern) and ("IsLegacy" not in args or adapter.is_legacy == args.flag("IsLegacy")):
                yield vm, adapter, point
