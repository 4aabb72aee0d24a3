"""The estate itself: what hosts see of each other."""

from __future__ import annotations

from typing import Any

import pytest

from mocks.estate import Estate
from mocks.schema import dump

DISK = r"C:\ClusterStorage\v1\a.vhdx"


@pytest.fixture
def estate() -> Estate:
    hosts: dict[str, Any] = {
        "hv01": {"domain": "example.com", "net_adapters": [{"name": "NIC1", "addresses": ["192.0.2.11/24"]}]},
        "hv02": {"domain": "example.com", "net_adapters": [{"name": "NIC1", "addresses": ["192.0.2.12/24"]}]},
        "hv03": {"net_adapters": [{"name": "NIC1", "addresses": ["192.0.2.13/24"]}]},
    }
    shared = {r"C:\ClusterStorage\v1": {"hosts": ["hv01", "hv02"], "storage": {"free": "100GB"}}}
    return Estate.from_data({"hosts": hosts, "shared": shared})


def test_names_of_a_host(estate: Estate) -> None:
    hv02 = estate.hosts["hv02"]
    assert all(estate.find(name) is hv02 for name in ("HV02", "hv02.Example.com", "hv02.example.com.", "192.0.2.12"))
    assert estate.find("hv02.example.net") is None


def test_a_way_that_is_cut_and_a_host_that_is_lost(estate: Estate) -> None:
    one = estate.hosts["hv01"].state
    assert estate.reached("hv02", by=one) is estate.hosts["hv02"]
    estate.cut.add(frozenset({"hv01", "hv02"}))
    assert estate.reached("hv02", by=one) is None
    assert estate.reached("hv03", by=one) is estate.hosts["hv03"]
    estate.lose("hv03")
    assert estate.reached("hv03", by=one) is None
    estate.bring_back("hv03")
    assert estate.reached("hv03", by=one) is not None


def test_what_one_makes_on_shared_storage_is_there_for_those_that_see_it(estate: Estate) -> None:
    one, two, three = estate.hosts.values()
    made = one.invoke("New-VHD", {"Path": DISK, "SizeBytes": 60 * 2**30, "Fixed": True})
    assert not made.errors
    assert two.invoke("Get-VHD", {"Path": DISK}).objects
    assert three.invoke("Get-VHD", {"Path": DISK}).errors
    full = two.invoke("New-VHD", {"Path": DISK.replace("a.", "b."), "SizeBytes": 60 * 2**30, "Fixed": True})
    assert full.errors, "60 of 100 GB are taken already"


def test_a_disk_that_another_host_runs_on_is_held(estate: Estate) -> None:
    one, two, _ = estate.hosts.values()
    one.invoke("New-VHD", {"Path": DISK, "SizeBytes": 2**30})
    one.invoke("New-VM", {"Name": "a", "Generation": 2, "MemoryStartupBytes": 2**29, "VHDPath": DISK})
    one.invoke("Start-VM", {"Name": "a"})
    assert two.invoke("Remove-Item", {"LiteralPath": DISK}).errors
    two.invoke("New-VM", {"Name": "b", "Generation": 2, "MemoryStartupBytes": 2**29, "VHDPath": DISK})
    assert two.invoke("Start-VM", {"Name": "b"}).errors
    one.invoke("Stop-VM", {"Name": "a", "TurnOff": True, "Force": True})
    assert not two.invoke("Start-VM", {"Name": "b"}).errors


def test_a_file_that_is_gone_is_gone_for_all(estate: Estate) -> None:
    one, two, _ = estate.hosts.values()
    one.invoke("New-VHD", {"Path": DISK, "SizeBytes": 2**30})
    two.invoke("Remove-Item", {"LiteralPath": DISK})
    assert one.invoke("Get-VHD", {"Path": DISK}).errors


def test_what_falls_due_on_one_host_outlives_the_restart_of_another(estate: Estate) -> None:
    one, two, _ = estate.hosts.values()
    happened: list[str] = []
    one.clock.after(10, lambda: happened.append("one"))
    two.clock.after(10, lambda: happened.append("two"))
    one.reboot(5)
    estate.clock.sleep(20)
    assert happened == ["two"]
    assert one.state.vmms_running
    assert one.clock.now() == two.clock.now() == 20


def test_the_state_of_a_host_has_nothing_of_the_estate(estate: Estate) -> None:
    assert not {"storage", "beside"} & dump(estate.hosts["hv01"].state).keys()
