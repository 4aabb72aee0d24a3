"""Export-VM on the simulated host: a job of its own, which ends whoever began it."""

from __future__ import annotations

from mocks import files
from mocks.host import SimulatedHost
from mocks.objects import Outcome, PsObject

VMX = r"E:\x\web01\Virtual Machines"


def host(free: str = "100GB", version: str = "", os: str = "2022") -> SimulatedHost:
    return SimulatedHost.from_yaml(
        {
            "os": os,
            "volumes": {"C": {}, "D": {}, "E": {"free": free}},
            "vhds": {
                r"D:\base.vhdx": {"file_size": "20GB"},
                r"D:\os.vhdx": {"parent": r"D:\base.vhdx", "file_size": "4GB"},
            },
            "vms": [
                {
                    "name": "web01",
                    "generation": 2,
                    "version": version,
                    "state": "Running",
                    "drives": [{"at": "scsi 0:0", "path": r"D:\os.vhdx"}],
                }
            ],
        }
    )


def web01(on: SimulatedHost) -> PsObject:
    (vm,) = on.invoke("Get-VM", {"Name": "web01"}).objects
    assert isinstance(vm, PsObject)
    return vm


def begun(on: SimulatedHost) -> Outcome:
    return on.invoke("Export-VM", {"VM": web01(on), "Path": r"E:\x", "AsJob": True})


def test_it_copies_the_whole_chain_and_writes_the_configuration_last_though_nobody_waits() -> None:
    on = host()
    job = begun(on).job
    assert job is not None
    assert round(job.duration) == 127  # 24 GB at 200 MB a second, and four seconds
    assert str(web01(on).properties["SecondaryOperationalStatus"].name) == "ExportingVirtualMachine"
    assert files.inside(on.state, r"E:\x\web01\Virtual Hard Disks")[1] == [
        r"E:\x\web01\Virtual Hard Disks\base.vhdx",
        r"E:\x\web01\Virtual Hard Disks\os.vhdx",
    ]
    assert files.inside(on.state, VMX)[1] == []
    on.clock.sleep(64)
    assert job.percent(on.clock.now()) == 50
    on.clock.sleep(64)  # job.finish is never called
    assert [f.rpartition(".")[2] for f in files.inside(on.state, VMX)[1]] == ["vmcx", "VMRS"]
    assert web01(on).properties["SecondaryOperationalStatus"] is None
    assert on.state.volumes["E"].free < 76 * 2**30


def test_what_is_exported_refuses_changes_and_is_looked_at_freely() -> None:
    on = host()
    begun(on)
    for cmdlet, params in (
        ("Set-VM", {"VM": web01(on), "Notes": "x"}),
        ("Stop-VM", {"VM": web01(on)}),
        ("Remove-VMHardDiskDrive", {"VMHardDiskDrive": on.invoke("Get-VMHardDiskDrive", {"VMName": "web01"}).objects}),
        ("Export-VM", {"VM": web01(on), "Path": r"E:\y"}),
    ):
        assert [e.id.split(",")[0] for e in on.invoke(cmdlet, params).errors] == ["InvalidState"], cmdlet


def test_a_full_volume_ends_it_in_the_middle_without_a_configuration() -> None:
    on = host(free="21GB")
    job = begun(on).job
    assert job is not None
    on.clock.sleep(job.duration)
    (error,) = job.finish().errors
    assert error.id.startswith("OperationFailed,")
    assert "0x80070070" in error.message
    assert files.inside(on.state, VMX)[1] == []
    assert on.state.volumes["E"].free == 0
    on.invoke("Remove-Item", {"LiteralPath": r"E:\x", "Recurse": True})
    assert on.state.volumes["E"].free == 21 * 2**30


def test_old_configuration_versions_stay_xml() -> None:
    on = host(version="5.0", os="2016")
    job = begun(on).job
    assert job is not None
    on.clock.sleep(job.duration)
    assert [f.rpartition(".")[2] for f in files.inside(on.state, VMX)[1]] == ["xml"]
