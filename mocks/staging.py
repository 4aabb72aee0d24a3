"""What staging.ps1 does, for the runner's twin: files that a batch needs, on the disk of a simulated host."""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, BinaryIO, cast

from mocks.state import Vhd
from mocks.vhdx import parsed

STALE_S = 86_400
TEXT = 64 * 1024
"""Up to this size a file's text is kept, so that tests can read it."""


@dataclass
class Folder:
    """One run's, in %ProgramData%\\hvctl\\staging."""

    made: float
    files: dict[str, IO[bytes]] = field(default_factory=dict)


class Staging:
    """Shared by every process of a host, as a disk is. Bytes lie in temporary files: there may be many."""

    def __init__(self) -> None:
        self.folders: dict[str, Folder] = {}
        self.bytes_written = 0

    def make(self, run: str, now: float) -> list[tuple[str, str]]:
        """The folder is there afterwards. Returns what was removed because it is old: (run, name)."""
        self.folders.setdefault(run, Folder(now))
        stale = [r for r, f in self.folders.items() if now - f.made > STALE_S and r != run]
        return [gone for r in stale for gone in self.remove(r)]

    def remove(self, run: str) -> list[tuple[str, str]]:
        folder = self.folders.pop(run, None)
        for file in folder.files.values() if folder else ():
            file.close()
        return [(run, name) for name in folder.files] if folder else []

    def opened(self, run: str, name: str, fresh: bool) -> int:
        """Its length."""
        files = self.folders[run].files
        if name not in files:
            files[name] = tempfile.TemporaryFile()  # noqa: SIM115  closed when it is removed
        file = files[name]
        if fresh:
            file.truncate(0)
        return file.seek(0, 2)

    def write(self, run: str, name: str, offset: int, text: str, packed: bool) -> int:
        """The position afterwards."""
        data = base64.b64decode(text, validate=True)
        data = zlib.decompress(data, wbits=-15) if packed else data
        file = self.folders[run].files[name]
        file.seek(offset)
        file.write(data)
        self.bytes_written += len(data)
        return offset + len(data)

    def disk(self, run: str, name: str, path: str) -> Vhd | None:
        file = self.folders[run].files[name]
        return parsed(path, cast(BinaryIO, file), file.seek(0, 2))

    def sha256(self, run: str, name: str) -> tuple[str, int, str | None]:
        """Hash, size, and the text of a small file."""
        file, digest, size = self.folders[run].files[name], hashlib.sha256(), 0
        file.seek(0)
        while data := file.read(1 << 20):
            digest.update(data)
            size += len(data)
        file.seek(0)
        return digest.hexdigest(), size, text_of(file.read()) if size <= TEXT else None


def text_of(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


@dataclass
class Put:
    """The file that lines of bytes are for."""

    id: str
    run: str
    name: str
    failed: bool = False


def safe(name: Any) -> str:
    return re.sub(r"[^A-Za-z0-9-]", "", str(name))


def names(body: Mapping[str, Any]) -> tuple[str, str]:
    return safe(body.get("run", "")), safe(body.get("name", ""))
