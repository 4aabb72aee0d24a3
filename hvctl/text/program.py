"""A program of the control node is run: not for ever, and what it prints has an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

_PIECE = 65_536


class ProgramError(Exception):
    """It could not be run, or was ended; says why."""


@dataclass(frozen=True)
class Ran:
    status: int
    out: bytes
    err: bytes


def ran(words: Sequence[str], *, seconds: float, most: int) -> Ran:
    """`most`: bytes that each of its outputs may have. It reads nothing; it and its children are ended when it takes
    longer or prints more. Raises ProgramError."""
    try:
        program = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=sys.platform != "win32",
        )
    except (OSError, ValueError) as error:
        raise ProgramError(f"it cannot be run ({getattr(error, 'strerror', None) or error})") from error
    with program:
        too_much = threading.Event()
        out, err = bytearray(), bytearray()
        readers = [
            threading.Thread(target=_read, args=(pipe, into, most, too_much, lambda: _end(program)), daemon=True)
            for pipe, into in ((program.stdout, out), (program.stderr, err))
        ]
        for reader in readers:
            reader.start()
        try:
            status = program.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise ProgramError(f"it did not end within {seconds:.0f} s") from error
        finally:
            _end(program)  # children that are left hold the pipes open
            for reader in readers:
                reader.join()
    if too_much.is_set():
        raise ProgramError(f"it printed more than {most:,} bytes")
    return Ran(status, bytes(out), bytes(err))


def _read(
    pipe: IO[bytes] | None, into: bytearray, most: int, too_much: threading.Event, end: Callable[[], None]
) -> None:
    assert pipe is not None
    while piece := os.read(pipe.fileno(), _PIECE):
        if len(into) + len(piece) > most:
            too_much.set()
            end()
            return
        into += piece


def _end(program: subprocess.Popen[bytes]) -> None:
    try:
        if sys.platform == "win32":
            program.kill()
        else:
            os.killpg(program.pid, signal.SIGKILL)
    except OSError:
        pass
