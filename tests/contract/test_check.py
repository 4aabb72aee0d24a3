"""What hvctl may plan to call, per version: expectations from the domain notes and from observed hosts."""

from __future__ import annotations

import pytest

from hvctl.call import NULL, Call, Map, Ref, Secret, Value
from hvctl.contract import OS, VERSIONS, Bound, Verdict, bind, check, contract

VM = Ref(Call("Get-VM"), {"Name": "web01"})
LATER: tuple[OS, ...] = ("2016", "2019", "2022", "2025")


def verdict(os: OS, cmdlet: str, **params: Value) -> Verdict:
    return check(os, Call(cmdlet, params))


def host_says(found: Verdict) -> str:
    """The error id of a host that refuses."""
    assert found.answer == "refused"
    assert found.error is not None, found.reason
    return found.error.id


@pytest.mark.parametrize("os", VERSIONS)
def test_an_external_switch_is_not_asked_for_by_its_type(os: OS) -> None:
    # MicrosoftDocs/windowsserverdocs#7716
    found = verdict(os, "New-VMSwitch", Name="lan", SwitchType="External")
    assert host_says(found) == "ParameterArgumentValidationError"


@pytest.mark.parametrize("os", VERSIONS)
def test_a_switch_has_a_type_or_a_management_adapter(os: OS) -> None:
    found = verdict(os, "New-VMSwitch", Name="lan", SwitchType="Internal", AllowManagementOS=True)
    assert host_says(found) == "AmbiguousParameterSet"


def test_checkpoint_types_came_with_2016() -> None:
    # vagrant#10253
    assert host_says(verdict("2012r2", "Set-VM", VM=VM, CheckpointType="Standard")) == "NamedParameterNotFound"
    for os in LATER:
        assert verdict(os, "Set-VM", VM=VM, CheckpointType="Standard").answer == "accepted"


@pytest.mark.parametrize("os", LATER)
def test_an_existing_switch_takes_one_adapter(os: OS) -> None:
    assert verdict(os, "New-VMSwitch", Name="lan", NetAdapterName=["a", "b"]).answer == "accepted"
    assert verdict(os, "Set-VMSwitch", Name="lan", NetAdapterName="a").answer == "accepted"
    assert host_says(verdict(os, "Set-VMSwitch", Name="lan", NetAdapterName=["a", "b"])) == "CannotConvertArgument"


def test_firmware_came_with_2012_r2() -> None:
    found = verdict("2012", "Set-VMFirmware", VM=VM, EnableSecureBoot="On")
    assert host_says(found) == "CommandNotFoundException"
    assert found.reason == "Windows Server 2012 has no cmdlet Set-VMFirmware"
    assert verdict("2012r2", "Set-VMFirmware", VM=VM, EnableSecureBoot="On").answer == "accepted"


def test_what_no_page_of_a_version_mentions_is_unknown() -> None:
    for params in ({"VM": VM}, {}):
        found = verdict("2016", "Set-VMProcessor", Perfmon=["pmu"], **params)
        assert found.answer == "unknown"
        assert found.reason == "it is not documented whether Windows Server 2016 has -Perfmon"
    assert verdict("2012r2", "Set-VMProcessor", VM=VM, Perfmon=["pmu"]).answer == "refused"
    assert verdict("2019", "Set-VMProcessor", VM=VM, Perfmon=["pmu"]).answer == "accepted"


def test_an_unknown_parameter_does_not_hide_a_wrong_one() -> None:
    assert host_says(verdict("2016", "Set-VMProcessor", VM=VM, Perfmon=["pmu"], Cores=1)) == "NamedParameterNotFound"


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"VMNam": "a"}, "-VMNam is an abbreviation (-VMName)"),
        ({"VMName": "a", "DhcpGuard": "Of"}, "-DhcpGuard: 'Of' is not the full name of a OnOffState (On, Off)"),
        ({"VMName": "a", "DhcpGuard": 1}, "-DhcpGuard: a number where OnOffState is wanted"),
        ({"VMName": "a", "MaximumBandwidth": "1000"}, "-MaximumBandwidth: text where Int64 is wanted"),
        ({"VMName": "a", "MaximumBandwidth": True}, "-MaximumBandwidth: true or false where Int64 is wanted"),
        ({"VMName": "a", "DynamicMacAddress": 1}, "-DynamicMacAddress: a number where SwitchParameter is wanted"),
        ({"VMName": "a", "DynamicMacAddress": NULL}, None),
        ({"VMName": "a", "StaticMacAddress": True}, "-StaticMacAddress: true or false where String is wanted"),
        ({"VMName": VM}, "-VMName: an object where String is wanted; name its path"),
    ],
)
def test_what_binds_but_not_everywhere_alike_is_refused(params: dict[str, Value], reason: str | None) -> None:
    found = check("2019", Call("Set-VMNetworkAdapter", params))
    assert found.answer == "refused"
    assert found.error is None
    assert reason is None or found.reason == reason


