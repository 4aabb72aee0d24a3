"""Virtual disk files, drives, controllers and checkpoints (domain 8, 12)."""

from __future__ import annotations

from typing import Any

import pytest

from mocks import files
from mocks.host import SimulatedHost
from tests.mocks.hosts import DISK, GB, MB, done, host, name_of, one, one_vm, read, refused, run

SCSI = [{"at": "scsi 0:0", "path": DISK}]


def with_disk(os: str = "2022", path: str = DISK, bus: str = "scsi", *, vhd: Any = None, **vm: Any) -> SimulatedHost:
    generation = 1 if bus == "ide" or os == "2012" else 2
    drives = [{"at": f"{bus} 0:0", "path": path}]
    return host(
        os,
        vhds={path: {"size": "40GB", "minimum_size": "20GB", **(vhd or {})}},
        vms=[{"name": "web01", "generation": generation, "drives": drives, **vm}],
    )


VHD, SHARED = r"D:\VMs\a.vhd", r"C:\ClusterStorage\Volume1\q.vhdx"
MATRIX = [  # os, path, bus, vm and vhd, size in GB, kind of the refusal (domain 8.2)
    ("2012r2", DISK, "scsi", {"state": "Running"}, 60, None),
    ("2012r2", DISK, "scsi", {"state": "Running"}, 30, None),
    ("2012", DISK, "scsi", {"state": "Running"}, 60, "NotSupported"),
    ("2012", DISK, "scsi", {}, 60, None),
    ("2022", DISK, "ide", {"state": "Running"}, 60, "NotSupported"),
    ("2022", DISK, "ide", {}, 60, None),
    ("2022", DISK, "scsi", {"state": "Paused"}, 60, "NotSupported"),
    ("2022", DISK, "scsi", {}, 10, "OperationFailed"),
    ("2022", DISK, "scsi", {"vhd": {"minimum_size": None}}, 30, "OperationFailed"),
    ("2022", DISK, "scsi", {}, 40, None),
    ("2022", VHD, "ide", {}, 60, None),
    ("2022", VHD, "ide", {}, 40, "NotSupported"),
    ("2022", VHD, "ide", {}, 30, "NotSupported"),
    ("2022", VHD, "ide", {"state": "Running"}, 60, "NotSupported"),
    ("2022", DISK, "scsi", {"vhd": {"in_use_elsewhere": True}}, 60, "ObjectInUse"),
    ("2022", DISK, "scsi", {}, 65 * 1024, "InvalidParameter"),
]


@pytest.mark.parametrize(("os", "path", "bus", "more", "size", "kind"), MATRIX)
def test_resize_matrix(os: str, path: str, bus: str, more: dict[str, Any], size: int, kind: str | None) -> None:
    on = with_disk(os, path, bus, **more)
    if kind:
        assert refused(on, "Resize-VHD", Path=path, SizeBytes=size * GB) == kind
    else:
        done(on, "Resize-VHD", Path=path, SizeBytes=size * GB)
        assert read(on, "Get-VHD", "Size", Path=path) == size * GB


def test_a_fixed_disk_grows_as_a_job_and_takes_time() -> None:
    on = with_disk(vhd={"type": "Fixed"})
    job = run(on, "Resize-VHD", Path=DISK, SizeBytes=80 * GB, AsJob=True).job
    assert job is not None and job.duration == pytest.approx(102.4)
    on.clock.sleep(51.2)
    assert job.percent(on.clock.now()) == 50
    assert read(on, "Get-VHD", "Size", Path=DISK) == 40 * GB
    on.clock.sleep(51.2)
    assert not job.finish().errors
    assert read(on, "Get-VHD", "Size", Path=DISK) == 80 * GB


def test_a_fixed_disk_does_not_outgrow_its_volume() -> None:
    on = with_disk(vhd={"type": "Fixed"})
    assert "0x80070070" in run(on, "Resize-VHD", Path=DISK, SizeBytes=30 * 1024 * GB).errors[0].message


