"""What a file of bytes is as a virtual disk, as Hyper-V would open it: read from its own header, or None."""

from __future__ import annotations

from typing import BinaryIO

from mocks.state import Vhd

_KB = 1024
_METADATA_REGION = "06a27c8b90479a4bb8fe575f050f886e"
_FILE_PARAMETERS = "3767a1ca36fa434db3b633f0aa44e76b"
_VIRTUAL_DISK_SIZE = "2442a52f1bcd7648b2115dbed83bf4b8"
_LOGICAL_SECTOR_SIZE = "1dbf41816fa90947ba47f233a8faab5f"
_PHYSICAL_SECTOR_SIZE = "c748a3cd5d4471449cc9e9885251c556"
"""GUIDs as they lie in the file ([MS-VHDX] 2.2.3, 2.6.2)."""


def parsed(path: str, file: BinaryIO, size: int) -> Vhd | None:
    def number(at: int, length: int) -> int:
        file.seek(at)
        return int.from_bytes(file.read(length), "little")

    def table(at: int, count: int) -> dict[str, int]:
        found = {}
        for n in range(min(count, 2047)):
            file.seek(at + 32 * n)
            found[file.read(16).hex()] = at + 32 * n + 16
        return found

    file.seek(0)
    if size < 1024 * _KB or file.read(8) != b"vhdxfile":
        return None
    regions = table(192 * _KB + 16, number(192 * _KB + 8, 4))
    if _METADATA_REGION not in regions:
        return None
    start = number(regions[_METADATA_REGION], 8)
    items = table(start + 32, number(start + 10, 2))
    where = {name: start + number(at, 4) for name, at in items.items()}
    flags = number(where[_FILE_PARAMETERS] + 4, 4)
    if flags & 2:
        return None  # its parent is not there
    disk = Vhd(path, size=number(where[_VIRTUAL_DISK_SIZE], 8), file_size=size)
    disk.type = "Fixed" if flags & 1 else "Dynamic"
    disk.block_size = number(where[_FILE_PARAMETERS], 4)
    disk.logical_sector_size = number(where[_LOGICAL_SECTOR_SIZE], 4)
    disk.physical_sector_size = number(where[_PHYSICAL_SECTOR_SIZE], 4)
    disk.installed = True
    return disk