def test_the_engine_takes_what_check_refuses() -> None:
    assert isinstance(bind("2019", "Set-VMNetworkAdapter", {"VMNam": "a", "DhcpGuard": "Of"}), Bound)


def test_an_alias_is_not_the_name() -> None:
    assert (
        verdict("2019", "New-VMSwitch", SwitchName="lan", NetAdapterName="nic").reason
        == "-SwitchName is an alias, the name is -Name"
    )


def test_null_may_be_passed_on_purpose_where_it_stays_null() -> None:
    # domain: Set-VMDvdDrive -Path $null ejects
    drive = Ref(Call("Get-VMDvdDrive", {"VMName": "web01"}))
    assert verdict("2012r2", "Set-VMDvdDrive", VMDvdDrive=drive, Path=NULL).answer == "accepted"
    assert host_says(verdict("2012r2", "Set-VMMemory", VMName=NULL)) == "ParameterArgumentValidationError"


def test_a_parameter_that_is_none_is_left_out() -> None:
    assert verdict("2012r2", "Set-VM", VM=VM, CheckpointType=None, Notes="x").answer == "accepted"


def test_a_reference_fits_as_an_object_or_with_a_path_as_a_value() -> None:
    disk = Ref(Call("Get-VMHardDiskDrive", {"VMName": "web01"}), path="Path")
    assert verdict("2016", "Resize-VHD", Path=disk, SizeBytes=2**40).answer == "accepted"
    many = Ref(Call("Get-VM"), many=True)
    assert verdict("2016", "Get-VMProcessor", VM=many).answer == "accepted"
    assert verdict("2016", "Move-VMStorage", VM=many, DestinationStoragePath="D:\\").answer == "refused"
    guid = Ref(Call("Get-VM"), path="Id")
    assert verdict("2016", "Get-VM", Id=guid).answer == "accepted"


def test_a_table_goes_only_where_one_is_wanted() -> None:
    disks = Map({"SourceFilePath": "a.vhdx", "DestinationFilePath": "b.vhdx"})
    assert verdict("2016", "Move-VMStorage", VM=VM, VHDs=[disks]).answer == "accepted"
    assert verdict("2016", "Set-VM", VM=VM, Notes=disks).reason == "-Notes: a table where String is wanted"


def test_each_is_judged_by_one_of_its_values() -> None:
    paths = Ref(Call("Get-VMHardDiskDrive"), path="Path", many=True)
    for values in (["a.vhdx", "b.vhdx"], [paths], [], paths):
        assert check("2012", Call("Test-VHD", {"Path": values}, each="Path")).answer == "accepted"
    assert verdict("2012", "Merge-VHD", Path=["a.vhdx", "b.vhdx"]).answer == "refused"
    assert check("2012", Call("Merge-VHD", {"Path": ["a.avhdx", "b.avhdx"]}, each="Path")).answer == "accepted"


@pytest.mark.parametrize("value", ["1.00:00:00", "01:30:00"])
def test_a_span_is_written_out(value: str) -> None:
    assert verdict("2016", "Set-VMHost", ResourceMeteringSaveInterval=value).answer == "accepted"


@pytest.mark.parametrize("value", ["24:00:00", "5", "PT5M", 5])
def test_a_span_that_could_be_misread_is_refused(value: Value) -> None:
    assert verdict("2016", "Set-VMHost", ResourceMeteringSaveInterval=value).answer == "refused"


def test_a_secret_is_text() -> None:
    assert verdict("2016", "Set-Content", Path="a", Value=Secret("x")).answer == "accepted"
    assert verdict("2016", "Set-VMProcessor", VM=VM, Count=Secret("4")).answer == "refused"


def test_common_parameters_exist() -> None:
    assert verdict("2012", "Get-VM", ErrorAction="Stop", Verbose=True).answer == "accepted"
    assert verdict("2012r2", "Get-VM", InformationAction="Ignore").answer == "refused"
    assert verdict("2016", "Get-VM", InformationAction="Ignore").answer == "accepted"
    assert verdict("2016", "Remove-VM", VM=VM, Force=True, Confirm=False).answer == "accepted"


def test_limits_hold_only_where_the_contract_knows_them() -> None:
    assert verdict("2016", "Restart-VM", VM=VM, Force=True, Wait=True, Timeout=-2).answer == "refused"


def test_a_cmdlet_tells_of_a_parameter_whether_it_is_there() -> None:
    for os, answer in (("2012r2", "absent"), ("2016", "unknown"), ("2019", "present")):
        cmdlet = contract(os).cmdlet("set-vmprocessor")
        assert cmdlet is not None
        assert cmdlet.answer("perfmon") == answer
