"""The name of the machine that hvctl runs on, as the history keeps it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

MACHINE = "HVCTL_MACHINE"
"""The variable that names it where its own name is another one each time, as in containers, or was changed."""


CONTAINER = "container"
"""What containers are called that nobody named: a machine for each of them would be one that never runs again."""

_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""Docker and Podman leave these in a container; Kubernetes sets a variable (kubernetes.io, "Service")."""


def this_machine() -> str:
    if named := os.environ.get(MACHINE, "").strip():
        return named
    contained = "KUBERNETES_SERVICE_HOST" in os.environ or any(mark.exists() for mark in _MARKS)
    return CONTAINER if contained else socket.gethostname()
