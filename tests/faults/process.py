"""hvctl as a process of its own, that can be killed: forked from one that has imported everything, which is quick."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["hvctl.cli", "hvctl.winrm.client", "requests_ntlm", __name__])


class Process:
    """One run of hvctl, with the waits of real life."""

    def __init__(self, folder: Path, words: Sequence[str], number: int) -> None:
        self._file = folder / f"said-{number}.txt"
        arguments = (list(words), str(folder), dict(os.environ), str(self._file))
        self._process = _CONTEXT.Process(target=_run, args=arguments)
        self._process.start()

    def kill(self) -> None:
        """kill -9, and it is gone when this returns; from any thread."""
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        wait([self._process.sentinel], 60)

    def signal(self, number: signal.Signals) -> None:
        """From any thread; nothing if it has ended."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def wait(self) -> int:
        """Its exit status."""
        assert wait([self._process.sentinel], 120), "hvctl does not come to an end"
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    @property
    def said(self) -> str:
        return self._file.read_text(encoding="utf-8") if self._file.exists() else ""


def _run(words: Sequence[str], folder: str, environment: Mapping[str, str], said: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    with Path(said).open("w", encoding="utf-8") as file:
        sys.stdout = sys.stderr = file
        from hvctl.cli import main  # noqa: PLC0415  in the forked process only

        status = main(list(words))
        file.flush()
    os._exit(status)
