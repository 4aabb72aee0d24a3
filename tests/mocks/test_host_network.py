"""Addresses, routes, name servers and NAT of the simulated host (networking 1 to 4)."""

from __future__ import annotations

from typing import Any

import pytest

from mocks.host import SimulatedHost
from tests.mocks.hosts import done, host, name_of, refused

NIC = {"name": "Ethernet", "index": 10, "addresses": ["192.0.2.9/24"]}
INSIDE: dict[str, Any] = {
    "switches": [{"name": "inside", "type": "Internal"}],
    "management_adapters": [{"name": "inside", "switch": "inside"}],
}


def addresses(on: SimulatedHost, alias: str = "vEthernet (inside)") -> list[tuple[str, str, str]]:
    rows = (o.properties for o in done(on, "Get-NetIPAddress"))
    return [
        (f"{r['IPAddress']}/{r['PrefixLength']}", name_of(r["PrefixOrigin"]), name_of(r["AddressState"]))
        for r in rows
        if r["InterfaceAlias"] == alias
    ]


def give(on: SimulatedHost, address: str, **more: Any) -> list[Any]:
    ip, _, length = address.partition("/")
    more = more or {"InterfaceAlias": "vEthernet (inside)"}
    return done(on, "New-NetIPAddress", IPAddress=ip, PrefixLength=int(length), **more)


def test_a_new_address_is_checked_for_some_seconds_and_told_of_both_stores() -> None:
    on = host(net_adapters=[NIC], **INSIDE)
    active, kept = give(on, "10.0.0.5/24")
    assert [name_of(o.properties["AddressState"]) for o in (active, kept)] == ["Tentative", "Invalid"]
    assert addresses(on) == [("10.0.0.5/24", "Manual", "Tentative")]
    on.clock.sleep(3)
    assert addresses(on) == [("10.0.0.5/24", "Manual", "Preferred")]


def test_one_that_another_machine_has_becomes_a_duplicate() -> None:
    on = host(net_adapters=[NIC], addresses_elsewhere=["10.0.0.5"], **INSIDE)
    give(on, "10.0.0.5/24")
    on.clock.sleep(3)
    assert addresses(on) == [("10.0.0.5/24", "Manual", "Duplicate")]


def test_without_a_link_it_stays_tentative() -> None:
    on = host(net_adapters=[NIC, {"name": "Ethernet 2", "index": 11, "status": "Disconnected"}])
    give(on, "10.0.0.5/24", InterfaceIndex=11)
    on.clock.sleep(60)
    assert addresses(on, "Ethernet 2") == [("10.0.0.5/24", "Manual", "Tentative")]


def test_dhcp_without_an_answer_leaves_an_address_and_ends_with_the_first_by_hand() -> None:
    on = host(net_adapters=[NIC], **INSIDE)
    ((ip, origin, state),) = addresses(on)
    assert (ip[:8], origin, state) == ("169.254.", "WellKnown", "Preferred")
    give(on, "10.0.0.5/24")
    on.clock.sleep(3)
    done(on, "Remove-NetIPAddress", IPAddress="10.0.0.5", Confirm=False)
    assert addresses(on) == [], "DHCP does not come back by itself"


def test_what_a_lease_brought_goes_with_it() -> None:
    leased = {
        "name": "Ethernet 2",
        "index": 11,
        "dhcp": True,
        "addresses": ["10.0.0.77/24 dhcp", "fd00::5/64"],
        "gateways": ["10.0.0.1 dhcp"],
        "dns": ["10.0.0.53 dhcp"],
    }
    on = host(net_adapters=[NIC, leased])
    assert [o.properties["NextHop"] for o in done(on, "Get-NetRoute", DestinationPrefix="0.0.0.0/0")] == ["10.0.0.1"]
    give(on, "10.0.0.5/24", InterfaceIndex=11)
    assert [a for a, _, _ in addresses(on, "Ethernet 2")] == ["fd00::5/64", "10.0.0.5/24"]
    assert refused(on, "Get-NetRoute", DestinationPrefix="0.0.0.0/0").startswith("CmdletizationQuery_NotFound")
    (four,) = done(on, "Get-DnsClientServerAddress", InterfaceIndex=11, AddressFamily="IPv4")
    assert four.properties["ServerAddresses"] == []


def test_name_servers_are_replaced_by_their_family() -> None:
    on = host(net_adapters=[{**NIC, "dns": ["192.0.2.53", "fd00::53"]}])
    done(on, "Set-DnsClientServerAddress", InterfaceIndex=10, ServerAddresses=["192.0.2.54", "192.0.2.55"])
    rows = done(on, "Get-DnsClientServerAddress", InterfaceAlias="Ethernet")
    assert [r.properties["ServerAddresses"] for r in rows] == [["192.0.2.54", "192.0.2.55"], ["fd00::53"]]
    done(on, "Set-DnsClientServerAddress", InterfaceAlias="Ethernet", ResetServerAddresses=True)
    rows = done(on, "Get-DnsClientServerAddress", InterfaceAlias="Ethernet")
    assert [len(r.properties["ServerAddresses"]) for r in rows] == [0, 3], "IPv6 lists site-local ones then"


