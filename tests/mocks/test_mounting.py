"""Virtual disks that the host has mounted, and what is on them."""

from __future__ import annotations

from typing import Any

import pytest

from mocks.host import SimulatedHost
from tests.mocks.hosts import done, host, one, refused

DISK = r"D:\web01\os.vhdx"
EFI = "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}"


def of_vm(state: str = "Off", **disk: Any) -> SimulatedHost:
    drives = [{"at": "scsi 0:0", "path": DISK}]
    vhds = {DISK: {"size": "60GB", "partitions": ["efi", "reserved", "basic"], **disk}}
    return host(vhds=vhds, vms=[{"name": "web01", "generation": 2, "state": state, "drives": drives}])


@pytest.mark.parametrize("os", ["2012", "2012r2", "2022"])
def test_a_disk_of_a_vm_that_is_off_is_mounted_read_and_dismounted(os: str) -> None:
    on = of_vm()
    on.state.os = os
    assert done(on, "Mount-VHD", Path=DISK, ReadOnly=True, NoDriveLetter=True) == []
    number = one(on, "Get-VHD", Path=DISK).properties["DiskNumber"]
    assert number == 1
    found = [p.properties["GptType"] for p in done(on, "Get-Partition", DiskNumber=[number])]
    assert (len(found), found[0]) == (3, EFI)
    assert refused(on, "Mount-VHD", Path=DISK) == "ObjectInUse"
    assert refused(on, "Add-VMHardDiskDrive", VMName="web01", Path=DISK)
    done(on, "Dismount-VHD", Path=DISK)
    assert one(on, "Get-VHD", Path=DISK).properties["DiskNumber"] is None
    assert refused(on, "Dismount-VHD", Path=DISK) == "InvalidState"
    assert refused(on, "Get-Partition", DiskNumber=[1]) == "CmdletizationQuery_NotFound_DiskNumber"


def test_one_that_a_vm_writes_to_is_not() -> None:
    assert refused(of_vm("Running"), "Mount-VHD", Path=DISK, ReadOnly=True) == "ObjectInUse"


def test_one_whose_file_is_read_only_is_mounted_so_alone() -> None:
    on = of_vm(read_only=True)
    assert refused(on, "Mount-VHD", Path=DISK) == "OperationFailed"
    done(on, "Mount-VHD", Path=DISK, ReadOnly=True)


def test_an_empty_disk_has_no_partitions_and_one_of_mbr_no_gpt_types() -> None:
    on = of_vm(partitions=[])
    done(on, "Mount-VHD", Path=DISK, ReadOnly=True)
    assert refused(on, "Get-Partition", DiskNumber=[1]) == "CmdletizationQuery_NotFound_DiskNumber"
    on = of_vm(partitions=["mbr"])
    done(on, "Mount-VHD", Path=DISK, ReadOnly=True)
    assert [p.properties["GptType"] for p in done(on, "Get-Partition", DiskNumber=[1])] == [None]


def test_what_is_attached_becomes_no_vhd_set() -> None:
    on = of_vm()
    assert refused(on, "Convert-VHD", Path=DISK, DestinationPath=r"D:\web01\os.vhds") == "ObjectInUse"
    on.state.vms.clear()
    done(on, "Convert-VHD", Path=DISK, DestinationPath=r"D:\web01\os.vhds")


def test_a_disk_that_moves_takes_its_contents_along() -> None:
    on = host(
        vhds={DISK: {"size": "60GB"}},
        contents={DISK: {"sha256": "ab" * 32}},
        vms=[{"name": "web01", "generation": 2, "drives": [{"at": "scsi 0:0", "path": DISK}]}],
    )
    to = r"D:\os.vhdx"
    done(on, "Move-VMStorage", VMName="web01", Vhds=[{"SourceFilePath": DISK, "DestinationFilePath": to}])
    assert one(on, "Get-FileHash", LiteralPath=to).properties["Hash"] == "AB" * 32
    assert refused(on, "Get-FileHash", LiteralPath=DISK)
