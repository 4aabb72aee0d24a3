"""Shells that are open on hosts, written down, so that a run that was killed is cleaned up by the next one."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hvctl.text.files import PRIVATE, append_line, make_private_folder, write_whole
from hvctl.text.machine import silent, this_machine
from hvctl.text.number import is_whole, whole
from hvctl.text.processes import lives


@dataclass(frozen=True)
class OpenShell:
    """`batch`: of the changes that were sent to it and whose end was not seen; the host's journal knows more.
    `command`: the process that has them."""

    shell: str
    batch: str = ""
    command: str = ""


class OpenShells:
    """One file per process, so that runs do not disturb each other. A file whose process is gone is a leftover; one that
    bears this process's own id is of an earlier run too: in a container every process has the same. Machines may share the
    folder, and know nothing of each other's processes. Its first line is all
    that was open when it was written; each further one is a shell that was opened or closed since.
    What cannot be written is not written: the host's own idle timeout is the backstop (winrm 5.4)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._machine = _machine()
        self._file = folder / f"shells-{os.getpid()}-{self._machine}.json"
        self._before = _read(self._file) or {}
        self._open = {at: {one.shell: one for one in shells} for at, shells in self._before.items()}
        self._lock = threading.Lock()
        self._lines = 0
        """That may still be added before the file is written as a whole again: writing it so for every shell would be the
        square of the hosts."""

    def opened(self, endpoint: str, shell: str, batch: str = "", command: str = "") -> None:
        """Also to say which changes were sent to it."""
        with self._lock:
            one = OpenShell(shell, batch, command)
            self._open.setdefault(endpoint, {})[shell] = one
            self._add([endpoint, asdict(one)])

    def closed(self, endpoint: str, shell: str) -> None:
        with self._lock:
            shells = self._open.get(endpoint, {})
            if shells.pop(shell, None) is not None:
                if not shells:
                    del self._open[endpoint]
                self._add([endpoint, shell])

    def leftovers(self, endpoint: str) -> list[OpenShell]:
        """Shells on that host of runs that are gone. They are this run's from now on: named once, and kept until
        they are closed."""
        with self._lock:
            found = self._before.pop(endpoint, [])
            with suppress(OSError):
                for file in self._folder.glob("shells-*.json"):
                    if _gone(file, self._machine):
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
            if not any(data.values()):
                file.unlink()
            elif found:
                before = file.stat()
                _put(file, data)
                os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # since then its run has said nothing
        return found

    def _add(self, line: list[Any]) -> None:
        if self._lines > 0 and self._open:
            try:
                append_line(self._file, json.dumps(line))
                self._lines -= 1
                return
            except OSError:
                pass  # somebody has removed it
        self._write()

    def _write(self) -> None:
        self._lines = 0
        with suppress(OSError):
            if any(self._open.values()):
                make_private_folder(self._folder)
                _put(self._file, {at: list(shells.values()) for at, shells in self._open.items() if shells})
                self._lines = 32 + 2 * len(self._open)
            else:
                self._file.unlink(missing_ok=True)


def _read(file: Path) -> dict[str, list[OpenShell]] | None:
    """None if it cannot be read."""
    try:
        first, *more = file.read_text(encoding="utf-8").split("\n")
        found = {at: {one["shell"]: OpenShell(**one) for one in shells} for at, shells in json.loads(first).items()}
        for line in more[:-1]:  # the last is empty, or what a kill has left of one
            at, change = json.loads(line)
            if isinstance(change, str):
                found.get(at, {}).pop(change, None)
            else:
                found.setdefault(at, {})[change["shell"]] = OpenShell(**change)
        return {at: list(shells.values()) for at, shells in found.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None


def _put(file: Path, data: Mapping[str, Sequence[OpenShell]]) -> None:
    """Whole or not at all: it is there for runs that are killed."""
    text = json.dumps({at: [asdict(one) for one in shells] for at, shells in data.items()})
    write_whole(file, f"{text}\n", PRIVATE)


def _machine() -> str:
    """Short, and with nothing that a file's name may not have."""
    return hashlib.sha256(this_machine().encode()).hexdigest()[:8]


def _gone(file: Path, here: str) -> bool:
    """`here`: this machine. An earlier release named none."""
    pid, _, machine = file.stem.removeprefix("shells-").partition("-")
    if not is_whole(pid):
        return False
    if machine and machine != here:
        return silent(file)
    return not machine if whole(pid) == os.getpid() else not lives(whole(pid))
