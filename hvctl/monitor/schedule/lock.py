"""No two checks of one schedule at once: a lock that says who holds it."""

from __future__ import annotations

import getpass
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hvctl.text.files import PRIVATE, make_private_folder

_BYTE = 1 << 30  # beyond what is written, since Windows lets nobody read a locked byte


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. `since`: UTC, ISO 8601."""

    pid: int
    host: str
    user: str
    since: str

    @classmethod
    def me(cls, now: datetime) -> Holder:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a container's user need not have a name
            user = "a user without a name"
        return cls(os.getpid(), socket.gethostname(), user, now.isoformat(timespec="seconds"))

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since}"


class LockedError(Exception):
    """Somebody else holds it; None if that cannot be read."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(str(holder or "another process"))
        self.holder = holder


@contextmanager
def locked(file: Path, now: datetime) -> Iterator[None]:
    """Hold the lock. It is the system's, so it ends with the process, whatever ends that; the file stays, since to
    remove it would let two hold it. Raises LockedError or OSError."""
    make_private_folder(file.parent)
    number = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), PRIVATE)
    try:
        if not _taken(number):
            raise LockedError(_holder(number))
        _write(number, json.dumps(asdict(Holder.me(now))))
        yield
        _write(number, "")
    finally:
        os.close(number)


def _taken(number: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - only Windows has it

            os.lseek(number, _BYTE, os.SEEK_SET)
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - Windows has none

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _holder(number: int) -> Holder | None:
    os.lseek(number, 0, os.SEEK_SET)
    try:
        return Holder(**json.loads(os.read(number, 4096)))
    except (ValueError, TypeError, OSError):
        return None


def _write(number: int, text: str) -> None:
    os.lseek(number, 0, os.SEEK_SET)
    os.truncate(number, 0)
    os.write(number, text.encode())