def test_a_refusal_of_a_job_comes_when_it_is_received() -> None:
    on = with_disk(bus="ide", state="Running")
    job = run(on, "Resize-VHD", Path=DISK, SizeBytes=80 * GB, AsJob=True).job
    assert job is not None and job.finish().errors[0].category == "InvalidOperation"


def test_vhdx_sizes_are_rounded_up_to_the_sector() -> None:
    on = host()
    done(on, "New-VHD", Path=r"D:\a.vhdx", SizeBytes=GB + 1)
    assert read(on, "Get-VHD", "Size", Path=r"D:\a.vhdx") == GB + 512


def test_new_disks_are_as_recorded() -> None:
    on = host()
    (made,) = done(on, "New-VHD", Path=r"D:\a.vhdx", SizeBytes=5 * GB)
    shown = made.properties
    assert (shown["FileSize"], shown["BlockSize"], shown["MinimumSize"]) == (4194304, 33554432, None)
    (fixed,) = done(on, "New-VHD", Path=r"D:\a.vhd", SizeBytes=10 * MB, Fixed=True)
    assert (fixed.properties["FileSize"], fixed.properties["BlockSize"]) == (10486272, 0)
    assert "0x80070003" in run(on, "New-VHD", Path=r"D:\no\a.vhdx", SizeBytes=GB).errors[0].message
    assert refused(on, "New-VHD", Path=r"D:\b.vhdx", SizeBytes=0) == "InvalidParameter"


def test_identifiers_are_upper_case_from_2016_on() -> None:
    for os in ("2012r2", "2022"):
        text = read(with_disk(os), "Get-VHD", "DiskIdentifier", Path=DISK)
        assert text == (text.lower() if os == "2012r2" else text.upper())


def test_converting_makes_a_copy() -> None:
    on = with_disk(path=VHD, bus="ide")
    done(on, "Convert-VHD", Path=VHD, DestinationPath=r"D:\VMs\a.vhdx", VHDType="Fixed")
    assert read(on, "Get-VHD", "VhdType", Path=r"D:\VMs\a.vhdx") == "Fixed"
    assert done(on, "Test-Path", LiteralPath=VHD) == [True]
    done(on, "Start-VM", Name="web01")
    assert refused(on, "Convert-VHD", Path=VHD, DestinationPath=r"D:\VMs\b.vhdx") == "ObjectInUse"


# --- drives ---------------------------------------------------------------------------------------------------------


def test_a_drive_goes_to_the_first_free_place_ide_first() -> None:
    on = host(vms=[{"name": "web01"}], vhds={rf"D:\{i}.vhdx": {} for i in range(5)})
    for i in range(5):
        done(on, "Add-VMHardDiskDrive", VMName="web01", Path=rf"D:\{i}.vhdx")
    places = [d["at"] for d in on.snapshot()["vms"][0]["drives"] if not d["dvd"]]
    assert places == ["ide 0:0", "ide 0:1", "ide 1:1", "scsi 0:0", "scsi 0:1"]


def test_without_coordinates_every_disk_is_set() -> None:
    on = one_vm(drives=[{"at": f"scsi 0:{i}", "path": rf"D:\{i}.vhdx"} for i in range(3)])
    done(on, "Set-VMHardDiskDrive", VMName="web01", MaximumIOPS=500)
    assert [d["maximum_iops"] for d in on.snapshot()["vms"][0]["drives"]] == [500] * 3


def test_disks_on_scsi_come_and_go_live_on_ide_not() -> None:
    on = host(
        vms=[{"name": "web01", "state": "Running", "drives": [{"at": "ide 0:0", "path": DISK}]}],
        vhds={r"D:\b.vhdx": {}},
    )
    place = {"VMName": "web01", "ControllerNumber": 0, "ControllerLocation": 1}
    assert refused(on, "Add-VMHardDiskDrive", ControllerType="IDE", **place) == "InvalidState"
    done(on, "Add-VMHardDiskDrive", ControllerType="SCSI", Path=r"D:\b.vhdx", **place)
    done(on, "Remove-VMHardDiskDrive", ControllerType="SCSI", **place)
    place["ControllerLocation"] = 0
    assert refused(on, "Remove-VMHardDiskDrive", ControllerType="IDE", **place) == "InvalidState"
    assert refused(on, "Set-VMHardDiskDrive", VMName="web01", ToControllerLocation=1) == "InvalidState"


