"""The command line."""

from __future__ import annotations

from hvctl.__main__ import entry  # where console scripts of earlier installations look for it
from hvctl.cli.app import main

__all__ = ["entry", "main"]
