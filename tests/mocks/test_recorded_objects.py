"""The simulated 2012 R2 host's objects against those recorded on a real one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mocks.host import SimulatedHost
from mocks.objects import EnumValue, Guid, Instant, PsObject, TimeSpan
from tests.mocks.hosts import done, host

RECORDED = Path(__file__).parents[2] / "mocks" / "recordings" / "2012r2-objects"


def recorded(name: str) -> list[dict[str, Any]]:
    data = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return [entry for item in data for entry in (item if isinstance(item, list) else [item])]


def recorded_host() -> SimulatedHost:
    """In the state of the recorded one: a generation 1 VM that is off, a generation 2 VM without services that runs."""
    adapter = [{"switch": "mock-switch"}]
    return host(
        "2012r2",
        name="mock-host",
        logical_processors=24,
        domain="example.com",
        switches=[{"name": "mock-switch", "net_adapters": ["Ethernet 2"]}],
        vms=[
            {
                "name": "mockvm1",
                "drives": [{"at": "scsi 0:0", "path": r"C:\Hyper-V\mockvm1.vhdx"}, {"at": "scsi 0:1", "dvd": True}],
                "memory": {"dynamic_memory_enabled": True},
                "adapters": adapter,
            },
            {
                "name": "mockvm2",
                "generation": 2,
                "state": "Running",
                "drives": [{"at": f"scsi 0:{i}", "path": rf"C:\Hyper-V\mockvm2{i}.vhdx"} for i in (0, 1)],
                "memory": {"dynamic_memory_enabled": True},
                "guest": {"integration": False},
                "firmware": {"secure_boot": "Off"},
                "adapters": adapter,
            },
        ],
    )


CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "Get-VM": [("Get-VM", {})],
    "Get-VMHost": [("Get-VMHost", {})],
    "Get-VMSwitch": [("Get-VMSwitch", {})],
    "Get-VMNetworkAdapter": [
        ("Get-VMNetworkAdapter", {"ManagementOS": True}),
        ("Get-VMNetworkAdapter", {"VMName": ["mockvm1", "mockvm2"]}),
    ],
    "Get-VMHardDiskDrive": [("Get-VMHardDiskDrive", {"VMName": ["mockvm1", "mockvm2"]})],
    "Get-VMDvdDrive": [("Get-VMDvdDrive", {"VMName": "mockvm1"})],
    "Get-VMFloppyDiskDrive": [("Get-VMFloppyDiskDrive", {"VMName": "mockvm1"})],
    "Get-VMBios": [("Get-VMBios", {"VMName": "mockvm1"})],
    "Get-VMFirmware": [("Get-VMFirmware", {"VMName": "mockvm2"})],
    "Get-VHD": [("Get-VHD", {"Path": [rf"C:\Hyper-V\mockvm{i}.vhdx" for i in ("1", "20", "21")]})],
}


def pairs(name: str) -> Iterator[tuple[dict[str, Any], PsObject]]:
    on = recorded_host()
    found = [o for cmdlet, params in CALLS[name] for o in done(on, cmdlet, **params)]
    yield from zip(recorded(name), found, strict=True)


@pytest.mark.parametrize("name", CALLS)
def test_has_the_recorded_properties_and_no_others(name: str) -> None:
    for real, simulated in pairs(name):
        assert sorted(simulated.properties) == sorted(real)


@pytest.mark.parametrize("name", CALLS)
def test_is_null_where_the_recorded_object_is(name: str) -> None:
    for real, simulated in pairs(name):
        nulls = {k for k, v in real.items() if v is None}
        assert {k for k, v in simulated.properties.items() if v is None} == nulls


def kind(value: Any) -> str:
    """What ConvertTo-Json makes of it, uncut."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int() | EnumValue():
            return "number"
        case str() | Guid() | Instant():
            return "text"
        case list():
            return "list"
        case PsObject() | TimeSpan() | dict():
            return "object"
    raise AssertionError(value)


@pytest.mark.parametrize("name", CALLS)
def test_values_are_of_the_recorded_kind(name: str) -> None:
    for real, simulated in pairs(name):
        for prop, value in real.items():
            got = kind(simulated.properties[prop])
            # the depth cut leaves texts of lists and objects (README of the recordings)
            assert got == kind(value) or (isinstance(value, str) and got in ("list", "object")), prop


@pytest.mark.parametrize("name", CALLS)
def test_enums_and_flags_have_the_recorded_numbers(name: str) -> None:
    # what an administrator had set on that host, not a default
    chosen = {
        "AutomaticStartAction",
        "EnableEnhancedSessionMode",
        "UseAnyNetworkForMigration",
        "VirtualMachineMigrationEnabled",
        "VirtualMachineMigrationAuthenticationType",
        "VirtualMachineMigrationPerformanceOption",
    }
    for real, simulated in pairs(name):
        for prop, value in simulated.properties.items():
            if prop in chosen:
                continue
            if isinstance(value, EnumValue):
                assert value.number == real[prop], prop
            if isinstance(value, bool):
                assert value == real[prop], prop


def test_ids_have_the_recorded_shapes() -> None:
    guid = "[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"
    shapes = {
        "Get-VMHardDiskDrive": rf"Microsoft:{guid}\\{guid}\\0\\\d+\\D",
        "Get-VMDvdDrive": rf"Microsoft:{guid}\\{guid}\\0\\\d+\\D",
        "Get-VMFloppyDiskDrive": rf"Microsoft:{guid}\\8F0D2762-0B00-4E04-AF4F-19010527CB93\\0\\0\\D",
        "Get-VMNetworkAdapter": rf"Microsoft:{guid}\\{guid}",
    }
    for name, shape in shapes.items():
        for real, simulated in pairs(name):
            assert re.fullmatch(shape, real["Id"])
            assert re.fullmatch(shape, simulated.properties["Id"])


def test_integration_services_come_in_the_recorded_order() -> None:
    (real, simulated), _ = pairs("Get-VM")
    services = simulated.properties["VMIntegrationService"]
    assert [s.type_name for s in services] == real["VMIntegrationService"]


def test_boot_order_entries_have_the_recorded_properties() -> None:
    ((real, simulated),) = pairs("Get-VMFirmware")
    for one, other in zip(real["BootOrder"], simulated.properties["BootOrder"], strict=True):
        assert sorted(other.properties) == sorted(one)
        assert other.properties["BootType"].number == one["BootType"]
        start = re.match(r".*?,[0-9A-F]{32}", one["FirmwarePath"].split("VenHw(")[1])
        assert start and start[0] in other.properties["FirmwarePath"]
        assert one["Device"] == other.properties["Device"].type_name