def test_generations_and_their_devices() -> None:
    on = one_vm()
    on.state.files[r"D:\w.iso"] = 10
    done(on, "New-VHD", Path=VHD.replace("VMs\\", ""), SizeBytes=GB)
    place = {"VMName": "web01", "ControllerNumber": 0, "ControllerLocation": 0}
    assert refused(on, "Add-VMHardDiskDrive", ControllerType="IDE", **place) == "InvalidParameter"
    assert refused(on, "Add-VMHardDiskDrive", ControllerType="SCSI", Path=r"D:\a.vhd", **place) == "InvalidParameter"
    assert refused(on, "Set-VMFloppyDiskDrive", VMName="web01", Path=None) == "InvalidParameter"
    done(on, "Add-VMDvdDrive", VMName="web01", Path=r"D:\w.iso")
    assert read(on, "Get-VMDvdDrive", "ControllerType", VMName="web01") == "SCSI"


def test_a_medium_changes_live_and_null_ejects_it() -> None:
    on = one_vm(state="Running", drives=[{"at": "scsi 0:1", "dvd": True}])
    on.state.files[r"D:\w.iso"] = 10
    on.state.files[r"D:\w.bin"] = 10
    done(on, "Set-VMDvdDrive", VMName="web01", Path=r"D:\w.iso")
    assert read(on, "Get-VMDvdDrive", "DvdMediaType", VMName="web01") == "ISO"
    assert refused(on, "Set-VMDvdDrive", VMName="web01", Path=r"D:\w.bin") == "InvalidParameter"
    done(on, "Set-VMDvdDrive", VMName="web01", Path=None)
    assert read(on, "Get-VMDvdDrive", "Path", VMName="web01") == ""


def test_an_empty_drive_has_no_path_on_2012_r2_and_an_empty_one_later() -> None:
    for os, path in (("2012r2", None), ("2016", ""), ("2022", "")):
        on = one_vm(os, drives=[{"at": "scsi 0:1", "dvd": True}])
        assert read(on, "Get-VMDvdDrive", "Path", VMName="web01") == path


def test_removing_a_controller_renumbers_the_others_and_takes_its_drives() -> None:
    drives = [{"at": "scsi 0:0", "path": r"D:\a.vhdx"}, {"at": "scsi 1:3", "path": r"D:\b.vhdx"}]
    on = one_vm(scsi_controllers=2, drives=drives)
    before = done(on, "Get-VMScsiController", VMName="web01")[1].properties["Id"]
    done(on, "Remove-VMScsiController", VMName="web01", ControllerNumber=0)
    assert [d["at"] for d in on.snapshot()["vms"][0]["drives"]] == ["scsi 0:3"]
    assert read(on, "Get-VMScsiController", "Id", VMName="web01") == before
    done(on, "Start-VM", Name="web01")
    assert refused(on, "Add-VMScsiController", VMName="web01") == "InvalidState"


def test_sharing_needs_cluster_storage_and_scsi() -> None:
    on = one_vm(drives=SCSI)
    on.state.vhds.append(type(on.state.vhds[0])(SHARED))
    share = {"VMName": "web01", "ControllerType": "SCSI", "ControllerNumber": 0, "SupportPersistentReservations": True}
    assert refused(on, "Add-VMHardDiskDrive", Path=r"D:\no.vhdx", **share) == "ObjectNotFound"
    done(on, "Add-VMHardDiskDrive", Path=SHARED, **share)
    assert refused(on, "Set-VMHardDiskDrive", VMName="web01", ControllerLocation=0, ControllerType="SCSI",
                   ControllerNumber=0, SupportPersistentReservations=True) == "NotSupported"  # fmt: skip
    assert refused(on, "Checkpoint-VM", Name="web01") == "OperationFailed"


# --- checkpoints ----------------------------------------------------------------------------------------------------


