"""Set-VMNetworkAdapter: the device first, then one feature after another (trap 23; domain 9)."""

from __future__ import annotations

from mocks.cmdlets.network_adapter import adapter_object
from mocks.cmdlets.network_adapter_change import meant, plain_mac
from mocks.command import Command, cmdlet
from mocks.complete import give_mac
from mocks.machine import Adapter, Bandwidth, Vm

_WORDS = {
    "DhcpGuard": ("dhcp_guard", "OnOffState"),
    "RouterGuard": ("router_guard", "OnOffState"),
    "IeeePriorityTag": ("ieee_priority_tag", "OnOffState"),
    "AllowTeaming": ("allow_teaming", "OnOffState"),
    "DeviceNaming": ("device_naming", "OnOffState"),
    "FixSpeed10G": ("fix_speed_10g", "OnOffState"),
    "PortMirroring": ("port_mirroring", "VMNetworkAdapterPortMirroringMode"),
    "IovInterruptModeration": ("iov_interrupt_moderation", "IovInterruptModerationValue"),
}
_NUMBERS = {  # parameter -> field, smallest, largest (domain 9)
    "VmqWeight": ("vmq_weight", 0, 100),
    "IovWeight": ("iov_weight", 0, 100),
    "IovQueuePairsRequested": ("iov_queue_pairs_requested", 1, 2**32 - 1),
    "IPsecOffloadMaximumSecurityAssociation": ("ipsec_offload_max_sa", 0, 2**32 - 1),
    "DynamicIPAddressLimit": ("dynamic_ip_address_limit", 0, 2**32 - 1),
    "StormLimit": ("storm_limit", 0, 2**32 - 1),
    "VmmqQueuePairs": ("vrss_max_queue_pairs", 1, 2**32 - 1),  # its name on 2016
    "VrssMaxQueuePairs": ("vrss_max_queue_pairs", 1, 2**32 - 1),
    "PacketDirectNumProcs": ("packet_direct_num_procs", 0, 2**32 - 1),
    "PacketDirectModerationCount": ("packet_direct_moderation_count", 0, 2**32 - 1),
    "PacketDirectModerationInterval": ("packet_direct_moderation_interval", 0, 2**32 - 1),
}
_FLAGS = {"VrssEnabled": "vrss_enabled", "VmmqEnabled": "vmmq_enabled"}
_POOLS = {"ResourcePoolName": "pool_name", "TestReplicaPoolName": "test_replica_pool_name"}
_OF_VMS = (
    *("IovWeight", "IovQueuePairsRequested", "IovInterruptModeration", "NotMonitoredInCluster", "MandatoryFeatureId"),
    *("PacketDirectNumProcs", "PacketDirectModerationCount", "PacketDirectModerationInterval"),
    *_POOLS,
    "TestReplicaSwitchName",
)


@cmdlet("Set-VMNetworkAdapter", takes=0.15)
def change(cmd: Command) -> None:
    for vm, adapter in list(meant(cmd)):
        with cmd.trying():
            if vm is not None and vm.state == "Saved":
                raise _failed(cmd)  # trap 15
            if vm is None and cmd.args.any(*_OF_VMS):
                # domain 3: what an adapter of the host does not have is invalid there [O]; text and id ours
                raise cmd.refuse("InvalidParameter", "ethernet_feature", cmd.say("bad_parameter"))
            _mac(cmd, vm, adapter)
            _features(cmd, vm, adapter)
            _bandwidth(cmd, adapter)
            cmd.passthru(adapter_object, cmd.state, vm, adapter)


def _failed(cmd: Command) -> Exception:
    # text observations 4 (ballast) [O]; kind domain 26
    return cmd.refuse("InvalidState", "ethernet_feature", cmd.say("object_bad_state"))


def _mac(cmd: Command, vm: Vm | None, adapter: Adapter) -> None:
    args = cmd.args
    dynamic, static = args.flag("DynamicMacAddress"), args.text("StaticMacAddress")
    if not dynamic and not static:
        return
    if dynamic and static:
        raise cmd.refuse("InvalidParameter", "mac_invalid", static)  # domain 9: both = invalid [I]
    wanted = plain_mac(cmd, static) if static else ""
    if vm is not None and vm.state != "Off":
        # domain 9: off (DSC_VMHyperV); id domain 26
        raise cmd.refuse("InvalidState", "device", "Synthetic Ethernet Port", cmd.say("bad_state"))
    adapter.dynamic_mac_address = dynamic
    if static:
        adapter.mac_address = wanted
    elif vm is not None and vm.state != "Off":
        give_mac(cmd.state, adapter)


