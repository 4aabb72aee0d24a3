"""Text files and folders of the simulated host, written and read by cmdlets."""

from __future__ import annotations

import hashlib
from typing import Any

from hvctl.call import Batch, Call, Home, Task, Value
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

HOST = {
    "contents": {
        r"E:\x\a\one.txt": {"text": "1\r\n2\r\n", "written": -3600},
        r"E:\x\b.txt": {"text": ""},
        r"E:\x\big.bin": {"sha256": "ab" * 32},
    },
    "files": {r"E:\x\big.bin": "20MB"},
    "volumes": {"C": {}, "E": {}},
}


def ask(host: SimulatedHost, cmdlet: str, select: tuple[str, ...] = ("*",), **params: Value) -> tuple[list[Any], str]:
    """Rows (scalars bare), and the kind of the first failure."""
    (reply,) = TwinTransport(host).run(Batch((Task("t", Call(cmdlet, params, select)),), "change"))
    rows = [row.get("", row) for row in reply.rows]
    return rows, reply.failure.kind if reply.failure else ""


def test_texts_are_written_added_to_and_read_by_lines_or_whole() -> None:
    host = SimulatedHost.from_yaml(HOST)
    path = r"E:\x\new.txt"
    assert ask(host, "Set-Content", LiteralPath=path, Value=["äöü", "2"]) == ([], "")
    assert ask(host, "Add-Content", LiteralPath=path, Value="3") == ([], "")
    assert ask(host, "Get-Content", LiteralPath=path.upper()) == (["äöü", "2", "3"], "")
    assert ask(host, "Get-Content", LiteralPath=path, Raw=True) == (["äöü\r\n2\r\n3\r\n"], "")
    assert ask(host, "Get-Content", Path=r"E:\x\*.txt", TotalCount=1) == (["äöü"], "")
    digest = hashlib.sha256("äöü\r\n2\r\n3\r\n".encode()).hexdigest().upper()
    assert ask(host, "Get-FileHash", ("Hash",), LiteralPath=path) == ([{"Hash": digest}], "")
    assert ask(host, "Get-FileHash", ("Hash",), LiteralPath=r"E:\x\big.bin") == ([{"Hash": "AB" * 32}], "")
    assert ask(host, "Remove-Item", Path=path) == ([], "")
    assert ask(host, "Get-Content", LiteralPath=path) == ([], "PathNotFound")


def test_what_cannot_be_read_or_written_is_refused() -> None:
    host = SimulatedHost.from_yaml(HOST)
    assert ask(host, "Get-Content", Path=r"E:\x\*.no") == ([], "ItemNotFound")
    assert ask(host, "Get-Content", Path=r"E:\x\a") == ([], "GetContentReaderUnauthorizedAccessError")
    assert ask(host, "Set-Content", Path=r"E:\no\a", Value="x") == ([], "GetContentWriterDirectoryNotFoundError")
    assert ask(host, "Get-FileHash", LiteralPath=r"E:\no") == ([], "PathNotFound")
    assert ask(host, "Get-ChildItem", Path=r"E:\no\*.txt") == ([], "PathNotFound")
    assert ask(host, "Get-ChildItem", Path=r"E:\x\*.no") == ([], "")


def test_folders_list_folders_first_and_recurse() -> None:
    host = SimulatedHost.from_yaml(HOST)
    names = [r["Name"] for r in ask(host, "Get-ChildItem", ("Name",), LiteralPath=r"E:\x", Recurse=True)[0]]
    assert names == ["a", "b.txt", "big.bin", "one.txt"]
    found, _ = ask(host, "Get-ChildItem", ("Name", "Length", "LastWriteTimeUtc"), Path=r"E:\x\a", Filter="*.txt")
    assert found == [{"Name": "one.txt", "Length": 6, "LastWriteTimeUtc": "2026-03-31T23:00:00.0000000Z"}]
    assert ask(host, "Get-ChildItem", ("Name",), LiteralPath=r"E:\x", Directory=True) == ([{"Name": "a"}], "")


def test_hvctls_own_folder_is_named_without_knowing_where_it_is() -> None:
    host = SimulatedHost.from_yaml({})
    folder = Home("receipts")
    assert str(Call("Get-Content", {"Path": Home(r"receipts\*.txt")})) == (
        r'Get-Content -Path "$env:ProgramData\hvctl\receipts\*.txt"'
    )
    assert ask(host, "New-Item", (), Path=folder, ItemType="Directory", Force=True) == ([], "")
    assert ask(host, "Set-Content", LiteralPath=Home(r"receipts\a.txt"), Value="x") == ([], "")
    assert ask(host, "Get-ChildItem", ("FullName",), LiteralPath=folder) == (
        [{"FullName": r"C:\ProgramData\hvctl\receipts\a.txt"}],
        "",
    )
    assert ask(host, "Get-Content", Path=Home(r"receipts\*.txt")) == (["x"], "")


# --- copies and names -------------------------------------------------------------------------------------------------

DISKS = {
    "folders": [r"D:\new"],
    "volumes": {"C": {}, "D": {"free": "30GB"}, "E": {"free": "1GB"}},
    "contents": {r"D:\a.txt": {"text": "1\r\n"}},
    "vhds": {
        r"D:\image.vhdx": {"size": "40GB", "file_size": "12GB", "read_only": True},
        r"D:\parent.vhdx": {"file_size": "1GB"},
        r"D:\child.vhdx": {"parent": r"D:\parent.vhdx", "file_size": "1GB"},
        r"D:\held.vhdx": {"in_use_elsewhere": True},
    },
    "vms": [{"name": "web01", "state": "Running", "drives": [{"at": "scsi 0:0", "path": r"D:\child.vhdx"}]}],
}


