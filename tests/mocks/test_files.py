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