def leaf(on: SimulatedHost) -> str:
    return str(read(on, "Get-VMHardDiskDrive", "Path", VMName="web01"))


def test_a_checkpoint_changes_the_path_and_hides_a_resize_of_the_parent() -> None:
    on = with_disk()
    done(on, "Checkpoint-VM", Name="web01", SnapshotName="before")
    assert leaf(on).lower().endswith(".avhdx") and leaf(on).startswith(DISK[:-5] + "_")
    assert read(on, "Get-VHD", "ParentPath", Path=leaf(on)) == DISK
    done(on, "Resize-VHD", Path=DISK, SizeBytes=60 * GB)
    assert read(on, "Get-VHD", "Size", Path=leaf(on)) == 40 * GB, "the VM does not see it"
    assert refused(on, "Resize-VHD", Path=leaf(on), SizeBytes=60 * GB) == "NotSupported"


def test_a_merge_takes_time_and_the_path_stays_meanwhile() -> None:
    on = with_disk(state="Running")
    done(on, "Checkpoint-VM", Name="web01", SnapshotName="before")
    done(on, "Remove-VMSnapshot", VMName="web01", Name="before")
    assert done(on, "Get-VMSnapshot", VMName="web01") == []
    assert leaf(on).endswith(".avhdx")
    statuses = one(on, "Get-VM").properties["OperationalStatus"]
    assert [name_of(s) for s in statuses] == ["Ok", "MergingDisks"]
    on.clock.sleep(60)
    assert leaf(on) == DISK
    assert [v["size"] for v in on.snapshot()["vhds"].values()] == [40 * GB]


def test_the_middle_of_a_chain_can_be_removed() -> None:
    on = with_disk()
    for name in ("one", "two", "three"):
        done(on, "Checkpoint-VM", Name="web01", SnapshotName=name)
    done(on, "Remove-VMSnapshot", VMName="web01", Name="two")
    on.clock.sleep(60)
    points = done(on, "Get-VMSnapshot", VMName="web01")
    assert [p.properties["Name"] for p in points] == ["one", "three"]
    assert points[1].properties["ParentSnapshotId"].text == points[0].properties["Id"].text
    chain, path = [], leaf(on)
    while path:
        chain.append(path)
        path = read(on, "Get-VHD", "ParentPath", Path=path)
    assert len(chain) == 3 and chain[-1] == DISK


def test_removing_a_vm_merges_and_keeps_the_disk_locked_for_a_moment() -> None:
    on = with_disk()
    done(on, "Checkpoint-VM", Name="web01")
    done(on, "Remove-VM", Name="web01", Force=True)
    assert list(on.snapshot()["vhds"]) == [DISK]
    assert refused(on, "Remove-Item", LiteralPath=DISK) == "RemoveFileSystemItemIOError"
    on.clock.sleep(5)
    done(on, "Remove-Item", LiteralPath=DISK)


# --- files that two want --------------------------------------------------------------------------------------------

BASE, ONE, TWO = r"D:\base.vhdx", r"D:\one.vhdx", r"D:\two.vhdx"


def on_one_base(**base: Any) -> SimulatedHost:
    """Two disks on one base, each of a VM of its own; and a VM that has the base itself."""
    vms = [
        {"name": name, "generation": 2, "drives": [{"at": "scsi 0:0", "path": path}]}
        for name, path in (("one", ONE), ("two", TWO), ("base", BASE))
    ]
    return host(vms=vms, vhds={BASE: {"size": GB, **base}, ONE: {"parent": BASE}, TWO: {"parent": BASE}})


def test_many_stand_on_one_base_that_nobody_writes_to() -> None:
    on = on_one_base()
    done(on, "Start-VM", Name="one")
    done(on, "New-VHD", Path=r"D:\three.vhdx", ParentPath=BASE)
    done(on, "Start-VM", Name="two")
    assert refused(on, "Start-VM", Name="base") == "OperationFailed", "it would write below both"