def test_a_disk_is_copied_byte_by_byte_and_takes_room() -> None:
    host = SimulatedHost.from_yaml(DISKS)
    select = ("Path", "Size", "FileSize", "DiskIdentifier", "VhdType")
    (image,), _ = ask(host, "Get-VHD", select, Path=r"D:\image.vhdx")
    assert ask(host, "Copy-Item", LiteralPath=r"D:\image.vhdx", Destination=r"D:\new\copy.vhdx") == ([], "")
    (copy,), _ = ask(host, "Get-VHD", select, Path=r"D:\new\copy.vhdx")
    assert copy == {**image, "Path": r"D:\new\copy.vhdx"}
    assert ask(host, "Get-Item", ("IsReadOnly", "Length"), LiteralPath=r"D:\new\copy.vhdx")[0] == [
        {"IsReadOnly": True, "Length": 12 * 2**30}
    ]
    assert ask(host, "Get-Volume", ("SizeRemaining",), DriveLetter="D")[0] == [{"SizeRemaining": 18 * 2**30}]
    assert ask(host, "Copy-Item", LiteralPath=r"D:\a.txt", Destination=r"D:\new") == ([], "")
    assert ask(host, "Get-Content", LiteralPath=r"D:\new\a.txt") == (["1"], "")


def test_a_read_only_disk_is_neither_written_to_nor_attached_nor_overwritten() -> None:
    host = SimulatedHost.from_yaml(DISKS)
    path = r"D:\image.vhdx"
    assert ask(host, "Resize-VHD", Path=path, SizeBytes=50 * 2**30)[1] == "OperationFailed"
    assert ask(host, "Set-VHD", Path=path, PhysicalSectorSizeBytes=512)[1] == "OperationFailed"
    at: dict[str, Value] = {"ControllerType": "SCSI", "ControllerNumber": 0, "ControllerLocation": 1}
    attach = Call("Add-VMHardDiskDrive", {"VMName": "web01", "Path": path, **at})
    (refused,) = TwinTransport(host).run(Batch((Task("t", attach),), "change"))
    assert refused.failure and refused.failure.kind == "OperationFailed"
    unwritten = "CopyFileInfoItemUnauthorizedAccessError"
    assert ask(host, "Copy-Item", LiteralPath=r"D:\a.txt", Destination=path)[1] == unwritten
    assert ask(host, "Remove-Item", LiteralPath=path)[1] == "RemoveFileSystemItemUnAuthorizedAccess"
    assert ask(host, "Remove-Item", LiteralPath=path, Force=True) == ([], "")


def test_what_cannot_be_copied_is_refused() -> None:
    host = SimulatedHost.from_yaml(DISKS)

    def copied(source: str, to: str) -> str:
        return ask(host, "Copy-Item", LiteralPath=source, Destination=to)[1]

    assert copied(r"D:\none.vhdx", r"D:\new\a.vhdx") == "PathNotFound"
    assert copied(r"D:\child.vhdx", r"D:\new\a.vhdx") == "System.IO.IOException"  # web01 writes to it
    assert copied(r"D:\held.vhdx", r"D:\new\a.vhdx") == "System.IO.IOException"
    assert copied(r"D:\parent.vhdx", r"D:\new\a.vhdx") == ""  # which is only read
    assert copied(r"D:\parent.vhdx", r"D:\child.vhdx") == "System.IO.IOException"
    assert copied(r"D:\parent.vhdx", r"D:\no\a.vhdx") == "System.IO.DirectoryNotFoundException"
    assert copied(r"D:\parent.vhdx", r"d:\PARENT.vhdx") == "CopyError"
    assert copied(r"D:\image.vhdx", r"E:\a.vhdx") == "System.IO.IOException"  # no room
    assert copied(r"D:\new", r"D:\other") == "NotSimulated"


def test_a_file_is_renamed_in_its_folder() -> None:
    host = SimulatedHost.from_yaml(DISKS)

    def renamed(path: str, name: str) -> str:
        return ask(host, "Rename-Item", LiteralPath=path, NewName=name)[1]

    assert renamed(r"D:\image.vhdx", "other.vhdx") == ""
    assert ask(host, "Test-Path", LiteralPath=r"D:\image.vhdx")[0] == [False]
    assert ask(host, "Get-VHD", ("Size",), Path=r"D:\other.vhdx")[0] == [{"Size": 40 * 2**30}]
    assert renamed(r"D:\other.vhdx", "parent.vhdx") == "RenameItemIOError"  # it is there
    assert renamed(r"D:\parent.vhdx", "p.vhdx") == "RenameItemIOError"  # in use
    assert renamed(r"D:\none.vhdx", "a.vhdx") == "InvalidOperation"
    assert renamed(r"D:\other.vhdx", r"new\a.vhdx") == "Argument"
    assert renamed(r"D:\new", "newer") == "NotSimulated"
    assert renamed(r"D:\a.txt", "b.txt") == ""
    assert ask(host, "Get-Content", LiteralPath=r"D:\b.txt") == (["1"], "")