def test_windows_has_an_interface_some_seconds_after_its_adapter() -> None:
    on = host(net_adapters=[NIC])
    done(on, "New-VMSwitch", Name="inside", SwitchType="Internal")
    assert "vEthernet (inside)" not in [o.properties["Name"] for o in done(on, "Get-NetAdapter")]
    on.clock.sleep(4)
    (new,) = (o for o in done(on, "Get-NetAdapter") if o.properties["Name"] == "vEthernet (inside)")
    (adapter,) = done(on, "Get-VMNetworkAdapter", ManagementOS=True)
    assert adapter.properties["DeviceId"] == new.properties["InterfaceGuid"]


def test_settings_move_to_the_adapter_of_a_new_switch_and_come_back() -> None:
    on = host(net_adapters=[NIC, {"name": "Ethernet 2", "addresses": ["10.0.0.5/24"], "gateways": ["10.0.0.1"]}])
    done(on, "New-VMSwitch", Name="lan", NetAdapterName="Ethernet 2")
    on.clock.sleep(4)
    assert addresses(on, "vEthernet (lan)") == [("10.0.0.5/24", "Manual", "Preferred")]
    assert [o.properties["InterfaceAlias"] for o in done(on, "Get-NetRoute", NextHop="10.0.0.1")] == ["vEthernet (lan)"]
    done(on, "Remove-VMSwitch", Name="lan", Force=True)
    assert addresses(on, "Ethernet 2") == [("10.0.0.5/24", "Manual", "Preferred")]


def test_they_do_not_move_to_one_that_is_added_later() -> None:
    on = host(
        net_adapters=[NIC, {"name": "Ethernet 2", "addresses": ["10.0.0.5/24"]}],
        switches=[{"name": "lan", "net_adapters": ["Ethernet 2"], "allow_management_os": False}],
    )
    done(on, "Add-VMNetworkAdapter", ManagementOS=True, Name="late", SwitchName="lan")
    on.clock.sleep(4)
    assert [origin for _, origin, _ in addresses(on, "vEthernet (late)")] == ["WellKnown"]


@pytest.mark.parametrize(
    ("cmdlet", "left"), [("Remove-NetIPAddress", "Get-NetIPAddress"), ("Remove-NetNat", "Get-NetNat")]
)
def test_without_a_filter_all_is_removed(cmdlet: str, left: str) -> None:
    on = host(
        net_adapters=[NIC], nats=[{"name": "a", "internal": "10.0.0.0/24"}, {"name": "b", "internal": "10.1.0.0/24"}]
    )
    done(on, cmdlet, Confirm=False)
    assert done(on, left) == []


def test_an_address_that_carries_the_connection_is_not_removed_unpunished() -> None:
    on = host(net_adapters=[{**NIC, "addresses": ["192.0.2.9/24", "192.0.2.10/24"]}])
    done(on, "Remove-NetIPAddress", IPAddress="192.0.2.10", Confirm=False)
    assert on.reachable
    done(on, "Remove-NetIPAddress", IPAddress="192.0.2.9", Confirm=False)
    assert not on.reachable


def test_connections_tell_the_address_that_winrm_is_reached_at() -> None:
    on = host(net_adapters=[NIC, {"name": "Ethernet 2", "addresses": ["10.0.0.5/24"]}])
    rows = done(on, "Get-NetTCPConnection", State="Established")
    assert [(r.properties["LocalAddress"], r.properties["OwningProcess"]) for r in rows] == [
        ("127.0.0.1", 2300),
        ("192.0.2.9", 4),
    ]


def test_a_mapping_has_an_id_of_its_own_each_time() -> None:
    on = host(nats=[{"name": "inside", "internal": "192.168.50.0/24"}])
    given = {
        "NatName": "inside",
        "Protocol": "TCP",
        "ExternalIPAddress": "0.0.0.0",
        "InternalIPAddress": "192.168.50.9",
    }
    (first,) = done(on, "Add-NetNatStaticMapping", ExternalPort=80, **given)
    done(on, "Add-NetNatStaticMapping", ExternalPort=81, **given)
    assert first.properties["InternalPort"] == 80, "the same, where none is given"
    done(
        on,
        "Remove-NetNatStaticMapping",
        NatName="inside",
        StaticMappingID=first.properties["StaticMappingID"],
        Confirm=False,
    )
    (again,) = done(on, "Add-NetNatStaticMapping", ExternalPort=80, **given)
    assert again.properties["StaticMappingID"] > first.properties["StaticMappingID"]
    done(on, "Remove-NetNat", Name="inside", Confirm=False)
    assert done(on, "Get-NetNatStaticMapping") == []
