"""The bytes of files that calls need: where they are on the control node, and whether they are still the same."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hvctl.call import Batch, Map, Staged

_KERNEL = ("/proc", "/sys", "/dev")
_OF_THE_KERNEL = f"it is a file of the kernel, in {', '.join(_KERNEL)}"
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)


def files_of(batch: Batch) -> tuple[Staged, ...]:
    """Every file that a batch needs, each once."""
    found: dict[str, Staged] = {}
    for task in batch.tasks:
        for value in files_in(task.call.params):
            found.setdefault(value.sha256, value)
    return tuple(found.values())


def files_in(value: Any) -> Iterator[Staged]:
    if isinstance(value, Staged):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from files_in(inner)
    elif isinstance(value, Map):
        yield from files_in(value.items)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from files_in(inner)


def opened(file: Staged) -> BinaryIO:
    """The file that was judged when the plan was made, not one that a link leads to now. Raises OSError."""
    if file.content is not None:
        return io.BytesIO(file.content)
    found = open_ordinary(file.path)
    if found.path != os.path.abspath(file.path):  # noqa: PTH100 - a link stays one
        found.stream.close()
        raise OSError(errno.ELOOP, f"it is a link to {found.path} now")
    return found.stream


class OddFileError(OSError):
    """Nothing that could be copied: a device, a pipe, what the kernel makes up."""


@dataclass(frozen=True)
class Ordinary:
    """A file that was opened and found to be one. `path`: without links."""

    stream: BinaryIO
    path: str
    seen: os.stat_result


def open_ordinary(path: str | Path) -> Ordinary:
    """Judged is what is open, so that nothing can be exchanged between the look and the reading. Raises OSError: for
    folders too, for pipes, sockets and devices, which may never end, and for what the kernel makes up in /proc, /sys
    and /dev."""
    try:
        real = os.path.realpath(path, strict=True)
        _check(real, os.lstat(real))
        handle = os.open(real, _FLAGS)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, "this is not a valid file name") from error
    stream = os.fdopen(handle, "rb")
    try:
        seen = os.fstat(handle)
        _check(real, seen)
        if os.path.realpath(real) != real or not os.path.samestat(seen, os.lstat(real)):
            raise OSError(errno.ESTALE, "it was exchanged while it was opened")
    except BaseException:
        stream.close()
        raise
    return Ordinary(stream, real, seen)


def _check(real: str, seen: os.stat_result) -> None:
    if stat.S_ISDIR(seen.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", real)
    if not stat.S_ISREG(seen.st_mode):
        raise OddFileError(errno.EINVAL, "it is not an ordinary file")
    check_place(real)
    if seen.st_dev in {Path(top).stat().st_dev for top in _KERNEL[:2] if os.path.ismount(top)}:  # mounted elsewhere
        raise OddFileError(errno.EPERM, _OF_THE_KERNEL)


def check_place(real: str) -> None:
    """Raises OSError for what is in /proc, /sys or /dev."""
    if any(Path(real).is_relative_to(top) for top in _KERNEL):
        raise OddFileError(errno.EPERM, _OF_THE_KERNEL)


def hash_of(file: Staged) -> str:
    """What it is now, in hex. Raises OSError."""
    with opened(file) as source:
        return sha256_of(source)


def sha256_of(source: BinaryIO) -> str:
    digest = hashlib.sha256()
    while data := source.read(1 << 20):
        digest.update(data)
    return digest.hexdigest()


def changed_sources(batch: Batch) -> list[str]:
    """What lies otherwise on the control node than when the plan was made, one line each."""
    lines = []
    for file in files_of(batch):
        try:
            now = hash_of(file)
        except OSError as error:
            lines.append(f"{file.name} of the control node: cannot be read any more ({error.strerror})")
            continue
        if now != file.sha256:
            lines.append(f"{file.name} of the control node: sha256 {file.sha256[:12]} → {now[:12]}")
    return lines
