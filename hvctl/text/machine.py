"""The name of the machine that hvctl runs on, as the history keeps it."""

from __future__ import annotations

import os
import socket

MACHINE = "HVCTL_MACHINE"
"""The variable that names it where its own name is another one each time, as in containers, or was changed."""


def this_machine() -> str:
    return os.environ.get(MACHINE, "").strip() or socket.gethostname()
