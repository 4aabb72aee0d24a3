"""Shells that are open on hosts, written down, so that a run that was killed is cleaned up by the next one."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from hvctl.text.files import PRIVATE, make_private_folder, write_whole
from hvctl.text.number import is_whole, whole

_MAY_ASK = 0x1000
"""PROCESS_QUERY_LIMITED_INFORMATION"""


@dataclass(frozen=True)
class OpenShell:
    """`batch`: of the changes that were sent to it and whose end was not seen; the host's journal knows more.
    `command`: the process that has them."""

    shell: str
    batch: str = ""
    command: str = ""


class OpenShells:
    """One file per process, so that runs do not disturb each other. A file whose process is gone is a leftover; one that
    bears this process's own id is of an earlier run too: in a container every process has the same.
    What cannot be written is not written: the host's own idle timeout is the backstop (winrm 5.4)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / f"shells-{os.getpid()}.json"
        self._before = _read(self._file) or {}
        self._open = {at: {one.shell: one for one in shells} for at, shells in self._before.items()}
        self._lock = threading.Lock()

    def opened(self, endpoint: str, shell: str, batch: str = "", command: str = "") -> None:
        """Also to say which changes were sent to it."""
        with self._lock:
            self._open.setdefault(endpoint, {})[shell] = OpenShell(shell, batch, command)
            self._write()

    def closed(self, endpoint: str, shell: str) -> None:
        with self._lock:
            if self._open.get(endpoint, {}).pop(shell, None) is not None:
                self._write()

    def leftovers(self, endpoint: str) -> list[OpenShell]:
        """Shells on that host of runs that are gone. They are this run's from now on: named once, and kept until
        they are closed."""
        with self._lock:
            found = self._before.pop(endpoint, [])
            with suppress(OSError):
                for file in self._folder.glob("shells-*.json"):
                    if _gone(file):
                        found += self._taken(file, endpoint)
            if found:
                self._open.setdefault(endpoint, {}).update({one.shell: one for one in found})
                self._write()
        return found

    def _taken(self, file: Path, endpoint: str) -> list[OpenShell]:
        data = _read(file)
        if data is None:
            return []
        found = data.pop(endpoint, [])
        with suppress(OSError):
            if any(data.values()):
                _put(file, data)
            else:
                file.unlink()
        return found

    def _write(self) -> None:
        with suppress(OSError):
            if any(self._open.values()):
                make_private_folder(self._folder)
                _put(self._file, {at: list(shells.values()) for at, shells in self._open.items() if shells})
            else:
                self._file.unlink(missing_ok=True)


def _read(file: Path) -> dict[str, list[OpenShell]] | None:
    """None if it cannot be read."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return {at: [OpenShell(**one) for one in shells] for at, shells in data.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def _put(file: Path, data: Mapping[str, Sequence[OpenShell]]) -> None:
    """Whole or not at all: it is there for runs that are killed."""
    write_whole(file, json.dumps({at: [asdict(one) for one in shells] for at, shells in data.items()}), PRIVATE)


def _gone(file: Path) -> bool:
    pid = file.stem.removeprefix("shells-")
    return is_whole(pid) and whole(pid) != os.getpid() and not _lives(whole(pid))


def _lives(pid: int) -> bool:
    if sys.platform == "win32":  # signal 0 would be Ctrl-C there
        import ctypes  # noqa: PLC0415

        handle = ctypes.windll.kernel32.OpenProcess(_MAY_ASK, False, pid)
        return bool(handle) and bool(ctypes.windll.kernel32.CloseHandle(handle))
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no system has a process of that number
        return False
    except OSError:
        return True
    return True