def test_nothing_stands_on_a_file_that_a_running_vm_writes_to() -> None:
    on = on_one_base()
    done(on, "Start-VM", Name="base")
    assert refused(on, "Start-VM", Name="one") == "OperationFailed"
    assert refused(on, "New-VHD", Path=r"D:\three.vhdx", ParentPath=BASE) == "OperationFailed"


@pytest.mark.parametrize("path", [BASE, ONE])
def test_what_the_host_has_mounted_goes_into_no_vm(path: str) -> None:
    on = on_one_base(mounted_as=3)
    done(on, "New-VM", Name="n", Generation=2)
    outcome = run(on, "Add-VMHardDiskDrive", VMName="n", Path=path)
    assert "(0x80070020)" in outcome.errors[0].message
    assert refused(on, "New-VM", Name="m", Generation=2, VHDPath=path) == "OperationFailed"
    assert refused(on, "Start-VM", Name="one") == "OperationFailed", "it stands on the mounted one"
    assert refused(on, "Remove-Item", LiteralPath=path) == "RemoveFileSystemItemIOError"


def test_a_disk_moves_with_its_vm_and_only_where_it_can() -> None:
    on = host(
        volumes={"C": {}, "D": {"free": "50GB"}, "E": {"free": "20GB"}},
        folders=[r"E:\fast"],
        vhds={r"D:\a.vhdx": {"file_size": "12GB"}, r"E:\taken\a.vhdx": {}, r"D:\big.vhdx": {"file_size": "30GB"}},
        vms=[
            {
                "name": "web01",
                "state": "Running",
                "drives": [{"at": "scsi 0:0", "path": r"D:\a.vhdx"}, {"at": "scsi 0:1", "path": r"D:\big.vhdx"}],
            }
        ],
    )

    def moved(source: str, to: str) -> str:
        vhds = [{"SourceFilePath": source, "DestinationFilePath": to}]
        outcome = on.invoke("Move-VMStorage", {"VMName": "web01", "Vhds": vhds})
        return outcome.errors[0].id.partition(",")[0] if outcome.errors else ""

    assert moved(r"D:\none.vhdx", r"E:\fast\a.vhdx") == "InvalidParameter"
    assert moved(r"D:\a.vhdx", r"E:\taken\a.vhdx") == "OperationFailed"
    assert moved(r"D:\a.vhdx", r"E:\no\a.vhdx") == "OperationFailed"
    assert moved(r"D:\big.vhdx", r"E:\fast\big.vhdx") == "OperationFailed"
    assert moved(r"D:\a.vhdx", r"E:\fast\other.vhdx") == ""  # another name is ignored
    (vm,) = on.state.vms
    assert [d.path for d in vm.disks] == [r"E:\fast\a.vhdx", r"D:\big.vhdx"]
    assert (on.state.volumes["D"].free, on.state.volumes["E"].free) == (62 * GB, 8 * GB)


def test_what_a_disk_holds_moves_with_it() -> None:
    on = host(
        folders=[r"E:\fast"],
        volumes={"C": {}, "D": {}, "E": {}},
        vhds={r"D:\a.vhdx": {"file_size": "1GB"}, r"D:\b.vhdx": {"file_size": "1GB"}},
        contents={r"D:\a.vhdx": {"sha256": "ab" * 32}},
        vms=[
            {
                "name": "web01",
                "state": "Running",
                "drives": [{"at": "scsi 0:0", "path": r"D:\a.vhdx"}, {"at": "scsi 0:1", "path": r"D:\b.vhdx"}],
            }
        ],
    )
    before = files.sha256(on.state, r"D:\b.vhdx")
    for name in ("a", "b"):
        vhds = [{"SourceFilePath": rf"D:\{name}.vhdx", "DestinationFilePath": rf"E:\fast\{name}.vhdx"}]
        assert not on.invoke("Move-VMStorage", {"VMName": "web01", "Vhds": vhds}).errors
    assert files.sha256(on.state, r"E:\fast\a.vhdx") == "ab" * 32
    assert files.sha256(on.state, r"E:\fast\b.vhdx") == before
    assert files.content(on.state, r"D:\a.vhdx") is None
