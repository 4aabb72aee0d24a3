"""Whether a process of this machine is still there."""

from __future__ import annotations

import os
import sys

_MAY_ASK = 0x1000
"""PROCESS_QUERY_LIMITED_INFORMATION"""


def lives(pid: int) -> bool:
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
