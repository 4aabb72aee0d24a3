"""Where the user's programs keep what outlives a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def state_folder() -> Path:
    """Not made yet."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "hvctl"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "hvctl"


def spool_folder() -> Path:
    """For what is to be remembered and is not yet. Not made yet."""
    return state_folder() / "spool"
