"""Switches, adapters, VLANs, and the way WinRM comes in (domain 3, 9)."""

from __future__ import annotations

from typing import Any

import pytest

from mocks.host import SimulatedHost
from tests.mocks.hosts import done, host, one, one_vm, read, refused

G = 10**9


def switched(mode: str = "Absolute", **vm: object) -> SimulatedHost:
    return host(
        switches=[{"name": "lan", "net_adapters": ["Ethernet 2"], "minimum_bandwidth_mode": mode}],
        vms=[{"name": "web01", "generation": 2, "adapters": [{"name": "a", "switch": "lan"}], **vm}],
    )


def test_bandwidth_is_null_until_set_and_comes_in_multiples_of_8() -> None:
    on = switched()
    assert read(on, "Get-VMNetworkAdapter", "BandwidthSetting", VMName="web01") is None
    done(on, "Set-VMNetworkAdapter", VMName="web01", MaximumBandwidth=1234567, MinimumBandwidthAbsolute=1000)
    setting = read(on, "Get-VMNetworkAdapter", "BandwidthSetting", VMName="web01").properties
    assert (setting["MaximumBandwidth"], setting["MinimumBandwidthAbsolute"]) == (1234568, 1000)
    done(on, "Set-VMSwitch", Name="lan", DefaultFlowMinimumBandwidthAbsolute=1234567)
    assert read(on, "Get-VMSwitch", "DefaultFlowMinimumBandwidthAbsolute") == 1234560


@pytest.mark.parametrize(
    ("mode", "parameter", "fine"),
    [
        ("Absolute", "MinimumBandwidthAbsolute", True),
        ("Absolute", "MinimumBandwidthWeight", False),
        ("Weight", "MinimumBandwidthWeight", True),
        ("Weight", "MinimumBandwidthAbsolute", False),
        ("None", "MinimumBandwidthWeight", False),
    ],
)
def test_a_minimum_goes_with_the_switchs_mode(mode: str, parameter: str, fine: bool) -> None:
    on = switched(mode)
    if fine:
        done(on, "Set-VMNetworkAdapter", VMName="web01", **{parameter: 80})
    else:
        assert refused(on, "Set-VMNetworkAdapter", VMName="web01", **{parameter: 80}) == "OperationFailed"


def test_several_adapters_of_a_name_are_meant_together() -> None:
    on = host(vms=[{"name": "web01", "generation": 2, "adapters": [{}, {}, {"name": "b"}]}])
    done(on, "Set-VMNetworkAdapterVlan", VMName="web01", VMNetworkAdapterName="Network Adapter", Access=True, VlanId=7)
    assert [a["vlan"]["access"] for a in on.snapshot()["vms"][0]["adapters"]] == [7, 7, 0]
    done(on, "Remove-VMNetworkAdapter", VMName="web01", Name="network adapter")
    assert [a["name"] for a in on.snapshot()["vms"][0]["adapters"]] == ["b"]
    assert refused(on, "Remove-VMNetworkAdapter", VMName="web01", Name="b*") == "ObjectNotFound", "no wildcards"


@pytest.mark.parametrize(
    ("os", "generation", "live"),
    [("2012r2", 2, False), ("2016", 2, True), ("2022", 1, False), ("2022", 2, True)],
)
def test_adapters_come_live_to_generation_2_from_2016_on(os: str, generation: int, live: bool) -> None:
    on = one_vm(os, generation=generation, state="Running")
    if live:
        done(on, "Add-VMNetworkAdapter", VMName="web01", Name="b", SwitchName="lan")
        done(on, "Remove-VMNetworkAdapter", VMName="web01", Name="b")
    else:
        assert refused(on, "Add-VMNetworkAdapter", VMName="web01", Name="b") == "InvalidState"


def test_mac_addresses() -> None:
    on = one_vm()
    assert read(on, "Get-VMNetworkAdapter", "MacAddress", VMName="web01") == "000000000000"
    done(on, "Start-VM", Name="web01")
    on.clock.sleep(60)  # the guest boots
    assert read(on, "Get-VMNetworkAdapter", "MacAddress", VMName="web01").startswith("00155D")
    assert refused(on, "Set-VMNetworkAdapter", VMName="web01", StaticMacAddress="00155D000001") == "InvalidState"
    done(on, "Stop-VM", Name="web01")
    assert refused(on, "Set-VMNetworkAdapter", VMName="web01", StaticMacAddress="25B600000001") == "InvalidParameter"
    done(on, "Set-VMNetworkAdapter", VMName="web01", StaticMacAddress="00-15-5d-00-00-01")
    assert read(on, "Get-VMNetworkAdapter", "MacAddress", VMName="web01") == "00155D000001"
    assert read(on, "Get-VMNetworkAdapter", "DynamicMacAddressEnabled", VMName="web01") is False


