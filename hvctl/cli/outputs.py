"""The output and the errors of a command, and what becomes of its exit status where they cannot be written."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self

from hvctl.cli.options import EXIT_PIPE
from hvctl.core.status import DIFFERS, TROUBLE
from hvctl.redaction.redact import Redactor
from hvctl.redaction.streams import Output, traced


class Outputs:
    """As a context: whatever is printed meanwhile goes through them, tracebacks of threads included."""

    def __init__(self, redactor: Redactor) -> None:
        self._before = (sys.stdout, sys.stderr, threading.excepthook)
        self._out, self._err = Output(sys.stdout, redactor), Output(sys.stderr, redactor)

    def __enter__(self) -> Self:
        sys.stdout, sys.stderr = self._out, self._err
        threading.excepthook = lambda args: traced(args.exc_value)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._out.finish()
        self._err.finish()
        sys.stdout, sys.stderr, threading.excepthook = self._before

    def status(self, status: int) -> int:
        """The exit status of a command that has done all it had to do."""
        self._out.finish()
        fault = self._out.fault
        if fault is not None and not self._out.unread:
            sys.stderr.write(f"hvctl: the output could not be written: {fault.strerror or fault}\n")
        self._err.finish()
        if self._out.unread or self._err.unread:
            return EXIT_PIPE
        if (fault or self._err.fault) and status in (0, DIFFERS, TROUBLE, DIFFERS | TROUBLE):
            return status | TROUBLE
        return status
