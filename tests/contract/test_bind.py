"""Binding beyond the record: objects of the simulated host, and what the record's classes cannot show."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from hvctl.contract import BindError, Bound, bind
from mocks.objects import EnumValue, Guid, PsObject, TimeSpan

HYPERV = "Microsoft.HyperV.PowerShell"


def thing(name: str) -> PsObject:
    return PsObject(f"{HYPERV}.{name}", {})


def bound(outcome: Bound | BindError) -> Bound:
    assert isinstance(outcome, Bound), outcome
    return outcome


def refused(outcome: Bound | BindError) -> str:
    assert isinstance(outcome, BindError), outcome
    return outcome.id


def test_an_object_decides_the_set_and_is_passed_through() -> None:
    vm = thing("VirtualMachine")
    outcome = bound(bind("2012r2", "Set-VMProcessor", {"VM": vm, "Count": 4}))
    assert outcome.set == "VMObject"
    assert outcome.values == {"VM": [vm], "Count": 4}
    assert outcome.parameters["Count"].type == "Int64"


def test_a_cmdlet_and_its_parameters_are_found_without_case() -> None:
    assert bound(bind("2022", "get-vm", {"NAME": "web*"})).values == {"Name": ["web*"]}


@pytest.mark.parametrize(
    ("cmdlet", "parameter", "derived"),
    [
        ("Set-VMNetworkAdapterVlan", "VMNetworkAdapter", "VMNetworkAdapter"),
        ("Set-VMNetworkAdapterVlan", "VMNetworkAdapter", "VMInternalNetworkAdapter"),
        ("Add-VMHardDiskDrive", "VMDriveController", "VMScsiController"),
        ("Add-VMDvdDrive", "VMDriveController", "VMIdeController"),
        ("Enable-VMIntegrationService", "VMIntegrationService", "ShutdownComponent"),
        ("Get-VMSnapshot", "ParentOf", "VMSnapshot"),
    ],
)
def test_a_parameter_takes_objects_of_derived_classes(cmdlet: str, parameter: str, derived: str) -> None:
    given = thing(derived)
    assert bound(bind("2019", cmdlet, {parameter: given})).values[parameter] in (given, [given])


@pytest.mark.parametrize("device", ["HardDiskDrive", "DvdDrive", "VMNetworkAdapter", "VMBootSource"])
def test_a_machine_may_boot_from_any_device(device: str) -> None:
    bound(bind("2016", "Set-VMFirmware", {"VMName": "web01", "FirstBootDevice": thing(device)}))


def test_an_object_of_another_class_is_refused() -> None:
    vm = thing("VMSwitch")
    assert refused(bind("2016", "Set-VMProcessor", {"VM": vm, "Count": 4})) == "CannotConvertArgumentNoMessage"


def test_text_is_no_object() -> None:
    assert refused(bind("2016", "Set-VMProcessor", {"VM": "web01"})) == "CannotConvertArgumentNoMessage"


def test_values_read_from_objects_bind_as_what_they_are() -> None:
    guid = "6f0e2c4a-93a1-4d51-9d38-0d8a3c5b7e21"
    on = EnumValue(f"{HYPERV}.OnOffState", "On", 0)
    assert bound(bind("2016", "Get-VM", {"Id": Guid(guid)})).values == {"Id": guid}
    assert bound(bind("2016", "Get-VM", {"Name": Guid(guid)})).values == {"Name": [guid]}
    given = {"VMName": "a", "MacAddressSpoofing": on}
    assert bound(bind("2016", "Set-VMNetworkAdapter", given)).values == {"VMName": "a", "MacAddressSpoofing": "On"}
    interval = {"ResourceMeteringSaveInterval": TimeSpan(36_000_000_000)}
    assert bound(bind("2016", "Set-VMHost", interval)).values == {"ResourceMeteringSaveInterval": 36_000_000_000}


def test_a_version_read_from_a_machine_binds() -> None:
    version = PsObject("System.Version", {"Major": 9, "Minor": 0}, to_string="9.0")
    assert bound(bind("2019", "New-VM", {"Name": "a", "Version": version})).values["Version"] == "9.0"


def test_a_span_of_text_is_ticks() -> None:
    outcome = bound(bind("2016", "Set-VMHost", {"ResourceMeteringSaveInterval": "01:00:00"}))
    assert outcome.parameters["ResourceMeteringSaveInterval"].value == 36_000_000_000


def test_a_cmdlet_of_a_later_version_is_no_command() -> None:
    assert refused(bind("2012", "Set-VMFirmware", {"VMName": "a"})) == "CommandNotFoundException"


def test_abbreviations_bind() -> None:
    outcome = bound(bind("2019", "Set-VMNetworkAdapter", {"VMNam": "a", "DhcpG": "of"}))
    assert outcome.values == {"VMName": "a", "DhcpGuard": "Off"}


@dataclass(frozen=True)
class Cim:
    type_name: str = "Microsoft.Management.Infrastructure.CimInstance#root/standardcimv2/MSFT_NetAdapter"


def test_an_instance_of_a_cim_class_is_a_cim_instance() -> None:
    assert bound(bind("2016", "Get-CimInstance", {"InputObject": Cim()})).values == {"InputObject": Cim()}
