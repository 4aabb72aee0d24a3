"""Shells that are open on hosts, written down, so that a run that was killed is cleaned up by the next one."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path


class OpenShells:
    """One file per process, so that runs do not disturb each other. A file whose process is gone is a leftover.
    What cannot be written is not written: the host's own idle timeout is the backstop (winrm 5.4)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def opened(self, endpoint: str, shell: str) -> None:
        with self._lock:
            self._open.setdefault(endpoint, []).append(shell)
            self._write()

    def closed(self, endpoint: str, shell: str) -> None:
        with self._lock:
            shells = self._open.get(endpoint, [])
            if shell in shells:
                shells.remove(shell)
            self._write()

    def leftovers(self, endpoint: str) -> list[str]:
        """Shells on that host of runs that are gone; they are named once."""
        found: list[str] = []
        with self._lock, suppress(OSError):
            for file in self._folder.glob("shells-*.json"):
                if not _gone(file):
                    continue
                with suppress(OSError, ValueError, AttributeError):
                    data = json.loads(file.read_text(encoding="utf-8"))
                    found += data.pop(endpoint, [])
                    if any(data.values()):
                        file.write_text(json.dumps(data), encoding="utf-8")
                    else:
                        file.unlink()
        return found

    def _write(self) -> None:
        file = self._folder / f"shells-{os.getpid()}.json"
        with suppress(OSError):
            if any(self._open.values()):
                self._folder.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(self._open), encoding="utf-8")
            else:
                file.unlink(missing_ok=True)


def _gone(file: Path) -> bool:
    pid = file.stem.removeprefix("shells-")
    if not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