def _features(cmd: Command, vm: Vm | None, adapter: Adapter) -> None:
    args = cmd.args
    if "MacAddressSpoofing" in args:
        wanted = args.word("MacAddressSpoofing", "OnOffState")
        if adapter.switch is None and wanted != adapter.mac_address_spoofing:
            raise _failed(cmd)  # observations 4: an adapter without a switch (spoofing) [O]
        adapter.mac_address_spoofing = wanted
    for parameter, (field, enum) in _WORDS.items():
        if parameter in args:
            setattr(adapter, field, args.word(parameter, enum))
    for parameter, (field, low, high) in _NUMBERS.items():
        if parameter in args:
            if not low <= args.number(parameter) <= high:
                raise cmd.refuse("InvalidParameter", "out_of_range", parameter, args.number(parameter))  # [I]
            setattr(adapter, field, args.number(parameter))
    if "VirtualSubnetId" in args:
        subnet = args.number("VirtualSubnetId")
        if subnet and not 4096 <= subnet <= 16777215:
            raise cmd.refuse("InvalidParameter", "out_of_range", "VirtualSubnetId", subnet)  # domain 9
        adapter.virtual_subnet_id = subnet
    for parameter, field in _FLAGS.items():
        if parameter in args:
            setattr(adapter, field, args.flag(parameter))
    for parameter, field in _POOLS.items():
        if parameter in args:
            setattr(adapter, field, cmd.pool(parameter))
    if "TestReplicaSwitchName" in args:
        adapter.test_replica_switch_name = args.text("TestReplicaSwitchName")
    if "NotMonitoredInCluster" in args and vm is not None:
        adapter.cluster_monitored = not args.flag("NotMonitoredInCluster")
    if "MandatoryFeatureId" in args:
        adapter.mandatory_feature_id = args.texts("MandatoryFeatureId")


def nearest8(value: int) -> int:
    """Bits per second are kept in multiples of 8, to the nearest (domain 26)."""
    return (value + 4) // 8 * 8


def _bandwidth(cmd: Command, adapter: Adapter) -> None:
    args = cmd.args
    if not args.any("MinimumBandwidthAbsolute", "MinimumBandwidthWeight", "MaximumBandwidth"):
        return
    now = adapter.bandwidth or Bandwidth()
    new = Bandwidth(now.minimum_absolute, now.minimum_weight, now.maximum)
    if "MinimumBandwidthAbsolute" in args:
        new.minimum_absolute = nearest8(args.number("MinimumBandwidthAbsolute"))
    if "MinimumBandwidthWeight" in args:
        new.minimum_weight = args.number("MinimumBandwidthWeight")
    if "MaximumBandwidth" in args:
        new.maximum = nearest8(args.number("MaximumBandwidth"))
    absolute, weight, most = new.minimum_absolute or 0, new.minimum_weight or 0, new.maximum or 0
    switch = cmd.state.switch(adapter.switch)
    mode = switch.minimum_bandwidth_mode if switch else None
    changed_minimum = args.any("MinimumBandwidthAbsolute", "MinimumBandwidthWeight")
    wrong = (absolute and mode != "Absolute") or (weight and mode != "Weight")
    if switch is not None and changed_minimum and (wrong or ((absolute or weight) and switch.iov_enabled)):
        # domain 9.1: absolute needs Absolute, weight needs Weight, neither with None or IOV; fails, text and id unknown
        raise cmd.refuse("OperationFailed", "ethernet_feature", cmd.say("bandwidth_mode"))
    if min(absolute, weight, most) < 0 or weight > 100 or (absolute and weight) or (most and most < absolute):
        # domain 9, 9.1: ranges, weight and absolute exclude each other, maximum >= minimum; id [I]
        raise cmd.refuse("InvalidParameter", "ethernet_feature", cmd.say("bad_parameter"))
    adapter.bandwidth = new
