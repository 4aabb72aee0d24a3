"""A virtual disk that a file of `host_files` is to be: what it will be, before it is on the host.

One from another path of the host is as Get-VHD has it there; of one of this machine the header is read ([MS-VHDX]
2.2 to 2.6; the footer of a .vhd: "Virtual Hard Disk Image Format Specification").
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import BinaryIO
from uuid import UUID

from hvctl.call import Call, Row, Staged
from hvctl.core.contents import opened
from hvctl.core.facts import Facts
from hvctl.core.resource import Resource
from hvctl.core.values import UNKNOWN, Unknown
from hvctl.kinds._drives import there
from hvctl.kinds._space import item_query, sizes_query
from hvctl.kinds._types import KB
from hvctl.kinds._vhd import vhd
from hvctl.kinds.host_file import HostFile, brought

_METADATA = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_LOGICAL = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PHYSICAL = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
_FIXED, _DIFFERENCING = 1, 2
"""Flags of the file parameters: all blocks are allocated; it has a parent."""
_REGIONS = 192 * KB
_ENTRY = 32
_TYPES = {2: "Fixed", 3: "Dynamic", 4: "Differencing"}
_FOOTER = 512


def queries(one: Resource, *paths: str | None) -> tuple[Call, ...]:
    sources = (file.host_source for path in paths if (file := brought(one, path)) is not None)
    return tuple(q for source in sources if source for q in (sizes_query(source), item_query(source)))


def on_its_way(one: Resource, path: str | None, facts: Facts) -> HostFile | None:
    """What brings a file that is not there yet."""
    file = brought(one, path)
    return None if file is None or there(file.target, facts) else file


def row(file: HostFile, facts: Facts) -> Row | Unknown:
    """As Get-VHD will have it."""
    if file.host_source is not None:
        found = vhd(file.host_source, facts)
        return UNKNOWN if isinstance(found, Unknown) else {**found, "Path": file.target}
    known = None if file.file is None else header(file.file)
    return UNKNOWN if known is None else {**known, "Path": file.target}


def is_read_only(file: HostFile, facts: Facts) -> bool:
    """Copy-Item hands the attribute on; what is staged has none."""
    if file.host_source is None:
        return False
    rows = facts.reply(item_query(file.host_source)).rows
    return bool(rows and rows[0]["IsReadOnly"])


def takes(one: Resource, path: str, facts: Facts) -> int:
    """Bytes of the files that come to the same drive before."""
    return sum(
        file.bytes(facts)
        for file in one.beside(HostFile)
        if not file.absent and file.target[:2].casefold() == path[:2].casefold() and not there(file.target, facts)
    )


@lru_cache(maxsize=64)
def header(file: Staged) -> Row | None:
    """None: it is no virtual disk."""
    try:
        with opened(file) as stream:
            found = _vhdx(stream) if stream.read(8) == b"vhdxfile" else _vhd(stream)
    except (OSError, struct.error, ValueError, LookupError):
        return None
    return None if found is None else {**found, "FileSize": file.size, "MinimumSize": None, "ParentPath": None}


def _at(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    data = stream.read(length)
    if len(data) < length:
        raise ValueError("it ends before")
    return data


def _vhdx(stream: BinaryIO) -> Row | None:
    signature, _, count, _ = struct.unpack("<4sIII", _at(stream, _REGIONS, 16))
    if signature != b"regi" or count > 2047:
        return None
    start = next(
        offset
        for guid, offset, _, _ in struct.iter_unpack("<16sQII", _at(stream, _REGIONS + 16, count * _ENTRY))
        if UUID(bytes_le=guid) == _METADATA
    )
    signature, _, entries = struct.unpack("<8sHH", _at(stream, start, 12))
    if signature != b"metadata":
        return None
    items = {
        UUID(bytes_le=guid): start + offset
        for guid, offset, _, _, _ in struct.iter_unpack("<16sIIII", _at(stream, start + _ENTRY, entries * _ENTRY))
    }
    block, flags = struct.unpack("<II", _at(stream, items[_PARAMETERS], 8))
    kind = "Differencing" if flags & _DIFFERENCING else "Fixed" if flags & _FIXED else "Dynamic"
    return {
        "VhdFormat": "VHDX",
        "VhdType": kind,
        "Size": struct.unpack("<Q", _at(stream, items[_SIZE], 8))[0],
        "BlockSize": 0 if kind == "Fixed" else block,
        "LogicalSectorSize": struct.unpack("<I", _at(stream, items[_LOGICAL], 4))[0],
        "PhysicalSectorSize": struct.unpack("<I", _at(stream, items[_PHYSICAL], 4))[0],
    }


def _vhd(stream: BinaryIO) -> Row | None:
    end = stream.seek(0, 2)
    footer = _at(stream, end - _FOOTER, _FOOTER)
    kind = _TYPES.get(struct.unpack(">I", footer[60:64])[0])
    if footer[:8] != b"conectix" or kind is None:
        return None
    block = 0
    if kind != "Fixed":
        block = struct.unpack(">I", _at(stream, struct.unpack(">Q", footer[16:24])[0] + 32, 4))[0]
    size = struct.unpack(">Q", footer[48:56])[0]
    sectors = {"LogicalSectorSize": 512, "PhysicalSectorSize": 512}
    return {"VhdFormat": "VHD", "VhdType": kind, "Size": size, "BlockSize": block, **sectors}
