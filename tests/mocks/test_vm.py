"""New-VM's side effects, Set-VM, names, and what time does to VMs (domain 4)."""

from __future__ import annotations

from typing import Any

import pytest

from mocks.host import SimulatedHost
from tests.mocks.hosts import GB, MB, done, host, name_of, one, one_vm, read, refused, run


@pytest.mark.parametrize("generation", [1, 2])
def test_new_vm_makes_what_the_real_one_makes(generation: int) -> None:
    on = host("2022")
    vm = one(on, "New-VM", Name="new", Generation=generation)
    shown = vm.properties
    assert (shown["MemoryStartup"], shown["MemoryMinimum"], shown["MemoryMaximum"]) == (512 * MB, 512 * MB, 2**40)
    assert (shown["ProcessorCount"], shown["DynamicMemoryEnabled"], name_of(shown["State"])) == (1, False, "Off")
    assert name_of(shown["AutomaticStartAction"]) == "StartIfRunning"
    assert name_of(shown["AutomaticStopAction"]) == "Save"
    assert name_of(shown["CheckpointType"]) == "Production" and not shown["AutomaticCheckpointsEnabled"]
    (adapter,) = done(on, "Get-VMNetworkAdapter", VM=vm)
    assert (adapter.properties["Name"], adapter.properties["Connected"]) == ("Network Adapter", False)
    drives = [(name_of(d.properties["ControllerType"]), d.properties["ControllerNumber"]) for d in shown["DVDDrives"]]
    assert drives == ([("IDE", 1)] if generation == 1 else [])
    assert shown["Version"] == "10.0" and (shown["FloppyDrive"] is None) == (generation == 2)


def test_a_duplicate_name_is_accepted_and_both_are_found() -> None:
    on = one_vm()
    done(on, "New-VM", Name="WEB01")
    assert [v.properties["Name"] for v in done(on, "Get-VM", Name="web01")] == ["web01", "WEB01"]


def test_names_are_wildcards() -> None:
    on = host(vms=[{"name": "web[1]"}, {"name": "web1"}, {"name": "db"}])
    assert [v.properties["Name"] for v in done(on, "Get-VM", Name="web[1]")] == ["web1"]
    assert len(done(on, "Get-VM", Name="web*")) == 2
    assert done(on, "Get-VM", Name="x*") == []
    done(on, "Set-VM", Name="web*", Notes="all of them")
    assert [v["notes"] for v in on.snapshot()["vms"]] == ["all of them"] * 2 + [""]


def test_one_sees_nothing_without_the_right_on_an_older_host() -> None:
    on = one_vm("2012r2")
    on.state.administrator = False
    assert done(on, "Get-VM") == []
    assert refused(on, "Get-VM", Name="web01") == "InvalidParameter"


def test_an_object_of_a_removed_vm_is_refused() -> None:
    on = one_vm()
    vm = one(on, "Get-VM")
    done(on, "Remove-VM", VM=vm, Force=True)
    assert refused(on, "Set-VM", VM=vm, Notes="n") == "ObjectNotFound"


def test_a_refused_setter_may_have_done_a_part() -> None:
    on = one_vm(state="Running")
    assert refused(on, "Set-VM", Name="web01", Notes="new", ProcessorCount=4) == "InvalidState"
    assert read(on, "Get-VM", "Notes") == "new"
    assert read(on, "Get-VM", "ProcessorCount") == 1


@pytest.mark.parametrize("os", ["2016", "2022"])
def test_which_settings_change_while_it_runs(os: str) -> None:
    on = one_vm(os, state="Running")
    done(on, "Set-VM", Name="web01", AutomaticStartAction="Nothing", AutomaticStartDelay=30, CheckpointType="Standard")
    assert refused(on, "Set-VM", Name="web01", AutomaticStopAction="ShutDown") == "InvalidState"
    assert refused(on, "Set-VM", Name="web01", LowMemoryMappedIoSpace=256 * MB) == "InvalidState"


def test_a_version_only_goes_up() -> None:
    on = one_vm("2022", version="8.0")
    assert refused(on, "Update-VMVersion", Name="web01") == "InvalidOperation"
    done(on, "Update-VMVersion", Name="web01", Force=True)
    assert read(on, "Get-VM", "Version") == "10.0"
    assert refused(on, "New-VM", Name="n", Version="5.0") == "InvalidParameter"


