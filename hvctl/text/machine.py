"""The name of the machine that hvctl runs on, as the history keeps it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

MACHINE = "HVCTL_MACHINE"
"""The variable that names it where its own name is another one each time, as in containers, or was changed."""


CONTAINER = "container"
"""What containers are called that nobody named: a machine for each of them would be one that never runs again."""

_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Docker and Podman leave these in a container; Kubernetes sets a variable (kubernetes.io, "Service")."""

_QUIET_S = 86_400


def this_machine() -> str:
    if named := os.environ.get(MACHINE, "").strip():
        return named
    contained = "KUBERNETES_SERVICE_HOST" in os.environ or any(mark.exists() for mark in _MARKS)
    return CONTAINER if contained else socket.gethostname()


def silent(file: Path) -> bool:
    """Whether nobody has written it for a day. Machines may share a folder, and of each other's processes no more is known than
    that they write: a file of another one whose process is gone is told by that. Not so where it is gone itself."""
    try:
        return time.time() - file.stat().st_mtime > _QUIET_S
    except OSError:
        return False  # another hvctl was quicker