def test_the_device_may_be_changed_though_a_feature_is_refused() -> None:
    on = one_vm()
    change = {"StaticMacAddress": "00155D000001", "MacAddressSpoofing": "On", "DhcpGuard": "On"}
    assert refused(on, "Set-VMNetworkAdapter", VMName="web01", **change) == "InvalidState", "no switch"
    (adapter,) = on.snapshot()["vms"][0]["adapters"]
    assert (adapter["mac_address"], adapter["dhcp_guard"]) == ("00155D000001", "Off")


def test_vlan_modes_read_back() -> None:
    on = one_vm()
    done(on, "Set-VMNetworkAdapterVlan", VMName="web01", Trunk=True, AllowedVlanIdList="1-3,7", NativeVlanId=0)
    setting = one(on, "Get-VMNetworkAdapterVlan", VMName="web01").properties
    assert (setting["AllowedVlanIdList"], setting["AllowedVlanIdListString"]) == ([1, 2, 3, 7], "1-3,7")
    assert (setting["PrivateVlanMode"].name, setting["PrivateVlanMode"].number) == ("0", 0)
    assert refused(on, "Set-VMNetworkAdapterVlan", VMName="web01", Access=True, VlanId=4095) == "InvalidParameter"


# --- switches -------------------------------------------------------------------------------------------------------


def test_forbidding_the_management_os_on_an_internal_switch_makes_it_private() -> None:
    on = host(switches=[{"name": "in", "type": "Internal"}])
    done(on, "Set-VMSwitch", Name="in", AllowManagementOS=False)
    assert read(on, "Get-VMSwitch", "SwitchType") == "Private"
    assert done(on, "Get-VMNetworkAdapter", ManagementOS=True) == []


def test_a_removed_switch_leaves_its_adapters_unconnected() -> None:
    on = switched()
    assert refused(on, "Remove-VMSwitch", Name="lan") == "InvalidOperation", "it asks"
    done(on, "Remove-VMSwitch", Name="lan", Force=True)
    adapter = one(on, "Get-VMNetworkAdapter", VMName="web01").properties
    assert (adapter["SwitchName"], adapter["SwitchId"], adapter["Connected"]) == (None, None, False)


def test_names_of_switches_are_not_unique() -> None:
    on = switched()
    done(on, "New-VMSwitch", Name="lan", SwitchType="Private")
    assert len(done(on, "Get-VMSwitch", Name="LAN")) == 2


def test_teams() -> None:
    nics = [{"name": n} for n in ("Ethernet", "a", "b", "c")]
    on = host(net_adapters=nics)
    done(on, "New-VMSwitch", Name="set", NetAdapterName=["a", "b"], AllowManagementOS=False)
    assert read(on, "Get-VMSwitchTeam", "LoadBalancingAlgorithm", Name="set") == "HyperVPort"
    done(on, "Add-VMSwitchTeamMember", VMSwitchName="set", NetAdapterName="c")
    done(on, "Remove-VMSwitchTeamMember", VMSwitchName="set", NetAdapterName="a")
    done(on, "Set-VMSwitchTeam", Name="set", LoadBalancingAlgorithm="Dynamic")
    assert on.snapshot()["switches"][0]["net_adapters"] == ["b", "c"]


def test_a_switch_over_the_management_adapter_takes_the_host_off_the_network_for_a_while() -> None:
    on = host()
    done(on, "New-VMSwitch", Name="lan", NetAdapterName="Ethernet", AllowManagementOS=True)
    assert not on.reachable
    on.clock.sleep(30)
    assert on.reachable
    address = one(on, "Get-NetIPAddress", IPAddress="192.0.2.11").properties
    assert address["InterfaceAlias"] == "vEthernet (lan)"
    done(on, "Set-VMSwitch", Name="lan", AllowManagementOS=False)
    on.clock.sleep(10**6)
    assert not on.reachable, "for good"


@pytest.mark.parametrize("to", ["Internal", "Private"])
def test_a_switch_that_carries_winrm_cuts_the_host_off_when_it_loses_its_cable(to: str) -> None:
    on = host(
        switches=[{"name": "lan", "net_adapters": ["Ethernet"]}, {"name": "other", "net_adapters": ["Ethernet 2"]}]
    )
    done(on, "Set-VMSwitch", Name="other", SwitchType=to)
    assert on.reachable, "nothing came over it"
    done(on, "Set-VMSwitch", Name="lan", SwitchType=to)
    on.clock.sleep(10**6)
    assert not on.reachable


def test_other_switches_leave_the_connection_alone() -> None:
    on = host()
    done(on, "New-VMSwitch", Name="lan", NetAdapterName="Ethernet 2", AllowManagementOS=False)
    assert on.reachable


@pytest.mark.parametrize("parameter", ["IovWeight", "IovQueuePairsRequested", "NotMonitoredInCluster"])
def test_an_adapter_of_the_host_takes_no_settings_of_vms(parameter: str) -> None:
    on = host(switches=[{"name": "in", "type": "Internal"}])
    value: Any = True if parameter == "NotMonitoredInCluster" else 1
    given: dict[str, Any] = {"ManagementOS": True, "Name": "in", parameter: value}
    assert on.invoke("Set-VMNetworkAdapter", given).errors