# --- state ----------------------------------------------------------------------------------------------------------


def test_states_follow_each_other() -> None:
    on = one_vm()
    for cmdlet, state in (
        ("Start-VM", "Running"),
        ("Suspend-VM", "Paused"),
        ("Resume-VM", "Running"),
        ("Save-VM", "Saved"),
        ("Start-VM", "Running"),
        ("Stop-VM", "Off"),
    ):
        done(on, cmdlet, Name="web01")
        assert read(on, "Get-VM", "State") == state
        on.clock.sleep(60)  # the guest boots


def test_starting_what_runs_and_stopping_what_does_not_only_warns() -> None:
    on = one_vm()
    assert run(on, "Stop-VM", Name="web01").warnings
    done(on, "Start-VM", Name="web01")
    outcome = run(on, "Start-VM", Name="web01")
    assert outcome.warnings and not outcome.errors


def test_a_shutdown_takes_the_guests_time() -> None:
    on = one_vm(state="Running", guest={"shutdown_seconds": 90})
    assert run(on, "Stop-VM", Name="web01").took == pytest.approx(90.1)


def test_a_shutdown_as_a_job_ends_when_the_guest_does() -> None:
    on = one_vm(state="Running", guest={"shutdown_seconds": 90})
    job = run(on, "Stop-VM", Name="web01", AsJob=True).job
    assert job is not None and job.duration == 90
    on.clock.sleep(45)
    assert job.percent(on.clock.now()) == 50
    assert read(on, "Get-VM", "State") == "Running"
    job.finish()
    assert read(on, "Get-VM", "State") == "Off"


@pytest.mark.parametrize(("os", "state", "took"), [("2022", "Off", 300.1), ("2016", "Running", 86_400.1)])
def test_force_on_a_hung_guest_is_a_late_power_cut_or_a_hang(os: str, state: str, took: float) -> None:
    on = one_vm(os, state="Running", guest={"shutdown": "hangs"})
    assert run(on, "Stop-VM", Name="web01", Force=True).took == pytest.approx(took)
    assert read(on, "Get-VM", "State") == state


def test_turning_off_needs_no_guest() -> None:
    on = one_vm(state="Running", guest={"integration": False})
    done(on, "Stop-VM", Name="web01", TurnOff=True)
    assert read(on, "Get-VM", "State") == "Off"


def test_a_saved_vm_is_neither_off_nor_running() -> None:
    on = one_vm(state="Saved", drives=[{"at": "scsi 0:0", "path": r"D:\a.vhdx"}])
    assert refused(on, "Set-VMMemory", VMName="web01", StartupBytes=GB) == "InvalidState"
    assert refused(on, "Resize-VHD", Path=r"D:\a.vhdx", SizeBytes=200 * GB) == "NotSupported"
    assert refused(on, "Stop-VM", Name="web01") == "InvalidState"
    done(on, "Remove-VMSavedState", VMName="web01")
    assert read(on, "Get-VM", "State") == "Off"


def test_a_missing_file_and_a_file_in_use_keep_it_off() -> None:
    disk = [{"at": "scsi 0:0", "path": r"D:\a.vhdx"}]
    on = host(vms=[{"name": "a", "generation": 2, "drives": disk}, {"name": "b", "generation": 2, "drives": disk}])
    done(on, "Start-VM", Name="a")
    assert "0x80070020" in run(on, "Start-VM", Name="b").errors[0].message
    done(on, "Stop-VM", Name="a", TurnOff=True)
    done(on, "Remove-Item", LiteralPath=r"D:\a.vhdx")
    assert "0x80070002" in run(on, "Start-VM", Name="b").errors[0].message


def test_uptime_has_fractions_from_2016_on() -> None:
    for os, ticks in (("2012r2", 120_000_000), ("2022", 122_500_000)):
        on = one_vm(os, state="Running")
        on.clock.sleep(12.25)
        assert one(on, "Get-VM").properties["Uptime"].ticks == ticks


# --- contact with the guest -----------------------------------------------------------------------------------------

KVP, SHUTDOWN, VSS = "key_value_pair_exchange", "shutdown", "vss"


def statuses(on: SimulatedHost) -> dict[str, Any]:
    found = (s.properties for s in done(on, "Get-VMIntegrationService", VMName="web01"))
    return {p["Name"]: name_of(p["PrimaryOperationalStatus"]) for p in found}


