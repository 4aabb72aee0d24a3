"""Files of this machine: written whole or not at all, never through what somebody else put in the way."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

PRIVATE = 0o600
"""For what hvctl writes for its user alone."""
_NOWHERE = 0  # not every system has each of these
_NEW = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", _NOWHERE)
    | getattr(os, "O_CLOEXEC", _NOWHERE)
    | getattr(os, "O_BINARY", _NOWHERE)
)


def write_whole(file: str | Path, text: str, mode: int | None = None) -> None:
    """Whoever reads meanwhile sees the old text or the new. Raises OSError; then the old file is untouched.
    `mode`: of the file, whatever there was before, and a link that is in its place is replaced by it. None: the mode of
    the file that is replaced, or what the umask leaves of a new one; a link stays a link."""
    target = Path(file)
    if _is_stream(target):
        target.write_text(text, encoding="utf-8", errors="replace")
        return
    if mode is None:
        target = target.resolve()
        if target.exists():
            mode = target.stat().st_mode & 0o7777
    # Nobody can know the name beforehand, and if something has it, O_EXCL refuses.
    new = target.with_name(f".{target.name[:80]}.{secrets.token_hex(8)}.new")
    try:
        # Open to nobody else while it is filled, unless the umask decides in the end.
        number = os.open(new, _NEW, 0o666 if mode is None else PRIVATE)
        with os.fdopen(number, "w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.write(text)
        if mode is not None:
            new.chmod(mode)
        new.replace(target)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise


def append_line(file: Path, text: str, *, lasting: bool = False) -> None:
    """To a file that is there, in one write, so that a kill leaves a part of that line at most. `lasting`: it is waited for
    until the disk has it, and all before it. Raises OSError."""
    number = os.open(
        file, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", _NOWHERE) | getattr(os, "O_CLOEXEC", _NOWHERE)
    )
    try:
        os.write(number, f"{text}\n".encode())
        if lasting:
            os.fsync(number)
    finally:
        os.close(number)


def make_private(file: Path) -> None:
    """An empty file that its user alone may read, where there is none. Raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(file.resolve(), _NEW, PRIVATE))


def make_private_folder(folder: Path) -> None:
    """With those above it, as far as they are not there. Raises OSError."""
    for one in reversed((folder, *folder.parents)):
        if not one.exists():
            one.mkdir(mode=0o700, exist_ok=True)


def why_not(file: str | Path) -> str:
    """Why a file could not be written, as far as can be known beforehand; empty: nothing speaks against it."""
    target = Path(file)
    if target.is_dir():
        return "it is a folder"
    if target.exists():
        return "" if os.access(target, os.W_OK) else "it is write-protected"
    if not target.parent.is_dir():
        return f"there is no folder {target.parent}"
    return "" if os.access(target.parent, os.W_OK) else f"nothing may be written into {target.parent}"


def _is_stream(target: Path) -> bool:
    """A device, a pipe, or /dev/stdout whatever that leads to: there is nothing to replace."""
    if target.is_symlink() and target.readlink().is_relative_to("/proc"):
        return True
    return target.parent.resolve().is_relative_to("/proc") or (target.exists() and not target.is_file())
