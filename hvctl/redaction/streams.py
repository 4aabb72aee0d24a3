"""What stands before the standard output and error: it masks secrets, writes what the encoding has, and never raises."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
import traceback
from contextlib import suppress
from typing import TextIO

from hvctl.redaction.redact import Redactor
from hvctl.text.visible import visible, visible_lines

_ASCII = {
    "→": "->", "←": "<-", "✓": "ok", "✗": "x", "…": "...", "−": "-", "·": ".", "≈": "=", "↻": "@", "━": "=", "─": "-", "╸": "=",
    "╺": "=", "•": "*", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "\u00a0": " ", "\ufffd": "?",
}  # fmt: skip
"""hvctl's own signs where an encoding lacks them."""


def encodable(text: str, encoding: str) -> str:
    """The text with nothing in it that the encoding has not: signs in ASCII, other characters as \\u escapes."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_encodable(char, encoding) for char in text)
    return text


def _encodable(char: str, encoding: str) -> str:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return _ASCII.get(char) or char.encode("ascii", "backslashreplace").decode()
    return char


class Output(io.TextIOBase):
    """A stream for text. `fault`: why nothing is written any more; whoever writes is not disturbed in its work.

    What may be the beginning of a secret is held back until more is written, or the end.
    """

    def __init__(self, inner: TextIO | None, redactor: Redactor) -> None:
        self._inner, self._redactor = inner, redactor
        self._held = ""
        self._lock = threading.Lock()
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        with self._lock:
            pending = self._held + text
            at = self._redactor.begun(pending)
            self._held = pending[at:]
            self._put(pending[:at])
        return len(text)

    def _put(self, text: str) -> None:
        if self.fault is not None or not text:
            return
        if self._inner is None:  # Python's way to say that it was closed when the process began
            self.fault = OSError(errno.EBADF, "it is closed")
            return
        try:
            self._inner.write(encodable(self._redactor.text(text), self.encoding))
        except (OSError, ValueError) as error:
            self._failed(error)

    def flush(self) -> None:
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self.fault is None and self._inner is not None:
            try:
                self._inner.flush()
            except (OSError, ValueError) as error:
                self._failed(error)

    def finish(self) -> None:
        """What was held back is written."""
        with self._lock:
            held, self._held = self._held, ""
            self._put(held)
            self._flush()

    def _failed(self, error: OSError | ValueError) -> None:
        self.fault = error if isinstance(error, OSError) else OSError(errno.EBADF, "it is closed")
        # Python would try once more at its end, and say so in words of its own.
        if self._inner is not None:
            with suppress(OSError, ValueError):
                nothing = os.open(os.devnull, os.O_WRONLY)
                try:
                    os.dup2(nothing, self._inner.fileno())
                finally:
                    os.close(nothing)

    @property
    def unread(self) -> bool:
        """Nobody reads it any more."""
        fault = self.fault
        # Windows tells it so of a pipe (Python's bug 35754).
        return isinstance(fault, BrokenPipeError) or (
            sys.platform == "win32" and fault is not None and fault.errno == errno.EINVAL
        )

    def isatty(self) -> bool:
        return self._inner is not None and not self._inner.closed and self._inner.isatty()

    def fileno(self) -> int:
        if self._inner is None:
            raise io.UnsupportedOperation("fileno")
        return self._inner.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._inner, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return "strict"


def traced(error: BaseException | None) -> None:
    """A traceback in one piece, so that no secret in it is written in halves."""
    if error is not None:
        sys.stderr.write("".join(map(_trace, traceback.format_exception(error))))


def _trace(piece: str) -> str:
    """Calls are indented lines; what an exception says is one line."""
    own = piece.startswith((" ", "\n", "Traceback"))
    return visible_lines(piece) if own else visible(piece.removesuffix("\n")) + "\n"