def test_a_component_may_be_without_contact_apart_from_the_others() -> None:
    contact = {SHUTDOWN: "NoContact", "heartbeat": "LostCommunication", VSS: "ProtocolMismatch"}
    on = one_vm(state="Running", guest={"contact": contact}, checkpoint_type="ProductionOnly")
    found = statuses(on)
    assert (found["Shutdown"], found["Heartbeat"], found["VSS"]) == (
        "NoContact",
        "LostCommunication",
        "ProtocolMismatch",
    )
    assert found["Key-Value Pair Exchange"] == "Ok"
    assert read(on, "Get-VM", "Heartbeat") == "LostCommunication"
    assert refused(on, "Stop-VM", Name="web01") == "InvalidOperation", "nobody hears the request"
    assert refused(on, "Checkpoint-VM", Name="web01") == "OperationFailed"


def test_a_guest_that_boots_has_no_contact_for_some_seconds_and_one_that_was_saved_has() -> None:
    on = one_vm(guest={"contact_seconds": 30})
    assert set(statuses(on).values()) == {None}, "off"
    done(on, "Start-VM", Name="web01")
    found = statuses(on)
    assert found.pop("Guest Service Interface") == "Ok", "it is off"
    assert set(found.values()) == {"NoContact"}
    assert read(on, "Get-VM", "Heartbeat") == "NoContact"
    assert refused(on, "Stop-VM", Name="web01") == "InvalidOperation"
    on.clock.sleep(30)
    assert set(statuses(on).values()) == {"Ok"}
    done(on, "Save-VM", Name="web01")
    done(on, "Start-VM", Name="web01")
    assert set(statuses(on).values()) == {"Ok"}


def test_a_service_answers_some_seconds_after_it_was_enabled() -> None:
    on = one_vm(state="Running", integration_services={SHUTDOWN: False})
    assert statuses(on)["Shutdown"] == "Ok", "off, it reads so (domain 11.1)"
    done(on, "Enable-VMIntegrationService", VMName="web01", Name="Shutdown")
    assert (statuses(on)["Shutdown"], statuses(on)["VSS"]) == ("NoContact", "Ok")
    on.clock.sleep(12)
    done(on, "Stop-VM", Name="web01")


def test_guests_answer_after_the_host_has_restarted() -> None:
    for action, at_once in (("Save", "Ok"), ("ShutDown", "NoContact")):
        on = one_vm(automatic_stop_action=action)
        done(on, "Start-VM", Name="web01")
        on.reboot(5)
        on.clock.sleep(6)
        assert statuses(on)["Shutdown"] == at_once, "what was saved goes on, what was shut down boots"
        on.clock.sleep(60)
        assert statuses(on)["Shutdown"] == "Ok"


@pytest.mark.parametrize("key", ["contact", "silent"])
def test_only_services_of_the_version_have_contact(key: str) -> None:
    known: dict[str, Any] = {"guest": {"contact": {"spooler": "Ok"}}} if key == "contact" else {"silent": ["spooler"]}
    with pytest.raises(ValueError, match="no integration service spooler"):
        one_vm(**known)


# --- boot order -----------------------------------------------------------------------------------------------------


def test_a_boot_order_has_own_devices_once_each() -> None:
    disk = {"at": "scsi 0:0", "path": r"D:\a.vhdx"}
    vms = [{"name": n, "generation": 2, "drives": [{**disk, "path": rf"D:\{n}.vhdx"}]} for n in ("web01", "other")]
    on = host(vms=vms)
    own, foreign = (one(on, "Get-VMHardDiskDrive", VMName=n) for n in ("web01", "other"))
    (nic,) = done(on, "Get-VMNetworkAdapter", VMName="web01")
    assert refused(on, "Set-VMFirmware", VMName="web01", BootOrder=[own, foreign]) == "InvalidParameter"
    assert refused(on, "Set-VMFirmware", VMName="web01", FirstBootDevice=foreign) == "InvalidParameter"
    assert refused(on, "Set-VMFirmware", VMName="web01", BootOrder=[own, nic, own]) == "InvalidParameter"
    assert len(read(on, "Get-VMFirmware", "BootOrder", VMName="web01")) == 2, "nothing has changed"
    done(on, "Set-VMFirmware", VMName="web01", BootOrder=[own, nic])
